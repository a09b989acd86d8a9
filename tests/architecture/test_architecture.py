# SPDX-License-Identifier: Apache-2.0
"""The import direction, held by every import: lazy ones and those for type checkers count too."""

import re
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from source_tree import PACKAGES, ROOT, circles, edges, modules

LAYERS = (
    {"__main__"},
    {"cli"},
    {"__init__"},
    {"api"},
    {"reports"},
    {"tuning"},
    {"evaluation"},
    {"comparisons", "pretraining"},
    {"training"},
    {"baselines"},
    {"features", "model"},
    {"cleaning", "config"},
    {"simulation"},
    {"datasets"},
    {"mne_bridge"},
    {"metrics", "augmentation", "pretrained"},
    {"recording"},
    {"utils", "version"},
    {"errors"},
)
"""Rooms of `mmq_tf` from the roof to the ground: one may import those of lower layers, never a neighbour."""

MAY_IMPORT = {"mmq_bridge": set(), "mmq_export": {"mmq_bridge"}, "mmq_tf": {"mmq_bridge", "mmq_export"}}
"""What each package may import beside itself."""

KNOWS_EXPORT = {"cli", "api"}
"""The rooms of `mmq_tf` that may import `mmq_export`."""

LEVEL = {room: level for level, layer in enumerate(LAYERS) for room in layer}


def package_of(name):
    return name.split(".")[0]


def room_of(name):
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def test_every_room_has_its_place_in_the_table():
    rooms = {room_of(name) for name in modules() if package_of(name) == "mmq_tf"}
    assert rooms == set(LEVEL)


def test_imports_between_packages_point_down():
    wrong = [
        f"{name} imports {other}"
        for name, others in edges().items()
        for other in others
        if package_of(other) not in {package_of(name), *MAY_IMPORT[package_of(name)]}
        or (
            package_of(name) == "mmq_tf"
            and package_of(other) == "mmq_export"
            and room_of(name) not in KNOWS_EXPORT
        )
    ]
    assert wrong == []


def test_imports_between_rooms_point_down():
    wrong = [
        f"{name} imports {other}"
        for name, others in edges().items()
        for other in others
        if package_of(name) == package_of(other) == "mmq_tf"
        and room_of(name) != room_of(other)
        and LEVEL[room_of(name)] >= LEVEL[room_of(other)]
    ]
    assert wrong == []


def test_no_module_imports_itself_through_others():
    assert circles(edges()) == []


@pytest.mark.parametrize("package", ["mmq_export", "mmq_bridge"])
def test_no_room_imports_itself_through_others(package):
    rooms = defaultdict(set)
    for name, others in edges().items():
        if package_of(name) == package:
            rooms[room_of(name)] |= {room_of(other) for other in others if package_of(other) == package}
    assert circles({room: others - {room, "__init__"} for room, others in rooms.items()}) == []


def test_one_module_alone_knows_ray():
    knows = {
        name
        for name, module in modules().items()
        for source, _ in module.imports
        if package_of(source) == "ray"
    }
    assert knows == {"mmq_tf.training.cluster"}


def test_private_names_stay_in_their_module():
    """An underscore names what only its own file uses; a private module is its folder's."""
    wrong = []
    for name, module in modules().items():
        for source, item in module.imports:
            if package_of(source) not in PACKAGES:
                continue
            private = [part for part in source.split(".") if part.startswith("_") and part[1] != "_"]
            folder = source.split("._")[0]
            if private and not name.startswith(folder):
                wrong.append(f"{name} imports {source}")
            elif item.startswith("_") and not item.startswith("__") and f"{source}.{item}" not in modules():
                wrong.append(f"{name} imports {item} of {source}")
    assert wrong == []


def test_no_class_name_has_two_meanings():
    places = defaultdict(list)
    for name, module in modules().items():
        for found in module.classes:
            places[found.lstrip("_")].append(name)
    assert {found: where for found, where in places.items() if len(where) > 1} == {}


CORE = ROOT / "firmware_bridge" / "core" / "src"
_C_FUNCTION = re.compile(r"^(?!static)[a-z][\w ]*?[ *](\w+)\([^;]*?\)\s*\{", re.MULTILINE)


def c_calls():
    """The C files whose functions each C file calls."""
    text = {path.name: path.read_text("utf-8") for path in CORE.glob("*.c")}
    home = {name: file for file, content in text.items() for name in _C_FUNCTION.findall(content)}
    return {
        file: {
            home[word] for word in set(re.findall(r"\b(\w+)\s*\(", content)) & set(home) if home[word] != file
        }
        for file, content in text.items()
    }


def test_no_c_file_calls_itself_through_others():
    calls = c_calls()
    assert "logf.c" in calls["eda.c"]  # the search finds what is there
    assert circles(calls) == []


NEWER = {"annotationlib", "compression"}
"""Modules of the standard library that a Python newer than 3.11 has."""


@pytest.mark.parametrize(
    "folder", ["benchmarks", "export", "firmware_bridge", "tests/support", "tests/architecture"]
)
def test_a_folder_to_import_from_hides_no_module_of_the_standard_library(folder):
    """It stands first on the path, so that also what is installed would import its file instead."""
    names = {path.stem for path in (ROOT / folder).iterdir() if path.suffix == ".py" or path.is_dir()}
    assert names
    assert names & (sys.stdlib_module_names | NEWER) == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_tests_lie_in_folders_named_after_what_they_test(package):
    """A folder of tests names a room of its package; only the C core, which is none, is a neighbour."""
    tests, source = ROOT / "tests" / package, PACKAGES[package]
    folders = {path.parent.relative_to(tests) for path in tests.rglob("test_*.py")}
    assert folders
    homeless = {room for room in folders if not (source / room).is_dir()}
    assert homeless <= ({Path("core")} if package == "mmq_bridge" else set())
    assert all((source.parent / room).is_dir() for room in homeless)
