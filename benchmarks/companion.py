# SPDX-License-Identifier: Apache-2.0
"""How fast the companion page replays a recording, what it loads, what memory it takes, and pictures of it.

python benchmarks/companion.py E4_EXPORT --results results/companion.json --pictures docs/companion
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from mmq_bridge.companion.server import ADDRESS, make_server, served_files
from mmq_bridge.decision.bundle_files import NETWORK_FILE
from mmq_bridge.decision.manifest import Manifest
from mmq_bridge.packing.web import WASM, WEB

from mmq_tf import pretrained
from mmq_tf.errors import MMQError
from mmq_tf.metrics.results_table import ResultRow, ResultsFile, machine_description, write_results
from mmq_tf.version import __version__

DRIVER = Path(__file__).parents[1] / "tests" / "mmq_bridge" / "companion" / "drive.mjs"
DESKTOP, TABLET = {"width": 1280, "height": 900}, {"width": 768, "height": 1024}
PHONE = {"width": 390, "height": 844}
COLOURS = 160
Play = Callable[..., Any]
PACKAGE = (
    "src/",
    "core.wasm",
    "bundle/frontend.json",
    "bundle/manifest.json",
    "bundle/mmq_",
    "bundle/personal_",
)
"""What the npm package reads, at the beginning of its address."""


@contextmanager
def chromium(bundle: Path) -> Iterator[Play]:
    """Serve a bundle and yield a function that plays a scenario of the tests' driver in Chromium."""
    node, browser = shutil.which("node"), shutil.which("chromium")
    if node is None or browser is None or not (DRIVER.parent / "node_modules").is_dir():
        raise MMQError(
            "benchmarks/companion.py: node, chromium or playwright-core is missing: make companion"
        )
    with make_server(served_files(bundle), 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def play(scenario: str, **given: Any) -> Any:
            task = {"scenario": scenario, "url": f"http://{ADDRESS}:{server.server_port}/", **given}
            command = [node, str(DRIVER), browser]
            done = subprocess.run(
                command, input=json.dumps(task) + "\n", capture_output=True, text=True, check=True
            )
            answer = json.loads(done.stdout)
            if "failed" in answer:
                raise MMQError(f"benchmarks/companion.py: {scenario}: {answer['failed']}")
            return answer["result"], answer["received"]

        yield play
        server.shutdown()


def measure(play: Play, bundle: Path, recording: Path, rounds: int) -> list[ResultRow]:
    """Replay a recording as fast as it goes, some times; medians, and the least and the most."""
    runs, received = zip(*(play("replay", path=str(recording.resolve())) for _ in range(rounds)), strict=True)
    sent = {one["url"].split("/", 3)[3]: one["bytes"] for one in received[0] if "http" in one["url"]}
    page = [path for part in ("src", "companion") for path in (WEB / part).rglob("*") if path.is_file()]
    measured = {
        "times_real_time": [run["durationS"] / run["wallS"] for run in runs],
        "times_real_time_of_processor": [run["durationS"] / run["busyS"] for run in runs],
        "start_ms": [run["startMs"] for run in runs],
        "heap_growth_kib": [(run["heap"][-1] - min(run["heap"])) / 1024 for run in runs],
        "peak_bytes": [max(run["wasm"]) for run in runs],
    }
    mine = {path: size for path, size in sent.items() if path.startswith(PACKAGE)}
    sizes = {
        "core.wasm": WASM.stat().st_size,
        NETWORK_FILE: (bundle / NETWORK_FILE).stat().st_size,
        "the page's own text": sum(path.stat().st_size for path in page),
        "core.wasm, as sent": sent["core.wasm"],
        f"{NETWORK_FILE}, as sent": sent[f"bundle/{NETWORK_FILE}"],
        "package, network and the bundle's numbers, as sent": sum(mine.values()),
        "all that is sent": sum(sent.values()),
    }
    rows = [_row("companion", metric, values) for metric, values in measured.items()]
    return rows + [_row(name, "bytes", [size]) for name, size in sizes.items()]


def _row(method: str, metric: str, values: list[float]) -> ResultRow:
    low, high = (min(values), max(values)) if len(values) > 1 else (None, None)
    mean = statistics.median(values)
    return ResultRow(
        method=method, condition="chromium", metric=metric, mean=mean, low=low, high=high, n=len(values)
    )


def take_pictures(play: Play, recording: Path, folder: Path) -> None:
    """Write pictures, light and dark: of the recording, and on a phone of the simulated wearer."""
    folder.mkdir(parents=True, exist_ok=True)
    worn = {
        "path": str(recording.resolve()),
        "shown": "3600",
        "switches": [{"atS": 1500, "key": "2"}, {"atS": 2000, "key": "2"}],
        "untilS": 2700,
    }
    simulated = {"path": None, "shown": "600", "switches": [{"atS": 900, "key": "1"}], "untilS": 1000}
    early = {"path": None, "shown": "600", "switches": [{"atS": 100, "key": "1"}], "untilS": 200}
    for scheme in ("light", "dark"):
        for name, viewport, source, view in (
            ("desktop", DESKTOP, worn, "now"),
            ("tablet", TABLET, worn, "now"),
            ("phone", PHONE, simulated, "now"),
            ("phone-history", PHONE, simulated, "history"),
            ("phone-start", PHONE, early, "now"),
        ):
            file = (folder / f"{name}-{scheme}.png").resolve()
            given = {**source, "view": view, "scheme": scheme, "viewport": viewport}
            play("picture", speed="0", file=str(file), **given)
            _make_small(file)


def _make_small(picture: Path) -> None:
    """Write a picture again with a palette: a page has few colours."""
    from PIL import Image

    with Image.open(picture) as opened:
        small = opened.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(picture, optimize=True)


@click.command()
@click.argument("recording", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--results", type=click.Path(path_type=Path), help="Write the table here (.json, with .md).")
@click.option("--pictures", type=click.Path(path_type=Path), help="Write pictures into this folder.")
def main(recording: Path, rounds: int, results: Path | None, pictures: Path | None) -> None:
    """Replay the Empatica E4 export RECORDING through the model that comes with the package."""
    bundle = pretrained.path("wrist-stress")
    with chromium(bundle) as play:
        rows = measure(play, bundle, recording, rounds)
        if pictures is not None:
            take_pictures(play, recording, pictures)
    for row in rows:
        click.echo(f"{row.method}: {row.metric} {row.mean:.6g}")
    if results is not None:
        write_results(results, _results(results.stem, recording, Manifest.load(bundle), rows, rounds))


def _results(
    name: str, recording: Path, manifest: Manifest, rows: list[ResultRow], rounds: int
) -> ResultsFile:
    browser = subprocess.run(["chromium", "--version"], capture_output=True, text=True, check=True).stdout
    return ResultsFile(
        name=name,
        command=shlex.join(["python", "benchmarks/companion.py", *sys.argv[1:]]),
        version=__version__,
        data=f"one E4 export ({recording.name}), model {manifest.name}",
        simulated=manifest.simulated,
        split="none",
        normalisation="enrolment",
        seeds=(),
        machine=f"{machine_description()}; {' '.join(browser.split()[:2])}, no GPU",
        rows=tuple(rows),
        notes=(
            f"Medians of {rounds} replays, least and most in brackets. Each decision runs the network once, "
            "and one that is drawn once more a sensor, to tell what it rested on; the page draws meanwhile.",
            "times_real_time: recording's length over the time from choosing its files to its end; "
            "of_processor: over the processor time of the page's process.",
            "bytes: of files, and as sent (gzip) when the page opens and plays. peak_bytes: the memories of "
            "all WebAssembly modules. heap_growth_kib: JavaScript's heap after "
            "garbage collection, newest minus least of what was seen every 150 decisions; it holds the "
            "decisions, which are kept to be saved.",
            f"The machine's load was {os.getloadavg()[0]:.0f}: alone, what a clock measures is faster.",
        ),
    )


if __name__ == "__main__":
    main()
