# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf stream`: a recording, or live sensors, through the device, one line a decision."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from mmq_tf.cli._bundle import takes_bundle
from mmq_tf.cli._live import Live, takes_live
from mmq_tf.errors import MMQError
from mmq_tf.recording import Recording

CHUNK_S = 1.0

_EPILOG = """
\b
Examples
  mmq-tf stream --pretrained wrist-stress --replay E4_FOLDER
  mmq-tf stream bundles/watch --replay DIR/S02
  mmq-tf stream bundles/watch --replay DIR/S02 --drop ppg@600-900 --drop eda@900-end
  mmq-tf stream bundles/watch --replay cohort/P003 --speed 10
  mmq-tf stream bundles/watch --replay DIR/S02 --json | your-program
  mmq-tf stream bundles/watch --lsl
  mmq-tf stream bundles/board --brainflow CYTON_BOARD,serial_port=/dev/ttyUSB0
"""


@click.command(name="stream", epilog=_EPILOG)
@takes_bundle
@click.option(
    "--replay",
    "recording",
    type=click.Path(path_type=Path),
    help="E4 export, recording folder, XDF, a file MNE reads, ...",
)
@takes_live
@click.option(
    "--drop", "drops", multiple=True, metavar="SENSOR@FROM-TO", help="Silence a sensor, in s; repeatable."
)
@click.option(
    "--speed", type=click.FloatRange(min=0), default=0.0, help="Times real time; 0 is as fast as it goes."
)
@click.option("--every", type=click.IntRange(min=1), default=1, help="Show one decision of so many.")
@click.option(
    "--model",
    type=click.Choice(["int8", "int8_float_io", "float32"]),
    default="int8",
    help="Which of the models.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(
    bundle: Path,
    recording: Path | None,
    live: Live | None,
    drops: tuple[str, ...],
    speed: float,
    every: int,
    model: Any,
    as_json: bool,
) -> None:
    """Push the raw samples of a recording, or of live sensors, through BUNDLE; print its decisions.

    A line says when, which class with which probability, and what share of each sensor was used; an
    abstention says why. A live session ends with Ctrl-C; one over LSL also sends its decisions as markers.
    """
    from mmq_bridge.decision.device import Device

    from mmq_tf.utils.native_output import quiet_native

    if (recording is None) == (live is None):
        raise click.UsageError("name one of --replay RECORDING, --lsl and --brainflow BOARD.")
    with quiet_native():
        device = Device.from_bundle(bundle, model)
    show_as = _Json if as_json else _Text
    try:
        if live:
            live.run(device, show_as, every)
        else:
            _replay(device, recording, drops, speed, show_as, every)
    except KeyboardInterrupt:
        click.echo("stopped.", err=True)
        sys.exit(130)
    except BrokenPipeError:  # the reader of a pipe went away: nobody is left to tell
        sys.stdout = None  # type: ignore[assignment]
        sys.exit(0)


def _replay(device: Any, recording: Any, drops: Any, speed: float, show_as: Any, every: int) -> None:
    """Push a recording through the device."""
    from mmq_bridge.decision.replay import Drop, check_replay, select

    from mmq_tf.datasets import open_recording

    if not math.isfinite(speed):
        raise MMQError(f"--speed: expected a finite number from 0, got {speed}.")
    wanted = [Drop.parse(text) for text in drops]
    worn = open_recording(recording)
    signals = select(device.front_end, worn.signals)
    check_replay(signals, CHUNK_S, wanted)
    show = show_as(device, worn)
    show.start()
    for index, decision in enumerate(decisions(device, signals, wanted, speed)):
        show.decision(decision, shown=index % every == 0)
    show.end()


