// SPDX-License-Identifier: Apache-2.0
// Stands in for Android's class of this name: what the sources call, no more.
package android.bluetooth;

import android.content.Context;

public final class BluetoothDevice {
    public static final int TRANSPORT_LE = 2;
    public BluetoothGattCallback callback;
    public boolean allowed = true;
    public final BluetoothGatt gatt = new BluetoothGatt();

    public BluetoothGatt connectGatt(Context context, boolean again, BluetoothGattCallback callback, int transport) {
        if (!allowed) throw new SecurityException("BLUETOOTH_CONNECT is missing");
        this.callback = callback;
        return gatt;
    }
}
