# SPDX-License-Identifier: Apache-2.0
"""CASE in both published forms: what lies where, in which unit, and which second has which label."""

import shutil

import numpy as np
import pytest
from mmq_bridge.core_binding.native import extract_tokens
from scipy.signal import welch

from mmq_tf.config.run_config import load_config
from mmq_tf.datasets import get_dataset
from mmq_tf.datasets.case import RAW, SENSORS
from mmq_tf.datasets.case_clips import CLIPS, clips_shown
from mmq_tf.datasets.formats.resample_to_grid import nearest_samples, take_samples
from mmq_tf.datasets.joystick import trials_of_ratings
from mmq_tf.errors import MMQError
from mmq_tf.features.windows import window_starts
from mmq_tf.simulation.layouts import LAYOUTS
from mmq_tf.simulation.layouts.case import GAP_MS, LENGTHS_S, SHORT_S, simulated_session

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """One SIMULATED person in both forms."""
    root = tmp_path_factory.mktemp("case")
    for name in ("case", "case_raw"):
        (root / name).mkdir()
        assert list(LAYOUTS[name](root / name, 1, 5, True)) == ["sub_1"]
    return root


@pytest.fixture(scope="module")
def recording(written):
    return get_dataset("case").load(written / "case", "sub_1")


@pytest.fixture(scope="module")
def raw(written):
    return get_dataset("case_raw").load(written / "case_raw", "sub_1")


@pytest.fixture(scope="module")
def session():
    return simulated_session(5, 0, SHORT_S)


def test_signals_units_and_rates(recording):
    expected = {
        "emg": ("uV", 3),
        "ecg": ("mV", 1),
        "ppg": ("%", 1),
        "eda": ("uS", 1),
        "resp": ("%", 1),
        "temp": ("degC", 1),
    }
    got = {name: (signal.unit, len(signal.channels)) for name, signal in recording.signals.items()}
    assert got == expected
    assert {signal.sampling_rate_hz for signal in recording.signals.values()} == {1000.0}
    assert recording.signals["emg"].channels == ("zygo", "coru", "trap")
    assert recording.duration_s == pytest.approx(sum(SHORT_S.values()) + 7 * SHORT_S["bluVid"])


def peak_hz(samples, low=0.1, high=5.0):
    frequencies, power = welch(samples[::10], 100, nperseg=4096)
    inside = (frequencies >= low) & (frequencies <= high)
    return frequencies[inside][power[inside].argmax()]


def test_breath_is_where_breath_must_be_and_pulse_where_pulse(recording):
    assert 0.15 < peak_hz(recording.signals["resp"].samples[0]) < 0.45
    assert 0.8 < peak_hz(recording.signals["ppg"].samples[0], 0.6) < 1.8
    beats = recording.signals["ecg"].samples[0]
    beats = np.flatnonzero(
        (beats[1:-1] > 0.5 * beats.max()) & (np.diff(beats)[:-1] > 0) & (np.diff(beats)[1:] <= 0)
    )
    rate = (np.diff(beats) > 300).sum() / recording.duration_s
    assert rate == pytest.approx(peak_hz(recording.signals["ppg"].samples[0], 0.6), rel=0.15)
    assert 28 < recording.signals["temp"].samples.mean() < 38
    assert 0.05 < recording.signals["eda"].samples.min() < recording.signals["eda"].samples.max() < 60
    assert recording.signals["emg"].samples.min() >= 0  # RMS


def test_every_column_becomes_its_own_signal(recording, session):
    for sensor in SENSORS:
        signal = recording.signals[sensor.modality]
        row = signal.samples[signal.channels.index(sensor.channel)]
        np.testing.assert_allclose(row, session.values[sensor.column], atol=6e-4, rtol=1e-6)


