# SPDX-License-Identifier: Apache-2.0
"""`fit_spatial_filter`: a recording in, the one matrix of a front end out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.front_end.settings import SpatialFilter
from mmq_bridge.validation import first_problem
from pydantic import ValidationError

from mmq_tf.cleaning.step_matrices import Step, compose
from mmq_tf.cleaning.steps import Components, interpolate_bads, re_reference, regress_eog, remove_components
from mmq_tf.cleaning.zero_phase import high_passed_for_fitting
from mmq_tf.errors import MMQError
from mmq_tf.mne_bridge.eeg_raw import Fittable, concatenated, to_raw
from mmq_tf.mne_bridge.mne_logging import mne_through_the_log

if TYPE_CHECKING:
    from mne.io import BaseRaw

logger = logging.getLogger(__name__)

METHODS = ("ica", "regression", "reference")
Method = Literal["ica", "regression", "reference"]


@dataclass(frozen=True, eq=False)
class SpatialFit:
    """What was fitted: the matrix, and the MNE steps it stands for.

    Attributes
    ----------
    inputs, outputs : tuple of str
        Channels of the front end's eeg modality, in order (EEG and EOG), and what comes out (EEG).
    sampling_rate_hz : float
        Of the recording it was fitted on. The matrix itself knows no rate.
    matrix : ndarray, shape (outputs, inputs)
        float64; the front end and the core hold it as float32.
    referenced : ndarray, shape (outputs, inputs)
        The re-referencing in it alone: what to compare with.
    offset_uv : ndarray, shape (outputs,)
        Constant MNE adds and the device does not; see `Step`.
    steps : tuple of Step
        In the order they act.
    fitted_s : float
        Seconds of signal it was fitted on.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    sampling_rate_hz: float
    matrix: np.ndarray
    referenced: np.ndarray
    offset_uv: np.ndarray
    steps: tuple[Step, ...]
    fitted_s: float

    @property
    def method(self) -> str:
        """The steps in words, in the order they act."""
        return "; ".join(step.name for step in self.steps)

    @property
    def components(self) -> Components | None:
        """The ICA, where there is one."""
        return next((step for step in self.steps if isinstance(step, Components)), None)

    @property
    def filter(self) -> SpatialFilter:
        """The setting of a front end, its weights rounded to float32 as the device holds them.

        Raises
        ------
        MMQError
            When the front end cannot have it: too many channels, a name with a dot.
        """
        rows = self.matrix.astype(np.float32).astype(np.float64).tolist()
        try:
            return SpatialFilter(
                method=self.method[:200], outputs=self.outputs, matrix=tuple(map(tuple, rows))
            )
        except ValidationError as error:
            reason = first_problem(error).reason
            raise MMQError(f"cleaning: no front end can have this matrix: {reason}.") from error

    def front_end(self, base: FrontEnd | None = None, **settings: Any) -> FrontEnd:
        """Return a front end whose eeg modality has this matrix.

        Parameters
        ----------
        base : FrontEnd, optional
            Whose other modalities and settings are kept; its normalisation and quantisation are dropped,
            since the features change. By default one with eeg alone.
        **settings
            Without `base`: other fields of `FrontEnd`, for example ``token_s``.

        Raises
        ------
        MMQError
            If `base` takes eeg at another rate, or as `filter`.
        BridgeError
            If the front end cannot be, for example for EOG names with a dot.
        """
        eeg = {"channels": self.inputs, "spatial": self.filter.model_dump()}
        if base is None:
            parts = {"eeg": {"sampling_rate_hz": self.sampling_rate_hz, **eeg}}
            return FrontEnd._build({"modalities": parts, **settings}, "front end")
        parts = base.model_dump(exclude={"normalisation", "quantisation"})
        rate = base.modalities["eeg"].sampling_rate_hz if "eeg" in base.modalities else self.sampling_rate_hz
        if not np.isclose(rate, self.sampling_rate_hz):
            raise MMQError(
                f"front end: its eeg comes at {rate:g} Hz; the matrix was fitted at"
                f" {self.sampling_rate_hz:g} Hz: fit it on a recording of the front end's own rate."
            )
        given = parts["modalities"].get("eeg", {"sampling_rate_hz": rate})
        parts["modalities"]["eeg"] = {**given, **eeg}
        return FrontEnd._build(parts, "front end")

    def execute(self, samples: np.ndarray) -> np.ndarray:
        """Send samples through the matrix as the device does: float32, in the C core.

        Parameters
        ----------
        samples : ndarray, shape (inputs, n)

        Returns
        -------
        ndarray, shape (outputs, n)
        """
        from mmq_bridge.core_binding.native import apply_spatial

        return apply_spatial(self.front_end(), "eeg", samples)

    def by_mne(self, raw: BaseRaw, samples_uv: np.ndarray) -> np.ndarray:
        """Send samples through MNE's own steps, in float64.

        Parameters
        ----------
        raw : mne.io.BaseRaw
            Channels, types, bads and positions, as `mmq_tf.cleaning.to_raw` gives them.
        samples_uv : ndarray, shape (inputs, n)

        Returns
        -------
        ndarray, shape (outputs, n)
            In uV.
        """
        import mne

        with mne_through_the_log("MNE's own cleaning"):
            copy = mne.io.RawArray(samples_uv.astype(np.float64) * 1e-6, raw.info.copy())
            for step in self.steps:
                step.apply(copy)
            return np.asarray(copy.get_data(picks=np.array(self.outputs))) * 1e6


