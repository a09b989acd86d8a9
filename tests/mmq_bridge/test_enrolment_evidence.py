# SPDX-License-Identifier: Apache-2.0
"""From front-end version 3 on an enrolment counts what was measured: in C, Python and on the page."""

import json
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmq_bridge.bundle.golden import GoldenSignal, golden_front_end
from mmq_bridge.core_binding.bridge import Bridge
from mmq_bridge.core_binding.native import normalise_tokens
from mmq_bridge.core_binding.spec_header import spec_header
from mmq_bridge.decision.device import Device
from mmq_bridge.decision.replay import steps
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.enrolment import body_modalities, enrolment_end
from mmq_bridge.front_end.front_end import FrontEnd, Normalisation
from mmq_bridge.front_end.modalities import MODALITIES
from mmq_bridge.packing.web import WEB
from mmq_bridge.reference.stream import normalise, normalise_measured

TOKEN_S, TOKENS, AIM, LEAST = 5, 2, 4, 2
WORN = {"eda": 4.0, "temp": 4.0, "acc": 32.0}
PIECES = Path(__file__).parent / "companion" / "pieces.mjs"
MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def front_end(
    rates: dict[str, float] = WORN, version: int = 3, grace_s: float = 2, **changes: Any
) -> FrontEnd:
    bare = FrontEnd.wearable(rates, token_s=TOKEN_S, tokens=TOKENS, grace_s=grace_s, frontend_version=version)
    count = bare.n_features
    rule = {"enrolment_s": AIM * TOKEN_S, "prior_tokens": 3, **changes}
    rng = np.random.default_rng(1)
    mean, std = tuple(rng.normal(0, 1, count)), tuple(rng.uniform(0.5, 2, count))
    if version >= 3:
        rule.setdefault("enrolment_least", LEAST)
    return bare.with_normalisation(Normalisation(mode="enrolment", mean=mean, std=std, **rule))


def signals(seconds: float, absent: dict[str, tuple[float, float]] | None = None) -> dict[str, GoldenSignal]:
    """EDA, temperature and motion of somebody; NaN from and to where a sensor is absent."""
    rng = np.random.default_rng(0)
    made = {}
    for name, rate in WORN.items():
        t = np.arange(round(seconds * rate)) / rate
        values = {
            "eda": 2 + 0.3 * np.sin(t / 7),
            "temp": 33 + t / 500,
            "acc": np.stack([0 * t, 0 * t, 1 + 0 * t]),
        }
        samples = np.atleast_2d(values[name]) + rng.normal(0, 0.01, (3 if name == "acc" else 1, t.size))
        first, last = (absent or {}).get(name, (0, 0))
        samples[:, round(first * rate) : round(last * rate)] = np.nan
        made[name] = GoldenSignal(samples.astype(np.float32), rate, 0.0)
    return made


EVERYTHING = (0.0, 1e4)
CASES = {
    "nothing measured for nine minutes": signals(600, dict.fromkeys(WORN, (0, 540))),
    "a watch put on late": signals(600, {"eda": (0, 300)}),
    "a watch on a table": signals(600, {"eda": EVERYTHING}),
    "a sensor that joins after an hour": signals(3700, {"temp": (0, 3600)}),
    "a sensor that joins for too short a time": signals(120, {"temp": (0, 60), "acc": (65, 120)}),
}


def stop_s(worn: dict[str, GoldenSignal]) -> float:
    return worn["eda"].samples.shape[1] / 4


def device(end: FrontEnd) -> Device:
    stub: Any = SimpleNamespace(
        feature_shape=(TOKENS, end.n_features), n_modalities=len(end.modalities), is_integer=False,
        classes={"stress": 2}, predict=lambda *_: {"stress": np.zeros(2)},
    )  # fmt: skip
    return Device(end, stub, {"tasks": {"stress": ["rest", "stress"]}, "min_present_share": 0.0})


def said(worn: dict[str, GoldenSignal], end: FrontEnd | None = None) -> list[Any]:
    one, out = device(end or front_end()), []
    for now_s, chunks in steps(worn):
        for chunk in chunks:
            out += one.push(*chunk)
        out += one.advance(now_s)
    return out + one.advance(now_s + 2)


