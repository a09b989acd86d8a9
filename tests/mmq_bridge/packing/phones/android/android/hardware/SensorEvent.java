// SPDX-License-Identifier: Apache-2.0
// Stands in for Android's class of this name: what the sources call, no more.
package android.hardware;

public class SensorEvent {
    public final float[] values;
    public Sensor sensor;
    public long timestamp;

    public SensorEvent(Sensor sensor, long timestamp, float[] values) {
        this.sensor = sensor;
        this.timestamp = timestamp;
        this.values = values;
    }
}
