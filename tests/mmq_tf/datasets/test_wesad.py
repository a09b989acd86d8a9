# SPDX-License-Identifier: Apache-2.0
"""WESAD in its published layout: every array becomes the modality it is, at its time and in its unit."""

import pickle
import pickletools
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import find_peaks, welch

from mmq_tf.config.run_config import load_config
from mmq_tf.datasets import get_dataset, load_e4
from mmq_tf.datasets.formats.files.pickles import load_pickle
from mmq_tf.errors import MMQError
from mmq_tf.simulation.layouts import LAYOUTS
from mmq_tf.simulation.layouts import wesad as layout
from mmq_tf.simulation.layouts.common import simulated_person
from mmq_tf.simulation.layouts.python2_pickle import write_python2_pickle

WESAD, CHEST = get_dataset("wesad"), get_dataset("wesad_chest")
SEED = 3
PLAN = ((0, 7.25), (1, 90.0), (0, 5.0), (2, 70.5), (6, 3.0), (4, 20.0), (5, 4.0), (3, 40.0), (7, 2.25))
BEGIN_S = 7
STARTS_S = (0.25, 95.25, 168.75, 192.75)
STOPS_S = (90.25, 165.75, 188.75, 232.75)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wesad")
    layout.write_subject(folder / "S2", SEED, 0, PLAN, 2)
    layout.write_subject(folder / "S10", SEED, 1, ((1, 62.0), (2, 61.0)), 0)
    return folder


@pytest.fixture(scope="module")
def published(root):
    """What Python itself reads from the file."""
    return pickle.loads((root / "S2" / "S2.pkl").read_bytes(), encoding="latin1")


@pytest.fixture(scope="module")
def wrist(root):
    return WESAD.load(root, "S2")


@pytest.fixture(scope="module")
def chest(root):
    return CHEST.load(root, "S2")


def test_the_layout_is_as_published(published):
    n = 242 * 700
    assert published["subject"] == "S2"
    assert (published["label"].shape, published["label"].dtype) == ((n,), np.int32)
    shapes = {
        device: {name: (array.shape, array.dtype) for name, array in arrays.items()}
        for device, arrays in published["signal"].items()
    }
    f8 = np.float64
    assert shapes == {
        "chest": {
            "ACC": ((n, 3), f8),
            **{name: ((n, 1), f8) for name in ("ECG", "EMG", "EDA", "Temp", "Resp")},
        },
        "wrist": {
            "ACC": ((242 * 32, 3), f8),
            "BVP": ((242 * 64, 1), f8),
            "EDA": ((242 * 4, 1), f8),
            "TEMP": ((242 * 4, 1), f8),
        },
    }


def test_the_pickles_are_of_python_2(root):
    with (root / "S2" / "S2.pkl").open("rb") as file:
        opcodes = [(opcode, arg) for opcode, arg, _ in pickletools.genops(file)]
    assert max(opcode.proto for opcode, _ in opcodes) == 2
    names = {arg for opcode, arg in opcodes if opcode.name == "GLOBAL"}
    assert names == {"numpy.core.multiarray _reconstruct", "numpy ndarray", "numpy dtype"}
    assert not [opcode.name for opcode, _ in opcodes if "UNICODE" in opcode.name]
    text = (root / "S10" / "S10.pkl").read_bytes()
    assert text.isascii()
    assert text.startswith(b"(dS'signal'\n(dS'chest'\n(dS'ECG'\ncnumpy.core.multiarray\n_reconstruct\n")


