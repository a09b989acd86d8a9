# SPDX-License-Identifier: Apache-2.0
"""Files that MNE reads: modalities, units, own rates, annotations, and the parts a recording lies in."""

import logging
import shutil
from datetime import UTC, datetime
from typing import Any

import mne
import numpy as np
import pytest
from methods.sample_recordings import read_eeglab_sample
from scipy.io import savemat

from mmq_tf.datasets import get_dataset
from mmq_tf.datasets.formats.mne_channels import modality_of
from mmq_tf.datasets.formats.mne_files import descriptions, load_mne, trials_of
from mmq_tf.datasets.formats.mne_open import Mark
from mmq_tf.errors import MMQError
from mmq_tf.simulation.layouts.bdf import write_bdf

RATE_HZ = 100
SECONDS = 20


def save_fif(path, types, rows, annotations=None, meas_date=None, first_s=0):
    kinds: Any = list(types.values())
    info = mne.create_info(list(types), RATE_HZ, kinds, verbose="ERROR")
    raw = mne.io.RawArray(np.asarray(rows, float), info, first_samp=first_s * RATE_HZ, verbose="ERROR")
    raw.set_meas_date(meas_date)
    if annotations:
        onsets, durations, texts, *names = zip(*annotations, strict=True)
        start = first_s if meas_date else 0  # without a date, MNE counts from the first sample
        raw.set_annotations(
            mne.Annotations(
                np.add(onsets, start), durations, texts, meas_date, ch_names=names[0] if names else None
            )
        )
    raw.save(path, fmt="double", verbose="ERROR")
    return path


def fields(values, width):
    return b"".join(str(value).encode("latin-1").ljust(width) for value in values)


def write_edf(path, signals, records, tals=None, kind=""):
    """EDF of `records` seconds; signals are (label, unit, rate_hz, values), 0.1 of the unit a bit."""
    signals = list(signals)
    blocks = [
        np.rint(np.asarray(values, float) * 10).astype("<i2").reshape(records, -1) for *_, values in signals
    ]
    if tals is not None:
        signals.append(("EDF Annotations", "", 30, None))
        blocks.append(
            np.frombuffer(b"".join(tal.ljust(60, b"\0") for tal in tals), "<i2").reshape(records, -1)
        )
    labels, units, rates, _ = zip(*signals, strict=True)
    n = len(signals)
    head = b"0       " + fields(["X X X X", "Startdate X X X X"], 80) + b"01.01.2000.00.00"[:8] + b"00.00.00"
    head += fields([256 * (n + 1)], 8) + fields([kind], 44) + fields([records, 1], 8) + fields([n], 4)
    head += fields(labels, 16) + fields([""] * n, 80) + fields(units, 8)
    head += (
        fields([-3276.8] * n, 8) + fields([3276.7] * n, 8) + fields([-32768] * n, 8) + fields([32767] * n, 8)
    )
    head += fields([""] * n, 80) + fields(rates, 8) + fields([""] * n, 32)
    body = np.concatenate(blocks, axis=1).tobytes()
    path.write_bytes(head + body)
    return path


def ramp(rate_hz, seconds=SECONDS, scale=1.0):
    return scale * np.arange(rate_hz * seconds) / rate_hz


def spans(recording, task="condition"):
    return [(round(t.start_s, 6), round(t.stop_s, 6), t.labels[task]) for t in recording.trials]


# ---- channels and units


def test_every_channel_type_and_unit_of_mne(tmp_path, caplog):
    types = {
        "Cz": "eeg",
        "VEOG": "eog",
        "chin": "emg",
        "lead II": "ecg",
        "belt": "resp",
        "finger": "temperature",
        "palm": "gsr",
        "BVP": "misc",
        "Pleth 2": "bio",
        "photo": "misc",
        "STI 014": "stim",
    }
    values = [10e-6, 20e-6, 30e-6, 1e-3, 4.0, 33.5, 5e-6, 7.0, 8.0, 9.0, 0.0]
    path = save_fif(tmp_path / "all_raw.fif", types, np.outer(values, np.ones(RATE_HZ * SECONDS)))
    with caplog.at_level(logging.WARNING):
        recording = load_mne(path)
    found = {
        name: (signal.channels, signal.unit, signal.samples[:, 0].tolist())
        for name, signal in recording.signals.items()
    }
    assert found == {
        "eeg": (("Cz",), "uV", [pytest.approx(10)]),
        "eog": (("VEOG",), "uV", [pytest.approx(20)]),
        "emg": (("chin",), "uV", [pytest.approx(30)]),
        "ecg": (("lead II",), "mV", [pytest.approx(1)]),
        "ppg": (("BVP", "Pleth 2"), "a.u.", [7, 8]),
        "eda": (("palm",), "uS", [pytest.approx(5)]),
        "resp": (("belt",), "a.u.", [4]),
        "temp": (("finger",), "degC", [33.5]),
    }
    assert "channels photo are left out" in caplog.text
    assert recording.subject == "all_raw"
    assert recording.trials == ()
    assert not recording.simulated


