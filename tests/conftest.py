"""Fixtures every test may use."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def mmq_data() -> Path:
    """Folder of the real recordings, or a skip that says where it was looked for."""
    root = Path(__file__).resolve().parents[1]
    folder = Path(os.environ.get("MMQ_DATA", root.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real recordings: set MMQ_DATA to their folder (looked in {folder})")
    return folder
