# SPDX-License-Identifier: Apache-2.0
"""`stream`: a recording, or live sensors, through the device, one line per decision."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from mmq_bridge.cli.host import Host, takes_bundle, takes_reading
from mmq_bridge.cli.live import Live, takes_live, terminated_in_order
from mmq_bridge.cli.show import JsonLines, TextLines
from mmq_bridge.errors import BridgeError

CHUNK_S = 1.0

_EPILOG = """
\b
Examples
  {program} stream bundles/watch --replay DIR/S02
  {program} stream bundles/watch --replay DIR/S02 --drop ppg@600-900 --drop eda@900-end
  {program} stream bundles/watch --replay cohort/P003 --speed 10
  {program} stream bundles/watch --replay DIR/S02 --enrolment 120
  {program} stream bundles/watch --replay DIR/S02 --display 30
  {program} stream bundles/watch --replay DIR/S02 --json | your-program
  {program} stream bundles/watch --lsl
  {program} stream bundles/watch --lsl --state anna.state
  {program} stream bundles/board --brainflow CYTON_BOARD,serial_port=/dev/ttyUSB0
"""
_PRETRAINED = """\
  {program} stream --pretrained wrist-stress --sample
  {program} stream --pretrained wrist-stress --replay E4_FOLDER
"""


def _epilog(host: Host) -> str:
    head, _, rest = _EPILOG.partition("Examples\n")
    text = f"{head}Examples\n{_PRETRAINED if host.pretrained else ''}{rest}"
    return text.format(program=host.program)


def stream_command(host: Host) -> click.Command:
    """Return the command ``stream`` of a program."""

    @click.command(name="stream", epilog=_epilog(host))
    @takes_bundle(host)
    @click.option(
        "--replay",
        "recording",
        type=click.Path(path_type=Path),
        help="E4 export, recording folder, XDF, a file MNE reads, ...",
    )
    @click.option(
        "--sample",
        "is_sample",
        is_flag=True,
        help="A SIMULATED recording that comes with the program: 4 minutes of a wearer who is enrolled.",
    )
    @takes_reading(host)
    @takes_live(host)
    @click.option(
        "--drop", "drops", multiple=True, metavar="SENSOR@FROM-TO", help="Silence a sensor, in s; repeatable."
    )
    @click.option(
        "--speed", type=click.FloatRange(min=0), default=0.0, help="Times real time; 0 is as fast as it goes."
    )
    @click.option(
        "--enrolment",
        "enrolment_s",
        type=float,
        metavar="SECONDS",
        help="A shorter enrolment than the model was trained with.",
    )
    @click.option(
        "--display",
        "display_s",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="Also show the average of the last so many seconds, for example 30; 0 is off.",
    )
    @click.option(
        "--state",
        "state_file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Keeps what this wearer taught: loaded where it is there, saved every minute and at the end.",
    )
    @click.option("--every", type=click.IntRange(min=1), default=1, help="Show one decision of so many.")
    @click.option(
        "--model",
        type=click.Choice(["int8", "int8_float_io", "float32"]),
        default="int8",
        help="Which of the models.",
    )
    @click.option(
        "--runtime",
        type=click.Choice(["core", "litert"]),
        help="What runs the model.  [default: the C core for int8, LiteRT for the others]",
    )
    @click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
    def command(
        bundle: Path,
        recording: Path | None,
        is_sample: bool,
        open_recording: Callable[[Path], Any],
        live: Live | None,
        drops: tuple[str, ...],
        speed: float,
        enrolment_s: float | None,
        display_s: float,
        state_file: Path | None,
        every: int,
        model: Any,
        runtime: Any,
        as_json: bool,
    ) -> None:
        """Push the raw samples of a recording, or of live sensors, through BUNDLE; print its decisions.

        A line says when, which class with which probability, and what share of each sensor was used; an
        abstention says why. With --display a line also says what a display shows: the likeliest class of the
        probabilities' average over the last seconds, which flickers less. A live session ends with Ctrl-C;
        one over LSL also sends its decisions as markers. With --state a second session of the same wearer
        resumes the enrolment of the first.
        """
        from mmq_bridge.decision.device import Device
        from mmq_bridge.decision.state_file import kept_state

        if [recording is not None, is_sample, live is not None].count(True) != 1:
            raise click.UsageError("name one of --replay RECORDING, --sample, --lsl and --brainflow BOARD.")
        if is_sample and (state_file or enrolment_s is not None):
            raise click.UsageError("--sample: its wearer is enrolled; leave --state and --enrolment out.")
        with host.opening_bundle():
            device = Device.from_bundle(
                bundle, model, enrolment_s=enrolment_s, display_s=display_s, runtime=runtime
            )
        if is_sample:
            recording = _enrolled_sample(device)
        show_as = JsonLines if as_json else TextLines
        try:
            with terminated_in_order(), kept_state(device, state_file) as kept:
                if live:
                    live.run(device, show_as, every, kept.reached)
                elif recording:
                    worn = open_recording(recording)
                    _replay(device, worn, drops, speed, show_as, every, kept.reached)
        except KeyboardInterrupt:
            click.echo("stopped.", err=True)
            sys.exit(130)
        except BrokenPipeError:  # the reader of a pipe went away: nobody is left to tell
            sys.stdout = None  # type: ignore[assignment]
            sys.exit(0)

    return command


def _enrolled_sample(device: Any) -> Path:
    """Load what the sample's wearer taught; return the folder of the recording."""
    from mmq_bridge.recordings import sample

    try:
        device.load_state(sample.STATE)
    except BridgeError as error:
        raise BridgeError(
            "--sample: its wearer was enrolled with the front end of wrist-stress, which is not this"
            " bundle's; name a recording with --replay."
        ) from error
    return sample.FOLDER


def _replay(
    device: Any,
    worn: Any,
    drops: Any,
    speed: float,
    show_as: Any,
    every: int,
    reached: Callable[[float], None],
) -> None:
    """Push a recording through the device; `reached` is told how far it has come."""
    from mmq_bridge.decision.replay import Drop, check_replay, select

    if not math.isfinite(speed):
        raise BridgeError(f"--speed: expected a finite number from 0, got {speed}.")
    wanted = [Drop.parse(text) for text in drops]
    signals = select(device.front_end, worn.signals)
    check_replay(signals, CHUNK_S, wanted)
    device.check_long_enough(signals)
    show = show_as(device, worn)
    show.start()
    reached_s = 0.0
    for index, decision in enumerate(decisions(device, signals, wanted, speed)):
        show.decision(decision, shown=index % every == 0)
        reached_s = decision.time_s
        reached(reached_s)
    device.check_long_enough(signals, reached_s)
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
