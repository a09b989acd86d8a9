# SPDX-License-Identifier: Apache-2.0
"""A bundle on every target: raw samples to decision, by its own front end, network and rules."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmq_bridge.bundle.golden import golden_step_s
from mmq_bridge.bundle.golden_store import load_golden
from mmq_bridge.bundle.reader import read_files
from mmq_bridge.core_binding.decision import Rules
from mmq_bridge.core_binding.network import Network
from mmq_bridge.decision.bundle_files import MODEL_FILES, read_front_end
from mmq_bridge.decision.deciding import core_rules
from mmq_bridge.decision.manifest import Manifest
from mmq_bridge.decision.replay import replay as replay_signals
from mmq_bridge.network.generate import plan_network
from mmq_bridge.network.plan_file import plan_file
from mmq_bridge.network.schedule import Planned
from mmq_bridge.network.source import network_header, network_source
from mmq_bridge.targets.networks import bundle_network
from mmq_bridge.targets.recorded import RECORDED
from mmq_bridge.targets.script import Operation, pushes
from mmq_bridge.targets.vectors import Vector, data_folder

WORN = "stress_predict"
"""The recording that a bundle for a wrist also decides about, where it is."""


@dataclass(frozen=True)
class Deployed:
    """An int8 network and the rules of its decisions, as plain values and as C."""

    planned: Planned
    rules: Rules

    @property
    def network(self) -> Network:
        """The network for the library that Python loads."""
        return Network(plan_file(self.planned))

    @property
    def arena_bytes(self) -> int:
        """Of the network, a multiple of 4."""
        return self.planned.arena_bytes + -self.planned.arena_bytes % 4

    def sources(self, name: str) -> dict[str, str]:
        """Return C files: the network ``mmq_network_NAME``, and ``mmq_rules_NAME`` which `replay.c` takes."""
        network = f"mmq_network_{name}"
        rows = "".join(
            f"    {{{task.classes}u, {task.zero_point}, {_number(task.scale)}, {_number(task.temperature)}, "
            f"{_number(task.min_confidence)}}},\n"
            for task in self.rules.tasks
        )
        given = self.rules.struct
        share = _number(given.min_present_share)
        return {
            f"{network}.h": network_header(self.planned, network),
            f"vector_{name}_network.c": network_source(self.planned, network),
            f"vector_{name}_rules.c": (
                f'#include "vectors.h"\n\nstatic const mmq_task_t tasks[{given.n_tasks}] = {{\n{rows}}};\n\n'
                f"const mmq_rules_t mmq_rules_{name} = "
                f"{{{given.n_tasks}u, {given.every_tokens}u, {share}, tasks}};\n"
            ),
        }


def _number(value: float) -> str:
    text = f"{value:.9g}"
    return f"{text}f" if any(mark in text for mark in ".e") else f"{text}.0f"


def bundle_vectors(folder: Path, data: Path | None = None) -> list[Vector]:
    """Return a bundle's golden samples as a script, and a real recording where there is one that fits.

    Parameters
    ----------
    folder : Path
        Of the bundle.
    data : Path, optional
        Of the real recordings.

    Raises
    ------
    BridgeError
        When it is no bundle, or its network has something that the kernels in C do not know.
    """
    name, manifest = bundle_network(folder).name, Manifest.load(folder)
    files = read_files(folder, manifest)
    tasks = manifest.decision.tasks
    store = load_golden(folder, files, read_front_end(manifest, folder), tasks)
    planned = plan_network(files[MODEL_FILES["int8"]], outputs=list(tasks))
    deployed = Deployed(planned, core_rules(manifest.decision, Network(plan_file(planned)).outputs))
    front_end = store.front_end
    operations = tuple(
        Operation(front_end.modality_names.index(modality), time_s, np.asarray(samples, np.float32))
        for modality, samples, time_s in replay_signals(store.signals, golden_step_s(front_end))
    )
    found = [Vector(name, front_end, operations, True, deployed)]
    place = (data or data_folder()) / RECORDED[WORN].folder
    if place.is_dir():
        plain, signals = RECORDED[WORN].load(place)
        rates = {kind: part.sampling_rate_hz for kind, part in plain.modalities.items()}
        if rates == {kind: part.sampling_rate_hz for kind, part in front_end.modalities.items()}:
            worn = tuple(pushes(front_end, signals, 5))
            found.append(Vector(f"{name}_worn", front_end, worn, False, deployed))
    return found
