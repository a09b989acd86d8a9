from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

_SPEC = spec_from_file_location("tiny_bundle", Path(__file__).parents[1] / "tiny_bundle.py")


@pytest.fixture(scope="session")
def tiny():
    """The module that makes very small bundles."""
    assert _SPEC is not None
    assert _SPEC.loader is not None
    module = module_from_spec(_SPEC)
    _SPEC.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def tiny_bundle(tiny, tmp_path_factory):
    """A bundle made once for all tests; copy it before changing it."""
    return tiny.write_once(tmp_path_factory.getbasetemp())
