# SPDX-License-Identifier: Apache-2.0
"""Pickles as Python 2 and 3 write them come back as they were."""

import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mmq_tf.datasets.formats.files import pickle_scan, pickles
from mmq_tf.datasets.formats.files.pickles import load_pickle
from mmq_tf.errors import MMQError
from mmq_tf.simulation.layouts.python2_pickle import write_python2_pickle

PYTHON2 = Path(__file__).parent / "python2"
MIB = 2**20


def same(got, wanted):
    assert type(got) is type(wanted)
    if isinstance(wanted, dict):
        assert list(got) == list(wanted)
        for key, value in wanted.items():
            same(got[key], value)
    elif isinstance(wanted, list | tuple):
        assert len(got) == len(wanted)
        for one, other in zip(got, wanted, strict=True):
            same(one, other)
    elif isinstance(wanted, np.ndarray):
        assert got.dtype == wanted.dtype
        np.testing.assert_array_equal(got, wanted)
    else:
        assert got == wanted or (got != got and wanted != wanted)


def reloaded(path, value, protocol):
    path.write_bytes(pickle.dumps(value, protocol))
    return load_pickle(path, 64 * MIB)


@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_files_that_python_2_wrote(protocol):
    got = load_pickle(PYTHON2 / f"protocol{protocol}.pkl", MIB)
    assert isinstance(got, dict)
    wanted = {
        "labels": np.array([[1.0, 9.0], [5.0, 2.5]]),
        "data": np.arange(6.0).reshape(2, 3),
        "i": np.arange(-2, 2, dtype=np.int32),
        "be": np.arange(3.0),
        "one": np.float64(2.5),
        "subject": "S2",
        "text": "\xe9'\"\\\n",
        "list": [1, -2, 10**12, 5, None, True, 1.5, (3, "\xe9")],
    }
    same({name: got[name] for name in wanted}, wanted)
    assert len(got) == len(wanted)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("module", ["numpy._core.", "numpy.core."])
def test_files_that_python_3_writes(tmp_path, protocol, module):
    value = {
        "c": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
        "f": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "cut": np.arange(10)[::3],
        "turned": np.arange(24.0).reshape(2, 3, 4).transpose(1, 0, 2),
        "none": np.zeros((0, 3)),
        "point": np.array(3.0),
        "u": np.array([0, 255], np.uint8),
        "big": np.arange(3, dtype=">i2"),
        "scalar": np.float32(1.5),
        "plain": [1, -(2**40), 2.5, "é", b"\x00\xff", b"", None, True, (), (1, (2,)), {"x": [], 3: {}}],
    }
    names = pickle.dumps(value, protocol).replace(b"numpy._core.", module.encode())
    if protocol < 4:  # a frame and a name's length would no longer be right
        (tmp_path / "x.pkl").write_bytes(names)
        got = load_pickle(tmp_path / "x.pkl", MIB)
    else:
        got = reloaded(tmp_path / "x.pkl", value, protocol)
    value["big"] = value["big"].astype("=i2")
    same(got, value)


def test_keys_come_back_as_text(tmp_path):
    assert reloaded(tmp_path / "x.pkl", {b"data": 1, "labels": 2}, 3) == {"data": 1, "labels": 2}


def test_one_array_may_be_held_twice(tmp_path):
    array = np.arange(3.0)
    same(reloaded(tmp_path / "x.pkl", [array, array], 2), [array, array])


arrays = hnp.arrays(
    st.sampled_from([np.float64, np.float32, np.int32, np.uint8]), hnp.array_shapes(min_dims=0, min_side=0)
)
plain = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text() | st.binary()
trees = st.recursive(
    plain | arrays,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=trees, protocol=st.integers(0, 5))
def test_any_tree_comes_back(tmp_path, value, protocol):
    same(reloaded(tmp_path / "x.pkl", value, protocol), value)


@pytest.mark.parametrize("chunk", [5, 7, 64])
@pytest.mark.parametrize("protocol", range(6))
def test_samples_cut_at_any_place_by_the_reader(tmp_path, monkeypatch, chunk, protocol):
    """Escapes and characters of several bytes may lie across two reads, and samples across two copies."""
    for module in (pickle_scan, pickles):
        monkeypatch.setattr(module, "CHUNK_BYTES", chunk)
        monkeypatch.setattr(module, "MAX_TEXT_BYTES", 200)
    rng = np.random.default_rng(protocol)
    alphabet = np.frombuffer(b"\\\\\\'\"x0\n\r\t\x00\xff\xe9A", np.uint8)
    for _ in range(20):
        samples = rng.choice(alphabet, 500)
        same(reloaded(tmp_path / "x.pkl", samples, protocol), samples)
        if protocol in (0, 2):
            write_python2_pickle(tmp_path / "x.pkl", {"data": samples}, protocol)
            same(load_pickle(tmp_path / "x.pkl", MIB), {"data": samples})


@pytest.mark.parametrize("protocol", [0, 2])
def test_our_python_2_writer_writes_what_python_reads(tmp_path, protocol):
    value = {
        "a": np.linspace(0, 1, 1000).reshape(10, 100),
        "b": {"c": "S2", "i": np.arange(3, dtype=np.int32)},
    }
    write_python2_pickle(tmp_path / "x.pkl", value, protocol)
    same(pickle.loads((tmp_path / "x.pkl").read_bytes(), encoding="latin1"), value)
    same(load_pickle(tmp_path / "x.pkl", MIB), value)


@pytest.mark.parametrize(("protocol", "times"), [(0, 9), (2, 2), (3, 2), (5, 2)])
def test_how_often_an_array_is_in_memory(tmp_path, protocol, times):
    """Its bytes and itself; in protocol 0 it is text three times as long, which Python copies."""
    path = tmp_path / "x.pkl"
    samples = np.random.default_rng(0).normal(size=(3, 1_000_000))
    if protocol < 3:
        write_python2_pickle(path, {"data": samples}, protocol)
    else:
        path.write_bytes(pickle.dumps({"data": samples}, protocol))
    tracemalloc.start()
    try:
        load_pickle(path, 128 * MIB)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert times - 1 < peak / samples.nbytes < times + 0.2


def test_a_file_over_the_limit_is_not_read(tmp_path):
    path = tmp_path / "x.pkl"
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(MMQError, match=r"x\.pkl: expected at most 1 MiB; it has 1048576 MiB"):
        load_pickle(path, MIB)
    with pytest.raises(MMQError, match=r"nowhere.*cannot be read"):
        load_pickle(tmp_path / "nowhere", MIB)