@pytest.mark.parametrize(
    ("name", "mne_type", "modality"),
    [
        ("EEG Fp1-Ref", "eeg", "eeg"),
        ("T7", "eeg", "eeg"),
        ("EOG-L", "eeg", "eog"),
        ("vEOG", "misc", "eog"),
        ("EKG1", "eeg", "ecg"),
        ("EMG submental", "eeg", "emg"),
        ("gsr", "misc", "eda"),
        ("EDA_left", "bio", "eda"),
        ("Resp oro-nasal", "eeg", "resp"),
        ("Respiration", "misc", "resp"),
        ("Temp rectal", "eeg", "temp"),
        ("PPG", "misc", "ppg"),
        ("Plet", "eeg", "ppg"),
        ("ACC_X", "misc", "acc"),
        ("AccZ", "misc", "acc"),
        ("Status", "eeg", None),
        ("EXG1", "eeg", None),
        ("Erg2", "eeg", None),
        ("light", "misc", None),
        ("EXG ECG", "eeg", "ecg"),
        ("Resp", "emg", "emg"),
        ("MEG 0111", "mag", None),
        ("STI 014", "stim", None),
        ("attempt", "misc", None),
        *(
            (name, "eeg", None)
            for name in (
                "COUNTER",
                "INTERPOLATED",
                "GYROX",
                "CQ_AF3",
                "EQ.AF3",
                "RAW_CQ",
                "BATTERY",
                "EEG.BatteryPercent",
                "EEG.Counter",
                "MarkerHardware",
                "TIME_STAMP_s",
                "SpO2",
                "SaO2",
                "O2 Sat",
                "HRate",
                "HR",
                "Position",
                "Light",
                "OX STATUS",
                "Right AUX",
                "Sample Index",
                "Photo",
                "X1",
                "Channel 7",
            )
        ),
        *(
            (name, "eeg", "eeg")
            for name in (
                "FP1-F7",
                "Fc5.",
                "C3-M2",
                "A12",
                "E128",
                "EEG 012",
                "EEG-C3",
                "AFF5h",
                "Iz",
                "POO10h",
            )
        ),
        ("E1-M2", "eeg", "eog"),
        ("ROC", "eeg", "eog"),
    ],
)
def test_the_name_decides_where_the_type_does_not(name, mne_type, modality):
    assert modality_of(name, mne_type) == modality


@pytest.mark.parametrize(
    ("label", "unit", "expected"),
    [
        ("EEG Fz", "uV", 50),
        ("EEG Fz", "mV", 50_000),
        ("EEG Fz", "nV", 0.05),
        ("ECG", "uV", 0.05),
        ("ECG", "mV", 50),
        ("GSR", "uS", 50),
        ("GSR", "nS", 0.05),
        ("GSR", "Ohm", 20_000),
        ("Temp", "degC", 50),
        ("Temp", "DegC", 50),
        ("Temp", "C", 50),
        ("Temp", "K", 50 - 273.15),
        ("Resp", "", 50),
        ("PPG", "nW", 50),
        ("Acc X", "g", 50),
        ("Acc X", "mg", 0.05),
        ("Acc X", "m/s^2", 50 / 9.80665),
    ],
)
def test_the_unit_in_an_edf_header_counts(tmp_path, label, unit, expected):
    path = write_edf(tmp_path / "a.edf", [(label, unit, 10, np.full(20, 50.0))], 2)
    (signal,) = load_mne(path).signals.values()
    np.testing.assert_allclose(signal.samples, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("label", "unit"), [("EEG Fz", ""), ("EEG Fz", "%"), ("GSR", "uV"), ("Temp", ""), ("Acc X", "")]
)
def test_an_unknown_unit_is_refused_unless_told(tmp_path, label, unit):
    path = write_edf(tmp_path / "a.edf", [(label, unit, 10, np.full(20, 50.0))], 2)
    with pytest.raises(MMQError, match=rf"a\.edf: channel '{label}' .* say its unit in `units`"):
        load_mne(path)
    told = {"EEG Fz": "uV", "GSR": "uS", "Temp": "degC", "Acc X": "g"}[label]
    (signal,) = load_mne(path, units={label: told}).signals.values()
    np.testing.assert_allclose(signal.samples, 50, rtol=1e-5)


