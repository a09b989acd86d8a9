// SPDX-License-Identifier: Apache-2.0
// Stands in for Android's class of this name: what the sources call, no more.
package android.bluetooth;

public class BluetoothGattDescriptor {
    public static final byte[] ENABLE_NOTIFICATION_VALUE = {1, 0};
    private byte[] value;

    @Deprecated
    public byte[] getValue() {
        return value;
    }

    @Deprecated
    public boolean setValue(byte[] value) {
        this.value = value;
        return true;
    }
}
