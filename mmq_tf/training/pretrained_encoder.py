# SPDX-License-Identifier: Apache-2.0
"""A network begins with a pretrained encoder: whose it may be, what is copied, and how long it is held."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
from mmq_bridge.plain_folder import check_plain

from mmq_tf.errors import MMQError
from mmq_tf.model.ensemble import members_of
from mmq_tf.model.mhacl import MHACL
from mmq_tf.model.saved_network import load_network
from mmq_tf.training.run_folder import PRETRAINING_NAME
from mmq_tf.training.splits import Fold

ENCODER_NAME, FACTS_NAME = "encoder.keras", PRETRAINING_NAME

TOKENS_ONLY = (
    "training, judging and export read front-end tokens, which is what a device delivers, and of raw windows "
    "there is stage 1 with its probe alone; pretrain with pretraining.input = 'tokens'"
)


@dataclass(frozen=True)
class Start:
    """A pretraining run to begin with, and for how many epochs its encoder is held.

    Parameters
    ----------
    run : Path
        Folder that `mmq-tf pretrain` wrote.
    dataset : str
        Data set that is trained on; where the encoder's is another, no subject can be the same person.
    frozen_epochs : int
    """

    run: Path
    dataset: str
    frozen_epochs: int

    def into(self, net: Any, fold: Fold | None, folder_name: str) -> HeldLayers:
        """Copy the fold's encoder into a network; what is returned holds it still in the first epochs.

        Parameters
        ----------
        net : MHACL, MMQNet or Ensemble
            Gets the whole encoder, or the token embedding; of an ensemble every member does.
        fold : Fold, optional
            The fold that is trained; none where nobody is judged afterwards.
        folder_name : str
            Name of the fold's folder, ``03`` or ``03-seed2``.

        Raises
        ------
        MMQError
            If there is no such encoder, it saw a subject that chooses or judges here, or it does not fit.
        """
        folder = self._folder(folder_name)
        self._check_subjects(folder, fold)
        _check_input(folder)
        encoder = load_network(folder / ENCODER_NAME, "--init ", "pretrain again").encoder
        held = []
        for member in members_of(net):
            source, target = (
                (encoder, member.encoder)
                if isinstance(member, MHACL)
                else (encoder.embedding, member.embedding)
            )
            _check_fits(folder, source, target)
            target.set_weights(source.get_weights())
            held.append(target)
        return HeldLayers(held, self.frozen_epochs)

    def _folder(self, name: str) -> Path:
        """Return the fold's folder; a seed that was not pretrained starts from the first one's encoder."""
        folders = [self.run / "folds" / one for one in (name, name.partition("-")[0])]
        for folder in folders:
            if (folder / FACTS_NAME).is_file():
                return folder
        raise MMQError(
            f"--init {self.run}: expected a finished encoder of this fold in {folders[-1]}; pretrain all "
            "folds with the same split.folds."
        )

    def _check_subjects(self, folder: Path, fold: Fold | None) -> None:
        facts = _read_facts(folder)
        if fold is None or facts["dataset"] != self.dataset:
            return
        seen = sorted(set(facts["train_subjects"]) & {*fold.test, *fold.validation})
        if seen:
            raise MMQError(
                f"--init {folder}: its encoder has seen {', '.join(seen)}, who choose or judge in this fold; "
                "pretrain with the same data, split.folds and split.validation_share."
            )


@dataclass
class HeldLayers:
    """Keeps layers as they are during the first epochs of a training, then lets them learn too.

    Called before each epoch, counted from 0; so a training that resumes after a break holds them as long.
    """

    layers: Sequence[keras.layers.Layer]
    epochs: int

    def __call__(self, model: keras.Model, epoch: int) -> None:
        """Hold or release the layers before an epoch of `model`."""
        learns = epoch >= self.epochs
        if any(layer.trainable != learns for layer in self.layers):
            for layer in self.layers:
                layer.trainable = learns
            model.train_function = None  # Keras traces its step with the weights that learn


def check_start(run: Path) -> None:
    """Check that a folder is a finished pretraining run, on front-end tokens.

    Raises
    ------
    MMQError
        If it is not, or anything in it is a link.
    """
    _check_input(run)


def _read_facts(folder: Path) -> dict[str, Any]:
    check_plain(folder, MMQError)
    try:
        return dict(json.loads((folder / FACTS_NAME).read_text("utf-8")))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise MMQError(
            f"--init {folder}: expected the folder of a finished `mmq-tf pretrain`; its {FACTS_NAME} cannot "
            "be read."
        ) from error


def _check_input(folder: Path) -> None:
    if _read_facts(folder).get("input", "tokens") != "tokens":
        raise MMQError(f"--init {folder}: its encoder reads raw windows, but {TOKENS_ONLY}.")


def _check_fits(folder: Path, source: Any, target: Any) -> None:
    for name in ("n_tokens", "feature_sizes", "dim"):
        wanted, got = getattr(target, name), getattr(source, name)
        if wanted != got:
            raise MMQError(
                f"--init {folder}: its encoder has {name} = {got}, this configuration needs {wanted}; "
                "pretrain with the same front_end and model.size."
            )
