# SPDX-License-Identifier: Apache-2.0
"""BrainFlow's synthetic board as a live source; its signals are SIMULATED."""

import time

import pytest
from mmq_bridge.core_binding.native import Bridge
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.sources.boards import BoardSource
from mmq_bridge.sources.session import LiveSession

pytest.importorskip("brainflow")


class Tokens:
    """As much of a `Device` as a session uses, with tokens for decisions."""

    def __init__(self, front_end):
        self.front_end, self.presence = front_end, []
        self._bridge = Bridge(front_end)

    def take(self, modality, samples, time_s):
        self._bridge.push(modality, samples, time_s)
        return self._popped()

    def advance(self, time_s):
        self._bridge.advance(time_s)
        return self._popped()

    def _popped(self):
        while (token := self._bridge.pop_token()) is not None:
            self.presence.append(token[1])
        return []


def board(front_end, name="synthetic"):
    says: list[str] = []
    return BoardSource(front_end, name, says.append), says


def test_the_synthetic_board_delivers_its_sensors():
    front_end = FrontEnd.wearable({"eeg": 250, "eda": 250, "acc": 250}, {"eeg": ("C3", "Fz")})
    source, says = board(front_end)
    try:
        time.sleep(0.6)
        found = {arrival.modality: arrival for arrival in source.poll()}
        source.reject("eda")
        time.sleep(0.1)
        later = {arrival.modality for arrival in source.poll()}
    finally:
        source.close()
    assert source.simulated
    assert set(found) == {"eeg", "eda", "acc"}
    assert later <= {"eeg", "acc"} == source.connected
    assert [len(found[name].samples) for name in ("eeg", "eda", "acc")] == [2, 1, 3]
    stamps = found["eeg"].stamps_s
    assert len(stamps) == found["eeg"].samples.shape[1] > 20
    assert abs(stamps[-1] - source.now_s()) < 60
    assert says == [f"{name}: from board synthetic" for name in ("eeg", "eda", "acc")]


@pytest.mark.slow
def test_a_session_on_the_synthetic_board_has_its_sensors_present():
    """The core, without a model: every token of a second holds all sensors."""
    front_end = FrontEnd.wearable({"temp": 250, "acc": 250}, token_s=1.0, tokens=2)
    source, says = board(front_end)
    device = Tokens(front_end)
    session = LiveSession(device, source, says.append)  # type: ignore[arg-type]
    end = time.monotonic() + 20
    while len(device.presence) < 3 and time.monotonic() < end:
        session.step()
        time.sleep(0.05)
    source.close()
    assert len(device.presence) >= 3
    assert all(device.presence[1])
    assert len(says) == 2


def test_a_board_that_fails_costs_its_sensors_only():
    source, says = board(FrontEnd.wearable({"temp": 250}))
    shim = source._board
    shim.release_session()
    assert source.poll() == source.poll() == []
    assert not source.connected
    assert says[1].startswith("board: ")
    assert says[1].endswith("its sensors count as missing from now on")
    assert len(says) == 2
    source.close()


def test_what_a_board_cannot_serve_is_named():
    source, says = board(FrontEnd.wearable({"ppg": 64, "temp": 250}))
    source.close()
    assert source.connected == {"temp"}
    assert says[0].startswith("stream 'Synthetic' is no ppg for this bundle: expected 64 Hz, got 250 Hz")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("toaster", "board 'toaster': expected synthetic or a name of BrainFlow's BoardIds"),
        ("CYTON_BOARD,port=3", "board setting 'port=3': expected KEY=VALUE with a key of .*serial_port"),
        ("CYTON_BOARD,serial_port=/dev/no-such-port", "board CYTON_BOARD: expected it to start"),
        ("CYTON_BOARD,ip_port=many", "board setting 'ip_port=many'"),
    ],
)
def test_a_board_that_is_not_there_is_one_sentence(name, says):
    with pytest.raises(BridgeError, match=says):
        board(FrontEnd.wearable({"eeg": 250, "acc": 250}, {"eeg": ("eeg1",)}), name)


def test_a_bundle_that_no_row_serves_is_refused():
    with pytest.raises(BridgeError, match="board: expected any of ppg as the bundle takes them, got: stream"):
        board(FrontEnd.wearable({"ppg": 64}))
