# SPDX-License-Identifier: Apache-2.0
"""`Manifest`: what a bundle folder holds, with the digest of every file; nothing is used unchecked."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from mmq_bridge.core_binding.decision import MAX_OUTPUTS
from mmq_bridge.core_binding.next_sensor import MAX_NEXT_MODALITIES
from mmq_bridge.errors import BridgeError
from mmq_bridge.plain_folder import check_plain
from mmq_bridge.validation import StrictModel, first_problem, parse_json

MANIFEST_NAME = "manifest.json"
SIGNATURE_NAME = "manifest.sig"
"""Of the manifest's bytes, where a bundle is signed; see `mmq_bridge.bundle.signature`."""
BUNDLE_VERSION = 1
MAX_MANIFEST_BYTES = 2_000_000
MAX_FILE_BYTES = 64_000_000
MAX_TOTAL_BYTES = 256_000_000
MAX_FILES = 1000
MAX_ENTRIES = 6 * MAX_FILES  # with its folders
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*){0,4}")


class FileEntry(StrictModel):
    """Size and SHA-256 (hex) of one file."""

    bytes: int = Field(ge=0, le=MAX_FILE_BYTES)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class DecisionSettings(StrictModel):
    """How logits become a decision.

    Attributes
    ----------
    tasks : dict of str to tuple of str
        Class names of each task, in the order of the logits.
    temperature : dict of str to float
        Logits are divided by it before softmax, a task (1 where a task is not named).
    min_confidence : dict of str to float
        Under this probability of the likeliest class a decision abstains (0 where a task is not named).
    min_present_share : float
        Under this share of present tokens in the window a decision abstains without running the model.
    every_tokens : int
        One decision every so many tokens.
    next_sensor : tuple of tuple of int or None
        How much each sensor would help an undecided wearer, a row for each set of present sensors (bit m: the
        front end's modality m), in 255ths; `mmq_next_t` of ``mmq_decision.h`` explains it. Left out of a
        manifest that has none.
    """

    tasks: dict[str, tuple[str, ...]] = Field(min_length=1, max_length=16)
    temperature: dict[str, float] = {}
    min_confidence: dict[str, float] = {}
    min_present_share: float = Field(default=0.1, ge=0, le=1)
    every_tokens: int = Field(default=1, ge=1, le=10_000)
    next_sensor: tuple[tuple[Annotated[int, Field(ge=0, le=255)], ...], ...] | None = None

    @model_serializer(mode="wrap")
    def _without_an_absent_table(self, dump: SerializerFunctionWrapHandler) -> dict[str, object]:
        found = dump(self)
        if found.get("next_sensor") is None:
            found.pop("next_sensor", None)
        return found

    @model_validator(mode="after")
    def _check(self) -> DecisionSettings:
        if self.next_sensor is not None:
            widths = {len(row) for row in self.next_sensor}
            width = max(widths, default=0)
            if (
                widths != {width}
                or not 1 <= width <= MAX_NEXT_MODALITIES
                or len(self.next_sensor) != 1 << width
            ):
                raise ValueError(
                    f"next_sensor needs 2^M rows of M gains, for 1 to {MAX_NEXT_MODALITIES} modalities, got "
                    f"{len(self.next_sensor)} rows of {sorted(widths)}"
                )
        for task, classes in self.tasks.items():
            if not 2 <= len(classes) <= 256 or len(set(classes)) != len(classes):
                raise ValueError(f"task {task!r} needs 2 to 256 different class names, got {classes}")
        if (outputs := sum(map(len, self.tasks.values()))) > MAX_OUTPUTS:
            raise ValueError(f"the core has room for {MAX_OUTPUTS} classes of all tasks, got {outputs}")
        for name, values, low, high in (
            ("temperature", self.temperature, 1e-3, 1e3),
            ("min_confidence", self.min_confidence, 0.0, 1.0),
        ):
            for task, value in values.items():
                if task not in self.tasks:
                    raise ValueError(f"{name} names {task!r}, which is not a task")
                if not low <= value <= high:
                    raise ValueError(f"{name} of {task!r} must lie in {low:g} to {high:g}, got {value}")
        return self


class DataFacts(StrictModel):
    """What the training recordings are and under which terms they may be used."""

    name: str
    title: str
    licence: str
    attribution: str
    simulated: bool
    label_kind: str


class ModelFacts(StrictModel):
    """What was measured on the int8 model at export; see `mmq_bridge.bundle.verify` to measure it again.

    The arenas are None where TFLite Micro was not there to measure them.
    """

    float32_bytes: int = Field(ge=0)
    int8_bytes: int = Field(ge=0)
    int8_gzip_bytes: int | None = Field(default=None, ge=0)
    int8_float_io_bytes: int = Field(ge=0)
    arena_bytes: int | None = Field(ge=0)
    float32_arena_bytes: int | None = Field(ge=0)
    macs: int = Field(ge=0)
    ops: dict[str, int]
    float32_macro_f1: float
    int8_macro_f1: float
    drop_points: float
    max_drop_points: float
    agreement: float = Field(ge=0, le=1)
    judged_windows: int = Field(ge=0)


class FineTuningFacts(StrictModel):
    """What was done to a run's network before it was quantised.

    Attributes
    ----------
    epochs : int
        How long it was trained further.
    pruned_share : float or None
        The share of each larger dense kernel's weights that was to become 0.
    zero_share : float or None
        The share of them that is 0, measured.
    quantisation_aware : bool
        Whether it was trained with rounded weights and activations.
    """

    epochs: int = Field(ge=1)
    pruned_share: float | None = Field(default=None, gt=0, lt=1)
    zero_share: float | None = Field(default=None, ge=0, le=1)
    quantisation_aware: bool = False


