// SPDX-License-Identifier: Apache-2.0
// What the tests run: `replay` decides about what comes on standard input; `gatt` reads messages; `faults` uses things wrongly.
package mmq

import android.bluetooth.BluetoothDevice
import android.bluetooth.BluetoothGattCharacteristic
import android.bluetooth.BluetoothGattService
import android.content.Context
import android.hardware.Sensor
import android.hardware.SensorEvent
import android.hardware.SensorManager
import androidx.health.connect.client.HealthConnectClient
import androidx.health.connect.client.records.Record
import androidx.health.connect.client.records.SkinTemperatureRecord
import androidx.health.connect.client.records.Temperature
import androidx.health.connect.client.records.TemperatureDelta
import androidx.health.connect.client.request.ReadRecordsRequest
import androidx.health.connect.client.response.ReadRecordsResponse
import java.io.DataInputStream
import java.time.Instant
import java.util.UUID
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout

fun main(arguments: Array<String>) {
    when (arguments[0]) {
        "replay" -> runBlocking { replay(DataInputStream(System.`in`.buffered())) }
        "gatt" -> generateSequence(::readLine).forEach(::gatt)
        else -> runBlocking { withTimeout(30_000) { faults() } }
    }
}

private fun json(value: Any?): String = when (value) {
    null -> "null"
    is String -> "\"$value\""
    is Map<*, *> -> value.entries.joinToString(",", "{", "}") { "\"${it.key}\":${json(it.value)}" }
    is List<*> -> value.joinToString(",", "[", "]") { json(it) }
    else -> value.toString()
}

private fun fields(value: Any): Map<String, Any?> =
    value.javaClass.declaredFields.filter { !it.isSynthetic }.associate { it.isAccessible = true; it.name to it.get(value) }

/** One decision a line, with its classes; the app is started again where a chunk has no name. */
private suspend fun replay(input: DataInputStream) {
    var state: ByteArray? = null
    var more = true
    while (more) {
        val wearable = Wearable.open(state = state).getOrThrow()
        check(wearable.stateFault == null)
        val flowed = mutableListOf<Decision>()
        val made = mutableListOf<Decision>()
        runBlocking {
            val collecting = launch(Dispatchers.Unconfined) { wearable.decisions.collect { flowed += it } }
            while (true) {
                val name = runCatching { input.readUTF() }.getOrElse { more = false; "" }
                if (name.isEmpty()) break
                val kind = input.readInt()
                val frames = input.readInt()
                val at = input.readDouble()
                val values = FloatArray(input.readInt()) { input.readFloat() }
                val samples = when (kind) {
                    0 -> Samples.Timed(name, values, frames, at)
                    1 -> Samples.Counted(name, values, frames, at.toLong())
                    else -> Samples.Frame(name, values, at)
                }
                made += wearable.push(samples).getOrThrow()
            }
            collecting.cancel()
        }
        check(flowed == made) { "the flow has ${flowed.size} of ${made.size}" }
        for (decision in made) println(json(fields(decision) + mapOf("classes" to decision.classes)))
        state = wearable.saveState().getOrThrow()
        wearable.close()
    }
    println(json(state!!.joinToString("") { "%02x".format(it) }))
}

private fun gatt(line: String) {
    val (uuid, content) = line.split(" ")
    val message = GattMessage.decode(UUID.fromString(uuid), content.chunked(2).map { it.toInt(16).toByte() }.toByteArray())
    println(if (message == null) "null" else json(fields(message)))
}

private suspend fun faults() {
    println(Wearable.open(displayS = 3601.0).exceptionOrNull()?.message)
    val wearable = Wearable.open(state = byteArrayOf(1, 2)).getOrThrow()
    println("${wearable.stateFault?.status} ${wearable.stateFault?.message}")
    println(wearable.push(Samples.Timed("sonar", FloatArray(1), 1, 0.0)))
    println(wearable.push(Samples.Timed("ppg", FloatArray(1), 2, 0.0)).exceptionOrNull()?.message)
    println(wearable.push(Samples.Frame("acc", FloatArray(2), 0.0)).exceptionOrNull()?.message)
    println(wearable.advance(Double.NaN).exceptionOrNull()?.message)
    println(wearable.offer(Samples.Timed("eda", FloatArray(1), 1, Double.NaN)))
    while (wearable.faults.first().message?.startsWith("eda") != true) delay(1)
    println(wearable.faults.first().message)
    sensors(wearable)
    bluetooth()
    healthConnect()
    wearable.close()
    wearable.close()
    println(wearable.offer(Samples.Timed("eda", FloatArray(1), 1, 0.0)))
    println(wearable.push(Samples.Timed("eda", FloatArray(1), 1, 0.0)).exceptionOrNull()?.message)
}

