# SPDX-License-Identifier: Apache-2.0
"""The page of a recording, for people who look before they train: one HTML file or one picture."""

from __future__ import annotations

import math
import textwrap
from collections import Counter
from pathlib import Path
from typing import Any

from mmq_bridge.front_end.units import shown_unit

from mmq_tf.recording import Trial
from mmq_tf.reports.pages import check_page_path, html_environment
from mmq_tf.reports.recording_page.figures import overview_figure, zoom_figure
from mmq_tf.reports.recording_page.numbers import (
    absences,
    percent,
    sensor_numbers,
    stretches,
    trial_presence,
)
from mmq_tf.reports.recording_page.time_rows import as_png, as_png_uri, clock
from mmq_tf.reports.recording_page.view import RecordingView
from mmq_tf.utils.atomic_files import written_whole

MEANINGS = {
    "lost": "too many samples missing, late or not a number",
    "range": "too many samples outside the sensor's limits",
    "lead_off": "the driver said that a lead is off",
    "saturated": "too many samples at a rail of the converter",
    "flat": "a run of equal samples",
    "step": "a step between neighbouring samples that no body makes",
    "weak": "so little variation that nothing is attached",
    "strong": "so much variation that it is all artefact",
    "kurtosis": "no heart beat stands out (ECG)",
    "band": "too little of the power where pulse or breath lies",
    "irregular": "no pulse that repeats (PPG)",
    "skewed": "pulse waves of the wrong shape (PPG)",
    "unjudged": "too few good samples to judge by",
    "rate": "samples came at another rate than the front end's",
}
"""What each reason of a missing token says, for people; `mmq_bridge.h` has the rules."""

MOST_ABSENCES = 10
LINE_LETTERS = 150
"""What fits on a line of the picture's text."""


def write_page(view: RecordingView, path: Path) -> None:
    """Write what is looked at as a page, whole or not at all.

    Parameters
    ----------
    view : RecordingView
    path : Path
        ``.html``: pictures embedded, numbers beside them, views at full resolution. ``.png``: one picture.

    Raises
    ------
    MMQError
        If the name has another ending or cannot be written.
    """
    check_page_path(path)
    if path.suffix.lower() == ".html":
        content = render_page(view).encode()
    else:
        content = as_png(overview_figure(view, title(view), _about(view), _ratings(view)))
    with written_whole(path) as temporary:
        temporary.write_bytes(content)


def render_page(view: RecordingView) -> str:
    """Render the page as HTML that refers to nothing outside itself."""
    sensors = [_sensor(view, modality) for modality in view.recording.modalities]
    return (
        html_environment()
        .get_template("recording.html.j2")
        .render(
            view=view,
            title=title(view),
            glance=_glance(view),
            overview=as_png_uri(overview_figure(view)),
            sensors=sensors,
            reasons=[name for name in MEANINGS if any(name in sensor["reasons"] for sensor in sensors)],
            meanings=MEANINGS,
            stimuli=any(trial.stimulus for _, trial in view.trials),
            scales=list(dict.fromkeys(scale for _, trial in view.trials for scale in trial.ratings)),
            tasks=list(dict.fromkeys(task for _, trial in view.trials for task in trial.labels)),
            trials=[_trial(view, number, trial) for number, trial in view.trials],
            absences=absences(view)[:MOST_ABSENCES],
            zooms=[zoom for modality in view.judged if (zoom := _zoom(view, modality))],
            clock=clock,
            percent=percent,
        )
    )


def title(view: RecordingView) -> str:
    """Name a recording: who, which session, from where, and whether it is SIMULATED."""
    recording = view.recording
    parts = [recording.subject, f"session {recording.session}", recording.source]
    return " · ".join(["SIMULATED"] * recording.simulated + [part for part in parts if part])


def summary(view: RecordingView) -> str:
    """Say in one line how long it is and how much of each sensor is present."""
    shares = []
    for modality in view.recording.modalities:
        present = sensor_numbers(view, modality).present
        shares.append(f"{modality} {'not judged' if present is None else percent(present)}")
    return f"{title(view)}, {clock(view.to_s - view.from_s)} min:s, tokens present: {', '.join(shares)}"


