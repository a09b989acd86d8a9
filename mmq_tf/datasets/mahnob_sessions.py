# SPDX-License-Identifier: Apache-2.0
"""The sessions of MAHNOB-HCI: which are emotional clips, whose, in what order, and what was felt.

``Sessions/<id>/`` holds one clip or task of one person: ``session.xml`` and a BDF file whose name says what
was done. ``Part_<p>_S_Trial<k>_emotion.bdf`` is an emotional clip, ``Part_<p>_N_Trial<k>_emotion.bdf`` the
short neutral one before it, ``Part_<p>_Trial<k>_tagging....bdf`` of the other experiment. (Names as in the
list of files of bob.db.hci_tagging, Idiap.)
"""

from __future__ import annotations

import logging
import math
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

from mmq_bridge.recordings.files import existing_folder

from mmq_tf.datasets.formats.files.xml_files import read_xml
from mmq_tf.errors import MMQError

logger = logging.getLogger(__name__)

FILE_NAME = re.compile(r"Part_(\d+)_([SN]_)?Trial(\d+)_(emotion|tagging\w*)\.bdf")
SCALES = {"valence": "feltVlnc", "arousal": "feltArsl", "control": "feltCtrl", "predictability": "feltPred"}
"""Attribute of ``session.xml`` by scale; the first two are what a clip must have."""

NEEDED = ("valence", "arousal")
LOWEST, HIGHEST = 1.0, 9.0


@dataclass(frozen=True)
class MahnobSession:
    """One emotional clip of one person; `trial` counts them in the order of presentation."""

    bdf: Path
    subject: int
    trial: int

    @property
    def xml(self) -> Path:
        """Its description and self-report."""
        return self.bdf.with_name("session.xml")


def find_sessions(folder: Path) -> tuple[list[MahnobSession], Counter[str]]:
    """Find every emotional clip by its BDF file's name.

    Parameters
    ----------
    folder : Path
        Holds ``Sessions/``.

    Returns
    -------
    sessions : list of MahnobSession
    others : Counter
        How many other sessions there are, by why they are left out.

    Raises
    ------
    MMQError
        If there is no folder ``Sessions``, or one session has BDF files of two clips.
    """
    root = existing_folder(folder / "Sessions", "the sessions of MAHNOB-HCI")
    sessions: list[MahnobSession] = []
    others: Counter[str] = Counter()
    for place in sorted(path for path in root.iterdir() if path.is_dir()):
        found = [match for path in place.glob("*.bdf") if (match := FILE_NAME.fullmatch(path.name))]
        clips = [match for match in found if match[2] == "S_" and match[4] == "emotion"]
        if len(clips) > 1:
            raise MMQError(f"{place}: expected one BDF file of an emotional clip; found {len(clips)}.")
        if clips:
            sessions.append(MahnobSession(place / clips[0][0], int(clips[0][1]), int(clips[0][3])))
        elif found:
            others["a neutral clip" if found[0][2] else "the tagging experiment"] += 1
        else:
            others["no BDF file"] += 1
            logger.warning("%s is left out: it has no BDF file", place)
    return sessions, others


def usable_sessions(sessions: list[MahnobSession], subject: int) -> list[MahnobSession]:
    """One person's sessions with a self-report, in the order of presentation; others are named in warnings.

    Raises
    ------
    MMQError
        If two are the same trial, or a description is missing, broken or of someone else.
    """
    mine = sorted((each for each in sessions if each.subject == subject), key=lambda each: each.trial)
    for one, other in zip(mine, mine[1:], strict=False):
        if one.trial == other.trial:
            raise MMQError(f"{other.bdf}: {one.bdf.parent.name} is the same trial of the same person.")
    return [session for session in mine if _has_report(session)]


def read_ratings(session: MahnobSession) -> dict[str, float]:
    """Read a clip's self-report.

    Returns
    -------
    dict of str to float
        The scales of `SCALES` that there are, 1 to 9; and ``emotion``, the number of the emotional keyword,
        where it is one (0 neutral, 1 anger, 2 disgust, 3 fear, 4 joy, 5 sadness, 6 surprise, 11 amusement, 12
        anxiety).

    Raises
    ------
    MMQError
        If a rating is no number from 1 to 9.
    """
    described = _described(session)
    ratings = {}
    for scale, name in SCALES.items():
        text = described.get(name, "").strip()
        if not text:
            continue
        rating = _number(text)
        if rating is None or not LOWEST <= rating <= HIGHEST:
            raise MMQError(f"{session.xml}: {name} must be a number from 1 to 9; got {text[:40]!r}.")
        ratings[scale] = rating
    emotion = _number(described.get("feltEmo", ""))
    return ratings if emotion is None else {**ratings, "emotion": emotion}


def read_stimulus(session: MahnobSession) -> str:
    """Name of the clip that was shown (the file's ``mediaFile``); empty where it is not said."""
    return _described(session).get("mediaFile", "").strip()


def _has_report(session: MahnobSession) -> bool:
    described = _described(session)
    missing = [SCALES[scale] for scale in NEEDED if not described.get(SCALES[scale], "").strip()]
    if missing:
        logger.warning("%s is left out: it has no %s", session.xml, " and no ".join(missing))
    return not missing


def _described(session: MahnobSession) -> Element:
    """Root of the session's description, which must name the same person as the BDF file."""
    root = read_xml(session.xml)
    named = root.find("subject")
    identity = "" if named is None else named.get("id", "")
    if identity.strip() != str(session.subject):
        raise MMQError(
            f"{session.xml}: expected subject id {session.subject}, as in {session.bdf.name};"
            f" got {identity[:40]!r}."
        )
    return root


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
