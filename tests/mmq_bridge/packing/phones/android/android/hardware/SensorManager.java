// SPDX-License-Identifier: Apache-2.0
// Stands in for Android's class of this name: what the sources call, no more.
package android.hardware;

public class SensorManager {
    public static final float STANDARD_GRAVITY = 9.80665f;
    public SensorEventListener listener;
    public int periodUs;
    public boolean there = true;

    public Sensor getDefaultSensor(int type) {
        return there ? new Sensor(type) : null;
    }

    public boolean registerListener(SensorEventListener listener, Sensor sensor, int periodUs, int latencyUs) {
        this.listener = listener;
        this.periodUs = periodUs;
        return true;
    }

    public void unregisterListener(SensorEventListener listener) {
        this.listener = null;
    }
}
