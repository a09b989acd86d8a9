# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from methods import interference
from methods.interference import REFERENCE, SCORE, inject, injections, interference_scores
from mmq_bridge.front_end.front_end import FrontEnd

from mmq_tf.augmentation.artefacts import KINDS
from mmq_tf.config.run_config import NormalisationConfig
from mmq_tf.config.training_spec import ArtefactsConfig
from mmq_tf.features.normalisation import fit_normalisation
from mmq_tf.features.token_cache import TokenSettings
from mmq_tf.features.token_streams import Source, load_stream
from mmq_tf.features.windows import build_windows
from mmq_tf.model.mmqnet import MMQNet
from mmq_tf.simulation.simulator import Settings, simulate

BARE = FrontEnd.wearable({"eda": 4, "temp": 4}, token_s=5.0, tokens=4)


@pytest.fixture(scope="module")
def recording():
    return simulate(Settings(seed=5, minutes=7, modalities=("eda", "temp"), artefacts=False), 0)[0]


@pytest.fixture
def stream(recording, tmp_path, monkeypatch):
    monkeypatch.setenv("MMQ_CACHE", str(tmp_path))
    settings = TokenSettings(BARE, ArtefactsConfig(variants=1), 0)
    return load_stream(Source(recording.digest, lambda: recording), settings)


def test_one_modality_is_spoilt_at_a_time_at_the_same_places_at_each_ratio(recording, stream):
    own = np.zeros_like(stream.presence)
    own[50, 0] = own[3, 0] = True
    spoilt = inject(recording, stream, own, enrolment_s=100.0)
    plan = injections(BARE.modality_names)
    assert len(plan) == 4 * (len(KINDS["eda"]) + len(KINDS["temp"]))
    assert len(spoilt.variants) == 1 + len(plan)
    clean = spoilt.variants[0]
    np.testing.assert_array_equal(clean.features, stream.features)
    assert np.argwhere(clean.corrupted).tolist() == [[50, 0]]  # that of the enrolment is not counted
    places = {}
    for what, variant in zip(plan, spoilt.variants[1:], strict=True):
        column = BARE.modality_names.index(what.modality)
        other = BARE.feature_slices[BARE.modality_names[1 - column]]
        np.testing.assert_array_equal(variant.features[:, other], stream.features[:, other])
        np.testing.assert_array_equal(variant.features[:20], stream.features[:20])
        assert not variant.corrupted[:, 1 - column].any()
        assert 0.1 < variant.corrupted[20:, column].mean() < 0.6
        known = places.setdefault((what.modality, what.kind), variant.corrupted)
        np.testing.assert_array_equal(variant.corrupted, known)
        part = BARE.feature_slices[what.modality]
        moved = (variant.features[:, part] != stream.features[:, part]).any(axis=1)
        assert moved[variant.corrupted[:, column]].mean() > 0.8


@pytest.fixture
def sides(recording, stream):
    """Training and test windows of one simulated person, and the front end that normalised them."""
    norm = fit_normalisation([stream], NormalisationConfig(), 5.0)
    front_end = BARE.with_normalisation(norm)
    own = np.zeros_like(stream.presence)
    own[60:64, 1] = True
    spoilt = inject(recording, stream, own, enrolment_s=0.0)
    cut = lambda one: build_windows([one], front_end, "stress", ("rest", "stress"), 10.0)  # noqa: E731
    return cut(stream), cut(spoilt), front_end


def test_a_net_that_knows_scores_one_and_own_artefacts_are_apart(sides, monkeypatch):
    train, test, front_end = sides
    asked = iter(test.variant_corrupted)
    monkeypatch.setattr(
        interference, "_network_scores", lambda net, features, presence, end: next(asked).astype(float)
    )
    scores = list(interference_scores(None, train, test, front_end))  # type: ignore[arg-type]
    network = {score.condition: score.value for score in scores if score.method == SCORE}
    assert set(network.values()) == {1.0}
    assert {"temp own", "eda contact_loss 0dB", "temp any kind -5dB"} <= set(network)
    assert "eda own" not in network
    reference = {score.condition: score.value for score in scores if score.method == REFERENCE}
    assert reference.keys() == network.keys()
    kinds = [reference[f"eda {kind} -5dB"] for kind in KINDS["eda"]]
    assert reference["eda any kind -5dB"] == pytest.approx(np.mean(kinds))


def test_own_artefacts_do_not_count_elsewhere(sides, monkeypatch):
    train, test, front_end = sides
    own = test.variant_corrupted[0]
    known = iter([own, *(part & ~own for part in test.variant_corrupted[1:])])
    # whatever is said of the tokens spoilt already, the others decide
    monkeypatch.setattr(
        interference, "_network_scores", lambda net, f, p, end: np.where(own, 9.0, next(known).astype(float))
    )
    scores = list(interference_scores(None, train, test, front_end))  # type: ignore[arg-type]
    assert {score.value for score in scores if score.method == SCORE} == {1.0}


def test_the_scores_are_those_of_the_net(sides):
    train, test, front_end = sides
    sizes = {name: part.stop - part.start for name, part in front_end.feature_slices.items()}
    net = MMQNet(4, sizes, {"stress": 2}, dim=8, hidden=8)
    values = [s.value for s in interference_scores(net, train, test, front_end) if s.method == SCORE]
    assert len(values) > 10
    assert 0.2 < np.mean(values) < 0.8  # untrained
