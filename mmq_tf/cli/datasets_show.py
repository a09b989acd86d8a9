# SPDX-License-Identifier: Apache-2.0
"""``mmq-tf datasets show``: a page of a recording, for people who look before they train."""

from __future__ import annotations

import re
from pathlib import Path

import click
from mmq_bridge.recordings.files import check_regular

from mmq_tf.cli._recording import data_option, open_named, repair_option
from mmq_tf.errors import MMQError
from mmq_tf.recording import MAX_DURATION_S

_EPILOG = """
\b
Examples
  mmq-tf datasets show data/stress_predict/Raw_data/S10
  mmq-tf datasets show stress_predict:S10 --data data/stress_predict --out S10.png
  mmq-tf datasets show cap.edf --front-end frontend.json --from 600 --to 660
"""


@click.command(name="show", epilog=_EPILOG)
@click.argument("recording")
@data_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Page to write, .html or .png.  [default: the recording's name and .html, here]",
)
@click.option(
    "--front-end",
    "front_end_file",
    type=click.Path(path_type=Path),
    help="Front end (.json) that judges the samples.  [default: the defaults for these sensors and rates]",
)
@click.option("--from", "from_s", type=float, metavar="S", help="Begin so many seconds into the recording.")
@click.option("--to", "to_s", type=float, metavar="S", help="End there.")
@repair_option
def show(
    recording: str,
    data: Path | None,
    out: Path | None,
    front_end_file: Path | None,
    from_s: float | None,
    to_s: float | None,
    repair: bool,
) -> None:
    """Draw every signal of RECORDING with its trials, the presence of its tokens and why some are absent.

    RECORDING is a file or folder (our own, an E4 export, whatever MNE reads, ...), DIR:SUBJECT of a folder
    with an mmq-tf.toml, or DATASET:SUBJECT.
    """
    for option, value in (("--from", from_s), ("--to", to_s)):
        if value is not None and not 0 <= value <= MAX_DURATION_S:
            raise MMQError(f"{option}: expected seconds from 0 to {MAX_DURATION_S:g}; got {value:g}.")
    if (path := Path(recording)).exists():
        check_regular(path)
    from mmq_tf.reports.pages import check_page_path

    page = out or Path(re.sub(r"[^\w.-]+", "-", _name(recording)) + ".html")
    check_page_path(page)  # before the work: a wrong name should not cost minutes
    worn = open_named(recording, data, repair)
    from mmq_bridge.front_end.front_end import FrontEnd

    from mmq_tf.reports.recording_page.page import summary, write_page
    from mmq_tf.reports.recording_page.view import look_at

    front_end = None if front_end_file is None else FrontEnd.load(front_end_file)
    view = look_at(worn, front_end, from_s, to_s)
    write_page(view, page)
    click.echo(f"{summary(view)}\n{page}")


def _name(recording: str) -> str:
    path = Path(recording)
    return path.resolve().name.split(".")[0] if path.exists() else recording
