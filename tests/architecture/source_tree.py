# SPDX-License-Identifier: Apache-2.0
"""What the sources say of themselves: modules, their imports (all of them), classes."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    "mmq_tf": ROOT / "mmq_tf",
    "mmq_export": ROOT / "export" / "mmq_export",
    "mmq_bridge": ROOT / "firmware_bridge" / "mmq_bridge",
}


@dataclass(frozen=True)
class Module:
    """One Python file; `name` is what an import calls it."""

    name: str
    path: Path

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return ast.parse(self.path.read_text("utf-8"))

    @property
    def imports(self) -> list[tuple[str, str]]:
        """Every ``(module, name)`` it imports, wherever the statement stands; name is "" for a module."""
        found = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found += [(alias.name, "") for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                if node.level:
                    raise ValueError(f"{self.path}: a relative import; write the module's whole name.")
                found += [(node.module or "", alias.name) for alias in node.names]
        return found

    @property
    def classes(self) -> list[str]:
        """Names of the classes it defines, also inside functions and classes."""
        return [node.name for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef)]


@lru_cache(maxsize=1)
def modules() -> dict[str, Module]:
    """Every module of the three packages by its name."""
    found = {}
    for package, folder in PACKAGES.items():
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            name = ".".join((package, *(part for part in parts if part != "__init__")))
            found[name] = Module(name, path)
    return found


@lru_cache(maxsize=1)
def edges() -> dict[str, set[str]]:
    """The modules of ours that each module imports."""
    known = modules()
    return {
        name: {
            f"{source}.{item}" if f"{source}.{item}" in known else source
            for source, item in module.imports
            if source in known
        }
        - {name}
        for name, module in known.items()
    }


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of nodes that reach each other (Tarjan's strongly connected components of two or more).

    >>> circles({"a": {"b"}, "b": {"a"}, "c": {"a"}})
    [['a', 'b']]
    """
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        order[node] = low[node] = len(order)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in order:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], order[other])
        if low[node] == order[node]:
            cut = stack.index(node)
            group = sorted(stack[cut:])
            del stack[cut:]
            if len(group) > 1:
                found.append(group)

    for node in sorted(graph):
        if node not in order:
            visit(node)
    return found
