# SPDX-License-Identifier: Apache-2.0
"""What `datasets new` sees in a folder, and what it leaves to the user."""

import tomllib

import numpy as np
import pytest
import xdf_writer
from command_line import invoke

from mmq_tf.cli.datasets_new import config as config_command
from mmq_tf.cli.datasets_new import new as new_command
from mmq_tf.datasets.manifest.dataset import list_subjects
from mmq_tf.datasets.manifest.guess import look_at
from mmq_tf.datasets.manifest.patterns import find_patterns
from mmq_tf.datasets.manifest.schema import read_manifest
from mmq_tf.datasets.manifest.template import OPEN, as_toml, render
from mmq_tf.errors import MMQError


def write(path, header, *columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [",".join(map(str, row)) for row in zip(*columns, strict=True)]
    path.write_text("\n".join([header, *rows]) + "\n")


@pytest.mark.parametrize("text", ["a.u.", "", 'a"b', "a\\b", "a\tb\nc", "a\x7fb", "\u2028é"])
def test_any_name_is_one_line_of_toml(text):
    for value in (text, [text, "x"]):
        line = f"v = {as_toml(value)}  # comment"
        assert "\n" not in line
        assert tomllib.loads(line) == {"v": value}


@pytest.mark.parametrize(
    ("paths", "patterns"),
    [
        (["P01.csv", "P02.csv"], ["{subject}.csv"]),
        (["data/P1/eda.csv", "data/P1/bvp.csv", "data/P2/eda.csv", "data/P2/bvp.csv"],
         ["data/{subject}/bvp.csv", "data/{subject}/eda.csv"]),
        (["P1/P1_eda.csv", "P2/P2_eda.csv"], ["{subject}/{subject}_eda.csv"]),
        (["subject 1/rec.edf", "subject 2/rec.edf"], ["subject {subject}/rec.edf"]),
        (["sub-01_ses-1.xdf", "sub-01_ses-2.xdf", "sub-02_ses-1.xdf"], ["sub-{subject}_ses-{session}.xdf"]),
    ],
)  # fmt: skip
def test_patterns(paths, patterns):
    found = find_patterns(paths)
    assert [one.path for one in found] == patterns
    assert not any(one.doubt for one in found)
    assert sorted(name for one in found for name in one.files) == sorted(paths)


def test_what_cannot_be_told_is_said():
    (one,) = find_patterns(["P01_bvp.csv"])
    assert "could not be told" in one.doubt


@pytest.mark.parametrize(
    ("paths", "choices"),
    [
        (["1529850000_A00204", "1529936400_A00204", "1529850100_A00311"],
         ["{session}_{subject}", "{subject}_{session}"]),
        (["20240501_P01.edf", "20240502_P02.edf"], ["{session}_{subject}.edf", "{subject}_{session}.edf"]),
        (["rest_P01.edf", "rest_P02.edf", "task_P01.edf"],
         ["{session}_{subject}.edf", "{condition}_{subject}.edf", "{subject}_{session}.edf"]),
        (["s1/morning", "s1/evening", "s2/morning"],
         ["{subject}/{session}", "{subject}/{condition}", "{session}/{subject}"]),
        (["20240501.edf", "20240502.edf"], ["{subject}.edf"]),
        (["rest.edf", "stress.edf"], ["{subject}.edf"]),
        (["P01/1529850000_A1.zip", "P01/1529936400_A1.zip", "P02/1529850100_A2.zip"],
         ["{subject}/{session}.zip"]),
    ],
)  # fmt: skip
def test_who_is_the_person_is_asked_where_the_names_do_not_say_it(paths, choices, tmp_path):
    (one,) = find_patterns(paths)
    assert one.path == ""
    assert [choice.path for choice in one.choices] == choices
    assert "could not be told" in one.doubt


def test_a_manifest_is_unfinished_until_the_person_is_chosen(tmp_path):
    for name in ("20240501_P01", "20240502_P02", "20240503_P01"):
        write(tmp_path / f"{name}.csv", "time,EDA (uS)", np.arange(40) / 4, np.ones(40))
    result = invoke(new_command, tmp_path)
    assert "choose which part of 20240501_P01.csv is the person" in result.output
    text = (tmp_path / "mmq-tf.toml").read_text()
    for key in ("title", "licence", "attribution", "label_kind"):
        text = text.replace(f'{key} = ""', f'{key} = "x"')
    text = text.replace("classes = []", 'classes = ["rest", "stress"]')
    (tmp_path / "mmq-tf.toml").write_text(text)
    with pytest.raises(MMQError, match=r"the key files\.0\.path is missing: say where in the files' names"):
        read_manifest(tmp_path)
    line = '# path = "{session}_{subject}.csv"  # 2 people: P01, P02'
    assert line in text
    (tmp_path / "mmq-tf.toml").write_text(text.replace(line, line[2:]))
    assert list_subjects(read_manifest(tmp_path), tmp_path) == [
        "P01/20240501",
        "P01/20240503",
        "P02/20240502",
    ]


def test_columns_units_rates_and_values(tmp_path):
    n = 400
    write(
        tmp_path / "P01.csv",
        "index,timestamp,BVP,EDA (uS),acc_x,acc_y,acc_z,hr,condition",
        range(n), 1.7e12 + np.arange(n) * 15.625, np.arange(n), np.full(n, 2.5), *[np.zeros(n)] * 3,
        np.full(n, 70), ["rest"] * 300 + ["stress"] * 100,
    )  # fmt: skip
    write(tmp_path / "P02.csv", "index,timestamp", [0], [0])
    (one,) = look_at(tmp_path).files
    assert one.time == ("timestamp", "unix_ms")
    assert one.rate_hz == 64
    assert {name: signal.columns for name, signal in one.signals.items()} == {
        "ppg": ("BVP",),
        "eda": ("EDA (uS)",),
        "acc": ("acc_x", "acc_y", "acc_z"),
    }
    assert (one.signals["eda"].unit, one.signals["ppg"].unit, one.signals["acc"].unit) == ("uS", "a.u.", "")
    assert one.signals["eda"].low == 2.5
    assert list(one.labels) == ["condition"]
    assert "rest (300)" in one.labels["condition"]
    assert set(one.unused) == {"index", "hr"}


def test_the_template_is_toml_that_says_what_is_open(tmp_path):
    write(
        tmp_path / "P01.csv",
        'time,EDA,"label ""x"""'.replace('"', ""),
        np.arange(50) / 4,
        np.ones(50),
        [1] * 50,
    )
    text = render(look_at(tmp_path))
    values = tomllib.loads(text)
    assert values["files"][0]["sampling_rate_hz"] == 4
    assert values["title"] == ""
    (task,) = values["tasks"].values()
    assert task["classes"] == []
    assert text.count(OPEN) >= 6
    assert "could not be told" in text


def test_which_of_two_sensors_is_read_is_asked(tmp_path):
    for person in ("P01", "P02"):
        write(tmp_path / "watch" / person / "pulse.csv", "time,pulse", np.arange(90) / 64, np.arange(90))
        write(tmp_path / f"{person}_ppg.csv", "time,ppg", np.arange(90) / 64, np.arange(90))
    text = render(look_at(tmp_path))
    values = tomllib.loads(text)
    assert [one["name"] for one in values["files"]] == ["watch_pulse", "ppg"]
    assert values["sensors"] == {"ppg": ""}
    assert 'ppg = ""  # choose: one of "watch_pulse", "ppg", or ["watch_pulse", "ppg"] for both' in text


def test_electrodes_dates_and_a_trials_table(tmp_path):
    dates = [f"2024-05-01T10:00:{i / 100:05.2f}" for i in range(300)]
    for name in ("a", "b"):
        write(tmp_path / "eeg" / f"{name}.csv", "date,Fp1,Fz,A2", dates, *[np.zeros(300)] * 3)
    write(tmp_path / "trials.csv", "subject,start,stop,valence", ["a"], [0], [3], [7])
    found = look_at(tmp_path)
    (one,) = found.files
    assert one.pattern.path == "eeg/{subject}.csv"
    assert one.time == ("date", "iso")
    assert one.rate_hz == 100
    assert one.signals["eeg"].columns == ("Fp1", "Fz", "A2")
    assert found.trials == ("trials.csv", ("subject", "start", "stop", "valence"))
    values = tomllib.loads(render(found))
    assert values["trials"]["path"] == "trials.csv"
    assert list(values["tasks"]) == ["valence"]


def test_a_folder_of_e4_exports(tmp_path):
    for name in ("S1", "S2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "EDA.csv").write_text("1000.0\n4.0\n" + "0.5\n" * 40)
    text = render(look_at(tmp_path))
    values = tomllib.loads(text)
    assert values["files"] == [{"path": "{subject}", "format": "e4"}]
    assert "eda: 1 channels (eda) at 4 Hz in uS" in text
    assert values["trials"]["source"] == "table"


def test_a_folder_without_recordings(tmp_path):
    (tmp_path / "readme.txt").write_text("nothing here\n")
    result = invoke(new_command, tmp_path)
    assert isinstance(result.exception, MMQError)
    assert "found none of" in str(result.exception)
    assert not (tmp_path / "mmq-tf.toml").exists()
    result = invoke(new_command, tmp_path / "nowhere")
    assert "found nothing" in str(result.exception)


def test_which_marker_stream_counts_is_asked(tmp_path):
    eda = xdf_writer.header(1, "w", "EDA", 1, 4) + xdf_writer.samples(1, np.arange(40) / 4, np.ones((40, 1)))
    marks = [
        xdf_writer.header(k, name, "Markers", 1, 0, "string")
        + xdf_writer.samples(k, [1.0 + k], [["rest"]], "string")
        for k, name in ((2, "tasks"), (3, "keys"))
    ]
    (tmp_path / "P01.xdf").write_bytes(xdf_writer.xdf(eda, *marks))
    text = render(look_at(tmp_path))
    assert '# markers =   choose: which stream holds the conditions: "tasks", "keys"' in text
    assert tomllib.loads(text)["trials"] == {"source": "annotations"}


# ---- datasets config


@pytest.fixture
def study(tmp_path):
    """`study(people, seconds, trials)`: EDA at 4 Hz and trials of both classes in turn."""

    def make(
        people=4, seconds=400, trials=((0, 100), (100, 200), (200, 400)), classes=("a", "b"), swapped=()
    ):
        folder = tmp_path / "study"
        rows = []
        for number in range(people):
            write(folder / f"P{number}.csv", "eda", np.ones(4 * seconds))
            order = classes[::-1] if number in swapped else classes
            rows += [(f"P{number}", *span, order[i % 2]) for i, span in enumerate(trials)]
        write(folder / "trials.csv", "subject,start,stop,kind", *zip(*rows, strict=True))
        (folder / "mmq-tf.toml").write_text(
            'title = "t"\nlicence = "l"\nattribution = "a"\nlabel_kind = "k"\n'
            '[[files]]\npath = "{subject}.csv"\nformat = "csv"\nsampling_rate_hz = 4\n'
            '[files.signals.eda]\ncolumns = ["eda"]\nunit = "uS"\n'
            '[trials]\nsource = "table"\npath = "trials.csv"\ntime_unit = "s"\n'
            f"[tasks.kind]\nclasses = {as_toml(classes)}\n"
        )
        return folder

    return make


def configured(folder, *options):
    out = folder.parent / "my.toml"
    result = invoke(config_command, folder, "--out", out, *options)
    if result.exception:
        raise result.exception
    return tomllib.loads(out.read_text())


def test_windows_fit_short_trials(study):
    folder = study(trials=tuple((20 * i, 20 * i + 15) for i in range(20)))
    front_end = configured(folder)["front_end"]
    assert front_end["tokens"] * front_end["token_s"] <= 15
    assert front_end["tokens"] >= 4


def said_of(folder):
    result = invoke(config_command, folder, "--out", folder.parent / "my.toml", "--force")
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


@pytest.mark.parametrize("rest", ["rest", "Baseline", "relax_1", "neutral"])
def test_enrolment_lies_in_a_first_trial_that_is_named_as_rest(study, rest):
    folder = study(classes=(rest, "load"), trials=((7, 107), (107, 207), (207, 400)))
    values = configured(folder)["normalisation"]
    assert values == {"mode": "enrolment", "enrolment_s": 40.0, "rest_class": rest, "prior_tokens": 3}
    said = said_of(folder)
    assert f"enrolment: the first 40 s of everyone's first {rest!r} trial" in said
    assert [line for line in said if line.startswith("  P")] == [f"  P{i}: 7 to 47 s" for i in range(4)]


def test_a_session_of_enrolment_is_what_is_enrolled_in(study):
    folder = study()
    for number in range(4):
        (folder / "day1").mkdir(exist_ok=True)
        (folder / f"P{number}.csv").rename(folder / "day1" / f"P{number}.csv")
        write(folder / "day0" / f"P{number}.csv", "eda", np.ones(4 * (50 + 10 * number)))
    path = folder / "mmq-tf.toml"
    text = path.read_text().replace('path = "{subject}.csv"', 'path = "{session}/{subject}.csv"')
    path.write_text('enrolment_session = "day0"\n' + text)
    rows = (folder / "trials.csv").read_text().splitlines()
    table = [
        rows[0].replace("subject,", "subject,session,"),
        *(row.replace(",", ",day1,", 1) for row in rows[1:]),
    ]
    (folder / "trials.csv").write_text("\n".join(table))
    values = configured(folder)["normalisation"]
    assert values == {"mode": "enrolment", "enrolment_s": 50.0, "prior_tokens": 3}
    assert "enrolment: the first 50 s of everyone's session 'day0'" in said_of(folder)
    write(folder / "day0" / "P2.csv", "eda", np.ones(4 * 29))
    assert any("'day0' of P2 holds 29 s to enrol in, under 30 s" in line for line in said_of(folder))


def test_without_a_name_of_rest_nothing_is_enrolled_in(study):
    for trials in (((0, 100), (100, 200), (200, 400)), ((90, 160), (160, 230))):
        folder = study(trials=trials)
        assert configured(folder, "--force")["normalisation"] == {"mode": "population"}
        assert any(
            "no label looks like rest (rest, baseline, relax, neutral)" in line for line in said_of(folder)
        )


def test_where_the_task_always_comes_before_rest_population_is_proposed(study):
    folder = study(classes=("stroop", "baseline"))
    assert configured(folder)["normalisation"] == {"mode": "population"}
    assert (
        "no enrolment, but mode population: 'baseline' comes first in no recording, and mode running would"
        " learn the order of the trials"
    ) in said_of(folder)


def test_where_the_order_differs_running_is_proposed(study):
    folder = study(classes=("rest", "load"), swapped=(2,))
    assert configured(folder)["normalisation"] == {"mode": "running"}
    assert "no enrolment, but mode running: 'rest' does not come first in the recording of P2" in said_of(
        folder
    )


def test_too_little_rest_is_no_enrolment(study):
    folder = study(classes=("rest", "load"), trials=((0, 62), (62, 124), (124, 186)))
    assert configured(folder)["normalisation"] == {"mode": "population"}
    assert any(
        "the shortest first 'rest' trial leaves 7 s to enrol in, under 30 s" in s for s in said_of(folder)
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"people": 2}, "expected 3 people or more"),
        ({"trials": ((0, 1), (2, 3))}, "too short"),
    ],
)
def test_what_cannot_be_trained_is_said_before(study, settings, words):
    with pytest.raises(MMQError, match=words):
        configured(study(**settings))


def test_another_task(study):
    with pytest.raises(MMQError, match="'mood' is not one of kind"):
        configured(study(), "--task", "mood")


def test_recordings_that_differ_in_a_sensor_are_named(study):
    folder = study()
    text = (folder / "mmq-tf.toml").read_text()
    text = text.replace("sampling_rate_hz = 4", 'time = { column = "t", unit = "s" }')
    (folder / "mmq-tf.toml").write_text(text)
    for number in range(4):
        rate = 8 if number == 3 else 4
        write(folder / f"P{number}.csv", "t,eda", np.arange(400 * rate) / rate, np.ones(400 * rate))
    with pytest.raises(MMQError, match=r"eda of P3 has sampling_rate_hz 8.0, others 4.0"):
        configured(folder)
