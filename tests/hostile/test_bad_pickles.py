# SPDX-License-Identifier: Apache-2.0
"""Crafted pickles: each is refused by name, nothing in it runs, and memory stays bounded."""

import copyreg
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

from mmq_tf.datasets.formats.files.pickle_scan import MAX_DEPTH, MAX_OPCODES
from mmq_tf.datasets.formats.files.pickles import load_pickle
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
        (b"\x80\x04K\x01\x8c\x06system\x93.", "STACK_GLOBAL requires str"),
        (b"c__builtin__\nbytes\n(I1000000000\ntR.", "bytes() may have no arguments"),
        (b"c_codecs\nencode\n(Vcalc\nVrot13\ntR.", "only turn text into latin1 bytes"),
        (b"c_codecs\nencode\n(K\x01K\x02tR.", "only turn text into latin1 bytes"),
        (b"c_codecs\nencode\n(V\\u0100\nVlatin1\ntR.", "more than bytes"),
        (b"cnumpy\ndtype\n(S'O8'\nI0\nI1\ntR.", "integers or floats"),
        (b"cnumpy\ndtype\n(S'V8'\nI0\nI1\ntR.", "integers or floats"),
        (b"cnumpy\ndtype\n(S'f8, O'\nI0\nI1\ntR.", "integers or floats"),
        (b"cnumpy\ndtype\n((lp0\ntR.", "integers or floats"),
        (b"cnumpy\ndtype\n)R.", "integers or floats"),
        (b"cnumpy\ndtype\n(S'f8'\ntR.", "a numpy.dtype, which is not a number"),
        (b"cnumpy\nndarray\n.", "a numpy.ndarray, which is not a number"),
        (b"cnumpy\ndtype\n.", "a numpy.dtype, which is not a number"),
        (b"cnumpy\nndarray\n(I3\ntR.", "a numpy.ndarray, which is not a number"),
        (b"S'eval'\n(S'1'\ntR.", "'str' object is not callable"),
        (b"cnumpy\ndtype\nK\x01R.", "must be a tuple"),
        (b"}}b.", "'dict' object has no attribute"),
        (b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\ndtype\n(I0\ntS'b'\ntR.", "only numpy.ndarray"),
        (
            b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR.",
            "before its samples have come",
        ),
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
        (b"\x80\x02]K\x01b.", ["state is not a dictionary"]),
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
    refused(
        tmp_path,
        scalar + b"(" + inner + inner + b"tR.",
        "numeric type; got numpy.core.multiarray._reconstruct",
    )
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


# ---- what Python's unpickler itself would do

RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntU\x01btR"
DTYPE = b"cnumpy\ndtype\n(S'f8'\nI0\nI1\ntR"
FROMBUFFER = b"cnumpy.core.numeric\n_frombuffer\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        # a call of what is no function, and calls with wild arguments
        (DTYPE + b")R.", "what numpy.dtype returns may not be called"),
        (b"cnumpy\nndarray\n)R)R.", "what numpy.ndarray returns may not be called"),
        (b"c_codecs\nencode\n)R.", "latin1 bytes"),
        (b"c_codecs\nencode\n(c_codecs\nencode\n(Va\nVlatin1\ntRVlatin1\ntR.", "latin1 bytes"),
        (b"c_codecs\nencode\n(Va\nVlatin1\nVignore\ntR.", "latin1 bytes"),
        (b"c_codecs\nencode\n(Va\ncnumpy\nndarray\ntR.", "latin1 bytes"),
        (b"cnumpy\ndtype\n(cnumpy\ndtype\ntR.", "integers or floats"),
        (b"cnumpy\ndtype\n((S'a'\nS'O'\ntl0tR.", ""),
        (b"cnumpy\ndtype\n(S'O'\ntR.", "integers or floats"),
        (b"cnumpy\ndtype\n(S'object'\ntR.", "integers or floats"),
        (b"cnumpy\ndtype\n(S'<f8'\ntR.", "integers or floats"),
        (b"cnumpy\ndtype\n(S'f8\\n'\ntR.", "integers or floats"),
        (b"cnumpy.core.multiarray\nscalar\n(S'O'\nS'aaaaaaaa'\ntR.", "expected a numeric type; got str"),
        (b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\nS'aaaaaaaa'\ntR.", "a numpy.dtype, which is not"),
        (b"cnumpy.core.multiarray\nscalar\n(" + DTYPE + b"S'aaaaaaa'\ntR.", "needs more bytes than the 7"),
        (b"cnumpy.core.multiarray\nscalar\n(" + DTYPE + b"I8\ntR.", "as bytes; got int"),
        (b"cnumpy.core.multiarray\nscalar\n(" + DTYPE * 2 + b"tR.", "as bytes; got numpy.dtype"),
        (b"cnumpy.core.multiarray\nscalar\n)R.", "a type and its bytes"),
        (FROMBUFFER + b")R.", "bytes, a type, a shape and an order"),
        (
            FROMBUFFER + b"(S'aaaaaaaa'\n" + DTYPE + b"I1\n\x85S'A'\ntR.",
            "bytes, a type, a shape and an order",
        ),
        (FROMBUFFER + b"(S'aaaaaaaa'\n" + DTYPE + b"I1\n\x85S'K'\nI7\n\x85tR.", "order of axes (7)"),
        (FROMBUFFER + b"(S'aaaaaaaa'\n" + DTYPE + b"I1\n\x85S'K'\nI0\nI0\n\x86tR.", "order of axes (0, 0)"),
        (FROMBUFFER + b"(S'aaaaaaaa'\n" + DTYPE + b"I1\n\x85S'K'\nV0\n\x85tR.", "order of axes"),
        (FROMBUFFER + b"(S'aaaaaaaa'\n" + DTYPE + b"I1\n\x85S'C'\ntR}b.", "bytes, a type, a shape"),
        # states
        (b"cnumpy\ndtype\n}b.", "a state may only be given to a new array or its type, not to numpy.dtype"),
        (b"cnumpy\ndtype\n(N}S'name'\nS'os.system'\nstb.", "a state may only be given"),
        (RECONSTRUCT + b"(N}S'name'\nS'os.system'\nstb.", "the state of an array must be"),
        (RECONSTRUCT + b"}S'name'\nS'os.system'\nsb.", "the state of an array must be"),
        (array_pickle(b"(I6\nt")[:-1] + b"(N}tb.", "a state may only be given to a new array"),
        (DTYPE + b"(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb(I3\nS'>'\nNNNI-1\nI-1\nI0\ntb.", "a state may only"),
        (DTYPE + b"(I3\nS'|'\n(S'a'\nS'b'\nt}(I1\nI1\ntI-1\nI-1\nI0\ntb.", "that of a plain number"),
        (DTYPE + b"(I3\nS'|'\nNNNI64\nI1\nI63\nt", "cut short"),
        (RECONSTRUCT + b"q\x05(I1\n(I6\nt" + DTYPE + b"I00\nh\x05tb.", "as bytes; got numpy.core"),
        (b"c_codecs\nencode\n(Va\nVlatin1\ntR}b.", "latin1 bytes"),
        (b"c__builtin__\nbytes\n)R}b.", "bytes() may have no arguments"),
        (b"S'a'\n(N}S'b'\nK\x01stb.", "object has no attribute 'b'"),
        # names
        (b"\x80\x04\x8c\x05numpy\x8c\x10ndarray.fromfile\x93.", "'numpy.ndarray.fromfile'"),
        (b"\x80\x04\x8c\x05numpy\x8c\x13dtype.__init__.__x_\x93.", "'numpy.dtype.__init__.__x_'"),
        (b"cnumpy._core.multiarray\nfromfile\n.", "'numpy.core.multiarray.fromfile'"),
        (b"cnumpy.core.multiarray\ndtype\n.", "'numpy.core.multiarray.dtype'"),
        (b"c_codecs\ndecode\n.", "'_codecs.decode'"),
        (b"c__builtin__\ngetattr\n.", "'__builtin__.getattr'"),
        (b"c\n\n.", "'.'"),
        # frames: bytes that the unpickler would skip, and so see other opcodes than were checked
        (b"\x80\x04\x95\x08" + b"\0" * 7 + b"\x95\x09" + b"\0" * 7 + b"N.NNNNNNNN", "frames may not overlap"),
        (b"\x80\x04\x95\x04" + b"\0" * 7 + b"X\x02\0\0\0abN.", "nor end within an opcode"),
        (b"\x80\x04\x95\x03" + b"\0" * 7 + b"I12345\n.", "nor end within an opcode"),
        # lengths
        (b"\x8b\xff\xff\xff\xff.", "an integer may have 8 bytes; it has 4294967295"),
        (b"\x80\x05\x96\x00\x00\x00\x40\x00\x00\x00\x00.", "asks for 1073741824 bytes"),
        (b"B\xff\xff\xff\xff.", "asks for 4294967295 bytes"),
        (b"Vab", "cut short"),
        # text that takes more memory than it has bytes
        (b"V" + b"a" * 70_000 + b"\\U0001f600\n.", "more than bytes"),
        (b"V" + b"a" * 70_000 + b"\\u0100\n.", "more than bytes"),
        (b"X" + struct.pack("<I", 70_002) + b"a" * 70_000 + b"\xc4\x80.", "more than bytes"),
        (
            b"]("
            + b"X\x02\x10\0\0" * 0
            + (b"X\x04\x40\0\0" + b"\xf0\x9f\x98\x80" + b"a" * 2**14) * 5
            + b"e.",
            "more than",
        ),
        # keys
        (b"}N" + b"\x85" * 1900 + b"Ns.", "nested more than"),
        (b"}NN\x86Ns.", "key must be a string or an integer; got tuple"),
        (b"}cnumpy\ndtype\nNs.", "a numpy.dtype, which is not"),
        (b"}" + array_pickle(b"(I6\nt")[2:-1] + b"Ns.", "key must be a string or an integer; got ndarray"),
        (b"}\x80\x05\x96" + struct.pack("<Q", 1) + b"aNs.", "unhashable type: 'bytearray'"),
        # aliases
        (b"]Nbq\x00h\x00a.", "within itself"),
        (b"]q\x00K\x01ah\x00\x86.", "two places"),
        (b"]K\x01aq\x00h\x00\x86.", "two places"),
        (b"}q\x00(K\x01K\x02uq\x01h\x01\x86.", "two places"),
    ],
)
def test_what_the_unpickler_would_do(tmp_path, content, words):
    refused(tmp_path, content, words)


def test_a_registered_extension_is_not_looked_up(tmp_path):
    copyreg.add_extension("posix", "mkdir", 240)
    try:
        content = pickle.dumps(os.mkdir, 2)
        assert b"\x82\xf0" in content
        assert pickle.loads(content) is os.mkdir
        refused(tmp_path, content, "opcode EXT1")
    finally:
        copyreg.remove_extension("posix", "mkdir", 240)


def test_one_array_of_two_names_is_made_once(tmp_path):
    """Arrays and strings that the memo repeats do not take their size again."""
    body = array_pickle(b"(I6\nt")[2:-1].replace(b"tR(I1", b"tRq\x07(I1", 1)
    (tmp_path / "x.pkl").write_bytes(b"\x80\x02](" + body + b"h\x07" * 100 + b"e.")
    held = load_pickle(tmp_path / "x.pkl", 500)
    assert isinstance(held, list)
    assert len(held) == 101
    assert len({id(array) for array in held}) == 1


def test_bytes_made_again_of_one_text(tmp_path):
    again = b"c_codecs\nencode\n(h\x00Vlatin1\ntR"
    content = b"](V" + b"a" * 2**16 + b"\nq\x00" + again * 17 + b"e."
    refused(tmp_path, content, "a string would take", "past the size allowed")


# ---- exhaustion


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"(" * 100_000 + b".", ["nested more than"]),
        (b"]" * (MAX_OPCODES + 1), ["opcodes"]),
        (b"N" + b"\x85" * 100_000 + b".", ["opcodes"]),
        (b"N" + b"\x85" * 1000 + b".", ["nested more than"]),
        (b"]" * 900 + b"a" * 899 + b".", ["nested more than"]),
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
        (b"Fnumber\n.", ["could not convert string to float"]),
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
        (b"\x80\x09N.", ["protocol: 9"]),
        (b"", ["cut short"]),
        (b"N", ["cut short"]),
        (b".", ["a value is needed"]),
        (b"NN.", ["values left over"]),
        (b"(N.", ["values left over"]),
        (b"(", ["cut short"]),
        (b"t.", ["a mark is needed"]),
        (b"S'abc", ["cut short"]),
        (b"Sabc\n.", ["must be quoted"]),
        (b"S'abc\"\n.", ["must be quoted"]),
        (b"S'\n.", ["must be quoted"]),
        (b"S\n.", ["must be quoted"]),
        (b"S'\\x4'\n.", ["invalid \\x escape"]),
        (b"S'\\q'\n.", ["invalid escape"]),
        (b"X\x02\x00\x00\x00\xff\xfe.", ["'utf-8' codec can't decode"]),
        (b"V\\u12\n.", ["truncated"]),
        (b"NK\x01a.", ["no attribute 'append'"]),
        (b"]K\x01K\x02s.", ["list assignment index"]),
        (b"}(K\x01u.", ["odd number of items"]),
        (b"}]K\x01s.", ["unhashable type: 'list'"]),
        (b"}N)s.", ["got NoneType"]),
        (b"c\xff\nx\n.", ["'\\xff.x'"]),
        (b"T\x01\x00\x01\x00" + b"a" * 65537 + b".", ["it holds 65537 bytes as a string"]),
    ],
)
def test_exhaustion_and_nonsense(tmp_path, content, words):
    refused(tmp_path, content, *words)


