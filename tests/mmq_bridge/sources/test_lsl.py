# SPDX-License-Identifier: Apache-2.0
"""Lab Streaming Layer on loopback: found by type, lost and back, refused with a word; markers."""

import socket
import threading
import time

import numpy as np
import pytest
from mmq_bridge.cli.stream import decisions as replayed
from mmq_bridge.decision.device import Device
from mmq_bridge.decision.replay import Drop
from mmq_bridge.errors import BridgeError
from mmq_bridge.sources.lsl import LSLSource
from mmq_bridge.sources.lsl_link import Link, describe
from mmq_bridge.sources.lsl_markers import MarkerOutlet
from mmq_bridge.sources.lsl_player import Player
from mmq_bridge.sources.matching import Fit
from mmq_bridge.sources.session import LiveSession

SPEED = 20.0


def outlet(lsl, kind, rate, channels=1, unit="", name="Device", source_id="device"):
    info = lsl.StreamInfo(name, kind, channels, rate, "float32", source_id)
    info.set_channel_units(unit)
    return lsl.StreamOutlet(info)


@pytest.fixture
def listen(tiny):
    """Return a source that has found its streams, and what it said; close it afterwards."""
    opened = []

    def begin(wait_s=5.0, pick=None):
        says: list[str] = []
        source = LSLSource(tiny.front_end(), says.append, pick)
        opened.append(source)
        source.find(wait_s)
        return source, says

    yield begin
    for source in opened:
        source.close()


def until(condition, wait_s=15.0):
    """Wait for something; whether it happened."""
    end = time.monotonic() + wait_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


@pytest.mark.slow
def test_decisions_on_loopback_with_losses_are_those_of_a_replay(lsl, live, tiny_bundle):
    """150 s at 20x: the pulse sensor's stream ends and returns, the skin's falls silent for a while."""
    signals = live.signals(150.0)
    drops = [Drop("ppg", 40.0, 100.0), Drop("eda", 70.0, 80.0)]
    player = Player(signals, "fake", "mmq-tf-test-loopback", True, SPEED, drops)
    stop = threading.Event()

    def play():
        player.wait_for_listener(stop)
        list(player.play())

    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    device, says = Device.from_bundle(tiny_bundle), []
    source = LSLSource(device.front_end, says.append)
    source.find(20.0)
    session, decisions = LiveSession(device, source, says.append), []
    while thread.is_alive():
        decisions += session.step()
        time.sleep(0.03)
    decisions += session.step() + session.finish()
    source.close()
    player.close()
    assert source.simulated
    assert {gap.modality for gap in player.gaps} == {"ppg", "eda"}
    expected = list(replayed(Device.from_bundle(tiny_bundle), signals, player.gaps, 0))
    assert [d.time_s for d in decisions] == [d.time_s for d in expected]
    assert [d.absent for d in decisions[:8]] == [d.absent for d in expected[:8]]
    assert "ppg: its stream is lost; it counts as missing until it returns" in says
    assert says.count("ppg: from 'fake ppg' on " + says[0].split(" on ")[-1]) == 2
    same = sum(mine == theirs for mine, theirs in zip(decisions, expected, strict=True))
    assert same >= 0.8 * len(expected)  # all of them on a machine that keeps up


@pytest.mark.slow
def test_streams_that_do_not_fit_are_named_and_the_others_go_on(lsl, listen):
    streams = [
        outlet(lsl, "EDA", 4, name="Skin", source_id="skin"),
        outlet(lsl, "PPG", 128, name="Pulse", source_id="pulse"),
        outlet(lsl, "ACC", 32, 2, "g", "Motion", "motion"),
        outlet(lsl, "TEMP", 4, unit="degC", name="Left", source_id="left"),
        outlet(lsl, "TEMP", 4, unit="degC", name="Right", source_id="right"),
        outlet(lsl, "EDA", 0, name="Marks", source_id="marks"),
    ]
    source, says = listen()
    assert set(source.connected) == {"eda"}
    text = "\n".join(says)
    assert "stream 'Pulse' is no ppg for this bundle: expected 64 Hz, got 128 Hz" in text
    assert "stream 'Motion' is no acc for this bundle: expected the channels x, y, z, got 2" in text
    assert "stream 'Marks' is no eda for this bundle: expected 4 Hz, got a stream without a rate" in text
    assert "temp: expected one stream, got 'Left' and 'Right'" in text.replace(
        "'Right' and 'Left'", "'Left' and 'Right'"
    )
    assert "--pick temp=NAME" in text
    picked, _ = listen(pick={"temp": "Right"})
    assert set(picked.connected) == {"eda", "temp"}
    assert len(streams) == 6