def fit_spatial_filter(
    recordings: Fittable | Sequence[Fittable],
    *,
    method: Method = "ica",
    reference: str | Sequence[str] | None = "average",
    eog_channels: Sequence[str] | None = None,
    bads: Sequence[str] = (),
    channels: Sequence[str] | None = None,
    blink_channel: str | None = None,
    fit_on: Literal["blinks", "recording"] = "blinks",
    seed: int = 0,
) -> SpatialFit:
    """Fit reference, removal of eye (and muscle) activity and interpolation, and make one matrix of them.

    Fitted on a zero-phase high-passed copy (1 Hz); the matrix then acts on whatever the front end sends.

    Parameters
    ----------
    recordings : Recording, mne.io.BaseRaw, or several of one kind of cap
        Of training subjects, or the wearer's own calibration; one with blinks in it. Never what is judged.
    method : {"ica", "regression", "reference"}
        ``ica``: see `remove_components`; ``regression``: see `regress_eog`; ``reference``: neither.
    reference : "average", sequence of str, or None
        See `re_reference`; None keeps the reference of the recording.
    eog_channels : sequence of str, optional
        EOG channels: inputs of the matrix, no outputs. By default those the recording calls so.
    bads : sequence of str
        Bad EEG channels, interpolated at the end.
    channels : sequence of str, optional
        EEG channels to take; by default all the recording calls so.
    blink_channel : str, optional
        ica only: the EEG channel that sees blinks best, where there is no EOG.
    fit_on : {"blinks", "recording"}
        regression only.
    seed : int
        ica only.

    Returns
    -------
    SpatialFit

    Raises
    ------
    MMQError
        When a setting or a recording does not allow the fit; the message says what to do.
    """
    if method not in METHODS:
        raise MMQError(f"method must be one of {', '.join(METHODS)}; got {method!r}.")
    given = list(recordings) if isinstance(recordings, Sequence) else [recordings]
    if not given:
        raise MMQError("cleaning: expected at least one recording to fit on; got none.")
    raws = [to_raw(one, eog_channels, bads, channels) for one in given]
    with mne_through_the_log(f"cleaning by {method}"):
        raw = _joined(raws)
        _check_signal(raw)
        fitted = high_passed_for_fitting(raw)
        steps: list[Step] = []
        _append(steps, fitted, re_reference(fitted, reference))
        if method == "regression":
            _append(steps, fitted, regress_eog(fitted, fit_on))
        elif method == "ica":
            components = remove_components(fitted, seed, blink_channel)
            if not components.eog:
                logger.warning("ica: no component looks like an eye; the matrix removes no blinks")
            _append(steps, fitted, components)
        if raw.info["bads"]:
            _append(steps, fitted, interpolate_bads(fitted))
    return _as_fit(raw, fitted, steps)


def _append(steps: list[Step], fitted: BaseRaw, step: Step) -> None:
    """Keep a step, and do to the data what it does, so that the next is fitted on what comes out."""
    steps.append(step)
    step.apply(fitted)


def _as_fit(raw: BaseRaw, fitted: BaseRaw, steps: list[Step]) -> SpatialFit:
    matrix, offset = compose(steps, len(raw.ch_names))
    rows = [index for index, kind in enumerate(fitted.get_channel_types()) if kind == "eeg"]
    return SpatialFit(
        inputs=tuple(raw.ch_names),
        outputs=tuple(raw.ch_names[index] for index in rows),
        sampling_rate_hz=float(raw.info["sfreq"]),
        matrix=matrix[rows],
        referenced=steps[0].matrix[rows],
        offset_uv=offset[rows] * 1e6,
        steps=tuple(steps),
        fitted_s=raw.n_times / float(raw.info["sfreq"]),
    )


def _joined(raws: list[BaseRaw]) -> BaseRaw:
    first = raws[0]
    for number, raw in enumerate(raws[1:], start=2):
        for what, mine, its in (
            ("channels", first.ch_names, raw.ch_names),
            ("channel types", first.get_channel_types(), raw.get_channel_types()),
            ("bad channels", first.info["bads"], raw.info["bads"]),
            ("sampling rate", first.info["sfreq"], raw.info["sfreq"]),
        ):
            if mine != its:
                raise MMQError(
                    f"cleaning: all recordings must have the same {what}; recording {number} has {its}, the"
                    f" first {mine}."
                )
    return concatenated(raws)


def _check_signal(raw: BaseRaw) -> None:
    still = np.ptp(np.asarray(raw.get_data()), axis=1) == 0
    dead = [n for n, its in zip(raw.ch_names, still, strict=True) if its and n not in raw.info["bads"]]
    if dead:
        raise MMQError(f"cleaning: {', '.join(dead)} never changes: name it in bads, or leave it out.")
