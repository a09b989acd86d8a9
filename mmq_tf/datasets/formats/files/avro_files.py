# SPDX-License-Identifier: Apache-2.0
"""Records of an Avro object container file, decoded only after file and schema were found to be harmless.

The container (Apache Avro 1.11, "Object Container Files") is walked here, so that no block grows beyond a cap
when it is unpacked; fastavro decodes the records. A schema may not hold what takes room in memory but none in
the file (a bare null, an empty record, a fixed of no bytes), nor a type that holds itself.
"""

from __future__ import annotations

import io
import json
import zlib
from pathlib import Path
from typing import Any

from mmq_bridge.recordings.files import read_bytes

from mmq_tf.errors import MMQError

MAGIC = b"Obj\x01"
SYNC_BYTES = 16
MAX_FILE_BYTES = 32 * 2**20
MAX_DECODED_BYTES = 16 * 2**20  # half an hour of EmbracePlus takes about 3 MiB
MAX_SCHEMA_NODES = 5000
MAX_SCHEMA_DEPTH = 32
PRIMITIVES = ("boolean", "int", "long", "float", "double", "bytes", "string")


def read_avro(path: Path) -> list[dict[str, Any]]:
    """Read every record of a file.

    Returns
    -------
    list of dict
        Plain Python values, as fastavro gives them.

    Raises
    ------
    MMQError
        If the file is too large or cut short, unpacks to too much, has another codec than null or deflate, a
        schema that could exhaust memory, or records that do not fit their schema.
    """
    from fastavro import parse_schema, schemaless_reader

    data = io.BytesIO(read_bytes(path, MAX_FILE_BYTES))
    header = _header(path, data)
    schema = _schema(path, header)
    sync = _exactly(path, data, SYNC_BYTES)
    records: list[dict[str, Any]] = []
    room = MAX_DECODED_BYTES
    try:
        parsed = parse_schema(schema)
        while data.tell() < len(data.getbuffer()):
            at = data.tell()
            count, block = _number(path, data), _exactly(path, data, _number(path, data))
            if _exactly(path, data, SYNC_BYTES) != sync:
                raise MMQError(
                    f"{path}: the block at byte {at} does not end with the file's mark: it is broken."
                )
            block = _unpacked(path, header.get("avro.codec", b"null"), block, room)
            room -= len(block)
            stream = io.BytesIO(block)
            records += [schemaless_reader(stream, parsed, None) for _ in range(count)]  # type: ignore[misc]
            if stream.tell() != len(block):
                raise MMQError(
                    f"{path}: the block at byte {at} holds more than the {count} records it tells of."
                )
    except MMQError:
        raise
    except Exception as error:  # whatever fastavro stumbles over is a broken file
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise MMQError(f"{path}: the records cannot be read as their schema says ({reason}).") from error
    return records


def _header(path: Path, data: io.BytesIO) -> dict[str, bytes]:
    if data.read(len(MAGIC)) != MAGIC:
        raise MMQError(f"{path}: expected an Avro file; it does not begin as one.")
    header: dict[str, bytes] = {}
    while count := _number(path, data, negative=True):
        if count < 0:  # then the size of the block of entries follows
            count = -count
            _number(path, data)
        for _ in range(count):
            name = _exactly(path, data, _number(path, data)).decode("utf-8", "replace")
            header[name] = _exactly(path, data, _number(path, data))
    return header


def _number(path: Path, data: io.BytesIO, *, negative: bool = False) -> int:
    """Read a zigzag variable-length long; a count or size is not negative."""
    value = 0
    for place in range(10):
        byte = _exactly(path, data, 1)[0]
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            break
    else:
        raise MMQError(f"{path}: the number before byte {data.tell()} is too long: the file is broken.")
    number = (value >> 1) ^ -(value & 1)
    if number < 0 and not negative:
        raise MMQError(f"{path}: expected a count or size before byte {data.tell()}; got {number}.")
    return number


def _exactly(path: Path, data: io.BytesIO, size: int) -> bytes:
    at = data.tell()
    got = data.read(min(size, MAX_FILE_BYTES))
    if len(got) != size:
        raise MMQError(
            f"{path}: expected {size} bytes at byte {at}; the file has {len(got)} more, so it was cut short."
        )
    return got


