# SPDX-License-Identifier: Apache-2.0
"""Raw windows: what becomes of samples, offspring to the sample, whom a job loads, what is refused."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmq_bridge.front_end.front_end import FrontEnd

from mmq_tf import datasets
from mmq_tf.config.run_config import NormalisationConfig, RunConfig, load_config
from mmq_tf.errors import MMQError
from mmq_tf.features.token_streams import Source
from mmq_tf.pretraining.job import PROBE
from mmq_tf.pretraining.meiosis import AFTER, BEFORE, WHOLE, Offspring, cross
from mmq_tf.pretraining.raw_bank import RawBank, RawRecording
from mmq_tf.pretraining.raw_front_end import RawFrontEnd
from mmq_tf.pretraining.raw_job import RawPretrainJob
from mmq_tf.recording import Recording, Signal
from mmq_tf.training.fit import new_network
from mmq_tf.training.pretrained_encoder import Start, check_start
from mmq_tf.training.splits import Fold

CHANNELS = {"ppg": ("p",), "acc": ("x", "y"), "eda": ("e",)}
LAYOUT = RawFrontEnd(4, 2.0, CHANNELS, {"ppg": (64, 1), "acc": (10, 2), "eda": (2, 1)})
F, M, STEPS = 64 + 20 + 2, 3, 40
TRAIN, VALIDATION, TEST = ("a", "b", "c"), ("d",), ("e", "f")


def make_bank() -> RawBank:
    """Every sample has a number of its own, and nobody lacks any."""
    samples = 1 + np.arange(STEPS * F, dtype=np.float32).reshape(STEPS, F)
    return RawBank(samples, np.ones((STEPS, M), np.float32), LAYOUT, ())


def drawn(seed: int, shown: int) -> Offspring:
    rng = np.random.default_rng(seed)
    parents = rng.permuted(np.arange(STEPS - LAYOUT.tokens))[:12].reshape(3, 2, 2)
    return cross(parents, rng.uniform(0.1, 0.9, (3, 2)), np.full((3, 2), shown))


def times_s() -> np.ndarray:
    """When each number of a window was measured, as a share of the window: ``[T, F]``."""
    return (np.arange(LAYOUT.tokens)[:, None] + LAYOUT.instants) / LAYOUT.tokens


@given(seed=st.integers(0, 10_000))
def test_offspring_hold_exactly_the_samples_of_their_two_parents_cut_at_one_time(seed):
    bank, offspring = make_bank(), drawn(seed, WHOLE)
    children = bank.take(offspring)["features"].reshape(2, 3, 2, LAYOUT.tokens, F)
    for group in range(2):
        for p, q in np.ndindex(3, 2):
            rows = [getattr(offspring, side)[group, p, q] + np.arange(4) for side in ("before", "after")]
            want = np.where(times_s() < offspring.cut[p, q], *(bank.samples[row] for row in rows))
            np.testing.assert_array_equal(children[group, p, q], want)


@given(seed=st.integers(0, 10_000))
def test_the_groups_of_a_second_are_complementary_to_the_sample(seed):
    bank, offspring = make_bank(), drawn(seed, WHOLE)
    children = bank.take(offspring)["features"].reshape(2, -1)
    parents = [
        bank.samples[side[0][..., None] + np.arange(4)] for side in (offspring.before, offspring.after)
    ]
    np.testing.assert_array_equal(
        np.sort(children, axis=0), np.sort(np.stack(parents).reshape(2, -1), axis=0)
    )


@given(seed=st.integers(0, 10_000))
def test_one_sided_pairs_show_each_group_one_parent_and_say_what_is_there(seed):
    bank = make_bank()
    for shown in (BEFORE, AFTER):
        offspring = drawn(seed, shown)
        taken = bank.take(offspring)
        features = taken["features"].reshape(2, 3, 2, 4, F)
        early = times_s() < offspring.cut[..., None, None]
        np.testing.assert_array_equal(
            features > 0, np.broadcast_to(early == (shown == BEFORE), features.shape)
        )
        held = [(features[..., part] > 0).any(axis=-1) for part in LAYOUT.feature_slices.values()]
        np.testing.assert_array_equal(taken["presence"].reshape(2, 3, 2, 4, M), np.stack(held, axis=-1))


def test_an_absent_step_stays_absent_in_both_offspring():
    bank = make_bank()
    bank.presence[:] = np.random.default_rng(0).integers(0, 2, bank.presence.shape)
    offspring = drawn(3, WHOLE)
    presence = bank.take(offspring)["presence"].reshape(2, 3, 2, 4, M)
    step = (offspring.cut * 4).astype(int)
    ahead = np.arange(4) < step[..., None]
    rows = np.where(ahead, offspring.before[..., None], offspring.after[..., None]) + np.arange(4)
    whole = np.broadcast_to(np.arange(4) != step[..., None], rows.shape)
    np.testing.assert_array_equal(presence[whole], bank.presence[rows][whole])


def signals_of(rng: np.random.Generator, course: np.ndarray) -> list[Signal]:
    """A pulse at 64 Hz and skin conductance at 4 Hz that follow the film, with one's own noise and level."""
    beat = np.sin(np.arange(course.size * 16) / 64 * 2 * np.pi * 1.2)
    eda = 5 + rng.normal() + course + 0.05 * rng.normal(size=course.size)
    eda[40:80] = np.nan
    return [
        Signal("ppg", (beat * (2 + np.repeat(course, 16)))[None].astype("f4"), 64.0, "a.u.", ("ppg",)),
        Signal("eda", eda[None].astype("f4"), 4.0, "uS", ("eda",)),
    ]


