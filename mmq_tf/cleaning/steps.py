# SPDX-License-Identifier: Apache-2.0
"""Each cleaning step fitted by MNE and reduced to its matrix.

Every function takes a raw as the step before left it, and leaves it as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mmq_tf.cleaning.blinks import find_blinks
from mmq_tf.cleaning.step_matrices import Step, probe
from mmq_tf.errors import MMQError
from mmq_tf.mne_bridge.eeg_raw import without_position

if TYPE_CHECKING:
    from mne.io import BaseRaw

FEWEST_BLINKS = 5
BLINK_S = 0.5
"""Before and after a blink's peak. A blink lasts 0.1-0.4 s."""
FEWEST_COMPONENTS = 11
"""No z-score among n values exceeds (n - 1) / sqrt(n): with fewer none reaches the 3 of `find_bads_eog`."""
MUSCLE_HZ = (7, 45)
"""MNE's range in `find_bads_muscle` (after Dharmaprani et al. 2016); a low sampling rate lowers its end."""


def re_reference(raw: BaseRaw, reference: str | Sequence[str] | None = "average") -> Step:
    """Re-reference the EEG to the common average of its good channels, to named electrodes, or not at all.

    EOG channels keep the reference they were recorded with, as in MNE.

    Parameters
    ----------
    raw : mne.io.BaseRaw
    reference : "average", sequence of str, or None
        Named electrodes are no outputs afterwards: their type becomes ``misc``. None keeps the recording's
        own reference, and tells MNE that it is wanted.

    Raises
    ------
    MMQError
        If an electrode is unknown or bad, or fewer than two good EEG channels are left.
    """
    good = _good_eeg(raw)
    named: list[str] = []
    if reference == "average":
        if len(good) < 2:
            raise MMQError(f"reference: an average needs two good EEG channels at least; got {len(good)}.")
    elif reference is not None:
        named = [reference] if isinstance(reference, str) else list(reference)
        wrong = [name for name in named if name not in good]
        if wrong or not named or len(named) >= len(good):
            raise MMQError(
                "reference: expected 'average' or some of the good EEG channels; got"
                f" {', '.join(wrong or named) or 'nothing'}, of {', '.join(good)}."
            )

    channels: Any = "average" if reference == "average" else named

    def apply(inst: BaseRaw) -> None:
        inst.set_eeg_reference(channels, ch_type="eeg")
        inst.set_channel_types({name: "misc" for name in named}, on_unit_change="ignore")

    name = f"reference {', '.join(named)}" if named else f"{reference or 'its own'} reference"
    return Step(name, *probe(raw, apply), apply)


def regress_eog(raw: BaseRaw, fit_on: Literal["blinks", "recording"] = "blinks") -> Step:
    """Take from each good EEG channel what it shares with the EOG (`mne.preprocessing.EOGRegression`).

    The matrix is ``[I, -coefficients]``. MNE subtracts the EOG *without its mean over the whole recording*;
    that constant is left out here, since the front end takes the mean off before the matrix.

    Parameters
    ----------
    raw : mne.io.BaseRaw
        High-passed and referenced.
    fit_on : {"blinks", "recording"}
        Coefficients from +-0.5 s around each blink (Gratton, Coles & Donchin 1983 fit blinks apart), or from
        everything, so that what EEG and EOG share without an eye moving counts too.

    Raises
    ------
    MMQError
        Without an EOG channel, or with fewer than `FEWEST_BLINKS` blinks to fit on.
    """
    import mne

    if "eog" not in raw.get_channel_types():
        raise MMQError(
            "regression: expected at least one EOG channel: name them in eog_channels, or use ica."
        )
    regression = mne.preprocessing.EOGRegression(picks="eeg", picks_artifact="eog")
    if fit_on == "recording":
        regression.fit(raw)
    else:
        regression.fit(_blink_epochs(raw, find_blinks(raw)))
    eeg = [raw.ch_names.index(name) for name in _good_eeg(raw)]
    eog = [index for index, kind in enumerate(raw.get_channel_types()) if kind == "eog"]
    matrix = np.eye(len(raw.ch_names))
    matrix[np.ix_(eeg, eog)] = -regression.coef_
    name = f"EOG regression on {'blinks' if fit_on == 'blinks' else 'all of the recording'}"
    return Step(name, matrix, np.zeros(len(matrix)), lambda inst: regression.apply(inst, copy=False))


