# SPDX-License-Identifier: Apache-2.0
"""Replay a subject of Stress-Predict through the shipped model under each fault, and count what it changes.

python benchmarks/replay_under_faults.py --data ../shared/data --results results/replay_under_faults.json
"""

from __future__ import annotations

import itertools
import logging
import os
import shlex
import sys
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import click
from methods.replay_faults import CLEAN, MOMENT_S, SESSION_FAULTS, Arrival, SessionFault, arrivals
from mmq_bridge.decision.decisions import Decision
from mmq_bridge.decision.device import Device
from mmq_bridge.decision.pushing import RATE_TOLERANCE
from mmq_bridge.decision.replay import select
from mmq_bridge.errors import BridgeError, BridgeWarning
from mmq_bridge.front_end.front_end import FrontEnd

from mmq_tf import pretrained
from mmq_tf.datasets import get_dataset
from mmq_tf.errors import MMQError
from mmq_tf.metrics.results_table import ResultRow, ResultsFile, machine_description, write_results
from mmq_tf.recording import Signal
from mmq_tf.version import __version__

BUNDLE = Path(os.environ.get("MMQ_BUNDLE", pretrained.path("wrist-stress")))
SOURCE = "stress_predict"
VERSIONS = (2, 3)
ENOUGH = 0.25
"""Share of the enrolment's tokens that a sensor must have shown, as in version 3."""


@dataclass
class Replayed:
    """What devices said of a session.

    Attributes
    ----------
    said : dict of float to Decision
        By the end of its token on the recording's clock.
    unknown : dict of float to frozenset of str
        By the same, sensors of which the device had seen too little of the wearer.
    pushes, late : int
        Packets, and those of which samples were not used.
    """

    said: dict[float, Decision] = field(default_factory=dict)
    unknown: dict[float, frozenset[str]] = field(default_factory=dict)
    pushes: int = 0
    late: int = 0

    def decided(self) -> dict[float, Decision]:
        """Return those to be acted on."""
        return {time_s: decision for time_s, decision in self.said.items() if not decision.abstained}


class Evidence:
    """How many present tokens of each sensor the enrolment of a device had to learn from.

    Parameters
    ----------
    front_end : FrontEnd
        Version 2 learns from its first tokens alone, version 3 from as many as are present.
    """

    def __init__(self, front_end: FrontEnd) -> None:
        self._aim, self._counts = front_end.enrolment_tokens, front_end.counts_evidence
        self._measured = dict.fromkeys(front_end.modality_names, 0)
        self._passed = 0

    def lacking(self, decision: Decision) -> frozenset[str]:
        """Take note of a decision's newest token; return the sensors that have shown too little so far."""
        self._passed += 1
        if self._counts or self._passed <= self._aim:
            for name in self._measured.keys() - decision.absent.keys():
                self._measured[name] += 1
        return frozenset(name for name, seen in self._measured.items() if seen < ENOUGH * self._aim)


def device_of(version: int) -> Device:
    """Open the bundle with a version of the front end: the weights stay the same."""
    shipped = Device.from_bundle(BUNDLE)
    if shipped.front_end.look_back_tokens:
        raise MMQError(
            f"{BUNDLE}: it looks back, which front-end version 2 cannot; name one without look-backs in the "
            "environment variable MMQ_BUNDLE."
        )
    content = shipped.front_end.model_dump(mode="json") | {"frontend_version": version}
    return Device(FrontEnd.model_validate(content), shipped.model, shipped.decision, shipped.manifest)


def replay(version: int, signals: Mapping[str, Signal], fault: SessionFault, seed: int) -> Replayed:
    """Hand a recording over under a fault."""
    out, device = Replayed(), device_of(version)
    evidence = Evidence(device.front_end)
    for began_s, part in _sessions(arrivals(signals, fault, seed), fault):
        if began_s:
            device = _rebooted(device, device_of(version), fault)
            evidence = evidence if fault.reboot == "state" else Evidence(device.front_end)
        for arrival in part:
            out.pushes += 1
            for decision in _hand_over(device, arrival, began_s, fault):
                time_s = decision.time_s + began_s
                time_s -= fault.pause_s if time_s > MOMENT_S + fault.pause_s else 0.0
                out.said[time_s], out.unknown[time_s] = decision, evidence.lacking(decision)
        out.late += sum(device.late_pushes.values())
    return out


def _sessions(came: Iterator[Arrival], fault: SessionFault) -> Iterator[tuple[float, Iterator[Arrival]]]:
    """Split at a reboot: when a session began, and what arrives in it."""
    after = (lambda arrival: arrival.time_s >= MOMENT_S) if fault.reboot else (lambda arrival: False)
    for rebooted, part in itertools.groupby(came, after):
        yield MOMENT_S if rebooted else 0.0, part


def _hand_over(device: Device, arrival: Arrival, began_s: float, fault: SessionFault) -> list[Decision]:
    if fault.counted:
        return device.push_counted(arrival.modality, arrival.samples, arrival.index)
    return device.push(arrival.modality, arrival.samples, arrival.time_s - began_s)


def _rebooted(old: Device, new: Device, fault: SessionFault) -> Device:
    """Begin anew, with what the old one saved or without."""
    if fault.reboot == "state":
        with tempfile.TemporaryDirectory() as folder:
            old.save_state(Path(folder) / "wearer.state")
            new.load_state(Path(folder) / "wearer.state")
    return new


