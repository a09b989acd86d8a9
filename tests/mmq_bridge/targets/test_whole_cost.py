# SPDX-License-Identifier: Apache-2.0
"""What a bundle costs as a whole is counted on an emulated board, or a sentence says why not."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mmq_bridge.bundle.reader import open_bundle, read_files
from mmq_bridge.bundle.sources import FOLDER, code_of, part_of
from mmq_bridge.decision.manifest import Manifest
from mmq_bridge.errors import BridgeError
from mmq_bridge.targets import tools, whole_cost
from mmq_bridge.targets.whole_cost import BundleCost, KnownCost, WholeCost, bundle_cost, measure_whole
from mmq_export.card import cost_rows

SHIPPED = Path(__file__).parents[3] / "mmq_tf" / "pretrained" / "wrist-stress"
WHOLE = WholeCost(5.0, 2, 3e5, 2.4e6, 2.3e6, 9e4, 4e4, 80_000, 35_000, 14_000, 600)
MISSING = "qemu not found: apt install qemu"


@pytest.fixture(scope="module")
def shipped():
    manifest = Manifest.load(SHIPPED)
    bundle = open_bundle(SHIPPED, manifest, read_files(SHIPPED, manifest))
    golden = bundle.golden
    code = part_of(code_of(bundle), FOLDER)
    return code, golden.front_end, golden.signals, manifest.decision.every_tokens


@pytest.fixture(scope="module")
def counted(needs, targets, shipped):
    needs([targets["m4f"]])
    return measure_whole(*shipped)


def test_front_end_network_and_decision_are_counted(counted):
    assert counted.network < counted.step < counted.network + 100_000
    assert 100_000 < counted.token < 500_000
    assert counted.longest_push < 200_000
    assert counted.longest_slice < 0.1 * counted.step
    assert 300 < counted.stack_bytes <= 1024
    assert 40_000 < counted.flash_bytes < 120_000
    assert counted.state_bytes < counted.ram_bytes < 64 * 1024


def test_the_shipped_card_says_what_is_counted(counted):
    """Another compiler counts a little differently."""
    (row,) = re.findall(
        r"together: ([0-9,]+) instructions a decision", (SHIPPED / "MODEL_CARD.md").read_text()
    )
    assert int(row.replace(",", "")) == pytest.approx(counted.per_decision, rel=0.1)


def test_an_hour_is_made_of_decisions():
    assert WHOLE.per_decision == 2 * 300_000 + 2_400_000
    assert WHOLE.per_hour == 360 * WHOLE.per_decision


def test_the_card_tells_what_was_counted():
    first, second = cost_rows(BundleCost(KnownCost(3748, 42800), WHOLE)).splitlines()
    assert first == "| the network as C | arena 3,748 bytes, weights and tables 42,800 bytes |"
    assert "3,000,000 instructions a decision, 1,080 million an hour of signal; flash 80,000" in second
    assert "RAM 35,000, stack 600 bytes" in second


def test_a_missing_tool_is_named(monkeypatch, shipped: Any):
    monkeypatch.setattr(tools.shutil, "which", lambda name: None)
    with pytest.raises(BridgeError, match="arm-none-eabi-gcc is not installed"):
        measure_whole(*shipped)


def test_what_is_not_counted_is_said(monkeypatch, shipped: Any):
    monkeypatch.setattr(whole_cost, "not_countable", lambda: MISSING)
    plan = (SHIPPED / "mmq_network.bin").read_bytes()
    cost = bundle_cost(*shipped, plan=plan)
    assert cost.known is not None
    assert cost == BundleCost(
        KnownCost(cost.known.arena_bytes, len(plan)), None, "qemu not found: apt install qemu"
    )
    assert "not counted: qemu not found: apt install qemu. `mmq-tf bench model BUNDLE` counts" in cost_rows(
        cost
    )
    assert replace(bundle_cost(None, *shipped[1:], plan=plan), uncounted="") == replace(cost, uncounted="")
    assert "take TFLite Micro" in bundle_cost(*shipped, plan=None).uncounted