@dataclass(frozen=True, eq=False)
class Components(Step):
    """An ICA's cleaning step, and which components it leaves out.

    Attributes
    ----------
    eog, muscle : tuple of int
        Components found by `find_bads_eog` and `find_bads_muscle`.
    count : int
        Components there are.
    """

    eog: tuple[int, ...] = ()
    muscle: tuple[int, ...] = ()
    count: int = 0


def remove_components(raw: BaseRaw, seed: int = 0, blink_channel: str | None = None) -> Components:
    """Fit an ICA (FastICA) on the good EEG channels and leave out components of eyes and muscles.

    ``y = D V (A S W) V' D^-1 x``: D MNE's pre-whitener (the deviation of all channels), V the principal
    components, W and A unmixing and mixing, S zero at what is left out; principal components beyond the
    ICA's stay. The principal components' mean m makes an offset ``D (I - V A S W V') m``, 0 on centred data.
    The matrix is not rebuilt from these parts but probed from `ICA.apply`, so it is what MNE does.

    Parameters
    ----------
    raw : mne.io.BaseRaw
        High-passed, referenced.
    seed : int
        Of FastICA.
    blink_channel : str, optional
        Where blinks are seen best, when there is no EOG channel; for example ``Fp1``.

    Raises
    ------
    MMQError
        When there are too few channels for the components to be judged, nowhere to see a blink, or over half
        of the components look like eyes or muscles.
    """
    import mne

    good = _good_eeg(raw)
    if len(good) <= FEWEST_COMPONENTS:
        raise MMQError(
            f"ica: expected more than {FEWEST_COMPONENTS} good EEG channels, since among fewer components no"
            f" outlier can be told; got {len(good)}: use regression."
        )
    if blink_channel is None and "eog" not in raw.get_channel_types():
        raise MMQError(
            "ica: expected EOG channels (eog_channels), or an EEG channel that sees blinks (blink_channel)."
        )
    ica = mne.preprocessing.ICA(method="fastica", random_state=seed, max_iter="auto")
    ica.fit(raw, picks=good)
    eog, _ = ica.find_bads_eog(raw, ch_name=blink_channel)
    high: Any = min(MUSCLE_HZ[1], 0.45 * raw.info["sfreq"])
    muscle, _ = ica.find_bads_muscle(raw, l_freq=MUSCLE_HZ[0], h_freq=high)
    ica.exclude = sorted({int(i) for i in (*eog, *muscle)})
    if len(ica.exclude) > ica.n_components_ / 2:
        raise MMQError(
            f"ica: {len(ica.exclude)} of {ica.n_components_} components look like eyes or muscles, which"
            " leaves hardly any brain: record at rest, improve contact, name bad channels, or use regression."
        )

    def apply(inst: BaseRaw) -> None:
        ica.apply(inst)

    return Components(
        f"ICA without {len(ica.exclude)} of {ica.n_components_} components",
        *probe(raw, apply),
        apply,
        eog=tuple(int(i) for i in eog),
        muscle=tuple(int(i) for i in muscle),
        count=int(ica.n_components_),
    )


def interpolate_bads(raw: BaseRaw) -> Step:
    """Replace the bad EEG channels by spherical splines through the good ones (`Raw.interpolate_bads`).

    Perrin et al. 1989 (Electroenceph. clin. Neurophysiol. 72:184-187).

    Raises
    ------
    MMQError
        When the position of an electrode is not known.
    """
    unknown = without_position(raw)
    if unknown:
        raise MMQError(
            f"bads: to interpolate, every electrode's position must be known; {', '.join(unknown)} has none:"
            " set a montage, or use names of the 10-05 system."
        )
    bads = list(raw.info["bads"])

    def apply(inst: BaseRaw) -> None:
        inst.info["bads"] = bads
        inst.interpolate_bads(reset_bads=True, method={"eeg": "spline"})

    return Step(f"{', '.join(bads)} interpolated", *probe(raw, apply), apply)


def _good_eeg(raw: BaseRaw) -> list[str]:
    kinds = zip(raw.ch_names, raw.get_channel_types(), strict=True)
    return [name for name, kind in kinds if kind == "eeg" and name not in raw.info["bads"]]


def _blink_epochs(raw: BaseRaw, events: np.ndarray):
    import mne

    if len(events) < FEWEST_BLINKS:
        raise MMQError(
            f"regression: expected at least {FEWEST_BLINKS} blinks to fit on; found {len(events)}: record"
            " longer, blink on purpose, or fit on 'recording'."
        )
    return mne.Epochs(
        raw, events, tmin=-BLINK_S, tmax=BLINK_S, baseline=None, picks="all", preload=True, on_missing="raise"
    )
