# SPDX-License-Identifier: Apache-2.0
"""A folder of tables and its manifest, from `datasets new` to windows. Every person here is SIMULATED."""

import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from command_line import invoke

from mmq_tf.cli.datasets_new import config as config_command
from mmq_tf.cli.datasets_new import new as new_command
from mmq_tf.config.run_config import load_config
from mmq_tf.datasets import open_dataset
from mmq_tf.datasets.base import SIMULATED_NAME
from mmq_tf.datasets.manifest.dataset import check_classes
from mmq_tf.errors import MMQError
from mmq_tf.features.normalisation import fit_normalisation
from mmq_tf.features.token_cache import TokenSettings
from mmq_tf.features.token_streams import Source, load_stream
from mmq_tf.features.windows import build_windows
from mmq_tf.simulation.simulator import Settings, simulate

PEOPLE = ("P01", "P02", "P03")
CODES = {"rest": 1, "stress": 2}
HEAD = """
title = "Three people"
licence = "none needed: SIMULATED"
attribution = "the tests"
label_kind = "condition of a simulation"
"""
TASK = """
[tasks.stress]
column = "label"
classes = ["rest", "stress"]
values = { "1" = "rest", "2" = "stress" }
"""
SENSOR_FILES = """
[[files]]
path = "{{subject}}_ppg.{end}"
format = "{end}"
time = {{ column = "time_s", unit = "s" }}
[files.signals.ppg]
columns = ["bvp"]
unit = "a.u."

[[files]]
path = "{{subject}}_eda.{end}"
format = "{end}"
time = {{ column = "time_s", unit = "s" }}
labels = ["label"]
[files.signals.eda]
columns = ["eda"]
unit = "uS"

[trials]
source = "column"
"""
ARRAY_FILES = """
[[files]]
path = "{subject}.npz"
format = "npz"
sampling_rate_hz = 4
labels = ["label"]
[files.signals.ppg]
columns = ["bvp"]
unit = "a.u."
sampling_rate_hz = 64
[files.signals.eda]
columns = ["eda"]
unit = "uS"

[trials]
source = "column"
"""

ONE_TABLE = """
[[files]]
path = "{subject}.csv"
format = "csv"
time = { column = "time_s", unit = "s" }
labels = ["label"]
[files.signals.eda]
columns = ["eda"]
unit = "uS"

[trials]
source = "column"
"""
TRIALS_TABLE = """
[[files]]
path = "{subject}.csv"
format = "csv"
time = { column = "time_s", unit = "s" }
[files.signals.eda]
columns = ["eda"]
unit = "uS"

[trials]
source = "table"
path = "trials.csv"
time_unit = "s"

[tasks.valence]
column = "felt"
classes = ["low", "high"]
high_above = 5
range = [1, 9]
"""


def cells(values):
    return [repr(float(value)) for value in values]


def write_csv(path, columns, *, mark=",", end="\n", comma=False, encoding="utf-8"):
    rows = [mark.join(columns), *(mark.join(row) for row in zip(*map(cells, columns.values()), strict=True))]
    if comma:
        rows = [rows[0], *(row.replace(".", ",") for row in rows[1:])]
    path.write_bytes((end.join(rows) + end).encode(encoding))


def tables_of(recording):
    """Columns of the two sensor files of one person."""
    tables = {}
    for name, column in (("ppg", "bvp"), ("eda", "eda")):
        signal = recording.signals[name]
        times = np.arange(signal.samples.shape[1]) / signal.sampling_rate_hz
        tables[name] = {"time_s": times, column: signal.samples[0]}
    times = tables["eda"]["time_s"]
    label = np.zeros(len(times))
    for trial in recording.trials:
        label[(times >= trial.start_s) & (times < trial.stop_s)] = CODES[trial.labels["stress"]]
    tables["eda"]["label"] = label
    return tables


def one_table(recordings):
    return tables_of(recordings["P01"])["eda"]


@pytest.fixture(scope="module")
def recordings():
    settings = Settings(minutes=7, modalities=("ppg", "eda"), artefacts=False)
    return {name: simulate(settings, index)[0] for index, name in enumerate(PEOPLE)}