def test_volts_become_the_same_values(recording, raw):
    """The conversions of the publishers' scripts, against numbers worked out by hand as well."""
    volts_and_values = {
        "ecg": (2.85, 1.0),
        "bvp": (2.0, 2.834),
        "gsr": (2.1, 1.2),
        "rsp": (2.0, 2.836),
        "skt": (3.0, 31.938),
        "emg_zygo": (2.04, 10.0),
    }
    gains = {sensor.column: (sensor.gain, sensor.offset) for sensor in SENSORS}
    for column, (volts, value) in volts_and_values.items():
        assert gains[column][0] * volts + gains[column][1] == pytest.approx(value)
    for name, signal in recording.signals.items():
        measured = np.isfinite(raw.signals[name].samples)
        spread = np.diff(signal.samples, axis=1).std()
        difference = raw.signals[name].samples[measured] - signal.samples[measured]
        assert np.abs(difference).max() < max(1e-3, spread)


def test_rows_the_logger_lost_stay_lost(raw):
    for signal in raw.signals.values():
        lost = np.flatnonzero(np.isnan(signal.samples[0]))
        assert lost.min() in (GAP_MS[0], GAP_MS[0] + 1)
        assert lost.max() == GAP_MS[1] - 1


def test_trials_lie_inside_one_clip_and_hold_what_the_joystick_said(recording, session):
    time_s = np.arange(len(session.ratings["arousal"])) / 20
    clips = session.clips(time_s)
    for trial in recording.trials:
        assert trial.start_s == int(trial.start_s)
        inside = (time_s >= trial.start_s) & (time_s < trial.stop_s)
        assert len(set(clips[inside])) == 1
        assert clips[inside][0] <= 8
        for task in ("valence", "arousal"):
            seconds = session.ratings[task][inside].reshape(-1, 20).mean(1)
            assert set(seconds > 5) == {trial.labels[task] == "high"}
            assert trial.ratings[task] == pytest.approx(seconds.mean(), abs=1e-3)
    scored = sum(trial.stop_s - trial.start_s for trial in recording.trials)
    assert scored > 0.95 * sum(length for name, length in SHORT_S.items() if "-" in name) - 8


def test_most_of_a_scary_clip_is_aroused_and_of_a_boring_one_not(recording, session):
    names = dict(zip(CLIPS.values(), CLIPS, strict=True))
    longest = {}
    for trial in recording.trials:
        clip = names[int(session.clips(np.array([trial.start_s]))[0])]
        if trial.stop_s - trial.start_s > longest.get(clip, (0.0, None))[0]:
            longest[clip] = (trial.stop_s - trial.start_s, trial.labels)
    assert len(longest) == 8
    assert longest["scary-1"][1] == {"valence": "low", "arousal": "high"}
    assert longest["amusing-2"][1] == {"valence": "high", "arousal": "high"}
    assert longest["boring-1"][1] == {"valence": "low", "arousal": "low"}
    assert longest["relaxed-2"][1] == {"valence": "high", "arousal": "low"}


def test_raw_files_give_the_same_trials(recording, raw):
    assert [(t.start_s, t.stop_s, t.labels) for t in raw.trials] == [
        (t.start_s, t.stop_s, t.labels) for t in recording.trials
    ]


def test_no_two_clips_of_one_emotion_follow_each_other_and_people_differ():
    orders = {simulated_order(index) for index in range(4)}
    assert len(orders) > 1
    for order in orders:
        kinds = [name[:4] for name in order if "-" in name]
        assert len(kinds) == 8
        assert all(a != b for a, b in zip(kinds, kinds[1:], strict=False))


def simulated_order(index):
    from mmq_tf.simulation.layouts.case import _order

    return tuple(_order(np.random.default_rng(index)))


def test_the_whole_layout_lasts_as_long_as_published():
    assert sum(LENGTHS_S.values()) + 7 * LENGTHS_S["bluVid"] == pytest.approx(2451.583, abs=0.1)


