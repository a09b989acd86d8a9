// not run here: needs Android and LiteRT's Kotlin API (com.google.ai.edge.litert:litert:2.3.0; never 2.0.2 to 2.1.2)
// SPDX-License-Identifier: Apache-2.0
package mmq

import android.content.Context
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import java.security.MessageDigest
import kotlin.math.exp
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
 * Raw samples in, decisions out: this bundle in an app. Use it from one thread.
 *
 * Copy manifest.json and model_int8_float_io.tflite into the app's assets/[folder]. What is shown is the average of the
 * decisions of the last [displayS] seconds; 0 shows each decision as it is.
 */
class Wearable(context: Context, folder: String = "mmq", private val displayS: Double = 30.0) : AutoCloseable {
    private val bridge = MmqBridge()
    private val rules: JSONObject
    private val tasks: List<String>
    private val model: CompiledModel
    private val features = FloatArray(MmqBridge.tokens() * MmqBridge.features())
    private val presence = FloatArray(MmqBridge.tokens() * MmqBridge.modalities())
    private val named = ByteArray(MmqBridge.modalities())
    private val averaged = ArrayDeque<Decision>()
    private var decided = 0L

    init {
        require(displayS in 0.0..3600.0) { "displayS: expected 0 to 3600 s, got $displayS" }
        val manifest = JSONObject(String(context.assets.open("$folder/manifest.json").use { it.readBytes() }))
        val content = context.assets.open("$folder/$MODEL").use { it.readBytes() }
        val wanted = manifest.getJSONObject("files").getJSONObject(MODEL).getString("sha256")
        check(sha256(content) == wanted) { "$MODEL is not the file that was exported" }
        rules = manifest.getJSONObject("decision")
        tasks = rules.getJSONObject("tasks").keys().asSequence().toList()
        model = CompiledModel.create(context.assets, "$folder/$MODEL", CompiledModel.Options(Accelerator.CPU))
    }

    private val inputs = listOf("features", "presence").associateWith { model.createInputBuffer(it) }
    private val outputs = tasks.associateWith { model.createOutputBuffer(it) }

    /** Samples [channels][frames] of "ppg", "eda", ...; [timeS] is when the first frame was taken. */
    fun push(modality: String, samples: FloatArray, frames: Int, timeS: Double): Decision? {
        val number = MmqBridge.modality(modality)
        if (number < 0) return null // a sensor this model does not use
        val status = bridge.push(number, samples, frames, timeS)
        require(status == MmqBridge.OK || status == MmqBridge.LATE) { "$modality: status $status of mmq_bridge.h" }
        return decide()
    }

    /** A radio packet of samples [channels][frames] with a counter instead of a time: that of its first frame. */
    fun pushCounted(modality: String, samples: FloatArray, frames: Int, firstIndex: Long): Decision? {
        val number = MmqBridge.modality(modality)
        if (number < 0) return null
        val status = bridge.pushCounted(number, samples, frames, firstIndex)
        require(status == MmqBridge.OK || status == MmqBridge.LATE) { "$modality: status $status of mmq_bridge.h" }
        return decide()
    }

    /** It is [timeS] now and nothing older will come: call it a few times a second, in case all sensors are silent. */
    fun advance(timeS: Double): Decision? {
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

    /** The decision of the newest token, where one is due; what several tokens closed at once is decided once. */
    private fun decide(): Decision? {
        val closed = bridge.closed()
        val every = rules.getLong("every_tokens")
        if (closed / every == decided / every) return null
        decided = closed
        val timeS = closed * MmqBridge.tokenS().toDouble()
        when (bridge.window(features, presence)) {
            MmqBridge.OK -> Unit
            MmqBridge.ENROLLING -> return Decision(timeS, emptyMap(), "enrolling")
            else -> return Decision(timeS, emptyMap(), "filling the first window")
        }
        if (presence.average() < rules.getDouble("min_present_share") || presence.none { it > 0 }) {
            return Decision(timeS, emptyMap(), "too little present", notEnrolled())
        }
        inputs.getValue("features").writeFloat(features)
        inputs.getValue("presence").writeFloat(presence)
        model.run(inputs, outputs)
        val probabilities = tasks.associateWith { probabilities(it, outputs.getValue(it).readFloat()) }
        val least = rules.getJSONObject("min_confidence")
        val doubt = tasks.firstOrNull { probabilities.getValue(it).values.max() < least.optDouble(it, 0.0) }
        return shown(Decision(timeS, probabilities, doubt?.let { "confidence under threshold ($it)" }, notEnrolled()))
    }

    /** A decision with what a display shows of it: the rule of mmq_bridge/decision/display.py. */
    private fun shown(made: Decision): Decision {
        while (averaged.isNotEmpty() && made.timeS - averaged.first().timeS >= displayS - 1e-6) averaged.removeFirst()
        averaged.addLast(made)
        val means = made.probabilities.mapValues { (task, values) ->
            values.mapValues { (name, _) ->
                averaged.map { it.probabilities.getValue(task).getValue(name).toDouble() }.average().toFloat()
            }
        }
        val least = rules.getJSONObject("min_confidence")
        val sure = means.filter { (task, values) -> values.values.max() >= least.optDouble(task, 0.0) }
        val shown = sure.mapValues { (_, values) -> values.maxBy { it.value }.key }
        return made.copy(shownProbabilities = means, shown = shown)
    }

    /** The sensors of the window that were normalised by the population. */
    private fun notEnrolled(): List<String> {
        check(bridge.notEnrolled(presence, named) == MmqBridge.OK) { "the enrolment cannot be read" }
        return named.indices.filter { named[it] > 0 }.map { MmqBridge.name(it) }
    }

    private fun probabilities(task: String, logits: FloatArray): Map<String, Float> {
        val temperature = rules.getJSONObject("temperature").optDouble(task, 1.0)
        val names = rules.getJSONObject("tasks").getJSONArray(task)
        val scaled = logits.map { exp((it - logits.max()) / temperature) }
        return scaled.indices.associate { names.getString(it) to (scaled[it] / scaled.sum()).toFloat() }
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