@pytest.fixture(scope="module")
def folders(recordings, tmp_path_factory):
    """The same people as CSV, Parquet and npz."""
    import pyarrow
    import pyarrow.parquet

    root = tmp_path_factory.mktemp("studies")
    for form in ("csv", "parquet", "npz"):
        (root / form).mkdir()
        (root / form / SIMULATED_NAME).write_text("SIMULATED\n")
    for name, recording in recordings.items():
        tables = tables_of(recording)
        for sensor, columns in tables.items():
            write_csv(root / "csv" / f"{name}_{sensor}.csv", columns)
            table = pyarrow.table(columns)
            pyarrow.parquet.write_table(table, root / "parquet" / f"{name}_{sensor}.parquet")
        arrays = {**tables["ppg"], **tables["eda"]}
        np.savez_compressed(root / "npz" / f"{name}.npz", **{k: arrays[k] for k in ("bvp", "eda", "label")})
    for form in ("csv", "parquet"):
        (root / form / "mmq-tf.toml").write_text(HEAD + SENSOR_FILES.format(end=form) + TASK)
    (root / "npz" / "mmq-tf.toml").write_text(HEAD + ARRAY_FILES + TASK)
    return root


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MMQ_CACHE", str(tmp_path / "cache"))


def streams_of(folder, run):
    dataset = open_dataset("manifest", folder)
    settings = TokenSettings(run.front_end, run.artefacts, 0)
    return [
        load_stream(Source.of_subject(dataset, folder, name), settings) for name in dataset.subjects(folder)
    ]


# ---- recordings


def test_a_recording_is_what_was_written(folders, recordings):
    dataset = open_dataset("manifest", folders / "csv")
    assert dataset.subjects(folders / "csv") == list(PEOPLE)
    assert dataset.tasks == {"stress": ("rest", "stress")}
    assert dataset.modalities == ("ppg", "eda")
    loaded, truth = dataset.load(folders / "csv", "P02"), recordings["P02"]
    assert (loaded.subject, loaded.session, loaded.source) == ("P02", "1", "manifest")
    for name, signal in loaded.signals.items():
        assert np.array_equal(signal.samples, truth.signals[name].samples)
        assert signal.sampling_rate_hz == truth.signals[name].sampling_rate_hz
    assert [(t.start_s, t.stop_s, t.labels) for t in loaded.trials] == [
        (t.start_s, t.stop_s, t.labels) for t in truth.trials
    ]


def test_a_simulated_folder_says_so(folders):
    dataset = open_dataset("manifest", folders / "csv")
    assert dataset.simulated
    assert "SIMULATED" in dataset.title
    assert dataset.load(folders / "csv", "P01").simulated


def test_csv_parquet_and_npz_give_the_same_recording(folders):
    first, *others = (
        open_dataset("manifest", folders / form).load(folders / form, "P03")
        for form in ("csv", "parquet", "npz")
    )
    for other in others:
        assert other.trials == first.trials
        for name, signal in first.signals.items():
            assert np.array_equal(other.signals[name].samples, signal.samples)
            assert other.signals[name].sampling_rate_hz == signal.sampling_rate_hz


def test_every_file_is_part_of_the_digest(folders):
    dataset = open_dataset("manifest", folders / "csv")
    names = {path.name for path in dataset.source_files(folders / "csv", "P01")}
    assert names == {"mmq-tf.toml", "P01_ppg.csv", "P01_eda.csv"}


# ---- from files to windows


def fill_in(path):
    """Do what the template asks of the user."""
    text = path.read_text()
    for key in ("title", "licence", "attribution", "label_kind"):
        text = text.replace(f'{key} = ""', f'{key} = "SIMULATED"')
    text = re.sub(r'(columns = \["eda"\]\n)unit = ""', r'\1unit = "uS"', text)
    text = text.replace("classes = []", 'classes = ["rest", "stress"]')
    text = text.replace("# values = {", "values = {").replace("[tasks.label]", "[tasks.stress]")
    path.write_text(text)