def _unpacked(path: Path, codec: bytes, block: bytes, room: int) -> bytes:
    if codec == b"deflate":
        unpacker = zlib.decompressobj(-15)
        try:
            block = unpacker.decompress(block, room + 1)
        except zlib.error as error:
            raise MMQError(f"{path}: a block cannot be unpacked ({error}).") from error
        if len(block) <= room and not unpacker.eof:
            raise MMQError(f"{path}: a packed block was cut short; copy the file again.")
    elif codec != b"null":
        raise MMQError(
            f"{path}: expected the codec null or deflate; got {codec.decode('ascii', 'replace')!r}."
        )
    if len(block) > room:
        raise MMQError(
            f"{path}: its records unpack to more than {MAX_DECODED_BYTES / 2**20:g} MiB; no file of this kind"
            " is that large."
        )
    return block


def _schema(path: Path, header: dict[str, bytes]) -> Any:
    try:
        schema = json.loads(header["avro.schema"])
    except (KeyError, ValueError, RecursionError) as error:
        raise MMQError(f"{path}: expected a schema in JSON in the file's header; there is none.") from error
    _SchemaCheck(path).visit(schema)
    return schema


class _SchemaCheck:
    """Walks a schema, counts every use of a named type as a whole, and refuses what could exhaust memory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._nodes = 0
        self._named: dict[str, int | None] = {}  # how many types each holds; None while it is being looked at

    def visit(self, schema: Any, depth: int = 0, space: str = "", *, in_union: bool = False) -> None:
        """Check one type; `space` is the namespace around it."""
        self._count(1, depth)
        if isinstance(schema, list):
            if in_union or not schema:
                raise self._refused("unions of types that are none themselves", repr(schema)[:60])
            for option in schema:
                self.visit(option, depth + 1, space, in_union=True)
            return
        kind = schema.get("type") if isinstance(schema, dict) else schema
        if isinstance(kind, (dict, list)):
            self.visit(kind, depth + 1, space, in_union=in_union)
        elif isinstance(schema, dict) and kind in ("array", "map"):
            self.visit(schema.get("items" if kind == "array" else "values"), depth + 1, space)
        elif isinstance(schema, dict) and kind in ("record", "enum", "fixed"):
            self._define(schema, depth, space)
        elif isinstance(kind, str) and self._full_name(kind, space) in self._named:
            self._use(self._full_name(kind, space), depth)
        elif kind not in PRIMITIVES and not (kind == "null" and in_union):
            raise self._refused("types that take room in the file", repr(kind)[:60])

    def _define(self, schema: dict[str, Any], depth: int, space: str) -> None:
        if not isinstance(schema.get("name"), str) or not isinstance(schema.get("namespace", ""), str):
            raise self._refused("a name of each record, enum and fixed", repr(schema.get("name"))[:60])
        name = self._full_name(schema["name"], schema.get("namespace", space))
        if name in self._named:
            raise self._refused("each name once", repr(name)[:60])
        if schema["type"] == "fixed" and not (isinstance(schema.get("size"), int) and schema["size"] > 0):
            raise self._refused("a fixed of at least one byte", repr(schema.get("size"))[:60])
        before, self._named[name] = self._nodes, None
        if schema["type"] == "record":
            fields = schema.get("fields")
            if not isinstance(fields, list) or not fields or not all(isinstance(f, dict) for f in fields):
                raise self._refused("records with fields", repr(fields)[:60])
            for field in fields:
                self.visit(field.get("type"), depth + 1, name.rpartition(".")[0])
        self._named[name] = self._nodes - before

    def _use(self, name: str, depth: int) -> None:
        size = self._named[name]
        if size is None:
            raise self._refused("no type that holds itself", repr(name)[:60])
        self._count(size, depth)

    def _count(self, types: int, depth: int) -> None:
        self._nodes += types
        if self._nodes > MAX_SCHEMA_NODES or depth > MAX_SCHEMA_DEPTH:
            raise self._refused(
                f"at most {MAX_SCHEMA_NODES} types, nested at most {MAX_SCHEMA_DEPTH} deep", "more"
            )

    def _full_name(self, name: str, space: str) -> str:
        return f"{space}.{name}" if space and "." not in name else name

    def _refused(self, expected: str, got: str) -> MMQError:
        return MMQError(f"{self._path}: the schema must have {expected}; got {got}.")
