# SPDX-License-Identifier: Apache-2.0
"""Bundles that somebody means to harm with: one change of a whole one, its manifest made right again."""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ai_edge_litert import schema_py_generated as schema
from flatbuffers import Builder
from mmq_bridge.decision.bundle_files import MODEL_FILES, NETWORK_FILE
from mmq_bridge.decision.head_file import HEAD_FILE
from mmq_bridge.decision.manifest import MANIFEST_NAME

WORDS = (0, 1, 2, 4, 8, 255, 256, 65535, 1 << 20, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, (1 << 32) - 4)
NUMBERS = (0.0, -0.0, -1.0, 1e-45, 1e-30, 1e-7, 1e7, 1e30, 3.4e38, float("nan"), float("inf"), -float("inf"))
SIZES = (0, -1, 1, 2, 3, 7, 128, 4096, 65536, 1 << 20, (1 << 31) - 1, -(1 << 31))
TEXTS = (
    "",
    "\0",
    "a" * 100_000,
    "\x1b[2J\x1b]0;x\x07",
    "line\nline\r\n",
    "../../etc/passwd",
    "%s%n{0}{x!r}",
    "\u202e\u200b",
    "\ud800",
    "<script>alert(1)</script>",
    '"; #include "/etc/passwd"',
    "stress",
)
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


@dataclass
class Mutant:
    """A changed bundle.

    Attributes
    ----------
    kind : str
    files : dict of str to bytes
        What is written over the bundle, by path inside it; None removes one.
    links : dict of str to str
        Links by path, and where they lead; an empty target is a pipe, ``/`` at the end a folder.
    signed : bool
        Whether the manifest is made right again.
    """

    kind: str
    files: dict[str, bytes | None] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    signed: bool = True


def whole_files(folder: Path) -> dict[str, bytes]:
    """Return the content of a bundle by path inside it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def mutant(whole: dict[str, bytes], seed: int) -> Mutant:
    """Return one mutant of a bundle, the same for the same seed."""
    draw = random.Random(seed)
    kinds = [kind for kind in KINDS if kind != "head" or HEAD_FILE in whole]
    kind = draw.choices(kinds, [KINDS[kind][0] for kind in kinds])[0]
    made = KINDS[kind][1](draw, whole)
    made.kind = kind
    if made.signed:
        sign_again(whole, made)
    return made


def sign_again(whole: dict[str, bytes], made: Mutant) -> None:
    """Make the manifest agree with the changed files, as who forges a bundle would."""
    try:
        manifest = json.loads(made.files.get(MANIFEST_NAME) or whole[MANIFEST_NAME])
        for name, content in made.files.items():
            if content is not None and name != MANIFEST_NAME:
                digest = hashlib.sha256(content).hexdigest()
                manifest["files"][name] = {"bytes": len(content), "sha256": digest}
    except (ValueError, TypeError, KeyError, RecursionError):
        return  # the manifest itself is broken
    made.files[MANIFEST_NAME] = json.dumps(manifest, indent=2).encode()


def _one_model(draw: random.Random) -> str:
    return draw.choice(tuple(MODEL_FILES.values()))


def _bytes_changed(draw: random.Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 8, 64))):
        at = draw.randrange(len(changed))
        changed[at] = draw.choice(
            (0, 0xFF, 0x7F, 0x80, draw.randrange(256), changed[at] ^ 1 << draw.randrange(8))
        )
    return bytes(changed)


def _word_changed(draw: random.Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 4))):
        at = 4 * draw.randrange(len(changed) // 4)
        if draw.random() < 0.5:
            at %= 4096
        old = int.from_bytes(changed[at : at + 4], "little")
        near = (old + draw.choice((-64, -4, -1, 1, 4, 64, len(content)))) % (1 << 32)
        changed[at : at + 4] = draw.choice((near, *WORDS, draw.getrandbits(32))).to_bytes(4, "little")
    return bytes(changed)


def _length_changed(draw: random.Random, content: bytes) -> bytes:
    """Change a word that is small and so may be the length of a vector or a string, or an offset."""
    changed = bytearray(content)
    for _ in range(200):
        at = 4 * draw.randrange(len(changed) // 4)
        old = int.from_bytes(changed[at : at + 4], "little")
        if 0 < old < 5000:
            new = draw.choice((old + 1, old - 1, old * 2, old * 1000, *WORDS)) % (1 << 32)
            changed[at : at + 4] = new.to_bytes(4, "little")
            break
    return bytes(changed)


def _cut(draw: random.Random, content: bytes) -> bytes:
    if draw.random() < 0.2:
        return content + draw.randbytes(draw.choice((1, 3, 4, 4096)))
    size = int(len(content) * draw.random())
    return content[:size] + b"\0" * draw.choice((0, 0, len(content) - size))


def _of_model(change: Callable[[random.Random, bytes], bytes]) -> Callable[..., Mutant]:
    def made(draw: random.Random, whole: dict[str, bytes]) -> Mutant:
        name = _one_model(draw)
        return Mutant("", {name: change(draw, whole[name])})

    return made


def _of_plan(change: Callable[[random.Random, bytes], bytes]) -> Callable[..., Mutant]:
    return lambda draw, whole: Mutant("", {NETWORK_FILE: change(draw, whole[NETWORK_FILE])})


def _repacked(draw: random.Random, content: bytes) -> bytes:
    """Change the model's own objects and pack them again: a whole flatbuffer that means something else."""
    model = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        if model.subgraphs and model.signatureDefs:  # a change before may have left none
            draw.choice(OBJECTS)(draw, model)
    builder = Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _change_shape(draw: random.Random, model: Any) -> None:
    import numpy as np

    tensor = draw.choice(model.subgraphs[0].tensors)
    shape = [] if tensor.shape is None else [int(size) for size in tensor.shape]
    what = draw.randrange(5)
    if what == 0 or not shape:
        shape.append(draw.choice(SIZES))
    elif what == 1:
        shape.pop(draw.randrange(len(shape)))
    elif what == 2:
        shape.reverse()
    elif what == 3:
        shape = shape * draw.choice((2, 5))
    else:
        shape[draw.randrange(len(shape))] = draw.choice(SIZES)
    tensor.shape = np.array(shape, np.int64).astype(np.int32)
    if draw.random() < 0.2:
        tensor.shapeSignature = np.array([-1] * len(shape), np.int32)


