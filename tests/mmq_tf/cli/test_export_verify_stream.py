# SPDX-License-Identifier: Apache-2.0
"""The commands as a user types them: what they print, what they leave, which code they exit with."""

import json
import re
import shutil
import subprocess
import sys
from signal import SIGKILL, SIGTERM
from typing import Any

import numpy as np
import pytest
from command_line import invoke, run_main
from mmq_bridge.errors import BridgeError
from mmq_export.errors import ExportError

from mmq_tf.cli.export import command as export_command
from mmq_tf.cli.stream import command as stream_command
from mmq_tf.cli.verify import command as verify_command
from mmq_tf.datasets.formats.folder import save_recording
from mmq_tf.errors import MMQError
from mmq_tf.recording import Recording, Signal, Trial

SECONDS = 150.0


@pytest.fixture(scope="module")
def e4(tiny, tmp_path_factory):
    """The tiny signals as an E4 export."""
    folder = tmp_path_factory.mktemp("e4") / "S77"
    folder.mkdir()
    scale = {"acc": 64}
    for name, signal in tiny.signals(SECONDS).items():
        file = {"ppg": "BVP", "eda": "EDA", "temp": "TEMP", "acc": "ACC"}[name]
        columns = len(signal.samples)
        rows = [
            ",".join(["1600000000.000000"] * columns),
            ",".join([f"{signal.sampling_rate_hz:.6f}"] * columns),
        ]
        rows += [",".join(f"{v:.4f}" for v in column) for column in signal.samples.T * scale.get(name, 1)]
        (folder / f"{file}.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="module")
def simulated(tiny, tmp_path_factory):
    return save_simulated(tiny, tmp_path_factory.mktemp("cohort") / "P001", SECONDS)


def save_simulated(tiny, folder, seconds):
    units = {"ppg": "a.u.", "eda": "uS", "temp": "degC", "acc": "g"}
    signals = {
        name: Signal(
            name, s.samples, s.sampling_rate_hz, units[name], tuple("xyz"[: len(s.samples)]), float(s.start_s)
        )
        for name, s in tiny.signals(seconds).items()
    }
    trials = (
        Trial(0.0, 2 * seconds / 3, {"stress": "rest"}),
        Trial(2 * seconds / 3, seconds, {"stress": "stress"}),
    )
    recording = Recording("P001", "1", signals, trials, source="simulated", simulated=True, digest="0" * 64)
    save_recording(recording, folder)
    return folder


def test_stream_prints_a_line_a_decision_and_marks_what_is_simulated(tiny_bundle, e4):
    result = invoke(stream_command, tiny_bundle, "--replay", e4, "--drop", "eda@100-120")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "SIMULATED (model)"
    assert lines[1] == "tiny on S77: sensors ppg, eda, temp, acc"
    assert "abstained: enrolling (1 of 12 tokens measured)" in lines[2]
    assert "abstained: filling the first window" not in lines[2]
    decisions = [line for line in lines if "stress: rest" in line]
    assert len(decisions) == 30 - 15
    assert any("eda none" in line for line in decisions)
    assert lines[-1].startswith("15 decisions") or "abstentions after 75 s of waiting" in lines[-1]


def test_stream_json_is_one_object_a_line_for_every_token(tiny_bundle, simulated):
    result = invoke(stream_command, tiny_bundle, "--replay", simulated, "--json")
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["time_s"] for row in rows] == [5.0 * k for k in range(1, 31)]
    assert rows[0]["reason"] == "enrolling (1 of 12 tokens measured)"
    assert all(row["simulated"] for row in rows)
    assert sum(rows[-1]["probabilities"]["stress"].values()) == pytest.approx(1)
    assert rows[-1]["sensors"] == {"ppg": 1.0, "eda": 1.0, "temp": 1.0, "acc": 1.0}