def test_from_csv_files_to_windows_with_the_right_labels(folders, recordings, tmp_path, empty_cache):
    folder = tmp_path / "study"
    folder.mkdir()
    for path in (folders / "csv").glob("*.csv"):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / SIMULATED_NAME).write_text("SIMULATED\n")
    made = invoke(new_command, folder)
    assert made.exit_code == 0, made.output
    assert "{subject}_eda.csv: 3 of csv (eda)" in made.output
    with pytest.raises(MMQError, match="title is empty"):
        open_dataset("manifest", folder)
    fill_in(folder / "mmq-tf.toml")

    out = tmp_path / "my.toml"
    made = invoke(config_command, folder, "--out", out)
    assert made.exit_code == 0, (made.output, made.exception)
    run = load_config(out)
    assert run.front_end.modality_names == ("ppg", "eda")
    assert run.classes == ("rest", "stress")
    assert run.normalisation.mode == "enrolment"
    assert run.front_end.tokens * 2 <= 160
    check_classes(open_dataset("manifest", folder), run.data.task, run.data.classes)

    streams = streams_of(folder, run)
    normalisation = fit_normalisation(streams, run.normalisation, run.front_end.token_s)
    front_end = run.front_end.with_normalisation(normalisation)
    windows = build_windows(streams, front_end, "stress", run.classes, run.windows.stride_s)
    assert set(windows.subject) == set(PEOPLE)
    for name, start_s, label in zip(windows.subject, windows.start_s, windows.label, strict=True):
        trial = next(t for t in recordings[name].trials if t.start_s <= start_s < t.stop_s)
        assert run.classes[label] == trial.labels["stress"]
        assert start_s + run.front_end.window_s <= trial.stop_s
    assert windows.presence.mean() > 0.9


def test_features_of_csv_parquet_and_npz_are_equal(folders, tmp_path, empty_cache):
    out = tmp_path / "my.toml"
    made = invoke(config_command, folders / "npz", "--out", out)
    assert made.exit_code == 0, (made.output, made.exception)
    run = load_config(out, ["artefacts.variants=0"])
    first, *others = (streams_of(folders / form, run) for form in ("csv", "parquet", "npz"))
    for other in others:
        for one, same in zip(first, other, strict=True):
            assert np.array_equal(one.features, same.features, equal_nan=True)
            assert np.array_equal(one.presence, same.presence)


def test_new_refuses_to_overwrite(folders):
    result = invoke(new_command, folders / "csv")
    assert isinstance(result.exception, MMQError)
    assert "--force" in str(result.exception)
    result = invoke(config_command, folders, "--out", folders / "csv" / "mmq-tf.toml")
    assert "--force" in str(result.exception)


def test_classes_of_a_run_must_be_the_manifests(folders):
    dataset = open_dataset("manifest", folders / "csv")
    check_classes(dataset, "stress", ("rest", "stress"))
    with pytest.raises(MMQError, match="in that order"):
        check_classes(dataset, "stress", ("stress", "rest"))
    with pytest.raises(MMQError, match="its tasks are stress"):
        check_classes(dataset, "valence", ("rest", "stress"))


# ---- how tables may be written


@pytest.mark.parametrize(
    "how",
    [
        {"mark": ";", "comma": True},
        {"end": "\r\n"},
        {"encoding": "utf-8-sig"},
        {"encoding": "utf-16"},
        {"mark": "\t", "end": "\r\n", "encoding": "latin-1"},
    ],
)
def test_a_table_reads_the_same_however_it_is_written(tmp_path, recordings, how):
    truth = recordings["P01"].signals["eda"].samples
    columns = {
        {"time_s": "Zeit für"}.get(name, name): values for name, values in one_table(recordings).items()
    }
    write_csv(tmp_path / "P01.csv", columns, **how)
    (tmp_path / "mmq-tf.toml").write_text(HEAD + ONE_TABLE.replace("time_s", "Zeit für") + TASK, "utf-8")
    loaded = open_dataset("manifest", tmp_path).load(tmp_path, "P01")
    assert np.array_equal(loaded.signals["eda"].samples, truth)
    assert [trial.labels["stress"] for trial in loaded.trials] == ["rest", "stress", "rest"]


