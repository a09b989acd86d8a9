# SPDX-License-Identifier: Apache-2.0
"""What the core may cost on a microcontroller: the budgets and how they are judged, in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mmq_bridge.errors import BridgeError
from mmq_bridge.targets.cost import ScenarioCost
from mmq_bridge.targets.flash import WINDOWS, Flash
from mmq_bridge.targets.scenarios import WRIST_LOOK_BACK

LEVELS = ("-Os", "-O2")
HELD_AT = "-Os"
"""All budgets are held by one and the same build; the other level is shown beside it."""


@dataclass(frozen=True)
class Budget:
    """A limit on a count.

    Attributes
    ----------
    name : str
    what : str
        What is counted, and where.
    limit : int
        The count must stay under it.
    unit : str
        ``instructions`` or ``bytes``.
    """

    name: str
    what: str
    limit: int
    unit: str


EEG_32 = Budget(
    "eeg_32", "32 EEG channels at 128 Hz, DE and PSD in 5 bands, a token of 2 s", 1_600_000, "instructions"
)
WRIST = Budget(
    WRIST_LOOK_BACK,
    "wrist set (ppg 64, eda 4, temp 4, acc 32 Hz) with look-back, a second of signal",
    90_000,
    "instructions",
)
LINKED = Budget(
    "windows_text",
    "code and constants that a program links for int8 windows of all nine modalities",
    20 * 1024,
    "bytes",
)
TEXT = Budget(
    "core_text",
    "code and constants of the core, without decision and personal head: also counters and saved state",
    24 * 1024,
    "bytes",
)
HEAD = Budget("head_text", "code of the personal head, optional", 4 * 1024, "bytes")
DECISION = Budget(
    "decision_text",
    "code of the decision: when due, abstention, temperature, personal head's shift, display, step",
    2_560,
    "bytes",
)
STATE = Budget(
    "wrist_state", "memory of the wrist set's bridge with look-back, 12 tokens a window", 14 * 1024, "bytes"
)
BUDGETS = (EEG_32, WRIST, LINKED, TEXT, HEAD, DECISION, STATE)


@dataclass(frozen=True)
class Verdict:
    """One budget beside what was measured, by level of optimisation; `kept` judges `HELD_AT`."""

    budget: Budget
    measured: Mapping[str, float]

    @property
    def kept(self) -> bool:
        """Whether the budget is kept."""
        return self.measured[HELD_AT] < self.budget.limit


def judge(costs: Mapping[str, Sequence[ScenarioCost]], flashes: Mapping[str, Flash]) -> list[Verdict]:
    """Hold what was measured against every budget.

    Parameters
    ----------
    costs : mapping of str to sequence of ScenarioCost
        By level; must contain the 32-channel EEG and the wrist set.
    flashes : mapping of str to Flash
        By level.

    Raises
    ------
    BridgeError
        When a budgeted scenario was not measured.
    """
    found: dict[Budget, dict[str, float]] = {budget: {} for budget in BUDGETS}
    for level, measured in costs.items():
        named = {cost.scenario.vector.name: cost for cost in measured}
        for needed in (EEG_32.name, WRIST.name):
            if needed not in named:
                raise BridgeError(f"budgets: expected a measurement of {needed}, got {', '.join(named)}")
        found[EEG_32][level] = named[EEG_32.name].per_token
        found[WRIST][level] = named[WRIST.name].per_second
        found[LINKED][level] = flashes[level].linked[WINDOWS]
        found[TEXT][level] = flashes[level].text
        found[HEAD][level] = flashes[level].head
        found[DECISION][level] = flashes[level].decision
        found[STATE][level] = named[WRIST.name].state_bytes
    return [Verdict(budget, values) for budget, values in found.items()]
