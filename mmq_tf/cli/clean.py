# SPDX-License-Identifier: Apache-2.0
"""``mmq-tf clean``: fit the spatial matrix of an EEG front end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from mmq_bridge.front_end.front_end import FrontEnd

if TYPE_CHECKING:
    from mne.io import BaseRaw

    from mmq_tf.cleaning import SpatialFit

_EPILOG = """
\b
Examples
  mmq-tf clean calibration.set --eog EOG1,EOG2 --bads T8 --out frontend.json
  mmq-tf clean calibration.edf --method regression --eog VEOG --out frontend.json
  mmq-tf clean calibration.edf --blink-channel Fp1 --front-end before.json --out frontend.json
  mmq-tf train run.toml --set front_end=frontend.json
"""


def _names(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(name.strip() for name in value.split(",") if name.strip())


@click.command(name="clean", epilog=_EPILOG)
@click.argument("recordings", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Front end to write (.json).")
@click.option(
    "--method",
    type=click.Choice(["ica", "regression", "reference"]),
    default="ica",
    help="ICA without eye and muscle components, regression on EOG, or neither.",
)
@click.option(
    "--reference",
    callback=_names,
    default="average",
    metavar="NAMES",
    help="'average', 'none', or electrodes.",
)
@click.option(
    "--eog", callback=_names, metavar="NAMES", help="EOG channels: inputs of the matrix, not outputs."
)
@click.option("--bads", callback=_names, metavar="NAMES", help="Bad channels, to be interpolated.")
@click.option("--channels", callback=_names, metavar="NAMES", help="EEG channels to take.  [default: all]")
@click.option("--blink-channel", metavar="NAME", help="ica without EOG: the EEG channel that sees blinks.")
@click.option(
    "--fit-on",
    type=click.Choice(["blinks", "recording"]),
    default="blinks",
    help="regression: coefficients from around blinks, or from everything.",
)
@click.option("--front-end", "base", metavar="NAME", help="Front end (.json), preset or TOML to put it into.")
@click.option("--seed", type=int, default=0, help="Of the ICA.")
def command(recordings: tuple[Path, ...], out: Path, base: str | None, **settings: Any) -> None:
    """Fit on RECORDINGS what cleans EEG, and write a front end with it as one matrix.

    RECORDINGS are EEG files (.set, .edf, .bdf, .vhdr, .fif, ...) or recording folders: of training subjects,
    or the wearer's own calibration with some blinks in it. Never what will be judged.

    The device multiplies every sample by the matrix; filters that need the future serve the fit alone.
    """
    from mmq_tf.cleaning import fit_spatial_filter, read_eeg, to_raw
    from mmq_tf.recording import Recording

    start = _base(base)  # before the work: a wrong name should not cost minutes
    given = [read_eeg(path) for path in recordings]
    names = settings.pop("eog"), settings.pop("bads") or (), settings.pop("channels")
    raws = [to_raw(one, *names) for one in given]
    named = settings["reference"]
    settings["reference"] = {("none",): None, ("average",): "average"}.get(named, named)
    fit = fit_spatial_filter(raws, **settings)
    front_end = fit.front_end(start)
    front_end.save(out)
    if any(isinstance(one, Recording) and one.simulated for one in given):
        click.echo("SIMULATED recordings: this matrix fits nobody.")
    _describe(fit, raws[0], settings["blink_channel"], click.echo)
    modality = front_end.modalities["eeg"]
    click.echo(f"{out}: eeg, {len(modality.channels)} channels in, {len(fit.outputs)} out")


def _base(name: str | None) -> FrontEnd | None:
    if name is None:
        return None
    if name.endswith(".json"):
        return FrontEnd.load(name)
    from mmq_tf.config.run_config import load_config

    return load_config(name).front_end


def _describe(fit: SpatialFit, raw: BaseRaw, blink_channel: str | None, say: Callable[[str], object]) -> None:
    """Say what was fitted and what it does to the first recording it was fitted on."""
    from mmq_tf.cleaning import alpha_power_db, blink_amplitude_uv, compare_with_mne, find_blinks
    from mmq_tf.cleaning.quality_report import centred_uv

    say(f"fitted on {fit.fitted_s:.0f} s: {fit.method}")
    if fit.components is not None:
        parts = {"eyes": fit.components.eog, "muscles": fit.components.muscle}
        found = [f"{what} {', '.join(map(str, numbers))}" for what, numbers in parts.items() if numbers]
        say(f"components left out: {'; '.join(found) or 'none'}")
    samples, rate = centred_uv(raw), float(raw.info["sfreq"])
    before, after = fit.referenced.astype(np.float32) @ samples, fit.execute(samples)
    if blink_channel is not None or "eog" in raw.get_channel_types():
        peaks = find_blinks(raw, blink_channel)[:, 0]
        amplitudes = [blink_amplitude_uv(signal, rate, peaks) for signal in (before, after)]
        most = np.argsort(-amplitudes[0])[:3] if len(peaks) else ()
        found = [f"{fit.outputs[i]} {amplitudes[0][i]:.0f} -> {amplitudes[1][i]:.0f} uV" for i in most]
        say(f"{len(peaks)} blinks, on average: {', '.join(found) or 'none to measure'}")
    change = alpha_power_db(after, rate) - alpha_power_db(before, rate)
    say(f"alpha power, mean of the outputs: {change:+.2f} dB against re-referencing alone")
    say(f"the C core against MNE: at most {compare_with_mne(fit, raw).max_abs_error_uv:.1e} uV apart")
