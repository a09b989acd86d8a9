# SPDX-License-Identifier: Apache-2.0
"""The profile's messages as a phone reads them: Kotlin and Swift."""

from __future__ import annotations

from dataclasses import dataclass

from mmq_bridge.gatt.profile import Message, Profile


@dataclass(frozen=True)
class _Language:
    """How a language says it: texts with places in braces.

    `page` is the file; in the place of each of `parts` it has that text, once a message. `field` declares a
    field, `value` reads it. `kinds` and `numbers` are a field's type and number, without and with a scale.
    """

    page: str
    parts: dict[str, str]
    field: str
    value: str
    between: str
    kinds: tuple[str, str]
    numbers: tuple[str, str]


_MADE = "written by `python -m mmq_bridge.gatt.source` from profile.json; do not edit"
_KOTLIN_PAGE = """\
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
_SWIFT_PAGE = """\
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

_KOTLIN = _Language(
    page=_KOTLIN_PAGE,
    parts={
        "classes": """\
    /** {about} */
    data class {upper}(
{fields}
    ) : GattMessage
""",
        "readers": """\
            UUID.fromString("{uuid}") to Pair({size}, {{ bytes ->
                {upper}(
{values}
                )
            }}),""",
    },
    field="        /** {about} */\n        val {name}: {kind},",
    value="                    {number},",
    between="\n",
    kinds=("Long", "Double"),
    numbers=("number(bytes, {at}, {bytes})", "number(bytes, {at}, {bytes}) / {scale}.0"),
)
_SWIFT = _Language(
    page=_SWIFT_PAGE,
    parts={
        "cases": "  case {message}({upper})",
        "uuids": '    "{uuid}",  // {message}',
        "structs": """\
  /// {about}
  public struct {upper}: Equatable, Sendable {{
{fields}
  }}
""",
        "readers": """\
    case "{uuid}":
      guard bytes.count >= {size} else {{ return nil }}
      return .{message}(
        {upper}(
{values}))""",
    },
    field="    /// {about}\n    public let {name}: {kind}",
    value="          {name}: {number}",
    between=",\n",
    kinds=("UInt32", "Double"),
    numbers=("number(bytes, {at}, {bytes})", "Double(number(bytes, {at}, {bytes})) / {scale}"),
)


def kotlin(table: Profile) -> str:
    """Return the text of ``Gatt.kt``."""
    return _written(_KOTLIN, table)


def swift(table: Profile) -> str:
    """Return the text of ``Gatt.swift``."""
    return _written(_SWIFT, table)


def _written(language: _Language, table: Profile) -> str:
    words = [_words(language, message) for message in table.messages.values()]
    parts = {name: "\n".join(text.format(**one) for one in words) for name, text in language.parts.items()}
    return language.page.format(made=_MADE, version=table.version, service=table.service, **parts)


def _words(language: _Language, message: Message) -> dict[str, object]:
    """Return what the parts of a language may say of a message."""
    fields, values, at = [], [], 1
    for field in message.fields:
        name, scaled = _camel(field.name), bool(field.scale)
        number = language.numbers[scaled].format(at=at, bytes=field.bytes, scale=field.scale)
        fields.append(language.field.format(about=field.about, name=name, kind=language.kinds[scaled]))
        values.append(language.value.format(name=name, number=number))
        at += field.bytes
    return {
        "message": message.name,
        "upper": "".join(part.capitalize() for part in message.name.split("_")),
        "about": message.about,
        "uuid": message.uuid,
        "size": message.size,
        "fields": "\n".join(fields),
        "values": language.between.join(values),
    }


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
