# SPDX-License-Identifier: Apache-2.0
"""Outputs and features of one modality, by name and in the core's order."""

from __future__ import annotations

from mmq_bridge.front_end.feature_layout import LOOK_BACK
from mmq_bridge.front_end.modalities import (
    BAND_FEATURES,
    BANK_MODALITIES,
    OUTPUT_FEATURES,
    QUALITY_FEATURES,
)
from mmq_bridge.front_end.settings import ModalityFrontEnd


def output_names(name: str, modality: ModalityFrontEnd) -> tuple[str, ...]:
    """Name the signals that features are computed from.

    Parameters
    ----------
    name : str
        Modality.
    modality : ModalityFrontEnd
        Its settings.

    Returns
    -------
    tuple of str
        The spatial filter's outputs, else the channels; for acc one per sensor, the first of its three
        channels without a trailing ``x`` or ``_x``.
    """
    if modality.spatial is not None:
        return modality.spatial.outputs
    if name == "acc":
        return tuple(_sensor(channel) for channel in modality.channels[::3])
    return modality.channels


def _sensor(channel: str) -> str:
    return channel.removesuffix("x").removesuffix("_") or channel


def output_features(name: str, modality: ModalityFrontEnd) -> list[str]:
    """List what is computed from one output, such as ``de_alpha`` or ``heart_rate``."""
    bands = modality.bands if name in BANK_MODALITIES else ()
    return [f"{kind}_{band.name}" for kind in BAND_FEATURES for band in bands] + list(OUTPUT_FEATURES[name])


def modality_feature_names(name: str, modality: ModalityFrontEnd) -> list[str]:
    """List the feature names of one modality, in order.

    ``eeg.Fz.de_alpha`` where there is a filter bank; else ``ppg.heart_rate`` with one output and
    ``ppg.<output>.heart_rate`` with several. Extra features come last, as ``ppg.<name>``.
    """
    outputs = output_names(name, modality)
    plain = len(outputs) == 1 and name not in BANK_MODALITIES
    return [
        f"{name}.{feature}" if plain else f"{name}.{output}.{feature}"
        for output in outputs
        for feature in output_features(name, modality)
    ] + [f"{name}.{extra}" for extra in modality.extra_features]


def look_back_bits(name: str, modality: ModalityFrontEnd) -> int:
    """Return which features of one output have look-backs: bit k for the k-th of `output_features`."""
    quality = QUALITY_FEATURES.get(name, ())
    return sum(1 << k for k, feature in enumerate(output_features(name, modality)) if feature not in quality)


def look_back_names(name: str, modality: ModalityFrontEnd) -> list[str]:
    """List the look-backs of one modality, in order, like ``ppg.heart_rate.look_back``.

    Neither features of quality nor extra features have one.
    """
    count = len(output_names(name, modality)) * len(output_features(name, modality))
    bits, each = look_back_bits(name, modality), len(output_features(name, modality))
    names = modality_feature_names(name, modality)[:count]
    return [feature + LOOK_BACK for i, feature in enumerate(names) if bits >> i % each & 1]
