# SPDX-License-Identifier: Apache-2.0
"""`personalise`: what a wearer marked of a recording corrects the decisions from then on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmq_bridge.cli.host import Host, takes_bundle, takes_reading
from mmq_bridge.cli.stream import decisions
from mmq_bridge.errors import BridgeError

if TYPE_CHECKING:
    from mmq_bridge.decision.device import Device
    from mmq_bridge.decision.personal import Personal

_EPILOG = """
\b
Examples
  {program} personalise bundles/watch --recording DIR/S02 --advise
  {program} personalise bundles/watch --recording DIR/S02 --marks marks.csv --out anna.state
  {program} stream bundles/watch --lsl --state anna.state
"""
_SAME_S = 1e-6


def personalise_command(host: Host) -> click.Command:
    """Return the command ``personalise`` of a program."""

    @click.command(name="personalise", epilog=_EPILOG.format(program=host.program))
    @takes_bundle(host)
    @click.option(
        "--recording",
        required=True,
        type=click.Path(path_type=Path),
        help="What the wearer wore, and marked.",
    )
    @takes_reading(host)
    @click.option(
        "--marks",
        "marks_file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="A table label,start_s,stop_s of stretches of the recording.",
    )
    @click.option(
        "--state",
        "state_file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="What was taught before.",
    )
    @click.option(
        "--out",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Keep what was learned, and the enrolment, for `stream --state`.",
    )
    @click.option("--advise", is_flag=True, help="List the unmarked stretches that would teach most.")
    def command(
        bundle: Path,
        recording: Path,
        open_recording: Callable[[Path], Any],
        marks_file: Path | None,
        state_file: Path | None,
        out: Path | None,
        advise: bool,
    ) -> None:
        """Learn from what a wearer marked of a recording, and say how the decisions of BUNDLE change.

        Mark rest and at least two different stressful stretches, each of some minutes. It helps where the
        stress to come is like the marked one, and less where it is of another kind. Without --state FILE
        `stream` decides as before.
        """
        from mmq_bridge.decision.device import Device
        from mmq_bridge.decision.marks_file import read_marks

        if marks_file is None and not advise:
            raise click.UsageError("name --marks FILE, or --advise for what to mark.")
        marks = read_marks(marks_file) if marks_file else []
        with host.opening_bundle():
            device = Device.from_bundle(bundle)
        if device.personal is None:
            raise BridgeError(f"{bundle}: this bundle has no personal head; train and export it again.")
        if state_file is not None:
            device.load_state(state_file)
        _wear(device, open_recording(recording))
        personal = device.personal
        for mark in marks:
            try:
                personal.mark(mark.label, mark.start_s, mark.stop_s)
            except BridgeError as error:
                raise BridgeError(f"{marks_file}, line {mark.line}: {error}") from error
        if marks:
            _tell_marks(personal)
            _tell_change(personal, device.front_end.window_s)
        if advise:
            _tell_advice(personal)
        if out is not None:
            device.save_state(out)
            click.echo(f"{out}: enrolment and marks, for `{host.program} stream --state {out}`")

    return command


def _wear(device: Device, worn: Any) -> None:
    """Push a recording through the device, and say whose it is."""
    from mmq_bridge.decision.replay import check_replay, select

    signals = select(device.front_end, worn.signals)
    check_replay(signals)
    device.check_long_enough(signals)
    reached_s, made = 0.0, 0
    for decision in decisions(device, signals, [], 0.0):
        reached_s, made = decision.time_s, made + bool(decision.probabilities)
    device.check_long_enough(signals, reached_s)
    manifest: Any = device.manifest
    mark = "SIMULATED " if worn.simulated or manifest.simulated else ""
    click.echo(f"{mark}{manifest.name} on {worn.subject}: {made} decisions up to {reached_s:g} s")


def _tell_marks(personal: Personal) -> None:
    for mark in personal.marks:
        click.echo(f"  {mark.label}  {mark.start_s:g} to {mark.stop_s:g} s: {mark.windows} windows used")
    asked = personal.asks()
    if asked:
        click.echo(asked)


def _tell_change(personal: Personal, window_s: float) -> None:
    """Say of how many decisions the marks are right, without and with them, and how many others change."""
    marked, others = [], []
    for time_s, before, after in personal.before_and_after():
        said = (before > 0.5, after > 0.5)  # of equals a decision names the first
        label = _label(personal, time_s - window_s, time_s)
        (others if label is None else marked).append((label, *said))
    right = [sum(row[place] == row[0] for row in marked) for place in (1, 2)]
    click.echo(
        f"of {len(marked)} decisions inside what is marked {right[0]} were right without the marks, "
        f"{right[1]} with them"
    )
    click.echo(f"of {len(others)} others {_changes(personal.classes, others)}")


def _label(personal: Personal, start_s: float, stop_s: float) -> bool | None:
    """Return whether the mark a window lies in is of the second class; None where it lies in none."""
    for mark in personal.marks:
        if mark.start_s <= start_s + _SAME_S and stop_s <= mark.stop_s + _SAME_S:
            return mark.label == personal.classes[1]
    return None


def _changes(classes: Sequence[str], others: Sequence[tuple[Any, bool, bool]]) -> str:
    to = [sum(after == bool(kind) and before != after for _, before, after in others) for kind in (0, 1)]
    if not sum(to):
        return "none changes"
    return f"{sum(to)} change: {to[1]} to {classes[1]}, {to[0]} to {classes[0]}"


def _tell_advice(personal: Personal) -> None:
    found = personal.advise()
    if not found:
        click.echo("nothing is left to mark")
        return
    click.echo("to mark next, the least decided first:")
    for one in found:
        click.echo(f"  {one.start_s:g} to {one.stop_s:g} s   {personal.classes[1]} {one.probability:.2f}")
