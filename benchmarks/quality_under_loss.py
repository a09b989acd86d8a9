# SPDX-License-Identifier: Apache-2.0
"""Inject faults into real recordings, lose packets on the way, and count what the quality rules still find.

python benchmarks/quality_under_loss.py --data ../shared/data --results results/quality_under_loss.json
"""

from __future__ import annotations

import csv
import logging
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import click
import mne
import numpy as np
from methods.fault_trials import Outcome, draw_stretches, judge, run_blocks
from methods.faults import FAULTS, Fault
from methods.lossy_link import LINKS, deliver, packets
from methods.share_table import ShareTable, conclude
from mmq_bridge.core_binding.native import extract_tokens
from mmq_bridge.core_binding.quality_flags import Reason
from mmq_bridge.front_end.front_end import FrontEnd

from mmq_tf.datasets import get_dataset
from mmq_tf.errors import MMQError
from mmq_tf.recording import Signal

VERSIONS = (2, 3)
FAULT_NAMES = {
    "noise-instead": "noise", "railed": "rail", "dead": "flat", "lead-off": "lead-off", "motion": "motion",
}  # fmt: skip
WARM_UP = 2
"""Tokens at the beginning that are not counted as false alarms."""
SKIPPED = {"stress_predict": 13, "eegmat": 10}
"""Thresholds were chosen on so many subjects (the first by name)."""
COGWEAR = "cogwear"
SAMSUNG_HZ = 25.0
PEOPLE = ("8", "0", "6", "9")
"""Of CogWear's pilot, those with the most gaps first."""
SETTINGS = {COGWEAR: {"baseline_s": 0.25}}
"""The Samsung watch gives raw counts that drift by more than a pulse is high."""
LONGEST_S = {"stress_predict": 600.0, "eegmat": 120.0, COGWEAR: 420.0}
TOKEN_S = {"stress_predict": 5.0, "eegmat": 2.0, COGWEAR: 5.0}
KINDS = {"stress_predict": ("ppg", "eda"), "eegmat": ("eeg", "ecg")}


@dataclass(frozen=True)
class Case:
    """One modality of one recording, from second 0."""

    subject: str
    source: str
    signal: Signal

    @property
    def name(self) -> str:
        """For the table."""
        return f"{self.signal.modality} {self.source}"

    def front_end(self, version: int) -> FrontEnd:
        """Everything at its default but what `SETTINGS` has."""
        part = {
            "sampling_rate_hz": self.signal.sampling_rate_hz,
            "channels": self.signal.channels,
            **SETTINGS.get(self.source, {}),
        }
        return FrontEnd.model_validate(
            {
                "frontend_version": version,
                "token_s": TOKEN_S[self.source],
                "tokens": 4,
                "modalities": {self.signal.modality: part},
            }
        )


def cases(data: Path, most: int) -> Iterator[Case]:
    """All that is measured: so many subjects of each data set."""
    for source, kinds in KINDS.items():
        dataset = get_dataset(source)
        for subject in dataset.subjects(data / source)[SKIPPED[source] :][:most]:
            recording = dataset.load(data / source, subject)
            for kind in kinds:
                yield Case(subject, source, beginning(recording.signals[kind], LONGEST_S[source]))
    for person in PEOPLE[:most]:
        for condition in ("baseline", "cognitive_load"):
            path = data / COGWEAR / "pilot" / person / condition / "samsung_bvp.csv"
            if path.is_file():
                yield Case(person, COGWEAR, beginning(read_samsung(path), LONGEST_S[COGWEAR]))


def beginning(signal: Signal, seconds: float) -> Signal:
    """Cut a signal to its first seconds, and let it start at second 0."""
    n = int(seconds * signal.sampling_rate_hz)
    return replace(signal, samples=np.ascontiguousarray(signal.samples[:, :n]), start_s=0.0)


def read_samsung(path: Path) -> Signal:
    """Read a Samsung Watch's green PPG: rows to their places by their stamps, NaN where none came.

    Raises
    ------
    MMQError
        When the file has no such column or no rows.
    """
    with path.open(newline="", encoding="utf-8") as stream:
        head, *rows = list(csv.reader(stream))
    try:
        time = head.index("time")
        table = np.array([[float(row[1 - time]), float(row[time])] for row in rows])
    except (ValueError, IndexError) as error:
        raise MMQError(f"{path}: expected two columns, one named time ({error}).") from error
    if not len(table):
        raise MMQError(f"{path}: has no rows.")
    places = np.round((table[:, 1] - table[:, 1].min()) * SAMSUNG_HZ).astype(int)
    samples = np.full((1, places.max() + 1), np.nan, np.float32)
    samples[0, places] = table[:, 0]
    return Signal("ppg", samples, SAMSUNG_HZ, "a.u.", ("ppg",))


