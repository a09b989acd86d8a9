# SPDX-License-Identifier: Apache-2.0
"""Crafted pickles: each is refused by name, nothing in it runs, and memory stays bounded."""

import os
import pickle
import struct
import subprocess
from collections import OrderedDict
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
import refusals
from bounded_memory import refusals_in
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmq_tf.datasets.formats.files.pickles import MAX_DEPTH, MAX_OPCODES, load_pickle
from mmq_tf.errors import MMQError

ROOT = Path(__file__).resolve().parents[2]
PYTHON2 = ROOT / "tests" / "mmq_tf" / "datasets" / "formats" / "files" / "python2"
MIB = 2**20


def refused(tmp_path, content, *words, max_bytes=MIB):
    """Check that the pickle is refused with one short sentence that holds all the words."""
    path = tmp_path / "S2.pkl"
    path.write_bytes(content)
    message = refusals.refused(lambda: load_pickle(path, max_bytes), path.name, *words)
    assert len(message) < len(str(path)) + 320, message


# ---- code


class Runs:
    """Leaves a folder behind when it is unpickled by Python's own loader."""

    def __init__(self, function, *args):
        self.reduced = (function, args)

    def __reduce__(self):
        return self.reduced


@pytest.mark.parametrize("protocol", range(6))
def test_code_is_named_and_never_runs(tmp_path, protocol):
    marker = tmp_path / "ran"
    content = pickle.dumps({"data": Runs(os.mkdir, str(marker))}, protocol)
    refused(tmp_path, content, "posix.mkdir", "nothing in a file can run")
    assert not marker.exists()
    pickle.loads(content)  # what Python's own loader would have done
    assert marker.exists()


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (eval, "eval"),
        (exec, "exec"),
        (getattr, "getattr"),
        (__import__, "__import__"),
        (open, "open"),
        (subprocess.Popen, "Popen"),
        (np.load, "numpy.load"),
        (np.fromfile, "fromfile"),
        (np.zeros, "zeros"),
        (bytearray, "bytearray"),
        (OrderedDict, "OrderedDict"),
        (Decimal, "Decimal"),
        (Path, "pathlib.Path"),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_any_other_global_is_named(tmp_path, function, name, protocol):
    refused(tmp_path, pickle.dumps(function, protocol), name)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"(S'touch ran'\nios\nsystem\n.", "opcode INST"),
        (b"(cos\nsystem\nS'touch ran'\no.", "os.system"),
        (b"(S'x'\nS'y'\no.", "opcode OBJ"),
        (b"cos\nsystem\n(S'touch ran'\ntR.", "os.system"),
        (b"\x80\x02cos\nsystem\n)\x81.", "os.system"),
        (b"\x80\x02cnumpy\nndarray\n)\x81.", "opcode NEWOBJ"),
        (b"\x80\x04cnumpy\nndarray\n)}\x92.", "opcode NEWOBJ_EX"),
        (b"\x80\x02\x82\x01.", "opcode EXT1"),
        (b"\x80\x02\x83\x01\x00.", "opcode EXT2"),
        (b"\x80\x02\x84\x01\x00\x00\x00.", "opcode EXT4"),
        (b"Psomewhere\n.", "opcode PERSID"),
        (b"S'somewhere'\nQ.", "opcode BINPERSID"),
        (b"\x80\x05\x97.", "opcode NEXT_BUFFER"),
        (b"\x80\x05C\x01a\x98.", "opcode READONLY_BUFFER"),
        (b"\x80\x04\x8f.", "opcode EMPTY_SET"),
        (b"(K\x01\x91.", "opcode FROZENSET"),
        (b"K\x012.", "opcode DUP"),
        (b"K\x010.", "opcode POP"),
        (b"(1.", "opcode POP_MARK"),
        (b"\xff.", "opcode ff"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x09touch ran\x85R.", "os.system"),
        (b"\x80\x04K\x01\x8c\x06system\x93.", "a global's name must be text"),
        (b"c__builtin__\nbytes\n(I1000000000\ntR.", "bytes() may have no arguments"),
        (b"c_codecs\nencode\n(Vcalc\nVrot13\ntR.", "only turn text into latin1 bytes"),
        (b"c_codecs\nencode\n(K\x01K\x02tR.", "only turn text into latin1 bytes"),
        (b"c_codecs\nencode\n(V\\u0100\nVlatin1\ntR.", "more than bytes"),
        (b"cnumpy\ndtype\n(S'O8'\nI0\nI1\ntR.", "integers or floats"),
        (b"cnumpy\ndtype\n(S'V8'\nI0\nI1\ntR.", "integers or floats"),
        (b"cnumpy\ndtype\n(S'f8, O'\nI0\nI1\ntR.", "integers or floats"),
        (b"cnumpy\ndtype\n((lp0\ntR.", "integers or floats"),
        (b"cnumpy\ndtype\n)R.", "integers or floats"),
        (b"cnumpy\ndtype\n(S'f8'\ntR.", "a Dtype, which is not a number"),
        (b"cnumpy\nndarray\n.", "a Ndarray, which is not a number"),
        (b"cnumpy\ndtype\n.", "not a number"),
        (b"cnumpy\nndarray\n(I3\ntR.", "Ndarray may not be called"),
        (b"S'eval'\n(S'1'\ntR.", "str may not be called"),
        (b"cnumpy\ndtype\nK\x01R.", "may not be called"),
        (b"}}b.", "a state may only be given to a new array or its type, not to dict"),
        (b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\ndtype\n(I0\ntS'b'\ntR.", "only numpy.ndarray"),
        (b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR.", "EmptyArray"),
    ],
)
def test_other_ways_to_run_something(tmp_path, monkeypatch, content, name):
    monkeypatch.chdir(tmp_path)
    refused(tmp_path, content, name)
    assert not (tmp_path / "ran").exists()


# ---- arrays that lie


def array_pickle(
    shape, code=b"f8", data=b"\0" * 48, state=b"(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb", fortran=b"I00\n"
):
    head = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntU\x01btR(I1\n"
    dtype = b"cnumpy\ndtype\n(U" + bytes([len(code)]) + code + b"I0\nI1\ntR" + state
    return head + shape + dtype + fortran + b"T" + struct.pack("<i", len(data)) + data + b"tb."


def test_the_crafted_array_is_good(tmp_path):
    (tmp_path / "x.pkl").write_bytes(array_pickle(b"(I2\nI3\nt"))
    assert load_pickle(tmp_path / "x.pkl", MIB).shape == (2, 3)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (array_pickle(b"(I2\nI4\nt"), ["(2, 4)", "needs more bytes than the 48"]),
        (array_pickle(b"(I2\nI2\nt"), ["(2, 2)", "needs 32 bytes and has not as many"]),
        (array_pickle(b"(I1000000000\nI1000000000\nt"), ["than the 48 it has"]),
        (array_pickle(b"(" + b"I200000000000000\n" * 8 + b"t"), ["than the 48 it has"]),
        (array_pickle(b"(I-2\nI-3\nt"), ["lengths", "-2"]),
        (array_pickle(b"(I01\nI6\nt"), ["lengths", "True"]),
        (array_pickle(b"(F2.0\nI3\nt"), ["lengths", "2.0"]),
        (array_pickle(b"(I6\n" + b"I1\n" * 8 + b"t"), ["at most 8 lengths"]),
        (array_pickle(b"I6\n"), ["a shape"]),
        (array_pickle(b"((I6\ntt"), ["a shape"]),
        (array_pickle(b"(I0\nt"), ["needs 0 bytes"]),
        (array_pickle(b"(I6\nt", code=b"O8"), ["integers or floats", "O8"]),
        (array_pickle(b"(I6\nt", code=b"c8"), ["integers or floats"]),
        (array_pickle(b"(I6\nt", state=b"(I3\nS'<'\nN(S'a'\nt}I-1\nI-1\nI0\ntb"), ["plain number"]),
        (array_pickle(b"(I6\nt", state=b"(I3\nS'='\nNNNI-1\nI-1\nI0\ntb"), ["plain number"]),
        (array_pickle(b"(I6\nt", state=b"(I4\nS'<'\nNNNI-1\nI-1\nI0\ntb"), ["plain number"]),
        (array_pickle(b"(I6\nt", state=b"Nb"), ["plain number"]),
        (b"\x80\x02]K\x01b.", ["not to list"]),
    ],
)
def test_an_array_that_lies(tmp_path, content, words):
    refused(tmp_path, content, *words)


def test_an_array_inside_the_parts_of_another(tmp_path):
    """A value that may be anything can be an array, whose comparisons are no truth values."""
    inner = array_pickle(b"(I2\nI3\nt")[2:-1]
    for place in (b"(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb", b"(I1\n"):
        for part in place.removesuffix(b"tb").split(b"\n")[:-1]:
            part = part.removeprefix(b"(") + b"\n"
            if part.startswith(b"NNN"):
                continue
            content = array_pickle(b"(I2\nI3\nt").replace(place, place.replace(part, inner, 1), 1)
            try:
                (tmp_path / "x.pkl").write_bytes(content)
                load_pickle(tmp_path / "x.pkl", MIB)
            except MMQError:
                pass
    scalar = b"cnumpy.core.multiarray\nscalar\n"
    refused(tmp_path, scalar + b"(" + inner + inner + b"tR.", "numeric type; got ndarray")
    codecs = b"c_codecs\nencode\n(Va\n"
    refused(tmp_path, codecs + inner + b"tR.", "latin1 bytes")


def test_samples_that_are_used_for_many_arrays(tmp_path):
    """One string of samples, held by the memo, must not become many arrays."""
    samples = b"T" + struct.pack("<i", 65536) + b"\0" * 65536
    body = array_pickle(b"(I8192\nt", data=b"\0" * 65536)[2:-1]
    again = body.replace(samples, b"h\x01")
    body = body.replace(samples, samples + b"q\x01")
    refused(
        tmp_path,
        b"\x80\x02](" + body + again * 10 + b"e.",
        "(8192)",
        "past the size allowed",
        max_bytes=5 * 65536,
    )


# ---- exhaustion


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"(" * 100_000 + b".", ["nested more than"]),
        (b"]" * (MAX_OPCODES + 1), ["opcodes"]),
        (b"N" + b"\x85" * 100_000 + b".", ["nested more than"]),
        (b"]" * 1000 + b"a" * 999 + b".", ["nested more than"]),
        (b"](" * 100 + b"e" * 100 + b".", ["nested more than"]),
        (b"}" + b"S'a'\n}" * 100 + b"s" * 100 + b".", ["nested more than"]),
        (b"]q\x00h\x00a.", ["within itself"]),
        (b"}q\x00S'a'\nh\x00s.", ["within itself"]),
        (b"](q\x00h\x00e.", ["a value is needed"]),
        (b"]q\x00K\x01\x85q\x01h\x01\x86.", ["two places"]),
        (b"\x8b" + struct.pack("<i", 100_000_000) + b"\xff" * 100, ["integer", "opcode LONG4", "100000000"]),
        (b"\x8b" + struct.pack("<i", 100) + b"\xff" * 100 + b".", ["integer may have 8 bytes; it has 100"]),
        (b"\x8a\xff" + b"\xff" * 255 + b".", ["integer may have 8 bytes"]),
        (b"I" + b"9" * 10_000 + b"\n.", ["integer of at most 19 digits"]),
        (b"L" + b"9" * 65_000 + b"L\n.", ["integer of at most 19 digits"]),
        (b"F" + b"9" * 70_000 + b"\n.", ["line of at most"]),
        (b"Fnumber\n.", ["expected a number; got b'number'"]),
        (b"K\x01r\xff\xff\xff\xff.", ["memo index 4294967295"]),
        (b"K\x01p999999999\n.", ["memo index 999999999"]),
        (b"K\x01p-1\n.", ["memo index"]),
        (b"h\x07.", ["holds nothing at 7"]),
        (b"q\x07.", ["a value is needed"]),
        (b"T\xff\xff\xff\x7fabc.", ["asks for 2147483647 bytes", "only 4 more"]),
        (b"X\xff\xff\xff\xffabc.", ["asks for 4294967295 bytes"]),
        (b"\x8d" + b"\xff" * 8 + b"abc.", ["asks for 18446744073709551615 bytes"]),
        (b"\x8e" + b"\xff" * 8 + b"abc.", ["asks for 18446744073709551615 bytes"]),
        (b"\x96" + b"\xff" * 8 + b"abc.", ["asks for 18446744073709551615 bytes"]),
        (b"\x80\x04\x95" + b"\xff" * 8 + b"N.", ["asks for 18446744073709551615 bytes", "FRAME"]),
        (b"\x80\x09N.", ["protocol 9"]),
        (b"", ["cut short"]),
        (b"N", ["cut short"]),
        (b".", ["a value is needed"]),
        (b"NN.", ["values left over"]),
        (b"(N.", ["values left over"]),
        (b"(", ["cut short"]),
        (b"t.", ["a mark is needed"]),
        (b"S'abc", ["cut short"]),
        (b"Sabc\n.", ["in quotes"]),
        (b"S'abc\"\n.", ["in quotes"]),
        (b"S'\n.", ["in quotes"]),
        (b"S\n.", ["in quotes"]),
        (b"S'\\x4'\n.", ["wrong escape"]),
        (b"S'\\q'\n.", ["wrong escape"]),
        (b"X\x02\x00\x00\x00\xff\xfe.", ["not utf-8"]),
        (b"V\\u12\n.", ["not raw-unicode-escape"]),
        (b"NK\x01a.", ["not to NoneType"]),
        (b"]K\x01K\x02s.", ["not to list"]),
        (b"}(K\x01u.", ["pairs"]),
        (b"}]K\x01s.", ["key must be a string or an integer; got list"]),
        (b"}N)s.", ["got NoneType"]),
        (b"c\xff\nx\n.", ["expected a name"]),
        (b"T\x01\x00\x01\x00" + b"a" * 65537 + b".", ["Stretch"]),
    ],
)
def test_exhaustion_and_nonsense(tmp_path, content, words):
    refused(tmp_path, content, *words)


