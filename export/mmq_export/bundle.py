# SPDX-License-Identifier: Apache-2.0
"""`write_bundle`: a trained net becomes a folder to embed, or an error that says why not."""

from __future__ import annotations

import gzip
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from mmq_bridge.bundle import golden, sources
from mmq_bridge.bundle.c_model import ModelAbout
from mmq_bridge.bundle.deployable_ops import check_ops
from mmq_bridge.bundle.flatbuffer import count_macs, list_ops
from mmq_bridge.bundle.golden_decisions import golden_decisions
from mmq_bridge.bundle.microcontroller import arena_if_there
from mmq_bridge.bundle.network_files import network_plan
from mmq_bridge.bundle.signature import Sign
from mmq_bridge.decision.bundle_files import MODEL_FILES, NETWORK_FILE
from mmq_bridge.decision.fit_together import check_fits
from mmq_bridge.decision.head_file import HEAD_FILE, check_head
from mmq_bridge.decision.manifest import (
    DataFacts,
    DecisionSettings,
    FineTuningFacts,
    Manifest,
    ModelFacts,
    decision_settings,
    file_entry,
)
from mmq_bridge.decision.replay import SignalLike
from mmq_bridge.decision.runtime import TFLiteModel
from mmq_bridge.front_end.front_end import FrontEnd, Quantisation
from mmq_bridge.front_end.head_tables import HeadTables
from mmq_bridge.targets.whole_cost import bundle_cost
from mmq_bridge.tflite.check import check_model
from pydantic import ValidationError

from mmq_export import card
from mmq_export import quantisation_gate as gate
from mmq_export.calibrate import calibration_windows
from mmq_export.convert import convert, convert_each
from mmq_export.errors import ExportError
from mmq_export.folder import BUNDLE, write_folder
from mmq_export.recipes import RECIPES

CALIBRATION_WINDOWS = 300
_PACKAGES = ("mmq-tf", "tensorflow", "keras", "numpy", "ai-edge-litert", "tflite-micro")

OnGate = Callable[[Sequence[gate.GateRow]], None]


@dataclass(frozen=True)
class Windows:
    """Windows an export needs: features float32 [N, T, F], presence [N, T, M], labels int8 [N, tasks]."""

    features: np.ndarray
    presence: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class _Models:
    """The three flatbuffers and LiteRT's view of two of them."""

    content: dict[str, bytes]
    int8: TFLiteModel
    float32: TFLiteModel


class _Vectors(NamedTuple):
    """The golden replay's front end, samples and tokens, and the logits by model and task."""

    front_end: FrontEnd
    signals: dict[str, golden.GoldenSignal]
    tokens: golden.GoldenTokens
    logits: dict[str, dict[str, np.ndarray]]


