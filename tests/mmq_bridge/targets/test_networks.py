# SPDX-License-Identifier: Apache-2.0
"""Networks as C give the same outputs on every target; what differs is said."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mmq_bridge.bundle.micro_tensors import MicroTensors
from mmq_bridge.errors import BridgeError
from mmq_bridge.network.generate import plan_network
from mmq_bridge.network.plan_file import plan_file
from mmq_bridge.targets.expected import fnv
from mmq_bridge.targets.network_cost import MODULES, measure_modules
from mmq_bridge.targets.networks import (
    NetworkVector,
    all_windows,
    bundle_network,
    expected_line,
    random_network,
    run_networks,
    write_networks,
)
from mmq_bridge.targets.table import TARGETS

SHIPPED = Path(__file__).parents[3] / "mmq_tf" / "pretrained" / "wrist-stress"


@pytest.fixture(scope="module")
def vectors() -> list[NetworkVector]:
    return [replace(vector, drawn=60) for vector in (random_network(), bundle_network(SHIPPED))]


@pytest.fixture(scope="module")
def lines(vectors) -> list[str]:
    return [expected_line(vector) for vector in vectors]


@pytest.fixture(scope="module")
def written(vectors, tmp_path_factory) -> Path:
    return write_networks(vectors, tmp_path_factory.mktemp("networks"))


@pytest.mark.parametrize("name", [target.name for target in TARGETS if target.name[-1] != "1"])
def test_target_gives_the_same_outputs(name, needs, targets, written, lines, tmp_path):
    needs([targets[name]])
    assert run_networks(targets[name], written, tmp_path, lines) == []


def test_what_is_expected_is_micros(vectors, lines):
    pytest.importorskip("tflite_micro")
    for vector, line in zip(vectors, lines, strict=True):
        micro, outputs = MicroTensors(vector.content), bytearray()
        names, sizes, windows = all_windows(vector)
        for window in windows:
            parts = dict(zip(names, np.split(window, np.cumsum(sizes)[:-1]), strict=True))
            found = micro.run(parts)
            outputs += b"".join(found[tensor.index].tobytes() for tensor in micro.graph.outputs.values())
        assert line.endswith(f"hash={fnv(bytes(outputs)):016x}")


def test_another_hash_is_told(needs, targets, written, lines, tmp_path):
    needs([targets["gcc-8"]])
    other = [lines[0], lines[1][:-1] + ("0" if lines[1][-1] != "0" else "1")]
    found = run_networks(targets["gcc-8"], written, tmp_path, other)
    assert found == ["gcc-8: the networks: of_wrist_stress: its outputs differ"]


def test_no_bundle_is_told(tmp_path):
    with pytest.raises(BridgeError, match="cannot be read as a bundle"):
        bundle_network(tmp_path)


def test_modules_hold_the_network_and_little_else(needs, targets, tmp_path):
    needs([targets["wasm"]])
    costs = measure_modules([random_network()], tmp_path)
    assert [cost.condition for cost in costs] == list(MODULES)
    size = len(plan_file(plan_network(random_network().content)))
    for cost in costs:
        assert cost.arena_bytes == plan_network(random_network().content).arena_bytes
        assert size // 2 < cost.flash_bytes < size + 24_000
    assert costs[0].flash_bytes != costs[1].flash_bytes