def test_a_deep_value_that_is_thrown_away(tmp_path):
    """Refused before the end, so its depth is never looked at; nothing may recurse on the way out."""
    refused(tmp_path, b"N" + b"\x85" * 100_000 + b"cnumpy\ndtype\nb.", "a state may only be given")
    refused(tmp_path, b"cnumpy\ndtype\nN" + b"\x85" * 100_000 + b"R.", "integers or floats")


def laughs():
    """A billion copies by reference: ten lists of ten of the list before."""
    content = b"]q\x00(" + b"N" * 10 + b"e"
    for index in range(1, 40):
        content += b"]q" + bytes([index]) + b"(" + (b"h" + bytes([index - 1])) * 10 + b"e"
    return content + b"."


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc on this system")
def test_memory_stays_bounded(tmp_path):
    bombs = {
        "shape": array_pickle(b"(I500000000\nt"),
        "laughs": laughs(),
        "lists": b"]" * (MAX_OPCODES - 1) + b".",
        "dicts": b"}" * (MAX_OPCODES + 1),
        "length": b"\x80\x04\x8e" + struct.pack("<Q", 2**31) + b"x",
        "memo": b"K\x01r\xff\xff\xff\x7f.",
        "number": b"\x8b" + struct.pack("<i", 2**31 - 1) + b"\xff",
        "numbers": b"](" + b"\x8a\x08" + b"\xff" * 8 + b"\x8a\x08abcdefgh" * MAX_OPCODES + b"e.",
        "bytes": b"c__builtin__\nbytes\n(I2000000000\nt\x52.",
    }
    for name, content in bombs.items():
        (tmp_path / name).write_bytes(content)
    with (tmp_path / "text").open("wb") as file:  # sparse: 1 GiB of a string without an end
        file.write(b"S'")
        file.truncate(2**30)
    lines = refusals_in(load_pickle, [tmp_path / name for name in (*bombs, "text")], 200, 2**31)
    assert len(lines) == len(bombs) + 1, lines
    assert not [line for line in lines if "do not fit into the memory" in line]
    for name, word in {
        "shape": "than the 48 it has",
        "laughs": "two places",
        "dicts": "opcodes",
        "text": "cut short",
    }.items():
        assert any(f"/{name}: " in line and word in line for line in lines), (name, lines)


