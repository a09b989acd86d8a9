# SPDX-License-Identifier: Apache-2.0
"""The shipped model on every target: from raw samples to decision, by its own network and rules."""

from pathlib import Path

import numpy as np
import pytest
from mmq_bridge.core_binding.decision import Decider
from mmq_bridge.errors import BridgeError
from mmq_bridge.targets.deployed import bundle_vectors
from mmq_bridge.targets.expected import Hashes, fnv, load_committed, replay
from mmq_bridge.targets.vectors import Vector

SHIPPED = Path(__file__).parents[3] / "mmq_tf" / "pretrained" / "wrist-stress"
ACCEPT = "after a new model: python -m mmq_bridge.targets --network mmq_tf/pretrained/wrist-stress --accept"


@pytest.fixture
def golden(vectors: list[Vector]) -> Vector:
    return vectors[-1]


def test_its_hashes_are_those_committed(wanted: dict[str, Hashes]) -> None:
    assert load_committed()["of_wrist_stress"] == wanted["of_wrist_stress"], ACCEPT


def test_so_are_those_of_a_real_recording(mmq_data: Path) -> None:
    *_, worn = bundle_vectors(SHIPPED, mmq_data)
    assert (worn.name, worn.simulated) == ("of_wrist_stress_worn", False)
    found = replay(worn.front_end, worn.operations, worn.head, worn.deployed)
    assert load_committed()["of_wrist_stress_worn"] == found, ACCEPT


def test_its_windows_are_the_bundles_golden_ones(wanted: dict[str, Hashes]) -> None:
    parts = [np.load(SHIPPED / f"golden/window_{part}_i8.npy") for part in ("features", "presence")]
    windows = b"".join(a.tobytes() + b.tobytes() for a, b in zip(*parts, strict=True))
    assert wanted["of_wrist_stress"].int8 == f"{fnv(windows):016x}"


def test_its_decisions_are_the_bundles_golden_ones(
    golden: Vector, wanted: dict[str, Hashes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hash is of what `Decider` finished; that is what lies in the bundle."""
    finished, decide = [], Decider.decide

    def keep(self: Decider, decision, logits: np.ndarray) -> None:
        decide(self, decision, logits)
        finished.append((decision.number, decision.abstention, list(decision.probability[:2])))

    monkeypatch.setattr(Decider, "decide", keep)
    found = replay(golden.front_end, golden.operations, golden.head, golden.deployed)
    assert found == wanted["of_wrist_stress"]
    decisions = np.load(SHIPPED / "golden/decisions.npy")
    run = decisions[decisions["probability"].any(axis=1)]
    assert [row[:2] for row in finished] == list(zip(run["number"], run["abstention"], strict=True))
    np.testing.assert_array_equal(np.array([row[2] for row in finished], np.float32), run["probability"])


def test_no_bundle_is_told(tmp_path: Path) -> None:
    with pytest.raises(BridgeError, match="cannot be read as a bundle"):
        bundle_vectors(tmp_path)
