# SPDX-License-Identifier: Apache-2.0
"""The moving picture of README: a SIMULATED wearer in the companion page, whose sensors fall off one by one.

python benchmarks/companion_film.py --out docs/companion/sensors-falling-off.webp
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click
from companion import Play, chromium

from mmq_tf import pretrained

VIEWPORT = {"width": 1280, "height": 1190}
WIDTH = 800
FIRST_S, LAST_S, STEP_S = 680, 1100, 20
"""From when to when in the session, in s, and how much of it lies between two frames."""
FALLS_OFF = {720: "2", 860: "1", 960: "3", 1020: "4"}
"""When a sensor falls off, in s, and the page's key for it: EDA, PPG, temperature, movement."""
FRAME_MS, LAST_MS = 450, 2500
QUALITY = 60


def shots() -> list[dict[str, Any]]:
    """Return when a frame is taken, and which key is pressed before it."""
    return [{"atS": at_s, "key": FALLS_OFF.get(at_s)} for at_s in range(FIRST_S, LAST_S + 1, STEP_S)]


def film(play: Play, out: Path) -> None:
    """Write an animated WebP of the page."""
    from PIL import Image

    with tempfile.TemporaryDirectory() as folder:
        play("film", shown="600", shots=shots(), file=str(Path(folder) / "#.png"), viewport=VIEWPORT)
        frames = []
        for path in sorted(Path(folder).iterdir()):
            with Image.open(path) as shot:
                size = (WIDTH, round(shot.height * WIDTH / shot.width))
                frames.append(shot.convert("RGB").resize(size, Image.Resampling.LANCZOS))
    times = [FRAME_MS] * (len(frames) - 1) + [LAST_MS]
    out.parent.mkdir(parents=True, exist_ok=True)
    first, *others = frames
    first.save(out, save_all=True, append_images=others, duration=times, loop=0, quality=QUALITY, method=6)


@click.command()
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="A .webp file.")
def main(out: Path) -> None:
    """Play the page's simulated wearer through the model that comes with the package, and film it."""
    if out.suffix != ".webp":
        raise click.UsageError(f"--out: expected the name of a .webp file, got {out}.")
    with chromium(pretrained.path("wrist-stress")) as play:
        film(play, out)
    click.echo(f"{out}: {out.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