def _change_scale(draw: random.Random, model: Any) -> None:
    import numpy as np

    tensors = [t for t in model.subgraphs[0].tensors if t.quantization is not None]
    quantisation = draw.choice(tensors).quantization
    what = draw.randrange(5)
    if what == 0 and quantisation.scale is not None:
        quantisation.scale = np.array(quantisation.scale) * np.float32(draw.choice((1e-9, 0.01, 2, 1e3, 1e9)))
    elif what == 1:
        quantisation.zeroPoint = np.array(
            [draw.choice((-129, 128, 1000, -(2**40), 2**62, 7, -128))], np.int64
        )
    elif what == 2:
        quantisation.quantizedDimension = draw.choice(SIZES)
    elif what == 3:
        count = draw.choice((0, 2, 3, 1000))
        quantisation.scale = np.full(count, 0.1, np.float32)
        quantisation.zeroPoint = np.zeros(count, np.int64)
    else:
        quantisation.scale = np.array([draw.choice(NUMBERS)], np.float32)


def _change_type(draw: random.Random, model: Any) -> None:
    draw.choice(model.subgraphs[0].tensors).type = draw.choice((0, 2, 9, 4, 5, 7, 13, 14, 17, 99, -1))


def _change_buffer(draw: random.Random, model: Any) -> None:
    import numpy as np

    if draw.random() < 0.5:
        tensor = draw.choice(model.subgraphs[0].tensors)
        tensor.buffer = draw.choice((0, len(model.buffers) - 1, len(model.buffers), 2**31, 2**32 - 1))
        return
    buffer = draw.choice(model.buffers)
    data = np.zeros(0, np.uint8) if buffer.data is None else np.array(buffer.data, np.uint8)
    what = draw.randrange(4)
    if what == 0:
        buffer.data = data[: len(data) // 2]
    elif what == 1:
        buffer.data = np.concatenate([data, data, np.zeros(4, np.uint8)])
    elif what == 2:
        buffer.data = np.frombuffer(draw.randbytes(len(data)), np.uint8)
    else:
        buffer.data, buffer.offset, buffer.size = None, draw.choice((1, 8, 2**40)), draw.choice((1, 2**40))


def _change_code(draw: random.Random, model: Any) -> None:
    code = draw.choice(model.operatorCodes)
    what = draw.randrange(4)
    if what == 0:
        code.builtinCode = draw.choice((*range(210), 2**31 - 1, -1))
        code.deprecatedBuiltinCode = max(-128, min(127, code.builtinCode))
    elif what == 1:
        code.version = draw.choice((0, -1, 1, 2, 50, 2**31 - 1))
    elif what == 2:
        code.customCode = b"FlexAdd"
    else:
        draw.shuffle(model.operatorCodes)


def _change_operator(draw: random.Random, model: Any) -> None:
    import numpy as np

    graph = model.subgraphs[0]
    operator = draw.choice(graph.operators)
    indices = [
        -1,
        0,
        len(graph.tensors) - 1,
        len(graph.tensors),
        2**31 - 1,
        -2,
        draw.randrange(len(graph.tensors)),
    ]
    what = draw.randrange(7)
    if what == 0:
        given = np.array(operator.inputs, np.int32)
        given[draw.randrange(len(given))] = draw.choice(indices)
        operator.inputs = given
    elif what == 1:
        operator.outputs = np.array([draw.choice(indices)] * draw.choice((0, 1, 1, 2)), np.int32)
    elif what == 2:
        operator.inputs = np.array(list(operator.inputs) * draw.choice((0, 2, 50)), np.int32)
    elif what == 3:
        operator.opcodeIndex = draw.choice((*range(len(model.operatorCodes)), 2**31))
    elif what == 4:
        draw.shuffle(graph.operators)
    elif what == 5:
        graph.operators.append(operator)
    else:
        operator.customOptions = np.frombuffer(draw.randbytes(16), np.uint8)


def _change_options(draw: random.Random, model: Any) -> None:
    operators = [one for one in model.subgraphs[0].operators if one.builtinOptions is not None]
    operator = draw.choice(operators)
    if draw.random() < 0.2:
        operator.builtinOptionsType, operator.builtinOptions = 0, None
        return
    name = draw.choice(tuple(vars(operator.builtinOptions)))
    value = getattr(operator.builtinOptions, name)
    if isinstance(value, bool):
        setattr(operator.builtinOptions, name, not value)
    elif isinstance(value, float):
        setattr(operator.builtinOptions, name, draw.choice(NUMBERS))
    elif isinstance(value, int):
        setattr(operator.builtinOptions, name, draw.choice((-128, -1, 0, 1, 2, 3, 4, 5, 127)))


def _change_constant(draw: random.Random, model: Any) -> None:
    """Change axes, sizes, beginnings and ends: constants of int32."""
    import numpy as np

    tensors = [
        t for t in model.subgraphs[0].tensors if t.type == 2 and model.buffers[t.buffer].data is not None
    ]
    buffer = model.buffers[draw.choice(tensors).buffer]
    data = np.array(buffer.data, np.uint8)[: len(buffer.data) // 4 * 4].view(np.int32).copy()
    if len(data):
        data[draw.randrange(len(data))] = draw.choice(SIZES)
        buffer.data = data.view(np.uint8)


def _change_graph(draw: random.Random, model: Any) -> None:
    import numpy as np

    graph, signature = model.subgraphs[0], model.signatureDefs[0]
    what = draw.randrange(8)
    if what == 0:
        model.subgraphs.append(graph)
    elif what == 1:
        graph.inputs = np.array(list(graph.inputs)[::-1] * draw.choice((0, 1, 2)), np.int32)
    elif what == 2:
        graph.outputs = np.array([draw.choice((-1, 0, 10**6))], np.int32)
    elif what == 3:
        draw.choice([*signature.inputs, *signature.outputs]).name = draw.choice(TEXTS[:-1]).encode(
            "utf-8", "replace"
        )
    elif what == 4:
        draw.choice([*signature.inputs, *signature.outputs]).tensorIndex = draw.choice((0, 1, 5, 2**32 - 1))
    elif what == 5:
        model.version = draw.choice((0, 2, 4, 2**32 - 1))
    elif what == 6:
        model.signatureDefs = draw.choice(([], [signature, signature]))
    else:
        draw.choice(graph.tensors).isVariable = True


OBJECTS = (
    _change_shape,
    _change_shape,
    _change_scale,
    _change_scale,
    _change_type,
    _change_buffer,
    _change_code,
    _change_operator,
    _change_operator,
    _change_options,
    _change_constant,
    _change_graph,
)


def _scales(draw: random.Random, content: bytes) -> bytes:
    model = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
    _change_scale(draw, model)
    builder = Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _models_swapped(draw: random.Random, whole: dict[str, bytes]) -> Mutant:
    names = list(MODEL_FILES.values())
    draw.shuffle(names)
    return Mutant("", {names[0]: whole[names[1]], names[1]: draw.choice((whole[names[0]], whole[names[2]]))})


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the ways to every value of a JSON document."""
    found = [path] if path else []
    if len(path) > MAX_DEPTH:
        return found
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return found + [one for key, inner in items for one in _places(inner, (*path, key))]


def _json_changed(draw: random.Random, content: bytes) -> bytes:
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


def _text_changed(draw: random.Random, content: bytes) -> bytes:
    what = draw.randrange(5)
    if what == 0:
        return _bytes_changed(draw, content)
    if what == 1:
        return content[: int(len(content) * draw.random())]
    if what == 2:
        return draw.choice((b"[", b'{"a":', b'"')) * draw.choice((10, 100_000))
    if what == 3:
        digits = b"9" * draw.choice((30, 5000, 100_000))
        return content.replace(str(draw.randrange(10)).encode(), digits, 1)
    return draw.choice((b"", b"null", b"[]", b"{}", b"\xff\xfe{}", b"\xef\xbb\xbf" + content, content * 2))


def _of_json(name: str, *ways: Callable[[random.Random, bytes], bytes]) -> Callable[..., Mutant]:
    def made(draw: random.Random, whole: dict[str, bytes]) -> Mutant:
        return Mutant("", {name: draw.choice(ways)(draw, whole[name])}, signed=name != MANIFEST_NAME)

    return made


def _manifest_paths(draw: random.Random, whole: dict[str, bytes]) -> Mutant:
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


def _labels(draw: random.Random, whole: dict[str, bytes]) -> Mutant:
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


def _golden_array(draw: random.Random, whole: dict[str, bytes]) -> Mutant:
    name = draw.choice([name for name in whole if name.endswith(".npy")])
    content, what = whole[name], draw.randrange(7)
    head = 10 + int.from_bytes(content[8:10], "little")
    if what == 0:
        changed = _bytes_changed(draw, content[:head]) + content[head:]
    elif what == 1:
        changed = _cut(draw, content)
    elif what == 2:
        changed = content.replace(b"<f4", draw.choice((b"<f8", b"|O ", b"<M8", b">f4", b"<i4")))
    elif what == 3:
        at = head + 4 * draw.randrange(max(1, (len(content) - head) // 4))
        value = draw.choice(
            (b"\0\0\xc0\x7f", b"\0\0\x80\x7f", b"\xff\xff\x7f\x7f", b"\1\0\0\0", draw.randbytes(4))
        )
        changed = content[:at] + value + content[at + 4 :]
    elif what == 4:
        changed = content[:head] + draw.randbytes(len(content) - head)
    elif what == 5:
        shape = draw.choice(
            (b"(4294967296, 1)", b"(0,)", b"(-1,)", b"(1" + b",1" * 60 + b")", b"((((((1))))))")
        )
        text = b"{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + b", }\n"
        changed = content[:8] + len(text).to_bytes(2, "little") + text + content[head:]
    else:
        changed = whole[draw.choice([other for other in whole if other.endswith(".npy")])]
    return Mutant("", {name: changed})


def _other_file(draw: random.Random, whole: dict[str, bytes]) -> Mutant:
    """Change a card, a README, a licence, a source: what people and compilers read."""
    known = {*MODEL_FILES.values(), NETWORK_FILE, MANIFEST_NAME, "frontend.json"}
    name = draw.choice([n for n in whole if n not in known and not n.startswith("golden/")])
    change = draw.choice((_text_changed, _bytes_changed, _cut))
    return Mutant("", {name: change(draw, whole[name] or b"x")})


def _links(draw: random.Random, whole: dict[str, bytes]) -> Mutant:
    name = draw.choice(tuple(whole))
    target = draw.choice(
        ("/etc/passwd", "/dev/zero", "/proc/self/mem", "/", ".", "nowhere", "", "/dev/stdin")
    )
    where = draw.choice((name, "x", "golden/x", "a/b/c/d/e/x"))
    return Mutant("", {name: None} if where == name else {}, {where: target}, signed=False)


def _extra(draw: random.Random, whole: dict[str, bytes]) -> Mutant:
    what, name = draw.randrange(4), draw.choice(tuple(whole))
    if what == 0:
        return Mutant("", {name: None}, signed=False)
    if what == 1:
        extra = draw.choice(
            ("x", "golden/x.npy", "numpy.py", "sitecustomize.py", "conftest.py", "a/b/c/d/e/f/g")
        )
        return Mutant("", {extra: draw.randbytes(100)}, signed=draw.random() < 0.5)
    if what == 2:
        return Mutant("", {name: None}, {name: "/"}, signed=False)  # a folder in place of a file
    return Mutant("", {name: whole[name] + b"\0" * (1 << 20)}, signed=draw.random() < 0.7)


KINDS: dict[str, tuple[float, Callable[[random.Random, dict[str, bytes]], Mutant]]] = {
    "model: bytes": (8, _of_model(_bytes_changed)),
    "model: offsets": (12, _of_model(_word_changed)),
    "model: lengths": (8, _of_model(_length_changed)),
    "model: cut": (4, _of_model(_cut)),
    "model: objects": (22, _of_model(_repacked)),
    "model: scales": (6, _of_model(_scales)),
    "model: swapped": (1, _models_swapped),
    "plan: bytes": (3, _of_plan(_bytes_changed)),
    "plan: words": (6, _of_plan(_word_changed)),
    "plan: cut": (1, _of_plan(_cut)),
    "manifest: fields": (6, _of_json(MANIFEST_NAME, _json_changed)),
    "manifest: text": (2, _of_json(MANIFEST_NAME, _text_changed)),
    "manifest: paths": (2, _manifest_paths),
    "labels": (3, _labels),
    "front end": (6, _of_json("frontend.json", _json_changed, _json_changed, _json_changed, _text_changed)),
    "golden index": (2, _of_json("golden/golden.json", _json_changed, _text_changed)),
    "golden arrays": (4, _golden_array),
    "head": (2, _of_json(HEAD_FILE, _json_changed, _text_changed)),
    "cards and code": (1, _other_file),
    "links": (2, _links),
    "files": (2, _extra),
}
"""Every kind of mutant: how often it is drawn, and what makes it."""


class MutantFolder:
    """A copy of a bundle that is changed into one mutant after the other.

    Parameters
    ----------
    folder : Path
        Is made.
    whole : dict of str to bytes
        The bundle.
    """

    def __init__(self, folder: Path, whole: dict[str, bytes]) -> None:
        self.folder, self._whole = folder, whole
        for name, content in whole.items():
            self._write(name, content)

    def become(self, made: Mutant) -> None:
        """Write what is changed."""
        for name, content in made.files.items():
            if content is None:
                (self.folder / name).unlink()
            else:
                self._write(name, content)
        for name, target in made.links.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if target == "":
                os.mkfifo(path)
            elif target == "/" and not path.exists() and name in self._whole:
                path.mkdir()
            else:
                path.symlink_to(target)

    def heal(self, made: Mutant) -> None:
        """Undo it."""
        for name in (*made.links, *(name for name in made.files if name not in self._whole)):
            path = self.folder / name
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            else:
                path.unlink(missing_ok=True)
            for parent in path.relative_to(self.folder).parents:
                if (self.folder / parent).is_dir() and not any((self.folder / parent).iterdir()):
                    (self.folder / parent).rmdir()
        for name in {*made.files, *made.links} & set(self._whole):
            self._write(name, self._whole[name])

    def _write(self, name: str, content: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
