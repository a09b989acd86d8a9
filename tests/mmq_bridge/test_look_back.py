# SPDX-License-Identifier: Apache-2.0
"""Look-backs: a feature less its mean over the modality's last present tokens."""

import json
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmq_bridge.bundle.golden import GoldenSignal, golden_front_end, replay_golden
from mmq_bridge.core_binding.library import library
from mmq_bridge.core_binding.native import Bridge, extract_tokens, normalise_tokens
from mmq_bridge.core_binding.spec_header import spec_header
from mmq_bridge.core_binding.spec_struct import SpecTables
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd, Normalisation, Quantisation
from mmq_bridge.reference.stream import normalise_measured

MANY = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SLOW = {"eda": 4.0, "temp": 4.0, "acc": 32.0}
WRIST = {"ppg": 64.0, **SLOW}
DAMAGED, FOREIGN, NEWER = 13, 14, 15


def front_end(
    rates: dict[str, float] = SLOW, token_s: float = 1.0, tokens: int = 3, **changes: Any
) -> FrontEnd:
    bare = FrontEnd.wearable(rates, token_s=token_s, tokens=tokens, frontend_version=3)
    count, rng = bare.n_features, np.random.default_rng(1)
    rule = {"enrolment_s": 4 * token_s, "prior_tokens": 3, "look_back_s": 20 * token_s, **changes}
    mean, std = tuple(rng.normal(0, 1, count)), tuple(rng.uniform(0.5, 2, count))
    return bare.with_normalisation(
        Normalisation.model_validate({"mode": "enrolment", "mean": mean, "std": std, **rule})
    )


def one_feature(**changes: Any) -> FrontEnd:
    """Skin temperature whose population is mean 0 and deviation 1, and weighs next to everything."""
    plain = front_end({"temp": 4.0}, look_back_s=10, enrolment_s=2, prior_tokens=1e6, **changes)
    rule = plain.normalisation
    assert rule is not None
    return plain.with_normalisation(rule.model_copy(update={"mean": (0.0,) * 3, "std": (1.0,) * 3}))


def level_back(x: list[float], present: list[bool] | None = None, **changes: Any) -> np.ndarray:
    """Look-back of the level in each of these tokens, over ten sums of one token each."""
    end = one_feature(**changes)
    raw = np.zeros((len(x), 3), np.float32)
    raw[:, 0] = x
    presence = np.ones((len(x), 1), bool) if present is None else np.array(present)[:, None]
    place = end.feature_names.index("temp.level.look_back")
    return normalise_tokens(end, raw, presence)[:, place]


