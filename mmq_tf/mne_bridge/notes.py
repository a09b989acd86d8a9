# SPDX-License-Identifier: Apache-2.0
"""What MNE has no place for, kept as JSON in a raw's description, for the way back to a recording."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mmq_tf.recording import Recording

if TYPE_CHECKING:
    from mne.io import BaseRaw

FORMAT = "mmq-recording"


@dataclass(frozen=True)
class Place:
    """Where a signal lies in a raw; kept in the raw's description for the way back.

    `channels` are the recording's names by the raw's. The signal's `samples` begin at `first` of the raw's
    `total`; a raw that was cropped or resampled since has another total.
    """

    channels: dict[str, str]
    unit: str
    start_s: float
    first: int
    samples: int
    total: int = 0


def describe(recording: Recording, places: Mapping[str, Place], total: int) -> str:
    """Write what MNE has no place for."""
    content = {
        "format": FORMAT,
        "note": "SIMULATED: no person was measured." if recording.simulated else "",
        "session": recording.session,
        "source": recording.source,
        "simulated": recording.simulated,
        "signals": {name: {**asdict(place), "total": total} for name, place in places.items()},
    }
    return json.dumps(content)


def described(raw: BaseRaw) -> dict[str, Any]:
    """Read what `describe` wrote; empty for a raw from elsewhere."""
    try:
        content = json.loads(raw.info["description"] or "")
        if content["format"] != FORMAT:
            return {}
        content["signals"] = {name: Place(**place) for name, place in content["signals"].items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
    return content
