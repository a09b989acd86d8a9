# SPDX-License-Identifier: Apache-2.0
"""What a device says: one decision, and all of a recording's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mmq_bridge.errors import BridgeError

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class Decision:
    """What the device says at the end of one token.

    Attributes
    ----------
    time_s : float
        End of the last token used, in seconds from the recording's start.
    probabilities : dict
        Probability by class by task; empty where the model was not run.
    sensors : dict of str to float
        Share of the window's tokens that were present, per modality.
    abstained : bool
        Whether the probabilities are not to be acted on.
    reason : str or None
        Why it abstained.
    absent : dict of str to tuple of str
        Why the newest token lacks a modality, like ``{"ppg": ("flat",)}``: names of `Reason`; the modalities
        it has are left out.
    not_enrolled : tuple of str
        Modalities of which a token of the window was normalised by the population, since the wearer had not
        shown enough of them yet; front ends from version 3 on.
    shown_probabilities : dict or None
        Average of the probabilities of the last seconds, by class by task, as the device's display filter
        gives it; empty where the model was not run, None without a filter.
    shown : dict of str to str or None
        The likeliest class of each task after the filter; a task whose class is under its threshold then, or
        that has no probabilities, is left out. None without a filter.
    next_sensor : str or None
        Which sensor would help most where it abstains for want of confidence or of sensors, by the bundle's
        table (`mmq-tf export --next-sensor`); simulated on validation people.
    """

    time_s: float
    probabilities: dict[str, dict[str, float]]
    sensors: dict[str, float]
    abstained: bool = False
    reason: str | None = None
    absent: dict[str, tuple[str, ...]] = field(default_factory=dict)
    not_enrolled: tuple[str, ...] = ()
    shown_probabilities: dict[str, dict[str, float]] | None = None
    shown: dict[str, str] | None = None
    next_sensor: str | None = None

    @property
    def classes(self) -> dict[str, str]:
        """The likeliest class of each task; empty where the model was not run."""
        return likeliest(self.probabilities)


def likeliest(probabilities: Mapping[str, Mapping[str, float]]) -> dict[str, str]:
    """Return the likeliest class of each task, the first of equals.

    Examples
    --------
    >>> likeliest({"stress": {"rest": 0.5, "stress": 0.5}})
    {'stress': 'rest'}
    """
    return {task: max(values, key=values.__getitem__) for task, values in probabilities.items()}


class Decisions(list[Decision]):
    """The decisions of one recording, oldest first: a list that can become a table.

    Examples
    --------
    >>> said = Decisions([Decision(5.0, {"stress": {"rest": 0.75, "stress": 0.25}}, {"ppg": 1.0})])
    >>> said[0].classes
    {'stress': 'rest'}
    >>> said.rows()[0]["stress"], said.rows()[0]["p_stress_rest"]
    ('rest', 0.75)
    """

    def rows(self) -> list[dict[str, Any]]:
        """Return one flat row per decision.

        Returns
        -------
        list of dict
            ``time_s``, ``abstained``, ``reason``, ``not_enrolled`` (modalities, with commas); per task its
            likeliest class under the task's name and the probabilities as ``p_TASK_CLASS``; per modality
            ``used_MODALITY``, the share of the window in which it was present. Tasks and probabilities are
            left out where the model was not run. With a display filter also ``shown_TASK``, the class after
            it, None where that is under its threshold.
        """
        return [_row(decision) for decision in self]

    def to_frame(self) -> DataFrame:
        """Return the rows as a pandas data frame; NaN where the model was not run.

        Raises
        ------
        BridgeError
            If pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise BridgeError("to_frame: pandas is not installed; run `pip install pandas`.") from error
        return pandas.DataFrame(self.rows())


def _row(decision: Decision) -> dict[str, Any]:
    row: dict[str, Any] = {
        "time_s": decision.time_s,
        "abstained": decision.abstained,
        "reason": decision.reason,
        "not_enrolled": ", ".join(decision.not_enrolled),
    }
    row |= decision.classes
    for task, values in decision.probabilities.items():
        row |= {f"p_{task}_{name}": value for name, value in values.items()}
    if decision.shown is not None:
        row |= {f"shown_{task}": decision.shown.get(task) for task in decision.probabilities}
    return row | {f"used_{name}": share for name, share in decision.sensors.items()}
