# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf play --lsl` heard by `mmq-tf stream --lsl`, each in a process of its own, ended as a user would."""

import json
import os
import signal
import subprocess
import sys
import uuid

import numpy as np
import pytest
from command_line import invoke

from mmq_tf.cli.play import command as play_command
from mmq_tf.cli.stream import command as stream_command
from mmq_tf.datasets.formats.folder import save_recording
from mmq_tf.recording import Recording, Signal

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

SECONDS = 80.0


@pytest.fixture(scope="module")
def folder(tiny, tmp_path_factory):
    """The tiny signals as a recording folder; SIMULATED."""
    front_end, signals = tiny.front_end(), {}
    for name, made in tiny.signals(SECONDS).items():
        part = front_end.modalities[name]
        samples = np.ascontiguousarray(made.samples, np.float32)
        signals[name] = Signal(name, samples, made.sampling_rate_hz, part.unit, part.channels, made.start_s)
    path = tmp_path_factory.mktemp("played") / "P1"
    save_recording(Recording("P1", "1", signals, simulated=True), path)
    return path


def start(arguments, environment):
    return subprocess.Popen(
        [sys.executable, "-m", "mmq_tf", *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_played_recording_is_decided_on_until_ctrl_c(tiny_bundle, folder, tmp_path):
    pytest.importorskip("pylsl")
    config = tmp_path / "lsl_api.cfg"
    config.write_text(
        f"[lab]\nSessionID = {uuid.uuid4().hex}\nKnownPeers = {{127.0.0.1}}\n"
        "[multicast]\nResolveScope = machine\n[log]\nlevel = -3\n"
    )
    environment = {**os.environ, "LSLAPICFG": str(config)}
    player = start(["play", folder, "--lsl", "--speed", 20], environment)
    stream = start(["stream", tiny_bundle, "--lsl", "--json"], environment)
    try:
        _, said = player.communicate(timeout=120)
        stream.send_signal(signal.SIGINT)
        out, err = stream.communicate(timeout=60)
    finally:
        for process in (player, stream):
            process.kill()
            process.communicate()
    assert player.returncode == 0, said
    assert "SIMULATED P1 (ppg, eda, temp, acc): waiting for a listener" in said
    assert "played 80 of 80 s" in said
    assert stream.returncode == 0, err
    assert "ppg: from 'P1 ppg' on " in err
    assert "came in: ppg 5120 samples, eda 320 samples, temp 320 samples, acc 2560 samples" in err
    lines = [json.loads(line) for line in out.splitlines()]
    replayed = invoke(stream_command, tiny_bundle, "--replay", folder, "--json")
    expected = [json.loads(line) for line in replayed.output.splitlines()]
    assert [line["time_s"] for line in lines[: len(expected)]] == [line["time_s"] for line in expected]
    assert all(line["simulated"] for line in lines)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "name one of --replay RECORDING, --sample, --lsl and --brainflow BOARD"),
        (["--lsl", "--replay", "x"], "name one of --replay RECORDING, --sample, --lsl and --brainflow BOARD"),
        (["--lsl", "--brainflow", "synthetic"], "name one of --lsl and --brainflow"),
        (["--replay", "x", "--pick", "ppg=a"], "--pick goes with --lsl only"),
        (["--lsl", "--pick", "ppg"], "expected SENSOR=STREAM"),
        (["--lsl", "--drop", "ppg@1-2"], "--drop and --speed go with --replay"),
        (["--lsl", "--speed", "2"], "--drop and --speed go with --replay"),
    ],
)
def test_options_that_contradict_each_other(tiny_bundle, arguments, says):
    result = invoke(stream_command, tiny_bundle, *arguments)
    assert result.exit_code == 2
    assert says in " ".join(result.output.split())


def test_play_says_what_it_cannot_play(folder, tmp_path):
    result = invoke(play_command, folder)
    assert result.exit_code == 2
    assert "--lsl" in result.output
    gone = invoke(play_command, tmp_path / "gone", "--lsl")
    assert "there is nothing" in str(gone.exception)
    pytest.importorskip("pylsl")
    wrong = invoke(play_command, folder, "--lsl", "--drop", "ecg@1-2")
    assert "the recording has no ecg" in str(wrong.exception)


def test_a_board_of_other_rates_is_one_sentence(tiny_bundle):
    pytest.importorskip("brainflow")
    result = invoke(stream_command, tiny_bundle, "--brainflow", "synthetic")
    assert "stream 'Synthetic' is no acc for this bundle: expected 32 Hz, got 250 Hz" in str(result.exception)
