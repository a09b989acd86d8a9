# SPDX-License-Identifier: Apache-2.0
"""Time the C core's EEG features against the same features by other libraries, in one run, on one thread.

python benchmarks/features.py --data ../shared/data --results results/feature_speed.json
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click
import numpy as np
from feature_peers import (
    Plan,
    mne_features_energy,
    mne_features_power,
    scipy_batched,
    scipy_stream,
)
from methods.sample_recordings import read_eeglab_sample
from mmq_bridge.core_binding.native import Bridge, extract_tokens
from mmq_bridge.front_end.front_end import FrontEnd
from threadpoolctl import threadpool_limits

from mmq_tf.errors import MMQError
from mmq_tf.metrics.interleaved_timing import Contender, median_row, time_rounds
from mmq_tf.metrics.results_table import ResultRow, ResultsFile, machine_description, write_results
from mmq_tf.recording import Signal
from mmq_tf.version import __version__

TOKEN_S = 2.0
BOTH, POWER = "eeg32-de-psd", "eeg32-psd"
SAME = 1e-3
"""Largest difference in nats that counts as the same feature: float32 filters against float64 ones."""


def load_signal(data: Path) -> Signal:
    """EEGLAB's sample as 32 channels at 128 Hz (its 30 EEG and 2 EOG electrodes), whole windows only."""
    parts = read_eeglab_sample(data / "eeglab_sample").signals
    samples = np.concatenate([parts["eeg"].samples, parts["eog"].samples])
    names = parts["eeg"].channels + parts["eog"].channels
    rate = parts["eeg"].sampling_rate_hz
    whole = int(samples.shape[1] / (rate * TOKEN_S)) * round(rate * TOKEN_S)
    return Signal("eeg", np.ascontiguousarray(samples[:, :whole]), rate, "uV", names)


def core_features(front_end: FrontEnd, signal: Signal) -> np.ndarray:
    """Everything the toolkit does for its training features: float32 ``[2, windows, channels, bands]``."""
    tokens = extract_tokens(front_end, {"eeg": signal})
    return _by_kind(front_end, tokens.features)


def core_stream(front_end: FrontEnd, signal: Signal) -> np.ndarray:
    """Compute the same from 125 ms of samples at a time, as a device delivers them."""
    bridge = Bridge(front_end)
    frames, rate = round(signal.sampling_rate_hz / 8), signal.sampling_rate_hz
    rows = []
    for first in range(0, signal.samples.shape[1], frames):
        bridge.push("eeg", signal.samples[:, first : first + frames], first / rate)
        while (token := bridge.pop_token()) is not None:
            rows.append(token[0])
    return _by_kind(front_end, np.stack(rows))


def _by_kind(front_end: FrontEnd, features: np.ndarray) -> np.ndarray:
    settings = front_end.modalities["eeg"]
    shape = (len(features), len(settings.channels), 2, len(settings.bands))
    return features.reshape(shape).transpose(2, 0, 1, 3)


def contenders(front_end: FrontEnd, signal: Signal) -> list[Contender]:
    """Every way timed; the core comes first."""
    settings = front_end.modalities["eeg"]
    edges = np.array([(band.low_hz, band.high_hz) for band in settings.bands])
    plan = Plan(signal.sampling_rate_hz, edges, settings.baseline_s)
    length = round(TOKEN_S * signal.sampling_rate_hz)
    cut = signal.samples.reshape(len(signal.channels), -1, length).swapaxes(0, 1)
    single, windows = np.ascontiguousarray(cut), np.ascontiguousarray(cut, np.float64)

    def mne_features_both() -> np.ndarray:
        return np.stack([mne_features_energy(plan, windows), mne_features_power(plan, windows)])

    return [
        Contender("core", BOTH, lambda: core_features(front_end, signal)),
        Contender("core-125ms", BOTH, lambda: core_stream(front_end, signal)),
        Contender("scipy", BOTH, lambda: scipy_stream(plan, windows)),
        Contender("scipy-float32", BOTH, lambda: scipy_stream(plan, single, np.float32)),
        Contender("scipy-batched", BOTH, lambda: scipy_batched(plan, windows)),
        Contender("mne-features", BOTH, mne_features_both),
        Contender("mne-features", POWER, lambda: mne_features_power(plan, windows)),
    ]


