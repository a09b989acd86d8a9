// SPDX-License-Identifier: Apache-2.0
package androidx.health.connect.client.time

import java.time.Instant

class TimeRangeFilter(val from: Instant, val to: Instant) {
    companion object {
        fun between(startTime: Instant, endTime: Instant) = TimeRangeFilter(startTime, endTime)
    }
}
