# SPDX-License-Identifier: Apache-2.0
"""MAHNOB-HCI, on SIMULATED sessions in its layout: what is read means what the manual says."""

import logging
import os
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import mne
import numpy as np
import pytest
from scipy.signal import find_peaks, welch

from mmq_tf.datasets import get_dataset, open_dataset
from mmq_tf.datasets.base import SIMULATED_NAME
from mmq_tf.datasets.formats.conductance import conductance_us
from mmq_tf.datasets.mahnob_hci import clip_between_pulses
from mmq_tf.errors import MMQError
from mmq_tf.simulation.layouts.mahnob_hci import write

DATASET = get_dataset("mahnob_hci")
RATE_HZ = 256


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("mahnob")
    (root / SIMULATED_NAME).write_text("SIMULATED")
    assert list(write(root, 2, 0, True)) == ["P1", "P2"]
    return root


@pytest.fixture(scope="module")
def recording(folder):
    return DATASET.load(folder, "P1")


@pytest.fixture(scope="module")
def sessions(folder):
    """Folders of P1's emotional clips in the order of presentation."""
    return [folder / "Sessions" / str(number) for number in (2, 4, 6, 8)]


@pytest.fixture
def changed(folder, tmp_path):
    """A copy whose descriptions can be changed; its BDF files are links."""
    root = tmp_path / "copy"

    def copy(source, target):
        return os.symlink(source, target) if str(source).endswith(".bdf") else shutil.copy2(source, target)

    shutil.copytree(folder, root, copy_function=copy)
    return root


def edit(path: Path, pattern: str, text: str) -> None:
    content, count = re.subn(pattern, text, path.read_text())
    assert count == 1
    path.write_text(content)


def bdf_of(session: Path) -> Path:
    return next(session.glob("*.bdf"))


def test_subjects_and_what_is_left_out(folder, caplog):
    with caplog.at_level(logging.INFO):
        assert DATASET.subjects(folder) == ["P1", "P2"]
    assert "2 sessions are left out: a neutral clip" in caplog.text


def test_signals_have_the_published_shape(recording):
    assert recording.simulated
    assert recording.source == "mahnob_hci"
    assert DATASET.published is not None
    for name, (channels, rate_hz) in DATASET.published.signals.items():
        signal = recording.signals[name]
        assert (len(signal.channels), signal.sampling_rate_hz) == (channels, rate_hz)
    assert recording.modalities == DATASET.modalities
    units = {name: signal.unit for name, signal in recording.signals.items()}
    assert units == {"eeg": "uV", "ecg": "mV", "eda": "uS", "resp": "a.u.", "temp": "degC"}


def test_each_trial_is_the_clip_between_the_two_pulses(recording, sessions):
    assert len(recording.trials) == len(sessions)
    for trial, session in zip(recording.trials, sessions, strict=True):
        raw = mne.io.read_raw_bdf(bdf_of(session), verbose="ERROR")
        begin, end = mne.find_events(raw, stim_channel="Status", verbose="ERROR")[:, 0]
        assert begin == 30 * RATE_HZ
        assert trial.start_s % 60 == 0
        assert trial.stop_s - trial.start_s == pytest.approx((end - begin) / RATE_HZ)


def test_each_trial_has_the_signals_and_the_report_of_its_own_session(recording, sessions):
    for trial, session in zip(recording.trials, sessions, strict=True):
        raw = mne.io.read_raw_bdf(bdf_of(session), include=["Pz"], verbose="ERROR")
        expected = raw.get_data()[0] * 1e6
        first = round((trial.start_s - 30) * RATE_HZ)
        eeg = recording.signals["eeg"]
        got = eeg.samples[eeg.channels.index("Pz"), first : first + len(expected)]
        np.testing.assert_allclose(got, expected, rtol=1e-6)
        felt = ElementTree.parse(session / "session.xml").getroot().attrib
        assert trial.ratings == {
            "valence": float(felt["feltVlnc"]),
            "arousal": float(felt["feltArsl"]),
            "control": float(felt["feltCtrl"]),
            "predictability": float(felt["feltPred"]),
            "emotion": float(felt["feltEmo"]),
        }
        assert trial.stimulus == felt["mediaFile"]
        for task, name in (("valence", "feltVlnc"), ("arousal", "feltArsl")):
            assert trial.labels[task] == ("high" if int(felt[name]) > 5 else "low")
    assert {trial.labels["arousal"] for trial in recording.trials} == {"low", "high"}


