# SPDX-License-Identifier: Apache-2.0
"""Markers that a fact decides, for tests and doctests; ``--quick`` runs what needs none of them."""

from collections.abc import Callable
from pathlib import Path

import marking
import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--quick``."""
    said = f"only what is not marked {', '.join(marking.HEAVY)}; TensorFlow is never imported"
    parser.addoption("--quick", action="store_true", help=said)


def pytest_configure(config: pytest.Config) -> None:
    """Turn ``--quick`` into an expression of markers and refuse TensorFlow."""
    if config.getoption("--quick"):
        config.option.markexpr = " and ".join(f"not {mark}" for mark in marking.HEAVY)
        marking.refuse_tensorflow()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out, before it is imported, a module of which ``--quick`` runs nothing."""
    if config.getoption("--quick") and collection_path.suffix == ".py":
        return bool(marking.needed_by_all(collection_path)) or None
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by its fixtures and by what they, its module and itself import; slow files go first."""
    for item in items:
        for mark in sorted(marking.needs(getattr(item, "fixturenames", []), item.path, _functions_of(item))):
            item.add_marker(mark)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)  # side by side, what is quick fills the end


def _functions_of(item: pytest.Item) -> list[Callable[..., object]]:
    """Return the test and its fixtures; a doctest has none."""
    if not isinstance(item, pytest.Function):
        return []
    fixtures = [found[-1].func for found in item._fixtureinfo.name2fixturedefs.values()]
    return [item.function, *fixtures]
