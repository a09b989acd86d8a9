// SPDX-License-Identifier: Apache-2.0
// Compiled by Kotlin and run on Linux against stand-ins of Android's classes; not run on a phone.
package mmq

import android.hardware.Sensor
import android.hardware.SensorEvent
import android.hardware.SensorEventListener
import android.hardware.SensorManager
import kotlinx.coroutines.channels.awaitClose
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.callbackFlow

/**
 * Sensors of the phone or watch itself. Android has a standard type for motion only; PPG, skin temperature and EDA are
 * types of a watch's maker: name them in [sensors], with the factor to the front end's unit. Events keep their own times
 * and may come at any rate.
 */
class SensorManagerSource(
    private val manager: SensorManager,
    private val clock: SessionClock,
    private val sensors: List<Kind> = listOf(ACCELERATION),
) : SampleSource {
    /** A sensor's Android [type] for a [modality]; values times [factor] are in the front end's unit. */
    class Kind(val modality: String, val type: Int, val channels: Int, val factor: Float = 1f)

    override fun samples(): Flow<Result<Samples>> = callbackFlow {
        val kinds = sensors.associateBy { it.type }
        val listener = object : SensorEventListener {
            override fun onSensorChanged(event: SensorEvent) {
                val kind = kinds[event.sensor?.type] ?: return
                val values = FloatArray(kind.channels) { (event.values?.getOrNull(it) ?: Float.NaN) * kind.factor }
                trySend(Result.success(Samples.Frame(kind.modality, values, clock.timeS(event.timestamp))))
            }

            override fun onAccuracyChanged(sensor: Sensor?, accuracy: Int) = Unit
        }
        for (kind in sensors) {
            runCatching {
                val sensor = manager.getDefaultSensor(kind.type) ?: throw Fault("${kind.modality}: no such sensor here")
                val rateHz = MmqBridge.rateHz(MmqBridge.modality(kind.modality))
                if (rateHz <= 0f) throw Fault("${kind.modality}: the model does not use it")
                if (!manager.registerListener(listener, sensor, (1e6f / rateHz).toInt(), LATENCY_US)) {
                    throw Fault("${kind.modality}: the sensor cannot be read")
                }
            }.onFailure { trySend(Result.failure(it)) }
        }
        awaitClose { manager.unregisterListener(listener) }
    }

    companion object {
        private const val LATENCY_US = 500_000

        /** Acceleration in g. */
        val ACCELERATION = Kind("acc", Sensor.TYPE_ACCELEROMETER, 3, 1f / SensorManager.STANDARD_GRAVITY)
    }
}