def reasons(decisions: list[Any]) -> list[str | None]:
    return [decision.reason for decision in decisions]


def enrolling(*counts: int) -> list[str]:
    return [f"enrolling ({count} of {AIM} tokens measured)" for count in counts]


FILLING = ["filling the first window (10 s left)", "filling the first window (5 s left)"]


# ---- the cases, in Python


def test_nothing_measured_for_nine_minutes_is_no_enrolment() -> None:
    decisions = said(CASES["nothing measured for nine minutes"])
    assert reasons(decisions) == [*enrolling(*[0] * 108, 1, 2, 3), *FILLING, *[None] * 7]
    older = said(CASES["nothing measured for nine minutes"], front_end(version=2))
    assert (
        older[20].reason == "too little present (0% of 0% needed)"
    )  # the clock's enrolment was over long ago


def test_a_watch_put_on_late_enrols_from_then_on() -> None:
    decisions = said(CASES["a watch put on late"])
    assert reasons(decisions) == [*enrolling(*[0] * 60, 1, 2, 3), *FILLING, *[None] * 55]
    assert {decision.not_enrolled for decision in decisions} == {()}


def test_a_watch_on_a_table_is_never_enrolled() -> None:
    decisions = said(CASES["a watch on a table"])
    assert reasons(decisions) == enrolling(*[0] * 120)
    assert decisions[-1].sensors == {"eda": 0.0, "temp": 1.0, "acc": 1.0}
    with pytest.raises(
        BridgeError, match=r"nothing can be decided.*still enrolling \(0 of 4 tokens measured\)"
    ):
        device(front_end()).decide(CASES["a watch on a table"])


def test_a_sensor_that_joins_after_an_hour_is_said_until_it_has_shown_enough() -> None:
    decisions = said(CASES["a sensor that joins after an hour"])
    assert {decision.not_enrolled for decision in decisions[:720]} == {()}
    joined = [decision.not_enrolled for decision in decisions[720:]]
    # the first token was normalised by the population, and windows of two tokens hold it twice
    assert joined == [("temp",), ("temp",), *[()] * 18]
    assert all(decision.probabilities for decision in decisions[720:])


def test_a_sensor_without_enough_stays_as_the_population_has_it() -> None:
    decisions = said(CASES["a sensor that joins for too short a time"], front_end(enrolment_least=LEAST + 2))
    assert {decision.not_enrolled for decision in decisions if decision.time_s < 65} == {()}
    assert [d.not_enrolled for d in decisions if d.time_s in (65, 75, 80, 85, 90)] == [
        ("temp",), ("temp",), ("temp",), (), ()
    ]  # fmt: skip


# ---- the numbers


def popped(end: FrontEnd, worn: dict[str, GoldenSignal]) -> tuple[np.ndarray, np.ndarray]:
    bridge, out = Bridge(end), []
    for now_s, chunks in steps(worn):
        for chunk in chunks:
            bridge.push(*chunk)
        bridge.advance(now_s)
        if now_s == stop_s(worn):
            bridge.advance(now_s + 2)
        while (token := bridge.pop_token()) is not None:
            out.append(token)
    return np.array([features for features, _ in out]), np.array([presence for _, presence in out])


@pytest.mark.parametrize("case", CASES)
def test_training_normalises_as_the_device_bit_for_bit(case: str) -> None:
    end = front_end()
    raw, presence = popped(end.with_normalisation(None), CASES[case])
    worn, also = popped(end, CASES[case])
    np.testing.assert_array_equal(presence, also)
    np.testing.assert_array_equal(worn.view(np.uint32), normalise_tokens(end, raw, presence).view(np.uint32))


@MANY
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([WORN, {"temp": 4.0, "acc": 32.0}, {"eda": 4.0}]),
    st.integers(1, 9),
    st.integers(1, 12),
)
def test_the_core_agrees_with_the_reference(seed: int, rates: dict[str, float], aim: int, least: int) -> None:
    end = front_end(rates, enrolment_s=aim * TOKEN_S, enrolment_least=least)
    assert end.enrolment_least == min(aim, least)
    rng = np.random.default_rng(seed)
    features = rng.normal(0, 3, (30, end.n_features)).astype(np.float32)
    features[rng.random(features.shape) < 0.05] = np.nan
    presence = rng.random((30, len(rates))) < rng.random(len(rates))
    assert end.normalisation is not None
    wanted = normalise_measured(end, end.normalisation, features.astype(float), presence)
    np.testing.assert_allclose(normalise_tokens(end, features, presence), wanted, atol=2e-5)


