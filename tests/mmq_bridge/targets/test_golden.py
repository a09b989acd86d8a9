# SPDX-License-Identifier: Apache-2.0
"""The golden vectors: what they hold, how they are written, and that their hashes have not drifted."""

import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mmq_bridge.core_binding.native import Bridge
from mmq_bridge.core_binding.personal_head import LEAST_MARKS, MAX_MARKS
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.modalities import SUPPORTED_MODALITIES
from mmq_bridge.targets import expected
from mmq_bridge.targets.expected import Hashes, differences, load_committed, replay, save_committed
from mmq_bridge.targets.run import parse_line
from mmq_bridge.targets.script import MAX_PUSH_SAMPLES, Operation, encode, uniform
from mmq_bridge.targets.simulated import STEP, simulate
from mmq_bridge.targets.vectors import RECORDED, SIMULATED, Vector, make_vectors

pytestmark = pytest.mark.slow

LINE = "v tokens=2 windows=1 raw=0a features=0b presence=0c int8=0d saved=0e head=0f decisions=10 bytes=640"


def presence_of(vector: Vector) -> dict[str, float]:
    """Share of tokens that are present, by modality."""
    bridge, rows = Bridge(vector.front_end), []
    for operation in vector.operations:
        name = vector.front_end.modality_names[operation.modality]
        if operation.samples is not None and operation.first_index is not None:
            bridge.push_counted(name, operation.samples, operation.first_index)
        elif operation.samples is not None and abs(operation.time_s) < 3600:
            bridge.push(name, operation.samples, operation.time_s)
        while (token := bridge.pop_token()) is not None:
            rows.append(token[1])
    return dict(zip(vector.front_end.modality_names, np.mean(rows, axis=0), strict=True))


def test_hashes_are_those_committed(wanted: dict[str, Hashes]) -> None:
    committed = load_committed()
    assert {name: committed[name] for name in wanted} == wanted


def test_hashes_of_recordings_are_those_committed(mmq_data: Path) -> None:
    committed = load_committed()
    for vector in make_vectors(mmq_data):
        assert replay(vector.front_end, vector.operations, vector.head) == committed[vector.name], vector.name


def test_every_modality_and_recording_is_in_the_committed_file(simulated: list[Vector]) -> None:
    deployed = {"of_wrist_stress", "of_wrist_stress_worn"}
    assert set(load_committed()) == {*(v.name for v in simulated), *RECORDED, *deployed}


def test_all_nine_modalities_are_present_with_several_channels(simulated: list[Vector]) -> None:
    vector = simulated[0]
    assert set(vector.front_end.modalities) == set(SUPPORTED_MODALITIES)
    assert all(len(m.channels) > 1 for m in vector.front_end.modalities.values())
    assert min(presence_of(vector).values()) > 0.9


def test_faults_make_every_modality_absent_at_times(simulated: list[Vector]) -> None:
    shares = presence_of(simulated[1]).values()
    assert 0.2 < min(shares)
    assert max(shares) < 1.0


def test_windows_are_quantised_to_more_than_the_limits(simulated: list[Vector]) -> None:
    vector = simulated[0]
    bridge = Bridge(vector.front_end)
    for operation in vector.operations:
        assert operation.samples is not None
        bridge.push(vector.front_end.modality_names[operation.modality], operation.samples, operation.time_s)
    values = bridge.window_i8()[0]
    assert len(np.unique(values)) > 50
    assert np.mean(np.abs(values.astype(int)) >= 127) < 0.05


@pytest.mark.parametrize("name", SUPPORTED_MODALITIES)
def test_simulated_samples_lie_on_the_steps_of_a_converter(name: str) -> None:
    samples = simulate(name, 3, 100.0, 4.0, 1).samples
    assert samples.shape == (3, 400)
    assert samples.dtype == np.float32
    assert np.array_equal(np.round(samples / STEP[name]) * STEP[name], samples)
    assert np.array_equal(samples, simulate(name, 3, 100.0, 4.0, 1).samples)
    assert not np.array_equal(samples, simulate(name, 3, 100.0, 4.0, 2).samples)


def test_uniform_numbers_are_pinned() -> None:
    """They must not depend on NumPy's version, or committed hashes would not hold elsewhere."""
    assert uniform(2, 7).tolist() == [0.625095466604667, 0.8972138009695755]


def test_operations_are_written_little_endian() -> None:
    push = Operation(2, 1.5, np.array([[1.0, 2.0], [3.0, 4.0]], np.float32))
    assert push.encode() == struct.pack("<IId4f", 2, 2, 1.5, 1, 2, 3, 4)
    assert Operation(1, lead_off=5).encode() == struct.pack("<IIQ", 1 << 24 | 1, 0, 5)
    assert Operation(0, 9.0).encode() == struct.pack("<IId", 2 << 24, 0, 9.0)
    assert encode([push, push]) == 2 * push.encode()
    counted = replace(push, first_index=2**32 - 1)
    assert counted.encode() == struct.pack("<IIQ4f", 3 << 24 | 2, 2, 2**32 - 1, 1, 2, 3, 4)