def write_bundle(
    out: str | Path,
    *,
    deployed: keras.Model,
    front_end: FrontEnd,
    decision: Mapping[str, object],
    validation: Windows,
    golden_signals: Mapping[str, SignalLike],
    card_facts: Mapping[str, Any],
    gate_rules: gate.GateRules,
    golden_origin: golden.GoldenOrigin | None = None,
    head: HeadTables | None = None,
    code: bool = True,
    report_html: str | None = None,
    max_drop: float = 0.5,
    calibration: Windows | None = None,
    fine_tuning: FineTuningFacts | None = None,
    reference: keras.Model | None = None,
    count: bool = False,
    sign: Sign | None = None,
    on_gate: OnGate = lambda rows: None,
) -> Manifest:
    """Quantise a net, judge it, and write the bundle folder.

    Parameters
    ----------
    out
        Folder to make; an older bundle there is replaced, anything else is refused.
    deployed
        From `mmq_export.deployed_graph.deployed_model`.
    front_end
        With the run's normalisation.
    decision
        The run's decision settings (see `mmq_bridge.decision.manifest.DecisionSettings`).
    validation
        Normalised windows of subjects that did not train the net: int8 is judged on them.
    golden_signals
        Raw signals by modality, for the golden replay.
    card_facts
        ``name``, ``data`` (see `DataFacts`), ``exported_model``, ``train_subjects``, ``validation_subjects``,
        ``test_subjects``, ``results`` (rows of the results contract), ``transfer`` (see
        `card.documents`).
    gate_rules
        How windows are hidden and scored where int8 is judged.
    golden_origin
        Whose signals those are; the training data's where it is not given.
    head
        Tables of a personal head, where the run has them.
    code
        Whether C sources go into the folder; `mmq_export.add_sources.complete_bundle` can add them later.
    report_html
        The run's report.
    max_drop
        Points of macro-F1 int8 may lose.
    calibration
        Windows the converter sees; the validation windows where none are given.
    fine_tuning
        What was done to the run's net before, where something was.
    reference
        The run's own deployed net, where `deployed` was fine-tuned: int8 is judged against that one.
    count
        Whether the card's instructions, flash, RAM and stack are counted, on an emulated Cortex-M4F where its
        tools are installed.
    sign
        Signs the manifest, from `mmq_bridge.bundle.signature.load_signer`.
    on_gate
        Called with the table of float against int8 before it is judged.

    Returns
    -------
    Manifest

    Raises
    ------
    ExportError
        When int8 loses too much, an operation is not allowed, parts do not fit, or the folder cannot be
        written.
    BridgeError
        When the model does not fit the front end or the decision settings, or the front end has features
        that only Python computes.
    """
    out = Path(out)
    BUNDLE.check(out)
    front_end.check_deployable()
    settings = decision_settings(decision)
    models = _convert(deployed, calibration or validation)
    front_end = front_end.with_quantisation(_quantisation(models.int8)).with_filters()
    check_fits(front_end, models.int8, settings)
    if head is not None:
        check_head(head, front_end, settings)
    mix = gate.missing_mix(validation.features, validation.presence, validation.labels, gate_rules)
    judge = models.float32 if reference is None else _float_model(reference)
    rows = gate.compare(judge, models.int8, mix, tuple(settings.tasks), gate_rules)
    on_gate(rows)
    judged = gate.require(rows, max_drop)
    facts = _model_facts(models, judged, max_drop)
    data = _data_facts(card_facts)
    origin = golden_origin or golden.GoldenOrigin(data.name, data.simulated)
    vectors = _golden_vectors(front_end, models, golden_signals)
    files = _model_files(models, front_end) | network_plan(models.content["int8"], list(settings.tasks))
    plan = files.get(NETWORK_FILE)
    files |= golden.golden_files(*vectors, origin, _decisions(vectors, settings, plan))
    files |= {HEAD_FILE: head.to_json().encode()} if head else {}
    about = sources.about_model(str(card_facts.get("name")), data)
    written = _sources(front_end, models, settings, facts, vectors, about, head) if code or count else {}
    files |= written if code else {}
    core = sources.part_of(written, sources.FOLDER) if count else None
    cost = bundle_cost(core, vectors.front_end, vectors.signals, settings.every_tokens, plan)
    manifest = _manifest(files, facts, settings, card_facts, data, fine_tuning)
    results = card_facts.get("results", ())
    held_back = any(card_facts.get(side) for side in ("validation_subjects", "test_subjects"))
    told = card.documents(
        manifest,
        front_end,
        rows,
        results,
        origin,
        report_html,
        held_back=held_back,
        cost=cost,
        transfer=card_facts.get("transfer", ()),
    )
    files |= told
    entries = {name: file_entry(content) for name, content in sorted(files.items())}
    manifest = manifest.model_copy(update={"files": entries})
    write_folder(out, files, manifest, sign)
    return manifest


def _convert(deployed: keras.Model, calibration: Windows) -> _Models:
    windows = calibration_windows(calibration.features, calibration.presence, CALIBRATION_WINDOWS)
    content = dict(zip(RECIPES, convert_each(deployed, windows, list(RECIPES.values())), strict=True))
    for name, value in content.items():
        check_model(value, MODEL_FILES[name])
        check_ops(value)
    return _Models(
        content,
        TFLiteModel(content["int8"], MODEL_FILES["int8"], own=True),
        TFLiteModel(content["float32"], MODEL_FILES["float32"], own=True),
    )