def random_tokens(end: FrontEnd, n: int, seed: int, lost: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    raw = rng.normal(0, 2, (n, end.measured_layout.n_features)).astype(np.float32)
    raw[rng.random(raw.shape) < lost] = np.nan
    return raw, rng.random((n, len(end.modalities))) < rng.uniform(0.4, 1, len(end.modalities))


def same_bits(got: np.ndarray, wanted: np.ndarray) -> None:
    np.testing.assert_array_equal(got.view(np.uint32), wanted.view(np.uint32))


# ---- what it is


def test_it_is_the_difference_to_the_mean_of_the_last_tokens_this_one_included():
    got = level_back([float(k) for k in range(14)])
    assert not got[:9].any()  # the tenth token is the first to have ten
    np.testing.assert_allclose(got[9:], 4.5, atol=1e-4)  # k less the mean of k - 9 to k


def test_sums_of_several_tokens_drop_the_oldest_when_a_new_one_begins():
    end = front_end({"temp": 4.0}, look_back_s=30, enrolment_s=2, prior_tokens=1e6, clip=100)
    raw = np.zeros((40, 3), np.float32)
    raw[:, 0] = np.arange(40)
    back = normalise_tokens(end, raw, np.ones((40, 1), bool))[:, 3]
    rule = end.normalisation
    assert rule is not None
    for k in range(40):
        past = np.arange((k // 3 - 9) * 3, k + 1)  # 28, 29 or 30 of them
        wanted = (k - past.mean()) / rule.std[0] if k >= 29 else 0.0
        assert back[k] == pytest.approx(wanted, abs=1e-4)


def test_a_step_comes_back_to_nothing_as_it_becomes_the_past():
    got = level_back([0.0] * 12 + [3.0] * 12)
    np.testing.assert_allclose(got[9:12], 0, atol=1e-6)
    np.testing.assert_allclose(got[12:22], 3.0 - 0.3 * np.arange(1, 11), atol=1e-4)
    np.testing.assert_allclose(got[22:], 0, atol=1e-6)


def test_absent_tokens_and_those_without_a_number_have_none_and_only_the_former_leave_the_past_alone():
    present = [True] * 12 + [False] * 5 + [True] * 3
    got = level_back([1.0] * 12 + [9.0] * 5 + [1.0, 2.0, 1.0], present)
    assert not got[12:17].any()
    np.testing.assert_allclose(got[17:], [0, 0.9, -0.1], atol=1e-4)  # nothing of 9
    lost = level_back([1.0] * 10 + [float("nan")] * 3 + [2.0])
    assert not lost[10:13].any()
    assert lost[13] == pytest.approx(2 - (6 * 1 + 2) / 7, abs=1e-4)  # three of ten tokens count for nothing


def test_it_needs_as_many_present_tokens_as_it_reaches_over():
    present = [k % 2 == 0 for k in range(24)]
    got = level_back([float(k) for k in range(24)], present)
    assert not got[:18].any()  # nine
    assert got[18] != 0


def test_it_is_clipped_and_in_the_deviation_that_the_score_is_in():
    assert level_back([0.0] * 11 + [1000.0])[-1] == 5
    assert level_back([0.0] * 11 + [-1000.0], clip=3)[-1] == -3
    end = front_end({"temp": 4.0}, look_back_s=10, enrolment_s=6)
    raw, presence = np.random.default_rng(0).normal(0, 1, (20, 3)).astype(np.float32), np.ones((20, 1), bool)
    got = normalise_tokens(end, raw, presence)
    past = np.stack([raw[k - 9 : k + 1].mean(axis=0) for k in range(9, 20)])
    deviation = (raw[10] - raw[9]) / (got[10, :3] - got[9, :3])  # of the scores
    np.testing.assert_allclose(got[9:, 3:], (raw[9:] - past) / deviation, atol=1e-3)


def test_a_great_offset_costs_no_digits_beside_the_populations_mean():
    end = one_feature()
    rule = end.normalisation
    assert rule is not None
    far = end.with_normalisation(rule.model_copy(update={"mean": (1e4, 0.0, 0.0)}))
    raw = np.zeros((40, 3), np.float32)
    raw[:, 0] = 1e4 + np.arange(40) % 2
    back = normalise_tokens(far, raw, np.ones((40, 1), bool))[12:, 3]
    np.testing.assert_allclose(np.abs(back), 0.5, atol=1e-6)


@MANY
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([SLOW, {"temp": 4.0}, {"ppg": 64.0, "ecg": 130.0}]),
    st.integers(1, 3),
    st.integers(1, 12),
)
def test_the_core_agrees_with_the_reference(seed: int, rates: dict[str, float], each: int, aim: int) -> None:
    end = front_end(rates, token_s=2, look_back_s=20 * each, enrolment_s=2 * aim, enrolment_least=2)
    assert end.normalisation is not None
    raw, presence = random_tokens(end, 60, seed)
    wanted = normalise_measured(end, end.normalisation, raw.astype(float), presence)
    np.testing.assert_allclose(normalise_tokens(end, raw, presence), wanted, atol=1e-4)


# ---- where it lies


def test_look_backs_come_after_a_modalitys_features_and_quality_has_none():
    end = front_end(WRIST, token_s=5, look_back_s=600)
    layout, measured = end.feature_layout, end.measured_layout
    assert (end.n_features, measured.n_features) == (45, 26)
    assert end.feature_names[10:13] == (
        "ppg.heart_rate.look_back",
        "ppg.amplitude.look_back",
        "ppg.spectral_rate.look_back",
    )
    assert list(layout.feature_sizes.values()) == [13, 12, 6, 14]
    backs = [name.removesuffix(".look_back") for name in np.array(layout.feature_names)[layout.look_backs]]
    assert backs == np.array(measured.feature_names)[~measured.quality].tolist()
    assert layout.quality.sum() == measured.quality.sum() == 7
    assert layout.channels[10] == layout.channels[0] == "ppg"
    assert (layout.kinds[0], layout.kinds[10]) == ("ppg.heart_rate", "ppg.heart_rate.look_back")
    assert layout.only(["eda"]).feature_names == layout.feature_names[13:25]


def test_several_outputs_keep_their_order():
    channels = {"ppg": ("left", "right"), "eeg": ("Fz", "Cz")}
    bare = FrontEnd.wearable({"ppg": 64, "eeg": 128}, channels, frontend_version=3)
    count = bare.n_features
    rule = Normalisation(
        mode="enrolment", mean=(0,) * count, std=(1,) * count, enrolment_s=10, look_back_s=50, prior_tokens=3
    )
    end = bare.with_normalisation(rule)
    names = end.feature_names
    assert names[20:26] == tuple(
        f"ppg.{side}.{what}.look_back"
        for side in ("left", "right")
        for what in ("heart_rate", "amplitude", "spectral_rate")
    )
    assert names[46:48] == ("eeg.Fz.de_delta.look_back", "eeg.Fz.de_theta.look_back")
    assert end.feature_layout.channels[46] == "eeg.Fz"
    assert end.feature_layout.kinds[46] == "eeg.de_delta.look_back"
    raw, presence = random_tokens(end, 40, 3)
    wanted = normalise_measured(end, rule, raw.astype(float), presence)
    np.testing.assert_allclose(normalise_tokens(end, raw, presence), wanted, atol=1e-4)


def test_features_are_what_they_are_without():
    end = front_end(WRIST)
    raw, presence = random_tokens(end, 60, 5)
    places = end.measured_layout.places_in(end.feature_layout)
    same_bits(
        normalise_tokens(end, raw, presence)[:, places],
        normalise_tokens(end.with_look_back(0), raw, presence),
    )


# ---- a device


def signals(seconds: float, seed: int = 0) -> dict[str, GoldenSignal]:
    """EDA, temperature and motion of somebody, with losses."""
    rng = np.random.default_rng(seed)
    made = {}
    for name, rate in SLOW.items():
        t = np.arange(round(seconds * rate)) / rate
        values = {
            "eda": 2 + 0.3 * np.sin(t / 7),
            "temp": 33 + t / 500,
            "acc": np.stack([0 * t, 0 * t, 1 + 0 * t]),
        }
        samples = np.atleast_2d(values[name]) + rng.normal(0, 0.01, (3 if name == "acc" else 1, t.size))
        for _ in range(4):
            first = rng.uniform(0, seconds)
            samples[:, round(first * rate) : round((first + rng.uniform(0, 6)) * rate)] = np.nan
        made[name] = GoldenSignal(samples.astype(np.float32), rate, 0.0)
    return made


def fed(
    bridge: Bridge, worn: dict[str, GoldenSignal], seconds: float, cuts: list[float], shift_s: float = 0.0
) -> np.ndarray:
    """Push a second at a time, and also cut elsewhere; pop every token."""
    out, before = [], 0.0
    for stop in sorted({*np.arange(1.0, seconds + 1), *cuts}):
        for name, signal in worn.items():
            first, last = (int(np.ceil(t * signal.sampling_rate_hz)) for t in (before, stop))
            if signal.samples[:, first:last].size:
                time_s = shift_s + first / signal.sampling_rate_hz
                bridge.push(name, signal.samples[:, first:last], time_s)
        if stop == seconds and seconds:
            bridge.advance(shift_s + seconds + 2)
        while (token := bridge.pop_token()) is not None:
            out.append(token[0])
        before = stop
    return np.array(out, np.float32).reshape(-1, bridge.front_end.n_features)


def part_of(worn: dict[str, GoldenSignal], first_s: int, last_s: int) -> dict[str, GoldenSignal]:
    return {
        name: GoldenSignal(one.samples[:, round(first_s * rate) : round(last_s * rate)], rate, 0.0)
        for name, one in worn.items()
        for rate in [one.sampling_rate_hz]
    }


@MANY
@given(st.integers(0, 999), st.lists(st.floats(0.05, 59.9), max_size=60), st.booleans())
def test_other_packets_and_another_clock_change_no_bit(seed: int, cuts: list[float], jumped: bool) -> None:
    end, worn = front_end(), signals(60, seed)
    whole = fed(Bridge(end), worn, 60, [])
    pieces = fed(Bridge(end), worn, 60, cuts, 1e6 if jumped else 0.0)
    same_bits(pieces[:60], whole[:60])
    raw = extract_tokens(end, worn)
    same_bits(normalise_tokens(end, raw.features, raw.presence), whole[:60])


@MANY
@given(st.integers(0, 999), st.integers(1, 59), st.integers(0, 600))
def test_a_saved_past_goes_on_over_a_restart_and_a_lost_clock(seed: int, saved_at: int, gap_s: int) -> None:
    """Whatever time went by, the same measured tokens have the same look-backs."""
    end, worn = front_end(), signals(60, seed)
    earlier, later = part_of(worn, 0, saved_at), part_of(worn, saved_at, 60)
    first, again = Bridge(end), Bridge(end)
    before = fed(first, earlier, saved_at, [])
    again.load(first.save())
    assert again.save() == first.save()
    after = fed(again, later, 60 - saved_at, [], float(gap_s))
    raw = [extract_tokens(end, one) for one in (earlier, later)]
    features, presence = (
        np.concatenate([getattr(one, what) for one in raw]) for what in ("features", "presence")
    )
    whole = normalise_tokens(end, features, presence)
    same_bits(before[:saved_at], whole[:saved_at])
    gap = max(0, len(after) - len(whole) + saved_at - 2)  # and two after the end
    assert gap in (0, 1) or not after[: gap - 2].any()
    same_bits(after[-2 - len(whole) + saved_at : -2], whole[saved_at:])


def test_a_clock_that_jumps_and_begins_anew_leaves_the_past_as_it_is() -> None:
    """As if the time between had not been: what is absent does not count."""
    end, worn = front_end(), signals(60)
    plain, bridge, shift_s = Bridge(end.with_normalisation(None)), Bridge(end), 4294967.296 - 4035
    raw: list[tuple[np.ndarray, np.ndarray]] = []
    got: list[tuple[np.ndarray, np.ndarray]] = []
    for k in range(60):
        shift_s += {20: 4000.0, 35: -4294967.296, 45: 50.0}.get(k, 0.0)
        for one, out in ((plain, raw), (bridge, got)):
            for name, part in part_of(worn, k, k + 1).items():
                one.push(name, part.samples, k + shift_s)
            one.advance(k + 1 + shift_s)
            while (token := one.pop_token()) is not None:
                out.append(token)
    rows, presence = np.array([row for row, _ in raw]), np.array([here for _, here in raw])
    kept = presence.any(axis=1, keepdims=False)
    assert 45 < kept.sum() < kept.size
    wanted = normalise_tokens(end, rows[kept], presence[kept])
    same_bits(np.array([row for row, _ in got])[kept], wanted)
    assert wanted[-5:, end.feature_layout.look_backs].any()


def test_windows_hold_them_as_floats_and_as_int8():
    end = front_end().with_quantisation(Quantisation(scale=0.04, zero_point=3))
    bridge, worn = Bridge(end), signals(60)
    tokens = fed(bridge, worn, 60, [])
    features, _ = bridge.window()
    assert features.shape == (3, end.n_features)
    same_bits(features, tokens[-3:])
    places = np.flatnonzero(end.feature_layout.look_backs)
    assert features[:, places].any()
    small, _ = bridge.window_i8()
    scaled = features / np.float32(0.04)
    np.testing.assert_array_equal(small, np.clip(np.trunc(scaled + np.copysign(0.5, scaled)) + 3, -128, 127))


def test_golden_vectors_hold_look_backs_within_two_minutes():
    end = front_end(token_s=5, tokens=12, look_back_s=600, enrolment_s=60)
    end = end.with_quantisation(Quantisation(scale=0.04, zero_point=3))
    worn = signals(120)
    short = golden_front_end(end, 24)
    assert (short.look_back_tokens, short.n_features) == (10, end.n_features)
    found = replay_golden(short, worn)
    assert found.window_features[..., np.flatnonzero(end.feature_layout.look_backs)].any()


# ---- memory, and what is saved


def test_what_a_wrist_takes():
    with_past, without = (
        front_end(WRIST, token_s=5, look_back_s=600),
        front_end(WRIST, token_s=5, look_back_s=0),
    )
    bridges = [Bridge(one) for one in (with_past, without)]
    assert bridges[0].saved_bytes == 1304
    assert bridges[1].saved_bytes == 352
    assert bridges[0].state_bytes - bridges[1].state_bytes < 2000  # of three tokens a window


def status(end: FrontEnd, content: bytes) -> int:
    bridge = Bridge(end)
    return int(library().mmq_state_load(bridge._bridge, content, len(content)))


def signed(content: bytes, **words: int) -> bytes:
    changed = bytearray(content)
    for place, value in words.items():
        at = 4 * int(place[1:])
        changed[at : at + 4] = value.to_bytes(4, "little")
    return bytes(changed[:-4]) + zlib.crc32(changed[:-4]).to_bytes(4, "little")


@pytest.fixture(scope="module")
def small() -> tuple[FrontEnd, bytes]:
    """Of 29 tokens: ten sums of one each, of three features."""
    end = one_feature()
    bridge = Bridge(end)
    rng = np.random.default_rng(0)
    for k in range(29):
        bridge.push("temp", rng.normal(33, 0.01, (1, 4)).astype(np.float32), float(k))
    assert bridge.enrolment(28).measured == (29,)
    return end, bridge.save()


def test_the_present_tokens_are_kept_modulo_the_look_back(small: tuple[FrontEnd, bytes]) -> None:
    end, content = small
    words = np.frombuffer(content, "<u4")
    assert words[1] == 2
    assert words[2] == len(content) == 4 * (5 + 1 + 9 + 30 + 8 + 1)
    assert words[5] == 10 + 29 % 10
    assert content[4 * 45 :][:32] == bytes([1] * 30 + [0, 0])
    again = Bridge(end)
    again.load(content)
    assert again.save() == content
    assert again.enrolment_left == 0


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ({"w1": 1}, DAMAGED),
        ({"w1": 3}, NEWER),
        ({"w3": 0}, FOREIGN),
        ({"w5": 19}, 0),
        ({"w5": 20}, DAMAGED),  # would have been kept as 10
        ({"w15": 0x7FC00000}, DAMAGED),
        ({"w44": 0x7F800000}, DAMAGED),
        ({"w45": 2}, DAMAGED),  # of sums of one token
        ({"w52": 0x01010101}, DAMAGED),  # counts of sums there are not
        ({"w15": 0x3F800000, "w45": 0x01010100}, 0),
    ],
)
def test_words_that_no_core_writes_are_refused(small, words, answer):
    end, content = small
    assert status(end, signed(content, **words)) == answer


