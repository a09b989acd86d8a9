// SPDX-License-Identifier: Apache-2.0
// Stands in for Android's class of this name: what the sources call, no more.
package android.bluetooth;

import java.util.UUID;

public class BluetoothGattCharacteristic {
    private final UUID uuid;
    public boolean notifies = true;
    public byte[] content;

    public BluetoothGattCharacteristic(UUID uuid) {
        this.uuid = uuid;
    }

    public UUID getUuid() {
        return uuid;
    }

    @Deprecated
    public byte[] getValue() {
        return content;
    }

    public BluetoothGattDescriptor getDescriptor(UUID uuid) {
        return notifies ? new BluetoothGattDescriptor() : null;
    }
}
