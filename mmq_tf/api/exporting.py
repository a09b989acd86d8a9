# SPDX-License-Identifier: Apache-2.0
"""A run, or a model that comes with the package, becomes a bundle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmq_tf import pretrained
from mmq_tf.api.deciding import load
from mmq_tf.api.run_files import (
    check_above_chance,
    read_golden,
    read_head,
    read_report,
    read_transfer,
    read_windows,
    run_facts,
    source_folder,
)
from mmq_tf.errors import MMQError
from mmq_tf.utils.progress import SILENT, WorkProgress

if TYPE_CHECKING:
    from mmq_bridge.bundle.verify import VerifyReport
    from mmq_bridge.decision.bundle_files import ModelName
    from mmq_bridge.decision.device import Device
    from mmq_bridge.decision.manifest import Manifest
    from mmq_bridge.front_end.front_end import FrontEnd

    from mmq_tf.training.run import Run

BUNDLES = Path("bundles")
DEFAULT_EPOCHS = 20
MAX_DROP = 0.5


@dataclass(frozen=True)
class Bundle:
    """A bundle's folder.

    Attributes
    ----------
    folder : Path
    manifest : Manifest
        What it holds, how large it is, what it scores.
    """

    folder: Path
    manifest: Manifest

    def load(self, model: ModelName = "int8") -> Device:
        """Return the device that decides by it; see `mmq_tf.load`."""
        return load(self.folder, model)

    def verify(self) -> VerifyReport:
        """Return what `mmq-tf verify` finds: digests, the C core, LiteRT and TFLite Micro."""
        from mmq_bridge.bundle.verify import verify_bundle

        return verify_bundle(self.folder)

    def push_to_hub(
        self,
        repo: str,
        *,
        private: bool = False,
        results: Sequence[str | Path] = (),
        licence: str = "apache-2.0",
        demographics: str = "",
        message: str = "",
    ) -> str:
        """Push the bundle and a card to the Hugging Face Hub, and return where it is shown.

        Needs ``pip install mmq-tf[hub]``, and a token that `huggingface_hub` finds.

        Parameters
        ----------
        repo : str
            ``owner/name``; made where it is not there.
        private : bool
            Of a new repository.
        results : sequence of str or Path
            Tables (``results.json`` of a run, or of `mmq-tf evaluate --on`) for the card's ``model-index``.
        licence : str
            Of the model, as the hub writes it.
        demographics : str
            What is known of the people it learned from, a sentence or two.
        message : str
            Of the commit; by default it names the bundle.

        Raises
        ------
        MMQError
            If huggingface_hub is not installed, or the hub refuses.
        BridgeError
            If the bundle is not whole.
        """
        from mmq_tf.api.hub import card_of, push

        card = card_of(self.folder, repo, results, licence, demographics)
        return push(self.folder, repo, card, private=private, message=message)

    @classmethod
    def from_hub(cls, repo: str, *, revision: str | None = None, folder: str | Path | None = None) -> Bundle:
        """Pull a bundle that `push_to_hub` pushed; it is checked like any other before it is kept.

        Parameters
        ----------
        repo : str
            ``owner/name``.
        revision : str, optional
            A branch, tag or commit; by default the newest.
        folder : str or Path, optional
            To make, by default one in the cache. A bundle there is replaced, anything else refused.

        Raises
        ------
        MMQError
            If huggingface_hub is not installed, or the hub has no such bundle.
        ExportError
            If `folder` holds something else than a bundle.
        BridgeError
            If a file of it is missing, changed, or not the bundle's.
        """
        from mmq_tf.api.hub import pull

        return cls(*pull(repo, revision=revision, folder=None if folder is None else Path(folder)))


def export(
    run: Run | str | Path,
    out: str | Path | None = None,
    *,
    fold: int | None = None,
    max_drop: float = MAX_DROP,
    golden: str | Path | None = None,
    prune: float | None = None,
    qat: bool = False,
    epochs: int = DEFAULT_EPOCHS,
    data: str | Path | None = None,
    slim: bool = False,
    sign: str | Path | None = None,
    transfer: Sequence[str | Path] = (),
    below_chance: bool = False,
    next_sensor: bool = False,
    progress: WorkProgress = SILENT,
    on_gate: Callable[[Sequence[Any]], None] = lambda rows: None,
) -> Bundle:
    """Quantise a run's network to full-integer TFLite and write the folder to embed, as `mmq-tf export` does.

    Parameters
    ----------
    run : Run, str or Path
        A finished run or its folder; or the name of a pretrained model, whose bundle is written with all of
        its code (then only `out` and `sign` may be given).
    out : str or Path, optional
        Folder to make, by default ``bundles/NAME``. A bundle there is replaced, anything else refused.
    fold : int, optional
        Export this fold's network instead of the run's.
    max_drop : float
        Points of macro-F1 that int8 may lose against float on validation windows with data missing.
    golden : str or Path, optional
        Recording for the golden vectors; by default the one that training kept.
    prune : float, optional
        Set this share of the larger kernels' weights to 0 while training on.
    qat : bool
        Train on with weights and activations rounded to 8 bits.
    epochs : int
        To train on, with `prune` or `qat`.
    data : str or Path, optional
        The run's recordings, for `prune` and `qat`; by default where training read them.
    slim : bool
        Leave out the C sources, which `mmq_export.add_sources` can add, and the run's report.
    sign : str or Path, optional
        PEM file of an Ed25519 private key: the bundle's manifest is signed with it.
    transfer : sequence of str or Path
        Tables of `mmq-tf evaluate --on` for the card; by default all that lie in the run's folder.
    below_chance : bool
        Export also a network that ranked its test subjects no better than chance.
    next_sensor : bool
        Also say on the device which sensor would help an undecided wearer most, by a table from validation
        windows with sensors taken away.
    progress : WorkProgress
    on_gate : callable
        Called with the table of float against int8 before it is judged.

    Returns
    -------
    Bundle

    Raises
    ------
    MMQError
        If the folder is not a finished run, a file of it cannot be read, its recordings are needed and gone,
        or its network is no better than chance.
    ExportError
        If int8 loses too much, an operation is not allowed, or `out` holds something else.
    """
    if isinstance(run, str | Path) and str(run) in pretrained.names() and not Path(run).is_dir():
        if fold is not None or golden or prune or qat or data or slim or transfer or next_sensor:
            raise MMQError("export: a pretrained model is exported as it is; only out and sign may be given.")
        return export_pretrained(str(run), Path(out or BUNDLES / str(run)), sign)
    folder = Path(run) if isinstance(run, str | Path) else run.folder
    target = Path(out) if out is not None else bundle_folder(folder, fold)
    facts, source = run_facts(folder, fold), source_folder(folder, fold)  # before Keras, which takes seconds
    from mmq_bridge.bundle.signature import load_signer
    from mmq_bridge.front_end.front_end import FrontEnd
    from mmq_export.folder import BUNDLE

    BUNDLE.check(target)
    if not below_chance:
        check_above_chance(folder, facts)
    signer = None if sign is None else load_signer(Path(sign))  # a key of no use is told first
    facts["transfer"] = read_transfer(
        [Path(one) for one in transfer] or sorted(folder.glob("on-*/results.json"))
    )
    front_end = FrontEnd.load(source / "frontend.json")
    from mmq_export.bundle import write_bundle
    from mmq_export.deployed_graph import deployed_model

    from mmq_tf.api.gate_rules import GATE_RULES
    from mmq_tf.api.shrinking import Smaller, TuningData, make_smaller
    from mmq_tf.model.saved_network import load_network

    shape = (front_end.tokens, front_end.n_features, len(front_end.modality_names))
    net, decision, tuned, reference = load_network(source / "model.keras"), facts["decision"], None, None
    windows = read_windows(source / "validation.npz")
    signals, origin = read_golden(folder, None if golden is None else Path(golden))
    if prune or qat:
        known = TuningData.of_run(folder, facts, front_end, None if data is None else Path(data), progress)
        reference = deployed_model(load_network(source / "model.keras"), *shape)
        decision, tuned = make_smaller(net, decision, known, Smaller(epochs, prune, qat), progress)
    if next_sensor:
        with progress.doing("taking sensors away"):
            decision = {**decision, "next_sensor": _next_sensor(net, front_end, windows, decision)}
    with progress.doing("quantising, judging and writing"):
        manifest = write_bundle(
            target,
            deployed=deployed_model(net, *shape),
            front_end=front_end,
            decision=decision,
            validation=windows,
            golden_signals=signals,
            golden_origin=origin,
            card_facts=facts,
            gate_rules=GATE_RULES,
            head=read_head(source),
            code=not slim,
            report_html=None if slim else read_report(folder / "report.html"),
            max_drop=max_drop,
            fine_tuning=tuned,
            reference=reference,
            count=True,
            sign=signer,
            on_gate=on_gate,
        )
    return Bundle(target, manifest)


def _next_sensor(net: Any, front_end: FrontEnd, windows: Any, decision: dict[str, Any]) -> list[list[int]]:
    from mmq_tf.evaluation.next_sensor import next_sensor_table
    from mmq_tf.metrics.calibration import apply_temperature
    from mmq_tf.training.fit import predict_logits

    def predict(features: np.ndarray, presence: np.ndarray) -> dict[str, np.ndarray]:
        logits = predict_logits(net, features, presence)
        return {
            task: apply_temperature(logits[task], decision.get("temperature", {}).get(task, 1.0))
            for task in decision["tasks"]
        }

    presence = windows.presence.astype(bool)
    layout = front_end.feature_layout
    return next_sensor_table(predict, layout, windows.features, presence, windows.labels, decision)


def bundle_folder(run: Path, fold: int | None) -> Path:
    """Return where a run's bundle goes if nothing else is said."""
    return BUNDLES / (run.resolve().name + (f"-fold{fold:02d}" if fold is not None else ""))


def export_pretrained(name: str, out: Path, sign: str | Path | None = None) -> Bundle:
    """Write the bundle of a model that comes with the package, with all of its code.

    Raises
    ------
    MMQError, ExportError
        If there is none of that name, or `out` holds something else than a bundle.
    """
    from mmq_bridge.bundle.signature import load_signer
    from mmq_export.add_sources import complete_bundle

    signer = None if sign is None else load_signer(Path(sign))
    return Bundle(out, complete_bundle(pretrained.path(name), out, signer))
