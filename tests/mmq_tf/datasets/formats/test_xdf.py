# SPDX-License-Identifier: Apache-2.0
"""XDF files: which stream is what, when its samples were, and what the markers mean."""

import logging

import numpy as np
import pytest
import xdf_writer as XDF

from mmq_tf.datasets.formats.markers import trials_of_markers
from mmq_tf.datasets.formats.xdf import load_xdf
from mmq_tf.errors import MMQError

EEG = [{"label": name, "unit": "microvolts", "type": "EEG"} for name in ("Fz", "Cz")]
T0 = 5000.0


def regular(rate, seconds, start_s=T0):
    return start_s + np.arange(round(rate * seconds)) / rate


def stream(
    number, name, kind, rate, seconds=20, channels=1, described=(), start_s=T0, value=None, form="float32"
):
    """Header and samples; value counts up by 1 a sample unless given."""
    time_s = regular(rate, seconds, start_s)
    rows = np.arange(time_s.size)[:, None] + 1000.0 * np.arange(channels) if value is None else value
    parts = [
        XDF.samples(number, time_s[at : at + 64], rows[at : at + 64], form)
        for at in range(0, time_s.size, 64)
    ]
    return XDF.header(number, name, kind, channels, rate, form, described) + b"".join(parts)


def markers(number, pairs, name="Markers"):
    times, words = zip(*pairs, strict=True)
    return XDF.header(number, name, "Markers", 1, 0, "string") + XDF.samples(
        number, times, [[word] for word in words], "string"
    )


def header_with_length(chunks):
    """Mend the length of a first chunk that was made longer."""
    end = chunks.index(b"</info>") + len(b"</info>")
    return XDF.chunk(2, chunks[7:end]) + chunks[end:]


@pytest.fixture
def load(tmp_path):
    def write_and_load(*chunks, **options):
        path = tmp_path / "sub-P001_ses-S001.xdf"
        path.write_bytes(XDF.xdf(*chunks))
        return load_xdf(path, **options)

    return write_and_load


def test_a_cap_and_markers(load):
    recording = load(
        stream(1, "cap", "EEG", 250, channels=2, described=EEG),
        markers(2, [(T0 + 2, "rest"), (T0 + 8, "stress"), (T0 + 15, "")]),
    )
    eeg = recording.signals["eeg"]
    assert (recording.subject, recording.source) == ("sub-P001_ses-S001", "xdf")
    assert (eeg.unit, eeg.sampling_rate_hz, eeg.channels, eeg.start_s) == ("uV", 250, ("Fz", "Cz"), 0)
    np.testing.assert_array_equal(eeg.samples, np.arange(5000) + np.array([[0], [1000]]))
    assert [(round(t.start_s, 6), round(t.stop_s, 6), t.labels) for t in recording.trials] == [
        (2, 8, {"condition": "rest"}),
        (8, 15, {"condition": "stress"}),
    ]


@pytest.mark.parametrize(
    ("kind", "name", "modality"),
    [
        ("EEG", "amp", "eeg"),
        ("eeg", "amp", "eeg"),
        ("EKG", "amp", "ecg"),
        ("GSR", "amp", "eda"),
        ("Respiration", "amp", "resp"),
        ("Accelerometer", "amp", "acc"),
        ("", "Muse-PPG (A1B2)", "ppg"),
        ("data", "shimmer_gsr", "eda"),
        ("BVP", "my EEG", "ppg"),
    ],
)
def test_types_come_before_names_and_case_does_not_matter(load, kind, name, modality):
    assert load(stream(1, name, kind, 64)).modalities == (modality,)


def test_the_types_of_channels_come_before_the_streams(load):
    described = [
        {"label": "Fz", "unit": "uV", "type": "EEG"},
        {"label": "chest", "unit": "microvolts", "type": "ECG"},
        {"label": "counter", "unit": "", "type": "Counter"},
        {"label": "Cz", "unit": "V", "type": "EEG"},
    ]
    recording = load(stream(1, "amp", "EEG", 100, channels=4, described=described))
    assert recording.signals["eeg"].channels == ("Fz", "Cz")
    assert recording.signals["ecg"].channels == ("chest",)
    np.testing.assert_allclose(recording.signals["eeg"].samples[:, 5], [5, 3005e6])
    np.testing.assert_allclose(recording.signals["ecg"].samples[0, 5], 1.005)  # mV


def test_an_explicit_mapping_comes_first(load, caplog):
    chunks = stream(1, "left", "EDA", 4), stream(2, "right", "EDA", 4), stream(3, "gaze", "Gaze", 60)
    with pytest.raises(MMQError, match="'left' and 'right' both give eda"):
        load(*chunks)
    assert load(*chunks, modalities={"left": None}).modalities == ("eda",)
    assert "stream gaze (Gaze) is left out" in caplog.text
    assert load(*chunks, modalities={"left": None, "gaze": "eog"}).modalities == ("eog", "eda")
    with pytest.raises(MMQError, match="got 'up': 'eda'"):
        load(*chunks, modalities={"up": "eda"})
    with pytest.raises(MMQError, match="got 'left': 'skin'"):
        load(*chunks, modalities={"left": "skin"})