# ---- anything at all


def loads_or_is_refused(tmp_path, content):
    path = tmp_path / "x.pkl"
    path.write_bytes(content)
    try:
        value, message = load_pickle(path, MIB), ""
    except MMQError as error:
        value, message = None, str(error)
    assert "\n" not in message
    assert len(message) < len(str(path)) + 320
    assert depth_of(value) <= MAX_DEPTH + 1


def depth_of(value):
    level, depth = [value], 0
    while level:
        inner = [list(item.values()) if isinstance(item, dict) else item for item in level]
        level = [item for items in inner if isinstance(items, list | tuple) for item in items]
        depth += 1
    return depth


ANY = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}
OPCODES = [
    bytes([code]) for code in b".()]}NIKMJLSUTVXcqrhgjpbRtlaesdu\x80\x85\x86\x87\x88\x89\x8a\x8c\x93\x94\x95C"
]
GOOD = [
    *((PYTHON2 / f"protocol{protocol}.pkl").read_bytes() for protocol in range(3)),
    *(pickle.dumps({"a": np.arange(6.0).reshape(2, 3), "b": [1, "x", (2.5,)]}, p) for p in range(6)),
]


@settings(max_examples=300, **ANY)
@given(
    content=st.binary(max_size=200) | st.lists(st.sampled_from(OPCODES) | st.binary(max_size=6)).map(b"".join)
)
def test_random_bytes(tmp_path, content):
    loads_or_is_refused(tmp_path, content)


@settings(max_examples=600, **ANY)
@given(data=st.data())
def test_changed_real_pickles(tmp_path, data):
    content = bytearray(data.draw(st.sampled_from(GOOD)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        stop = data.draw(st.integers(at, min(at + 8, len(content))))
        content[at:stop] = data.draw(st.sampled_from(OPCODES) | st.binary(max_size=8))
        if not content:
            break
    loads_or_is_refused(tmp_path, bytes(content))


@pytest.mark.parametrize("content", GOOD)
def test_a_real_pickle_cut_anywhere(tmp_path, content):
    for end in range(0, len(content) - 1, 3):
        refused(tmp_path, content[:end], "cut short" if end == 0 else "")
