# SPDX-License-Identifier: Apache-2.0
"""Fixtures every test may use."""

import os
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from mmq_bridge.bundle import cortex_m4f

_TINY = spec_from_file_location("tiny_bundle", Path(__file__).parent / "tiny_bundle.py")


@pytest.fixture(scope="session", autouse=True)
def _no_counting() -> Iterator[None]:
    """Count no instructions at every export: it takes seconds, and one test does it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mmq_bridge.targets.whole_cost.not_countable", lambda: "left out in tests")
        yield


@pytest.fixture(scope="session")
def mmq_data() -> Path:
    """Folder of the real recordings, or a skip that says where it was looked for."""
    root = Path(__file__).resolve().parents[1]
    folder = Path(os.environ.get("MMQ_DATA", root.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real recordings: set MMQ_DATA to their folder (looked in {folder})")
    return folder


@pytest.fixture(scope="session")
def tiny():
    """The module that makes very small bundles."""
    assert _TINY is not None
    assert _TINY.loader is not None
    module = module_from_spec(_TINY)
    _TINY.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def tiny_bundle(tiny, tmp_path_factory):
    """A bundle made once for all tests; copy it before changing it."""
    return tiny.write_once(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def board() -> None:
    """Skip, naming what is missing, unless a Cortex-M4F can be built for and emulated here."""
    if missing := cortex_m4f.missing_tools():
        pytest.skip(f"{', '.join(missing)} not found")
