# SPDX-License-Identifier: Apache-2.0
"""The profile's messages as a phone reads them: Kotlin and Swift."""

from __future__ import annotations

from mmq_bridge.gatt.profile import Field, Message, Profile

_MADE = "written by `python -m mmq_bridge.gatt.source` from profile.json; do not edit"
_KOTLIN = """\
// {made}
// SPDX-License-Identifier: Apache-2.0
package mmq

import java.util.UUID

/** A message of the GATT profile, version {version} (docs/gatt.md). */
sealed interface GattMessage {{
{classes}
    companion object {{
        const val VERSION = {version}
        val SERVICE: UUID = UUID.fromString("{service}")
        private val READERS = mapOf<UUID, Pair<Int, (ByteArray) -> GattMessage>>(
{readers}
        )

        /** The characteristics that notify. */
        val CHARACTERISTICS: Set<UUID> = READERS.keys

        /** Null where it is too short, of another version or of no characteristic of the profile; what
         * follows the fields is of a later one. */
        fun decode(characteristic: UUID, bytes: ByteArray): GattMessage? {{
            val (size, reader) = READERS[characteristic] ?: return null
            return if (bytes.size < size || bytes[0].toInt() != VERSION) null else reader(bytes)
        }}

        private fun number(bytes: ByteArray, at: Int, size: Int): Long =
            (size - 1 downTo 0).fold(0L) {{ sum, byte -> sum shl 8 or (bytes[at + byte].toLong() and 0xff) }}
    }}
}}
"""
_SWIFT = """\
// not run here: {made}
// SPDX-License-Identifier: Apache-2.0
import Foundation

/// A message of the GATT profile, version {version} (docs/gatt.md).
public enum GattMessage: Equatable, Sendable {{
{cases}

  public static let version: UInt8 = {version}
  public static let service = "{service}"
  /// The characteristics that notify.
  public static let characteristics = [
{uuids}
  ]

{structs}
  /// Nil where it is too short, of another version or of no characteristic of the profile; what follows the
  /// fields is of a later one.
  public static func decode(_ characteristic: String, _ content: Data) -> GattMessage? {{
    let bytes = [UInt8](content)
    guard let first = bytes.first, first == version else {{ return nil }}
    switch characteristic.lowercased() {{
{readers}
    default: return nil
    }}
  }}

  private static func number(_ bytes: [UInt8], _ at: Int, _ size: Int) -> UInt32 {{
    (0..<size).reversed().reduce(0) {{ ($0 << 8) | UInt32(bytes[at + $1]) }}
  }}
}}
"""


def kotlin(table: Profile) -> str:
    """Return the text of ``Gatt.kt``."""
    messages = table.messages.values()
    return _KOTLIN.format(
        made=_MADE,
        version=table.version,
        service=table.service,
        classes="\n".join(_kotlin_class(message) for message in messages),
        readers="\n".join(_kotlin_reader(message) for message in messages),
    )


def swift(table: Profile) -> str:
    """Return the text of ``Gatt.swift``."""
    messages = table.messages.values()
    return _SWIFT.format(
        made=_MADE,
        version=table.version,
        service=table.service,
        cases="\n".join(f"  case {message.name}({_upper(message.name)})" for message in messages),
        uuids="\n".join(f'    "{message.uuid}",  // {message.name}' for message in messages),
        structs="\n".join(_swift_struct(message) for message in messages),
        readers="\n".join(_swift_reader(message) for message in messages),
    )


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _upper(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _places(message: Message) -> list[tuple[Field, int]]:
    places, at = [], 1
    for field in message.fields:
        places.append((field, at))
        at += field.bytes
    return places


def _kotlin_class(message: Message) -> str:
    lines = [f"    /** {message.about} */", f"    data class {_upper(message.name)}("]
    for field in message.fields:
        kind = "Double" if field.scale else "Long"
        lines += [f"        /** {field.about} */", f"        val {_camel(field.name)}: {kind},"]
    return "\n".join([*lines, "    ) : GattMessage", ""])


def _kotlin_reader(message: Message) -> str:
    lines = [f'            UUID.fromString("{message.uuid}") to Pair({message.size}, {{ bytes ->']
    lines += [f"                {_upper(message.name)}("]
    for field, at in _places(message):
        scale = f" / {field.scale}.0" if field.scale else ""
        lines.append(f"                    number(bytes, {at}, {field.bytes}){scale},")
    return "\n".join([*lines, "                )", "            }),"])


def _swift_struct(message: Message) -> str:
    lines = [f"  /// {message.about}", f"  public struct {_upper(message.name)}: Equatable, Sendable {{"]
    for field in message.fields:
        kind = "Double" if field.scale else "UInt32"
        lines += [f"    /// {field.about}", f"    public let {_camel(field.name)}: {kind}"]
    return "\n".join([*lines, "  }", ""])


def _swift_reader(message: Message) -> str:
    lines = [
        f'    case "{message.uuid}":',
        f"      guard bytes.count >= {message.size} else {{ return nil }}",
    ]
    lines += [f"      return .{message.name}(", f"        {_upper(message.name)}("]
    parts = []
    for field, at in _places(message):
        read = f"number(bytes, {at}, {field.bytes})"
        value = f"Double({read}) / {field.scale}" if field.scale else read
        parts.append(f"          {_camel(field.name)}: {value}")
    return "\n".join([*lines, ",\n".join(parts) + "))"])