def _float_model(deployed: keras.Model) -> TFLiteModel:
    return TFLiteModel(convert(deployed, None, RECIPES["float32"]), MODEL_FILES["float32"], own=True)


def _quantisation(model: TFLiteModel) -> Quantisation:
    scale, zero_point = model.quantisation("features")
    return Quantisation(scale=scale, zero_point=zero_point)


def _model_facts(models: _Models, judged: gate.GateRow, max_drop: float) -> ModelFacts:
    content = models.content
    return ModelFacts(
        float32_bytes=len(content["float32"]),
        int8_bytes=len(content["int8"]),
        int8_gzip_bytes=len(gzip.compress(content["int8"], mtime=0)),
        int8_float_io_bytes=len(content["int8_float_io"]),
        arena_bytes=arena_if_there(content["int8"]),
        float32_arena_bytes=arena_if_there(content["float32"]),
        macs=count_macs(content["int8"]),
        ops=dict(sorted(list_ops(content["int8"]).items())),
        float32_macro_f1=judged.float32_macro_f1,
        int8_macro_f1=judged.int8_macro_f1,
        drop_points=judged.drop_points,
        max_drop_points=max_drop,
        agreement=judged.agreement,
        judged_windows=judged.windows,
    )


def _model_files(models: _Models, front_end: FrontEnd) -> dict[str, bytes]:
    files = {MODEL_FILES[name]: content for name, content in models.content.items()}
    return {**files, "frontend.json": front_end.to_json().encode("utf-8")}


def _golden_vectors(front_end: FrontEnd, models: _Models, signals: Mapping[str, SignalLike]) -> _Vectors:
    """Return the golden samples with their front end, and what the core and the models make of them."""
    cut = golden.cut_golden(signals, front_end)
    short = golden.golden_front_end(front_end, golden.count_tokens(front_end, cut))
    tokens = golden.replay_golden(short, cut)
    logits = {
        "float32": models.float32.predict_many(tokens.window_features, tokens.window_presence),
        "int8": models.int8.predict_many(tokens.window_features, tokens.window_presence),
    }
    return _Vectors(short, cut, tokens, logits)


def _decisions(vectors: _Vectors, settings: DecisionSettings, plan: bytes | None) -> np.ndarray | None:
    return None if plan is None else golden_decisions(vectors.front_end, vectors.signals, settings, plan)


def _sources(
    front_end: FrontEnd,
    models: _Models,
    settings: DecisionSettings,
    facts: ModelFacts,
    vectors: _Vectors,
    about: ModelAbout,
    head: HeadTables | None,
) -> dict[str, bytes]:
    return sources.code_files(
        front_end,
        vectors.front_end,
        vectors.signals,
        models.content["int8"],
        models.int8,
        settings,
        facts,
        about,
        head,
    )


def _data_facts(card_facts: Mapping[str, Any]) -> DataFacts:
    try:
        return DataFacts.model_validate(card_facts["data"])
    except (KeyError, ValidationError) as error:
        raise ExportError(
            "metrics.json: data must hold name, title, licence, attribution, simulated and label_kind; "
            "train again."
        ) from error


def _manifest(
    files: Mapping[str, bytes],
    facts: ModelFacts,
    settings: DecisionSettings,
    card_facts: Mapping[str, Any],
    data: DataFacts,
    fine_tuning: FineTuningFacts | None,
) -> Manifest:
    try:
        return Manifest(
            name=str(card_facts["name"]),
            versions=_versions(),
            simulated=data.simulated,
            data=data,
            exported_model=str(card_facts["exported_model"]),
            train_subjects=tuple(card_facts.get("train_subjects", ())),
            test_subjects=tuple(card_facts.get("test_subjects", ())),
            decision=settings,
            model=facts,
            fine_tuning=fine_tuning,
            files={name: file_entry(content) for name, content in files.items()},
        )
    except (KeyError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise ExportError(
            f"metrics.json: the run's facts are not complete ({reason}); train again."
        ) from error


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
