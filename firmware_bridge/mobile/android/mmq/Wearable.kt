// not run here: needs Kotlin; nothing else, on Android or elsewhere
// SPDX-License-Identifier: Apache-2.0
package mmq

/**
 * What the model says at the end of a token. With a [reason] it abstains: the probabilities are not to be acted on.
 * Of the sensors in [notEnrolled] it knows the wearer too little: show [notice] beside the decision.
 * For a display take [shown] and [shownProbabilities], the average of the last seconds: they flicker less. A task whose
 * class is under its threshold then is not in [shown]; both are empty where there are no probabilities.
 */
data class Decision(
    val timeS: Double,
    val probabilities: Map<String, Map<String, Float>>,
    val reason: String?,
    val notEnrolled: List<String> = emptyList(),
    val shownProbabilities: Map<String, Map<String, Float>> = emptyMap(),
    val shown: Map<String, String> = emptyMap(),
) {
    /** "not enrolled: ppg", or null. */
    val notice: String?
        get() = if (notEnrolled.isEmpty()) null else "not enrolled: ${notEnrolled.joinToString(", ")}"
}

/** What runs the network instead of the C one: LiteRtModel, where the library was built with MMQ_WITH_LITERT. */
interface WindowModel : AutoCloseable {
    /** Logits of one task after the other for features [tokens][features] and presence [tokens][modalities]. */
    fun logits(features: FloatArray, presence: FloatArray): FloatArray
}

/**
 * Raw samples in, decisions out: this bundle in an app. Use it from one thread. The core runs the network and decides; here
 * its decisions get names. It needs no file of the bundle: all is in libmmq_jni.so.
 *
 * What is shown is the average of the decisions of the last [displayS] seconds; 0 shows each decision as it is.
 */
class Wearable(displayS: Double = 30.0, private val model: WindowModel? = null) : AutoCloseable {
    private val bridge = MmqBridge(displayS)
    private val tasks = List(MmqBridge.tasks()) { MmqBridge.task(it) }
    private val classes = List(tasks.size) { task -> List(MmqBridge.classes(task)) { MmqBridge.className(task, it) } }
    private val named = ByteArray(MmqBridge.modalities())
    private val chances = FloatArray(classes.sumOf { it.size })

    /** Samples [channels][frames] of "ppg", "eda", ...; [timeS] is when the first frame was taken. */
    fun push(modality: String, samples: FloatArray, frames: Int, timeS: Double): List<Decision> {
        val number = MmqBridge.modality(modality)
        if (number < 0) return emptyList() // a sensor this model does not use
        val status = bridge.push(number, samples, frames, timeS)
        require(status == MmqBridge.OK || status == MmqBridge.LATE) { "$modality: status $status of mmq_bridge.h" }
        return decide()
    }

    /** A radio packet of samples [channels][frames] with a counter instead of a time: that of its first frame. */
    fun pushCounted(modality: String, samples: FloatArray, frames: Int, firstIndex: Long): List<Decision> {
        val number = MmqBridge.modality(modality)
        if (number < 0) return emptyList()
        val status = bridge.pushCounted(number, samples, frames, firstIndex)
        require(status == MmqBridge.OK || status == MmqBridge.LATE) { "$modality: status $status of mmq_bridge.h" }
        return decide()
    }

    /** It is [timeS] now and nothing older will come: call it a few times a second, in case all sensors are silent. */
    fun advance(timeS: Double): List<Decision> {
        check(bridge.advance(timeS) == MmqBridge.OK) { "advance: $timeS is no time" }
        return decide()
    }

    /** What the wearer taught, for [loadState] of the next start: keep it in the app's own files, it is personal. */
    fun saveState(): ByteArray {
        val state = ByteArray(MmqBridge.stateBytes())
        check(bridge.save(state) == MmqBridge.OK) { "the state cannot be saved" }
        return state
    }

    /**
     * Takes over what [saveState] gave, before the first push: enrolment goes on where it stopped. False, and nothing
     * is changed: it is damaged, of another model or of a newer app; this wearer enrols anew.
     */
    fun loadState(state: ByteArray): Boolean = bridge.load(state) == MmqBridge.OK

    /** The decisions that are due, oldest first. */
    private fun decide(): List<Decision> {
        val made = mutableListOf<Decision>()
        while (true) {
            val status = if (model == null) bridge.step() else next(model)
            if (status == MmqBridge.NO_TOKEN) return made
            check(status == MmqBridge.OK) { "decide: status $status of mmq_bridge.h" }
            made += read()
        }
    }

    /** The next decision, its network run by [model]. */
    private fun next(model: WindowModel): Int {
        val status = bridge.due()
        if (status != MmqBridge.OK || bridge.abstention(false) != MmqBridge.DECIDED) return status
        val features = FloatArray(MmqBridge.tokens() * MmqBridge.features())
        val presence = FloatArray(MmqBridge.tokens() * MmqBridge.modalities())
        check(bridge.dueWindow(features, presence) == MmqBridge.OK) { "the window cannot be read" }
        return bridge.decide(model.logits(features, presence))
    }

    /** The core's decision with names. */
    private fun read(): Decision {
        val why = bridge.abstention(false)
        check(bridge.notEnrolled(named) == MmqBridge.OK) { "the enrolment cannot be read" }
        return Decision(
            bridge.timeS(),
            probabilities(false),
            if (why == MmqBridge.DECIDED) null else MmqBridge.abstentionName(why),
            named.indices.filter { named[it] > 0 }.map { MmqBridge.name(it) },
            probabilities(true),
            tasks.indices.filter { bridge.sure(true, it) }.associate { tasks[it] to classes[it][bridge.best(true, it)] },
        )
    }

    private fun probabilities(shown: Boolean): Map<String, Map<String, Float>> {
        if (bridge.probabilities(shown, chances) == 0) return emptyMap()
        val values = chances.iterator()
        return tasks.indices.associate { task -> tasks[task] to classes[task].associateWith { values.next() } }
    }

    override fun close() {
        model?.close()
        bridge.close()
    }
}