def test_neutral_half_minutes_stay_and_all_else_is_lost(recording):
    eda = recording.signals["eda"].samples[0]
    there = ~np.isnan(eda)
    for trial in recording.trials:
        assert there[round((trial.start_s - 30) * RATE_HZ) : round((trial.stop_s + 30) * RATE_HZ)].all()
        there[round((trial.start_s - 30) * RATE_HZ) : round((trial.stop_s + 31) * RATE_HZ)] = False
    assert not there.any()


def test_a_heart_beats_upright_in_the_ecg(recording):
    for trial in recording.trials:
        span = slice(round(trial.start_s * RATE_HZ), round(trial.stop_s * RATE_HZ))
        ecg = recording.signals["ecg"].samples[0, span]
        ecg = ecg - np.median(ecg)
        beats, _ = find_peaks(ecg, height=0.5, distance=0.4 * RATE_HZ)
        assert 45 <= 60 * beats.size / (trial.stop_s - trial.start_s) <= 120
        assert ecg.max() > 2 * -ecg.min()


def test_the_belt_breathes_and_the_skin_is_warm_and_conducts(recording):
    for trial in recording.trials:
        span = slice(round(trial.start_s * RATE_HZ), round(trial.stop_s * RATE_HZ))
        resp, eda, temp = (recording.signals[name].samples[0, span] for name in ("resp", "eda", "temp"))
        frequency, power = welch(resp - resp.mean(), RATE_HZ, nperseg=len(resp))
        assert 0.15 <= frequency[np.argmax(power)] <= 0.45
        assert ((eda > 0.5) & (eda < 30)).all()
        assert ((temp > 28) & (temp < 37)).all()


def test_ohm_becomes_uS(recording, sessions):
    ohm = mne.io.read_raw_bdf(bdf_of(sessions[0]), include=["GSR1"], verbose="ERROR").get_data()[0]
    got = recording.signals["eda"].samples[0, 30 * RATE_HZ :][: len(ohm)]
    assert ohm.mean() > 10_000
    np.testing.assert_allclose(got, 1e6 / ohm, rtol=1e-5)


@pytest.mark.parametrize(
    ("unit", "value", "expected"),
    [("Ohm", 500_000, 2.0), ("ohm", 1e5, 10.0), ("nS", 2000, 2.0), ("Ohm", 0, np.nan), ("Ohm", -5, np.nan)],
)
def test_skin_conductance_by_the_unit_in_the_header(unit, value, expected):
    got = conductance_us(Path("a.bdf"), np.array([value], np.float32), unit)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, [expected], rtol=1e-6)


@pytest.mark.parametrize("unit", ["uV", "", "mS", "Boolean"])
def test_another_unit_of_skin_conductance_is_refused(unit):
    with pytest.raises(MMQError, match=r"a\.bdf: expected skin conductance in Ohm or nS"):
        conductance_us(Path("a.bdf"), np.ones(1, np.float32), unit)


def test_higher_bits_of_the_status_are_no_pulse():
    words = np.array([0x910000, 0x900000, 0x90010C, 0x90010C, 0x900000, 0x900010, 0x900000]) - (1 << 24)
    assert clip_between_pulses(Path("a.bdf"), words.astype(np.float32)) == (2, 5)


@pytest.mark.parametrize("codes", [[0, 0, 0], [0, 16, 0], [16, 0, 16, 0, 16], [16, 16, 16]])
def test_one_or_three_pulses_are_refused(codes):
    with pytest.raises(MMQError, match=r"a\.bdf: expected two pulses on the Status channel"):
        clip_between_pulses(Path("a.bdf"), np.array(codes, np.float32))


def test_a_session_without_a_report_is_left_out_and_named(changed, caplog):
    edit(changed / "Sessions" / "4" / "session.xml", r'feltVlnc="\d" ', "")
    edit(changed / "Sessions" / "6" / "session.xml", r'feltArsl="\d"', 'feltArsl=""')
    before = DATASET.digest(changed, "P1")
    with caplog.at_level(logging.WARNING):
        recording = DATASET.load(changed, "P1")
    assert len(recording.trials) == 2
    assert re.search(r"Sessions/4/session\.xml is left out: it has no feltVlnc", caplog.text)
    assert re.search(r"Sessions/6/session\.xml is left out: it has no feltArsl", caplog.text)
    edit(changed / "Sessions" / "6" / "session.xml", 'feltArsl=""', 'feltArsl="4"')
    assert DATASET.digest(changed, "P1") != before


def test_a_session_without_a_bdf_file_is_left_out_and_named(changed, caplog):
    bdf_of(changed / "Sessions" / "4").unlink()
    with caplog.at_level(logging.INFO):
        assert len(DATASET.load(changed, "P1").trials) == 3
        DATASET.subjects(changed)
    assert re.search(r"Sessions/4 is left out: it has no BDF file", caplog.text)
    assert "1 sessions are left out: no BDF file" in caplog.text


