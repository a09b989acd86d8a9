# SPDX-License-Identifier: Apache-2.0
"""What publishes the project: wheels of other systems, workflows, hooks, container."""

import base64
import hashlib
import importlib.util
import re
import zipfile
from pathlib import Path

import pytest
from packaging.utils import parse_wheel_filename

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
_SPEC = importlib.util.spec_from_file_location("make_wheels", ROOT / "firmware_bridge" / "wheels" / "make.py")
assert _SPEC is not None
assert _SPEC.loader is not None
make = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(make)


@pytest.fixture
def native(tmp_path):
    """A wheel as pip builds it here, with a library of this system."""
    path = tmp_path / "mmq_bridge-0.1.0-py3-none-linux_x86_64.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("mmq_bridge/__init__.py", "")
        wheel.writestr("mmq_bridge/libmmq_bridge.so", "of this system")
        info = "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-linux_x86_64\n\n"
        wheel.writestr("mmq_bridge-0.1.0.dist-info/WHEEL", info)
        wheel.writestr("mmq_bridge-0.1.0.dist-info/RECORD", "old")
    return path


def digest(content):
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")


@pytest.mark.parametrize("target", make.TARGETS, ids=lambda target: target.zig)
def test_a_wheel_has_its_own_library_tags_and_digests(native, target, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    path = make.write_wheel(native, target, b"of that system", out)
    _, _, _, tags = parse_wheel_filename(path.name)
    assert {tag.platform for tag in tags} == set(target.tag.split("."))
    with zipfile.ZipFile(path) as wheel:
        files = {name: wheel.read(name) for name in wheel.namelist()}
    libraries = {name: content for name, content in files.items() if "lib" in name or name.endswith(".dll")}
    assert libraries == {f"mmq_bridge/{target.library}": b"of that system"}
    said = re.findall(r"Tag: (.*)", files["mmq_bridge-0.1.0.dist-info/WHEEL"].decode())
    assert set(said) == {str(tag) for tag in tags}
    record = files.pop("mmq_bridge-0.1.0.dist-info/RECORD").decode().split()
    digests = {
        name: base64.urlsafe_b64encode(hashlib.sha256(it).digest()).decode() for name, it in files.items()
    }
    lines = {f"{name},sha256={digests[name].rstrip('=')},{len(content)}" for name, content in files.items()}
    assert set(record) == lines | {"mmq_bridge-0.1.0.dist-info/RECORD,,"}


def test_the_same_sources_give_the_same_wheel(native, tmp_path):
    found = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        found.append(make.write_wheel(native, make.TARGETS[0], b"core", tmp_path / name).read_bytes())
    assert found[0] == found[1]


def test_the_core_is_looked_for_by_the_names_that_wheels_give_it():
    looked_for = (ROOT / "firmware_bridge" / "mmq_bridge" / "core_binding" / "library.py").read_text("utf-8")
    assert not [target.library for target in make.TARGETS if f'"{target.library}"' not in looked_for]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_runs_what_is_there(path):
    text = path.read_text("utf-8")
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert {name for names in re.findall(r"run: make (.+)", text) for name in names.split()} <= targets
    called = re.findall(r"python ([\w/]+\.py)", text)
    assert not [file for file in called if not (ROOT / file).is_file()]
    assert "permissions:" in text


def test_the_whole_run_has_a_browser_and_a_kotlin_compiler():
    """Without them its tests of the page, the npm package and the phones are skipped."""
    text = (ROOT / ".github" / "workflows" / "test.yml").read_text("utf-8")
    assert "run: make companion phones\n      - run: make test\n" in text


def test_hooks_check_with_the_versions_of_constraints():
    versions = dict(
        re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE)
    )
    hooks = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    assert f"rev: v{versions['ruff']}\n" in hooks


def test_the_container_runs_a_target_of_the_makefile():
    command = re.findall(r"(?m)^CMD .*\"(\w+)\"\]$", (ROOT / "Dockerfile").read_text("utf-8"))
    assert [f"{word}:" in (ROOT / "Makefile").read_text("utf-8") for word in command] == [True]
