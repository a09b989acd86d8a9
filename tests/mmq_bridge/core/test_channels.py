# SPDX-License-Identifier: Apache-2.0
"""Many channels: a dead one leaves the others alone, too many make a token absent, a matrix passes it on."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from mmq_bridge.core_binding.native import Bridge, apply_spatial, extract_tokens
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd, Normalisation
from mmq_bridge.reference.quality import quality

NAMES = ("Fp1", "Fp2", "F3", "F4", "C3", "C4", "O1", "O2", "T7", "T8", "Pz", "Cz")
DEAD = {
    "lost": lambda x: np.full(len(x), np.nan),
    "range": lambda x: np.full(len(x), 1e9),
    "flat": lambda x: np.zeros(len(x)),
    "saturated": lambda x: 170_000 + x,
    "strong": lambda x: 100 * x,
}


def eeg(made: SimpleNamespace, seconds: float = 40) -> np.ndarray:
    return made.made_up(seconds, {"eeg": 128.0}, seed=1, channels={"eeg": len(NAMES)})["eeg"].samples


def front_end(**settings: object) -> FrontEnd:
    part = {"sampling_rate_hz": 128, "channels": NAMES} | settings
    return FrontEnd.from_json(json.dumps({"modalities": {"eeg": part}}))


def tokens(made: SimpleNamespace, fe: FrontEnd, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features [n, channels, 10] and reasons [n], which must be the twin's."""
    signals = {"eeg": made.Plain(x, 128.0)}
    stream, twin = extract_tokens(fe, signals), quality(fe, signals)
    certain = twin.certain[:, 0]
    np.testing.assert_array_equal(stream.reasons[certain, 0], twin.reasons[certain, 0])
    return stream.features.reshape(len(stream.features), -1, 10), stream.reasons[:, 0]