def test_the_digest_covers_what_is_read(written, tmp_path):
    copy = tmp_path / "raw"
    shutil.copytree(written / "case_raw", copy)
    dataset = get_dataset("case_raw")
    before = dataset.digest(copy, "sub_1")
    path = copy / "metadata" / "videos_duration.txt"
    path.write_text(path.read_text() + "\n")
    assert dataset.digest(copy, "sub_1") != before
    assert [path.name for path in get_dataset("case").source_files(written / "case", "sub_1")] == [
        "sub_1.csv"
    ] * 2


def test_the_preset_reads_the_signals_and_finds_windows(recording):
    config = load_config("case")
    front_end = config.front_end
    tokens = extract_tokens(front_end, recording.signals)
    assert front_end.tokens * len(front_end.modality_names) <= 160
    assert tokens.presence.mean(0).min() > 0.9
    starts = window_starts(recording.trials, front_end, config.windows.stride_s, len(tokens.features))
    labels = {recording.trials[trial].labels["arousal"] for _, trial in starts}
    assert labels == {"low", "high"}
    at = {name: index for index, name in enumerate(front_end.feature_names)}
    rates = np.nanmedian(tokens.features[:, [at["ecg.heart_rate"], at["ppg.heart_rate"]]], axis=0)
    assert rates[0] == pytest.approx(rates[1], rel=0.03)


# ---- seconds and runs


def runs(arousal, clip=None, rate=4, stop_s=None, scored=(1,)):
    arousal = np.repeat(np.asarray(arousal, float), rate)
    time_s = np.arange(arousal.size) / rate
    clip = np.ones(arousal.size, int) if clip is None else np.repeat(clip, rate)
    stop_s = arousal.size / rate if stop_s is None else stop_s
    found = trials_of_ratings(time_s, {"arousal": arousal}, clip, scored, rate, stop_s)
    return [(trial.start_s, trial.stop_s, trial.labels["arousal"]) for trial in found]


def test_exactly_the_middle_is_low():
    assert runs([5, 5, 5.01]) == [(0, 2, "low"), (2, 3, "high")]


def test_a_run_ends_with_its_clip():
    assert runs([7, 7, 7, 7], clip=[1, 1, 2, 2], scored=(1, 2)) == [(0, 2, "high"), (2, 4, "high")]
    assert runs([7, 7, 7, 7], clip=[1, 11, 1, 12]) == [(0, 1, "high"), (2, 3, "high")]


def test_a_second_of_two_clips_counts_for_none():
    time_s = np.arange(12) / 4
    clip = np.array([1] * 6 + [2] * 6)
    found = trials_of_ratings(time_s, {"arousal": np.full(12, 8.0)}, clip, (1, 2), 4, 3)
    assert [(trial.start_s, trial.stop_s) for trial in found] == [(0, 1), (2, 3)]


def test_a_second_with_too_few_ratings_ends_a_run():
    time_s = np.array([0, 0.25, 0.5, 0.75, 1.9, 2, 2.25, 2.5, 2.75])
    found = trials_of_ratings(time_s, {"arousal": np.full(9, 8.0)}, np.ones(9, int), (1,), 4, 3)
    assert [(trial.start_s, trial.stop_s) for trial in found] == [(0, 1), (2, 3)]


def test_seconds_after_the_last_sample_do_not_count():
    assert runs([7, 7, 7], stop_s=2.4) == [(0, 2, "high")]
    assert runs([7], clip=[11]) == []


# ---- the uniform grid


def test_a_regular_clock_is_left_as_it_is():
    time_s = np.arange(1000) / 256
    assert nearest_samples("x", time_s, 256.0, 0.0).tolist() == list(range(1000))


@pytest.mark.parametrize(("periods", "lost"), [(1.4, 0), (1.49, 0), (2.0, 1), (3.0, 2), (10.0, 9)])
def test_a_gap_over_one_and_a_half_periods_stays_a_gap(periods, lost):
    time_s = np.concatenate([np.arange(5), 4 + periods + np.arange(5)])
    assert (nearest_samples("x", time_s, 1.0, 0.0) < 0).sum() == lost


