// written by `python -m mmq_bridge.gatt.source` from profile.json; do not edit
// SPDX-License-Identifier: Apache-2.0
package mmq

import java.util.UUID

/** A message of the GATT profile, version 1 (docs/gatt.md). */
sealed interface GattMessage {
    /** One task of one decision; a decision about several tasks is told task by task. */
    data class Decision(
        /** which task, as in mmq_rules.h */
        val task: Long,
        /** mmq_abstention_t: 0 is a decision, anything else why there is none */
        val abstention: Long,
        /** the likeliest class of the task */
        val best: Long,
        /** its probability; 0 where the network was not run */
        val confidence: Double,
        /** end of the window, whole seconds after the device's second 0 */
        val timeS: Long,
        /** enrolling, filling: so many tokens at least must still come */
        val tokensLeft: Long,
        /** of all sensors' tokens in the window */
        val presentShare: Double,
        /** mask of the sensors that were normalised by the population */
        val notEnrolled: Long,
    ) : GattMessage

    /** One sensor in the newest window. */
    data class Presence(
        /** its number, as in mmq_spec.h */
        val sensor: Long,
        /** mmq_kind_t: 0 eeg, 1 ecg, 2 ppg, ... */
        val kind: Long,
        /** share of the window's tokens in which it was present */
        val presentShare: Double,
        /** MMQ_WHY_*: why it is absent from the newest token, 0 where it is present */
        val reasons: Long,
        /** end of the window */
        val timeS: Long,
    ) : GattMessage

    /** The device: may also be read. */
    data class State(
        /** how many the model has */
        val tasks: Long,
        /** how many it reads */
        val sensors: Long,
        /** tokens the enrolment still lasts; 0 when it is over */
        val enrolmentLeft: Long,
        /** now */
        val timeS: Long,
        /** the first 4 bytes of the model's SHA-256, the first byte the highest */
        val model: Long,
    ) : GattMessage

    companion object {
        const val VERSION = 1
        val SERVICE: UUID = UUID.fromString("2e31f500-bc2c-4e54-ab2b-225edf7266da")
        private val READERS = mapOf<UUID, Pair<Int, (ByteArray) -> GattMessage>>(
            UUID.fromString("2e31f501-bc2c-4e54-ab2b-225edf7266da") to Pair(15, { bytes ->
                Decision(
                    number(bytes, 1, 1),
                    number(bytes, 2, 1),
                    number(bytes, 3, 1),
                    number(bytes, 4, 2) / 65535.0,
                    number(bytes, 6, 4),
                    number(bytes, 10, 2),
                    number(bytes, 12, 1) / 255.0,
                    number(bytes, 13, 2),
                )
            }),
            UUID.fromString("2e31f502-bc2c-4e54-ab2b-225edf7266da") to Pair(10, { bytes ->
                Presence(
                    number(bytes, 1, 1),
                    number(bytes, 2, 1),
                    number(bytes, 3, 1) / 255.0,
                    number(bytes, 4, 2),
                    number(bytes, 6, 4),
                )
            }),
            UUID.fromString("2e31f503-bc2c-4e54-ab2b-225edf7266da") to Pair(13, { bytes ->
                State(
                    number(bytes, 1, 1),
                    number(bytes, 2, 1),
                    number(bytes, 3, 2),
                    number(bytes, 5, 4),
                    number(bytes, 9, 4),
                )
            }),
        )

        /** The characteristics that notify. */
        val CHARACTERISTICS: Set<UUID> = READERS.keys

        /** Null where it is too short, of another version or of no characteristic of the profile; what
         * follows the fields is of a later one. */
        fun decode(characteristic: UUID, bytes: ByteArray): GattMessage? {
            val (size, reader) = READERS[characteristic] ?: return null
            return if (bytes.size < size || bytes[0].toInt() != VERSION) null else reader(bytes)
        }

        private fun number(bytes: ByteArray, at: Int, size: Int): Long =
            (size - 1 downTo 0).fold(0L) { sum, byte -> sum shl 8 or (bytes[at + byte].toLong() and 0xff) }
    }
}
