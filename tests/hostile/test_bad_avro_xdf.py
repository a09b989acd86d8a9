# SPDX-License-Identifier: Apache-2.0
"""Crafted Avro and XDF files: refused with one sentence that names the file, before they can grow."""

import io
import json
import resource
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
import refusals
import xdf_writer as XDF
from fastavro import parse_schema, writer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmq_tf.datasets.formats.embraceplus import load_embraceplus
from mmq_tf.datasets.formats.files import avro_files, xdf_chunks
from mmq_tf.datasets.formats.files.avro_files import read_avro
from mmq_tf.datasets.formats.xdf import load_xdf
from mmq_tf.errors import MMQError


@pytest.fixture
def refused(tmp_path):
    def check(read, content, *words):
        path = tmp_path / "crafted.bin"
        path.write_bytes(content)
        refusals.refused(lambda: read(path), path.name, *words)

    return check


def refusal(read, path):
    """Read a file; return what was said against it, or nothing. Anything but an MMQError passes through."""
    try:
        read(path)
    except MMQError as error:
        return str(error)
    return ""


# ---- Avro


def zigzag(value):
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def avro(schema, block, count=1, codec=b"null", sync=b"s" * 16, size=None):
    def text(content):
        return zigzag(len(content)) + content

    schema = schema if isinstance(schema, bytes) else json.dumps(schema).encode()
    header = zigzag(2) + text(b"avro.schema") + text(schema) + text(b"avro.codec") + text(codec) + zigzag(0)
    size = len(block) if size is None else size
    return b"Obj\x01" + header + b"s" * 16 + zigzag(count) + zigzag(size) + block + sync


def of(kind):
    return {"type": "record", "name": "R", "fields": [{"name": "a", "type": kind}]}


FLOATS = of({"type": "array", "items": "float"})
GOOD = zigzag(2) + struct.pack("<ff", 1.0, 2.0) + zigzag(0)


def deflate(content):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush()


def test_the_crafted_file_is_good(tmp_path):
    (tmp_path / "a").write_bytes(avro(FLOATS, GOOD))
    assert read_avro(tmp_path / "a") == [{"a": [1.0, 2.0]}]
    (tmp_path / "a").write_bytes(avro(FLOATS, deflate(GOOD * 3), count=3, codec=b"deflate"))
    assert read_avro(tmp_path / "a") == [{"a": [1.0, 2.0]}] * 3


def test_a_named_type_may_be_used_again(tmp_path):
    version = {"type": "record", "name": "Version", "fields": [{"name": "major", "type": "int"}]}
    fields = [
        {"name": "a", "type": version},
        {"name": "b", "type": "Version"},
        {"name": "c", "type": "x.y.Version"},
    ]
    schema = {"type": "record", "name": "S", "namespace": "x.y", "fields": fields}
    (tmp_path / "a").write_bytes(avro(schema, zigzag(1) + zigzag(2) + zigzag(3)))
    assert read_avro(tmp_path / "a") == [{"a": {"major": 1}, "b": {"major": 2}, "c": {"major": 3}}]


def test_a_block_that_unpacks_to_gigabytes(refused):
    bomb = deflate(b"\0" * 100 * 2**20)
    assert len(bomb) < 150_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(read_avro, avro(FLOATS, bomb, codec=b"deflate"), "unpack to more than 16 MiB")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 80 * 1024