def test_a_state_with_a_past_is_of_no_front_end_without_one(small):
    end, content = small
    assert status(end.with_look_back(0), content) == FOREIGN
    assert status(end.with_look_back(20), content) == FOREIGN
    assert status(end, Bridge(end.with_look_back(0)).save()) == FOREIGN


# ---- what is refused


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"look_back_s": 605},
            "look_back_s is made of ten sums of whole tokens of 5 s, so it must be a mult",
        ),
        ({"look_back_s": 25}, "must be a multiple of 50 s, got 25 s"),
        ({"look_back_s": 1250}, "less than or equal to 1200"),
        ({"look_back_s": -50}, "greater than or equal to 0"),
        ({"look_back_s": 1e-9}, "must be a multiple of 50 s"),
        ({"mode": "running"}, "look_back_s needs mode enrolment: its past must begin at rest"),
        ({"mode": "population"}, "look_back_s needs mode enrolment"),
    ],
)
def test_a_look_back_that_cannot_be_is_refused(changes, sentence):
    rule = {"mode": "enrolment", "enrolment_s": 60, "look_back_s": 600} | changes
    count = FrontEnd.wearable(SLOW).n_features
    given_ = {"mean": (0.0,) * count, "std": (1.0,) * count, **rule}
    content = json.loads(FrontEnd.wearable(SLOW, frontend_version=3).to_json()) | {"normalisation": given_}
    with pytest.raises(BridgeError, match=sentence):
        FrontEnd.from_json(json.dumps(content))


