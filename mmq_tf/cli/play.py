# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf play`: a recording as a fake device."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import click
from mmq_bridge.cli.live import tell, until_interrupted
from rich.progress import Progress

_EPILOG = """
\b
Examples
  mmq-tf play DIR/S02 --lsl
  mmq-tf play session.xdf --lsl --speed 20
  mmq-tf play DIR/S02 --lsl --drop ppg@60-120     the stream ends and returns
"""


@click.command(name="play", epilog=_EPILOG)
@click.argument("recording", type=click.Path(path_type=Path))
@click.option("--lsl", is_flag=True, required=True, help="As Lab Streaming Layer streams, one a sensor.")
@click.option("--speed", type=click.FloatRange(0.1, 1000), default=1.0, help="Times real time.")
@click.option(
    "--drop", "drops", multiple=True, metavar="SENSOR@FROM-TO", help="Lose a sensor, in s; repeatable."
)
def command(recording: Path, lsl: bool, speed: float, drops: tuple[str, ...]) -> None:
    """Play RECORDING as a device would send it, once somebody listens: to `mmq-tf stream BUNDLE --lsl`.

    RECORDING is whatever mmq-tf reads: an E4 export, a recording folder, XDF, a file MNE reads. Time stamps
    run at the recording's own pace, however fast it is played.
    """
    from mmq_bridge.decision.replay import Drop
    from mmq_bridge.sources.lsl_player import Player

    from mmq_tf.datasets import open_recording

    lost = [Drop.parse(text) for text in drops]
    worn = open_recording(recording)
    identity = f"mmq-tf-{worn.subject}-{worn.session}"
    player = Player(worn.signals, worn.subject, identity, worn.simulated, speed, lost)
    with until_interrupted() as stop, closing(player):
        mark = "SIMULATED " if worn.simulated else ""
        tell(f"{mark}{worn.subject} ({', '.join(worn.signals)}): waiting for a listener; Ctrl-C ends")
        player.wait_for_listener(stop)
        played_s = 0.0 if stop.is_set() else _play(player, worn, stop)
        tell(f"played {min(played_s, worn.duration_s):.0f} of {worn.duration_s:.0f} s")


def _play(player: Any, worn: Any, stop: Any) -> float:
    """Play with a progress bar; return up to when."""
    with Progress(transient=True, disable=not sys.stdout.isatty()) as progress:
        bar = progress.add_task("playing", total=worn.duration_s)
        now_s = 0.0
        for now_s in player.play():
            progress.update(bar, completed=now_s)
            if stop.is_set():
                break
    return now_s
