# SPDX-License-Identifier: Apache-2.0
"""`verify_bundle`: whether a folder is what was exported, and computes what it computed then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mmq_bridge.bundle import golden
from mmq_bridge.bundle.agreement import agreement
from mmq_bridge.bundle.decision_check import check_decisions
from mmq_bridge.bundle.flatbuffer import count_macs, list_ops
from mmq_bridge.bundle.golden_decisions import DECISIONS_FILE
from mmq_bridge.bundle.golden_store import GoldenStore
from mmq_bridge.bundle.microcontroller import MicroModel, arena_bytes, micro_there
from mmq_bridge.bundle.network_files import INT8_STEPS, check_network
from mmq_bridge.bundle.reader import OpenedBundle, open_bundle, read_files
from mmq_bridge.bundle.signature import check_signature
from mmq_bridge.bundle.sources import check_sources
from mmq_bridge.decision.bundle_files import MODEL_FILES, NETWORK_FILE
from mmq_bridge.decision.manifest import MANIFEST_NAME, SIGNATURE_NAME, Manifest, read_manifest
from mmq_bridge.decision.runtime import check_runtime
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.filter_check import check_filters, scipy_there
from mmq_bridge.front_end.front_end import FrontEnd

RANDOM_WINDOWS = 200
FLOAT_TOLERANCE = 1e-3
MIN_AGREEMENT = 0.97  # of the integer models and runtimes with each other; float against int8 is only shown


@dataclass(frozen=True)
class Check:
    """One question and its answer; `state` is ``skipped`` where this machine cannot ask it."""

    name: str
    state: Literal["ok", "failed", "skipped"]
    detail: str


@dataclass
class VerifyReport:
    """Everything `verify_bundle` found.

    Attributes
    ----------
    folder : str
    manifest : Manifest or None
        None where it cannot be read.
    checks : list of Check
        In the order they were made; nothing is run after a file failed its digest.
    numbers : dict
        ``bytes``, ``arena_bytes``, ``macs`` of the int8 model.
    ops : dict of str to int
    agreement : dict of str to float
        Share of equal classes over golden and random windows, a pair of models.
    """

    folder: str
    manifest: Manifest | None = None
    checks: list[Check] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    ops: dict[str, int] = field(default_factory=dict)
    agreement: dict[str, float] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return not self.problems

    @property
    def problems(self) -> list[str]:
        """The detail of each failed check."""
        return [check.detail for check in self.checks if check.state == "failed"]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "folder": self.folder,
            "ok": self.ok,
            "simulated": None if self.manifest is None else self.manifest.simulated,
            "checks": [asdict(check) for check in self.checks],
            **self.numbers,
            "ops": self.ops,
            "agreement": self.agreement,
        }

    def ask(self, name: str, question: Callable[[], str]) -> bool:
        """Note the answer of one check: its detail, or the error it raised."""
        try:
            self.checks.append(Check(name, "ok", question()))
        except BridgeError as error:
            self.checks.append(Check(name, "failed", str(error)))
        return self.checks[-1].state == "ok"


def verify_bundle(folder: str | Path, key: Path | None = None) -> VerifyReport:
    """Check a bundle folder from its digests to its decisions.

    The report says what failed; nothing is raised for a bad bundle. Nothing of a bundle reaches an
    interpreter or a compiler before its digest, its flatbuffer and its source text were checked.

    Parameters
    ----------
    folder
        A bundle.
    key
        PEM file of an Ed25519 public key: then the bundle must be signed with its private one.
    """
    folder = Path(folder)
    report = VerifyReport(str(folder))
    read: list[bytes] = []
    if key is not None and not report.ask("signature", lambda: _check_signed(folder, key, read)):
        return report
    files: dict[str, bytes] = {}
    if not report.ask("files", lambda: _read_all(folder, report, files, read)):
        return report
    report.ask("runtime", lambda: f"LiteRT {check_runtime()}")
    opened: list[OpenedBundle] = []
    if report.ok and report.ask("contents", lambda: _open(folder, report, files, opened)):
        _check_opened(opened[0], report)
    return report


def _check_signed(folder: Path, key: Path, read: list[bytes]) -> str:
    read.append(read_manifest(folder))
    return check_signature(folder, read[0], key)


def _read_all(folder: Path, report: VerifyReport, files: dict[str, bytes], read: list[bytes]) -> str:
    content = read[0] if read else read_manifest(folder)  # what was signed is what is read
    report.manifest = Manifest.from_bytes(content, folder / MANIFEST_NAME)
    files |= read_files(folder, report.manifest)
    signed = "; signed, --key checks by whom" if not read and (folder / SIGNATURE_NAME).exists() else ""
    return f"{len(files)} files, every SHA-256 as exported{signed}"


def _open(folder: Path, report: VerifyReport, files: dict[str, bytes], opened: list[OpenedBundle]) -> str:
    if report.manifest is None:
        raise BridgeError(f"{folder}: no manifest was read.")
    bundle = open_bundle(folder, report.manifest, files)
    check_filters(bundle.front_end, f"{folder / 'frontend.json'}")
    opened.append(bundle)
    version = f"front end version {bundle.front_end.frontend_version}"
    return f"{version}, {len(bundle.models)} models, {len(bundle.golden.signals)} golden signals"


def _check_opened(bundle: OpenedBundle, report: VerifyReport) -> None:
    content = bundle.files[MODEL_FILES["int8"]]
    report.ask("operations and size", lambda: _measure(bundle, content, report))
    if not scipy_there() and any(one.filters for one in bundle.front_end.modalities.values()):
        report.checks.append(Check("filters", "skipped", "SciPy, which designs them, is not installed"))
    report.ask("C core", lambda: _replay_core(bundle))
    for name in bundle.models:
        report.ask(f"LiteRT {name}", lambda name=name: _replay_litert(bundle, name))
    if not micro_there():
        report.checks.append(Check("TFLite Micro", "skipped", "tflite-micro is not installed"))
    elif "arena_bytes" in report.numbers:
        report.ask("TFLite Micro", lambda: _replay_micro(bundle, content, report))
    if NETWORK_FILE in bundle.files:
        report.ask(
            "C network", lambda: check_network(bundle, *random_windows(bundle.golden, bundle.front_end))
        )
        _check_decisions(bundle, report)
    else:
        report.checks.append(Check("C network", "skipped", "the bundle brings none"))
        report.checks.append(Check("C decisions", "skipped", "the bundle brings no network as C"))
    outcome = check_sources(bundle)
    report.checks += [Check(f"C source: {name}", state, detail) for name, state, detail in outcome]


def _check_decisions(bundle: OpenedBundle, report: VerifyReport) -> None:
    golden_ones = bundle.golden.decisions
    if golden_ones is None:
        detail = (
            f"{bundle.folder / DECISIONS_FILE} is not there: exported before bundles had golden decisions"
        )
        report.checks.append(Check("C decisions", "skipped", detail))
    else:
        report.ask("C decisions", lambda: check_decisions(bundle, golden_ones))


def _measure(bundle: OpenedBundle, content: bytes, report: VerifyReport) -> str:
    facts = bundle.manifest.model
    report.ops = dict(sorted(list_ops(content).items()))
    report.numbers = {"bytes": len(content), "macs": count_macs(content)}
    if report.ops != facts.ops or report.numbers["macs"] != facts.macs:
        raise BridgeError(
            f"{bundle.folder / MANIFEST_NAME}: operations or MACs are not those of the int8 model; "
            "export again."
        )
    if not micro_there():
        return f"{len(content)} bytes, {report.numbers['macs']} MACs"
    report.numbers["arena_bytes"] = arena_bytes(content)
    return f"{len(content)} bytes, arena {report.numbers['arena_bytes']} bytes, {report.numbers['macs']} MACs"


def _replay_core(bundle: OpenedBundle) -> str:
    store = bundle.golden
    made = golden.replay_golden(store.front_end, store.signals)
    for name, wanted in vars(store.tokens).items():
        got = getattr(made, name)
        if got.shape != wanted.shape or got.tobytes() != wanted.astype(got.dtype).tobytes():
            raise BridgeError(
                f"{bundle.folder / 'golden' / f'{name}.npy'}: the C core computes other values (largest "
                "difference "
                f"{_largest(got, wanted):.3g}); rebuild mmq-tf or export again."
            )
    return f"{len(made.features)} tokens and {len(made.window_tokens)} windows, bit for bit"


def _largest(got: np.ndarray, wanted: np.ndarray) -> float:
    if got.shape != wanted.shape:
        return float("inf")
    return float(np.nanmax(np.abs(got.astype(np.float64) - wanted.astype(np.float64)), initial=0.0))


def _tolerance(bundle: OpenedBundle, name: str, task: str) -> float:
    if name == "float32":
        return FLOAT_TOLERANCE * max(
            1.0, float(np.abs(bundle.golden.logits["float32"][task]).max(initial=0.0))
        )
    scale, _ = bundle.models["int8"].output_details[task]["quantization"]
    return INT8_STEPS * float(scale)


def _compare_logits(bundle: OpenedBundle, name: str, got: dict[str, np.ndarray], who: str) -> str:
    """Compare with the golden logits of float32 or int8."""
    stored = "float32" if name == "float32" else "int8"
    worst = 0.0
    for task, wanted in bundle.golden.logits[stored].items():
        difference, allowed = _largest(got[task], wanted), _tolerance(bundle, name, task)
        if not difference <= allowed:
            raise BridgeError(
                f"{bundle.folder / MODEL_FILES[name]}: {who} computes logits of {task} that differ by "
                f"{difference:.3g} from "
                f"the golden ones ({allowed:.3g} allowed); use a runtime the bundle's README names."
            )
        worst = max(worst, difference)
    return f"golden logits within {worst:.2g}"


def _replay_litert(bundle: OpenedBundle, name: str) -> str:
    tokens = bundle.golden.tokens
    got = bundle.models[name].predict_many(tokens.window_features, tokens.window_presence)
    return _compare_logits(bundle, name, got, "LiteRT")


def _replay_micro(bundle: OpenedBundle, content: bytes, report: VerifyReport) -> str:
    tokens, micro = bundle.golden.tokens, MicroModel(content, apart=True)
    got = micro.predict_many(tokens.window_features, tokens.window_presence)
    detail = _compare_logits(bundle, "int8", got, "TFLite Micro")
    features, presence = random_windows(bundle.golden, bundle.front_end)
    logits = {name: model.predict_many(features, presence) for name, model in bundle.models.items()}
    report.agreement = {
        "float32 / int8": agreement(logits["float32"], logits["int8"]),
        "int8 / int8 float io": agreement(logits["int8"], logits["int8_float_io"]),
        "int8 / TFLite Micro": agreement(logits["int8"], micro.predict_many(features, presence)),
    }
    for pair in ("int8 / int8 float io", "int8 / TFLite Micro"):
        share = report.agreement[pair]
        if share < MIN_AGREEMENT:
            raise BridgeError(
                f"{bundle.folder}: {pair} name the same class in {share:.1%} of {len(features)} windows, "
                f"{MIN_AGREEMENT:.0%} are needed; export again with the versions of constraints.txt."
            )
    return detail


def random_windows(
    store: GoldenStore, front_end: FrontEnd, count: int = RANDOM_WINDOWS
) -> tuple[np.ndarray, np.ndarray]:
    """Return the golden windows and `count` random ones: golden tokens reshuffled, with noise and gaps.

    Returns
    -------
    features : np.ndarray
        float32 [W + count, T, F].
    presence : np.ndarray
        float32 [W + count, T, M].
    """
    rng = np.random.default_rng(0)
    tokens = store.tokens
    shape = (count, front_end.tokens)
    rows = rng.integers(len(tokens.window_features), size=shape)
    steps = rng.integers(front_end.tokens, size=shape)
    features = tokens.window_features[rows, steps] + rng.normal(0, 0.5, (*shape, front_end.n_features))
    keep = rng.random((*shape, len(front_end.modality_names))) >= rng.uniform(0, 0.9, (count, 1, 1))
    presence = tokens.window_presence[rows, steps] * keep
    for index, part in enumerate(front_end.feature_slices.values()):
        features[:, :, part] *= presence[:, :, index, None]
    clip = front_end.normalisation.clip if front_end.normalisation else 5.0
    return (
        np.concatenate([tokens.window_features, np.clip(features, -clip, clip)]).astype(np.float32),
        np.concatenate([tokens.window_presence, presence]).astype(np.float32),
    )