def test_many_small_blocks_that_unpack_to_much(refused, monkeypatch):
    monkeypatch.setattr(avro_files, "MAX_DECODED_BYTES", 1000)
    block = zigzag(1) + zigzag(len(GOOD)) + GOOD + b"s" * 16
    refused(read_avro, avro(FLOATS, GOOD) + block * 200, "unpack to more than")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("null", "types that take room"),
        ({"type": "array", "items": "null"}, "types that take room"),
        ({"type": "map", "values": {"type": "null"}}, "types that take room"),
        ({"type": "array", "items": {"type": "record", "name": "E", "fields": []}}, "records with fields"),
        ({"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}}, "at least one byte"),
        ("R", "no type that holds itself"),
        (["null", "R"], "no type that holds itself"),
        ({"type": "array", "items": "R"}, "no type that holds itself"),
        ("Nobody", "types that take room"),
        (["null", ["null", "int"]], "unions of types"),
        ([], "unions of types"),
        ({"type": "array"}, "types that take room"),
        (7, "types that take room"),
        ({"type": "record", "name": "R", "fields": [{"name": "x", "type": "int"}]}, "each name once"),
    ],
)
def test_a_schema_that_could_exhaust_memory(refused, kind, words):
    endless = zigzag(2**40) + b"\0" * 8
    refused(read_avro, avro(of(kind), endless), "schema must have", words)


def test_a_schema_that_multiplies_itself(refused):
    """Ten uses of a type of ten uses of a type: a hundred lines would ask for more values than atoms."""
    kind = {"type": "record", "name": "T0", "fields": [{"name": "x", "type": "int"}]}
    for level in range(1, 30):
        fields = [{"name": "f0", "type": kind}]
        fields += [{"name": f"f{n}", "type": f"T{level - 1}"} for n in range(1, 10)]
        kind = {"type": "record", "name": f"T{level}", "fields": fields}
    refused(read_avro, avro(kind, b"\0" * 8), "at most 5000 types")


def test_a_schema_nested_deeply(refused):
    kind = "int"
    for _ in range(40):
        kind = {"type": "array", "items": kind}
    refused(read_avro, avro(of(kind), b"\0"), "nested at most 32 deep")
    refused(read_avro, avro(b"[" * 100_000, b"\0"), "schema")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "does not begin as one"),
        (b"PK\x03\x04", "does not begin as one"),
        (b"Obj\x01", "cut short"),
        (b"Obj\x01" + b"\xff" * 20, "too long"),
        (b"Obj\x01" + zigzag(1) + zigzag(-4), "expected a count or size"),
        (b"Obj\x01" + zigzag(1) + zigzag(2**40), "cut short"),
        (b"Obj\x01" + zigzag(0) + b"s" * 16, "there is none"),
        (avro(b"not json", GOOD), "there is none"),
        (avro(FLOATS, GOOD)[:-10], "cut short"),
        (avro(FLOATS, GOOD)[:-20], "cut short"),
        (avro(FLOATS, GOOD, size=2**50), "cut short"),
        (avro(FLOATS, GOOD, sync=b"t" * 16), "does not end with the file's mark"),
        (avro(FLOATS, GOOD, count=2), "cannot be read as their schema says"),
        (avro(FLOATS, GOOD, count=-2), "expected a count or size"),
        (avro(FLOATS, GOOD, count=2**60), "cannot be read as their schema says"),
        (avro(FLOATS, GOOD + b"\0\0"), "holds more than the 1 records"),
        (avro(FLOATS, zigzag(2**50) + GOOD), "cannot be read as their schema says"),
        (avro(FLOATS, GOOD, codec=b"snappy"), "null or deflate; got 'snappy'"),
        (avro(FLOATS, b"\xff" * 9, codec=b"deflate"), "cannot be unpacked"),
        (avro(FLOATS, deflate(GOOD * 50)[:-4], codec=b"deflate"), "cut short"),
        (avro(of("string"), zigzag(2) + b"\xff\xfe"), "cannot be read as their schema says"),
        (avro(of("string"), zigzag(2**60)), "cannot be read as their schema says"),
    ],
)
def test_a_broken_avro_file(refused, content, words):
    refused(read_avro, content, words)


def test_an_avro_file_too_large_is_refused_before_reading(tmp_path):
    with (tmp_path / "a.avro").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(MMQError, match="at most 32 MiB"):
        load_embraceplus(tmp_path)


