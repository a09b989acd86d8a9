# SPDX-License-Identifier: Apache-2.0
"""Training enrols as a device of front-end version 3 does: by what was measured, bit for bit."""

from dataclasses import replace

import numpy as np
import pytest
from mmq_bridge.bundle.golden import GoldenSignal
from mmq_bridge.core_binding.bridge import Bridge
from mmq_bridge.core_binding.native import extract_tokens, normalise_tokens
from mmq_bridge.decision.replay import steps
from mmq_bridge.front_end.front_end import FrontEnd

from mmq_tf.config.run_config import NormalisationConfig, load_config
from mmq_tf.datasets.protocol_limits import Limits
from mmq_tf.errors import MMQError
from mmq_tf.features.enrolment_at_rest import enrolled_at_rest
from mmq_tf.features.extra_features import normalised_features
from mmq_tf.features.normalisation import fit_normalisation
from mmq_tf.features.token_streams import without_enrolment_artefacts
from mmq_tf.features.windows import Corrupted, Stream, build_windows
from mmq_tf.recording import Trial

RATES = {"eda": 4, "temp": 4, "acc": 32}
TRIALS = (Trial(0.0, 100.0, {"stress": "rest"}), Trial(100.0, 300.0, {"stress": "stress"}))
CLASSES = ("rest", "stress")
SETTINGS = NormalisationConfig(mode="enrolment", enrolment_s=50.0, enrolment_least=4)


def front_end(version=3):
    return FrontEnd.wearable(RATES, token_s=5.0, tokens=4, frontend_version=version)


def signals():
    """Five minutes of somebody; the conductance comes after 40 s and goes now and then, temperature late."""
    rng = np.random.default_rng(2)
    t = {name: np.arange(300 * rate) / rate for name, rate in RATES.items()}
    made = {
        "eda": 2 + 0.3 * np.sin(t["eda"] / 7)[None],
        "temp": 33 + t["temp"][None] / 500,
        "acc": np.stack([0 * t["acc"], 0 * t["acc"], 1 + 0 * t["acc"]]),
    }
    made = {name: values + rng.normal(0, 0.01, values.shape) for name, values in made.items()}
    made["eda"][:, : 4 * 40] = made["eda"][:, 4 * 61 : 4 * 73] = made["temp"][:, : 4 * 170] = np.nan
    return {
        name: GoldenSignal(values.astype(np.float32), float(RATES[name]), 0.0)
        for name, values in made.items()
    }


@pytest.fixture(scope="module")
def stream():
    tokens = extract_tokens(front_end(), signals())
    return Stream("a", "1", tokens.features, tokens.presence, TRIALS, front_end())


def fitted(found, settings=SETTINGS):
    return found.front_end.with_normalisation(fit_normalisation([found], settings, 5.0))


def test_windows_are_those_a_device_gives_from_its_first_one_on(stream):
    end = fitted(stream)
    bridge, given = Bridge(end), {}
    for now_s, chunks in steps(signals()):
        for chunk in chunks:
            bridge.push(*chunk)
        bridge.advance(now_s + (end.grace_s if now_s == 300 else 0))
        if bridge.ready:
            given[(bridge.closed - end.tokens) * 5.0] = bridge.window()
    windows = build_windows([stream], end, "stress", CLASSES, 5.0)
    assert windows.start_s.min() >= min(given)
    clock = fitted(
        replace(stream, front_end=front_end(2)), SETTINGS.model_copy(update={"enrolment_least": None})
    )
    assert build_windows([stream], clock, "stress", CLASSES, 5.0).start_s.min() == 50.0 < min(given)
    whole_trial = replace(stream, trials=(Trial(0.0, 300.0, {"stress": "rest"}),))
    windows = build_windows([whole_trial], end, "stress", CLASSES, 5.0)
    assert set(windows.start_s) == set(given)
    for start_s, features, presence in zip(windows.start_s, windows.features, windows.presence, strict=True):
        np.testing.assert_array_equal(features.view(np.uint32), given[start_s][0].view(np.uint32))
        np.testing.assert_array_equal(presence, given[start_s][1] == 1)


