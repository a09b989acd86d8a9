# SPDX-License-Identifier: Apache-2.0
"""A device's state on disk: a second session resumes what the first one learnt of its wearer."""

import os
import stat
import warnings

import numpy as np
import pytest
from mmq_bridge.core_binding.native import Bridge
from mmq_bridge.decision.device import Device
from mmq_bridge.decision.replay import replay
from mmq_bridge.decision.state_file import KeptState, kept_state, read_state
from mmq_bridge.errors import BridgeError


def run(device, signals):
    return [d for chunk in replay(signals, 1.0) for d in device.push(*chunk)]


@pytest.fixture(scope="module")
def worn(tiny):
    return tiny.signals(120.0)


@pytest.fixture
def device(tiny_bundle):
    return Device.from_bundle(tiny_bundle)


def test_a_second_session_is_enrolled(tiny, tiny_bundle, device, worn, tmp_path):
    run(device, worn)  # 60 s of enrolment, windows of 20 s
    device.save_state(tmp_path / "anna")
    again = Device.from_bundle(tiny_bundle)
    assert again.shortest_s == 80
    again.load_state(tmp_path / "anna")
    assert again.shortest_s == 20
    decisions = run(again, worn)
    reasons = [f"filling the first window ({left} s left)" for left in (15, 10, 5)]
    assert [d.reason for d in decisions[:3]] == reasons
    assert all(d.probabilities for d in decisions[3:])
    # The statistics did not change, so equal samples give equal windows.
    first = run(Device.from_bundle(tiny_bundle), worn)
    assert [d.probabilities for d in decisions[15:]] == [d.probabilities for d in first[15:]]


def test_an_enrolment_goes_on_where_it_stopped(tiny, tiny_bundle, device, tmp_path):
    run(device, tiny.signals(40.0))
    device.save_state(tmp_path / "anna")
    again = Device.from_bundle(tiny_bundle)
    again.load_state(tmp_path / "anna")
    reasons = [d.reason for d in run(again, tiny.signals(50.0))]
    assert reasons[0] == "enrolling (9 of 12 tokens measured)"
    assert reasons[2] == "enrolling (11 of 12 tokens measured)"
    assert reasons[3] == "filling the first window (20 s left)"
    assert reasons[6] == "filling the first window (5 s left)"
    assert not str(reasons[7]).startswith("filling")


def test_a_whole_recording_is_decided_from_its_first_second_all_the_same(tiny_bundle, device, worn, tmp_path):
    signals = {name: (s.samples, s.sampling_rate_hz) for name, s in worn.items()}
    wanted = Device.from_bundle(tiny_bundle).decide(signals)
    run(device, worn)
    device.save_state(tmp_path / "anna")
    again = Device.from_bundle(tiny_bundle)
    again.load_state(tmp_path / "anna")
    assert list(again.decide(signals)) == list(wanted)
    short = {name: (samples[..., : int(50 * rate)], rate) for name, (samples, rate) in signals.items()}
    with pytest.raises(BridgeError, match="enrolment takes 60 s"):
        again.decide(short)


def test_the_file_is_whole_and_its_owners_alone(device, worn, tmp_path):
    path = tmp_path / "anna"
    path.write_text("older")
    device.save_state(path)
    assert path.read_bytes() == Bridge(device.front_end).save()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["anna"]


def test_a_file_that_cannot_be_used_is_refused_by_name_and_changes_nothing(tiny, device, tmp_path):
    good = Bridge(device.front_end).save()
    flipped = bytearray(good)
    flipped[30] ^= 4
    other = Bridge(tiny.front_end(enrolment_s=65.0)).save()
    path = tmp_path / "state"
    for content, words in (
        (b"", "the state is cut short"),
        (good[:-1], "the state is cut short"),
        (bytes(flipped), "the state was changed, or is none"),
        (b"PK\3\4" * 30, "the state was changed, or is none"),
        (good + b"\n", "the state was changed, or is none"),
        (other, "the state is of another front end"),
        (bytes(2 << 20), "expected at most 1 MiB"),
    ):
        path.write_bytes(content)
        with pytest.raises(BridgeError) as refused:
            device.load_state(path)
        assert str(refused.value).startswith(f"{path}: {words}")
        assert device.bridge.save() == good
    for missing in (tmp_path / "no", tmp_path, "\0"):
        with pytest.raises(BridgeError, match="expected the file of a saved state; there is none"):
            device.load_state(missing)
    for nowhere in (tmp_path / "no" / "state", tmp_path, "a\0b"):
        with pytest.raises(BridgeError, match="cannot be written"):
            device.save_state(nowhere)


def test_a_device_that_was_used_loads_nothing(device, tmp_path):
    device.save_state(tmp_path / "state")
    device.push("eda", np.ones((1, 4), np.float32), 0.0)
    with pytest.raises(BridgeError, match="samples came before the state"):
        device.load_state(tmp_path / "state")


@pytest.mark.parametrize("end", [None, KeyboardInterrupt, BrokenPipeError, BridgeError])
def test_what_was_learnt_is_kept_however_a_session_ends(tiny, tiny_bundle, device, tmp_path, end):
    path = tmp_path / "state"
    try:
        with kept_state(device, path):
            assert read_state(path) == Bridge(device.front_end).save()
            run(device, tiny.signals(30.0))
            if end:
                raise end
    except (KeyboardInterrupt, BrokenPipeError, BridgeError):
        assert end
    assert read_state(path) == device.bridge.save() != Bridge(device.front_end).save()
    again = Device.from_bundle(tiny_bundle)
    with kept_state(again, path):
        assert again.shortest_s == 50
    with kept_state(again, None):
        pass


def test_what_was_learnt_is_saved_every_minute(tiny, device, tmp_path):
    path = tmp_path / "state"
    with kept_state(device, path) as kept:
        begun = read_state(path)
        run(device, tiny.signals(30.0))
        for time_s, saved in ((59.9, False), (60.0, True)):
            kept.reached(time_s)
            assert (read_state(path) != begun) == saved
        now = read_state(path)
        path.write_bytes(b"")
        kept.reached(119.0)
        assert read_state(path) == b""
        kept.reached(300.0)
        assert read_state(path) == now
        kept.reached(310.0)


def test_a_disk_that_fills_up_ends_no_session_but_is_said_once(device, tmp_path):
    kept = KeptState(device, tmp_path / "no" / "state")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for minute in range(1, 4):
            kept.reached(60.0 * minute)
    assert len(said) == 1
    assert str(said[0].message).endswith(
        "cannot be written (No such file or directory). The session goes on."
    )


def test_a_session_does_not_begin_with_a_file_that_is_no_state(device, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a state, and precious")
    with pytest.raises(BridgeError, match=r"notes\.txt: the state was changed, or is none"):
        with kept_state(device, path):
            raise AssertionError("it began")
    assert path.read_text() == "not a state, and precious"
    with pytest.raises(BridgeError, match="cannot be written"):
        with kept_state(device, tmp_path / "no" / "state"):
            raise AssertionError("it began")