class Manifest(StrictModel):
    """The content of ``manifest.json``."""

    bundle_version: Literal[1] = BUNDLE_VERSION
    name: str = Field(min_length=1, max_length=200)
    versions: dict[str, str]
    simulated: bool
    data: DataFacts
    exported_model: str
    train_subjects: tuple[str, ...] = ()
    test_subjects: tuple[str, ...] = ()
    decision: DecisionSettings
    model: ModelFacts
    fine_tuning: FineTuningFacts | None = None
    files: dict[str, FileEntry] = Field(min_length=1, max_length=MAX_FILES)

    @field_validator("files")
    @classmethod
    def _paths_stay_inside(cls, files: dict[str, FileEntry]) -> dict[str, FileEntry]:
        for path in files:
            if not _PLAIN_PATH.fullmatch(path) or path in (MANIFEST_NAME, SIGNATURE_NAME):
                raise ValueError(f"{path[:80]!r} is not a plain path inside the bundle")
        if (total := sum(entry.bytes for entry in files.values())) > MAX_TOTAL_BYTES:
            raise ValueError(f"at most {MAX_TOTAL_BYTES} bytes together, got {total}")
        return files

    def to_json(self) -> str:
        """JSON text of this manifest."""
        return json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Manifest:
        """Read the manifest of a bundle folder.

        Raises
        ------
        BridgeError
            When the folder or its manifest is absent, too large, not JSON, or holds an impossible value, or
            when anything in the folder is a link.
        """
        return cls.from_bytes(read_manifest(folder), Path(folder) / MANIFEST_NAME)

    @classmethod
    def from_bytes(cls, content: bytes, path: Path) -> Manifest:
        """Read the bytes that `read_manifest` returned; `path` begins what is said of them.

        Raises
        ------
        BridgeError
            When they are not JSON, or hold an impossible value.
        """
        try:
            data = parse_json(content.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise BridgeError(
                f"{path}: expected JSON, got {_short(error)}; export the bundle again."
            ) from error
        try:
            return cls.model_validate(data)
        except (ValidationError, RecursionError) as error:
            raise BridgeError(f"{path}: {_first_problem(error)}; export the bundle again.") from error

    def read(self, folder: str | os.PathLike[str], name: str) -> bytes:
        """Return the content of one file after checking its size and digest.

        Raises
        ------
        BridgeError
            When the file is not in the manifest, absent, a link, or its content is not the exported one.
        """
        path = Path(folder) / PurePosixPath(name)
        entry = self.files.get(name)
        if entry is None:
            raise BridgeError(f"{path}: the manifest does not name this file; export the bundle again.")
        content = read_part(path, MAX_FILE_BYTES)
        if len(content) != entry.bytes:
            raise BridgeError(
                f"{path}: expected {entry.bytes} bytes, found {len(content)}; the file was changed after "
                "export."
            )
        if hashlib.sha256(content).hexdigest() != entry.sha256:
            raise BridgeError(
                f"{path}: its SHA-256 is not the manifest's; the file was changed after export."
            )
        return content


def decision_settings(values: Mapping[str, object]) -> DecisionSettings:
    """Return decision settings read from a mapping such as a run's ``metrics.json["decision"]``.

    Raises
    ------
    BridgeError
        When a key is unknown or a value impossible.
    """
    try:
        return DecisionSettings.model_validate(dict(values))
    except ValidationError as error:
        found = first_problem(error)
        raise BridgeError(
            f"decision: {found.place or 'top level'}: {found.message}; train again or correct metrics.json."
        ) from error


def file_entry(content: bytes) -> FileEntry:
    """Return the manifest's entry of a file with this content."""
    return FileEntry(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def read_manifest(folder: str | os.PathLike[str]) -> bytes:
    """Return the bytes of a bundle's manifest, after a look at what else lies there.

    Raises
    ------
    BridgeError
        When the folder or the file is absent or too large, or anything in the folder is a link.
    """
    if not Path(folder).is_dir():
        raise BridgeError(f"{folder}: expected a bundle folder, found none: check the path.")
    check_plain(folder, most=MAX_ENTRIES)
    return read_part(Path(folder) / MANIFEST_NAME, MAX_MANIFEST_BYTES)


def read_part(path: Path, limit: int) -> bytes:
    """Return the bytes of a regular file of at most `limit` bytes; links are refused, also as a folder.

    Raises
    ------
    BridgeError
        When there is none.
    """
    try:
        if path.is_symlink() or path.parent.is_symlink() or not path.is_file():
            raise BridgeError(f"{path}: expected a regular file, found none; the bundle is not complete.")
        with path.open("rb") as stream:
            content = stream.read(limit + 1)
    except OSError as error:
        raise BridgeError(f"{path}: cannot be read ({error.strerror}); check the bundle.") from error
    if len(content) > limit:
        raise BridgeError(f"{path}: expected at most {limit} bytes, found more; this is no bundle file.")
    return content


def _first_problem(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return _short(error)
    found = first_problem(error)
    return f"{found.place or 'top level'}: {found.reason}"


def _short(error: Exception) -> str:
    return str(error).splitlines()[0][:160] if str(error) else type(error).__name__
