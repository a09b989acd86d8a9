# SPDX-License-Identifier: Apache-2.0
"""Recordings to MNE and back: the same samples, times, trials, units and names."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import mne
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmq_tf.datasets import get_dataset
from mmq_tf.errors import MMQError
from mmq_tf.mne_bridge import from_mne, to_mne
from mmq_tf.mne_bridge.annotations import labels_of, trial_name
from mmq_tf.mne_bridge.raws import TYPES
from mmq_tf.recording import MODALITIES, Recording, Signal, Trial

UNITS = {"eda": ("uS", "S", "counts"), "temp": ("degC",), "acc": ("g",), "ppg": ("a.u.",), "resp": ("a.u.",)}


def wrist(**changes):
    rng = np.random.default_rng(0)
    ppg, acc = (rng.normal(size=shape).astype(np.float32) for shape in ((1, 64 * 60), (3, 32 * 50)))
    eda = rng.uniform(0.1, 9, (1, 4 * 58)).astype(np.float32)
    ppg[:, 640:704] = np.nan
    acc[1, 320:330] = np.nan
    signals = {
        "ppg": Signal("ppg", ppg, 64.0, "a.u.", ("bvp",)),
        "eda": Signal("eda", eda, 4.0, "uS", ("eda",), 1.1),
        "acc": Signal("acc", acc, 32.0, "g", ("x", "y", "z"), 2.0),
    }
    trials = (
        Trial(0.0, 20.5, {"stress": "rest"}, {"valence": 7.25, "arousal": 2.0}, "clip 7"),
        Trial(20.5, 60.0, {"stress": "stress"}),
    )
    made = Recording("S1", "evening", signals, trials, "wrist", simulated=True, digest="0" * 64)
    return replace(made, **changes)


def cap(*, rate=128.0, **changes):
    rng = np.random.default_rng(1)
    eeg = (20 * rng.normal(size=(4, 128 * 30))).astype(np.float32)
    signals = {
        "eeg": Signal("eeg", eeg, rate, "uV", ("Fp1", "Fp2", "Cz", "ecg")),
        "ecg": Signal("ecg", eeg[:1] / 100, rate, "mV", ("ecg",), 0.5),
    }
    return replace(Recording("S2", "1", signals, (Trial(3, 9, {}),), "cap"), **changes)


def one_raw(recording, **settings) -> mne.io.BaseRaw:
    raw = to_mne(recording, **settings)
    assert isinstance(raw, mne.io.BaseRaw)
    return raw


def raws_of(recording) -> dict[str, mne.io.BaseRaw]:
    raws = to_mne(recording)
    assert isinstance(raws, dict)
    return raws


def same(got, wanted):
    """Check that two recordings are equal but for their digest; MNE keeps trials to the microsecond."""
    assert got.modalities == wanted.modalities
    for name, signal in wanted.signals.items():
        other = got.signals[name]
        np.testing.assert_array_equal(other.samples, signal.samples)
        for what in ("sampling_rate_hz", "unit", "channels", "start_s"):
            assert getattr(other, what) == getattr(signal, what), (name, what)
    for what in ("subject", "session", "source", "simulated"):
        assert getattr(got, what) == getattr(wanted, what)
    assert len(got.trials) == len(wanted.trials)
    for trial, other in zip(wanted.trials, got.trials, strict=True):
        assert other.start_s == pytest.approx(trial.start_s, abs=2e-6)
        assert other.stop_s == pytest.approx(trial.stop_s, abs=2e-6)
        assert other.labels == trial.labels
        assert (other.ratings, other.stimulus) == (trial.ratings, trial.stimulus)


def test_a_wrist_becomes_a_raw_by_sensor_in_mnes_units():
    raws = raws_of(wrist())
    assert list(raws) == ["ppg", "eda", "acc"]
    assert [raw.get_channel_types()[0] for raw in raws.values()] == ["bio", "gsr", "misc"]
    assert raws["acc"].ch_names == ["x", "y", "z"]
    assert all(raw.first_samp == 0 and raw.times[-1] == pytest.approx(60, abs=0.3) for raw in raws.values())
    eda = wrist().signals["eda"].samples[0].astype(np.float64)
    np.testing.assert_allclose(
        np.asarray(raws["eda"].get_data())[0, 4 : 4 + len(eda)], eda * 1e-6, rtol=1e-12
    )
    units = mne.io.constants.FIFF
    assert raws["eda"].info["chs"][0]["unit"] == units.FIFF_UNIT_S
    assert raws["ppg"].info["chs"][0]["unit"] == units.FIFF_UNIT_NONE
    assert raws["ppg"].info["subject_info"]["his_id"] == "S1"
    assert "SIMULATED" in raws["ppg"].info["description"]


def test_signals_of_one_rate_become_one_raw_in_volts():
    raw = one_raw(cap())
    assert raw.get_channel_types() == ["eeg"] * 4 + ["ecg"]
    assert raw.ch_names == ["eeg Fp1", "eeg Fp2", "eeg Cz", "eeg ecg", "ecg ecg"]  # two are called ecg
    np.testing.assert_allclose(
        np.asarray(raw.get_data())[:4, :3840], cap().signals["eeg"].samples.astype(float) * 1e-6, rtol=1e-12
    )
    assert np.isnan(np.asarray(raw.get_data())[4, :64]).all()
    assert not np.isnan(np.asarray(raw.get_data())[4, 64:]).any()


def test_trials_and_losses_are_annotations():
    raws = raws_of(wrist())
    said = [(a["description"], a["onset"], a["duration"]) for a in raws["ppg"].annotations]
    assert said == [("stress=rest", 0, 20.5), ("BAD_lost", 10, 1), ("stress=stress", 20.5, 39.5)]
    assert raws["ppg"].annotations[0]["extras"] == {
        "stimulus": "clip 7",
        "rating_valence": 7.25,
        "rating_arousal": 2.0,
    }
    losses = [a for a in raws["acc"].annotations if a["description"] == "BAD_lost"]
    assert [(a["onset"], a["duration"], a["ch_names"]) for a in losses] == [
        (0, 2, ()),
        (12, 10 / 32, ("y",)),
        (52, 8, ()),
    ]


@pytest.mark.parametrize("recording", [wrist(), cap()], ids=["wrist", "cap"])
def test_the_way_there_and_back_changes_nothing(recording):
    same(from_mne(to_mne(recording)), recording)


def test_epochs_of_one_class_can_be_asked_for_by_its_name():
    trials = tuple(
        Trial(5.0 * k, 5.0 * k + 4, {"valence": ("low", "high")[k % 2], "arousal": "low"}) for k in range(4)
    )
    raw = one_raw(cap(trials=trials))
    events, ids = mne.events_from_annotations(raw, regexp="valence", verbose="ERROR")
    epochs = mne.Epochs(raw, events, ids, 0, 1, baseline=None, preload=True, verbose="ERROR")
    assert len(epochs["valence=low"]) == 1  # the first one is left out: the ECG is lost there
    assert len(epochs["arousal=low"]) == 3


texts = st.text(min_size=1, max_size=8)
any_labels = st.dictionaries(texts, texts, max_size=3)


@settings(deadline=None)
@given(any_labels)
def test_any_labels_come_back_from_their_name(labels):
    name = trial_name(Trial(0, 1, labels))
    assert labels_of(name) == labels
    assert not name.lower().startswith(("bad", "edge"))


@st.composite
def recordings(draw):
    names = draw(st.lists(st.sampled_from(MODALITIES), min_size=1, max_size=3, unique=True))
    rates = [1.0, 4.0, 33.3, 128.0]
    rate = draw(st.sampled_from([*rates, None]))
    signals = {}
    for name in names:
        count = draw(st.integers(1, 3))
        length = draw(st.integers(2, 40))
        rng = np.random.default_rng(draw(st.integers(0, 99)))
        samples = (rng.normal(size=(count, length)) * 10 ** rng.uniform(-6, 6)).astype(np.float32)
        samples[rng.random(samples.shape) < draw(st.sampled_from([0, 0.2, 1]))] = np.nan
        signals[name] = Signal(
            name,
            samples,
            rate or draw(st.sampled_from(rates)),
            draw(st.sampled_from(UNITS.get(name, ("uV", "mV", "a.u.")))),
            tuple(draw(st.lists(texts, min_size=count, max_size=count, unique=True))),
            draw(st.floats(0, 20)),
        )
    end = max(signal.stop_s for signal in signals.values())
    edges = sorted(set(draw(st.lists(st.integers(0, 10), max_size=5))))
    trials = tuple(
        Trial(
            a * end / 10,
            b * end / 10,
            draw(any_labels),
            draw(st.dictionaries(texts, st.floats(-9, 9), max_size=2)),
            draw(st.sampled_from(["", "7"])),
        )
        for a, b in zip(edges, edges[1:], strict=False)
    )
    return Recording(draw(st.sampled_from(["S1", "Ä 7"])), "1", signals, trials, "made up")


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(recordings())
def test_any_recording_comes_back_as_it_was(recording):
    same(from_mne(to_mne(recording)), recording)


@settings(max_examples=25, deadline=None)
@given(recordings(), st.sampled_from([2.0, 50.0, 100.0]))
def test_one_raw_of_any_rate_keeps_times_trials_and_names(recording, rate):
    got = from_mne(to_mne(recording, rate_hz=rate))
    assert got.modalities == recording.modalities
    for name, signal in recording.signals.items():
        assert got.signals[name].channels == signal.channels
        assert got.signals[name].sampling_rate_hz == rate
        assert got.signals[name].duration_s == pytest.approx(signal.duration_s, abs=1 / rate + 1e-6)
    assert [t.labels for t in got.trials] == [t.labels for t in recording.trials]


def test_resampling_keeps_a_tone_and_the_gap():
    time = np.arange(0, 20, 1 / 64)
    tone = np.sin(2 * np.pi * 1.2 * time).astype(np.float32)
    tone[(time >= 8) & (time < 10)] = np.nan
    signals = {
        "ppg": Signal("ppg", tone[None], 64.0, "a.u.", ("ppg",)),
        "eeg": Signal("eeg", np.zeros((1, 5000), np.float32), 250.0, "uV", ("Cz",)),
    }
    raw = one_raw(Recording("S1", "1", signals), rate_hz=100.0)
    values = np.asarray(raw.get_data())[raw.ch_names.index("ppg")]
    assert raw.info["sfreq"] == 100
    lost = np.flatnonzero(np.isnan(values))
    assert (lost[0] / 100, (lost[-1] + 1) / 100) == pytest.approx((8, 10), abs=0.02)
    away = (np.abs(raw.times - 9) > 1.5) & (raw.times > 0.5) & (raw.times < 19.5)
    np.testing.assert_allclose(values[away], np.sin(2 * np.pi * 1.2 * raw.times[away]), atol=0.02)


def test_what_was_filtered_keeps_its_trials_and_gets_another_digest():
    raw = one_raw(cap(signals={"eeg": cap().signals["eeg"]}))
    before = from_mne(raw)
    after = from_mne(raw.copy().filter(1, 40, verbose="ERROR"))
    assert after.trials == before.trials
    assert after.digest != before.digest == from_mne(raw).digest


def test_a_cropped_raw_keeps_the_recordings_time():
    raws = {name: raw.crop(15, 45) for name, raw in raws_of(wrist()).items()}
    got = from_mne(raws)
    assert got.signals["ppg"].start_s == 15
    np.testing.assert_array_equal(
        got.signals["ppg"].samples, wrist().signals["ppg"].samples[:, 15 * 64 : 45 * 64 + 1]
    )
    assert [trial.labels["stress"] for trial in got.trials] == ["rest", "stress"]
    assert got.trials[0].start_s == 15
    assert got.trials[1].start_s == 20.5


def test_trials_end_with_the_sensors_that_are_left():
    raws = raws_of(wrist())
    got = from_mne({"acc": raws["acc"]})
    assert got.trials[-1].stop_s == got.duration_s == 52


def test_what_mne_leaves_out_is_lost():
    raw = one_raw(cap())
    raw.info["bads"] = ["eeg Fp1"]
    raw.set_annotations(
        raw.annotations
        + mne.Annotations([10, 20], [2, 1], ["BAD_movement", "bad eye"], ch_names=[[], ["eeg Cz"]])
    )
    eeg = from_mne(raw).signals["eeg"]
    assert np.isnan(eeg.samples[0]).all()
    assert np.isnan(eeg.samples[1:, 1280:1536]).all()
    assert np.isnan(eeg.samples).sum(axis=1).tolist() == [3840, 256, 256 + 128, 256]


def foreign(kinds, *, rate=100.0, seconds=10, day=None, first_samp=0, names=None):
    info = mne.create_info(names or [f"{kind}{k}" for k, kind in enumerate(kinds)], rate, kinds)
    raw = mne.io.RawArray(np.ones((len(kinds), int(seconds * rate))), info, first_samp, verbose="ERROR")
    raw.set_meas_date(day)
    return raw


def test_a_raw_from_elsewhere_is_read_by_its_channel_types():
    raw = foreign(["eeg", "eog", "stim", "gsr", "temperature", "misc"], first_samp=500)
    raw.set_annotations(mne.Annotations([1.0, 3.0], [2.0, 2.0], ["T0", "load=rest"]))
    got = from_mne(raw, subject="P1")
    assert got.modalities == ("eeg", "eog", "eda", "temp")
    assert [got.signals[name].unit for name in got.modalities] == ["uV", "uV", "uS", "degC"]
    assert [float(got.signals[name].samples[0, 0]) for name in got.modalities] == [1e6, 1e6, 1e6, 1]
    assert got.signals["eeg"].start_s == 0
    assert got.trials == (Trial(3.0, 5.0, {"load": "rest"}),)
    assert (got.session, got.source, got.simulated) == ("1", "mne", False)


def test_what_is_no_signal_by_its_name_is_left_out(caplog):
    raw = foreign(["eeg", "eeg"])
    raw.rename_channels(dict(zip(raw.ch_names, ("Fz", "COUNTER"), strict=True)))
    assert from_mne(raw, subject="P1").signals["eeg"].channels == ("Fz",)
    assert "channel COUNTER is left out" in caplog.text


def test_raws_from_elsewhere_are_aligned_by_their_dates():
    day = datetime(2024, 1, 1, tzinfo=UTC)
    eeg = foreign(["eeg"], day=day + timedelta(seconds=4))
    ppg = foreign(["bio"], rate=50.0, day=day, first_samp=50, seconds=20)
    eeg.set_annotations(mne.Annotations([2.0], [3.0], ["load=rest"], orig_time=day + timedelta(seconds=4)))
    got = from_mne({"eeg": eeg, "ppg": ppg}, subject="P1", session="2", source="lab")
    assert got.signals["ppg"].start_s == 0
    assert got.signals["eeg"].start_s == 3
    assert got.trials == (Trial(5.0, 8.0, {"load": "rest"}),)
    assert (got.session, got.source) == ("2", "lab")


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (lambda: 3, "expected an MNE raw, or a dict of raws by modality; got int"),
        (dict, "an empty dict"),
        (lambda: foreign(["misc", "stim"]), "expected a channel of type eeg, eog, .*got misc, stim"),
        (lambda: {"a": foreign(["eeg"]), "b": foreign(["eeg"])}, "one raw with eeg; got two"),
        (lambda: foreign(["eeg"]), "give subject="),
    ],
)
def test_what_is_no_recording_is_refused_in_one_sentence(raw, words):
    with pytest.raises(MMQError, match=words):
        from_mne(raw())


@pytest.mark.parametrize("rate", [0, -1, float("nan"), 1e9])
def test_an_impossible_rate_is_refused(rate):
    with pytest.raises(MMQError, match="rate_hz must be above 0"):
        to_mne(wrist(), rate_hz=rate)


def test_a_raw_beyond_all_memory_is_refused_before_it_is_made():
    far = replace(wrist().signals["eda"], start_s=13 * 86_400.0)
    with pytest.raises(MMQError, match="need more than 8 GiB; take a lower rate_hz"):
        to_mne(wrist(signals={**wrist().signals, "eda": far}), rate_hz=1000.0)


def test_trials_that_overlap_are_refused():
    raw = foreign(["eeg"])
    raw.set_annotations(mne.Annotations([1.0, 3.0], [4.0, 4.0], ["load=rest", "load=task"]))
    with pytest.raises(MMQError, match="without overlap"):
        from_mne(raw, subject="P1")


def test_every_modality_has_a_type():
    assert set(TYPES) == set(MODALITIES)


def test_a_real_recording_survives_mnes_own_file(mmq_data, tmp_path):
    recording = get_dataset("eegmat").load(mmq_data / "eegmat", "Subject00")
    raw = one_raw(recording)
    raw.save(tmp_path / "subject_raw.fif", verbose="ERROR")
    got = from_mne(mne.io.read_raw_fif(tmp_path / "subject_raw.fif", verbose="ERROR"))
    assert [t.labels for t in got.trials] == [t.labels for t in recording.trials]
    for name, signal in recording.signals.items():
        np.testing.assert_allclose(got.signals[name].samples, signal.samples, rtol=2e-7)
