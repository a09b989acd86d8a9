# SPDX-License-Identifier: Apache-2.0
"""Bundles that somebody means to harm with: one change of a whole one, its manifest made right again."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable

from mmq_bridge.decision.head_file import HEAD_FILE
from mmq_bridge.decision.manifest import MANIFEST_NAME

from methods.mutant_base import Mutant, MutantFolder, bytes_changed, cut_short, whole_files
from methods.mutant_files import extra, golden_array, links, other_file
from methods.mutant_manifests import json_changed, labels, manifest_paths, of_json, text_changed
from methods.mutant_models import (
    length_changed,
    models_swapped,
    of_model,
    of_plan,
    repacked,
    scales,
    word_changed,
)

__all__ = ["KINDS", "Mutant", "MutantFolder", "mutant", "sign_again", "whole_files"]


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


KINDS: dict[str, tuple[float, Callable[[random.Random, dict[str, bytes]], Mutant]]] = {
    "model: bytes": (8, of_model(bytes_changed)),
    "model: offsets": (12, of_model(word_changed)),
    "model: lengths": (8, of_model(length_changed)),
    "model: cut": (4, of_model(cut_short)),
    "model: objects": (22, of_model(repacked)),
    "model: scales": (6, of_model(scales)),
    "model: swapped": (1, models_swapped),
    "plan: bytes": (3, of_plan(bytes_changed)),
    "plan: words": (6, of_plan(word_changed)),
    "plan: cut": (1, of_plan(cut_short)),
    "manifest: fields": (6, of_json(MANIFEST_NAME, json_changed)),
    "manifest: text": (2, of_json(MANIFEST_NAME, text_changed)),
    "manifest: paths": (2, manifest_paths),
    "labels": (3, labels),
    "front end": (6, of_json("frontend.json", json_changed, json_changed, json_changed, text_changed)),
    "golden index": (2, of_json("golden/golden.json", json_changed, text_changed)),
    "golden arrays": (4, golden_array),
    "head": (2, of_json(HEAD_FILE, json_changed, text_changed)),
    "cards and code": (1, other_file),
    "links": (2, links),
    "files": (2, extra),
}
"""Every kind of mutant: how often it is drawn, and what makes it."""
