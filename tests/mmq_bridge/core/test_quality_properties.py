# SPDX-License-Identifier: Apache-2.0
"""Under random losses and faults the core's reasons are those of the rules' definitions."""

from types import SimpleNamespace

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from mmq_bridge.core_binding.native import Bridge, extract_tokens
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.reference.quality import quality

SOME = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SECONDS = 30
FAULTS = ("nan", "range", "flat", "rail", "step", "loud", "quiet", "noise", "mains")

fault = st.tuples(
    st.sampled_from(FAULTS),
    st.integers(0, 3),
    st.booleans(),
    st.floats(0, SECONDS),
    st.floats(0.0, 1.0),
)
"""What, in which channel (or in all), from when, how long (0 to 1: 20 ms to 20 s, evenly in logarithms)."""


def put(x: np.ndarray, front_end: FrontEnd, name: str, faults: list, rng: np.random.Generator) -> None:
    modality = front_end.modalities[name]
    rate, n = modality.sampling_rate_hz, x.shape[1]
    level, spread = np.median(x), float(np.std(x))
    for kind, channel, everywhere, start_s, length in faults:
        rows = slice(None) if everywhere else channel % len(x)
        first = int(start_s * rate)
        where = slice(first, min(n, first + 1 + int(20 * rate * 1e-3 ** (1 - length))))
        count = len(range(*where.indices(n)))
        if kind == "step":
            x[rows, first:] += 1.5 * modality.max_step_per_s / rate
        elif kind == "loud":
            x[rows, where] *= 20
        else:
            x[rows, where] = {
                "nan": np.full(count, np.nan),
                "range": np.full(count, 1e9),
                "flat": np.full(count, level),
                "rail": np.full(count, 1.0001 * modality.rail_high),
                "quiet": level + 1e-6 * spread * rng.standard_normal(count),
                "noise": level + spread * rng.standard_normal(count),
                "mains": level + spread * np.sin(2 * np.pi * 50 * np.arange(count) / rate),
            }[kind]


@SOME
@given(
    name=st.sampled_from(["eeg", "eog", "emg", "ecg", "ppg", "eda", "temp", "acc", "resp"]),
    channels=st.integers(1, 4),
    token_s=st.sampled_from([2.0, 5.0]),
    share=st.sampled_from([None, 0.0, 0.4]),
    version=st.sampled_from([2, 3]),
    faults=st.lists(fault, max_size=6),
    seed=st.integers(0, 2**32 - 1),
)
@example(
    name="ecg", channels=1, token_s=2.0, share=None, version=2, faults=[("flat", 0, False, 0.0, 1.0)], seed=0
)
def test_reasons_are_those_of_the_definitions(
    made: SimpleNamespace,
    name: str,
    channels: int,
    token_s: float,
    share: float | None,
    version: int,
    faults: list,
    seed: int,
) -> None:
    count = channels * 3 if name == "acc" else channels
    part = {"sampling_rate_hz": made.ALL[name], "channels": [f"c{i}" for i in range(count)]}
    if share is not None:
        part["max_bad_share"] = share
    front_end = FrontEnd.model_validate(
        {"frontend_version": version, "token_s": token_s, "modalities": {name: part}}
    )
    signals = made.made_up(SECONDS, {name: made.ALL[name]}, seed=seed, channels={name: count})
    put(signals[name].samples, front_end, name, faults, np.random.default_rng(seed))
    stream, twin = extract_tokens(front_end, signals), quality(front_end, signals)
    certain = twin.certain[:, 0]
    np.testing.assert_array_equal(stream.reasons[certain, 0], twin.reasons[certain, 0])
    np.testing.assert_array_equal(stream.presence, stream.reasons == 0)
    present = stream.presence[:, 0] & certain
    table = stream.features.reshape(len(stream.features), twin.outputs[0].shape[1], -1)
    assert np.isnan(table[present][twin.outputs[0][present] != 0]).all()


@SOME
@given(
    off=st.lists(st.tuples(st.integers(0, 29), st.integers(0, 7)), max_size=10),
    lost=st.lists(st.tuples(st.integers(0, 2), st.floats(0, 29), st.floats(0.01, 6)), max_size=4),
    share=st.sampled_from([0.0, 0.4]),
)
def test_lead_off_with_losses(
    made: SimpleNamespace, off: list[tuple[int, int]], lost: list[tuple[int, float, float]], share: float
) -> None:
    """The driver reports each second; losses come on top."""
    part = {"sampling_rate_hz": 128, "channels": ["a", "b", "c"], "max_bad_share": share}
    front_end = FrontEnd.model_validate({"modalities": {"eeg": part}})
    signals = made.made_up(SECONDS, {"eeg": 128.0}, channels={"eeg": 3})
    x, flags = signals["eeg"].samples, np.zeros((3, SECONDS * 128), bool)
    for channel, start_s, length_s in lost:
        x[channel, int(128 * start_s) : int(128 * (start_s + length_s))] = np.nan
    bridge, bits = Bridge(front_end), 0
    for second in range(SECONDS):
        where = slice(128 * second, 128 * second + 128)
        bits = dict(off).get(second, bits)
        flags[:, where] = np.array([[bits >> c & 1] for c in range(3)], bool)
        bridge.lead_off("eeg", bits)
        bridge.push("eeg", x[:, where], float(second))
    twin = quality(front_end, signals, {"eeg": flags})
    found = np.array([bridge.reason_bits(k)[0] for k in range(6)])
    certain = twin.certain[:, 0]
    np.testing.assert_array_equal(found[certain], twin.reasons[certain, 0])
