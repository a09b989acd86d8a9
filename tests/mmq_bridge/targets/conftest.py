# SPDX-License-Identifier: Apache-2.0
"""What the tests of the targets share: tools that may be absent, and vectors made once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from mmq_bridge.targets.build import write_vectors
from mmq_bridge.targets.deployed import bundle_vectors
from mmq_bridge.targets.everywhere import EVERYWHERE
from mmq_bridge.targets.expected import Hashes, replay
from mmq_bridge.targets.table import TARGETS, Target
from mmq_bridge.targets.tools import missing
from mmq_bridge.targets.vectors import SIMULATED, Vector

SHIPPED = Path(__file__).parents[3] / "mmq_tf" / "pretrained" / "wrist-stress"


@pytest.fixture(scope="session")
def needs() -> Callable[[Sequence[Target]], None]:
    """Skip, naming what is missing, unless these targets can be built and run here."""

    def check(targets: Sequence[Target]) -> None:
        if absent := missing(targets):
            pytest.skip(f"not installed: {', '.join(absent)} (Debian: {', '.join(absent.values())})")

    return check


@pytest.fixture(scope="session")
def targets() -> dict[str, Target]:
    return {target.name: target for target in (*TARGETS, *EVERYWHERE)}


@pytest.fixture(scope="session")
def simulated() -> list[Vector]:
    """The SIMULATED vectors."""
    return [make() for make in SIMULATED]


@pytest.fixture(scope="session")
def vectors(simulated: list[Vector]) -> list[Vector]:
    """The SIMULATED vectors, and the shipped model's golden samples with its own network and rules."""
    return [*simulated, *bundle_vectors(SHIPPED, Path("nowhere"))]


@pytest.fixture(scope="session")
def wanted(vectors: list[Vector]) -> dict[str, Hashes]:
    return {v.name: replay(v.front_end, v.operations, v.head, v.deployed) for v in vectors}


@pytest.fixture(scope="session")
def written(vectors: list[Vector], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_vectors(vectors, tmp_path_factory.mktemp("vectors"))