private suspend fun sensors(wearable: Wearable) {
    val manager = SensorManager()
    val job = wearable.follow(SensorManagerSource(manager, SessionClock(0)))
    while (manager.listener == null) delay(1)
    println("every ${manager.periodUs} us")
    val listener = manager.listener
    listener.onSensorChanged(SensorEvent(Sensor(1), 1_000_000_000, floatArrayOf(1f)))
    listener.onSensorChanged(SensorEvent(Sensor(1), 2_000_000_000, null))
    listener.onSensorChanged(SensorEvent(Sensor(99), 2_000_000_000, floatArrayOf(1f)))
    listener.onSensorChanged(SensorEvent(null, 2_000_000_000, floatArrayOf(1f)))
    job.cancel()
    while (manager.listener != null) delay(1)
    manager.there = true
    val other = listOf(SensorManagerSource.ACCELERATION, SensorManagerSource.Kind("ecg", 2, 1))
    val second = wearable.follow(SensorManagerSource(manager, SessionClock(0), other))
    while (wearable.faults.first().message?.startsWith("ecg") != true) delay(1)
    println(wearable.faults.first().message)
    second.cancel()
}

private fun told(results: List<Result<Any>>) =
    println(results.map { result -> result.fold({ it.javaClass.simpleName }, { it.message }) })

@Suppress("DEPRECATION")
private suspend fun bluetooth() {
    val device = BluetoothDevice()
    device.allowed = false
    told(BluetoothSource(Context(), device).messages().toList())
    device.allowed = true
    val parts = GattMessage.CHARACTERISTICS.map { BluetoothGattCharacteristic(it) }
    val (decision, presence, state) = parts
    presence.notifies = false
    device.gatt.service = BluetoothGattService(parts + BluetoothGattCharacteristic(UUID(0, 0)))
    runBlocking {
        launch(Dispatchers.Unconfined) { told(BluetoothSource(Context(), device).messages().toList()) }
        val callback = device.callback
        callback.onConnectionStateChange(device.gatt, 0, 2)
        callback.onServicesDiscovered(device.gatt, 0)
        repeat(2) { callback.onDescriptorWrite(device.gatt, null.unsafe(), if (it == 0) 0 else 133) }
        callback.onCharacteristicChanged(device.gatt, decision, ByteArray(15) { 1 })
        state.content = ByteArray(13) { 1 }
        callback.onCharacteristicChanged(device.gatt, state)
        callback.onCharacteristicChanged(device.gatt, state, ByteArray(3))
        callback.onConnectionStateChange(device.gatt, 8, 0)
    }
    println("${device.gatt.writes} writes, closed ${device.gatt.closed}")
    device.gatt.service = null
    runBlocking {
        launch(Dispatchers.Unconfined) { told(BluetoothSource(Context(), device).messages().toList()) }
        device.callback.onServicesDiscovered(device.gatt, 0)
    }
}

/** Android's classes may be given anything. */
@Suppress("UNCHECKED_CAST")
private fun <T> Any?.unsafe(): T = (this ?: android.bluetooth.BluetoothGattDescriptor()) as T

private suspend fun healthConnect() {
    val began = Instant.ofEpochSecond(1000)
    fun record(baseline: Double?, vararg deltas: Pair<Long, Double>) = SkinTemperatureRecord(
        deltas.map { SkinTemperatureRecord.Delta(began.plusSeconds(it.first), TemperatureDelta(it.second)) },
        baseline?.let { Temperature(it) },
    )
    val pages = mapOf(null to listOf(record(33.0, 2L to 0.5, 1L to 0.25), record(null, 3L to 0.5)), "2" to listOf(record(30.0, 9L to 1.0)))
    val client = object : HealthConnectClient {
        @Suppress("UNCHECKED_CAST")
        override suspend fun <T : Record> readRecords(request: ReadRecordsRequest<T>): ReadRecordsResponse<T> {
            if (request.timeRangeFilter.to == began) throw SecurityException("no permission")
            return ReadRecordsResponse(pages.getValue(request.pageToken) as List<T>, if (request.pageToken == null) "2" else null)
        }
    }
    val found = HealthConnectSource(client, began, began.plusSeconds(60)).samples().toList().map { it.getOrThrow() as Samples.Frame }
    println(found.map { "${it.modality} ${it.values[0]} at ${it.timeS}" })
    told(HealthConnectSource(client, began, began).samples().toList())
}