def test_channels_without_labels_are_numbered(load):
    assert load(stream(1, "w", "ACC", 32, channels=3)).signals["acc"].channels == ("acc1", "acc2", "acc3")


def test_a_unit_that_cannot_be_brought_to_the_front_ends(load):
    described = [{"label": "a", "unit": "furlongs", "type": ""}]
    with pytest.raises(MMQError, match="stream w: .*unit 'furlongs' is not one of"):
        load(stream(1, "w", "EDA", 4, described=described))


def test_a_gap_is_lost_and_not_smoothed_over(load):
    """At 4 Hz the reader's own default would even out a gap of up to two minutes."""
    time_s = np.concatenate([regular(4, 20), regular(4, 20, T0 + 50)])
    recording = load(XDF.header(1, "w", "EDA", 1, 4), XDF.samples(1, time_s, np.arange(160)[:, None]))
    samples = recording.signals["eda"].samples[0]
    assert len(samples) == 70 * 4
    assert np.flatnonzero(np.isnan(samples)).tolist() == list(range(80, 200))
    assert samples[200] == 80


def test_jitter_is_evened_out(load):
    rng = np.random.default_rng(2)
    time_s = np.sort(regular(64, 60) + rng.exponential(0.004, 64 * 60))
    recording = load(XDF.header(1, "w", "PPG", 1, 64), XDF.samples(1, time_s, np.arange(3840)[:, None]))
    samples = recording.signals["ppg"].samples[0]
    assert np.isfinite(samples).all()
    assert (np.diff(samples) == 1).mean() > 0.99


def test_stamps_left_out_are_deduced(load):
    times = [T0, *[None] * 99]
    recording = load(XDF.header(1, "w", "EDA", 1, 10), XDF.samples(1, times, np.arange(100)[:, None]))
    np.testing.assert_array_equal(recording.signals["eda"].samples[0], np.arange(100))


def test_clocks_of_two_machines_are_brought_together(load):
    """The second machine's clock is 1000 s ahead: a recorder measures the offset every few seconds."""
    offsets = b"".join(XDF.clock(2, T0 + 1000 + at, -1000.0) for at in range(0, 20, 5))
    recording = load(
        stream(1, "a", "EDA", 4),
        stream(2, "b", "PPG", 64, start_s=T0 + 1000 + 3),
        offsets,
        XDF.footer(2, 1, 2, 1280),
    )
    assert recording.signals["eda"].start_s == 0
    assert recording.signals["ppg"].start_s == pytest.approx(3, abs=1e-3)


def test_a_rate_that_the_stamps_contradict(load):
    time_s = regular(50, 20)
    with pytest.raises(MMQError, match="stream w says 64 Hz, but its time stamps make 50 Hz"):
        load(XDF.header(1, "w", "PPG", 1, 64), XDF.samples(1, time_s, np.zeros((1000, 1))))


@pytest.mark.parametrize("form", ["int8", "int16", "int32", "int64", "float32", "double64"])
def test_every_number_format(load, form):
    value = np.arange(80)[:, None]
    recording = load(stream(1, "w", "EDA", 4, value=value, form=form))
    np.testing.assert_array_equal(recording.signals["eda"].samples[0], np.arange(80))


def test_several_marker_streams_need_a_name_to_learn_from_but_not_to_look(load, caplog):
    chunks = (
        stream(1, "w", "EDA", 4),
        markers(2, [(T0 + 1, "a"), (T0 + 2, "b")], "tasks"),
        markers(3, [(T0 + 5, "x")], "keys"),
    )
    assert load(*chunks).trials == ()
    assert "no trials are taken, several streams hold markers: tasks, keys; say which" in caplog.text
    with pytest.raises(MMQError, match=r"several streams hold markers: tasks, keys; .*`markers` in mmq-tf"):
        load(*chunks, trials="needed")
    assert [t.labels for t in load(*chunks, markers="keys", task="key").trials] == [{"key": "x"}]
    assert load(*chunks, trials="none").trials == ()
    with pytest.raises(MMQError, match="one marker stream called 'w'"):
        load(*chunks, markers="w")


def test_a_marker_program_that_was_started_again_goes_on(load):
    chunks = stream(1, "w", "EDA", 4), markers(2, [(T0 + 1, "a")], "t"), markers(3, [(T0 + 5, "b")], "t")
    assert [(round(t.start_s, 6), t.labels["condition"]) for t in load(*chunks).trials] == [
        (1, "a"),
        (5, "b"),
    ]