def test_every_signal_has_its_rate_channels_and_unit(wrist, chest):
    def described(recording):
        return {
            name: (signal.samples.shape, signal.sampling_rate_hz, signal.unit, signal.start_s)
            for name, signal in recording.signals.items()
        }

    n, s = 235 * 700, 235
    of_chest = {
        "emg": ((1, n), 700, "uV", 0),
        "ecg": ((1, n), 700, "mV", 0),
        "resp": ((1, n), 700, "a.u.", 0),
    }
    assert described(wrist) == of_chest | {
        "ppg": ((1, s * 64), 64, "a.u.", 0),
        "eda": ((1, s * 4), 4, "uS", 0),
        "temp": ((1, s * 4), 4, "degC", 0),
        "acc": ((3, s * 32), 32, "g", 0),
    }
    assert described(chest) == of_chest | {
        "eda": ((1, n), 700, "uS", 0),
        "temp": ((1, n), 700, "degC", 0),
        "acc": ((3, n), 700, "g", 0),
    }
    assert wrist.modalities == WESAD.modalities
    assert chest.modalities == CHEST.modalities


def test_samples_are_the_files_own_from_the_baseline_on(published, wrist, chest):
    cases = [
        (wrist, "ppg", "wrist", "BVP", 64, 1.0),
        (wrist, "acc", "wrist", "ACC", 32, 1 / 64),
        (wrist, "eda", "wrist", "EDA", 4, 1.0),
        (wrist, "temp", "wrist", "TEMP", 4, 1.0),
        (wrist, "ecg", "chest", "ECG", 700, 1.0),
        (wrist, "emg", "chest", "EMG", 700, 1000.0),
        (wrist, "resp", "chest", "Resp", 700, 1.0),
        (chest, "eda", "chest", "EDA", 700, 1.0),
        (chest, "temp", "chest", "Temp", 700, 1.0),
        (chest, "acc", "chest", "ACC", 700, 1.0),
    ]
    for recording, modality, device, name, rate, scale in cases:
        wanted = scale * published["signal"][device][name][BEGIN_S * rate :].T
        np.testing.assert_allclose(recording.signals[modality].samples, wanted, rtol=1e-6, err_msg=name)


def test_trials_are_the_runs_of_one_condition(wrist):
    assert [trial.start_s for trial in wrist.trials] == pytest.approx(STARTS_S)
    assert [trial.stop_s for trial in wrist.trials] == pytest.approx(STOPS_S)
    assert [dict(trial.labels) for trial in wrist.trials] == [
        {"stress": "rest", "affect": "baseline"},
        {"stress": "stress", "affect": "stress"},
        {},
        {"stress": "rest", "affect": "amusement"},
    ]
    for task, classes in WESAD.tasks.items():
        assert {trial.labels[task] for trial in wrist.trials if trial.labels} == set(classes)


def peak_hz(signal, low_hz=0.1):
    frequency, power = welch(
        signal.samples[0], signal.sampling_rate_hz, nperseg=int(30 * signal.sampling_rate_hz)
    )
    return frequency[np.argmax(power * (frequency > low_hz))]


def test_each_array_means_what_it_is_called(wrist, chest):
    assert 0.15 < peak_hz(wrist.signals["resp"]) < 0.45
    assert 0.8 < peak_hz(wrist.signals["ppg"], 0.6) < 1.8
    assert 0.01 < np.median(wrist.signals["eda"].samples) < 60
    for recording in (wrist, chest):
        assert 25 < np.median(recording.signals["temp"].samples) < 40
        gravity = np.linalg.norm(recording.signals["acc"].samples, axis=0)
        assert np.median(gravity) == pytest.approx(1.0, abs=0.1)
    # Muscle noise of some uV, not of some nV or mV.
    assert 0.5 < wrist.signals["emg"].samples.std() < 500


def test_the_heart_beats_at_one_time_on_chest_and_wrist(wrist):
    """R waves lie where the simulated heart beat, and the pulse arrives at the wrist a little later."""
    blocks = layout_blocks()
    beats_s = simulated_person(SEED, 0, blocks, {}).beats_s - BEGIN_S
    ecg = wrist.signals["ecg"]
    found, _ = find_peaks(ecg.samples[0], height=0.5 * ecg.samples.max(), distance=int(0.3 * 700))
    beats_s = beats_s[(beats_s > 1) & (beats_s < ecg.stop_s - 1)]
    nearest = np.abs(beats_s[:, None] - found / 700).min(axis=1)
    assert np.quantile(nearest, 0.9) < 0.06
    ppg = wrist.signals["ppg"]
    pulse = np.interp(
        np.arange(ecg.samples.shape[1]) / 700, np.arange(ppg.samples.shape[1]) / 64, ppg.samples[0]
    )
    after = np.stack([pulse[round(beat * 700) :][:490] for beat in beats_s[:-1]]).mean(axis=0)
    assert 0.1 < after.argmax() / 700 < 0.6