def test_types_and_units_of_the_caller_come_first(tmp_path):
    signals = [(name, "uV", 10, np.full(20, 500.0)) for name in ("Fz", "A2-A1", "EXG1")]
    path = write_edf(tmp_path / "a.edf", signals, 2)
    recording = load_mne(path, types={"A2-A1": "ignore", "EXG1": "ecg"}, units={"EXG1": "mV"})
    assert recording.signals["eeg"].channels == ("Fz",)
    np.testing.assert_allclose(recording.signals["ecg"].samples, 500, rtol=1e-6)
    np.testing.assert_allclose(load_mne(path).signals["eeg"].samples, 500, rtol=1e-6)
    assert load_mne(path).digest != recording.digest


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"types": {"EXG9": "ecg"}}, "types must name channels of the file (Fz); got 'EXG9'"),
        ({"units": {"Cz": "uV"}}, "units must name channels of the file (Fz); got 'Cz'"),
        ({"types": {"Fz": "meg"}}, "types['Fz'] must be one of eeg, "),
        ({"types": {"Fz": "ignore"}}, "no channel is one of eeg, "),
    ],
)
def test_settings_that_cannot_be(tmp_path, settings, words):
    path = write_edf(tmp_path / "a.edf", [("Fz", "uV", 10, np.zeros(20))], 2)
    with pytest.raises(MMQError) as caught:
        load_mne(path, **settings)
    assert words in str(caught.value)


def test_names_lose_their_type_unless_they_would_collide(tmp_path):
    labels = ("EEG Fp1", "EEG Fp2", "EOG L", "EOG R", "VEOG L")
    path = write_edf(tmp_path / "a.edf", [(label, "uV", 10, np.zeros(20)) for label in labels], 2)
    signals = load_mne(path).signals
    assert signals["eeg"].channels == ("Fp1", "Fp2")
    assert signals["eog"].channels == ("EOG L", "EOG R", "VEOG L")


def test_two_channels_of_one_label(tmp_path):
    signals = [("EEG", "uV", 10, np.full(20, value)) for value in (1.0, 2.0)]
    eeg = load_mne(write_edf(tmp_path / "a.edf", signals, 2)).signals["eeg"]
    assert len(set(eeg.channels)) == 2
    np.testing.assert_allclose(eeg.samples[:, 0], [1, 2], rtol=1e-6)


# ---- rates


def test_each_modality_of_edf_has_its_own_rate(tmp_path):
    signals = [
        ("EEG Fz", "uV", 100, ramp(100)),
        ("Temp", "degC", 1, ramp(1)),
        ("EEG Cz", "uV", 100, ramp(100, scale=2)),
        ("Resp", "", 10, ramp(10)),
    ]
    path = write_edf(tmp_path / "a.edf", signals, SECONDS)
    assert mne.io.read_raw_edf(path, verbose="ERROR").info["sfreq"] == 100  # what MNE makes of all
    found = load_mne(path).signals
    assert {name: signal.sampling_rate_hz for name, signal in found.items()} == {
        "eeg": 100,
        "resp": 10,
        "temp": 1,
    }
    np.testing.assert_allclose(found["temp"].samples[0], ramp(1), atol=0.051)
    np.testing.assert_allclose(found["resp"].samples[0], ramp(10), atol=0.051)
    np.testing.assert_allclose(found["eeg"].samples, [ramp(100), ramp(100, scale=2)], atol=0.051)


def test_two_rates_in_one_modality_are_refused(tmp_path):
    signals = [("Fz", "uV", 100, ramp(100)), ("Cz", "uV", 50, ramp(50))]
    path = write_edf(tmp_path / "a.edf", signals, SECONDS)
    with pytest.raises(MMQError, match=r"eeg must have one rate; got Fz 100 Hz, Cz 50 Hz; .*mmq-tf\.toml"):
        load_mne(path)
    assert load_mne(path, types={"Cz": "ignore"}).signals["eeg"].sampling_rate_hz == 100