def broken(
    case: Case, fault: Fault | None, stretches: list[tuple[float, float]], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the samples with a fault in some stretches, and where the lead is off."""
    signal, settings = case.signal, case.front_end(2).modalities[case.signal.modality]
    samples, off = signal.samples.copy(), np.zeros(signal.samples.shape[1], bool)
    for start_s, stop_s in stretches if fault else []:
        first, stop = (int(np.ceil(edge * signal.sampling_rate_hz - 1e-6)) for edge in (start_s, stop_s))
        if fault is not None and fault.samples is not None:
            clean = samples[:, first:stop].astype(np.float64)
            samples[:, first:stop] = fault.samples(clean, signal.sampling_rate_hz, settings, rng)
        else:
            off[first:stop] = True
    samples[np.isnan(signal.samples)] = np.nan  # a loss in the file stays one
    return samples, off


def measure(case: Case, table: ShareTable, seed: int) -> None:
    """Measure every fault under every link, and what is absent without a fault."""
    signal, token_s = case.signal, TOKEN_S[case.source]
    stop_s, rate = signal.stop_s, signal.sampling_rate_hz
    rng = np.random.default_rng([seed, *case.subject.encode(), *case.name.encode()])

    def outcomes(
        fault: Fault | None, stretches: list[tuple[float, float]]
    ) -> Iterator[tuple[str, int, Outcome]]:
        samples, off = broken(case, fault, stretches, rng)
        sent = packets(samples, rate, 0.0, off)
        for number, link in enumerate(LINKS):
            arrived = deliver(sent, link, np.random.default_rng([seed, number, *case.subject.encode()]))
            for version in VERSIONS:
                front_end = case.front_end(version)
                yield link.name, version, run_blocks(front_end, signal.modality, arrived, stop_s)

    clean = {(link, version): found for link, version, found in outcomes(None, [])}
    usual = ~clean["no loss", 2].absent
    for (link, version), found in clean.items():
        alarm = np.logical_and(found.absent, found.reasons & Reason.LOST == 0)[usual & after_warm_up(usual)]
        key = (f"version {version}", f"{case.name}, {link}")
        table.add((*key, "false_alarm"), case.subject, alarm)
        table.add((*key, "present"), case.subject, ~found.absent)
    for name, title in FAULT_NAMES.items():
        fault = FAULTS[name]
        stretches = draw_stretches(usual, token_s, rng)
        if signal.modality not in fault.rules or not stretches:
            continue
        for link, version, found in outcomes(fault, stretches):
            verdict = judge(found.absent, found.reasons, stretches, token_s, fault)
            key = (f"version {version}", f"{case.name}, {title}, {link}")
            table.add((*key, "detection"), case.subject, verdict.detected)
            table.add((*key, "held"), case.subject, verdict.held)


def whole_recordings(data: Path, table: ShareTable) -> None:
    """Count what is present in everyone's whole recordings, as they are."""
    for source in KINDS:
        dataset = get_dataset(source)
        for subject in dataset.subjects(data / source):
            for signal in dataset.load(data / source, subject).signals.values():
                case = Case(subject, source, signal)
                found = {v: extract_tokens(case.front_end(v), {signal.modality: signal}) for v in VERSIONS}
                usual = found[2].presence[:, 0]
                for version, stream in found.items():
                    key = (f"version {version}", f"{case.name}, everyone, as it is")
                    table.add((*key, "present"), subject, stream.presence[:, 0])
                    table.add((*key, "false_alarm"), subject, ~stream.presence[usual, 0])


def after_warm_up(tokens: np.ndarray) -> np.ndarray:
    """Mark all but the first few."""
    return np.arange(len(tokens)) >= WARM_UP


NOTES = (
    "Real recordings with injected faults, sent in packets of ten samples (PPG at 64 Hz: 0.16 s, at 25 Hz:"
    " 0.4 s, EDA: 2.5 s, ECG and EEG at 500 Hz: 0.02 s). Some packets are lost, singly or in bursts of five"
    " on average, swapped with the next one, or stamped with jitter; the same ones for both versions.",
    "detection: share of injected stretches (three tokens long) in which the token where it begins or the"
    " next one is absent. held: share of the tokens wholly inside that are absent; 1 less this is how often"
    " a fault passes as a measurement. Tokens that are absent because over a quarter of their samples are"
    " lost count as absent.",
    "false_alarm, without a fault: of the tokens that version 2 calls present when nothing is lost, the share"
    " that is absent for another reason than lost samples; the first two tokens are left out. present: share"
    " of all tokens that is present, the first ones and lost ones counted.",
    "everyone, as it is: the whole recordings of all subjects, nothing lost or broken; false_alarm: of the"
    " tokens that version 2 calls present, the first ones too, the share that is absent.",
    "ppg cogwear: the green PPG of a Samsung watch at 25 Hz with the gaps that are in the files: raw counts"
    " that drift, so `baseline_s` is 0.25.",
    "Version 3 is judged here by its presence alone. Packets out of order and jitter are delivered by their"
    " time stamps: what comes too late is dropped.",
)


@click.command(help=(__doc__ or "").replace("\n\n", "\n\n\b\n"))
@click.option(
    "--data", type=click.Path(path_type=Path), envvar="MMQ_DATA", default=Path("../shared/data"),
    show_default=True, help="Folder of the real recordings.",
)  # fmt: skip
@click.option(
    "--subjects", type=click.IntRange(1), default=3, show_default=True, help="So many of each data set."
)
@click.option("--seed", default=0, show_default=True, help="Of the moments, the noise and the losses.")
@click.option(
    "--results", type=click.Path(path_type=Path), help="Also write the table here (.json, .md beside)."
)
def main(data: Path, subjects: int, seed: int, results: Path | None) -> None:
    """Run the benchmark from the command line."""
    logging.getLogger("mmq_tf").setLevel(logging.ERROR)
    mne.set_log_level("ERROR")
    try:
        run(data, subjects, seed, results)
    except MMQError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)


def run(data: Path, subjects: int, seed: int, results: Path | None) -> None:
    """Measure all cases, print, and write where asked."""
    table, names = ShareTable(), defaultdict(set)
    for case in cases(data, subjects):
        click.echo(f"{case.subject} {case.name}", err=True)
        measure(case, table, seed)
        names[case.source].add(case.subject)
    whole_recordings(data, table)
    conclude(table, "quality_under_loss", names, seed, NOTES, results)


if __name__ == "__main__":
    main()