def test_with_every_token_present_and_a_finished_enrolment_it_is_that_of_version_2() -> None:
    rng = np.random.default_rng(4)
    end = front_end()
    features = rng.normal(0, 3, (20, end.n_features)).astype(np.float32)
    presence = np.ones((20, 3), bool)
    got, older = (normalise_tokens(front_end(version=v), features, presence) for v in (3, 2))
    np.testing.assert_array_equal(got.view(np.uint32), older.view(np.uint32))
    assert end.normalisation is not None
    wanted = normalise(end.normalisation, features.astype(float), np.ones_like(features, bool), AIM)
    np.testing.assert_allclose(got, wanted, atol=2e-5)


# ---- what the core says


def closed_bridge(end: FrontEnd, presence: np.ndarray) -> Bridge:
    """A bridge that is given the tokens of `presence` [n, M]."""
    return told_bridge(end, presence)[0]


def told_bridge(end: FrontEnd, presence: np.ndarray) -> tuple[Bridge, np.ndarray]:
    """The same, and which were present."""
    bridge, seen = Bridge(end), []
    worn = signals(len(presence) * TOKEN_S)
    for k, row in enumerate(presence):
        for name, here in zip(end.modality_names, row, strict=True):
            n = round(TOKEN_S * WORN[name])
            if here:
                bridge.push(name, worn[name].samples[:, k * n : (k + 1) * n], k * TOKEN_S)
        bridge.advance((k + 1) * TOKEN_S)
        while (token := bridge.pop_token()) is not None:
            seen.append(token[1])
    return bridge, np.array(seen).reshape(-1, len(end.modalities))


@MANY
@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=14))
def test_how_far_the_enrolment_was_is_told_of_each_kept_token(rows: list[tuple[bool, bool, bool]]) -> None:
    end = front_end(grace_s=0)
    bridge, present = told_bridge(end, np.array(rows))
    counts = present.cumsum(axis=0)
    over = enrolment_end(end.modality_names, present, AIM)
    assert len(present) == len(rows)
    assert bridge.enrolment_left == max(0, AIM - counts[-1, 0])
    for k in range(max(0, len(rows) - TOKENS - 4), len(rows)):
        told = bridge.enrolment(k)
        assert told.measured == tuple(counts[k])
        assert told.left == max(0, AIM - counts[k, 0])
        assert told.end == (over if over is not None and k + 1 >= over else None)
    assert bridge.ready == (over is not None and len(rows) - TOKENS >= over)
    for k in (len(rows), len(rows) - TOKENS - 5):
        with pytest.raises(BridgeError):
            bridge.enrolment(k)


def test_older_versions_tell_what_the_clock_says() -> None:
    bridge = closed_bridge(front_end(version=2, grace_s=0), np.ones((6, 3), bool))
    told = [bridge.enrolment(k) for k in range(6)]
    assert [one.left for one in told] == [3, 2, 1, 0, 0, 0]
    assert [one.measured for one in told] == [(k,) * 3 for k in (1, 2, 3, 4, 4, 4)]
    assert {one.end for one in told} == {AIM}
    running = front_end(version=2, grace_s=0).with_normalisation(None)
    assert closed_bridge(running, np.ones((2, 3), bool)).enrolment(1) == ((0, 0, 0), 0, 0)


def test_only_what_is_measured_on_a_body_ends_an_enrolment() -> None:
    assert set(MODALITIES) - set(body_modalities(MODALITIES)) == {"temp", "acc"}
    here = np.array([[False, True, True]] * 6)
    assert closed_bridge(front_end(grace_s=0), here).enrolment_left == AIM
    alone = {name: WORN[name] for name in ("temp", "acc")}
    assert closed_bridge(front_end(alone, grace_s=0), here[:, 1:]).enrolment_left == 0


# ---- what is saved