def test_of_two_rates_the_one_that_most_have_counts(tmp_path, caplog):
    signals = [("Fz", "uV", 100, ramp(100)), ("Cz", "uV", 50, ramp(50)), ("Pz", "uV", 50, ramp(50))]
    eeg = load_mne(write_edf(tmp_path / "a.edf", signals, SECONDS)).signals["eeg"]
    assert (eeg.channels, eeg.sampling_rate_hz) == (("Cz", "Pz"), 50)
    assert "channels Fz of eeg are left out: of another rate (Fz 100 Hz, Cz 50 Hz, Pz 50 Hz)" in caplog.text


# ---- what is unknown is not EEG

HEADSET = ("AF3", "COUNTER", "CQ_AF3", "GYROX", "Battery", "SpO2", "TIME_STAMP_s", "Foo", "T7")


@pytest.mark.parametrize("unit", ["uV", ""])
def test_what_a_headset_adds_to_an_edf_is_left_out(tmp_path, caplog, unit):
    signals = [(n, "uV" if n in ("AF3", "T7") else unit, 10, np.full(20, 5.0)) for n in HEADSET]
    recording = load_mne(write_edf(tmp_path / "a.edf", signals, 2))
    assert {n: s.channels for n, s in recording.signals.items()} == {"eeg": ("AF3", "T7")}
    assert "channels COUNTER, CQ_AF3, GYROX, Battery, SpO2, TIME_STAMP_s, Foo are left out" in caplog.text


def test_a_fif_says_itself_that_an_unknown_name_is_eeg(tmp_path):
    types = dict.fromkeys(("depth 1", "COUNTER"), "eeg")
    path = save_fif(tmp_path / "a_raw.fif", types, np.ones((2, 200)) * 1e-6)
    assert load_mne(path).signals["eeg"].channels == ("depth 1",)


def write_set(path, channels, n=256, events=(), rate=128.0):
    """A set of EEGLAB; channels are (name, type, value), events (type, latency, duration) in samples."""
    names = np.array([each[:2] for each in channels], dtype=[("labels", object), ("type", object)])
    marks = [("type", object), ("latency", object), ("duration", object)]
    data = np.outer([value for *_, value in channels], np.ones(n)).astype("float32")
    empty = dict.fromkeys(("epoch", "icawinv", "icaweights", "icasphere", "icachansind"), np.zeros((0, 0)))
    content = {
        "setname": "x", "nbchan": len(channels), "trials": 1, "pnts": n, "srate": rate, "xmin": 0.0,
        "xmax": (n - 1) / rate, "data": data, "chanlocs": names, "ref": "common",
        "event": np.array(list(events), dtype=marks) if events else np.zeros((0, 0)), **empty,
    }  # fmt: skip
    savemat(path, {"EEG": content}, appendmat=False)
    return path


def test_what_was_cut_out_of_a_set_may_be_longer_than_what_follows(tmp_path):
    path = write_set(tmp_path / "a.set", [("Fp1", "EEG", 20)], 384, [("boundary", 256.5, 128 * 60)])
    signal = load_mne(path).signals["eeg"]
    assert signal.samples.shape == (1, 384 + 128 * 60)
    assert np.isnan(signal.samples).sum() == 128 * 60


def test_an_eeglab_set_says_no_units(tmp_path, caplog):
    channels = [("Fp1", "EEG", 20), ("GSR", "GSR", 5), ("ECG", "ECG", 900), ("Temp", "TEMP", 33)]
    channels += [("SpO2", "", 97), ("GYRO-X", "", 1600)]
    path = write_set(tmp_path / "a.set", channels)
    recording = load_mne(path)
    first = {name: signal.samples[0, 0] for name, signal in recording.signals.items()}
    assert first == {"eeg": pytest.approx(20), "ecg": pytest.approx(0.9)}
    assert "channel 'GSR' (eda) is in ''" in caplog.text
    assert "channels SpO2, GYRO-X are left out" in caplog.text
    told = load_mne(path, units={"GSR": "uS", "Temp": "degC"})  # of the numbers in the file
    assert told.signals["eda"].samples[0, 0] == pytest.approx(5)
    assert told.signals["temp"].samples[0, 0] == pytest.approx(33)


# ---- annotations

MARKS = [(1.0, 4.0, "rest"), (5.0, 0.0, "beep"), (6.0, 0.5, "blink"), (8.0, 5.0, "stress")]