@pytest.mark.parametrize(
    ("unit", "write"),
    [
        ("ms", lambda t: 1000 * t),
        ("us", lambda t: 1e6 * t),
        ("unix", lambda t: t + 1.7e9),
        ("unix_ms", lambda t: 1000 * (t + 1.7e9)),
    ],
)
def test_units_of_time(tmp_path, recordings, unit, write):
    columns = one_table(recordings)
    write_csv(tmp_path / "P01.csv", {**columns, "time_s": write(columns["time_s"])})
    (tmp_path / "mmq-tf.toml").write_text(HEAD + ONE_TABLE.replace('unit = "s"', f'unit = "{unit}"') + TASK)
    loaded = open_dataset("manifest", tmp_path).load(tmp_path, "P01")
    assert loaded.signals["eda"].sampling_rate_hz == 4.0
    assert [round(trial.start_s, 3) for trial in loaded.trials] == [0.0, 180.0, 287.0]


def test_dates_as_time_and_a_trials_table_on_the_same_clock(tmp_path, recordings):
    columns = one_table(recordings)
    start = datetime(2024, 3, 31, 0, 59, tzinfo=UTC)
    dates = [(start + timedelta(seconds=float(t))).isoformat() for t in columns["time_s"]]
    rows = [
        "time_s,eda",
        *(f"{date},{value!r}" for date, value in zip(dates, map(float, columns["eda"]), strict=True)),
    ]
    (tmp_path / "P01.csv").write_text("\n".join(rows) + "\n")
    begin, end = (start + timedelta(seconds=s) for s in (180, 287))
    (tmp_path / "trials.csv").write_text(
        f"subject,start,stop,label\nP01,{begin.isoformat()},{end.isoformat()},2\n"
    )
    text = ONE_TABLE.replace('unit = "s"', 'unit = "iso"').replace('labels = ["label"]\n', "")
    text = text.replace('source = "column"', 'source = "table"\npath = "trials.csv"\ntime_unit = "iso"')
    (tmp_path / "mmq-tf.toml").write_text(HEAD + text + TASK)
    (trial,) = open_dataset("manifest", tmp_path).load(tmp_path, "P01").trials
    assert trial.start_s == pytest.approx(180, abs=1e-5)
    assert trial.stop_s == pytest.approx(287, abs=1e-5)
    assert trial.labels == {"stress": "stress"}


def test_sensors_are_aligned_by_absolute_time(tmp_path):
    write_csv(tmp_path / "P01_ppg.csv", {"time_s": 1e9 + 10 + np.arange(640) / 64, "bvp": np.arange(640)})
    eda = {"time_s": 1e9 + np.arange(80) / 4, "eda": np.ones(80), "label": np.ones(80)}
    write_csv(tmp_path / "P01_eda.csv", eda)
    text = SENSOR_FILES.format(end="csv").replace('unit = "s"', 'unit = "unix"')
    (tmp_path / "mmq-tf.toml").write_text(HEAD + text + TASK)
    loaded = open_dataset("manifest", tmp_path).load(tmp_path, "P01")
    assert loaded.signals["eda"].start_s == 0.0
    assert loaded.signals["ppg"].start_s == pytest.approx(10.0, abs=1e-6)


def test_two_rates_in_one_table(tmp_path):
    times = np.arange(640) / 64
    eda = np.where(np.arange(640) % 16 == 0, np.arange(640) / 16, np.nan)
    write_csv(tmp_path / "P01.csv", {"time_s": times, "bvp": times, "eda": eda, "label": np.ones(640)})
    ppg = '[files.signals.ppg]\ncolumns = ["bvp"]\nunit = "V"\n'
    text = ONE_TABLE.replace("[files.signals.eda]", f"{ppg}[files.signals.eda]\nsampling_rate_hz = 4")
    (tmp_path / "mmq-tf.toml").write_text(HEAD + text + TASK)
    loaded = open_dataset("manifest", tmp_path).load(tmp_path, "P01")
    assert loaded.signals["ppg"].sampling_rate_hz == 64
    assert np.array_equal(loaded.signals["eda"].samples[0], np.arange(40))