def _glance(view: RecordingView) -> list[dict[str, str]]:
    """Make the few numbers at the top of the page."""
    looked, whole = view.to_s - view.from_s, view.recording.duration_s
    names = view.recording.modalities
    cards = [
        (
            "looked at",
            clock(looked),
            "min:s, the whole recording" if looked >= whole else f"min:s of {clock(whole)}",
        ),
        ("sensors", str(len(names)), ", ".join(names)),
    ]
    presence = view.judged_presence()
    if presence.size:
        tokens = f"of {len(presence)} tokens of {view.token_s:g} s"
        cards.append(("every sensor present", percent(float(presence.all(axis=1).mean())), tokens))
        cards.append(("no sensor present", percent(float((~presence.any(axis=1)).mean())), tokens))
    classes = Counter("/".join(trial.labels.values()) or "no label" for _, trial in view.trials)
    said = ", ".join(f"{count} {label}" for label, count in classes.most_common(4))
    cards.append(("trials", str(len(view.trials)), said + (", ..." if len(classes) > 4 else "")))
    return [{"what": what, "value": value, "note": note} for what, value, note in cards]


def _sensor(view: RecordingView, modality: str) -> dict[str, Any]:
    """Arrange one signal's numbers as text."""
    numbers = sensor_numbers(view, modality)
    signal = numbers.signal
    return {
        "modality": modality,
        "channels": ", ".join(signal.channels),
        "count": len(signal.channels),
        "rate": f"{signal.sampling_rate_hz:g} Hz",
        "unit": shown_unit(signal.unit),
        "start": clock(numbers.start_s),
        "stop": clock(numbers.stop_s),
        "lost": percent(numbers.lost),
        "values": [_value(v) for v in (numbers.least, numbers.low, numbers.high, numbers.greatest)],
        "present": "–" if numbers.present is None else percent(numbers.present),
        "reasons": {name: percent(share) for name, share in numbers.reasons.items()},
    }


def _value(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.4g}"


def _trial(view: RecordingView, number: int, trial: Trial) -> dict[str, Any]:
    """Arrange one trial's labels, ratings and presence as text."""
    shares = {name: trial_presence(view, trial, name) for name in view.judged}
    return {
        "number": number,
        "start": clock(trial.start_s),
        "stop": clock(trial.stop_s),
        "length": clock(trial.stop_s - trial.start_s),
        "stimulus": trial.stimulus,
        "labels": trial.labels,
        "ratings": {scale: f"{value:.4g}" for scale, value in trial.ratings.items()},
        "present": {name: "–" if math.isnan(share) else percent(share) for name, share in shares.items()},
    }


def _zoom(view: RecordingView, modality: str) -> dict[str, str] | None:
    """Draw a signal's best and worst stretch; None where what is looked at is hardly longer."""
    chosen = stretches(view, modality)
    if not chosen:
        return None
    spans = [f"{clock(start)} to {clock(stop)}, {name}" for name, (start, stop) in chosen.items()]
    image = as_png_uri(zoom_figure(view, modality, chosen))
    return {"modality": modality, "image": image, "caption": f"{modality}: {'; '.join(spans)}."}


def _about(view: RecordingView) -> list[str]:
    """Write the lines under the picture's title."""
    recording = view.recording
    parts = [
        f"{clock(view.from_s)} to {clock(view.to_s)} of {clock(recording.duration_s)} min:s",
        f"{len(view.trials)} trials",
        f"digest {recording.digest[:16] or 'unknown'}",
    ]
    if view.front_end is not None:
        parts.append(f"tokens of {view.token_s:g} s, front end {view.front_end.digest()[:16]}")
    return _lines(" · ".join(parts)) + [line for note in view.notes for line in _lines(note)]


def _ratings(view: RecordingView) -> list[str]:
    """Write the ratings of every trial that has some, for below the picture."""
    rated = [(number, trial) for number, trial in view.trials if trial.ratings]
    texts = (
        f"trial {number}: {', '.join(f'{scale} {value:.3g}' for scale, value in trial.ratings.items())}"
        for number, trial in rated
    )
    return _lines("Ratings of " + ";  ".join(texts) + ".") if rated else []


def _lines(text: str) -> list[str]:
    return textwrap.wrap(text, LINE_LETTERS)
