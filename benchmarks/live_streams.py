# SPDX-License-Identifier: Apache-2.0
"""An hour of SIMULATED signal over Lab Streaming Layer on loopback, with sensors that are lost at random.

python benchmarks/live_streams.py BUNDLE --results results/live_streams.json

A process of its own plays the signal; each loss ends a sensor's stream, which later returns under its source
id. The decisions are compared with a replay of the same samples with the same gaps.
"""

from __future__ import annotations

import json
import multiprocessing
import shlex
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import click
import numpy as np
from mmq_bridge.cli.show import decision_line
from mmq_bridge.cli.stream import decisions as replayed
from mmq_bridge.decision.decisions import Decision
from mmq_bridge.decision.device import Device
from mmq_bridge.decision.replay import Drop, select
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.native_output import quiet_native
from mmq_bridge.sources.lsl import LSLSource
from mmq_bridge.sources.lsl_player import RETURN_S, Player
from mmq_bridge.sources.session import LiveSession

from mmq_tf.errors import MMQError
from mmq_tf.metrics.results_table import ResultRow, ResultsFile, machine_description, write_results
from mmq_tf.recording import Recording
from mmq_tf.simulation.simulator.subject import Settings, simulate
from mmq_tf.version import __version__

LOOK_S = 0.05
MEMORY_EVERY_S = 5.0
SETTLED_SHARE = 0.1
"""Of the run before the first memory that counts: buffers fill, libraries load."""


@dataclass
class Heard:
    """What came out of a live session; its decisions go to a file, so that memory is the session's own."""

    lines: IO[str] = field(default_factory=lambda: tempfile.TemporaryFile("w+"))
    memory_mb: list[float] = field(default_factory=list)
    late: int = 0
    losses: int = 0
    cpu_s: float = 0.0

    def write(self, decisions: list[Decision]) -> None:
        """Keep decisions."""
        self.lines.writelines(decision_line(decision, True) + "\n" for decision in decisions)


def draw_losses(modalities: Sequence[str], minutes: float, speed: float, count: int, seed: int) -> list[Drop]:
    """Return losses at random times of random length, one after the other for each sensor.

    The shortest is what an outlet needs to go and to return at this speed.
    """
    rng = np.random.default_rng(seed)
    shortest_s = 2 * RETURN_S * speed
    room_s = minutes * 60.0 / count
    if room_s < 3 * shortest_s:
        raise MMQError(f"--losses: expected at most {minutes * 20 / shortest_s:.0f} in {minutes:g} min.")
    drops = []
    for number in range(count):  # each in a part of its own of the session
        length_s = float(rng.uniform(shortest_s, 2 * shortest_s))
        start_s = number * room_s + float(rng.uniform(0, room_s - length_s))
        drops.append(Drop(str(rng.choice(list(modalities))), round(start_s, 2), round(start_s + length_s, 2)))
    return drops


def play(recording: Recording, names: list[str], speed: float, drops: list[Drop], told: Any) -> None:
    """Play the signals of `names`; tell what was not sent. Runs in a process of its own."""
    signals = {name: recording.signals[name] for name in names}
    player = Player(signals, "benchmark", "mmq-tf-benchmark", True, speed, drops)
    player.wait_for_listener(threading.Event())
    for _ in player.play():
        pass
    told.put(player.gaps)
    time.sleep(2.0)
    player.close()


def listen(device: Device, told: Any) -> tuple[Heard, list[Drop]]:
    """Follow the streams until the player is done; return what was heard, and what was not sent."""
    heard, gaps = Heard(), None

    def tell(text: str) -> None:
        heard.losses += "is lost" in text

    source = LSLSource(device.front_end, tell)
    source.find(60.0)
    session = LiveSession(device, source, tell)
    looked_s, cpu_s = time.monotonic(), time.process_time()
    while gaps is None:
        heard.write(session.step())
        time.sleep(LOOK_S)
        if time.monotonic() - looked_s > MEMORY_EVERY_S:
            looked_s = time.monotonic()
            heard.memory_mb.append(_memory_mb())
        gaps = None if told.empty() else told.get()
    heard.cpu_s = time.process_time() - cpu_s
    heard.write(session.step() + session.finish())
    heard.late = sum(late for _, late in session.counts().values())
    source.close()
    return heard, gaps