def test_units_lead_to_the_front_ends(tmp_path):
    write_csv(
        tmp_path / "P01.csv", {"time_s": np.arange(40) / 4, "eda": np.full(40, 2000.0), "label": np.ones(40)}
    )
    for unit, expected in (('unit = "nS"', 2.0), ('unit = "counts"\nfactor = 0.005', 10.0)):
        (tmp_path / "mmq-tf.toml").write_text(HEAD + ONE_TABLE.replace('unit = "uS"', unit) + TASK)
        signal = open_dataset("manifest", tmp_path).load(tmp_path, "P01").signals["eda"]
        assert signal.unit == "uS"
        assert signal.samples[0, 0] == pytest.approx(expected)


# ---- sessions, trials and ratings


def test_sessions_of_one_person(tmp_path):
    for name in ("P01/a", "P01/b", "P02/a"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        table = {"time_s": np.arange(400) / 4, "eda": np.ones(400), "label": np.ones(400)}
        write_csv(tmp_path / f"{name}.csv", table)
    text = ONE_TABLE.replace("{subject}", "{subject}/{session}")
    (tmp_path / "mmq-tf.toml").write_text(HEAD + text + TASK)
    dataset = open_dataset("manifest", tmp_path)
    assert dataset.subjects(tmp_path) == ["P01/a", "P01/b", "P02/a"]
    loaded = dataset.load(tmp_path, "P01/b")
    assert (loaded.subject, loaded.session) == ("P01", "b")


def test_ratings_above_a_limit_are_high(tmp_path):
    write_csv(tmp_path / "P01.csv", {"time_s": np.arange(400) / 4, "eda": np.ones(400)})
    (tmp_path / "trials.csv").write_text(
        "subject;start;stop;felt;stimulus\nP01;0;10,5;5,0;clip 3\nP01;20;30;5,1;\nP01;40;50;;\nP02;0;1;9;\n"
    )
    (tmp_path / "mmq-tf.toml").write_text(HEAD + TRIALS_TABLE)
    first, second, third = open_dataset("manifest", tmp_path).load(tmp_path, "P01").trials
    assert (first.stop_s, first.labels, first.ratings) == (10.5, {"valence": "low"}, {"felt": 5.0})
    assert (first.stimulus, second.stimulus) == ("clip 3", "")
    assert (second.labels, second.ratings) == ({"valence": "high"}, {"felt": 5.1})
    assert (third.labels, third.ratings) == ({}, {})


def test_a_pause_ends_a_trial_and_an_ignored_value_is_none(tmp_path):
    times = np.concatenate([np.arange(40), np.arange(80, 120)]) / 4
    label = np.repeat([1, 1, 0, 2], 20)
    write_csv(tmp_path / "P01.csv", {"time_s": times, "eda": np.ones(80), "label": label})
    (tmp_path / "mmq-tf.toml").write_text(HEAD + ONE_TABLE + TASK + 'ignore = ["0"]\n')
    loaded = open_dataset("manifest", tmp_path).load(tmp_path, "P01")
    assert [(t.start_s, t.stop_s, t.labels["stress"]) for t in loaded.trials] == [
        (0.0, 10.0, "rest"),
        (25.0, 30.0, "stress"),
    ]
    assert np.isnan(loaded.signals["eda"].samples[0, 40:80]).all()


def test_a_sensor_may_be_missing_where_the_manifest_allows_it(tmp_path, recordings):
    tables = tables_of(recordings["P01"])
    write_csv(tmp_path / "P01_eda.csv", tables["eda"])
    text = SENSOR_FILES.format(end="csv")
    (tmp_path / "mmq-tf.toml").write_text(HEAD + text + TASK)
    with pytest.raises(MMQError, match=r"P01_ppg.csv: not found.*optional = true at files.0"):
        open_dataset("manifest", tmp_path).load(tmp_path, "P01")
    (tmp_path / "mmq-tf.toml").write_text(
        HEAD + text.replace("[[files]]", "[[files]]\noptional = true", 1) + TASK
    )
    assert open_dataset("manifest", tmp_path).load(tmp_path, "P01").modalities == ("eda",)