@pytest.mark.parametrize("meas_date", [None, datetime(2020, 1, 2, tzinfo=UTC)])
@pytest.mark.parametrize("first_s", [0, 7])
def test_annotations_become_trials(tmp_path, meas_date, first_s):
    rows = np.zeros((1, RATE_HZ * SECONDS))
    path = save_fif(tmp_path / "a_raw.fif", {"Cz": "eeg"}, rows, MARKS, meas_date, first_s)
    assert spans(load_mne(path, task="state"), "state") == [(1, 5, "rest"), (8, 13, "stress")]


@pytest.mark.parametrize("text", ["BAD_motion", "bad", "Bad segment"])
def test_bad_time_is_lost(tmp_path, text):
    rows = np.ones((2, RATE_HZ * SECONDS)) * 1e-6
    marks = [(3.0, 2.0, text, ()), (10.0, 0.5, "BAD_pop", ("Pz",)), (2.0, 6.0, "rest", ())]
    path = save_fif(tmp_path / "a_raw.fif", {"Cz": "eeg", "Pz": "eeg"}, rows, marks)
    recording = load_mne(path)
    lost = np.isnan(recording.signals["eeg"].samples)
    assert lost[0].nonzero()[0].tolist() == list(range(300, 500))
    assert lost[1].nonzero()[0].tolist() == [*range(300, 500), *range(1000, 1050)]
    assert spans(recording) == [(2, 8, "rest")]


def test_overlapping_annotations_are_refused():
    marks = [Mark(1, 5, "rest"), Mark(4, 8, "stress")]
    with pytest.raises(MMQError, match=r"'stress' begins at 4 s, before 'rest' ends at 5 s"):
        trials_of(marks, "state", 20)


def test_overlapping_annotations_are_looked_at_without_trials(tmp_path, caplog):
    tals = [tal(second) for second in range(SECONDS)]
    tals[0] = tal(0, (0, 10, "N2"), (4, 3, "Hypopnea"), (10, 5, "N3"))
    path = write_edf(tmp_path / "a.edf", [("Fz", "uV", 100, ramp(100))], SECONDS, tals, "EDF+C")
    assert load_mne(path).trials == ()
    assert "no trials are taken: annotations must not overlap" in caplog.text
    with pytest.raises(MMQError, match=r"'Hypopnea' begins at 4 s, .*name those that count in `tasks`"):
        load_mne(path, trials="needed")
    stages = load_mne(path, trials="needed", counts=lambda text: text.startswith("N"))
    assert spans(stages) == [(0, 10, "N2"), (10, 15, "N3")]
    assert load_mne(path, trials="none").trials == ()
    assert descriptions(path) == {"N2": 1, "Hypopnea": 1, "N3": 1}


def test_trials_may_touch_and_are_cut_at_the_ends():
    marks = [
        Mark(15, 25, "c"),
        Mark(-2, 5.0004, "a"),
        Mark(5, 8, "b"),
        Mark(30, 40, "never"),
        Mark(9, 12, ""),
    ]
    trials = trials_of(marks, "state", 20)
    assert [(t.start_s, t.stop_s, t.labels["state"]) for t in trials] == [
        (0, 5, "a"),
        (5, 8, "b"),
        (15, 20, "c"),
    ]


def tal(onset, *annotations):
    text = f"+{onset}\x14\x14\x00"
    return (
        text + "".join(f"+{at}\x15{length}\x14{what}\x14\x00" for at, length, what in annotations)
    ).encode()


def test_annotations_of_edf_plus(tmp_path):
    tals = [tal(0, (2, 5, "rest")), *(tal(second) for second in range(1, SECONDS))]
    tals[9] = tal(9, (10, 3, "Streß"))
    path = write_edf(tmp_path / "a.edf", [("Fz", "uV", 100, ramp(100))], SECONDS, tals, "EDF+C")
    assert spans(load_mne(path)) == [(2, 7, "rest"), (10, 13, "Streß")]


