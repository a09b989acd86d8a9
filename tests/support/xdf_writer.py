# SPDX-License-Identifier: Apache-2.0
"""A small writer of XDF files for tests: magic, then chunks of length, tag and content (XDF 1.0)."""

import struct
from xml.sax.saxutils import escape

import numpy as np

FORMATS = {"float32": "<f4", "double64": "<f8", "int8": "<i1", "int16": "<i2", "int32": "<i4", "int64": "<i8"}


def number(value, size=4):
    return bytes([size]) + value.to_bytes(size, "little")


def chunk(tag, content):
    return number(len(content) + 2) + struct.pack("<H", tag) + content


def header(stream, name, kind, channels, rate, form="float32", described=()):
    parts = "".join(
        "<channel>"
        + "".join(f"<{key}>{escape(value)}</{key}>" for key, value in channel.items())
        + "</channel>"
        for channel in described
    )
    desc = f"<desc><channels>{parts}</channels></desc>" if parts else "<desc />"
    xml = (
        f'<?xml version="1.0"?><info><name>{escape(name)}</name><type>{escape(kind)}</type>'
        f"<channel_count>{channels}</channel_count><nominal_srate>{rate}</nominal_srate>"
        f"<channel_format>{form}</channel_format><created_at>1</created_at>{desc}</info>"
    )
    return chunk(2, struct.pack("<I", stream) + xml.encode())


def samples(stream, time_s, values, form="float32"):
    """`time_s` may hold None: then the sample has no stamp of its own."""
    content = [struct.pack("<I", stream), number(len(time_s))]
    for time, row in zip(time_s, values, strict=True):
        content.append(b"\0" if time is None else b"\x08" + struct.pack("<d", time))
        if form == "string":
            for word in row:
                content += [number(len(word.encode()), 1), word.encode()]
        else:
            content.append(np.asarray(row, FORMATS[form]).tobytes())
    return chunk(3, b"".join(content))


def clock(stream, time_s, offset_s):
    return chunk(4, struct.pack("<Idd", stream, time_s, offset_s))


def footer(stream, first_s, last_s, count):
    xml = (
        f"<info><first_timestamp>{first_s}</first_timestamp><last_timestamp>{last_s}</last_timestamp>"
        f"<sample_count>{count}</sample_count></info>"
    )
    return chunk(6, struct.pack("<I", stream) + xml.encode())


def xdf(*chunks):
    return b"XDF:" + chunk(1, b'<?xml version="1.0"?><info><version>1.0</version></info>') + b"".join(chunks)
