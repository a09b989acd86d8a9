# SPDX-License-Identifier: Apache-2.0
"""Changes of a bundle's manifest and of its other JSON files, by fields and as text."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from mmq_bridge.decision.manifest import MANIFEST_NAME

from methods.mutant_base import TEXTS, Mutant, bytes_changed

MAX_DEPTH = 20
"""Deeper nothing more is changed."""
JSON_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63,
    -(2**63),
    10**30,
    10**400,
    0.5,
    1e-300,
    1e300,
    float("nan"),
    float("inf"),
    [],
    {},
    [[]],
    [None],
    *TEXTS,
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the ways to every value of a JSON document."""
    found = [path] if path else []
    if len(path) > MAX_DEPTH:
        return found
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return found + [one for key, inner in items for one in _places(inner, (*path, key))]


def json_changed(draw: random.Random, content: bytes) -> bytes:
    """Change some values of a JSON document: their place, size, type or depth."""
    data = json.loads(content)
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        places = _places(data)
        if not places:
            break
        top = draw.choice(sorted({str(path[0]) for path in places}))  # every part as often as every other
        *way, last = draw.choice([path for path in places if str(path[0]) == top])
        parent = data
        for key in way:
            parent = parent[key]
        old, what = parent[last], draw.randrange(8)
        if what == 0:
            del parent[last]
        elif what == 1 and isinstance(parent, dict):
            parent[draw.choice(TEXTS)] = old
        elif what == 2 and isinstance(old, int | float) and not isinstance(old, bool):
            parent[last] = old * draw.choice((-1, 0.5, 2, 10, 1e3, 1e6, 1e12)) + draw.choice((0, 1, -1))
        elif what == 3 and isinstance(old, list):
            parent[last] = draw.choice((old * 2, old * 1000, old[:1], old[::-1]))
        elif what == 4:
            inner: Any = old
            for _ in range(draw.choice((1, 3, 500))):
                inner = [inner]
            parent[last] = inner
        else:
            parent[last] = draw.choice(JSON_VALUES)
    return json.dumps(data).encode()


def text_changed(draw: random.Random, content: bytes) -> bytes:
    """Change JSON as text: cut, deep, with endless digits, or something else."""
    what = draw.randrange(5)
    if what == 0:
        return bytes_changed(draw, content)
    if what == 1:
        return content[: int(len(content) * draw.random())]
    if what == 2:
        return draw.choice((b"[", b'{"a":', b'"')) * draw.choice((10, 100_000))
    if what == 3:
        digits = b"9" * draw.choice((30, 5000, 100_000))
        return content.replace(str(draw.randrange(10)).encode(), digits, 1)
    return draw.choice((b"", b"null", b"[]", b"{}", b"\xff\xfe{}", b"\xef\xbb\xbf" + content, content * 2))


def of_json(name: str, *ways: Callable[[random.Random, bytes], bytes]) -> Callable[..., Mutant]:
    """Return what changes a JSON file of the bundle in one of these ways."""

    def made(draw: random.Random, whole: dict[str, bytes]) -> Mutant:
        return Mutant("", {name: draw.choice(ways)(draw, whole[name])}, signed=name != MANIFEST_NAME)

    return made


def manifest_paths(draw: random.Random, whole: dict[str, bytes]) -> Mutant:
    """Give a file of the manifest a path that it must not have."""
    manifest = json.loads(whole[MANIFEST_NAME])
    name = draw.choice(tuple(manifest["files"]))
    bad = draw.choice(
        (
            "../x",
            "/etc/passwd",
            "a//b",
            "con",
            "x" * 5000,
            "a/" * 9 + "b",
            "golden/..",
            ".x",
            "\0",
            "a\\b",
            "ü",
            *TEXTS,
        )
    )
    entry = manifest["files"].pop(name) if draw.random() < 0.5 else manifest["files"][name]
    manifest["files"][bad] = entry
    return Mutant("", {MANIFEST_NAME: json.dumps(manifest).encode()}, signed=False)


def labels(draw: random.Random, whole: dict[str, bytes]) -> Mutant:
    """Change tasks and classes, the way they are decided, and the model's name."""
    manifest = json.loads(whole[MANIFEST_NAME])
    decision, what = manifest["decision"], draw.randrange(6)
    task = next(iter(decision["tasks"]))
    if what == 0:
        decision["tasks"][task][draw.randrange(len(decision["tasks"][task]))] = draw.choice(TEXTS)
    elif what == 1:
        decision["tasks"] = {draw.choice(TEXTS): decision["tasks"][task]}
    elif what == 2:
        manifest[draw.choice(("name", "exported_model"))] = draw.choice(TEXTS)
    elif what == 3:
        decision["tasks"][draw.choice(TEXTS)] = ["a", "b"]
    elif what == 4:
        decision["temperature"] = {task: draw.choice((0, 1e-9, 1e3, 1e300, float("nan")))}
    else:
        manifest["data"][draw.choice(tuple(manifest["data"]))] = draw.choice((*TEXTS, True, 5))
    return Mutant("", {MANIFEST_NAME: json.dumps(manifest).encode()}, signed=False)
