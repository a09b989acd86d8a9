// SPDX-License-Identifier: Apache-2.0
// Compiled by Kotlin and run on Linux; not run on a phone.
package mmq

/** What runs the network instead of the C one: LiteRtModel, where the library was built with MMQ_WITH_LITERT. */
interface WindowModel : AutoCloseable {
    /** Logits of one task after the other for features [tokens][features] and presence [tokens][modalities]. */
    fun logits(features: FloatArray, presence: FloatArray): FloatArray
}

/**
 * One bridge on one thread: samples in, decisions out. The core runs the network and decides; here its decisions get names.
 * It needs no file of the bundle: all is in libmmq_jni.so.
 */
internal class Session(displayS: Double, private val model: WindowModel?) : AutoCloseable {
    private val bridge = MmqBridge(displayS)
    private val modalities = List(MmqBridge.modalities()) { MmqBridge.name(it) }
    private val tasks = List(MmqBridge.tasks()) { MmqBridge.task(it) }
    private val classes = List(tasks.size) { task -> List(MmqBridge.classes(task)) { MmqBridge.className(task, it) } }
    private val named = ByteArray(modalities.size)
    private val chances = FloatArray(classes.sumOf { it.size })
    private var closed = false

    /** The decisions that samples complete, oldest first, mostly none; samples of a sensor the model has no use for are none. */
    fun push(samples: Samples): Result<List<Decision>> = runCatching {
        val number = modalities.indexOf(samples.modality)
        if (number < 0) return Result.success(emptyList())
        val status = when (samples) {
            is Samples.Timed -> bridge.push(number, samples.values, samples.frames, samples.timeS)
            is Samples.Counted -> bridge.pushCounted(number, samples.values, samples.frames, samples.firstIndex)
            is Samples.Frame -> bridge.sample(number, samples.values, samples.timeS)
        }
        if (status != MmqBridge.LATE) check(status, samples.modality)
        decide()
    }

    /** It is [timeS] now and nothing older will come. */
    fun advance(timeS: Double): Result<List<Decision>> = runCatching {
        check(bridge.advance(timeS), "advance")
        decide()
    }

    fun saveState(): Result<ByteArray> = runCatching {
        ByteArray(MmqBridge.stateBytes()).also { check(bridge.save(it), "state") }
    }

    fun loadState(state: ByteArray): Result<Unit> = runCatching { check(bridge.load(state), "state") }

    private fun check(status: Int, what: String) {
        if (status != MmqBridge.OK) throw Fault("$what: ${MmqBridge.sentence(status)}", status)
    }

    private fun decide(): List<Decision> {
        val made = mutableListOf<Decision>()
        while (true) {
            val status = if (model == null) bridge.step() else next(model)
            if (status == MmqBridge.NO_TOKEN) return made
            check(status, "decide")
            made += read()
        }
    }

    /** The next decision, its network run by [model]. */
    private fun next(model: WindowModel): Int {
        val status = bridge.due()
        if (status != MmqBridge.OK || bridge.abstention(false) != MmqBridge.DECIDED) return status
        val features = FloatArray(MmqBridge.tokens() * MmqBridge.features())
        val presence = FloatArray(MmqBridge.tokens() * modalities.size)
        check(bridge.dueWindow(features, presence), "window")
        return bridge.decide(model.logits(features, presence))
    }

    /** The core's decision with names. */
    private fun read(): Decision {
        check(bridge.notEnrolled(named), "enrolment")
        return Decision(
            timeS = bridge.timeS(),
            probabilities = probabilities(false),
            sensors = modalities.indices.associate { modalities[it] to bridge.present(it) },
            abstained = bridge.abstention(false) != MmqBridge.DECIDED,
            reason = bridge.reason().ifEmpty { null },
            absent = modalities.indices.filter { bridge.why(it) != 0 }.associate { modalities[it] to names(bridge.why(it)) },
            notEnrolled = modalities.filterIndexed { m, _ -> named[m] > 0 },
            shownProbabilities = probabilities(true),
            nextSensor = modalities.getOrNull(bridge.nextSensor(-1)),
            shown = tasks.indices.filter { bridge.sure(true, it) }.associate { tasks[it] to classes[it][bridge.best(true, it)] },
        )
    }

    private fun names(reasons: Int): List<String> =
        generateSequence(reasons) { it and (it - 1) }.takeWhile { it != 0 }.map { MmqBridge.whyName(it) }.toList()

    private fun probabilities(shown: Boolean): Map<String, Map<String, Float>> {
        if (bridge.probabilities(shown, chances) == 0) return emptyMap()
        val values = chances.iterator()
        return tasks.indices.associate { task -> tasks[task] to classes[task].associateWith { values.next() } }
    }

    override fun close() {
        if (closed) return
        closed = true
        bridge.close()
        model?.close()
    }
}
