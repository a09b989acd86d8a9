# SPDX-License-Identifier: Apache-2.0
"""Changes of a bundle's golden arrays, of what people and compilers read, and of its folder."""

from __future__ import annotations

import random

from mmq_bridge.decision.bundle_files import MODEL_FILES, NETWORK_FILE
from mmq_bridge.decision.manifest import MANIFEST_NAME

from methods.mutant_base import Mutant, bytes_changed, cut_short
from methods.mutant_manifests import text_changed


def golden_array(draw: random.Random, whole: dict[str, bytes]) -> Mutant:
    """Change a golden array: its header, its size, its type, or its numbers."""
    name = draw.choice([name for name in whole if name.endswith(".npy")])
    content, what = whole[name], draw.randrange(7)
    head = 10 + int.from_bytes(content[8:10], "little")
    if what == 0:
        changed = bytes_changed(draw, content[:head]) + content[head:]
    elif what == 1:
        changed = cut_short(draw, content)
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


def other_file(draw: random.Random, whole: dict[str, bytes]) -> Mutant:
    """Change a card, a README, a licence, a source: what people and compilers read."""
    known = {*MODEL_FILES.values(), NETWORK_FILE, MANIFEST_NAME, "frontend.json"}
    name = draw.choice([n for n in whole if n not in known and not n.startswith("golden/")])
    change = draw.choice((text_changed, bytes_changed, cut_short))
    return Mutant("", {name: change(draw, whole[name] or b"x")})


def links(draw: random.Random, whole: dict[str, bytes]) -> Mutant:
    """Put a link or a pipe into the bundle, or in place of a file."""
    name = draw.choice(tuple(whole))
    target = draw.choice(
        ("/etc/passwd", "/dev/zero", "/proc/self/mem", "/", ".", "nowhere", "", "/dev/stdin")
    )
    where = draw.choice((name, "x", "golden/x", "a/b/c/d/e/x"))
    return Mutant("", {name: None} if where == name else {}, {where: target}, signed=False)


def extra(draw: random.Random, whole: dict[str, bytes]) -> Mutant:
    """Take a file away, add one or a folder, or make one large."""
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
