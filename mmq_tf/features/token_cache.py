# SPDX-License-Identifier: Apache-2.0
"""Tokens on disk: one entry a recording, modality and variant; a change remakes only what depends on it."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from tokenize import TokenError

import numpy as np
from mmq_bridge.atomic_files import replaced_folder
from mmq_bridge.cache import cache_folder
from mmq_bridge.core_binding.native import library_path
from mmq_bridge.front_end.front_end import FrontEnd

from mmq_tf.augmentation.artefacts import ARTEFACTS_VERSION
from mmq_tf.config.training_spec import ArtefactsConfig
from mmq_tf.errors import MMQError
from mmq_tf.features.extra_features import functions_digest
from mmq_tf.recording import Recording, Trial
from mmq_tf.utils.atomic_files import write_text

logger = logging.getLogger(__name__)

CLEAN = -1
"""The variant without artefacts."""


@dataclass(frozen=True)
class TokenSettings:
    """Everything beside the recording that can change its tokens.

    Parameters
    ----------
    front_end : FrontEnd
        How samples become tokens; its window length and normalisation do not matter.
    artefacts : ArtefactsConfig
        How many corrupted variants there are, and how strong.
    seed : int
        Of the artefacts.
    """

    front_end: FrontEnd
    artefacts: ArtefactsConfig
    seed: int

    @property
    def variants(self) -> range:
        """Variants to be made, beginning with `CLEAN`."""
        return range(CLEAN, self.artefacts.variants)

    def alone(self, modality: str) -> FrontEnd:
        """Return the front end of one modality, with nothing in it that its tokens do not depend on."""
        settings = {"modalities": {modality: self.front_end.modalities[modality]}, "tokens": 1}
        return self.front_end.model_copy(update=settings).with_normalisation(None)

    def entry(self, digest: str, modality: str, variant: int) -> Path:
        """Return the folder of the tokens of one modality of the recording with this digest."""
        alone = self.alone(modality)
        parts = [digest, alone.digest(), _core_digest()]
        parts += [functions_digest(alone)] if alone.extra_names else []
        if variant != CLEAN:
            strength = self.artefacts.model_dump_json(include={"share", "snr_db"})
            parts.append(f"{strength} {ARTEFACTS_VERSION} {self.seed} {variant}")
        key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
        return cache_folder() / "tokens" / key


@dataclass(frozen=True)
class RecordingFacts:
    """What is needed of a recording beside its tokens: who, the trials, and where each signal ends (s)."""

    digest: str
    subject: str
    session: str
    trials: tuple[Trial, ...]
    stop_s: Mapping[str, float]

    @classmethod
    def of(cls, recording: Recording) -> RecordingFacts:
        """Take the facts from a loaded recording."""
        stop_s = {name: signal.stop_s for name, signal in recording.signals.items()}
        return cls(recording.digest, recording.subject, recording.session, recording.trials, stop_s)

    @classmethod
    def read(cls, digest: str) -> RecordingFacts | None:
        """Read the facts of the recording with this digest; None where they are not known or damaged."""
        try:
            content = json.loads(_facts_file(digest).read_text("utf-8"))
            trials = tuple(Trial(**trial) for trial in content.pop("trials"))
            facts = cls(**content, trials=trials)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None
        return facts if facts.digest == digest else None

    def write(self) -> None:
        """Keep the facts. A cache that cannot be written costs time, not the run."""
        try:
            write_text(_facts_file(self.digest), json.dumps(asdict(self)))
        except MMQError as error:
            logger.warning("%s", error)


def _facts_file(digest: str) -> Path:
    return cache_folder() / "recordings" / f"{digest[:32]}.json"


@lru_cache(maxsize=1)
def _core_digest() -> str:
    """Digest of the compiled core: a changed formula is another entry."""
    return hashlib.sha256(library_path().read_bytes()).hexdigest()


def has_entry(path: Path) -> bool:
    """Whether an entry is there; what it holds is checked when it is read."""
    return (path / "meta.json").is_file()


def read_entry(path: Path) -> dict[str, np.ndarray] | None:
    """Return the arrays of an entry, or None where there is none or it is not what was written."""
    if not has_entry(path):
        return None
    try:
        digests = json.loads((path / "meta.json").read_text("utf-8"))["sha256"]
        arrays = {name: np.load(path / f"{name}.npy", allow_pickle=False) for name in digests}
        changed = [name for name, values in arrays.items() if _array_digest(values) != digests[name]]
    except (OSError, EOFError, ValueError, KeyError, TypeError, TokenError, RecursionError) as error:
        logger.warning("cache entry %s is damaged (%s); it is made again", path, error)
        return None
    if changed:
        logger.warning("cache entry %s is damaged (%s.npy has changed); it is made again", path, changed[0])
        return None
    return arrays


def write_entry(path: Path, arrays: Mapping[str, np.ndarray], about: Mapping[str, str | bool]) -> None:
    """Write an entry whole or not at all. A cache that cannot be written costs time, not the run.

    Parameters
    ----------
    path : Path
        From `TokenSettings.entry`.
    arrays : dict of str to numpy.ndarray
        Each becomes one ``.npy``.
    about : dict
        What people should find beside the arrays: subject, source, whether it is simulated.
    """
    meta = {**about, "sha256": {name: _array_digest(values) for name, values in arrays.items()}}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced_folder(path) as temporary:
            temporary.chmod(0o700)  # what a person's body did is for its user alone
            for name, values in arrays.items():
                np.save(temporary / f"{name}.npy", values, allow_pickle=False)
            (temporary / "meta.json").write_text(json.dumps(meta), "utf-8")
    except OSError as error:
        logger.warning("cache entry %s could not be written: %s", path, error)


def _array_digest(values: np.ndarray) -> str:
    head = f"{values.dtype.str} {values.shape} ".encode()
    return hashlib.sha256(head + np.ascontiguousarray(values).tobytes()).hexdigest()