def test_stream_says_what_a_display_shows_only_when_asked(tiny_bundle, simulated):
    plain = rows_of(invoke(stream_command, tiny_bundle, "--replay", simulated, "--json"))
    rows = rows_of(invoke(stream_command, tiny_bundle, "--replay", simulated, "--json", "--display", 30))
    shown = [row.pop("shown") for row in rows]
    averages = [row.pop("shown_probabilities") for row in rows]
    assert rows == plain
    assert shown[:15] == averages[:15] == [{}] * 15
    p = [row["probabilities"]["stress"]["stress"] for row in rows[15:]]
    wanted = [np.mean(p[max(0, k - 5) : k + 1]) for k in range(15)]
    assert [one["stress"]["stress"] for one in averages[15:]] == pytest.approx(wanted)
    best = [("stress", one) if one > 0.5 else ("rest", 1 - one) for one in wanted]
    assert shown[15:] == [{"stress": name} if value >= 0.55 else {} for name, value in best]
    lines = invoke(stream_command, tiny_bundle, "--replay", simulated, "--display", 30).stdout.splitlines()
    words = [f"{name} {value:.2f}" if value >= 0.55 else "none" for name, value in best]
    said = [line for line in lines if "stress: rest" in line]
    assert all(f"   shown: {word}   used: " in line for word, line in zip(words, said, strict=True))
    assert not any("shown" in line for line in lines[:3])


def test_stream_knows_the_labels_of_a_simulated_subject(tiny_bundle, simulated):
    result = invoke(stream_command, tiny_bundle, "--replay", simulated, "--every", 5)
    assert "SIMULATED (model and recording)" in result.stdout
    assert "(label rest)" in result.stdout
    assert "(label stress)" in result.stdout
    assert "were right" in result.stdout


def test_stream_goes_on_when_every_sensor_falls_off(tiny_bundle, simulated):
    drops = [part for name in ("ppg", "eda", "temp", "acc") for part in ("--drop", f"{name}@90-130")]
    result = invoke(stream_command, tiny_bundle, "--replay", simulated, "--json", *drops)
    rows = {row["time_s"]: row for row in map(json.loads, result.stdout.splitlines())}
    assert len(rows) == 30
    assert rows[120.0]["reason"].startswith("too little present (0%")


@pytest.mark.parametrize(
    ("seconds", "options"),
    [(30, []), (78, ["--json"]), (80, ["--drop", "ppg@70-end"])],
)
def test_stream_says_how_long_a_recording_that_is_too_short_must_be(
    tiny, tiny_bundle, tmp_path, seconds, options
):
    recording = save_simulated(tiny, tmp_path / "P001", float(seconds))
    result = invoke(stream_command, tiny_bundle, "--replay", recording, *options)
    assert isinstance(result.exception, BridgeError)
    assert re.match(
        rf"recording: {seconds}(\.25)? s are too short for one decision: enrolment takes 60 s",
        str(result.exception),
    )
    assert "decisions" not in result.stdout
    if seconds < 80:
        assert result.stdout == ""


def test_stream_exits_with_2_where_nothing_could_be_decided(tiny, tiny_bundle, tmp_path, monkeypatch, capfd):
    recording = save_simulated(tiny, tmp_path / "P001", 60.0)
    assert run_main(monkeypatch, "stream", tiny_bundle, "--replay", recording) == 2
    shown = capfd.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("mmq-tf: recording: 60.25 s are too short for one decision")
    assert run_main(monkeypatch, "stream", tiny_bundle, "--replay", recording, "--enrolment", "30") == 0
    shown = capfd.readouterr()
    assert shown.out.splitlines()[-1].startswith("3 decisions, 0 abstentions after 45 s of waiting")
    assert shown.err == (
        "mmq-tf: enrolment: 30 s, but the model was trained with 60 s: expect worse decisions.\n"
    )


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        (["--enrolment", "61"], BridgeError, "enrolment: expected 15 to 60 s"),
        (["--enrolment", "nan"], BridgeError, "enrolment: expected 15 to 60 s"),
        (["--display", "-1"], BridgeError, "display: expected 0 to 3600 s, got -1"),
        (["--display", "nan"], BridgeError, "display: expected 0 to 3600 s, got nan"),
        (["--drop", "ppg"], BridgeError, "ppg@60-120"),
        (["--drop", "ppg@60-50"], BridgeError, "stop after the start"),
        (["--drop", "ecg@60-70"], BridgeError, "has no ecg"),
        (["--speed", "nan"], BridgeError, "--speed"),
        (["--speed", "inf"], BridgeError, "--speed"),
    ],
)
def test_stream_refuses_bad_options_before_it_prints(tiny_bundle, e4, options, kind, message):
    result = invoke(stream_command, tiny_bundle, "--replay", e4, *options)
    assert isinstance(result.exception, kind)
    assert message in str(result.exception)
    assert result.stdout == ""


