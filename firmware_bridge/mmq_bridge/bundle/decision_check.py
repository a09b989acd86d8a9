# SPDX-License-Identifier: Apache-2.0
"""Whether a bundle decides as at export: by its network in C, and by TFLite Micro's and LiteRT's logits."""

from __future__ import annotations

import numpy as np

from mmq_bridge.bundle.golden_decisions import DECISIONS_FILE, DueDecisions, network_logits
from mmq_bridge.bundle.microcontroller import micro_there
from mmq_bridge.bundle.reader import OpenedBundle
from mmq_bridge.core_binding.network import Network
from mmq_bridge.decision.bundle_files import MODEL_FILES, NETWORK_FILE
from mmq_bridge.decision.deciding import core_rules
from mmq_bridge.errors import BridgeError
from mmq_bridge.tflite.apart import ApartModel


def check_decisions(bundle: OpenedBundle, wanted: np.ndarray) -> str:
    """Decide about the golden samples; say how many decisions are the same by which network.

    Parameters
    ----------
    bundle
        With a plan.
    wanted
        Its golden decisions.

    Raises
    ------
    BridgeError
        When the network in C, or TFLite Micro's logits, lead to a decision with another bit.
    """
    network, store = Network(bundle.files[NETWORK_FILE]), bundle.golden
    due = DueDecisions(store.front_end, store.signals, core_rules(bundle.manifest.decision, network.outputs))
    _expect_same(bundle, due.finish(network_logits(network, due)), wanted, "the network in C")
    said = f"{len(wanted)} decisions ({len(due.features)} of them run the network), bit for bit"
    if micro_there():
        _expect_same(bundle, due.finish(_micro_logits(bundle, due)), wanted, "TFLite Micro")
        said += ", by TFLite Micro's logits too"
    return f"{said}; {_beside_litert(due.finish(_litert_logits(bundle, due)), wanted)}"


def _expect_same(bundle: OpenedBundle, got: np.ndarray, wanted: np.ndarray, who: str) -> None:
    if got.tobytes() == wanted.tobytes():
        return
    place = bundle.folder / DECISIONS_FILE
    if len(got) != len(wanted):
        raise BridgeError(f"{place}: {who} makes {len(got)} decisions, not {len(wanted)}; export again.")
    pairs = zip(wanted, got, strict=True)
    first = next(int(row["number"]) for row, other in pairs if row.tobytes() != other.tobytes())
    raise BridgeError(f"{place}: {who} decides otherwise about token {first}; export again.")


def _micro_logits(bundle: OpenedBundle, due: DueDecisions) -> np.ndarray:
    if not len(due.features):
        return np.zeros((0, 0), np.int8)
    name = MODEL_FILES["int8"]
    micro = ApartModel("micro", bundle.files[name], str(bundle.folder / name))
    logits = micro.run({"features": due.features, "presence": due.presence})
    return np.concatenate([logits[task] for task in bundle.manifest.decision.tasks], axis=1)


def _litert_logits(bundle: OpenedBundle, due: DueDecisions) -> np.ndarray:
    model = bundle.models["int8"]
    if not len(due.features):
        return np.zeros((0, 0), np.float32)
    scale, zero_point = model.quantisation("features")
    features = (due.features.astype(np.float32) - zero_point) * np.float32(scale)
    logits = model.predict_many(features, (due.presence > -128).astype(np.float32))
    return np.concatenate([logits[task] for task in bundle.manifest.decision.tasks], axis=1)


def _beside_litert(got: np.ndarray, wanted: np.ndarray) -> str:
    same = int((got["best"] == wanted["best"]).all(axis=1).sum())
    most = float(np.abs(got["probability"] - wanted["probability"]).max(initial=0.0))
    return f"by LiteRT's the same classes in {same}, probabilities within {most:.2g}"