def measures(clean: Replayed, found: Replayed, spoiled: set[str]) -> dict[str, float]:
    """Compare a session with the same version's without a fault.

    Parameters
    ----------
    clean, found : Replayed
    spoiled : set of str
        Sensors that do not measure what they should.
    """
    usual, decided = clean.decided(), found.decided()
    absent = [decision.absent for decision in found.said.values()]
    names = next(iter(clean.said.values())).sensors.keys()
    return {
        "decisions": len(decided),
        "decisions_changed": _share(usual[t].classes != decided[t].classes for t in usual.keys() & decided),
        "decisions_missing": _share(t not in decided for t in usual),
        "false_ok": _share(bool(_unsaid(d, found.unknown[t], spoiled)) for t, d in decided.items()),
        "absent_tokens": _share(name in token for token in absent for name in names),
        "absent_ppg": _share("ppg" in token for token in absent),
        "late_pushes": found.late / found.pushes,
    }


def _unsaid(decision: Decision, unknown: frozenset[str], spoiled: set[str]) -> set[str]:
    """Return the sensors that a decision uses though it should not, or not without a word."""
    used = {name for name, share in decision.sensors.items() if share}
    newest = decision.sensors.keys() - decision.absent.keys()
    return (newest & spoiled) | (used & unknown - set(decision.not_enrolled))


def _share(found: Iterable[bool]) -> float:
    """Mean, 0 of nothing."""
    values = list(found)
    return sum(values) / len(values) if values else 0.0


def spoiled_by(fault: SessionFault, signals: Mapping[str, Signal]) -> set[str]:
    """Return the sensors that give noise, or another rate than declared by more than the tolerance."""
    off = {
        name for name, rate_hz in fault.rates_hz.items()
        if abs(rate_hz / signals[name].sampling_rate_hz - 1) > RATE_TOLERANCE
    }  # fmt: skip
    return off | ({fault.noise} if fault.noise else set())


NOTES = (
    f"The model of {BUNDLE.name} through Device, packet by packet: ten samples of PPG and motion, a second of"
    " EDA and temperature, in the order they end. version 2 is the model as it was trained; version 3 is"
    " the same weights with frontend_version 3, so its decisions are compared with its own clean replay"
    " and are not judged.",
    "decisions: tokens with a decision to act on. decisions_changed: of those that the clean replay also"
    " made, the share of another class. decisions_missing: of the clean replay's, the share not made."
    " absent_tokens: of all sensors' tokens, the share that is absent; absent_ppg: of PPG's alone."
    " late_pushes: share of the packets of which samples were not used, since they came too late or twice.",
    "false_ok: share of the decisions that rest on what they should not without saying so: their newest"
    " token takes noise, or PPG whose rate is off by over 2 %, for a measurement; or a sensor in their"
    f" window showed under {ENOUGH:.0%} of the enrolment and is not named as not enrolled.",
    "What holds for every version since version 3 came is in both columns: the first push sets the clock's"
    " zero, a day's pause is no error, a state can be saved, packets may be counted.",
    f"Interrupted at {MOMENT_S:g} s. Noise has PPG's mean and deviation; every loss, stamp and noise is the"
    " same for both versions. PPG at another rate is resampled and stamped with its true times.",
)


@click.command(help=(__doc__ or "").replace("\n\n", "\n\n\b\n"))
@click.option(
    "--data", type=click.Path(path_type=Path), envvar="MMQ_DATA", default=Path("../shared/data"),
    show_default=True, help="Folder of the real recordings.",
)  # fmt: skip
@click.option("--subject", default="S05", show_default=True, help="Of Stress-Predict.")
@click.option("--seed", default=0, show_default=True, help="Of noise, losses and stamps.")
@click.option(
    "--results", type=click.Path(path_type=Path), help="Also write the table here (.json, .md beside)."
)
def main(data: Path, subject: str, seed: int, results: Path | None) -> None:
    """Run the benchmark from the command line."""
    logging.getLogger("mmq_tf").setLevel(logging.ERROR)
    try:
        run(data, subject, seed, results)
    except (MMQError, BridgeError) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)


def run(data: Path, subject: str, seed: int, results: Path | None) -> None:
    """Replay every fault with both versions, print, and write where asked."""
    recording = get_dataset(SOURCE).load(data / SOURCE, subject)
    used = select(device_of(VERSIONS[0]).front_end, recording.signals)
    signals = {name: recording.signals[name] for name in used}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BridgeWarning)  # late, or a wrong rate: counted here
        rows = tuple(row for version in VERSIONS for row in _rows(version, signals, seed))
    output = ResultsFile(
        name=results.stem if results else "replay_under_faults",
        command=shlex.join(["python", *sys.argv]),
        version=__version__,
        data=f"{SOURCE} {subject}",
        simulated=False,
        split="none: the model as it is shipped",
        normalisation="enrolment",
        seeds=(seed,),
        machine=machine_description(),
        rows=rows,
        notes=NOTES,
    )
    if results:
        write_results(results, output)


def _rows(version: int, signals: Mapping[str, Signal], seed: int) -> Iterator[ResultRow]:
    """Every number of one version."""
    clean = replay(version, signals, CLEAN, seed)
    for fault in (CLEAN, *SESSION_FAULTS):
        found = clean if fault is CLEAN else replay(version, signals, fault, seed)
        values = measures(clean, found, spoiled_by(fault, signals))
        click.echo(f"version {version} {fault.name:45s}" + "".join(f" {v:8.3f}" for v in values.values()))
        for metric, value in values.items():
            yield ResultRow(
                method=f"version {version}", condition=fault.name, metric=metric, mean=round(value, 4), n=1
            )


if __name__ == "__main__":
    main()
