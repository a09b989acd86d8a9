# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmq_bridge.bundle.golden import GoldenSignal
from mmq_bridge.decision.replay import Drop, replay, select, steps
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd


def signal(rate_hz, seconds, start_s=0.0, channels=1):
    count = round(rate_hz * seconds)
    samples = np.arange(channels * count, dtype=np.float32).reshape(channels, count)
    return GoldenSignal(samples, rate_hz, start_s)


def joined(chunks, modality):
    return np.concatenate([c.samples for c in chunks if c.modality == modality], axis=1)


@settings(max_examples=40, deadline=None)
@given(
    rate_hz=st.sampled_from([4.0, 31.25, 64.0, 500.0]),
    start_s=st.floats(0, 20),
    chunk_s=st.floats(0.05, 7),
)
def test_every_sample_is_delivered_once_and_in_order(rate_hz, start_s, chunk_s):
    signals = {"ppg": signal(rate_hz, 9, start_s), "acc": signal(32.0, 11, channels=3)}
    chunks = list(replay(signals, chunk_s))
    for name, given_signal in signals.items():
        np.testing.assert_array_equal(joined(chunks, name), given_signal.samples)
    for chunk in chunks:
        source = signals[chunk.modality]
        index = int(chunk.samples[0, 0])
        assert chunk.time_s == pytest.approx(source.start_s + index / source.sampling_rate_hz)


def test_steps_go_on_in_time_while_every_sensor_is_silent():
    signals = {"eda": signal(4.0, 30)}
    seen = [(now, len(chunks)) for now, chunks in steps(signals, 5.0, [Drop("eda", 10, 20)])]
    assert seen == [(5, 1), (10, 1), (15, 0), (20, 0), (25, 1), (30, 1)]


def test_a_drop_removes_exactly_its_seconds():
    signals = {"ppg": signal(64.0, 30), "eda": signal(4.0, 30)}
    chunks = list(replay(signals, 1.0, [Drop("ppg", 10.5, 20), Drop("ppg", 25, math.inf)]))
    kept = joined(chunks, "ppg")[0] / 64.0
    assert not ((kept >= 10.5) & (kept < 20)).any()
    assert not (kept >= 25).any()
    assert len(kept) == round((10.5 + 5) * 64)
    assert joined(chunks, "eda").shape[1] == 120


@pytest.mark.parametrize(
    "text", ["ppg", "ppg@", "ppg@60", "ppg@120-60", "ppg@5-5", "@1-2", "ppg@-1-2", "ppg@1e9-2", "ppg@nan-2"]
)
def test_a_bad_drop_is_one_sentence_with_an_example(text):
    with pytest.raises(BridgeError, match="ppg@60-120"):
        Drop.parse(text)


def test_a_drop_of_an_absent_sensor_names_what_is_there():
    with pytest.raises(BridgeError, match="has no ecg; it has eda"):
        list(replay({"eda": signal(4.0, 5)}, drop=[Drop("ecg", 1, 2)]))


@pytest.mark.parametrize("chunk_s", [0, -1, math.nan, math.inf, 1e9])
def test_an_impossible_chunk_is_refused(chunk_s):
    with pytest.raises(BridgeError, match="chunk_s"):
        list(replay({"eda": signal(4.0, 5)}, chunk_s))


def test_select_takes_the_front_ends_sensors_in_its_order_and_checks_rates():
    front_end = FrontEnd.wearable({"ppg": 64, "eda": 4})
    signals = {"temp": signal(4, 5), "eda": signal(4, 5), "ppg": signal(64, 5)}
    assert list(select(front_end, signals)) == ["ppg", "eda"]
    with pytest.raises(BridgeError, match="ppg: expected 1 channel.* at 64 Hz .*got 1 at 100 Hz"):
        select(front_end, {"ppg": signal(100, 5)})
    with pytest.raises(BridgeError, match="expected any of ppg, eda, got temp"):
        select(front_end, {"temp": signal(4, 5)})
