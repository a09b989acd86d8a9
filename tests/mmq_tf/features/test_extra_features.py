# SPDX-License-Identifier: Apache-2.0
"""Features of one's own: beside the core's, normalised as the core does, refused by every device."""

import sys

import numpy as np
import pytest
from mmq_bridge.core_binding.bridge import Bridge
from mmq_bridge.core_binding.native import extract_tokens, normalise_tokens
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd, Normalisation

from mmq_tf.config.run_config import load_config
from mmq_tf.errors import MMQError
from mmq_tf.features.extra_features import functions_digest, modality_tokens, normalised_features
from mmq_tf.recording import Signal

SOURCE = """
import numpy as np
def spread(samples, rate_hz):
    return float(np.nanmax(samples) - np.nanmin(samples))
def seconds(samples, rate_hz):
    return samples.shape[1] / rate_hz
def fails(samples, rate_hz):
    raise ValueError("no")
def endless(samples, rate_hz):
    return float("inf")
number = 3
"""


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A module of somebody's own."""
    (tmp_path / "my_lab_features.py").write_text(SOURCE)
    monkeypatch.delitem(sys.modules, "my_lab_features", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / "my_lab_features.py"


def front_end(**extras):
    named = {name: f"my_lab_features:{function}" for name, function in extras.items()}
    plain = FrontEnd.wearable({"eda": 4, "temp": 4}, tokens=2)
    changed = plain.modalities["eda"].model_copy(update={"extra_features": named})
    return plain.model_copy(update={"modalities": {**plain.modalities, "eda": changed}})


def eda(seconds=60):
    rng = np.random.default_rng(0)
    values = 2 + np.cumsum(rng.normal(0, 0.01, seconds * 4))
    return Signal("eda", values[None].astype(np.float32), 4.0, "uS", ("eda",))


def alone(whole):
    return whole.model_copy(update={"modalities": {"eda": whole.modalities["eda"]}, "tokens": 1})


def test_each_token_gets_its_own_number_after_the_cores(lab):
    whole, signal = front_end(spread="spread", length="seconds"), eda()
    tokens = modality_tokens(alone(whole), "eda", signal, 60.0)
    plain = extract_tokens(alone(front_end()), {"eda": signal}, stop_s=60.0)
    np.testing.assert_array_equal(tokens.features[:, :-2], plain.features)
    np.testing.assert_array_equal(tokens.presence, plain.presence)
    steps = signal.samples[0].reshape(12, 20)
    seen = tokens.presence[:, 0]
    np.testing.assert_array_equal(tokens.features[seen, -2], np.ptp(steps, axis=1)[seen])
    np.testing.assert_array_equal(tokens.features[seen, -1], np.full(seen.sum(), 5.0, np.float32))
    assert whole.feature_names[6:8] == ("eda.spread", "eda.length")


@pytest.mark.parametrize("mode", ["population", "enrolment", "running"])
def test_they_are_normalised_bit_for_bit_as_the_cores_own(lab, mode):
    """A copy of one of the core's features becomes the same numbers as that feature."""
    whole, rng = front_end(copy="spread"), np.random.default_rng(1)
    features = rng.normal(2, 1, (40, whole.n_features)).astype(np.float32)
    features[rng.random(features.shape) < 0.1] = np.nan
    features[:, 6] = features[:, 0]
    presence = rng.random((40, 2)) < 0.8
    mean, std = np.linspace(1, 3, whole.n_features), np.linspace(0.5, 2, whole.n_features)
    mean[6], std[6] = mean[0], std[0]
    given = Normalisation(
        mode=mode, mean=tuple(mean), std=tuple(std), enrolment_s=30.0 if mode == "enrolment" else 0.0
    )
    normalised = normalised_features(whole.with_normalisation(given), features, presence)
    np.testing.assert_array_equal(normalised[:, 6], normalised[:, 0])
    kept = [column for column in range(whole.n_features) if column != 6]
    part = given.model_copy(update={"mean": tuple(mean[kept]), "std": tuple(std[kept])})
    plain = normalise_tokens(front_end().with_normalisation(part), features[:, kept], presence)
    np.testing.assert_array_equal(normalised[:, kept], plain)
    assert normalised[:, 6].any()


def test_without_them_a_front_end_is_what_it_was(lab):
    assert front_end().digest() == FrontEnd.wearable({"eda": 4, "temp": 4}, tokens=2).digest()
    assert "extra_features" not in front_end().to_json()
    assert front_end(spread="spread").digest() != front_end().digest()
    assert FrontEnd.from_json(front_end(spread="spread").to_json()) == front_end(spread="spread")


def test_a_changed_function_is_another_cache_entry(lab):
    before = functions_digest(front_end(spread="spread"))
    lab.write_text(SOURCE.replace("nanmin", "nanmean"))
    assert functions_digest(front_end(spread="spread")) != before


def test_no_device_takes_them(lab):
    whole = front_end(spread="spread")
    with pytest.raises(BridgeError, match=r"eda\.spread is computed in Python, which a device cannot do"):
        Bridge(whole)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("my_lab_features:absent", "cannot be loaded"),
        ("no_such_lab:spread", "no_such_lab:spread cannot be loaded"),
        ("my_lab_features:number", "is not a function"),
        ("my_lab_features:fails", r"failed on samples \[1, 20\] at 4 Hz \(ValueError: no\)"),
        ("my_lab_features:endless", "returned inf; return NaN"),
    ],
)
def test_what_a_function_does_wrong_is_one_sentence(lab, function, said):
    whole = front_end(mine="spread")
    whole.modalities["eda"].extra_features["mine"] = function
    with pytest.raises(MMQError, match=said):
        modality_tokens(alone(whole), "eda", eda(), 60.0)


@pytest.mark.parametrize("extras", ["{Mine='a:b'}", "{mine='a.b'}", "{mine='a:b; import os'}", "{mine=3}"])
def test_a_configuration_names_them_well(extras):
    with pytest.raises(MMQError, match=r"extra_features"):
        load_config("simulated", [f"front_end.modalities.eda.extra_features={extras}"])