def test_a_stream_that_came_back_is_one_sensor_with_a_gap(load, caplog):
    signal = load(stream(1, "w", "EDA", 4), stream(2, "w", "EDA", 4, start_s=T0 + 30)).signals["eda"]
    assert np.isnan(signal.samples[0]).nonzero()[0].tolist() == list(range(80, 120))
    assert signal.samples[0, [79, 120, 199]].tolist() == [79, 0, 79]
    assert "streams #1, #2 are joined as one sensor that came back" in caplog.text


@pytest.mark.parametrize("key", ["left", "Band/EDA", "Band@lab", "#2"])
def test_streams_are_told_apart_by_more_than_their_name(load, key):
    def told(number, kind, source_id, host, value):
        made = stream(number, "Band", kind, 4, value=np.full((80, 1), value))
        return made.replace(b"<created_at>1<", b"<created_at>1<").replace(
            b"<created_at>1</created_at>",
            f"<source_id>{source_id}</source_id><hostname>{host}</hostname>".encode(),
        )

    first, second = told(1, "GSR", "right", "attic", 1), told(2, "EDA", "left", "lab", 2)
    chunks = [header_with_length(one) for one in (first, second)]
    with pytest.raises(MMQError, match=r"'right' and 'left' both give eda; write modalities = .*ignore"):
        load(*chunks)
    (eda,) = load(*chunks, modalities={key: None}).signals.values()
    assert (eda.samples == 1).all()


def test_numbers_without_a_rate_may_be_markers(load):
    chunks = XDF.header(2, "codes", "Markers", 1, 0, "int32"), XDF.samples(2, [T0 + 3], [[7]], "int32")
    assert [t.labels for t in load(stream(1, "w", "EDA", 4), *chunks).trials] == [{"condition": "7"}]


def test_an_empty_stream_and_one_without_a_rate_are_left_out(load, caplog):
    irregular = XDF.header(3, "hr", "ECG", 1, 0) + XDF.samples(3, [T0, T0 + 1], [[60], [61]])
    recording = load(stream(1, "w", "EDA", 4), XDF.header(2, "cap", "EEG", 1, 250), irregular)
    assert recording.modalities == ("eda",)
    assert recording.trials == ()
    assert "stream hr is left out, it has no rate" in caplog.text


def test_no_stream_is_a_modality(load):
    with pytest.raises(MMQError, match=r"expected a stream of eeg, .*; got mouse \(Position\)"):
        load(stream(1, "mouse", "Position", 60))


def test_the_readers_own_log_is_kept_quiet(load, caplog):
    with caplog.at_level(logging.DEBUG):
        load(stream(1, "w", "EDA", 4))
    assert not [record for record in caplog.records if record.name.startswith("pyxdf")]


@pytest.mark.parametrize("cut", [1, 37, 200])
def test_what_is_whole_of_a_cut_file(tmp_path, caplog, cut):
    path = tmp_path / "a.xdf"
    path.write_bytes(XDF.xdf(stream(1, "w", "EDA", 4, seconds=80))[:-cut])  # chunks of 16 s
    with pytest.raises(MMQError, match=r"cut short; --repair, or repair = true"):
        load_xdf(path)
    assert load_xdf(path, repair=True).signals["eda"].samples.tolist() == [list(range(256))]
    assert "was cut: its" in caplog.text


def test_a_file_that_is_broken_is_not_repaired(tmp_path):
    data = bytearray(XDF.xdf(stream(1, "w", "EDA", 4)))
    data[-900] ^= 255
    (tmp_path / "a.xdf").write_bytes(data[:-20] + b"\x07" * 20)
    with pytest.raises(MMQError):
        load_xdf(tmp_path / "a.xdf", repair=True)


# ---- markers


def spans(pairs, stop_s=20.0):
    times, words = zip(*pairs, strict=True)
    trials = trials_of_markers(np.array(times), list(words), "task", stop_s)
    return [(trial.start_s, trial.stop_s, trial.labels["task"]) for trial in trials]


def test_only_the_time_between_a_start_and_its_stop_counts():
    pairs = [
        (1.0, "rest start"),
        (4.0, "rest stop"),
        (5.0, "key"),
        (6.0, "stress start"),
        (9.0, "stress stop"),
    ]
    assert spans(pairs) == [(1, 4, "rest"), (6, 9, "stress")]


def test_a_start_without_a_stop_lasts_until_the_next_or_the_end():
    assert spans([(1.0, "a_start"), (4.0, "b_begin")]) == [(1, 4, "a"), (4, 20, "b")]


def test_markers_outside_the_recording_are_cut():
    assert spans([(-3.0, "a"), (5.0, "b"), (25.0, "c")]) == [(0, 5, "a"), (5, 20, "b")]


def test_markers_are_put_in_order_and_two_at_once_give_one_trial():
    assert spans([(5.0, "b"), (1.0, "a"), (5.0, "c")]) == [(1, 5, "a"), (5, 20, "c")]