def test_the_statistics_are_of_what_each_modality_learns_from(stream):
    end = fitted(stream)
    assert end.normalisation is not None
    values = stream.measured_features()
    for name, part in end.feature_slices.items():
        m = end.modality_names.index(name)
        learnt = np.flatnonzero(stream.presence[:, m])[:10]
        wanted = np.nanmean(values[learnt, part], axis=0)
        np.testing.assert_allclose(np.array(end.normalisation.mean)[part], np.nan_to_num(wanted), rtol=1e-5)


def test_who_never_enrols_has_no_windows(stream):
    absent = replace(stream, presence=stream.presence & np.array([False, True, True]))
    assert absent.enrolled_from(50.0) == 60
    with pytest.raises(MMQError, match="no labelled trial"):
        build_windows([absent], fitted(stream), "stress", CLASSES, 5.0)


def test_a_rest_that_measured_little_enrols_on_what_it_has(stream):
    at_rest = SETTINGS.model_copy(update={"rest_class": "rest"})
    (found,) = enrolled_at_rest([stream], at_rest, 5.0)
    measured = int(stream.presence[:20, 0].sum())
    assert 4 < measured < 10
    assert found.limits == Limits(enrolment_s=measured * 5.0)
    assert found.enrolled_from(50.0) == np.flatnonzero(stream.presence[:20, 0])[-1] + 1
    nothing = replace(stream, presence=stream.presence & (np.arange(60) >= 20)[:, None])
    with pytest.raises(
        MMQError, match="subject a: nothing but temp and acc was measured in its first 'rest'"
    ):
        enrolled_at_rest([nothing], at_rest, 5.0)


def test_variants_are_clean_until_the_evidence_is_there(stream):
    variant = Corrupted(stream.features + 9, stream.presence, np.ones_like(stream.presence))
    (found,) = without_enrolment_artefacts([replace(stream, variants=(variant,))], 50.0)
    end = stream.enrolled_from(50.0)
    assert end > 18
    assert not found.variants[0].corrupted[:end].any()
    assert found.variants[0].corrupted[end:].all()


def test_extra_features_are_normalised_as_if_the_core_knew_them(stream):
    end = fitted(stream)
    given = end.normalisation
    assert given is not None
    temp = end.modalities["temp"].model_copy(update={"extra_features": {"again": "builtins:len"}})
    more = front_end().model_copy(update={"modalities": {**end.modalities, "temp": temp}})
    place = more.feature_names.index("temp.again")
    like = more.feature_names.index("temp.slope")

    def widened(values):
        return tuple(np.insert(np.asarray(values), place, values[like]).tolist())

    wide = more.with_normalisation(
        given.model_copy(update={"mean": widened(given.mean), "std": widened(given.std)})
    )
    raw = np.insert(stream.features, place, stream.features[:, like], axis=1)
    got = normalised_features(wide, raw, stream.presence)
    np.testing.assert_array_equal(got[:, place], got[:, like])
    np.testing.assert_array_equal(
        np.delete(got, place, 1), normalise_tokens(end, stream.features, stream.presence)
    )
    assert np.abs(got[:, place]).max() > 0


def test_the_least_needs_version_3_and_reaches_the_front_end(stream):
    assert fitted(stream).enrolment_least == 4
    with pytest.raises(MMQError, match="enrolment_least needs front_end.frontend_version 3"):
        load_config("simulated", ["front_end.frontend_version=2", "normalisation.enrolment_least=3"])
    config = load_config("simulated", ["normalisation.enrolment_least=3"])
    assert "enrolment_least = 3" in config.to_toml()
    assert "enrolment_least" not in load_config("simulated").to_toml()
