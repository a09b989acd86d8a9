// SPDX-License-Identifier: Apache-2.0
// Type-checked by Kotlin on Linux against stand-ins of Health Connect's classes; not run on a phone.
package mmq

import androidx.health.connect.client.HealthConnectClient
import androidx.health.connect.client.records.SkinTemperatureRecord
import androidx.health.connect.client.request.ReadRecordsRequest
import androidx.health.connect.client.time.TimeRangeFilter
import java.time.Duration
import java.time.Instant
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow

/**
 * Skin temperature of the past from Health Connect, for a [Wearable] that replays it: [began] is its second 0. Health
 * Connect holds no raw PPG, EDA, ECG or motion. Values further apart than a token are a gap to the core, so that a watch
 * which writes one a minute leaves temp absent. Records without a baseline are left out: a change is no temperature.
 */
class HealthConnectSource(
    private val client: HealthConnectClient,
    private val began: Instant,
    private val ended: Instant,
) : SampleSource {
    override fun samples(): Flow<Result<Samples>> = flow {
        var page: String? = null
        do {
            val range = TimeRangeFilter.between(began, ended)
            val read = try {
                client.readRecords(ReadRecordsRequest(SkinTemperatureRecord::class, range, pageToken = page))
            } catch (error: CancellationException) {
                throw error
            } catch (error: Exception) { // no permission, no Health Connect, a broken page
                emit(Result.failure(Fault("Health Connect: ${error.message}", null, error)))
                return@flow
            }
            for (record in read.records) {
                val baseline = record.baseline?.inCelsius ?: continue
                for (change in record.deltas.sortedBy { it.time }) {
                    val value = floatArrayOf((baseline + change.delta.inCelsius).toFloat())
                    val timeS = Duration.between(began, change.time).toMillis() / 1000.0
                    emit(Result.success(Samples.Frame("temp", value, timeS)))
                }
            }
            page = read.pageToken
        } while (page != null)
    }
}
