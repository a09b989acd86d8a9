// SPDX-License-Identifier: Apache-2.0
package androidx.health.connect.client.request

import androidx.health.connect.client.records.Record
import androidx.health.connect.client.time.TimeRangeFilter
import kotlin.reflect.KClass

class ReadRecordsRequest<T : Record>(
    val recordType: KClass<T>,
    val timeRangeFilter: TimeRangeFilter,
    val dataOriginFilter: Set<String> = emptySet(),
    val ascendingOrder: Boolean = true,
    val pageSize: Int = 1000,
    val pageToken: String? = null,
)