def measure(heard: Heard, expected: list[Decision]) -> dict[str, float]:
    """Count what differs between a live session and a replay, and what memory did."""
    heard.lines.seek(0)
    lines = heard.lines.read().splitlines()
    times = [json.loads(line)["time_s"] for line in lines]
    wanted = {decision.time_s: decision_line(decision, True) for decision in expected}
    same = len(set(wanted.values()) & set(lines))
    settled = heard.memory_mb[int(len(heard.memory_mb) * SETTLED_SHARE) :]
    part = max(len(settled) // 4, 1)
    return {
        "decisions": len(expected),
        "missed": len(set(wanted) - set(times)),
        "doubled": len(times) - len(set(times)),
        "as_replayed": same,
        "streams_lost": heard.losses,
        "late_samples": heard.late,
        "cpu_s": heard.cpu_s,
        "memory_first_mb": statistics.median(settled[:part]) if settled else float("nan"),
        "memory_last_mb": statistics.median(settled[-part:]) if settled else float("nan"),
    }


def _memory_mb() -> float:
    """Resident memory of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise MMQError("/proc/self/status: expected VmRSS, which Linux has; run this benchmark there.")


def results_of(
    name: str, numbers: dict[str, float], front_end: FrontEnd, seed: int, notes: tuple[str, ...]
) -> ResultsFile:
    """Return the table by the results contract."""
    normalisation = front_end.normalisation
    return ResultsFile(
        name=name,
        command=shlex.join(["python", "benchmarks/live_streams.py", *sys.argv[1:]]),
        version=__version__,
        data="simulated signal, 1 subject",
        simulated=True,
        split="none",
        normalisation="none" if normalisation is None else normalisation.mode,
        seeds=(seed,),
        machine=machine_description(),
        rows=tuple(
            ResultRow(method="live", condition="lsl-loopback", metric=metric, mean=value, n=1)
            for metric, value in numbers.items()
        ),
        notes=notes,
    )


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--minutes", type=click.FloatRange(7, 240), default=60.0, show_default=True)
@click.option("--speed", type=click.FloatRange(1, 100), default=20.0, show_default=True)
@click.option("--losses", type=click.IntRange(1), default=10, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--results", type=click.Path(path_type=Path), help="Write the table here (.json, with .md).")
def main(bundle: Path, minutes: float, speed: float, losses: int, seed: int, results: Path | None) -> None:
    """Play SIMULATED signal through LSL into BUNDLE and compare its decisions with a replay's."""
    if results is not None and results.suffix != ".json":
        raise MMQError(f"{results}: a results file's name should end in .json.")
    with quiet_native():
        device, again = Device.from_bundle(bundle), Device.from_bundle(bundle)
    recording, _ = simulate(Settings(seed, minutes, device.front_end.modality_names), 0)
    names = list(select(device.front_end, recording.signals))
    drops = draw_losses(names, minutes, speed, losses, seed)
    context = multiprocessing.get_context("spawn")
    told = context.Queue()
    player = context.Process(target=play, args=(recording, names, speed, drops, told), daemon=True)
    player.start()
    heard, gaps = listen(device, told)
    player.join()
    signals = {name: recording.signals[name] for name in names}
    numbers = measure(heard, list(replayed(again, signals, gaps, 0)))
    for metric, value in numbers.items():
        click.echo(f"{metric:>16} {value:g}")
    if results is not None:
        notes = (
            f"{minutes:g} minutes at {speed:g} times real time, {losses} losses drawn with seed {seed}: each "
            "ends the stream of one sensor, which returns under its source id.",
            "as_replayed: decisions equal in every number to a replay of the same samples and gaps.",
            f"memory: resident, of the listening process, medians of the first and the last quarter after "
            f"{SETTLED_SHARE:.0%} of the run; cpu_s: of the same process.",
        )
        write_results(results, results_of(results.stem, numbers, device.front_end, seed, notes))


if __name__ == "__main__":
    main()