@pytest.mark.parametrize("depth", [1900, 100_000])
def test_a_deep_value_that_is_thrown_away(tmp_path, depth):
    """Refused before the end, so its depth is never looked at; nothing may recurse on the way out."""
    deep = b"N" + b"\x85" * depth
    refused(
        tmp_path, deep + b"cnumpy\ndtype\nb.", "state is not a dict" if depth < MAX_OPCODES else "opcodes"
    )
    refused(
        tmp_path,
        b"cnumpy\ndtype\n" + deep + b"R.",
        "integers or floats" if depth < MAX_OPCODES else "opcodes",
    )


def laughs():
    """A billion copies by reference: ten lists of ten of the list before."""
    content = b"]q\x00(" + b"N" * 10 + b"e"
    for index in range(1, 40):
        content += b"]q" + bytes([index]) + b"(" + (b"h" + bytes([index - 1])) * 10 + b"e"
    return content + b"."


def doubled(first, twice, last):
    """A value that holds the one before twice, 60 times over."""
    content = first + b"q\x00"
    for index in range(60):
        got = b"h" + bytes([index])
        content += twice.replace(b"?", got) + b"q" + bytes([index + 1])
    return content + last


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc on this system")
def test_memory_stays_bounded(tmp_path):
    bombs = {
        "shape": array_pickle(b"(I500000000\nt"),
        "laughs": laughs(),
        "tuples": doubled(b")", b"??\x86", b"."),
        "tuple keys": b"}" + doubled(b")", b"??\x86", b"Ns."),
        "dictionaries": doubled(b"}", b"}(K\x01?K\x02?u", b"."),
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


@pytest.mark.slow
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
