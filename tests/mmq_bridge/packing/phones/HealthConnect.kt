// SPDX-License-Identifier: Apache-2.0
// Stands in for Health Connect's classes: what the source calls, no more.
package androidx.health.connect.client

import androidx.health.connect.client.request.ReadRecordsRequest
import androidx.health.connect.client.response.ReadRecordsResponse

interface HealthConnectClient {
    suspend fun <T : androidx.health.connect.client.records.Record> readRecords(request: ReadRecordsRequest<T>): ReadRecordsResponse<T>
}