@pytest.mark.parametrize("how", DEAD)
@pytest.mark.parametrize("where", ["always", "from 10 s", "10 to 20 s"])
def test_a_dead_electrode_leaves_the_others_untouched(made: SimpleNamespace, how: str, where: str) -> None:
    whole, broken = eeg(made), eeg(made)
    first, stop = {"always": (0, 40), "from 10 s": (10, 40), "10 to 20 s": (10, 20)}[where]
    broken[5, 128 * first : 128 * stop] = DEAD[how](whole[5, 128 * first : 128 * stop])
    wanted, none = tokens(made, front_end(), whole)
    got, reasons = tokens(made, front_end(), broken)
    assert not none.any()
    assert not reasons.any()
    others = [c for c in range(len(NAMES)) if c != 5]
    np.testing.assert_array_equal(got[:, others], wanted[:, others])
    dead = slice(first // 5, stop // 5)
    assert np.isnan(got[dead, 5]).all()
    np.testing.assert_array_equal(got[: first // 5, 5], wanted[: first // 5, 5])
    if where == "10 to 20 s" and how in ("lost", "range"):
        fresh = extract_tokens(front_end(), {"eeg": made.Plain(whole[:, 128 * 20 :], 128.0)}).features
        np.testing.assert_array_equal(got[4:, 5], fresh.reshape(len(fresh), -1, 10)[:, 5])


@pytest.mark.parametrize(("dead", "absent"), [(3, False), (4, True), (12, True)])
def test_over_a_quarter_of_dead_electrodes_makes_the_token_absent(
    made: SimpleNamespace, dead: int, absent: bool
) -> None:
    x = eeg(made)
    x[:dead, 128 * 20 :] = np.nan
    features, reasons = tokens(made, front_end(), x)
    assert not reasons[:4].any()
    assert (reasons[4:] != 0).all() == (reasons[4:] != 0).any() == absent
    assert np.isnan(features[4:, :dead]).all() or absent
    assert np.isfinite(features[4:, dead:]).all()


def test_without_a_share_one_dead_channel_is_one_too_many(made: SimpleNamespace) -> None:
    x = eeg(made)
    x[3, 128 * 20 : 128 * 23] = np.nan
    _, reasons = tokens(made, front_end(max_bad_share=0), x)
    assert reasons.astype(bool).tolist() == [False] * 4 + [True] + [False] * 3
    old = FrontEnd.wearable({"eeg": 128}, {"eeg": NAMES}, frontend_version=1)
    stream = extract_tokens(old, {"eeg": made.Plain(x, 128.0)})
    np.testing.assert_array_equal(stream.reasons[:, 0], reasons)


def test_a_dead_electrode_is_zero_once_normalised(made: SimpleNamespace) -> None:
    x = eeg(made)
    x[2] = np.nan
    fe = front_end()
    count = fe.n_features
    fe = fe.with_normalisation(Normalisation(mode="running", mean=(1.0,) * count, std=(2.0,) * count))
    bridge = Bridge(fe)
    bridge.push("eeg", x, 0.0)
    token = bridge.pop_token()
    assert token is not None
    rows = token[0].reshape(len(NAMES), 10)
    assert token[1].all()
    assert not rows[2].any()
    assert np.delete(rows, 2, axis=0).all()


@pytest.mark.parametrize(
    ("name", "rate", "channels", "size"),
    [("eog", 128.0, 9, 10), ("emg", 500.0, 3, 12), ("ecg", 250.0, 2, 7), ("ppg", 64.0, 2, 10),
     ("eda", 4.0, 2, 6), ("temp", 4.0, 3, 3), ("resp", 32.0, 2, 4)],
)  # fmt: skip
def test_every_modality_keeps_its_channels_apart(
    made: SimpleNamespace, name: str, rate: float, channels: int, size: int
) -> None:
    fe = FrontEnd.model_validate(
        {"modalities": {name: {
            "sampling_rate_hz": rate, "max_bad_share": 0.6, "channels": [f"c{i}" for i in range(channels)]}}}
    )  # fmt: skip
    whole = made.made_up(60, {name: rate}, seed=4, channels={name: channels})[name].samples
    broken = whole.copy()
    broken[1, int(21 * rate) : int(34 * rate)] = np.nan
    wanted, got = (extract_tokens(fe, {name: made.Plain(x, rate)}) for x in (whole, broken))
    first = made.unsettled(fe, name)
    assert wanted.presence[first:].all()
    assert got.presence[first:].all()
    shape = (len(got.features), channels, size)
    others = [c for c in range(channels) if c != 1]
    np.testing.assert_array_equal(
        got.features.reshape(shape)[:, others], wanted.features.reshape(shape)[:, others]
    )
    assert np.isnan(got.features.reshape(shape)[4:6, 1]).all()
    alone = FrontEnd.wearable({name: rate}, {name: ("c",)})
    single = extract_tokens(alone, {name: made.Plain(whole[:1], rate)})
    np.testing.assert_array_equal(single.features, wanted.features.reshape(shape)[:, 0])


def test_each_accelerometer_is_judged_by_its_own_axes(made: SimpleNamespace) -> None:
    names = ("wrist_x", "wrist_y", "wrist_z", "chest_x", "chest_y", "chest_z")
    part = {"sampling_rate_hz": 32, "channels": names, "max_bad_share": 0.5}
    fe = FrontEnd.from_json(json.dumps({"modalities": {"acc": part}}))
    whole = made.made_up(40, {"acc": 32.0}, channels={"acc": 6})["acc"].samples
    broken = whole.copy()
    broken[4, 32 * 10 : 32 * 20] = np.nan
    wanted, got = (extract_tokens(fe, {"acc": made.Plain(x, 32.0)}) for x in (whole, broken))
    assert got.presence.all()
    np.testing.assert_array_equal(got.features[:, :7], wanted.features[:, :7])
    assert np.isnan(got.features[2:4, 7:]).all()
    chest = [i for i, name in enumerate(fe.feature_names) if name.startswith("acc.chest")]
    assert chest == list(range(7, 14))


def matrix_front_end(rows: list[list[float]], **settings: object) -> FrontEnd:
    outputs = [f"out{i}" for i in range(len(rows))]
    return front_end(spatial={"method": "test", "outputs": outputs, "matrix": rows}, **settings)


def test_the_matrix_is_applied_to_every_sample(made: SimpleNamespace) -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((5, len(NAMES)))
    fe, x = matrix_front_end(rows.tolist()), eeg(made)
    mixed = apply_spatial(fe, "eeg", x)
    np.testing.assert_allclose(mixed, rows.astype(np.float32).astype(np.float64) @ x, rtol=0, atol=2e-4)
    wanted = made.check(fe, {"eeg": made.Plain(x, 128.0)})
    outputs = FrontEnd.wearable({"eeg": 128}, {"eeg": tuple(f"out{i}" for i in range(5))})
    directly = extract_tokens(outputs, {"eeg": made.Plain(mixed, 128.0)}).features
    np.testing.assert_allclose(directly, wanted, atol=1e-3)  # linear: before or after the baseline is one


def test_without_a_matrix_samples_stay_as_they_are(made: SimpleNamespace) -> None:
    x = eeg(made, 2)
    np.testing.assert_array_equal(apply_spatial(front_end(), "eeg", x), x)
    for arguments, message in (
        (("ecg", x), "expected one of eeg"),
        (("eeg", x[:3]), r"samples \[12, frames\]"),
    ):
        with pytest.raises(BridgeError, match=message):
            apply_spatial(front_end(), *arguments)


def test_a_matrix_passes_a_dead_electrode_on_by_its_weight(made: SimpleNamespace) -> None:
    """Common average of 12: one dead electrode spoils its own output only; a difference spoils both."""
    average = np.eye(12) - 1 / 12
    x = eeg(made)
    x[0, 128 * 10 :] = np.nan
    features, reasons = tokens(made, matrix_front_end(average.tolist()), x)
    assert not reasons.any()
    assert np.isnan(features[2:, 0]).all()
    assert np.isfinite(features[2:, 1:]).all()
    pairs = [[1.0, -1.0] + [0.0] * 10, [0.0, 1.0, -1.0] + [0.0] * 9, [1.0, 1.0, 1.0, 1.0] + [0.0] * 8]
    features, reasons = tokens(made, matrix_front_end(pairs, max_bad_share=0.5), x)
    assert not reasons.any()
    assert np.isnan(features[2:]).all(axis=(0, 2)).tolist() == [True, False, False]
    _, reasons = tokens(made, matrix_front_end(pairs), x)
    assert (reasons[2:] != 0).all()