def test_sessions_of_the_tagging_experiment_are_left_out(changed, caplog):
    bdf = bdf_of(changed / "Sessions" / "4")
    bdf.rename(bdf.with_name("Part_1_Trial3_taggingImages1.bdf"))
    with caplog.at_level(logging.INFO):
        DATASET.subjects(changed)
    assert "1 sessions are left out: the tagging experiment" in caplog.text
    assert len(DATASET.load(changed, "P1").trials) == 3


def test_a_person_without_any_report_is_no_subject(changed):
    for path in (changed / "Sessions").glob("*/session.xml"):
        if 'id="1"' in path.read_text():
            path.write_text(re.sub(r'feltVlnc="\d" ', "", path.read_text()))
    assert DATASET.subjects(changed) == ["P2"]
    with pytest.raises(MMQError, match="no recording of subject 'P1'; there are P2"):
        DATASET.load(changed, "P1")


def test_optional_ratings_may_be_missing(changed):
    path = changed / "Sessions" / "2" / "session.xml"
    edit(path, r'feltEmo="\d+"', 'feltEmo="amused"')
    edit(path, r'feltCtrl="\d" ', "")
    ratings = DATASET.load(changed, "P1").trials[0].ratings
    assert sorted(ratings) == ["arousal", "predictability", "valence"]


@pytest.mark.parametrize(
    ("pattern", "text", "words"),
    [
        (r'feltVlnc="\d"', 'feltVlnc="0"', ["feltVlnc must be a number from 1 to 9", "'0'"]),
        (r'feltVlnc="\d"', 'feltVlnc="9.5"', ["'9.5'"]),
        (r'feltArsl="\d"', 'feltArsl="calm"', ["feltArsl", "'calm'"]),
        (r'feltArsl="\d"', 'feltArsl="nan"', ["feltArsl", "'nan'"]),
        (r'feltPred="\d"', 'feltPred="-1"', ["feltPred", "'-1'"]),
        (r'subject id="1"', 'subject id="2"', ["expected subject id 1", "got '2'"]),
        (r'<subject id="1"', "<person", ["expected subject id 1", "got ''"]),
        (r"</session>", "", ["expected well-formed XML"]),
        (r"<session ", '<!DOCTYPE s [<!ENTITY a "b">]><session ', ["<!DOCTYPE s>", "never read"]),
    ],
)
def test_a_bad_description(changed, pattern, text, words):
    edit(changed / "Sessions" / "6" / "session.xml", pattern, text)
    with pytest.raises(MMQError) as caught:
        DATASET.load(changed, "P1")
    for word in ("Sessions/6/session.xml", *words):
        assert word in str(caught.value)


def test_a_missing_description(changed):
    (changed / "Sessions" / "6" / "session.xml").unlink()
    with pytest.raises(MMQError, match=r"6/session\.xml: cannot be read"):
        DATASET.load(changed, "P1")


def test_a_cut_bdf_file(changed):
    path = bdf_of(changed / "Sessions" / "6")
    content = path.read_bytes()[:-100]
    path.unlink()
    path.write_bytes(content)
    with pytest.raises(MMQError, match=r"Part_1_S_Trial3_emotion\.bdf: expected .* cut short"):
        DATASET.load(changed, "P1")


def test_a_channel_is_missing(changed):
    path = bdf_of(changed / "Sessions" / "6")
    content = path.read_bytes().replace(b"EXG3    ", b"ECG3    ", 1)
    path.unlink()
    path.write_bytes(content)
    with pytest.raises(
        MMQError, match=r"Trial3_emotion\.bdf: expected the channels Fp1, .*; EXG3 is missing"
    ):
        DATASET.load(changed, "P1")


def test_the_same_trial_twice(changed):
    shutil.copytree(changed / "Sessions" / "6", changed / "Sessions" / "7", symlinks=True)
    with pytest.raises(MMQError, match="is the same trial of the same person"):
        DATASET.load(changed, "P1")


@pytest.mark.parametrize("subject", ["P3", "1", "P01", "", "../P1"])
def test_an_unknown_subject(folder, subject):
    with pytest.raises(MMQError, match="there are P1, P2"):
        DATASET.load(folder, subject)


def test_a_folder_of_something_else(tmp_path):
    with pytest.raises(MMQError, match="expected the folder of the sessions of MAHNOB-HCI; found nothing"):
        DATASET.subjects(tmp_path)


def test_a_simulated_cohort_says_so(folder):
    assert "SIMULATED" in open_dataset("mahnob_hci", folder).title
