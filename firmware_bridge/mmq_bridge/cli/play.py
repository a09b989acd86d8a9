# SPDX-License-Identifier: Apache-2.0
"""`play`: a recording as a fake device."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from mmq_bridge.cli.finite_range import FiniteRange
from mmq_bridge.cli.host import Host, takes_reading
from mmq_bridge.cli.live import tell, until_interrupted

_HELP = """
Play RECORDING as a device would send it, once somebody listens: to `{program} stream BUNDLE --lsl`.

RECORDING is {reads}. Time stamps run at the recording's own pace, however fast it is played.
"""
_EPILOG = """
\b
Examples
  {program} play DIR/S02 --lsl
  {program} play {file} --lsl --speed 20
  {program} play DIR/S02 --lsl --drop ppg@60-120     the stream ends and returns
"""


def play_command(host: Host) -> click.Command:
    """Return the command ``play`` of a program."""
    text = _HELP.format(program=host.program, reads=host.reads)
    epilog = _EPILOG.format(program=host.program, file=host.example_file)

    @click.command(name="play", help=text, epilog=epilog)
    @click.argument("recording", type=click.Path(path_type=Path))
    @takes_reading(host)
    @click.option(
        "--lsl", is_flag=True, required=True, help="As Lab Streaming Layer streams, one per sensor."
    )
    @click.option("--speed", type=FiniteRange(0.1, 1000), default=1.0, help="Times real time.")
    @click.option(
        "--drop", "drops", multiple=True, metavar="SENSOR@FROM-TO", help="Lose a sensor, in s; repeatable."
    )
    def command(
        recording: Path,
        open_recording: Callable[[Path], Any],
        lsl: bool,
        speed: float,
        drops: tuple[str, ...],
    ) -> None:
        from mmq_bridge.decision.replay import Drop
        from mmq_bridge.sources.lsl_player import Player

        lost = [Drop.parse(text) for text in drops]
        worn = open_recording(recording)
        identity = f"mmq-tf-{worn.subject}-{worn.session}"
        player = Player(worn.signals, worn.subject, identity, worn.simulated, speed, lost)
        with until_interrupted() as stop, closing(player):
            mark = "SIMULATED " if worn.simulated else ""
            tell(f"{mark}{worn.subject} ({', '.join(worn.signals)}): waiting for a listener; Ctrl-C ends")
            player.wait_for_listener(stop)
            played_s = 0.0 if stop.is_set() else _play(player, host, worn.duration_s, stop)
            tell(f"played {min(played_s, worn.duration_s):.0f} of {worn.duration_s:.0f} s")

    return command


def _play(player: Any, host: Host, duration_s: float, stop: Any) -> float:
    """Play under the program's progress bar; return up to when."""
    with host.progress("playing", duration_s) as show:
        now_s = 0.0
        for now_s in player.play():
            show(now_s)
            if stop.is_set():
                break
    return now_s
