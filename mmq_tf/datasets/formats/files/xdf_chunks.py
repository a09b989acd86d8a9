# SPDX-License-Identifier: Apache-2.0
"""What an XDF file is made of, walked chunk by chunk before pyxdf may read it.

pyxdf believes the numbers in a file: of a chunk's length, of its samples, of a stream's channels. Here each
is compared with the bytes that are there, and XML is parsed without document types, so that pyxdf meets only
files that are what they say (XDF 1.0: "XDF:", then chunks of a length, a tag of two bytes and content).
"""

from __future__ import annotations

import logging
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

from mmq_bridge.recordings.files import read_bytes
from mmq_bridge.sources.stream_names import stream_keys

from mmq_tf.datasets.formats.files.edf import REPAIR
from mmq_tf.errors import MMQError
from mmq_tf.recording import MAX_RATE_HZ

logger = logging.getLogger(__name__)

MAGIC = b"XDF:"
FILE_HEADER, STREAM_HEADER, SAMPLES, CLOCK_OFFSET, BOUNDARY, STREAM_FOOTER = 1, 2, 3, 4, 5, 6
MAX_FILE_BYTES = 2**30
MAX_XML_BYTES = 2**20
MAX_STREAMS = 256
MAX_CHANNELS = 4096
VALUE_BYTES = {"int8": 1, "int16": 2, "int32": 4, "int64": 8, "float32": 4, "double64": 8}
STRINGS = "string"


@dataclass(frozen=True)
class XdfChannel:
    """What a stream's description says of one channel; empty where it says nothing."""

    label: str
    unit: str
    type: str


@dataclass
class XdfStream:
    """A stream's header, and how many samples the file holds of it."""

    number: int
    name: str
    type: str
    format: str
    rate_hz: float
    channels: tuple[XdfChannel, ...]
    samples: int = 0
    source_id: str = ""
    host: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """Everything that it may be called, at last by its number in the file: ``#2``."""
        return (*stream_keys(self.name, self.source_id, self.type, self.host), f"#{self.number}")

    def looks_like(self, other: XdfStream) -> bool:
        """Whether both describe the same sensor, as a device does that was lost and came back."""
        names = ("name", "type", "format", "rate_hz", "channels", "host")
        return all(getattr(self, name) == getattr(other, name) for name in names)


def check_xdf(path: Path) -> list[XdfStream]:
    """Check a file as a whole and list its streams.

    Raises
    ------
    MMQError
        If it is too large, cut short, not XDF, or says something that its bytes do not bear out, naming the
        byte where the chunk begins.
    """
    return whole_chunks(path, repair=False)[0]


def whole_chunks(path: Path, *, repair: bool) -> tuple[list[XdfStream], int]:
    """List the streams of a file as `check_xdf` does, and return how many bytes of it are whole.

    With `repair` a last chunk that was cut is left out, with a warning.

    Raises
    ------
    MMQError
        As `check_xdf`; with `repair` not for a last chunk that was cut.
    """
    data = memoryview(read_bytes(path, MAX_FILE_BYTES))
    if data[: len(MAGIC)] != MAGIC:
        raise MMQError(
            f"{path}: expected an XDF file (unpack .xdfz and .xdf.gz first); it does not begin as one."
        )
    streams: dict[int, XdfStream] = {}
    at = len(MAGIC)
    while at < len(data):
        where = f"{path}: the chunk at byte {at}"
        if repair and _is_cut(data, at):
            logger.warning("%s was cut: its %d bytes and all after them are lost", where, len(data) - at)
            break
        length, begin = _length(where, data, at, len(data))
        at = begin + length
        if length < 2 or at > len(data):
            raise MMQError(
                f"{where} has {length} bytes of which {len(data) - begin} are there: it was cut"
                f" short{REPAIR}."
            )
        tag = int.from_bytes(data[begin : begin + 2], "little")
        _check_chunk(where, tag, data[begin + 2 : at], streams)
    if not streams:
        raise MMQError(f"{path}: expected streams; the file holds none.")
    return list(streams.values()), at


def _is_cut(data: memoryview, at: int) -> bool:
    """Whether the file ends inside the chunk that begins here."""
    size = data[at]
    if size not in (1, 4, 8):
        return False
    begin = at + 1 + size
    return begin > len(data) or begin + int.from_bytes(data[at + 1 : begin], "little") > len(data)


