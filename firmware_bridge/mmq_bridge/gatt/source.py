# SPDX-License-Identifier: Apache-2.0
"""Write the profile as C, JavaScript, Kotlin, Swift and a page: `... -m mmq_bridge.gatt.source [PAGE]`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from mmq_bridge.gatt.phone_source import kotlin, swift
from mmq_bridge.gatt.profile import Message, Profile, profile
from mmq_bridge.source_files import SOURCES

HEADER = Path(__file__).parent / "mmq_gatt.h"
MODULE = SOURCES / "web" / "src" / "gatt_profile.js"
KOTLIN = SOURCES / "mobile" / "android" / "mmq" / "Gatt.kt"
SWIFT = SOURCES / "mobile" / "ios" / "Gatt.swift"
_KINDS = {1: "uint8_t", 2: "uint16_t", 4: "uint32_t"}
_TOP = """\
/* SPDX-License-Identifier: Apache-2.0 */
/* mmq_gatt.h: decisions, presence and state as the bytes of Bluetooth LE characteristics. Written by
 * `python -m mmq_bridge.gatt.source` from profile.json; do not edit. Numbers are little-endian; what has a
 * _SCALE is value * scale. */
#ifndef MMQ_GATT_H
#define MMQ_GATT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

"""
_END = """\
#ifdef __cplusplus
}
#endif
#endif
"""

_MODULE = """\
// SPDX-License-Identifier: Apache-2.0
// gatt_profile.js: written by `python -m mmq_bridge.gatt.source` from profile.json; do not edit.
export const GATT_PROFILE = {table};
"""

_PAGE = """\
<!-- written by `python -m mmq_bridge.gatt.source docs/gatt.md` from profile.json; do not edit -->
# Decisions over Bluetooth LE

A GATT service, version {version}: `{service}`.
Every characteristic notifies; a message is the version in one byte, then the fields, little-endian. It fits
the 20 bytes that every link carries. Bytes after the fields are of a later profile: leave them alone. Another
version is refused.

One table, `mmq_bridge/gatt/profile.json`, is read by `mmq_bridge.gatt.profile` (Python), and written as
`mmq_gatt.h` (C, header only, in every package of `mmq-bridge pack`), for the npm package in `web/` and, for
phones, which only read, as `Gatt.kt` and `Gatt.swift`. That C, Python, JavaScript and Kotlin agree is tested;
Swift was not run. `mmq_bridge.gatt.client.listen` (extra `bluetooth`) was tested with a stand-in for the
adapter, not over the air."""


def header(table: Profile) -> str:
    """Return the text of ``mmq_gatt.h``."""
    uuids = f'#define MMQ_GATT_VERSION {table.version}u\n#define MMQ_GATT_SERVICE "{table.service}"\n\n'
    return _TOP + uuids + "".join(_message(message) for message in table.messages.values()) + _END


def _message(message: Message) -> str:
    upper, name = message.name.upper(), message.name
    lines = [f"/* {message.about} */", f'#define MMQ_GATT_{upper} "{message.uuid}"']
    lines.append(f"#define MMQ_GATT_{upper}_BYTES {message.size}u")
    scaled = [field for field in message.fields if field.scale]
    lines += [f"#define MMQ_GATT_{upper}_{field.name.upper()}_SCALE {field.scale}u" for field in scaled]
    lines += ["typedef struct {"]
    lines += [f"    {_KINDS[field.bytes]} {field.name}; /* {field.about} */" for field in message.fields]
    kind = f"mmq_gatt_{name}_t"
    lines += [f"}} {kind};", "", f"/* Write MMQ_GATT_{upper}_BYTES. */"]
    lines += [f"static inline void mmq_gatt_put_{name}(const {kind} *message, uint8_t *bytes) {{"]
    lines += ["    bytes[0] = MMQ_GATT_VERSION;"]
    reads, at = [], 1
    for field in message.fields:
        parts = []
        for byte in range(field.bytes):
            lines.append(f"    bytes[{at}] = (uint8_t)(message->{field.name} >> {8 * byte});")
            parts.append(f"(uint32_t)bytes[{at}] << {8 * byte}")
            at += 1
        reads.append(f"    message->{field.name} = ({_KINDS[field.bytes]})({' | '.join(parts)});")
    lines += [
        "}",
        "",
        "/* 1, or 0 when it is too short or of another version; what follows is of a later one. */",
    ]
    lines += [f"static inline int mmq_gatt_get_{name}({kind} *message, const uint8_t *bytes, size_t size) {{"]
    lines += [f"    if (size < MMQ_GATT_{upper}_BYTES || bytes[0] != MMQ_GATT_VERSION) return 0;"]
    return "\n".join([*lines, *reads, "    return 1;", "}", "", ""])


def module(table: Profile) -> str:
    """Return the text of ``gatt_profile.js``."""
    messages = {
        message.name: {
            "uuid": message.uuid,
            "fields": [
                {"name": field.name, "bytes": field.bytes} | ({"scale": field.scale} if field.scale else {})
                for field in message.fields
            ],
        }
        for message in table.messages.values()
    }
    known = {"version": table.version, "service": table.service, "messages": messages}
    return _MODULE.format(table=json.dumps(known, indent=2))


def page(table: Profile) -> str:
    """Return the text of ``docs/gatt.md``."""
    lines = [_PAGE.format(version=table.version, service=table.service)]
    for message in table.messages.values():
        lines += ["", f"## {message.name}: `{message.uuid}`, {message.size} bytes", "", message.about, ""]
        lines += ["| at | bytes | field | |", "|---:|---:|---|---|", "| 0 | 1 | version | |"]
        at = 1
        for field in message.fields:
            scale = f", times {field.scale:,}" if field.scale else ""
            lines.append(f"| {at} | {field.bytes} | {field.name}{scale} | {field.about} |")
            at += field.bytes
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    HEADER.write_text(header(profile()), encoding="utf-8")
    MODULE.write_text(module(profile()), encoding="utf-8")
    KOTLIN.write_text(kotlin(profile()), encoding="utf-8")
    SWIFT.write_text(swift(profile()), encoding="utf-8")
    for place in sys.argv[1:]:
        Path(place).write_text(page(profile()), encoding="utf-8")
