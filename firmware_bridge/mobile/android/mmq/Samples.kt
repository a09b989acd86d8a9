// SPDX-License-Identifier: Apache-2.0
// Compiled by Kotlin and run on Linux; not run on a phone.
package mmq

import kotlinx.coroutines.flow.Flow

/**
 * What a sensor delivers. Values are [channels][frames] in the front end's units (acc g, eda uS, temp degC, ecg mV); NaN is
 * a lost sample. Times are seconds since the session began.
 */
sealed interface Samples {
    val modality: String

    /** At the model's rate; [timeS] is when the first frame was taken. */
    class Timed(override val modality: String, val values: FloatArray, val frames: Int, val timeS: Double) : Samples

    /** A radio packet at the model's rate with a counter instead of a time: that of its first frame. */
    class Counted(override val modality: String, val values: FloatArray, val frames: Int, val firstIndex: Long) : Samples

    /** One frame [channels] of a sensor with a rate of its own: the core interpolates. */
    class Frame(override val modality: String, val values: FloatArray, val timeS: Double) : Samples
}

/** Delivers samples while its flow is collected; what goes wrong is a result, never thrown. */
fun interface SampleSource {
    fun samples(): Flow<Result<Samples>>
}

/** Seconds since a session began at [beganNs], of SystemClock.elapsedRealtimeNanos(), which sensor events count in too. */
class SessionClock(private val beganNs: Long) {
    fun timeS(ns: Long): Double = (ns - beganNs) * 1e-9
}
