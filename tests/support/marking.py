# SPDX-License-Identifier: Apache-2.0
"""What a test needs, where a fact decides it: its fixtures, and whether anything it loads is TensorFlow."""

from __future__ import annotations

import ast
import dis
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib.abc import MetaPathFinder
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOTS = [ROOT / folder for folder in ("", "export", "firmware_bridge", "benchmarks", "tests/support")]
TRAINERS = {"keras", "tensorflow", "tensorflow_model_optimization", "tf_keras"}
HEAVY = ("slow", "tensorflow", "recordings", "browser", "emulator")
FIXTURES = {
    "board": "emulator",
    "mmq_data": "recordings",
    "browser": "browser",
    "node": "browser",
    "needs": "emulator",
    "tiny_bundle": "tensorflow",
}

_IMPORT = dis.opmap["IMPORT_NAME"]
_LOADS: dict[Path, bool] = {}
"""What `loads_tensorflow` found."""


def needs(fixtures: Iterable[str], path: Path, functions: Iterable[Callable[..., object]] = ()) -> set[str]:
    """Markers of a test that uses these fixtures, stands in the module at `path` and runs these functions."""
    found = {FIXTURES[name] for name in fixtures if name in FIXTURES}
    heavy = loads_tensorflow(path) or any(_leads_to_tensorflow(_imported_inside(one)) for one in functions)
    return found | ({"tensorflow"} if heavy else set())


def needed_by_all(path: Path) -> set[str]:
    """Markers that every test of a module has, read without importing it."""
    found = {"tensorflow"} if loads_tensorflow(path) else set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
            found |= {mark for mark in HEAVY if f"mark.{mark}" in ast.unparse(node.value)}
    return found


def loads_tensorflow(path: Path) -> bool:
    """Whether importing this module imports Keras or TensorFlow, itself or through this project."""
    if path in _LOADS:
        return _LOADS[path]
    seen, waiting = set(), [path, *_packages_of(path)]
    while waiting:
        module = waiting.pop()
        if module in seen or _LOADS.get(module) is False:
            continue
        seen.add(module)
        names = _imported_on_load(module)
        if _LOADS.get(module) or _of_trainers(names):
            _LOADS[path] = True
            return True
        waiting += _files_of_all(names)
    _LOADS.update(dict.fromkeys(seen, False))
    return False


def _leads_to_tensorflow(names: frozenset[str]) -> bool:
    return _of_trainers(names) or any(loads_tensorflow(file) for file in _files_of_all(names))


def _of_trainers(names: frozenset[str]) -> bool:
    return any(name.split(".")[0] in TRAINERS for name in names)


def _packages_of(path: Path) -> list[Path]:
    inits = [folder / "__init__.py" for folder in path.parents if folder.is_relative_to(ROOT)]
    return [init for init in inits if init.is_file()]


@cache
def _imported_inside(function: Callable[..., object]) -> frozenset[str]:
    """Dotted names that running the function imports by statements of its own."""
    code = inspect.unwrap(function).__code__
    if _IMPORT not in code.co_code[::2]:
        return frozenset()
    return frozenset(one.argval for one in dis.get_instructions(code) if one.opname == "IMPORT_NAME")


@cache
def _files_of_all(names: frozenset[str]) -> tuple[Path, ...]:
    return tuple({file for name in names for file in _files_of(name)})


@cache
def _files_of(name: str) -> tuple[Path, ...]:
    """Files of this project that an import of the dotted `name` runs: its packages and itself."""
    parts = name.split(".")
    found = []
    for root in ROOTS:
        for count in range(1, len(parts) + 1):
            place = root.joinpath(*parts[:count])
            found += [file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()]
    return tuple(found)


@cache
def _imported_on_load(path: Path) -> frozenset[str]:
    """Dotted names imported when the module is: not those inside functions or below ``TYPE_CHECKING``."""
    found = set()
    for node in _run_on_load(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


_STEPS = (ast.stmt, ast.excepthandler, ast.match_case)


def _run_on_load(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, _STEPS) or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from _run_on_load(child)


class Refused(MetaPathFinder):
    """Refuses Keras and TensorFlow, so that a test without the marker `tensorflow` cannot load them."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        """Let every other import pass to the next finder."""
        if fullname in TRAINERS:
            raise ImportError(f"--quick runs without {fullname}: mark the test with `tensorflow`")


def refuse_tensorflow() -> None:
    """From now on an import of Keras or TensorFlow fails.

    Raises
    ------
    ImportError
        If one of them is loaded already.
    """
    if loaded := TRAINERS & set(sys.modules):
        raise ImportError(f"--quick runs without {', '.join(sorted(loaded))}, already loaded by a plugin")
    sys.meta_path.insert(0, Refused())
