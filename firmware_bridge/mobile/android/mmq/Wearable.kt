// not run here: needs Android and LiteRT's Kotlin API (com.google.ai.edge.litert:litert:2.3.0; never 2.0.2 to 2.1.2)
// SPDX-License-Identifier: Apache-2.0
package mmq

import android.content.Context
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import java.security.MessageDigest
import org.json.JSONObject

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

/**
 * Raw samples in, decisions out: this bundle in an app. Use it from one thread. The core decides; here its decisions get
 * names.
 *
 * Copy manifest.json and model_int8_float_io.tflite into the app's assets/[folder]. What is shown is the average of the
 * decisions of the last [displayS] seconds; 0 shows each decision as it is.
 */
class Wearable(context: Context, folder: String = "mmq", displayS: Double = 30.0) : AutoCloseable {
    private val bridge = MmqBridge(displayS)
    private val tasks = List(MmqBridge.tasks()) { MmqBridge.task(it) }
    private val classes = List(tasks.size) { task -> List(MmqBridge.classes(task)) { MmqBridge.className(task, it) } }
    private val model: CompiledModel
    private val features = FloatArray(MmqBridge.tokens() * MmqBridge.features())
    private val presence = FloatArray(MmqBridge.tokens() * MmqBridge.modalities())
    private val named = ByteArray(MmqBridge.modalities())
    private val chances = FloatArray(classes.sumOf { it.size })

    init {
        val manifest = JSONObject(String(context.assets.open("$folder/manifest.json").use { it.readBytes() }))
        val content = context.assets.open("$folder/$MODEL").use { it.readBytes() }
        val wanted = manifest.getJSONObject("files").getJSONObject(MODEL).getString("sha256")
        check(sha256(content) == wanted) { "$MODEL is not the file that was exported" }
        model = CompiledModel.create(context.assets, "$folder/$MODEL", CompiledModel.Options(Accelerator.CPU))
    }

    private val inputs = listOf("features", "presence").associateWith { model.createInputBuffer(it) }
    private val outputs = tasks.associateWith { model.createOutputBuffer(it) }

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
        while (bridge.due() == MmqBridge.OK) {
            if (bridge.abstention(false) == MmqBridge.DECIDED) run()
            made += read()
        }
        return made
    }

    /** Run the model on the window that is due. */
    private fun run() {
        check(bridge.dueWindow(features, presence) == MmqBridge.OK) { "the window cannot be read" }
        inputs.getValue("features").writeFloat(features)
        inputs.getValue("presence").writeFloat(presence)
        model.run(inputs, outputs)
        val logits = tasks.flatMap { outputs.getValue(it).readFloat().toList() }
        check(bridge.decide(logits.toFloatArray()) == MmqBridge.OK) { "the logits cannot be read" }
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
        (inputs.values + outputs.values).forEach { it.close() }
        model.close()
        bridge.close()
    }

    private companion object {
        const val MODEL = "model_int8_float_io.tflite"

        fun sha256(content: ByteArray): String =
            MessageDigest.getInstance("SHA-256").digest(content).joinToString("") { "%02x".format(it) }
    }
}
