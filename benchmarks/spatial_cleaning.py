# SPDX-License-Identifier: Apache-2.0
"""How close the spatial matrix on the core is to MNE, how much of the blinks goes, how much alpha stays.

python benchmarks/spatial_cleaning.py --data ../shared/data --results results/spatial_cleaning.json
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from mmq_bridge.core_binding.native import extract_tokens
from mmq_bridge.front_end.front_end import FrontEnd

from mmq_tf.cleaning import (
    SpatialFit,
    alpha_power_db,
    blink_amplitude_uv,
    compare_with_mne,
    find_blinks,
    fit_spatial_filter,
    read_eeg,
    to_raw,
)
from mmq_tf.cleaning.blinks import AROUND_BLINK_S
from mmq_tf.cleaning.quality_report import centred_uv
from mmq_tf.metrics.results_table import ResultRow, ResultsFile, machine_description, write_results
from mmq_tf.recording import Signal
from mmq_tf.version import __version__

EOG = ("EOG1", "EOG2")
FRONTAL = ("FPz", "F3", "Fz", "F4")
OCCIPITAL = ("PO7", "PO3", "POz", "PO4", "PO8", "O1", "Oz", "O2")
FITS: dict[str, dict[str, Any]] = {
    "average reference": {"method": "reference"},
    "regression on everything": {"method": "regression", "fit_on": "recording"},
    "regression on blinks": {"method": "regression", "fit_on": "blinks"},
    "ica": {"method": "ica"},
    "ica, T8 interpolated": {"method": "ica", "bads": ("T8",)},
}
NOTES = (
    "blink_amplitude_uv: peak-to-peak of the average blink (mne.preprocessing.find_eog_events on the whole"
    " recording, +-0.5 s), in uV.",
    "alpha_power_db: 8-14 Hz, mean over " + ", ".join(OCCIPITAL) + ", dB against 1 uV^2/Hz.",
    "quiet_deviation_uv: standard deviation of what is further than 0.5 s from any blink, in uV. A regression"
    " can add the EOG's own activity there.",
    "second half: fitted on the first half of the recording, measured on the second.",
    "max_abs_error_uv, max_relative_error: the C core's mmq_spatial (float32) against MNE's own reference,"
    " regression, ICA and interpolation (float64) on the same samples, largest of any sample, in"
    " uV and in standard deviations of the output. Samples reach 535 uV, where float32 steps by 6e-5 uV.",
    "max_feature_error: largest difference of any log feature, bridge with the matrix against bridge"
    " without one on MNE's cleaned signal.",
    "T8 is not bad in this recording; it is named so to have a channel interpolated.",
)


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    envvar="MMQ_DATA",
    default=Path("../shared/data"),
    help="Folder of the real recordings; holds eeglab_sample.",
)
@click.option("--results", type=click.Path(path_type=Path), default=Path("results/spatial_cleaning.json"))
@click.option("--seed", type=int, default=0, help="Of the ICA.")
def main(data: Path, results: Path, seed: int) -> None:
    """Measure and write the table."""
    raw = to_raw(read_eeg(data / "eeglab_sample" / "eeglab_data.set"), EOG)
    table = ResultsFile(
        name=results.stem,
        command=shlex.join(["python", *sys.argv]),
        version=__version__,
        data=f"EEGLAB sample recording, 1 subject, {raw.n_times / raw.info['sfreq']:.0f} s, 30 EEG and 2 EOG",
        simulated=False,
        split="none: fitted and measured on the same recording, except 'second half'",
        normalisation="none",
        seeds=(seed,),
        machine=machine_description(),
        rows=tuple(measure(raw, seed)),
        notes=NOTES,
    )
    for path in write_results(results, table):
        click.echo(path)


def measure(raw: Any, seed: int) -> Iterator[ResultRow]:
    """Yield every number of the table."""
    rate = float(raw.info["sfreq"])
    half = raw.n_times // 2
    peaks = find_blinks(raw)[:, 0] - raw.first_samp
    later = peaks[peaks >= half] - half
    samples = centred_uv(raw)
    yield from effect("recorded", samples, raw.ch_names, rate, peaks, "")
    yield from effect("recorded", samples[:, half:], raw.ch_names, rate, later, ", second half")
    for name, settings in FITS.items():
        fit = fit_spatial_filter(raw, seed=seed, **settings)
        yield from effect(name, fit.execute(samples), fit.outputs, rate, peaks, "")
        first = raw.copy().crop(0, raw.times[half], include_tmax=False)
        early = fit_spatial_filter(first, seed=seed, **settings)
        cleaned = early.execute(samples[:, half:])
        yield from effect(name, cleaned, early.outputs, rate, later, ", second half")
        marked = to_raw(raw, None, settings.get("bads", ()))
        found = compare_with_mne(fit, marked)
        errors = {
            "max_abs_error_uv": found.max_abs_error_uv,
            "max_relative_error": found.max_relative_error,
            "max_feature_error": feature_error(fit, marked, rate),
        }
        for metric, value in errors.items():
            yield ResultRow(method=name, condition="core against MNE", metric=metric, mean=value, n=1)


def effect(
    method: str, samples: np.ndarray, names: Sequence[str], rate: float, peaks: np.ndarray, where: str
) -> Iterator[ResultRow]:
    """Yield blinks, rest and alpha of one cleaned signal, whose blinks are at the samples `peaks`."""
    quiet = np.ones(samples.shape[1], bool)
    for peak in peaks:
        quiet[max(0, round(peak - AROUND_BLINK_S * rate)) : round(peak + AROUND_BLINK_S * rate) + 1] = False
    frontal = samples[[list(names).index(name) for name in FRONTAL]]
    values = {
        "blink_amplitude_uv": blink_amplitude_uv(frontal, rate, peaks),
        "quiet_deviation_uv": frontal[:, quiet].std(axis=1),
    }
    for metric, of_channels in values.items():
        for channel, value in zip(FRONTAL, of_channels, strict=True):
            yield ResultRow(method=method, condition=channel + where, metric=metric, mean=float(value), n=1)
    alpha = alpha_power_db(samples[[list(names).index(name) for name in OCCIPITAL]], rate)
    yield ResultRow(method=method, condition="occipital" + where, metric="alpha_power_db", mean=alpha, n=1)


def feature_error(fit: SpatialFit, raw: Any, rate: float) -> float:
    """Return how far features of the bridge with the matrix are from those of MNE's cleaned signal."""
    samples = centred_uv(raw)
    by_mne = np.ascontiguousarray(fit.by_mne(raw, samples), dtype=np.float32)
    plain = FrontEnd.wearable({"eeg": rate}, {"eeg": fit.outputs}, token_s=2.0)
    pairs = ((fit.front_end(token_s=2.0), samples, fit.inputs), (plain, by_mne, fit.outputs))
    with_matrix, without = (
        extract_tokens(front_end, {"eeg": Signal("eeg", signal, rate, "uV", tuple(names))})
        for front_end, signal, names in pairs
    )
    both = (with_matrix.presence & without.presence)[:, 0]
    return float(np.abs(with_matrix.features[both] - without.features[both]).max())


if __name__ == "__main__":
    main()