def test_a_slow_clock_repeats_a_sample_and_loses_none():
    nearest = nearest_samples("x", np.arange(6400) / 63.99, 64.0, 0.0)
    assert (nearest >= 0).all()
    assert len(nearest) == 6401
    assert set(np.diff(nearest)) == {0, 1}
    assert (np.diff(nearest) == 0).sum() == 1


def test_a_fast_clock_drops_a_sample():
    nearest = nearest_samples("x", np.arange(6402) / 64.01, 64.0, 0.0)
    assert (nearest >= 0).all()
    assert (np.diff(nearest) == 2).sum() == 1


def test_jitter_moves_no_sample():
    rng = np.random.default_rng(1)
    time_s = (np.arange(5000) + rng.uniform(-0.2, 0.2, 5000)) / 1000
    assert nearest_samples("x", time_s, 1000.0, 0.0).tolist() == list(range(5000))


def test_lost_points_are_nan_in_every_channel():
    placed = take_samples("x", np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([0, -1, 1]))
    assert placed.dtype == np.float32
    np.testing.assert_array_equal(placed, np.array([[1, np.nan, 2], [3, np.nan, 4]], np.float32))


@pytest.mark.parametrize(
    ("time_s", "words"),
    [
        ([], "there are none"),
        ([0, 2, 1], "sample 2 is at 1"),
        ([0, np.nan, 2], "must be finite"),
        ([0, 1e12], "days"),
    ],
)
def test_times_that_cannot_be(time_s, words):
    with pytest.raises(MMQError, match=words):
        nearest_samples("clock", np.array(time_s, float), 1.0, 0.0)


# ---- clips of the raw layout


def metadata(folder, order, lengths):
    (folder / "metadata").mkdir()
    (folder / "metadata/seqs_order.txt").write_text(order)
    (folder / "metadata/videos_duration.txt").write_text(lengths)
    return folder


ORDER = "seq_sub1\tseq_sub12\nstartVid\tstartVid\nscary-1\tboring-2\nbluVid\tbluVid\n"
LENGTHS = (
    '"video_name"\t"video_duration"\n"startVid"\t2000\t\n"scary-1"\t1500\n"boring-2"\t500\n"bluVid"\t1000\n'
)


def test_clips_follow_from_order_and_lengths(tmp_path):
    folder = metadata(tmp_path, ORDER, LENGTHS)
    time_s = np.array([0, 1.999, 2, 3.499, 3.5, 4.499, 4.5])
    assert clips_shown(folder, 1, time_s).tolist() == [10, 10, 7, 7, 11, 11, 0]
    assert clips_shown(folder, 12, time_s).tolist() == [10, 10, 4, 11, 0, 0, 0]


@pytest.mark.parametrize(
    ("order", "lengths", "subject", "words"),
    [
        (ORDER, LENGTHS, 2, "row 1 has no column of subject 2; there are seq_sub1, seq_sub12"),
        (
            ORDER.replace("scary-1", "scary-3"),
            LENGTHS,
            1,
            "row 3, column seq_sub1, must name a clip; got 'scary-3'",
        ),
        (ORDER, LENGTHS.replace("1500", "long"), 1, "row 3 must be the name of a clip and its length"),
        (ORDER, LENGTHS.replace("1500", "nan"), 1, "row 3 must be"),
        (ORDER, LENGTHS.replace('"scary-1"\t1500\n', ""), 1, "no row of the clip 'scary-1'"),
        ("seq_sub1\n", LENGTHS, 1, "no rows"),
        ("", LENGTHS, 1, "the file is empty"),
    ],
)
def test_broken_metadata(tmp_path, order, lengths, subject, words):
    with pytest.raises(MMQError, match=words):
        clips_shown(metadata(tmp_path, order, lengths), subject, np.array([0.0]))


def test_missing_metadata(tmp_path):
    with pytest.raises(MMQError, match=r"videos_duration\.txt: cannot be read"):
        clips_shown(tmp_path, 1, np.array([0.0]))


# ---- broken files of the interpolated layout