@pytest.fixture
def loaded(add_films):
    return add_films(("ppg", "eda"), signals_of)


def make_config(*changes: str) -> RunConfig:
    return load_config(
        "simulated",
        [
            "data={dataset='films', task='arousal'}",
            "front_end.tokens=3",
            "front_end.modalities={ppg={sampling_rate_hz=64}, eda={sampling_rate_hz=4}}",
            "normalisation={mode='running'}",
            "pretraining={input='raw', seconds=3, pairs=1, steps=3, epochs=2, projection=8}",
            *changes,
        ],
    )


def make_job(tmp_path: Path, folder: str = "00", validation=VALIDATION, **changes) -> RawPretrainJob:
    (tmp_path / "data").mkdir(exist_ok=True)
    config = changes.get("config") or make_config()
    fold = Fold(TRAIN, validation, TEST)
    return RawPretrainJob(config, tmp_path / "data", fold, 0, 0, tmp_path / "run" / "folds" / folder)


@pytest.mark.slow
def test_no_test_subject_is_ever_touched_and_the_probe_is_tracked(loaded, tmp_path):
    job = make_job(tmp_path)
    job.run()
    assert set(loaded) == {*TRAIN, *VALIDATION}
    facts = json.loads((job.folder / "pretraining.json").read_text())
    assert facts["input"] == "raw"
    assert {"loss", "accuracy", PROBE} <= facts["epochs"][-1].keys()
    told = json.loads((job.folder / "rawfrontend.json").read_text())
    assert told["rate_hz"] == {"ppg": 64, "eda": 4}


@pytest.mark.slow
def test_validation_subjects_are_measured_on_and_not_learned_from(loaded, tmp_path):
    nets = []
    for folder, validation in (("00", VALIDATION), ("alone", ())):
        job = make_job(tmp_path, folder, validation)
        job.run()
        nets.append(keras.saving.load_model(job.folder / "encoder.keras"))
    for one, other in zip(*(net.get_weights() for net in nets), strict=True):
        np.testing.assert_array_equal(one, other)


def test_samples_keep_their_place_and_what_is_lost_is_absent(loaded, tmp_path):
    source = Source.of_subject(datasets.DATASETS["films"], Path(tmp_path), "a")
    front_end = RawFrontEnd.of(make_config().front_end)
    steps, presence = front_end.steps_of(source)
    assert front_end.samples == {"ppg": (320, 1), "eda": (20, 1)}
    assert steps.shape == (48, 340)
    np.testing.assert_array_equal(steps[:, :320].ravel(), source.recording.signals["ppg"].samples[0])
    np.testing.assert_array_equal(np.flatnonzero(~presence[:, 1]), [2, 3])
    assert presence[:, 0].all()


