// not run here: needs Android and LiteRT's Kotlin API (com.google.ai.edge.litert:litert:2.3.0; never 2.0.2 to 2.1.2)
// SPDX-License-Identifier: Apache-2.0
package mmq

import android.content.Context
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import java.security.MessageDigest
import org.json.JSONObject

/**
 * The network on the phone's accelerator: Wearable.open { LiteRtModel(context, accelerator = Accelerator.NPU) }, with
 * -DMMQ_WITH_LITERT=ON of CMakeLists.txt. Decisions may then differ from those of the C network by some int8 steps of the
 * logits. Leave this file out of an app that needs none of it.
 *
 * Copy manifest.json and model_int8_float_io.tflite into the app's assets/[folder].
 */
class LiteRtModel(context: Context, folder: String = "mmq", accelerator: Accelerator = Accelerator.CPU) : WindowModel {
    private val model: CompiledModel

    init {
        val manifest = JSONObject(String(context.assets.open("$folder/manifest.json").use { it.readBytes() }))
        val content = context.assets.open("$folder/$FILE").use { it.readBytes() }
        val wanted = manifest.getJSONObject("files").getJSONObject(FILE).getString("sha256")
        check(sha256(content) == wanted) { "$FILE is not the file that was exported" }
        model = CompiledModel.create(context.assets, "$folder/$FILE", CompiledModel.Options(accelerator))
    }

    private val inputs = listOf("features", "presence").associateWith { model.createInputBuffer(it) }
    private val outputs = List(MmqBridge.tasks()) { MmqBridge.task(it) }.associateWith { model.createOutputBuffer(it) }

    override fun logits(features: FloatArray, presence: FloatArray): FloatArray {
        inputs.getValue("features").writeFloat(features)
        inputs.getValue("presence").writeFloat(presence)
        model.run(inputs, outputs)
        return outputs.values.flatMap { it.readFloat().toList() }.toFloatArray()
    }

    override fun close() {
        (inputs.values + outputs.values).forEach { it.close() }
        model.close()
    }

    private companion object {
        const val FILE = "model_int8_float_io.tflite"

        fun sha256(content: ByteArray): String =
            MessageDigest.getInstance("SHA-256").digest(content).joinToString("") { "%02x".format(it) }
    }
}