@pytest.fixture
def tiny(tmp_path):
    """Two seconds of scary-1 by hand."""
    rows = {
        "physiological": "daqtime,ecg,bvp,gsr,rsp,skt,emg_zygo,emg_coru,emg_trap,video\n"
        + "".join(f"{ms},0.1,40,3,30,33,5,5,5,7\n" for ms in range(2000)),
        "annotations": "jstime,valence,arousal,video\n"
        + "".join(f"{ms},6,4,7\n" for ms in range(0, 2000, 50)),
    }
    for name, text in rows.items():
        path = tmp_path / "data" / "interpolated" / name / "sub_3.csv"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    return tmp_path


def load(folder):
    return get_dataset("case").load(folder, "sub_3")


def test_the_hand_made_folder_is_good(tiny):
    trial = load(tiny).trials[0]
    assert (trial.start_s, trial.stop_s, trial.labels) == (0, 2, {"valence": "high", "arousal": "low"})
    assert trial.ratings == {"valence": 6, "arousal": 4}
    assert get_dataset("case").subjects(tiny) == ["sub_3"]


@pytest.mark.parametrize(
    ("kind", "row", "text", "words"),
    [
        ("physiological", 5, "3,0.1,40,3,30,33,5,5,7", "row 5 must have 10 fields"),
        (
            "physiological",
            5,
            "3,0.1,40,3,30,33,5,5,five,7",
            "row 5, column emg_trap, must be a finite number",
        ),
        ("physiological", 5, "1,0.1,40,3,30,33,5,5,5,7", "row 5, column daqtime, must be a time"),
        ("physiological", 5, ",0.1,40,3,30,33,5,5,5,7", "row 5, column daqtime, must be a time"),
        ("physiological", 2, "-1,0.1,40,3,30,33,5,5,5,7", "row 2, column daqtime, must be a time from 0"),
        ("physiological", 2001, "1e9,0.1,40,3,30,33,5,5,5,7", "row 2001, column daqtime, must be a time"),
        (
            "physiological",
            1,
            "daqtime,ekg,bvp,gsr,rsp,skt,emg_zygo,emg_coru,emg_trap,video",
            "no column 'ecg'",
        ),
        (
            "annotations",
            4,
            "100,9.6,4,7",
            r"row 4, column valence \(valence\), must lie in 0.5 to 9.5; got 9.6",
        ),
        (
            "annotations",
            4,
            "100,6,0.4,7",
            r"row 4, column arousal \(arousal\), must lie in 0.5 to 9.5; got 0.4",
        ),
        ("annotations", 4, "100,6,,7", "row 4, column arousal"),
        ("annotations", 4, "100,6,4,9", "row 4, column video, must be the number of a clip"),
        ("annotations", 4, "100,6,4,", "row 4, column video"),
    ],
)
def test_a_bad_row(tiny, kind, row, text, words):
    path = tiny / "data" / "interpolated" / kind / "sub_3.csv"
    lines = path.read_text().split("\n")
    lines[row - 1] = text
    path.write_text("\n".join(lines))
    with pytest.raises(MMQError, match=words) as caught:
        load(tiny)
    assert str(path) in str(caught.value)


def test_a_file_cut_short(tiny):
    path = tiny / "data" / "interpolated" / "physiological" / "sub_3.csv"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(MMQError, match=r"row 2001 has no line end, so the file was cut short"):
        load(tiny)


def test_a_subject_without_annotations_is_left_out_with_a_warning(tiny, caplog):
    (tiny / "data" / "interpolated" / "annotations" / "sub_3.csv").unlink()
    with pytest.raises(MMQError, match="found no subject"):
        get_dataset("case").subjects(tiny)
    assert "sub_3 is left out" in caplog.text


def test_the_wrong_folder(tiny):
    with pytest.raises(MMQError, match="give the folder of CASE that holds data and metadata"):
        get_dataset("case").subjects(tiny / "data")
    with pytest.raises(MMQError, match=RAW.physiological.rpartition("/")[0]):
        get_dataset("case_raw").subjects(tiny)