def decisions(device: Any, signals: Any, drops: Any, speed: float) -> Iterator[Any]:
    """Yield the decisions of a device while a recording is replayed, at `speed` times real time unless 0."""
    from mmq_bridge.decision.replay import steps

    began = time.monotonic()
    for now_s, chunks in steps(signals, CHUNK_S, drops):
        if speed > 0:
            time.sleep(max(0.0, began + now_s / speed - time.monotonic()))
        for modality, samples, time_s in chunks:
            yield from device.push(modality, samples, time_s)
        yield from device.advance(now_s - device.front_end.grace_s)


def decision_line(decision: Any, simulated: bool) -> str:
    """Return a decision as one line of JSON."""
    return json.dumps({**asdict(decision), "classes": decision.classes, "simulated": simulated})


@dataclass
class _Json:
    """One JSON object a decision, nothing else on stdout."""

    device: Any
    recording: Recording

    def start(self) -> None:
        """Print nothing: every line is a decision."""

    def decision(self, decision: Any, shown: bool) -> None:
        """Print one decision."""
        if shown:
            simulated = self.recording.simulated or self.device.manifest.simulated
            click.echo(decision_line(decision, simulated))

    def end(self) -> None:
        """Print nothing."""


class _Text:
    """Lines for people."""

    def __init__(self, device: Any, recording: Recording) -> None:
        self.device, self.recording = device, recording
        self.made = self.abstained = self.labelled = self.right = self.waited = 0
        self.waiting = False

    def start(self) -> None:
        """Say what is replayed, and mark what is simulated."""
        manifest, recording = self.device.manifest, self.recording
        if recording.simulated or manifest.simulated:
            what = [
                name
                for name, is_so in (("model", manifest.simulated), ("recording", recording.simulated))
                if is_so
            ]
            click.echo(f"SIMULATED ({' and '.join(what)})")
        seen = " (this subject trained the model)" if recording.subject in manifest.train_subjects else ""
        click.echo(
            f"{manifest.name} on {recording.subject}{seen}: sensors "
            f"{', '.join(self.device.front_end.modality_names)}"
        )

    def decision(self, decision: Any, shown: bool) -> None:
        """Count one decision and print it; while the device only waits, one line says so for all."""
        label = self._label(decision)
        waiting = not decision.probabilities and str(decision.reason).startswith(("enrolling", "filling"))
        self._count(decision, label, waiting)
        if (shown or waiting) and not (waiting and self.waiting):
            click.echo(self._line(decision, label))
        self.waiting = waiting

    def end(self) -> None:
        """Print the counts."""
        waited = self.waited * self.device.front_end.token_s
        score = f"; of {self.labelled} with a label {self.right} were right" if self.labelled else ""
        click.echo(
            f"{self.made} decisions, {self.abstained} abstentions after {waited:g} s of waiting{score}"
        )

    def _count(self, decision: Any, label: str | None, waiting: bool) -> None:
        if waiting:
            self.waited += self.device.decision.every_tokens
        elif decision.abstained:
            self.abstained += 1
        else:
            self.made += 1
            self.labelled += label is not None
            self.right += label in decision.classes.values()

    def _label(self, decision: Any) -> str | None:
        """Return the label of the trial the whole window lies in, where there is one."""
        task = next(iter(self.device.decision.tasks))
        start_s = decision.time_s - self.device.front_end.window_s
        for trial in self.recording.trials:
            if trial.start_s <= start_s + 1e-6 and decision.time_s <= trial.stop_s + 1e-6:
                return trial.labels.get(task)
        return None

    def _line(self, decision: Any, label: str | None) -> str:
        when = f"{decision.time_s:7.1f} s"
        sensors = "  ".join(f"{name} {_share(share)}" for name, share in decision.sensors.items())
        parts = [when]
        for task, values in decision.probabilities.items():
            parts.append(f"{task}: " + "  ".join(f"{name} {value:.2f}" for name, value in values.items()))
        parts.append(f"used: {sensors}")
        if decision.abstained:
            parts.append(f"abstained: {decision.reason}")
        if label is not None:
            parts.append(f"(label {label})")
        return "   ".join(parts)


def _share(share: float) -> str:
    return "none" if share == 0 else f"{share:.0%}"
