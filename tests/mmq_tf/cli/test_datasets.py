# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf datasets` as a user types it: list, check, get."""

import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import command_line
import numpy as np
import pytest

from mmq_tf.cli import datasets_get
from mmq_tf.cli.datasets import command
from mmq_tf.datasets import DATASETS, spelled
from mmq_tf.simulation.cohort import write_cohort
from mmq_tf.simulation.simulator import Settings


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    settings = Settings(minutes=7, modalities=("eda", "temp"))
    return write_cohort(tmp_path_factory.mktemp("datasets") / "cohort", 2, settings)


def run(*arguments, code=0):
    return command_line.printed(command, *arguments, code=code)


def run_main(monkeypatch, capsys, *arguments):
    """Exit code and what was written, as a shell sees them."""
    return command_line.run_main(monkeypatch, "datasets", *arguments), *capsys.readouterr()


def test_the_list_says_of_every_data_set_where_to_get_it():
    output = run("list")
    for dataset in DATASETS.values():
        (line,) = [line for line in output.splitlines() if line.split()[:1] == [spelled(dataset.name)]]
        assert " ".join(dataset.modalities) in line
        assert ", ".join(dataset.tasks) in line
    assert "mmq-tf datasets get" in output
    whole = run("list", "stress_predict", "eegmat")
    assert whole.startswith("stress-predict: Stress-Predict\n")
    assert f"  obtain   {DATASETS['eegmat'].obtain}\n" in whole
    assert "wesad: " not in whole


def test_every_help_has_examples():
    for name in ("", "list", "get", "check", "new", "config", "show"):
        output = run(*filter(None, [name]), "--help")
        assert f"mmq-tf datasets {name}".strip() in output, name


def test_check_shows_what_is_there_and_says_simulated(cohort):
    output = run("check", "simulated", cohort)
    assert "SIMULATED: no person was measured." in output
    assert "sim-01" in output
    assert "eda 1 x 4 Hz" in output
    assert "420.0" in output
    assert output.endswith("2 of 2 subjects are there: 2 ok.\n")


def test_check_ends_with_1_where_something_is_broken_and_names_it(cohort, tmp_path, monkeypatch, capsys):
    broken = write_cohort(tmp_path / "c", 1, Settings(minutes=7, modalities=("eda", "temp")))
    path = broken / "sim-01" / "eda.npy"
    path.write_bytes(path.read_bytes()[:-4])
    code, stdout, stderr = run_main(monkeypatch, capsys, "check", "simulated", broken)
    assert (code, stderr) == (1, "")
    assert f"{path}: expected" in stdout
    assert stdout.endswith("1 of 1 subjects are there: 1 broken.\n")


def test_check_writes_all_of_it_as_json(cohort, tmp_path):
    run("check", "simulated", cohort, "--subjects", "sim-02", "--json", tmp_path / "check.json")
    content = json.loads((tmp_path / "check.json").read_text())
    assert (content["dataset"], content["simulated"], content["published"]) == ("simulated", True, None)
    (one,) = content["subjects"]
    assert (one["subject"], one["state"], one["files"]) == ("sim-02", "ok", 3)
    assert one["size_bytes"] == sum(path.stat().st_size for path in (cohort / "sim-02").iterdir())
    assert one["digest"] == DATASETS["simulated"].digest(cohort, "sim-02")
    recording = DATASETS["simulated"].load(cohort, "sim-02")
    trials = [slice(round(4 * trial.start_s), round(4 * trial.stop_s)) for trial in recording.trials]
    lost = np.concatenate([np.isnan(recording.signals["eda"].samples[0, trial]) for trial in trials]).mean()
    assert one["signals"]["eda"] == {
        "channels": 1,
        "sampling_rate_hz": 4.0,
        "duration_s": 420.0,
        "lost": pytest.approx(lost),
    }
    assert one["trials"]["number"] == sum(one["trials"]["classes"]["stress"].values()) > 1


