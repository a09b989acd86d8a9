# SPDX-License-Identifier: Apache-2.0
"""Golden decisions: what a device decides while the golden samples come in, by the logits of any runtime."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mmq_bridge.bundle.golden import golden_step_s
from mmq_bridge.core_binding.decision import Abstention, CDecision, Decider, Rules
from mmq_bridge.core_binding.native import Bridge, SignalLike
from mmq_bridge.core_binding.network import Network
from mmq_bridge.decision.deciding import core_rules
from mmq_bridge.decision.manifest import DecisionSettings
from mmq_bridge.decision.replay import replay
from mmq_bridge.front_end.front_end import FrontEnd

DECISIONS_FILE = "golden/decisions.npy"


def decision_type(tasks: int, outputs: int) -> np.dtype:
    """Return what `DECISIONS_FILE` holds of a decision: fields of `mmq_decision_t`, little-endian.

    Parameters
    ----------
    tasks, outputs
        Tasks, and the classes of all tasks together.

    Examples
    --------
    >>> decision_type(1, 2).names
    ('number', 'abstention', 'tokens_left', 'best', 'probability')
    """
    return np.dtype(
        [
            ("number", "<i8"),
            ("abstention", "<u4"),
            ("tokens_left", "<u4"),
            ("best", "<u2", (tasks,)),
            ("probability", "<f4", (outputs,)),
        ]
    )


class DueDecisions:
    """The decisions that are due while golden samples are replayed, before a network has run.

    Parameters
    ----------
    front_end
        Of the golden replay.
    signals
        The golden samples.
    rules
        Of int8 logits.

    Attributes
    ----------
    features, presence : np.ndarray
        int8 [n, T, F] and [n, T, M]: the windows on which the network is to be run.
    """

    def __init__(self, front_end: FrontEnd, signals: Mapping[str, SignalLike], rules: Rules) -> None:
        bridge = Bridge(front_end)
        self._decider, self._due = Decider(bridge, rules), list[CDecision]()
        windows: list[tuple[np.ndarray, np.ndarray]] = []
        for modality, samples, time_s in replay(signals, golden_step_s(front_end)):
            bridge.push(modality, samples, time_s)
            while (due := self._decider.due()) is not None:
                self._due.append(due)
                if due.abstention == Abstention.DECIDED:
                    windows.append(bridge.window_i8_at(due.number))
        shapes = (front_end.tokens, front_end.n_features), (front_end.tokens, len(front_end.modality_names))
        self.features, self.presence = (
            np.array([window[part] for window in windows], np.int8).reshape(-1, *shape)
            for part, shape in enumerate(shapes)
        )

    def finish(self, logits: np.ndarray) -> np.ndarray:
        """Return all decisions, `decision_type` [D].

        Parameters
        ----------
        logits
            [n, classes of all tasks] of the windows: int8 as the model codes them, or numbers.
        """
        rules, rows = self._decider.rules, iter(logits)
        found = np.zeros(len(self._due), decision_type(len(rules.tasks), rules.outputs))
        for row, due in zip(found, self._due, strict=True):
            said = CDecision.from_buffer_copy(due)
            if said.abstention == Abstention.DECIDED:
                self._decider.decide(said, next(rows))
            for name in ("number", "abstention", "tokens_left"):
                row[name] = getattr(said, name)
            row["best"] = said.best[: len(rules.tasks)]
            row["probability"] = said.probability[: rules.outputs]
        return found


def network_logits(network: Network, due: DueDecisions) -> np.ndarray:
    """Return the int8 logits [n, classes of all tasks] of a network in C on the windows that are due."""
    rows = [
        np.concatenate(list(network.run({"features": features, "presence": presence}).values()))
        for features, presence in zip(due.features, due.presence, strict=True)
    ]
    return np.array(rows, np.int8).reshape(-1, sum(port.count for port in network.outputs.values()))


def golden_decisions(
    front_end: FrontEnd, signals: Mapping[str, SignalLike], settings: DecisionSettings, plan: bytes
) -> np.ndarray:
    """Return what the core decides of golden samples with a network in C, `decision_type` [D].

    Parameters
    ----------
    front_end
        Of the golden replay.
    signals
        The golden samples.
    settings
        Of the manifest.
    plan
        Of the network (``mmq_network.bin``), whose outputs are in the order of the settings' tasks.
    """
    network = Network(plan)
    due = DueDecisions(front_end, signals, core_rules(settings, network.outputs))
    return due.finish(network_logits(network, due))
