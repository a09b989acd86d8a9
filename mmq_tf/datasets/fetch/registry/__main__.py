# SPDX-License-Identifier: Apache-2.0
"""``python -m mmq_tf.datasets.fetch.registry FOLDER``: pin the files of the copies in FOLDER.

FOLDER holds ``eegmat``, of which the publisher's own ``SHA256SUMS.txt`` is taken once it agrees with every
file there is, and ``stress_predict``, whose licence and sensor files are pinned as they are. Its label file
is a shortened copy (26 of 34 subjects) with LF line ends: the first lines of the published one, which has
CRLF. Those lines are what is pinned. Its README may change and is not data.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mmq_tf.datasets.fetch.registry import Pin, head_digest
from mmq_tf.datasets.formats.digests import file_digest
from mmq_tf.datasets.stress_predict import LABEL_FILE
from mmq_tf.errors import MMQError
from mmq_tf.utils.atomic_files import write_text

HEAD = (
    "# SHA-256, path, and lines where only the file's head is pinned: "
    "python -m mmq_tf.datasets.fetch.registry\n"
)


def pin_eegmat(folder: Path) -> dict[str, Pin]:
    """Return the publisher's digests, if they agree with the files there are."""
    listed = folder / "SHA256SUMS.txt"
    rows = [line.split() for line in listed.read_text("utf-8").splitlines()]
    pins = {path: Pin(sha256) for sha256, path in rows}
    for path, pin in pins.items():
        if (folder / path).exists() and not pin.matches(folder / path):
            raise MMQError(f"{folder / path}: expected the digest that {listed.name} says; it has another.")
    return pins


def pin_stress_predict(folder: Path) -> dict[str, Pin]:
    """Return the digests of the licence, the sensor files and the first lines of the labels."""
    files = [folder / "LICENSE", *(path for path in (folder / "Raw_data").rglob("*") if path.is_file())]
    pins = {path.relative_to(folder).as_posix(): Pin(file_digest(path)) for path in files}
    labels = folder / LABEL_FILE
    lines = labels.read_bytes().count(b"\n")
    return {**pins, LABEL_FILE.as_posix(): Pin(head_digest(labels, lines), lines)}


def registry_text(pins: dict[str, Pin]) -> str:
    """One row a file, by path."""
    rows = (f"{pin.sha256} {path} {pin.lines or ''}".rstrip() for path, pin in sorted(pins.items()))
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    copies, here = Path(sys.argv[1]), Path(__file__).parent
    write_text(here / "eegmat.txt", registry_text(pin_eegmat(copies / "eegmat")))
    write_text(here / "stress_predict.txt", registry_text(pin_stress_predict(copies / "stress_predict")))