def _check_chunk(where: str, tag: int, content: memoryview, streams: dict[int, XdfStream]) -> None:
    if tag == FILE_HEADER:
        _xml(where, content)
    if tag not in (STREAM_HEADER, SAMPLES, CLOCK_OFFSET, STREAM_FOOTER):
        return
    if len(content) < 4:
        raise MMQError(f"{where} must name its stream in 4 bytes; it holds {len(content)}.")
    number, content = int.from_bytes(content[:4], "little"), content[4:]
    if tag == STREAM_HEADER:
        if number in streams or len(streams) >= MAX_STREAMS:
            raise MMQError(f"{where} is the header of stream {number}: twice there, or of too many.")
        streams[number] = _stream(where, number, _xml(where, content))
        return
    stream = streams.get(number)
    if stream is None:
        raise MMQError(f"{where} belongs to stream {number}, which has no header before it.")
    if tag == SAMPLES:
        stream.samples += _count_samples(where, content, stream)
    elif tag == STREAM_FOOTER:
        _xml(where, content)
    elif len(content) != 16 or not all(map(math.isfinite, struct.unpack("<dd", content))):
        raise MMQError(f"{where} must hold a time and a clock offset; it does not.")


def _length(where: str, data: memoryview, at: int, stop: int) -> tuple[int, int]:
    """Read a number of 1, 4 or 8 bytes, which is told by the byte before it; return it and where it ends."""
    size = data[at] if at < stop else 0
    if size not in (1, 4, 8) or at + 1 + size > stop:
        raise MMQError(
            f"{where} has a length that cannot be read at byte {at}: the file is broken or cut short."
        )
    return int.from_bytes(data[at + 1 : at + 1 + size], "little"), at + 1 + size


def _xml(where: str, content: memoryview) -> Element:
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    if len(content) > MAX_XML_BYTES:
        raise MMQError(f"{where}: expected at most {MAX_XML_BYTES} bytes of XML; it has {len(content)}.")
    try:
        return fromstring(bytes(content).decode("utf-8", "replace"), forbid_dtd=True)
    except DefusedXmlException as error:
        raise MMQError(f"{where}: expected XML without a document type; it has one.") from error
    except (ParseError, ValueError) as error:
        raise MMQError(f"{where}: expected well-formed XML; {str(error)[:80]}.") from error


def _stream(where: str, number: int, info: Element) -> XdfStream:
    def text(name: str) -> str:
        return (info.findtext(name) or "").strip()

    try:
        channels, rate = int(text("channel_count")), float(text("nominal_srate") or "nan")
    except ValueError:
        channels, rate = 0, math.nan
    form = text("channel_format")
    known = form == STRINGS or form in VALUE_BYTES
    if info.tag != "info" or not 1 <= channels <= MAX_CHANNELS or not 0 <= rate <= MAX_RATE_HZ or not known:
        raise MMQError(
            f"{where}: a stream's header must give 1 to {MAX_CHANNELS} channels, a nominal_srate of 0 to"
            f" {MAX_RATE_HZ:g} Hz and a known channel_format; got {text('channel_count')!r:.20},"
            f" {text('nominal_srate')!r:.20} and {form!r:.20}."
        )
    if not text("name"):
        raise MMQError(f"{where}: a stream's header must give its name; it does not.")
    described = info.findall("desc/channels/channel")
    parts = [
        XdfChannel(*((node.findtext(name) or "").strip() for name in ("label", "unit", "type")))
        for node in described
    ]
    if len(parts) != channels:  # not described, or not all of them: then none can be told from its place
        parts = [XdfChannel("", "", "")] * channels
    return XdfStream(
        number,
        text("name"),
        text("type"),
        form,
        rate,
        tuple(parts),
        source_id=text("source_id"),
        host=text("hostname"),
    )


def _count_samples(where: str, content: memoryview, stream: XdfStream) -> int:
    """Walk the samples of a chunk; they must fill it to the last byte."""
    count, at = _length(where, content, 0, len(content))
    width = VALUE_BYTES.get(stream.format, 0) * len(stream.channels)
    stop = len(content)
    for _ in range(count):
        if at >= stop:
            break
        stamp = content[at]
        if stamp not in (0, 8):
            raise MMQError(f"{where}: a sample must have a time of 0 or 8 bytes; got {stamp}.")
        at += 1 + stamp + width
        if stream.format == STRINGS:
            for _ in stream.channels:
                length, at = _length(where, content, at, stop)
                at += length
    else:
        if at == stop:
            return count
    raise MMQError(
        f"{where} tells of {count} samples of stream {stream.name!r}, which its bytes do not hold."
    )
