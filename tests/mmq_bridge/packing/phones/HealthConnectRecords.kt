// SPDX-License-Identifier: Apache-2.0
package androidx.health.connect.client.records

import java.time.Instant

interface Record

class Temperature(val inCelsius: Double)

class TemperatureDelta(val inCelsius: Double)

class SkinTemperatureRecord(val deltas: List<Delta>, val baseline: Temperature?) : Record {
    class Delta(val time: Instant, val delta: TemperatureDelta)
}