def check_same(entries: list[Contender]) -> list[str]:
    """Compare every contender's values with the core's; returns what was found, one sentence each.

    Raises
    ------
    MMQError
        When SciPy, which computes the same filters and windows, does not give the core's values.
    """
    ours = entries[0].run().astype(np.float64)
    found = []
    for entry in entries[1:]:
        theirs = entry.run()
        difference = np.abs(theirs - (ours[1] if entry.condition == POWER else ours))
        largest, middle = float(difference.max()), float(np.median(difference))
        if not entry.name.startswith("mne-features") and not largest <= SAME:
            raise MMQError(
                f"{entry.name}: expected the core's features within {SAME} nats, got a difference of"
                f" {largest:.3g}: nothing was timed."
            )
        found.append(
            f"{entry.name} {entry.condition}: differs by {middle:.1e} (median), {largest:.1e} nats (largest)"
        )
    return found


def rows_of(entries: list[Contender], taken: np.ndarray, windows: int) -> list[ResultRow]:
    """Windows a second and, for every other one, the core's speed over it, round by round."""
    rows = []
    for column, entry in enumerate(entries):
        rows.append(median_row(entry, "windows_per_s", windows / taken[:, column]))
    for column, entry in enumerate(entries):
        if not entry.name.startswith("core"):
            rows.append(median_row(entry, "ratio", taken[:, column] / taken[:, 0]))
    return rows


NOTES = (
    "A window: 32 channels x 256 samples (2 s at 128 Hz); differential entropy and log power density in 5"
    " bands. `ratio`: how many windows the core computes while the other computes one. Each number is the"
    " median over interleaved rounds with the middle 95 % of the rounds in brackets, of the process's own"
    " processor time (all its threads; every library was held to one).",
    "core: from samples to tokens through Python (`extract_tokens`), a bridge made anew in each round,"
    " with all quality rules; core-125ms: pushed in 16 frames at a time. scipy: a window at a time with the"
    " filters' states carried on, designs made beforehand (no quality rules); scipy-batched: the whole"
    " recording in one call a band, which no live stream can have.",
    "mne-features: compute_energy_freq_bands (its FIR filters, anew in each window) and"
    " compute_pow_freq_bands (Hamming window), the bare functions in a loop; its documented extract_features"
    " is slower. eeg32-psd: only its power, while the core still computes everything.",
    "antropy (0.2) has neither differential entropy nor band power, nor any other feature of the core; so it"
    " has no row. Of the wrist features no peer here has the same (beats in a running context).",
)


@click.command(help=(__doc__ or "").replace("\n\n", "\n\n\b\n"))
@click.option(
    "--data", type=click.Path(path_type=Path), envvar="MMQ_DATA", default=Path("../shared/data"),
    show_default=True, help="Folder of the real recordings (eeglab_sample inside).",
)  # fmt: skip
@click.option("--rounds", type=click.IntRange(1), default=15, show_default=True, help="Interleaved rounds.")
@click.option(
    "--results", type=click.Path(path_type=Path), help="Also write the table here (.json, .md beside)."
)
def main(data: Path, rounds: int, results: Path | None) -> None:
    """Run the benchmark from the command line."""
    try:
        run(data, rounds, results)
    except MMQError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)


def run(data: Path, rounds: int, results: Path | None) -> None:
    """Check, time, print, and write where asked."""
    signal = load_signal(data)
    names = {"eeg": signal.channels}
    front_end = FrontEnd.wearable({"eeg": signal.sampling_rate_hz}, names, token_s=TOKEN_S, grace_s=0.0)
    windows = int(signal.duration_s / TOKEN_S)
    with threadpool_limits(1):
        entries = contenders(front_end, signal)
        agreement = check_same(entries)
        for line in agreement:
            click.echo(line)
        taken = time_rounds(entries, rounds, lambda text: click.echo(text, err=True))
    table = ResultsFile(
        name=results.stem if results else "feature_speed",
        command=shlex.join(["python", *sys.argv]),
        version=__version__,
        data=f"EEGLAB's sample recording, 1 subject, {windows} windows",
        simulated=False,
        split="none",
        normalisation="none",
        seeds=(),
        machine=machine_description(),
        rows=tuple(rows_of(entries, taken, windows)),
        notes=(*NOTES, "Same values: " + "; ".join(agreement) + "."),
    )
    for row in table.rows:
        click.echo(f"{row.method:15s} {row.condition:13s} {row.metric:14s} {row.mean:12,.1f}")
    if results:
        write_results(results, table)


if __name__ == "__main__":
    main()
