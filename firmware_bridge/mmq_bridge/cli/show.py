# SPDX-License-Identifier: Apache-2.0
"""How decisions are printed: as JSON for programs, as lines for people."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import click

if TYPE_CHECKING:
    from mmq_bridge.recordings.recording import Trial


class Shown(Protocol):
    """What is shown of a recording, or of a live session."""

    @property
    def subject(self) -> str: ...  # noqa: D102
    @property
    def simulated(self) -> bool: ...  # noqa: D102
    @property
    def trials(self) -> tuple[Trial, ...]: ...  # noqa: D102
    @property
    def started_unix_s(self) -> float | None: ...  # noqa: D102


def decision_line(decision: Any, simulated: bool, started_unix_s: float | None) -> str:
    """Return a decision as one line of JSON; what a display shows is in it where there is a filter.

    Parameters
    ----------
    decision : Decision
    simulated : bool
    started_unix_s : float or None
        When time was 0, in Unix seconds, where that is known: then the line says when the decision was, as
        ``time_unix_s`` and, in UTC, as ``time_utc``; both are null where it is not.
    """
    unix_s = None if started_unix_s is None else round(started_unix_s + decision.time_s, 3)
    utc = None if unix_s is None else datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds")
    found = {
        **asdict(decision),
        "classes": decision.classes,
        "simulated": simulated,
        "time_unix_s": unix_s,
        "time_utc": utc,
    }
    if decision.shown is None:
        del found["shown"], found["shown_probabilities"]
    if decision.next_sensor is None:
        del found["next_sensor"]
    return json.dumps(found)


@dataclass
class JsonLines:
    """One JSON object a decision, nothing else on stdout."""

    device: Any
    recording: Shown

    def start(self) -> None:
        """Print nothing: every line is a decision."""

    def decision(self, decision: Any, shown: bool) -> None:
        """Print one decision."""
        if shown:
            simulated = self.recording.simulated or self.device.manifest.simulated
            click.echo(decision_line(decision, simulated, self.recording.started_unix_s))

    def end(self) -> None:
        """Print nothing."""


class TextLines:
    """Lines for people."""

    def __init__(self, device: Any, recording: Shown) -> None:
        self.device, self.recording = device, recording
        self.made = self.abstained = self.labelled = self.right = self.waited = 0
        self.waiting = False

    def start(self) -> None:
        """Say what is replayed, and mark what is simulated."""
        manifest, recording = self.device.manifest, self.recording
        if recording.simulated or manifest.simulated:
            what = [
                name
                for name, is_so in (("model", manifest.simulated), ("recording", recording.simulated))
                if is_so
            ]
            click.echo(f"SIMULATED ({' and '.join(what)})")
        seen = " (this subject trained the model)" if recording.subject in manifest.train_subjects else ""
        click.echo(
            f"{manifest.name} on {recording.subject}{seen}: sensors "
            f"{', '.join(self.device.front_end.modality_names)}"
        )

    def decision(self, decision: Any, shown: bool) -> None:
        """Count one decision and print it; while the device only waits, one line says so for all."""
        label = self._label(decision)
        waiting = not decision.probabilities and str(decision.reason).startswith(("enrolling", "filling"))
        self._count(decision, label, waiting)
        if (shown or waiting) and not (waiting and self.waiting):
            click.echo(self._line(decision, label))
        self.waiting = waiting

    def end(self) -> None:
        """Print the counts."""
        waited = self.waited * self.device.front_end.token_s
        score = f"; of {self.labelled} with a label {self.right} were right" if self.labelled else ""
        click.echo(
            f"{self.made} decisions, {self.abstained} abstentions after {waited:g} s of waiting{score}"
        )

    def _count(self, decision: Any, label: str | None, waiting: bool) -> None:
        if waiting:
            self.waited += self.device.decision.every_tokens
        elif decision.abstained:
            self.abstained += 1
        else:
            self.made += 1
            self.labelled += label is not None
            self.right += label in decision.classes.values()

    def _label(self, decision: Any) -> str | None:
        """Return the label of the trial the whole window lies in, where there is one."""
        task = next(iter(self.device.decision.tasks))
        start_s = decision.time_s - self.device.front_end.window_s
        for trial in self.recording.trials:
            if trial.start_s <= start_s + 1e-6 and decision.time_s <= trial.stop_s + 1e-6:
                return trial.labels.get(task)
        return None

    def _line(self, decision: Any, label: str | None) -> str:
        when = f"{decision.time_s:7.1f} s"
        sensors = "  ".join(f"{name} {_share(share)}" for name, share in decision.sensors.items())
        parts = [when]
        for task, values in decision.probabilities.items():
            parts.append(f"{task}: " + "  ".join(f"{name} {value:.2f}" for name, value in values.items()))
        if decision.shown_probabilities:
            parts.append(f"shown: {_shown(decision)}")
        parts.append(f"used: {sensors}")
        if decision.not_enrolled:
            parts.append(f"not enrolled: {', '.join(decision.not_enrolled)}")
        if decision.abstained:
            parts.append(f"abstained: {decision.reason}")
        if label is not None:
            parts.append(f"(label {label})")
        return "   ".join(parts)


def _shown(decision: Any) -> str:
    """Return the classes after the display filter with their probabilities, "none" under the threshold."""
    return ", ".join(
        f"{name} {values[name]:.2f}" if (name := decision.shown.get(task)) else "none"
        for task, values in decision.shown_probabilities.items()
    )


def _share(share: float) -> str:
    return "none" if share == 0 else f"{share:.0%}"