MANIFEST = """
title = "My study"
licence = "own recordings"
attribution = "me"
label_kind = "condition"
[[files]]
path = "{subject}.csv"
format = "csv"
time = { column = "time_s", unit = "s" }
sampling_rate_hz = 4
labels = ["label"]
[files.signals.eda]
columns = ["eda_us"]
unit = "uS"
[trials]
source = "column"
[tasks.stress]
column = "label"
classes = ["rest", "stress"]
"""


def test_check_reads_your_own_manifest(tmp_path):
    (tmp_path / "mmq-tf.toml").write_text(MANIFEST)
    rows = [f"{i / 4},0.{i % 7},{'rest' if i < 200 else 'stress'}" for i in range(400)]
    for name in ("P01", "P02"):
        (tmp_path / f"{name}.csv").write_text("\n".join(["time_s,eda_us,label", *rows]) + "\n")
    output = run("check", "manifest", tmp_path)
    assert "My study" in output
    assert "stress 1/1" in output
    assert output.endswith("2 of 2 subjects are there: 2 ok.\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check", "eegmat", "EMPTY"], ["found no subject", "https://physionet.org/content/eegmat/1.0.0/"]),
        (["check", "eegmat", "nowhere"], ["found nothing", "can be had here"]),
        (["check", "nothing", "EMPTY"], ["data set must be one of simulated, stress-predict"]),
        (["check", "simulated", "COHORT", "--subjects", "sim-09"], ["no subject 'sim-09'", "sim-01, sim-02"]),
        (["get", "simulated"], ["cannot be fetched", "mmq-tf simulate --out DIR"]),
        (["get", "stress_predict", "--subjects", "S30"], ["'S30' is not offered", "S02, S03"]),
        (["get", "eegmat", "--url", "http://127.0.0.1:1"], ["127.0.0.1:1/README.txt", "connection failed"]),
    ],
)
def test_what_cannot_be_done_is_one_sentence(cohort, tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    places = {"EMPTY": "empty", "COHORT": cohort}
    code, stdout, stderr = run_main(monkeypatch, capsys, *(places.get(name, name) for name in arguments))
    assert (code, stdout) == (2, "")
    assert stderr.count("\n") == 1
    for word in words:
        assert word in stderr


@pytest.fixture
def mirror(mmq_data):
    """The published files on a server of our own."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, format, *args):  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=mmq_data)) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def test_get_fetches_what_check_then_finds_as_published(mirror, tmp_path, monkeypatch, capsys):
    out = tmp_path / "my eegmat"
    options = ("get", "eegmat", "--out", out, "--subjects", "Subject03", "--url", f"{mirror}/eegmat")
    code, stdout, stderr = run_main(monkeypatch, capsys, *options)
    assert (code, stderr) == (0, "")
    assert "5 files fetched, 0 wrong ones replaced, 0 were there" in stdout
    assert "Licence: ODC-By 1.0 (https://opendatacommons.org/licenses/by/1-0/)" in stdout
    assert f"next: mmq-tf datasets check eegmat '{out}'" in stdout
    assert "0 files fetched, 0 wrong ones replaced, 5 were there" in run(*options)
    assert "1 of 1 subjects are there: 1 ok; SHA-256 of the publisher: 2 ok." in run(
        "check", "eegmat", out, "--subjects", "Subject03"
    )


def test_get_says_what_is_not_offered_and_brings_the_licence(mirror, tmp_path):
    out = tmp_path / "sp"
    output = run(
        "get", "stress_predict", "--out", out, "--subjects", "S02", "--url", f"{mirror}/stress_predict"
    )
    assert "Not offered, for want of a pinned digest: S28, S29, S30, S31, S32, S33, S34, S35." in output
    assert "the first 85803 lines are pinned" in output
    assert (out / "LICENSE").read_text().startswith("MIT License")


def test_ctrl_c_says_how_to_go_on(tmp_path, monkeypatch, capsys):
    def stop(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(datasets_get, "fetch", stop)
    code, _, stderr = run_main(monkeypatch, capsys, "get", "eegmat", "--out", tmp_path / "a b")
    assert code == 130
    assert stderr == f"stopped; resume with: mmq-tf datasets get eegmat --out '{tmp_path / 'a b'}'\n"