@pytest.mark.parametrize("saved_at", [0, 2, 5, 9])
def test_a_saved_enrolment_goes_on_with_its_counts(saved_at: int) -> None:
    end = front_end(grace_s=0)
    presence = np.ones((12, 3), bool)
    presence[:7, 1] = presence[3:, 2] = False
    first = closed_bridge(end, presence[:saved_at])
    again = Bridge(end)
    again.load(first.save())
    assert again.save() == first.save()
    assert again.enrolment_left == first.enrolment_left == max(0, AIM - saved_at)
    whole = closed_bridge(end, presence)
    worn = signals(60)
    for k, row in enumerate(presence[saved_at:]):
        for name, here in zip(WORN, row, strict=True):
            n, at = round(TOKEN_S * WORN[name]), k + saved_at
            if here:
                again.push(name, worn[name].samples[:, at * n : (at + 1) * n], k * TOKEN_S)
        again.advance((k + 1) * TOKEN_S)
    last = again.enrolment(again.closed - 1).measured
    kept = whole.enrolment(whole.closed - 1).measured
    assert [min(AIM, n) for n in last] == [min(AIM, n) for n in kept]
    assert again.enrolment_left == 0


def test_a_state_whose_counts_contradict_each_other_is_refused() -> None:
    import struct
    import zlib

    content = bytearray(closed_bridge(front_end(grace_s=0), np.ones((2, 3), bool)).save())
    for word, value in ((5, AIM + 1), (5, 1), (4, 3)):
        changed = bytearray(content)
        struct.pack_into("<I", changed, 4 * word, value)
        changed[-4:] = struct.pack("<I", zlib.crc32(changed[:-4]))
        with pytest.raises(BridgeError):
            Bridge(front_end(grace_s=0)).load(bytes(changed))


def test_a_state_of_another_least_is_foreign() -> None:
    with pytest.raises(BridgeError):
        Bridge(front_end(grace_s=0)).load(Bridge(front_end(enrolment_least=LEAST + 1)).save())


# ---- settings


def test_the_least_is_a_quarter_unless_given_and_is_written_only_then() -> None:
    quarter = front_end(enrolment_least=None, enrolment_s=65)
    assert (quarter.enrolment_tokens, quarter.enrolment_least) == (13, 4)
    assert "enrolment_least" not in quarter.to_json()
    assert FrontEnd.from_json(front_end().to_json()).enrolment_least == LEAST
    assert front_end(version=2).enrolment_least == 0
    assert "2, /* enrolment_least */" in spec_header(front_end())
    assert "0, /* enrolment_least */" in spec_header(front_end(version=2))
    with pytest.raises(BridgeError, match="enrolment_least needs frontend_version 3"):
        front_end(version=2, enrolment_least=2)


def test_a_shorter_enrolment_keeps_the_least() -> None:
    long = front_end(enrolment_s=200, enrolment_least=None)
    assert long.enrolment_least == 10
    shorter = long.with_shorter_enrolment(60)
    assert (shorter.enrolment_tokens, shorter.enrolment_least) == (12, 10)
    assert golden_front_end(long, 12).enrolment_least == golden_front_end(long, 12).enrolment_tokens == 3


# ---- the page


@pytest.mark.browser
def test_the_page_says_the_same_of_every_case() -> None:
    node = shutil.which("node") or pytest.skip("node is not installed: make companion")
    header = spec_header(front_end())
    cases = []
    for worn in CASES.values():
        chunks = [
            {"name": name, "samples": [[None if np.isnan(x) else float(x) for x in row] for row in samples],
             "timeS": time_s}
            for _, several in steps(worn) for name, samples, time_s in several
        ]  # fmt: skip
        cases.append({"header": header, "chunks": chunks, "untilS": stop_s(worn) + 2})
    command = [node, str(PIECES), str(WEB)]
    given = json.dumps({"scenario": "decide", "cases": cases})
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for (case, worn), page in zip(CASES.items(), json.loads(done.stdout), strict=True):
        wanted = [
            {"time_s": one.time_s, "reason": one.reason, "not_enrolled": list(one.not_enrolled)}
            for one in said(worn)
        ]
        assert page["said"] == wanted, case
