# SPDX-License-Identifier: Apache-2.0
"""What each modality allows, beyond what `ModalityFrontEnd` checks by itself."""

from __future__ import annotations

from mmq_bridge.front_end.feature_names import output_names
from mmq_bridge.front_end.filter_design import designed_for, frames, prefilter_sections
from mmq_bridge.front_end.modalities import BANK_MODALITIES, WAVE_MODALITIES
from mmq_bridge.front_end.settings import NEW_IN_VERSION_2, ModalityFrontEnd

MAX_CONTEXT = 40_000
REGULARITY_S = 4.5
"""Three beats of the slowest pulse, 42 per minute, what the autocorrelation needs."""
SETTLED_S = 10.0
"""A period of the slowest breath: the band filter has not seen one before."""

BEATS, CONTEXTS = ("ecg", "ppg"), ("ecg", "ppg", "eda", "temp", "resp")

_DESIGN_AGAIN = "leave filters out and write the front end again with FrontEnd.with_filters"

_ONLY_FOR: dict[str, tuple[str, ...]] = {
    "notch_hz": WAVE_MODALITIES,
    "spatial": ("eeg",),
    "min_deviation": WAVE_MODALITIES,
    "max_deviation": WAVE_MODALITIES,
    "min_kurtosis": ("ecg",),
    "min_band_share": ("ecg", "ppg", "resp"),
    "min_regularity": ("ppg",),
    "min_skewness": ("ppg",),
    "filters": WAVE_MODALITIES,
}
"""Settings that only some modalities have."""


def check_modality(name: str, modality: ModalityFrontEnd, token_s: float, version: int) -> None:
    """Check one modality's settings against what its kind needs.

    Parameters
    ----------
    name : str
        Modality.
    modality : ModalityFrontEnd
    token_s : float
        Seconds a token covers.
    version : int
        Of the front end.

    Raises
    ------
    ValueError
        One sentence on what does not fit.
    """
    if version == 1:
        _check_version_1(name, modality)
    for key, names in _ONLY_FOR.items():
        if name not in names and getattr(modality, key) != ModalityFrontEnd.model_fields[key].default:
            raise ValueError(f"{key} is only for {', '.join(names)}: leave it out of {name}")
    _check_channels(name, modality)
    _check_bands(name, modality)
    _check_rates(name, modality, token_s)
    if version >= 3:
        _check_judged(name, modality)
    _check_filters(name, modality)


def _check_version_1(name: str, modality: ModalityFrontEnd) -> None:
    for key in NEW_IN_VERSION_2:
        if getattr(modality, key) != ModalityFrontEnd.model_fields[key].default:
            raise ValueError(f"{name} has {key}, which frontend_version 1 does not know: write version 2")
    if name in ("ecg", "ppg", "eda", "temp") and len(modality.channels) != 1:
        raise ValueError(f"{name} needs 1 channel(s) in frontend_version 1, got {len(modality.channels)}")
    if name == "acc" and len(modality.channels) != 3:
        raise ValueError(f"acc needs 3 channel(s) in frontend_version 1, got {len(modality.channels)}")
    if name in ("eda", "temp") and modality.decimate > 1:
        raise ValueError(f"{name} cannot be decimated in frontend_version 1: set decimate to 1")


def _check_channels(name: str, modality: ModalityFrontEnd) -> None:
    if name == "acc" and len(modality.channels) % 3:
        raise ValueError(f"acc needs 3 channel(s) a sensor, got {len(modality.channels)}")
    outputs = output_names(name, modality)
    if len(set(outputs)) != len(outputs):
        raise ValueError(f"{name} sensors must have different names, got {', '.join(outputs)}")


def _check_bands(name: str, modality: ModalityFrontEnd) -> None:
    if name in BANK_MODALITIES and not modality.bands:
        raise ValueError(f"{name} needs at least one band")
    what = {"ecg": "pulse", "ppg": "pulse", "resp": "breath"}.get(name)
    if what and len(modality.bands) != 1:
        raise ValueError(f"{name} needs exactly one band, the {what} band, got {len(modality.bands)}")


def _check_rates(name: str, modality: ModalityFrontEnd, token_s: float) -> None:
    rate = modality.rate_hz
    if modality.decimate > 1 and name == "acc":
        raise ValueError("acc cannot be decimated: set decimate to 1")
    if token_s * rate < 4:
        raise ValueError(f"{name} has under 4 samples a token of {token_s} s: lengthen token_s")
    if name in BEATS and not 25 <= rate <= 300:
        raise ValueError(f"{name} needs 25 to 300 Hz after decimation to find beats, got {rate:g} Hz")
    if name == "resp" and not 2 <= rate <= 100:
        raise ValueError(f"resp needs 2 to 100 Hz after decimation to find breaths, got {rate:g} Hz")
    if modality.min_regularity and modality.context_s < REGULARITY_S:
        raise ValueError(
            f"min_regularity needs {REGULARITY_S} s of context, got {modality.context_s:g} s: set it to 0"
        )
    if name in CONTEXTS and modality.context_s * rate > MAX_CONTEXT:
        raise ValueError(f"{name} keeps over {MAX_CONTEXT} samples of context: shorten context_s or decimate")


def _check_judged(name: str, modality: ModalityFrontEnd) -> None:
    """Refuse what the rules of version 3 would never find enough of to judge by."""
    kept = max(2, frames(modality.context_s, modality.rate_hz))
    if name == "resp" and modality.min_band_share and kept < SETTLED_S * modality.rate_hz:
        raise ValueError(
            f"resp.min_band_share is judged over {SETTLED_S:g} s of context from frontend_version 3 on, but "
            f"{modality.context_s:g} s keep {kept} of {SETTLED_S * modality.rate_hz:.4g} samples, so no "
            "token would be present: lengthen context_s, or set it to 0"
        )


def _check_filters(name: str, modality: ModalityFrontEnd) -> None:
    given = modality.filters
    if given is None:
        return
    for part, rows, expected in (
        ("prefilter", given.prefilter, prefilter_sections(name, modality)),
        ("bank", given.bank, len(modality.bands)),
    ):
        if len(rows) != expected:
            raise ValueError(f"{name}.filters.{part} needs {expected} rows, got {len(rows)}: {_DESIGN_AGAIN}")
    if given.designed_for != designed_for(name, modality):
        raise ValueError(f"{name}.filters were designed for other settings: {_DESIGN_AGAIN}")