def layout_blocks():
    edges = np.cumsum([0.0, *(length for _, length in PLAN)])
    return [
        (float(start), float(stop), number == 2)
        for (number, _), start, stop in zip(PLAN, edges, edges[1:], strict=False)
    ]


def test_protocol_0_is_read_as_protocol_2(root, tmp_path):
    content = load_pickle(root / "S10" / "S10.pkl", 2**30)
    (tmp_path / "S10").mkdir()
    write_python2_pickle(tmp_path / "S10" / "S10.pkl", content, 2)
    for dataset in (WESAD, CHEST):
        one, other = dataset.load(root, "S10"), dataset.load(tmp_path, "S10")
        for name, signal in one.signals.items():
            np.testing.assert_array_equal(signal.samples, other.signals[name].samples)


def test_the_watchs_archive_beside_the_pickle(root, published):
    recording = load_e4(root / "S2" / "S2_E4_Data.zip")
    assert recording.modalities == ("ppg", "eda", "temp", "acc")
    bvp = published["signal"]["wrist"]["BVP"].T
    np.testing.assert_allclose(recording.signals["ppg"].samples, bvp, atol=1e-5)
    np.testing.assert_allclose(
        recording.signals["acc"].samples, published["signal"]["wrist"]["ACC"].T / 64, atol=1e-6
    )


def test_subjects_and_sources(root, tmp_path):
    assert WESAD.subjects(root) == ["S10", "S2"]
    (tmp_path / "WESAD").symlink_to(root)
    assert WESAD.subjects(tmp_path) == ["S10", "S2"]
    assert WESAD.source_files(root, "S2") == [root / "S2" / "S2.pkl"]
    assert WESAD.digest(root, "S2") != CHEST.digest(root, "S2")
    assert WESAD.digest(tmp_path, "S2") == WESAD.digest(root, "S2")
    with pytest.raises(MMQError, match="no recording of subject 'S12'; there are S10, S2"):
        WESAD.load(root, "S12")


def test_the_simulator_writes_the_published_names(tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "SHORT", ((1, 1.0), (2, 1.0)))
    assert list(LAYOUTS["wesad"](tmp_path, 12, 0, True))[-2:] == ["S13", "S14"]
    files = sorted(path.name for path in (tmp_path / "S13").iterdir())
    assert files == ["S13.pkl", "S13_E4_Data.zip"]


@pytest.mark.parametrize("plan", [layout.SHORT, layout.LONG])
def test_plans_have_the_five_conditions_in_the_published_order(plan):
    assert [number for number, _ in plan if 1 <= number <= 4] == [1, 2, 4, 3, 4]
    assert sum(length for _, length in plan) % 1 == 0
    enrolment_s = load_config("wesad").normalisation.enrolment_s
    assert dict(plan)[1] >= enrolment_s + 120


# ---- files that are not as published


def changed(root, tmp_path, change):
    """A copy of S2 with its content changed, loaded."""
    content = load_pickle(root / "S2" / "S2.pkl", 2**30)
    change(content)
    (tmp_path / "S2").mkdir(exist_ok=True)
    (tmp_path / "S2" / "S2.pkl").write_bytes(pickle.dumps(content, 2))
    return WESAD.load(tmp_path, "S2")


