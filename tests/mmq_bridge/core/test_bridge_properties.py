# SPDX-License-Identifier: Apache-2.0
"""Properties of the bridge: chunking, independence of modalities, hostile samples."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmq_bridge.core_binding.native import Bridge, extract_tokens, normalise_tokens
from mmq_bridge.core_binding.quality_flags import Reason
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd, Normalisation
from mmq_bridge.front_end.modalities import SUPPORTED_MODALITIES

SAMPLES = int(sum(reason for reason in Reason if reason < Reason.WEAK))
FEW = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def unit_statistics(front_end: FrontEnd, mode: str) -> FrontEnd:
    count = front_end.n_features
    return front_end.with_normalisation(
        Normalisation(mode=mode, mean=(0.0,) * count, std=(1.0,) * count, enrolment_s=10)  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module")
def recording(made: SimpleNamespace) -> dict:
    signals = made.made_up(36, made.ALL, seed=7)
    rng = np.random.default_rng(8)
    for signal in signals.values():
        n = signal.samples.shape[1]
        for start in rng.integers(0, n, 3):
            signal.samples[:, start : start + int(rng.integers(1, n // 8))] = np.nan
    signals["ppg"].start_s = 0.3
    signals["acc"].start_s = 1.01
    return signals


@FEW
@pytest.mark.parametrize("version", [2, 3])
@given(chunk_s=st.lists(st.floats(0.02, 1.7), min_size=1, max_size=6))
def test_chunking_does_not_change_tokens(
    made: SimpleNamespace, recording: dict, version: int, chunk_s: list[float]
) -> None:
    front_end = FrontEnd.wearable(made.ALL, frontend_version=version)
    whole = extract_tokens(front_end, recording)
    rows, presence = made.tokens_in_chunks(front_end, recording, chunk_s)
    assert len(rows) >= 7
    np.testing.assert_array_equal(rows[:7], whole.features[:7])
    np.testing.assert_array_equal(presence[:7], whole.presence[:7])


@FEW
@given(
    others=st.sets(st.sampled_from(SUPPORTED_MODALITIES)),
    kept=st.sampled_from(["ecg", "ppg", "acc", "eda", "emg", "resp"]),
)
def test_features_do_not_depend_on_other_modalities(
    made: SimpleNamespace, recording: dict, others: set[str], kept: str
) -> None:
    alone = extract_tokens(FrontEnd.wearable({kept: made.ALL[kept]}), {kept: recording[kept]})
    rates = {name: made.ALL[name] for name in made.ALL if name in others | {kept}}
    front_end = FrontEnd.wearable(rates)
    together = extract_tokens(front_end, recording)
    part, m = front_end.feature_slices[kept], front_end.modality_names.index(kept)
    n = min(len(alone.features), len(together.features))
    np.testing.assert_array_equal(together.features[:n, part], alone.features[:n])
    np.testing.assert_array_equal(together.presence[:n, m], alone.presence[:n, 0])


@MANY
@given(
    name=st.sampled_from(SUPPORTED_MODALITIES),
    channels=st.integers(1, 3),
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(["bytes", "huge", "tiny", "steps", "mixed"]),
    mode=st.sampled_from(["population", "enrolment", "running"]),
    version=st.sampled_from([2, 3]),
)
def test_random_bytes_never_give_a_non_finite_feature(
    made: SimpleNamespace, name: str, channels: int, seed: int, kind: str, mode: str, version: int
) -> None:
    rng, rate = np.random.default_rng(seed), made.ALL[name]
    count = {name: channels * 3 if name == "acc" else channels}
    plain = FrontEnd.wearable({name: rate}, made.numbered(count), frontend_version=version)
    front_end = unit_statistics(plain, mode)
    shape = (len(front_end.modalities[name].channels), int(40 * rate))
    modality = front_end.modalities[name]
    noise = rng.bytes(4 * shape[0] * shape[1])
    samples = np.frombuffer(noise, np.float32).reshape(shape).copy()
    if kind == "huge":
        samples = rng.choice([modality.minimum, modality.maximum], shape).astype(np.float32)
    elif kind == "tiny":
        samples = (modality.minimum + rng.random(shape) * 1e-30).astype(np.float32)
    elif kind == "steps":
        samples = np.repeat(
            rng.uniform(modality.minimum, modality.maximum, shape[:1] + (40,)), int(rate), axis=1
        )
    elif kind == "mixed":
        plain = made.made_up(40, {name: rate}, seed=1, channels=count)[name].samples
        samples = np.where(rng.random(shape) < 0.05, samples, plain)
    stream = extract_tokens(front_end, {name: made.Plain(samples.astype(np.float32), rate)})
    assert not np.isinf(stream.features).any()
    assert np.isfinite(normalise_tokens(front_end, stream.features, stream.presence)).all()


@MANY
@given(
    pushes=st.lists(
        st.tuples(
            st.sampled_from(["ppg", "eda", "acc"]),
            st.integers(0, 700),
            st.one_of(st.floats(-20, 80), st.floats(allow_nan=False, min_value=-4e9, max_value=4e9)),
        ),
        max_size=12,
    )
)
def test_any_order_of_times_is_harmless(pushes: list[tuple[str, int, float]]) -> None:
    front_end = unit_statistics(FrontEnd.wearable({"ppg": 64, "eda": 4, "acc": 32}, tokens=4), "running")
    bridge, last, seen_s, origin_s, wrapped = Bridge(front_end), 0, 0.0, None, False
    for name, frames, time_s in pushes:
        samples = np.random.default_rng(frames).random((len(front_end.modalities[name].channels), frames))
        first_s = (0.0 if abs(time_s) <= 60 else time_s) if origin_s is None else origin_s
        ahead_s = time_s - first_s - seen_s
        wrapped |= time_s >= 0 and ahead_s < -(2**31) / 1000
        refused = False
        try:
            bridge.push(name, samples, time_s)
        except BridgeError:
            refused = True
        assert wrapped or (ahead_s > 863_999.999 if refused else ahead_s < 864_000.001)
        if frames and not refused:
            origin_s = first_s
            end_s = time_s - origin_s + frames / front_end.modalities[name].sampling_rate_hz
            seen_s = max(seen_s, end_s)
        assert bridge.closed >= last
        last = bridge.closed
        while (token := bridge.pop_token()) is not None:
            assert np.isfinite(token[0]).all()
    if bridge.ready:
        assert np.isfinite(bridge.window()[0]).all()


@MANY
@given(
    rates=st.fixed_dictionaries(
        {},
        optional={
            "eeg": st.sampled_from([100.0, 128.0, 250.0, 500.0, 512.0, 2048.0]) | st.floats(100, 2000),
            "ecg": st.sampled_from([130.0, 250.0, 360.0, 1000.0]) | st.floats(60, 2000),
            "ppg": st.sampled_from([25.0, 50.0, 51.2, 64.0, 100.0, 125.0]) | st.floats(20, 1000),
            "eda": st.floats(1, 200),
            "temp": st.floats(1, 100),
            "acc": st.floats(10, 200),
            "eog": st.floats(100, 1000),
            "emg": st.sampled_from([250.0, 1000.0, 2000.0]) | st.floats(100, 4000),
            "resp": st.sampled_from([10.0, 25.0, 32.0, 250.0]) | st.floats(4, 1000),
        },
    ),
    token_s=st.floats(1, 12),
    context_s=st.floats(1, 60),
)
def test_the_core_accepts_every_valid_front_end(
    made: SimpleNamespace, rates: dict[str, float], token_s: float, context_s: float
) -> None:
    parts = {name: {"sampling_rate_hz": rate, "context_s": context_s} for name, rate in rates.items()}
    try:
        front_end = FrontEnd.from_json(json.dumps({"modalities": parts, "token_s": token_s}))
    except BridgeError:
        return
    signals = made.made_up(2.5 * token_s, rates)
    stream = extract_tokens(front_end, signals)
    assert len(stream.features) == 2
    # Of a token of one second the shape of a wave cannot be told: only what every sample shows.
    assert not (stream.reasons & SAMPLES).any()