def test_gaps_of_a_discontinuous_file_are_lost_samples(tmp_path):
    """MNE joins the records: what lies behind the gap of 60 s would be 60 s early."""
    onsets = [second if second < 10 else second + 60 for second in range(SECONDS)]
    tals = [tal(onset) for onset in onsets]
    tals[0], tals[10] = tal(0, (2, 5, "rest")), tal(70, (72, 5, "stress"), (69, 2, "BAD"))
    signals = [("Fz", "uV", 100, ramp(100)), ("Temp", "C", 1, ramp(1))]
    recording = load_mne(write_edf(tmp_path / "a.edf", signals, SECONDS, tals, "EDF+D"))
    eeg, temp = recording.signals["eeg"].samples[0], recording.signals["temp"].samples[0]
    assert (len(eeg), len(temp)) == (8000, 80)
    assert np.isnan(eeg).nonzero()[0].tolist() == list(range(1000, 7100))
    assert np.isnan(temp).nonzero()[0].tolist() == list(range(10, 71))
    np.testing.assert_allclose(eeg[7100:], ramp(100)[1100:], atol=0.051)
    np.testing.assert_allclose(temp[71:], ramp(1)[11:], atol=0.051)
    assert spans(recording) == [(2, 7, "rest"), (72, 77, "stress")]


def test_a_file_marked_discontinuous_without_gaps(tmp_path):
    tals = [tal(second) for second in range(SECONDS)]
    path = write_edf(tmp_path / "a.edf", [("Fz", "uV", 100, ramp(100))], SECONDS, tals, "EDF+D")
    np.testing.assert_allclose(load_mne(path).signals["eeg"].samples[0], ramp(100), atol=0.051)


# ---- breaks that a file declares


def lost_runs(signal):
    """First and last place after it of every stretch in which all channels are lost."""
    edges = np.flatnonzero(np.diff(np.isnan(signal.samples).all(axis=0), prepend=False, append=False))
    return [tuple(pair) for pair in edges.reshape(-1, 2).tolist()]


@pytest.mark.parametrize(
    ("events", "lost", "trials"),
    [
        ([("rest", 1.0, 256.0), ("boundary", 384.5, 640.0), ("stress", 513.0, 256.0)], [(384, 1024)],
         [(0, 2, "rest"), (9, 11, "stress")]),
        ([("rest", 1.0, 512.0), ("boundary", 256.5, 128.0)], [(256, 384)], [(0, 5, "rest")]),
        ([(-99.0, 384.5, 640.0), (11.0, 513.0, 256.0)], [(384, 1024)], [(9, 11, "11.0")]),
        ([("boundary", 384.5, np.nan)], [(384, 1024)], []),  # nobody says how long
        ([("boundary", 0.5, 999.0), ("rest", 1.0, 256.0)], [], [(0, 2, "rest")]),
    ],
)  # fmt: skip
def test_what_eeglab_cut_out_is_lost_and_no_class(tmp_path, events, lost, trials):
    recording = load_mne(write_set(tmp_path / "a.set", [("Fp1", "EEG", 20)], 128 * 8, events))
    assert lost_runs(recording.signals["eeg"]) == lost
    assert spans(recording) == [(*(pytest.approx(at, abs=1e-6) for at in t[:2]), t[2]) for t in trials]


def test_joined_and_bad_channels_of_a_fif(tmp_path):
    info = mne.create_info(["Fz", "Cz"], RATE_HZ, "eeg", verbose="ERROR")
    raws = [mne.io.RawArray(np.ones((2, 300)) * 1e-6, info, verbose="ERROR") for _ in range(2)]
    raw = mne.concatenate_raws(raws, verbose="ERROR")
    assert isinstance(raw, mne.io.BaseRaw)
    raw.info["bads"] = ["Cz"]
    raw.save(tmp_path / "a_raw.fif", fmt="double", verbose="ERROR")
    eeg = load_mne(tmp_path / "a_raw.fif").signals["eeg"]
    assert lost_runs(eeg) == [(300, 800)]
    assert np.isnan(eeg.samples).sum(axis=1).tolist() == [500, 1100]


# ---- formats and the parts they lie in


@pytest.mark.parametrize(
    ("count", "cut", "whole", "words"),
    [
        ("-1", 0, 20, "it was never closed; 20 data records are whole, 0 bytes after them are lost"),
        ("-1", 7, 19, "it was never closed; 19 data records are whole, 193 bytes after them are lost"),
        ("20", 200 * 8 + 3, 11, "11 of 20 data records are whole, 9 s are lost"),
    ],
)
def test_what_is_whole_of_a_cut_edf(tmp_path, caplog, count, cut, whole, words):
    path = write_edf(tmp_path / "a.edf", [("Fz", "uV", 100, ramp(100))], SECONDS)
    data = bytearray(path.read_bytes())
    data[236:244] = count.encode().ljust(8)
    path.write_bytes(data[: len(data) - cut])
    with pytest.raises(MMQError, match=r"--repair, or repair = true in mmq-tf\.toml, reads what is whole"):
        load_mne(path)
    eeg = load_mne(path, repair=True).signals["eeg"]
    np.testing.assert_allclose(eeg.samples[0], ramp(100)[: 100 * whole], atol=0.051)
    assert words in caplog.text