def test_stream_goes_on_with_what_a_wearer_taught_before(tiny_bundle, simulated, tmp_path, monkeypatch):
    state = tmp_path / "anna.state"
    options = ("--replay", simulated, "--json", "--state", state)
    first = rows_of(invoke(stream_command, tiny_bundle, *options))
    assert first[0]["reason"] == "enrolling (1 of 12 tokens measured)"
    kept = state.read_bytes()
    second = rows_of(invoke(stream_command, tiny_bundle, *options))
    assert second[0]["reason"] == "filling the first window (15 s left)"
    assert second[15:] == first[15:]
    assert state.read_bytes() == kept
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mmq_bridge.cli.stream.decisions", interrupted_after(3))
        fresh = tmp_path / "bert.state"
        stopped = invoke(stream_command, tiny_bundle, "--replay", simulated, "--state", fresh)
    assert stopped.exit_code == 130
    third = rows_of(invoke(stream_command, tiny_bundle, "--replay", simulated, "--json", "--state", fresh))
    assert third[0]["reason"] == "enrolling (4 of 12 tokens measured)"
    state.write_bytes(kept[:-1])
    assert run_main(monkeypatch, "stream", tiny_bundle, *options) == 2
    assert state.read_bytes() == kept[:-1]


def ended_by(number, at_s, bundle, recording, state):
    """Stream in a process of its own, send it a signal at a decision; return its exit status."""
    command = ["stream", bundle, "--replay", recording, "--speed", "40", "--json", "--state", state]
    process = subprocess.Popen(
        [sys.executable, "-m", "mmq_tf", *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        assert process.stdout
        try:
            for line in process.stdout:
                if json.loads(line)["time_s"] >= at_s:
                    process.send_signal(number)
                    break
            return process.wait(30)
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("number", "status", "at_s", "reason"),
    [
        (SIGKILL, -SIGKILL, 65.0, "filling the first window (15 s left)"),
        (SIGTERM, 143, 35.0, "enrolling"),
    ],
)
def test_a_session_that_is_ended_from_outside_loses_a_minute_at_most(
    tiny_bundle, simulated, tmp_path, number, status, at_s, reason
):
    state = tmp_path / "anna.state"
    assert ended_by(number, at_s, tiny_bundle, simulated, state) == status
    options = ("--replay", simulated, "--json", "--state", state)
    again = rows_of(invoke(stream_command, tiny_bundle, *options))[0]["reason"]
    assert again.startswith(reason)
    if reason == "enrolling":
        assert float(again.split("(")[1].split()[0]) <= 60 - at_s


def test_stream_refuses_a_file_that_is_no_state_in_a_sentence(
    tiny_bundle, simulated, tmp_path, monkeypatch, capfd
):
    state = tmp_path / "state"
    state.write_text("nothing of the kind")
    assert run_main(monkeypatch, "stream", tiny_bundle, "--replay", simulated, "--state", state) == 2
    shown = capfd.readouterr()
    assert shown.out == ""
    assert shown.err == f"mmq-tf: {state}: the state was changed, or is none\n"


def rows_of(result):
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def interrupted_after(count):
    """A replay that Ctrl-C ends after so many decisions."""
    from mmq_bridge.cli.stream import decisions

    def some(*given):
        for index, decision in enumerate(decisions(*given), start=1):
            yield decision
            if index == count:
                raise KeyboardInterrupt

    return some


def test_stream_names_what_is_not_there(tiny_bundle, e4, tmp_path):
    for bundle, recording, kind in (
        (tmp_path / "no", e4, BridgeError),
        (tiny_bundle, tmp_path / "no", MMQError),
        (tiny_bundle, tmp_path, MMQError),
    ):
        result = invoke(stream_command, bundle, "--replay", recording)
        assert isinstance(result.exception, kind)
        assert str(tmp_path) in str(result.exception)


def test_verify_prints_numbers_and_exits_with_an_error_that_names_the_file(
    tiny_bundle, tmp_path, monkeypatch
):
    monkeypatch.setattr("mmq_bridge.bundle.sources.find_compiler", lambda: None)
    result = invoke(verify_command, tiny_bundle)
    assert result.exit_code == 0, result.output
    assert "976" in result.stdout
    assert "FULLY_CONNECTED" in result.stdout
    assert "the bundle computes what it computed at export" in result.stdout
    shutil.copytree(tiny_bundle, tmp_path / "b")
    (tmp_path / "b/README.md").write_text("changed")
    result = invoke(verify_command, tmp_path / "b", "--json")
    assert isinstance(result.exception, BridgeError)
    assert f"{tmp_path}/b/README.md" in str(result.exception)
    assert json.loads(result.stdout)["ok"] is False


@pytest.fixture(scope="module")
def run(tiny, tmp_path_factory):
    """A run folder as `mmq-tf train` leaves it, with an untrained network that labels its own windows."""
    import keras

    from mmq_tf.model.mmqnet import MMQNet

    folder = tmp_path_factory.mktemp("runs") / "watch"
    (folder / "folds/00").mkdir(parents=True)
    end = tiny.front_end()
    sizes = {name: part.stop - part.start for name, part in end.feature_slices.items()}
    keras.utils.set_random_seed(0)
    net = MMQNet.from_size("nano", n_tokens=end.tokens, feature_sizes=sizes, tasks={"stress": 2})
    found = tiny.windows(end, 40)
    presence = found.presence.astype(np.float32)
    logits = np.asarray(net({"features": found.features, "presence": presence})["stress"])
    margin = logits[:, 1] - logits[:, 0]
    signals = {
        key: value
        for name, s in tiny.signals().items()
        for key, value in (
            (f"{name}_samples", s.samples),
            (f"{name}_rate", 1.0 * s.sampling_rate_hz),
            (f"{name}_start", s.start_s),
        )
    }
    for place in (folder, folder / "folds/00"):
        net.save(place / "model.keras")
        end.save(place / "frontend.json")
        labels = (margin > np.median(margin)).astype(np.int8)[:, None]
        np.savez(place / "validation.npz", features=found.features, presence=found.presence, labels=labels)
    np.savez(folder / "golden.npz", **signals)
    facts = {**tiny.FACTS, "decision": tiny.DECISION, "seeds": [0], "model": {"size": "nano"}}
    (folder / "metrics.json").write_text(json.dumps(facts))
    (folder / "folds/00/metrics.json").write_text(
        json.dumps({"exported_model": "fold 0", "test_subjects": ["S09"]})
    )
    (folder / "report.html").write_text("<title>the run's report</title>")
    return folder


@pytest.mark.slow
def test_export_of_a_real_network_passes_verify_and_writes_its_sizes(run, e4, tmp_path):
    out, results = tmp_path / "bundle", tmp_path / "nano_int8.json"
    options = ("--int8", "--fold", 0, "--golden", e4, "--out", out, "--max-drop", 100, "--results", results)
    result = invoke(export_command, run, *options)
    assert result.exit_code == 0, f"{result.output} {result.exception}"
    assert "float against int8" in result.stdout
    assert "modalities gone" in result.stdout
    assert "SIMULATED" in result.stdout
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["exported_model"] == "fold 0"
    assert manifest["test_subjects"] == ["S09"]
    assert manifest["model"]["int8_bytes"] <= 100_000
    assert manifest["model"]["arena_bytes"] <= 32 * 1024
    assert "the run's report" in (out / "report.html").read_text()
    golden = json.loads((out / "golden/golden.json").read_text())
    assert (golden["data"], golden["simulated"]) == ("e4", False)  # the recording's, not the run's
    written = json.loads(results.read_text())
    assert written["simulated"]
    assert written["normalisation"] == "enrolment 60 s"
    found = {(row["method"], row["condition"], row["metric"]) for row in written["rows"]}
    metrics = ("bytes", "arena_bytes", "macs", "macro_f1")
    assert found == {("mmqnet-nano", c, m) for c in ("float32", "int8") for m in metrics}
    verified = invoke(verify_command, out)
    assert verified.exit_code == 0, verified.output


def test_a_slim_export_leaves_out_code_and_report(run, simulated, tmp_path, monkeypatch):
    asked: dict[str, Any] = {}

    def write_bundle(out, **given):
        asked.update(given)
        raise ExportError("enough")

    monkeypatch.setattr("mmq_export.bundle.write_bundle", write_bundle)
    invoke(export_command, run, "--slim", "--golden", simulated, "--out", tmp_path / "slim")
    assert not asked["code"]
    assert asked.pop("report_html") is None
    assert asked["golden_origin"].simulated
    invoke(export_command, run, "--out", tmp_path / "whole")
    assert asked["code"]
    assert "the run's report" in asked["report_html"]
    assert asked["golden_origin"] is None  # the run's own data


def test_export_takes_the_newest_run_when_none_is_named(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = invoke(export_command)
    assert isinstance(result.exception, MMQError)
    assert "no finished run under runs/" in str(result.exception)
    shutil.copytree(run, tmp_path / "runs/older")
    (tmp_path / "runs/older/model.keras").write_bytes(b"not a network")
    result = invoke(export_command)
    assert isinstance(result.exception, MMQError)
    assert "runs/older/model.keras: cannot be loaded" in str(result.exception)
    assert not (tmp_path / "bundles").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("metrics.json", b"{", "metrics.json: cannot be read as JSON"),
        ("metrics.json", b"[]", "metrics.json: expected a JSON object"),
        ("metrics.json", b"{}", "metrics.json: expected the key"),
        ("metrics.json", None, "metrics.json: no such file"),
        ("model.keras", None, "model.keras: no such file"),
        ("frontend.json", b"{}", "frontend.json"),
        ("validation.npz", b"PK", "validation.npz: cannot be read"),
        ("validation.npz", None, "validation.npz: no such file"),
        ("golden.npz", None, "--golden FOLDER"),
    ],
)
def test_a_broken_run_is_named_and_nothing_is_written(run, tmp_path, name, content, message):
    shutil.copytree(run, tmp_path / "run")
    path = tmp_path / "run" / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    result = invoke(export_command, tmp_path / "run", "--out", tmp_path / "out")
    assert isinstance(result.exception, MMQError | BridgeError | ExportError), result.exception
    assert message in str(result.exception)
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_below_chance_is_exported_only_where_that_is_said(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    facts = json.loads((run / "metrics.json").read_text()) | {"model": {"name": "mmqnet"}}
    facts["results"] = [{"method": "mmqnet", "condition": "full", "metric": "auroc", "mean": 0.45}]
    (tmp_path / "run" / "metrics.json").write_text(json.dumps(facts))
    (tmp_path / "run" / "validation.npz").unlink()  # what is looked for next
    options = (export_command, tmp_path / "run", "--out", tmp_path / "out")
    assert "is 0.450, no better than chance" in str(invoke(*options).exception)
    assert "validation.npz: no such file" in str(invoke(*options, "--below-chance").exception)
    assert not (tmp_path / "out").exists()


def test_a_fold_that_is_not_there_is_named(run, tmp_path):
    result = invoke(export_command, run, "--fold", 7, "--out", tmp_path / "out")
    assert "the run has 1, counted from 0" in str(result.exception)
