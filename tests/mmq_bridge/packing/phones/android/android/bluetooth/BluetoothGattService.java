// SPDX-License-Identifier: Apache-2.0
// Stands in for Android's class of this name: what the sources call, no more.
package android.bluetooth;

import java.util.List;

public class BluetoothGattService {
    private final List<BluetoothGattCharacteristic> characteristics;

    public BluetoothGattService(List<BluetoothGattCharacteristic> characteristics) {
        this.characteristics = characteristics;
    }

    public List<BluetoothGattCharacteristic> getCharacteristics() {
        return characteristics;
    }
}
