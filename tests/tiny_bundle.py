# SPDX-License-Identifier: Apache-2.0
"""A very small model and signals for tests of runtime, device, bundle and verify. Not collected by pytest."""

import contextlib
import hashlib
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from mmq_bridge.bundle.golden import GoldenSignal
from mmq_bridge.core_binding.native import extract_tokens
from mmq_bridge.front_end.front_end import FrontEnd, Normalisation

TASKS = {"stress": ["rest", "stress"]}
DECISION = {
    "tasks": TASKS,
    "temperature": {"stress": 2.0},
    "min_confidence": {"stress": 0.55},
    "min_present_share": 0.2,
    "every_tokens": 1,
}
FACTS = {
    "name": "tiny",
    "data": {
        "name": "simulated",
        "title": "A tiny | simulated <set>",
        "licence": "CC0",
        "attribution": "nobody",
        "simulated": True,
        "label_kind": "condition",
    },
    "exported_model": "all subjects",
    "train_subjects": ["S01", "S02"],
    "test_subjects": ["S03"],
    "results": [
        {
            "method": "mmqnet",
            "condition": "full",
            "metric": "macro_f1",
            "mean": 0.8,
            "low": 0.7,
            "high": 0.9,
            "n": 3,
        }
    ],
}


def front_end(mode: Any = "enrolment", enrolment_s=60.0):
    bare = FrontEnd.wearable({"ppg": 64, "eda": 4, "temp": 4, "acc": 32}, tokens=4)
    features = extract_tokens(bare, signals(120.0)).features
    return bare.with_normalisation(
        Normalisation(
            mode=mode,
            mean=tuple(np.nan_to_num(np.nanmean(features[6:], axis=0))),
            std=tuple(np.nan_to_num(np.nanstd(features[6:], axis=0)) + 0.1),
            enrolment_s=enrolment_s if mode == "enrolment" else 0,
        )
    )


def signals(seconds=60.0, seed=0):
    rng = np.random.default_rng(seed)

    def make(rate_hz, values, start_s=0.0):
        samples = np.atleast_2d(values(np.arange(round(rate_hz * seconds)) / rate_hz)).astype(np.float32)
        return GoldenSignal(samples, float(rate_hz), start_s)

    return {
        "ppg": make(64, lambda t: 50 * np.sin(2 * np.pi * 1.2 * t) + 20 * np.sin(2 * np.pi * 2.4 * t), 0.25),
        "eda": make(4, lambda t: 2 + 0.3 * np.sin(t / 7) + rng.normal(0, 0.01, t.shape)),
        "temp": make(4, lambda t: 33 + t / 500 + rng.normal(0, 0.01, t.shape)),
        "acc": make(
            32, lambda t: np.stack([0.1 * np.sin(t), 0 * t, 1 + 0 * t]) + rng.normal(0, 0.02, (3, t.size))
        ),
    }


def windows(fe, count=80, seed=0):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, fe.tokens, fe.n_features)).astype(np.float32)
    presence = rng.random((count, fe.tokens, len(fe.modality_names))) > 0.1
    for index, part in enumerate(fe.feature_slices.values()):
        features[:, :, part] *= presence[:, :, index, None]
    labels = (features.mean((1, 2)) > 0).astype(np.int8)[:, None]
    return SimpleNamespace(features=features, presence=presence, labels=labels)


def network(fe, scale=0.5):
    """A linear model of the window's mean: enough to have scales, two inputs and something to predict."""
    import keras

    keras.utils.set_random_seed(0)
    tokens, width, modalities = fe.tokens, fe.n_features, len(fe.modality_names)
    features = keras.Input((tokens, width), batch_size=1, name="features")
    presence = keras.Input((tokens, modalities), batch_size=1, name="presence")
    hidden = keras.layers.Reshape((tokens * width,))(features)
    hidden = keras.layers.Dense(8, activation="relu", name="hidden")(hidden)
    seen = keras.layers.Reshape((tokens * modalities,))(presence)
    hidden = keras.layers.Add()([hidden, keras.layers.Dense(8, name="seen")(seen)])
    logits = keras.layers.Dense(2, name="logits")(hidden)
    model = keras.Model([features, presence], {"stress": logits}, name="deployed")
    ones = np.full((tokens * width, 8), scale / (tokens * width))
    ones[:, 4:] *= -1
    model.get_layer("hidden").set_weights([ones * 20, np.zeros(8)])
    model.get_layer("seen").set_weights([np.full((tokens * modalities, 8), 0.01), np.zeros(8)])
    out = np.ones((8, 2)) * scale
    out[4:, 1] = out[:4, 0] = -scale
    model.get_layer("logits").set_weights([out, np.array([0.1, -0.1])])
    return model


def write(out, **changes):
    from mmq_export.bundle import Windows, write_bundle

    from mmq_tf.api.gate_rules import GATE_RULES

    fe = changes.pop("front_end", front_end())
    found = windows(fe)
    settings = {
        "deployed": network(fe),
        "front_end": fe,
        "decision": DECISION,
        "validation": Windows(found.features, found.presence, found.labels),
        "golden_signals": signals(),
        "card_facts": FACTS,
        "gate_rules": GATE_RULES,
        "max_drop": 5.0,
    }
    return write_bundle(out, **{**settings, **changes})


def write_once(base):
    """Return the bundle all tests share: workers of pytest-xdist have folders beside each other."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    base = base.parent if worker else base
    folder = base / "tiny_bundle"
    if not folder.is_dir():
        write(base / f"tiny_bundle_{worker}")
        with contextlib.suppress(OSError):  # another worker was faster
            os.rename(base / f"tiny_bundle_{worker}", folder)
    return folder


def sign_again(folder, changed):
    """Make the manifest agree with changed files, as someone who forges a bundle would."""
    path = Path(folder) / "manifest.json"
    manifest = json.loads(path.read_text())
    for name in changed:
        content = (Path(folder) / name).read_bytes()
        manifest["files"][name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    path.write_text(json.dumps(manifest))