def test_a_cut_edf_without_a_whole_record(tmp_path):
    path = write_edf(tmp_path / "a.edf", [("Fz", "uV", 100, ramp(100))], SECONDS)
    path.write_bytes(path.read_bytes()[: 512 + 100])
    with pytest.raises(MMQError, match="holds no whole data record; there is nothing to repair"):
        load_mne(path, repair=True)


def write_brainvision(folder, data_file="a.eeg"):
    (folder / "a.vhdr").write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={data_file}\nMarkerFile=a.vmrk\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\n"
        "NumberOfChannels=4\nSamplingInterval=10000\n\n[Binary Infos]\nBinaryFormat=INT_16\n\n"
        "[Channel Infos]\nCh1=Cz,,0.1,µV\nCh2=ECG,,1,µV\nCh3=GSR,,0.01,µS\nCh4=Temp,,0.1,C\n",
        "utf-8",
    )
    (folder / "a.vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n\n[Common Infos]\nCodepage=UTF-8\n"
        "DataFile=a.eeg\n\n[Marker Infos]\nMk1=New Segment,,1,1,0,20200101000000000000\n"
        "Mk2=Comment,rest,201,500,0\nMk3=Stimulus,S  1,900,1,0\n",
        "utf-8",
    )
    rows = np.outer([100, 1000, 500, 335], np.ones(RATE_HZ * SECONDS))
    (folder / "a.eeg").write_bytes(rows.T.astype("<i2").tobytes())
    return folder / "a.vhdr"


def test_brainvision(tmp_path):
    recording = load_mne(write_brainvision(tmp_path))
    values = {name: (s.unit, s.samples[0, 0]) for name, s in recording.signals.items()}
    assert values == {
        "eeg": ("uV", pytest.approx(10)),
        "ecg": ("mV", pytest.approx(1)),
        "eda": ("uS", pytest.approx(5)),
        "temp": ("degC", pytest.approx(33.5)),
    }
    assert spans(recording) == [(2, 7, "Comment/rest")]


@pytest.mark.parametrize(
    ("began", "pause_s"), [("20200101000000000000", 12.5), ("00000000000000000000", 5.0)]
)
def test_segments_of_brainvision_keep_their_pause(tmp_path, began, pause_s):
    path = write_brainvision(tmp_path)
    text = (tmp_path / "a.vmrk").read_text("utf-8").replace("20200101000000000000", began)
    text += "Mk4=New Segment,,1001,1,0,20200101000022500000\nMk5=Comment,stress,1101,500,0\n"
    (tmp_path / "a.vmrk").write_text(text, "utf-8")
    recording = load_mne(path)
    for signal in recording.signals.values():
        assert lost_runs(signal) == [(1000, 1000 + round(100 * pause_s))]
    assert spans(recording) == [(2, 7, "Comment/rest"), (11 + pause_s, 16 + pause_s, "Comment/stress")]


@pytest.mark.parametrize("part", ["a.vhdr", "a.vmrk", "a.eeg"])
def test_the_digest_covers_every_part_of_brainvision(tmp_path, part):
    path = write_brainvision(tmp_path)
    before = load_mne(path).digest
    content = (tmp_path / part).read_bytes()
    changed = content.replace(b"rest", b"task").replace(b"Codepage", b"codepage").replace(b"d\0", b"e\0")
    assert changed != content
    (tmp_path / part).write_bytes(changed)
    assert load_mne(path).digest != before


@pytest.mark.parametrize("elsewhere", ["../b.eeg", "/etc/hostname"])
def test_a_header_cannot_reach_into_another_folder(tmp_path, elsewhere):
    (tmp_path / "inner").mkdir()
    path = write_brainvision(tmp_path / "inner", elsewhere)
    shutil.copy(tmp_path / "inner" / "a.eeg", tmp_path / "b.eeg")
    with pytest.raises(MMQError, match=r"a\.vhdr: expected all its parts in .*inner; it refers to "):
        load_mne(path)


def test_a_link_may_lead_elsewhere_but_not_its_parts(tmp_path):
    (tmp_path / "inner").mkdir()
    path = write_edf(tmp_path / "inner" / "a.edf", [("Fz", "uV", 10, np.zeros(20))], 2)
    (tmp_path / "link.edf").symlink_to(path)
    assert load_mne(tmp_path / "link.edf").digest != ""


