// SPDX-License-Identifier: Apache-2.0
// Compiled by Kotlin and run on Linux; not run on a phone.
package mmq

/**
 * What the device says at the end of a token: the fields of Python's Decision.
 *
 * With [abstained] the [probabilities] are not to be acted on, and [reason] says why; they are empty where the model was
 * not run. [sensors] is the share of the window's tokens in which each modality was present, [absent] why the newest token
 * lacks one ("flat", "lost", ...). Of the sensors in [notEnrolled] it knows the wearer too little: show [notice].
 * For a display take [shown] and [shownProbabilities], the average of the last seconds: they flicker less. A task whose
 * class is under its threshold then is not in [shown]. [nextSensor] would help an undecided wearer most; only of a bundle that
 * was exported with --next-sensor, and simulated on validation people.
 */
data class Decision(
    val timeS: Double,
    val probabilities: Map<String, Map<String, Float>>,
    val sensors: Map<String, Float>,
    val abstained: Boolean = false,
    val reason: String? = null,
    val absent: Map<String, List<String>> = emptyMap(),
    val notEnrolled: List<String> = emptyList(),
    val shownProbabilities: Map<String, Map<String, Float>> = emptyMap(),
    val shown: Map<String, String> = emptyMap(),
    val nextSensor: String? = null,
) {
    /** The likeliest class of each task, the first of equals; empty where the model was not run. */
    val classes: Map<String, String>
        get() = probabilities.mapValues { (_, values) -> values.maxBy { it.value }.key }

    /** "not enrolled: ppg", or null. */
    val notice: String?
        get() = if (notEnrolled.isEmpty()) null else "not enrolled: ${notEnrolled.joinToString(", ")}"
}

/** What went wrong, in one sentence; [status] is of mmq_bridge.h where the core said it. */
class Fault(message: String, val status: Int? = null, cause: Throwable? = null) : Exception(message, cause)