def cut(content, device, name, samples):
    content["signal"][device][name] = content["signal"][device][name][:-samples]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.update(subject="S3"), ["expected the recording of S2", "'S3'"]),
        (lambda c: c.pop("label"), ["the file must hold subject, signal, label", "label is missing"]),
        (lambda c: c["signal"].pop("wrist"), ["signal must hold wrist, chest", "wrist is missing"]),
        (lambda c: c["signal"]["wrist"].pop("BVP"), ["signal wrist must hold BVP", "BVP is missing"]),
        (lambda c: c["signal"]["chest"].clear(), ["signal chest", "ECG is missing", "there is dict"]),
        (lambda c: c.update(signal=[1, 2]), ["signal must hold", "there is list"]),
        (
            lambda c: cut(c, "chest", "ECG", 1),
            ["chest ECG", "as long as the labels, 242 s", "169399 samples"],
        ),
        (lambda c: cut(c, "wrist", "BVP", 65), ["wrist BVP", "15423 samples at 64 Hz last 240.984 s"]),
        (
            lambda c: c["signal"]["wrist"].update(ACC=np.zeros((7744, 2))),
            ["wrist ACC", "[n, 3]", "[7744, 2]"],
        ),
        (lambda c: c["signal"]["wrist"].update(EDA=np.zeros(968)), ["wrist EDA", "[n, 1]", "float64 [968]"]),
        (lambda c: c["signal"]["wrist"].update(EDA="none"), ["wrist EDA", "got str"]),
        (lambda c: c["signal"]["wrist"]["EDA"].__setitem__((90, 0), np.inf), ["wrist EDA", "infinity"]),
        (lambda c: c.update(label=c["label"][:, None]), ["label must be integers [n]", "[169400, 1]"]),
        (lambda c: c.update(label=c["label"].astype(float)), ["label must be integers", "float64"]),
        (lambda c: c["label"].__setitem__(50, 8), ["label must be 0 to 7; sample 50 has 8"]),
        (lambda c: c["label"].__setitem__(50, -1), ["sample 50 has -1"]),
        (lambda c: c.update(label=np.zeros_like(c["label"])), ["stretches labelled 1 to 4"]),
        (lambda c: c.update(label=c["label"][:0]), ["label must be integers"]),
    ],
)
def test_a_file_that_is_not_as_published(root, tmp_path, change, words):
    with pytest.raises(MMQError) as caught:
        changed(root, tmp_path, change)
    message = str(caught.value)
    for word in ("S2.pkl", *words):
        assert word in message, message


def test_a_watch_that_stops_a_moment_earlier_is_as_published(root, tmp_path):
    recording = changed(root, tmp_path, lambda content: cut(content, "wrist", "BVP", 64))
    assert recording.signals["ppg"].stop_s == 234


def test_memory_is_that_of_the_arrays_in_the_file(root):
    """The file's bytes, which go array by array as the float64 arrays are made; float32 comes after."""
    tracemalloc.start()
    try:
        CHEST.load_subject(root, "S2")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    arrays = 242 * 700 * (8 * 8 + 4)
    assert peak < 1.75 * arrays


@pytest.mark.parametrize("name", ["wesad", "wesad-chest", "wesad-wrist-with-chest"])
def test_the_preset_fits_the_recordings(name, wrist, chest):
    config = load_config(name)
    recording = {"wesad": wrist, "wesad_chest": chest}[config.data.dataset]
    assert config.classes == ("rest", "stress")
    for modality, spec in config.front_end.modalities.items():
        signal = recording.signals[modality]
        assert spec.sampling_rate_hz == signal.sampling_rate_hz
        assert len(spec.channels) == len(signal.channels)
        assert spec.unit == signal.unit
    assert config.front_end.tokens * len(config.front_end.modalities) <= 160
    assert config.front_end.tokens * config.front_end.token_s == 60


def test_wrist_trained_with_chest_is_judged_by_the_wrist():
    wrist, both = load_config("wesad"), load_config("wesad-wrist-with-chest")
    hidden = both.missing.conditions["wrist-only"]
    left = tuple(name for name in both.front_end.modality_names if name not in hidden)
    assert left == wrist.front_end.modality_names


def test_it_is_said_that_nobody_could_check_licensed_files():
    for dataset in (WESAD, CHEST):
        assert any("SIMULATED files only" in note for note in dataset.notes)
        assert not dataset.stimulus_locked
        assert replace(dataset, name="other").published == dataset.published
