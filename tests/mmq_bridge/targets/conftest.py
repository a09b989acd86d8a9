# SPDX-License-Identifier: Apache-2.0
"""What the tests of the targets share: tools that may be absent, and vectors made once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from mmq_bridge.targets.build import write_vectors
from mmq_bridge.targets.everywhere import EVERYWHERE
from mmq_bridge.targets.expected import Hashes, replay
from mmq_bridge.targets.table import TARGETS, Target
from mmq_bridge.targets.tools import missing
from mmq_bridge.targets.vectors import SIMULATED, Vector


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
def wanted(simulated: list[Vector]) -> dict[str, Hashes]:
    return {v.name: replay(v.front_end, v.operations, v.head) for v in simulated}


@pytest.fixture(scope="session")
def written(simulated: list[Vector], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_vectors(simulated, tmp_path_factory.mktemp("vectors"))