def test_a_split_fif_is_read_and_hashed_whole(tmp_path):
    info = mne.create_info(30, RATE_HZ, "eeg", verbose="ERROR")
    rows = np.random.default_rng(0).normal(0, 1e-5, (30, RATE_HZ * 400))
    raw = mne.io.RawArray(rows, info, verbose="ERROR")
    raw.save(tmp_path / "a_raw.fif", split_size="3MB", verbose="ERROR")
    parts = sorted(path.name for path in tmp_path.iterdir())
    assert len(parts) > 1
    recording = load_mne(tmp_path / "a_raw.fif")
    np.testing.assert_allclose(recording.signals["eeg"].samples, rows * 1e6, rtol=1e-5, atol=1e-4)
    content = bytearray((tmp_path / parts[0]).read_bytes())
    content[-100_000] ^= 1
    (tmp_path / parts[0]).write_bytes(content)
    assert load_mne(tmp_path / "a_raw.fif").digest != recording.digest


def test_a_long_file_is_read_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr("mmq_tf.datasets.formats.files.edf_signals.CHUNK_SAMPLES", 700)
    signals = [("Fz", "uV", 100, ramp(100)), ("Cz", "uV", 100, ramp(100, scale=-1))]
    eeg = load_mne(write_edf(tmp_path / "a.edf", signals, SECONDS)).signals["eeg"]
    np.testing.assert_allclose(eeg.samples, [ramp(100), ramp(100, scale=-1)], atol=0.051)


def test_bdf_of_biosemi(tmp_path, caplog):
    names = ["Fp1", "EXG1", "GSR1", "Resp"]
    rows = np.outer([1000.0, 5.0, 200_000.0, 3.0], np.ones(256 * 4))
    path = tmp_path / "a.bdf"
    write_bdf(path, names, rows, 256, status=np.zeros(1024, int), units={"GSR1": "Ohm"})
    with caplog.at_level(logging.WARNING):
        signals = load_mne(path).signals
    assert "channels EXG1, Status are left out" in caplog.text
    found = {name: (signal.channels, signal.samples[0, 0]) for name, signal in signals.items()}
    assert found == {
        "eeg": (("Fp1",), pytest.approx(1000, abs=0.05)),
        "eda": (("GSR1",), pytest.approx(5, rel=1e-5)),
        "resp": (("Resp",), pytest.approx(3, abs=0.05)),
    }


# ---- real recordings


def test_eegmat_by_its_own_loader_and_by_mne(mmq_data):
    folder = mmq_data / "eegmat"
    expected = get_dataset("eegmat").load(folder, "Subject00")
    got = load_mne(folder / "Subject00_1.edf", types={"EEG A2-A1": "ignore"})
    assert got.modalities == expected.modalities
    for name, signal in got.signals.items():
        want = expected.signals[name]
        assert (signal.unit, signal.sampling_rate_hz) == (want.unit, want.sampling_rate_hz)
        assert [channel.lower() for channel in signal.channels] == [
            channel.lower() for channel in want.channels
        ]
        np.testing.assert_allclose(
            signal.samples, want.samples[:, : signal.samples.shape[1]], rtol=1e-5, atol=1e-5
        )


def test_eeglab_sample_with_its_fdt(mmq_data, tmp_path):
    for name in ("eeglab_data.set", "eeglab_data.fdt"):
        shutil.copy(mmq_data / "eeglab_sample" / name, tmp_path)
    expected = read_eeglab_sample(tmp_path)
    got = load_mne(tmp_path / "eeglab_data.set")
    for name, signal in got.signals.items():
        assert signal.channels == expected.signals[name].channels
        np.testing.assert_allclose(signal.samples, expected.signals[name].samples, rtol=1e-5, atol=1e-5)
    assert got.trials == ()  # button presses and squares last no time
    content = bytearray((tmp_path / "eeglab_data.fdt").read_bytes())
    content[1000] ^= 1
    (tmp_path / "eeglab_data.fdt").write_bytes(content)
    assert load_mne(tmp_path / "eeglab_data.set").digest != got.digest
    (tmp_path / "eeglab_data.fdt").unlink()
    with pytest.raises(MMQError, match=r"eeglab_data\.set: MNE cannot read this file"):
        load_mne(tmp_path / "eeglab_data.set")