@pytest.mark.parametrize(
    ("schema", "value", "words"),
    [
        (FLOATS, {"a": [1.0]}, "an Avro file of another kind"),
        ({**of("int"), "fields": [{"name": "rawData", "type": "int"}]}, {"rawData": 3}, "of another kind"),
        (
            {
                **of("int"),
                "fields": [
                    {"name": "rawData", "type": of({"type": "array", "items": "int"}) | {"name": "Q"}}
                ],
            },
            {"rawData": {"a": [1]}},
            "every sensor was off",
        ),
    ],
)
def test_an_avro_file_of_another_kind(refused, schema, value, words):
    stream = io.BytesIO()
    writer(stream, parse_schema(schema), [value])
    refused(load_embraceplus, stream.getvalue(), words)


def test_raw_data_with_fields_of_another_type(refused):
    bvp = {"type": "record", "name": "B", "fields": [{"name": "values", "type": "string"}]}
    raw = {"type": "record", "name": "Q", "fields": [{"name": "bvp", "type": bvp}]}
    stream = io.BytesIO()
    schema = {**of("int"), "fields": [{"name": "rawData", "type": raw}]}
    writer(stream, parse_schema(schema), [{"rawData": {"bvp": {"values": "many"}}}])
    refused(load_embraceplus, stream.getvalue(), "rawData.bvp.values", "'many'")


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_changed_bytes_never_give_anything_but_records_or_a_refusal(tmp_path, data):
    content = bytearray(avro(FLOATS, deflate(GOOD * 3), count=3, codec=b"deflate"))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "changed.avro"
    path.write_bytes(content)
    assert "changed.avro" in (refusal(read_avro, path) or "changed.avro")


# ---- XDF

HEAD = XDF.header(1, "w", "EDA", 1, 4)
BODY = XDF.samples(1, 100 + np.arange(80) / 4, np.arange(80)[:, None])
WORDS = XDF.header(2, "m", "Markers", 1, 0, "string")


def with_header(old, new):
    content = HEAD[HEAD.index(b"<?xml") :].replace(old, new)
    return XDF.xdf(XDF.chunk(2, struct.pack("<I", 1) + content), BODY)


def body(count, content=b"", stream=1):
    return XDF.chunk(3, struct.pack("<I", stream) + XDF.number(count, 8) + content)


def xml(text, tag=1):
    return XDF.chunk(tag, text.encode())


def test_the_crafted_xdf_is_good(tmp_path):
    (tmp_path / "a.xdf").write_bytes(XDF.xdf(HEAD, BODY))
    assert load_xdf(tmp_path / "a.xdf").modalities == ("eda",)


