# SPDX-License-Identifier: Apache-2.0
"""`Deciding`: the core's decision around a model, and in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mmq_bridge.core_binding.bridge import Bridge
from mmq_bridge.core_binding.decision import (
    Abstention,
    CDecision,
    Decider,
    Display,
    Rules,
    TaskRules,
    abstention_name,
)
from mmq_bridge.core_binding.network import NetworkPort, Runner
from mmq_bridge.core_binding.next_sensor import NextSensor
from mmq_bridge.core_binding.quality_flags import reason_names
from mmq_bridge.decision.decisions import Decision
from mmq_bridge.decision.manifest import DecisionSettings
from mmq_bridge.decision.model import DecisionModel, NetworkModel
from mmq_bridge.decision.personal import Personal
from mmq_bridge.front_end.front_end import FrontEnd


def core_rules(decision: DecisionSettings, logits: Mapping[str, NetworkPort] | None = None) -> Rules:
    """Return decision settings as the core takes them; tasks in the settings' order.

    Parameters
    ----------
    decision : DecisionSettings
    logits : mapping of str to NetworkPort, optional
        How int8 logits are scaled, by task; without it they are numbers.
    """
    tasks = []
    for task, classes in decision.tasks.items():
        temperature, least = decision.temperature.get(task, 1.0), decision.min_confidence.get(task, 0.0)
        rules = TaskRules(len(classes), temperature, least)
        if logits:
            rules = rules._replace(scale=logits[task].scale, zero_point=logits[task].zero_point)
        tasks.append(rules)
    return Rules(tasks, decision.every_tokens, decision.min_present_share)


class Deciding:
    """A bridge, and the decisions about the tokens that close in it.

    Parameters
    ----------
    front_end : FrontEnd
    model : DecisionModel
        A `NetworkModel` is run by the core, another one by `predict`.
    settings : DecisionSettings
    display_s : float
        Of what is shown with each decision, in s; 0 is off.

    Attributes
    ----------
    bridge : Bridge
        To be fed; then `decisions` has what that completes.
    waiting : str or None
        Why the newest decision had no window yet.
    """

    def __init__(
        self, front_end: FrontEnd, model: DecisionModel, settings: DecisionSettings, display_s: float
    ) -> None:
        self.bridge = Bridge(front_end)
        self.waiting: str | None = None
        self._front_end, self._model, self._settings = front_end, model, settings
        network = model.network if isinstance(model, NetworkModel) else None
        self._runner = Runner(network) if network else None
        rules = core_rules(settings, network.outputs if network else None)
        self._decider = Decider(self.bridge, rules)
        rows = math.ceil(display_s / (front_end.token_s * settings.every_tokens)) + 1
        self._display = Display(rules, display_s, rows) if display_s else None
        self._personal: Personal | None = None
        self._next_sensor = NextSensor(np.array(settings.next_sensor)) if settings.next_sensor else None

    def follow(self, personal: Personal) -> None:
        """Correct decisions by what a wearer marks, from now on."""
        self._decider.follow(personal.head, list(self._settings.tasks).index(personal.task))
        self._personal = personal

    def decisions(self) -> list[Decision]:
        """Return the decisions that are due, oldest first; mostly none."""
        found = []
        while (said := self._next()) is not None:
            if self._personal and said.n_probabilities:
                self._personal.follow(self._time_s(said), self._decider.components, self._decider.logit)
            found.append(self._told(said))
        return found

    def _next(self) -> CDecision | None:
        if self._runner:
            return self._decider.step(self._runner)
        due = self._decider.due()
        if due is not None and due.abstention == Abstention.DECIDED:
            logits = self._model.predict(*self.bridge.window_at(due.number))
            ordered = [np.asarray(logits[task], np.float32) for task in self._settings.tasks]
            self._decider.decide(due, np.concatenate(ordered))
        return due

    def _time_s(self, said: CDecision) -> float:
        return (said.number + 1) * self._front_end.token_s

    def _told(self, said: CDecision) -> Decision:
        """Return a decision of the core with names and sentences, and with what is shown of it."""
        names = self._front_end.modality_names
        reason = self._reason(said)
        self.waiting = reason if said.abstention in (Abstention.ENROLLING, Abstention.FILLING) else None
        absent = {name: reason_names(bits) for name, bits in zip(names, said.reasons, strict=False) if bits}
        told = Decision(
            self._time_s(said),
            self._probabilities(said),
            {name: count / said.tokens for name, count in zip(names, said.present, strict=False)},
            reason is not None,
            reason,
            absent,
            tuple(name for m, name in enumerate(names) if said.not_enrolled >> m & 1),
        )
        helps = self._next_sensor(said) if self._next_sensor else None
        if helps is not None:
            told = replace(told, next_sensor=names[helps])
        return self._shown(told, said)

    def _shown(self, told: Decision, said: CDecision) -> Decision:
        if self._display is None:
            return told
        shown = self._display.show(said)
        tasks = self._settings.tasks.items() if shown.n_probabilities else ()
        best = {
            task: classes[shown.best[t]] for t, (task, classes) in enumerate(tasks) if shown.sure >> t & 1
        }
        return replace(told, shown_probabilities=self._probabilities(shown), shown=best)

    def _probabilities(self, said: CDecision) -> dict[str, dict[str, float]]:
        values = iter(said.probability[: said.n_probabilities])
        tasks: Mapping[str, tuple[str, ...]] = self._settings.tasks if said.n_probabilities else {}
        return {task: {name: next(values) for name in classes} for task, classes in tasks.items()}

    def _reason(self, said: CDecision) -> str | None:
        """Say why a decision abstains, with its numbers."""
        if said.abstention == Abstention.DECIDED:
            return None
        why, details = abstention_name(said.abstention), self._details(said)
        return f"{why} ({details})" if details else why

    def _details(self, said: CDecision) -> str:
        front_end, settings, left = self._front_end, self._settings, said.tokens_left
        if said.abstention == Abstention.ENROLLING and front_end.counts_evidence:
            aim = front_end.enrolment_tokens
            return f"{aim - left} of {aim} tokens measured"
        if said.abstention in (Abstention.ENROLLING, Abstention.FILLING):
            return f"{left * front_end.token_s:g} s left"
        if said.abstention == Abstention.ABSENT:
            share = sum(said.present) / (said.tokens * len(front_end.modality_names))
            return f"{share:.0%} of {settings.min_present_share:.0%} needed"
        if said.abstention == Abstention.UNSURE:
            task, sure = list(settings.tasks)[said.unsure_task], said.confidence[said.unsure_task]
            return f"{task} {sure:.2f} < {settings.min_confidence.get(task, 0.0):.2f}"
        return ""
