// SPDX-License-Identifier: Apache-2.0
// Stands in for Android's class of this name: what the sources call, no more.
package android.hardware;

public final class Sensor {
    public static final int TYPE_ACCELEROMETER = 1;
    private final int type;

    public Sensor(int type) {
        this.type = type;
    }

    public int getType() {
        return type;
    }
}