@pytest.mark.slow
def test_a_lost_stream_is_taken_again_and_another_one_is_not(lsl, listen):
    first = outlet(lsl, "EDA", 4, unit="uS", name="Band", source_id="mine")
    source, says = listen()
    del first
    assert until(lambda: source.poll() == [] and not source.connected)
    other = outlet(lsl, "EDA", 4, unit="uS", name="Band", source_id="somebody's")
    assert until(lambda: source.poll() == [] and any("is left out" in text for text in says))
    assert not source.connected
    again = outlet(lsl, "EDA", 4, unit="nS", name="Band", source_id="mine")
    assert until(lambda: source.poll() == [] and source.connected)
    again.push_chunk(np.array([[3000.0], [4000.0]], np.float32), 77.25)
    found = []
    assert until(lambda: found.extend(source.poll()) or found)
    assert found[0].modality == "eda"
    np.testing.assert_allclose(found[0].samples, [[3.0, 4.0]])
    np.testing.assert_allclose(found[0].stamps_s, [77.0, 77.25], atol=0.01)
    assert other.have_consumers() is False


def test_what_a_stream_says_of_itself_is_fit_for_a_terminal(lsl):
    info = lsl.StreamInfo("Band\x1b[2J", "EDA", 2, 4, "float32", "x")
    assert describe(info).labels == ("", "")
    info.set_channel_labels(["left\thand", "y" * 500])
    assert describe(info).name == "Band?[2J"
    assert describe(info).labels == ("left?hand", "y" * 80)


@pytest.mark.slow
def test_nothing_to_listen_to_is_an_error(lsl, listen, tiny):
    with pytest.raises(
        BridgeError, match=r"expected a stream of ppg, eda, temp, acc, got none in 0.1 s; start"
    ):
        listen(0.1)
    bad = outlet(lsl, "PPG", 50, name="Slow", source_id="slow")
    with pytest.raises(BridgeError, match="'Slow' is no ppg for this bundle: expected 64 Hz, got 50 Hz"):
        listen(2.0)
    with pytest.raises(BridgeError, match="pick 'ecg': expected a sensor of the bundle: ppg, eda"):
        LSLSource(tiny.front_end(), print, {"ecg": "x"})
    assert bad.have_consumers() is False


def test_decisions_go_out_as_markers(lsl):
    markers = MarkerOutlet("tiny decisions", "mmq-tf-test-markers")
    found = lsl.resolve_byprop("source_id", "mmq-tf-test-markers", timeout=10)
    assert [(info.type(), info.nominal_srate()) for info in found] == [("Markers", 0.0)]
    inlet = lsl.StreamInlet(found[0])
    inlet.open_stream(10)
    markers.push('{"stress": "rest"}', 123.5)
    assert inlet.pull_sample(10) == (['{"stress": "rest"}'], 123.5)


class Inlet:
    """As much of pylsl's inlet as a link uses, on another machine's clock."""

    def __init__(self, corrections):
        self.corrections = corrections

    def pull_chunk(self, **_):
        return np.array([[1.0], [2.0]], np.float32), np.array([10.0, 10.25])

    def time_correction(self, timeout):
        correction = self.corrections.pop(0)
        if isinstance(correction, Exception):
            raise correction
        return correction


def test_stamps_are_brought_to_this_machines_clock_as_it_drifts(lsl):
    inlet = Inlet([500.0, 500.125, lsl.util.TimeoutError(), lsl.util.LostError()])
    link = Link("Band", "mine", "elsewhere", [Fit("eda", (0,), (1.0,))], [], False, inlet)
    assert [link.pull()[0].stamps_s.tolist() for _ in range(3)] == [
        [510.0, 510.25],
        [510.125, 510.375],
        [510.125, 510.375],
    ]
    with pytest.raises(lsl.util.LostError):
        link.pull()


def test_a_stream_of_this_machine_has_its_clock(lsl):
    inlet = Inlet([0.004, -0.004, 30.0])
    link = Link("Band", "mine", socket.gethostname(), [Fit("eda", (0,), (1.0,))], [], False, inlet)
    assert [link.pull()[0].stamps_s[0] for _ in range(3)] == [10.0, 10.0, 40.0]


def test_pylsl_that_is_not_installed_is_one_sentence(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pylsl", None)
    from mmq_bridge.sources.lsl_library import load_lsl

    with pytest.raises(BridgeError, match=r"expected pylsl .*pip install 'mmq-bridge\[live\]'"):
        load_lsl.__wrapped__()