LAUGHS = '<!DOCTYPE i [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><info><x>&b;</x></info>'


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "does not begin as one"),
        (b"\x1f\x8b" + XDF.xdf(HEAD, BODY), "unpack .xdfz"),
        (b"XDF:", "the file holds none"),
        (XDF.xdf(), "the file holds none"),
        (XDF.xdf(HEAD, BODY)[:-1], "cut short"),
        (XDF.xdf(HEAD, BODY)[:-400], "cut short"),
        (XDF.xdf(HEAD, BODY) + b"\x09", "a length that cannot be read"),
        (XDF.xdf(HEAD, BODY) + b"\x08\xff", "a length that cannot be read"),
        (XDF.xdf(HEAD, BODY) + XDF.number(2**60, 8) + b"\x03\0", "cut short"),
        (XDF.xdf(HEAD, BODY) + XDF.number(1) + b"\0", "cut short"),
        (XDF.xdf(BODY), "has no header before it"),
        (XDF.xdf(HEAD, HEAD, BODY), "header of stream 1: twice"),
        (XDF.xdf(HEAD, XDF.chunk(3, b"\1\0")), "name its stream in 4 bytes"),
        (XDF.xdf(HEAD, body(2**60)), "which its bytes do not hold"),
        (XDF.xdf(HEAD, body(1, b"\0" * 6)), "which its bytes do not hold"),
        (XDF.xdf(HEAD, body(2, b"\0" * 5)), "which its bytes do not hold"),
        (XDF.xdf(HEAD, body(1, b"\x07" + b"\0" * 11)), "a time of 0 or 8 bytes; got 7"),
        (XDF.xdf(HEAD, BODY, WORDS, body(2**40, b"\0\1\1x", 2)), "which its bytes do not hold"),
        (XDF.xdf(HEAD, BODY, WORDS, body(1, b"\0\x08" + b"\xff" * 8, 2)), "which its bytes do not hold"),
        (XDF.xdf(HEAD, BODY, WORDS, body(1, b"\0\x05", 2)), "a length that cannot be read"),
        (XDF.xdf(HEAD, XDF.chunk(4, b"\1\0\0\0abc"), BODY), "a time and a clock offset"),
        (XDF.xdf(HEAD, XDF.clock(1, float("nan"), 0.0), BODY), "a time and a clock offset"),
        (XDF.xdf(xml(LAUGHS), HEAD, BODY), "without a document type"),
        (XDF.xdf(xml("\1\0\0\0" + LAUGHS, 2), BODY), "without a document type"),
        (XDF.xdf(HEAD, xml("\1\0\0\0" + LAUGHS, 6), BODY), "without a document type"),
        (XDF.xdf(xml("<info>"), HEAD, BODY), "well-formed XML"),
        (with_header(b"<channel_count>1<", b"<channel_count>0<"), "1 to 4096 channels"),
        (with_header(b"<channel_count>1</channel_count>", b"<channel_count>1e9</channel_count>"), "channels"),
        (with_header(b"<nominal_srate>4<", b"<nominal_srate>x<"), "nominal_srate"),
        (with_header(b"<channel_format>float32<", b"<channel_format>object<"), "channel_format"),
        (with_header(b"<name>w<", b"<name><"), "must give its name"),
    ],
)
def test_a_broken_xdf_file(refused, content, words):
    refused(load_xdf, content, words)


def test_xml_that_is_too_large(refused, monkeypatch):
    monkeypatch.setattr(xdf_chunks, "MAX_XML_BYTES", 100)
    refused(load_xdf, XDF.xdf(HEAD, BODY), "at most 100 bytes of XML")


def test_an_xdf_file_too_large_is_refused_before_reading(tmp_path):
    with (tmp_path / "a.xdf").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(MMQError, match="at most 1024 MiB"):
        load_xdf(tmp_path / "a.xdf")


@pytest.mark.parametrize("times", [[100, np.nan, 101], [100, 1e300, 101], [100, 101, 1e9], [np.inf] * 3])
def test_times_that_cannot_be(refused, times):
    refused(load_xdf, XDF.xdf(HEAD, XDF.samples(1, times, [[1], [2], [3]])))


def test_infinite_samples(refused):
    refused(
        load_xdf,
        XDF.xdf(HEAD, XDF.samples(1, [100, 100.25], [[1], [np.inf]])),
        "stream w",
        "sample 1 is infinite",
    )
    large = (
        XDF.header(1, "w", "EDA", 1, 4, "double64"),
        XDF.samples(1, [100, 100.25], [[1], [1e99]], "double64"),
    )
    refused(load_xdf, XDF.xdf(*large), "sample 1 is infinite or too large")


@pytest.mark.slow
@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_changed_bytes_of_xdf_give_a_recording_or_a_refusal(tmp_path, data):
    words = XDF.samples(2, [105.0, 110.0], [["rest"], ["stress"]], "string")
    content = bytearray(XDF.xdf(HEAD, BODY[:], WORDS, words, XDF.clock(1, 100, 0.1), XDF.clock(1, 105, 0.1)))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "changed.xdf"
    path.write_bytes(content)
    assert "\n" not in refusal(load_xdf, path)


def test_loading_what_is_not_used_stays_out():
    """fastavro, pyxdf and pandas are imported by whoever needs them."""
    code = (
        "import sys, mmq_tf.datasets.case, mmq_tf.datasets.formats.embraceplus, mmq_tf.datasets.formats.xdf;"
        "print([n for n in ('fastavro', 'pyxdf', 'pandas', 'mne') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