def test_a_faster_signal_is_resampled_and_a_late_one_put_where_it_belongs():
    front_end = RawFrontEnd.of(FrontEnd.wearable({"ppg": 128}, token_s=5.0))
    assert front_end.rate_hz("ppg") == 64
    wave = np.sin(np.arange(128 * 20) / 128 * 2 * np.pi).astype("f4")
    signal = Signal("ppg", wave[None], 128.0, "a.u.", ("ppg",), start_s=5.0)
    source = Source("x", lambda: Recording("a", "1", {"ppg": signal}))
    steps, presence = front_end.steps_of(source)
    assert presence[:, 0].tolist() == [False, True, True, True, True]
    want = np.sin(np.arange(64 * 20) / 64 * 2 * np.pi)
    assert np.abs(steps[1:].ravel() - want)[20:-20].max() < 0.01


def people(levels: dict[float, float], steps: int = 30) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    made = [level + spread * rng.normal(size=(steps, F)) for level, spread in levels.items()]
    return [(one.astype("f4"), np.ones((steps, M), bool)) for one in made]


def test_population_statistics_weigh_everyone_the_same():
    known = people({0.0: 1.0, 10.0: 1.0})
    front_end = LAYOUT.measured_on(known, NormalisationConfig(mode="population"))
    assert front_end.normalisation is not None
    np.testing.assert_allclose(front_end.normalisation.mean, 5.0, atol=0.3)
    np.testing.assert_allclose(front_end.normalisation.std, np.sqrt(26), rtol=0.05)
    within = LAYOUT.measured_on(known, NormalisationConfig(mode="running")).normalisation
    assert within is not None
    np.testing.assert_allclose(within.std, 1.0, rtol=0.15)


@pytest.mark.parametrize(
    ("settings", "settled"),
    [
        (NormalisationConfig(mode="population"), 5.0),
        (NormalisationConfig(mode="enrolment", enrolment_s=20, prior_tokens=0.01), 0.0),
        (NormalisationConfig(mode="running", prior_tokens=0.01), 0.0),
    ],
)
def test_a_wearer_is_normalised_by_what_the_device_knows(settings, settled):
    front_end = LAYOUT.measured_on(people({0.0: 1.0, -0.01: 1.0}), settings)
    steps, presence = people({6.0: 1.0})[0]
    presence[12:14, 1] = False
    steps[20, 3] = np.nan
    before = steps.copy()
    front_end.normalise(steps, presence)
    assert np.median(steps[15:]) == pytest.approx(settled, abs=0.6)
    assert not steps[12:14, 64:84].any()
    assert steps[20, 3] == 0
    late = before.copy()
    late[25:] += 100  # what comes later changes nothing earlier
    front_end.normalise(late, presence)
    np.testing.assert_array_equal(late[:25], steps[:25])


def test_a_raw_encoder_starts_no_training_and_says_why(loaded, tmp_path):
    job = make_job(tmp_path)
    job.folder.mkdir(parents=True)
    facts = {"dataset": "films", "input": "raw", "train_subjects": TRAIN}
    (job.folder / "pretraining.json").write_text(json.dumps(facts))
    net = new_network(job.config.training_spec, 2, seed=0).net
    why = "reads raw windows, but .* pretrain with pretraining.input = 'tokens'"
    with pytest.raises(MMQError, match=why):
        Start(tmp_path / "run", "films", 1).into(net, job.fold, "00")
    with pytest.raises(MMQError, match=why):
        check_start(job.folder)


def test_recordings_and_a_bank_of_them_share_no_memory_twice(loaded, tmp_path):
    job = make_job(tmp_path)
    recordings = job.recordings(TRAIN)
    front_end = RawFrontEnd.of(job.config.front_end)
    front_end = front_end.measured_on(
        [(one.steps, one.presence) for one in recordings], job.config.normalisation
    )
    bank = RawBank.of_recordings(recordings, front_end)
    assert len(bank.samples) == 3 * 48
    assert [one.steps.size for one in recordings] == [0, 0, 0]
    assert isinstance(recordings[0], RawRecording)
    assert np.isfinite(bank.samples).all()
