// SPDX-License-Identifier: Apache-2.0
// Stands in for Android's class of this name: what the sources call, no more.
package android.bluetooth;

import java.util.UUID;

public final class BluetoothGatt {
    public static final int GATT_SUCCESS = 0;
    public BluetoothGattService service;
    public int writes;
    public boolean closed;

    public boolean discoverServices() {
        return true;
    }

    public BluetoothGattService getService(UUID uuid) {
        return service;
    }

    public boolean setCharacteristicNotification(BluetoothGattCharacteristic characteristic, boolean on) {
        return on;
    }

    public boolean writeDescriptor(BluetoothGattDescriptor descriptor) {
        writes++;
        return true;
    }

    public void close() {
        closed = true;
    }
}