def test_counted_packets_are_lost_swapped_doubled_and_wrap(simulated: list[Vector]) -> None:
    vector = next(v for v in simulated if v.name == "simulated_counted")
    for modality, name in enumerate(vector.front_end.modality_names):
        sent = [o for o in vector.operations if o.modality == modality]
        firsts = [(o.first_index or 0) + (2**32 if (o.first_index or 0) < 2**31 else 0) for o in sent]
        ends = [
            first + o.samples.shape[1] for first, o in zip(firsts, sent, strict=True) if o.samples is not None
        ]
        assert firsts[0] < 2**32 < firsts[-1], name
        assert set(firsts[1:]) - set(ends), name  # a packet is missing before it
        assert any(a > b for a, b in zip(firsts, firsts[1:], strict=False)), name
        assert len(set(firsts)) < len(firsts), name
    bridge = Bridge(vector.front_end)
    in_time = [
        bridge.push_counted(vector.front_end.modality_names[o.modality], o.samples, o.first_index)
        for o in vector.operations
        if o.samples is not None and o.first_index is not None
    ]
    assert 0.01 < 1 - np.mean(in_time) < 0.1
    assert min(presence_of(vector).values()) > 0.5


def test_no_push_is_longer_than_the_harness_has_room_for(simulated: list[Vector]) -> None:
    longest = max(o.samples.size for v in simulated for o in v.operations if o.samples is not None)
    assert 0 < longest <= MAX_PUSH_SAMPLES


def test_one_bit_of_one_sample_changes_the_hashes(simulated: list[Vector], wanted: dict[str, Hashes]) -> None:
    vector = simulated[0]
    first = vector.operations[0]
    assert first.samples is not None
    samples = first.samples.copy()
    samples.view(np.uint32)[0, 0] ^= 1
    operations = (replace(first, samples=samples), *vector.operations[1:])
    assert "raw" in differences(wanted[vector.name], replay(vector.front_end, operations, vector.head))


def test_another_head_changes_its_hash_and_what_it_corrects_alone(
    simulated: list[Vector], wanted: dict[str, Hashes]
) -> None:
    vector = simulated[0]
    other = vector.head.model_copy(update={"centre": tuple(c + 0.01 for c in vector.head.centre)})
    assert differences(wanted[vector.name], replay(vector.front_end, vector.operations, other)) == [
        "head",
        "decisions",
    ]


def test_a_head_reads_every_modality_and_more_windows_are_marked_than_it_keeps(
    simulated: list[Vector], wanted: dict[str, Hashes]
) -> None:
    for vector in simulated:
        assert set(vector.head.owner) == set(range(len(vector.front_end.modalities)))
    assert max(hashes.windows for hashes in wanted.values()) > MAX_MARKS
    assert min(hashes.windows for hashes in wanted.values()) >= 2 * LEAST_MARKS


def test_replay_line_is_read() -> None:
    assert parse_line(LINE) == ("v", Hashes(2, 1, "0a", "0b", "0c", "0d", "0e", "0f", "10"), 640)


@pytest.mark.parametrize("line", ["", "v", "v tokens=2", LINE.replace("raw=0a", "raw:0a"), LINE + " more=1"])
def test_other_lines_are_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_line(line)


def test_committed_hashes_survive_a_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "hashes.json"
    first, second = Hashes(1, 0, *"abcdefg"), Hashes(2, 1, *"efabefg")
    save_committed({"one": first}, path)
    save_committed({"two": second}, path)
    assert load_committed(path) == {"one": first, "two": second}


@pytest.mark.parametrize("text", ["{", "[]", '{"one": {"tokens": 1}}', json.dumps({"one": 3})])
def test_broken_hash_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "hashes.json"
    path.write_text(text)
    with pytest.raises(BridgeError, match=r"hashes\.json: cannot be read"):
        load_committed(path)


def test_recording_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "physiokit_sample").mkdir()
    (tmp_path / "stress_predict" / "Raw_data" / "S02").mkdir(parents=True)
    with pytest.raises(BridgeError, match=r"stress_predict: cannot be read"):
        make_vectors(tmp_path)


def test_absent_recordings_are_left_out(tmp_path: Path) -> None:
    assert [vector.simulated for vector in make_vectors(tmp_path)] == [True] * len(SIMULATED)


def test_fnv_of_nothing_is_its_start() -> None:
    assert expected.fnv(b"") == expected.FNV_START