def test_older_versions_have_none():
    rule = front_end(token_s=5).normalisation
    with pytest.raises(BridgeError, match=r"normalisation\.look_back_s needs frontend_version 3"):
        FrontEnd.wearable(SLOW, frontend_version=2, normalisation=rule)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"normaliser": 1},
        {"normaliser": 3},
        {"look_back_tokens": 15},
        {"look_back_tokens": 2560},
        {"n_features": 16},
        {"look_back": 1 << 3},  # temp has three features
    ],
)
def test_the_core_refuses_specs_that_contradict_themselves(changes):
    tables = SpecTables(front_end(SLOW))
    assert library().mmq_bridge_size(tables.spec) > 0
    for name, value in changes.items():
        setattr(tables.spec.modalities[1] if name == "look_back" else tables.spec, name, value)
    if "look_back" in changes:
        tables.spec.n_features -= 2
    assert library().mmq_bridge_size(tables.spec) == 0


def test_without_one_json_and_header_say_nothing_of_it():
    end = front_end(look_back_s=0)
    assert "look_back" not in end.to_json()
    assert FrontEnd.from_json(end.to_json()) == end
    again = FrontEnd.from_json(front_end().to_json())
    assert again.look_back_tokens == 20
    assert again == front_end()
    assert end.digest() == front_end().digest()  # raw features are the same
    assert "20, /* look_back_tokens */" in spec_header(front_end())
    assert "0, /* look_back_tokens */" in spec_header(end)
