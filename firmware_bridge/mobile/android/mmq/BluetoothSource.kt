// SPDX-License-Identifier: Apache-2.0
// Compiled by Kotlin and run on Linux against stand-ins of Android's classes; not run on a phone.
package mmq

import android.bluetooth.BluetoothDevice
import android.bluetooth.BluetoothGatt
import android.bluetooth.BluetoothGattCallback
import android.bluetooth.BluetoothGattCharacteristic
import android.bluetooth.BluetoothGattDescriptor
import android.bluetooth.BluetoothProfile
import android.content.Context
import java.util.UUID
import kotlinx.coroutines.channels.ProducerScope
import kotlinx.coroutines.channels.awaitClose
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.callbackFlow

/**
 * What a wearable tells over Bluetooth LE by the GATT profile (docs/gatt.md): it decided itself. Needs the permission
 * BLUETOOTH_CONNECT. What goes wrong is a result; the flow ends when the connection does: collect again to connect again.
 */
class BluetoothSource(private val context: Context, private val device: BluetoothDevice) {
    fun messages(): Flow<Result<GattMessage>> = callbackFlow {
        val gatt = runCatching { device.connectGatt(context, false, Listener(this), BluetoothDevice.TRANSPORT_LE) }
            .onFailure { refuse("Bluetooth: ${it.message}", it) }
            .getOrNull()
        awaitClose { runCatching { gatt?.close() } }
    }

    private class Listener(private val flow: ProducerScope<Result<GattMessage>>) : BluetoothGattCallback() {
        private val waiting = ArrayDeque<BluetoothGattCharacteristic>()

        override fun onConnectionStateChange(gatt: BluetoothGatt, status: Int, newState: Int) = safely {
            when (newState) {
                BluetoothProfile.STATE_CONNECTED -> if (!gatt.discoverServices()) flow.refuse("Bluetooth: no services")
                BluetoothProfile.STATE_DISCONNECTED -> flow.refuse("Bluetooth: the connection ended (status $status)")
            }
        }

        override fun onServicesDiscovered(gatt: BluetoothGatt, status: Int) = safely {
            val service = gatt.getService(GattMessage.SERVICE)
            if (service == null) {
                flow.refuse("Bluetooth: the device does not have the service ${GattMessage.SERVICE}")
            } else {
                waiting += service.characteristics.filter { it.uuid in GattMessage.CHARACTERISTICS }
                subscribe(gatt)
            }
        }

        override fun onDescriptorWrite(gatt: BluetoothGatt, descriptor: BluetoothGattDescriptor, status: Int) = safely {
            if (status != BluetoothGatt.GATT_SUCCESS) flow.tell("Bluetooth: no notifications (status $status)")
            subscribe(gatt)
        }

        /** One after the other: Android does one operation at a time. */
        @Suppress("DEPRECATION") // the newer call is there from Android 13 on
        private fun subscribe(gatt: BluetoothGatt) {
            val next = waiting.removeFirstOrNull() ?: return
            val descriptor = next.getDescriptor(CONFIGURATION)
            if (descriptor == null || !gatt.setCharacteristicNotification(next, true)) {
                flow.tell("Bluetooth: ${next.uuid} cannot notify")
                return subscribe(gatt)
            }
            descriptor.value = BluetoothGattDescriptor.ENABLE_NOTIFICATION_VALUE
            if (!gatt.writeDescriptor(descriptor)) flow.tell("Bluetooth: ${next.uuid} cannot notify")
        }

        override fun onCharacteristicChanged(
            gatt: BluetoothGatt,
            characteristic: BluetoothGattCharacteristic,
            value: ByteArray,
        ) = safely { take(characteristic.uuid, value) }

        @Deprecated("Android 12 and older call this one")
        @Suppress("DEPRECATION")
        override fun onCharacteristicChanged(gatt: BluetoothGatt, characteristic: BluetoothGattCharacteristic) =
            safely { take(characteristic.uuid, characteristic.value ?: ByteArray(0)) }

        private fun take(characteristic: UUID, value: ByteArray) {
            val message = GattMessage.decode(characteristic, value)
            if (message == null) flow.tell("Bluetooth: $characteristic sent no message of profile ${GattMessage.VERSION}")
            else flow.trySend(Result.success(message))
        }

        private fun safely(act: () -> Unit) {
            runCatching(act).onFailure { flow.tell("Bluetooth: ${it.message}", it) }
        }
    }

    private companion object {
        val CONFIGURATION: UUID = UUID.fromString("00002902-0000-1000-8000-00805f9b34fb")

        fun ProducerScope<Result<GattMessage>>.tell(text: String, cause: Throwable? = null) {
            trySend(Result.failure(Fault(text, null, cause)))
        }

        fun ProducerScope<Result<GattMessage>>.refuse(text: String, cause: Throwable? = null) {
            tell(text, cause)
            channel.close()
        }
    }
}
