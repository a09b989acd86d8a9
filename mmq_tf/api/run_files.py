# SPDX-License-Identifier: Apache-2.0
"""What a finished run's folder holds for an export: facts, windows, golden samples, report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mmq_bridge.plain_folder import check_plain

from mmq_tf.errors import MMQError
from mmq_tf.metrics.names import FULL
from mmq_tf.training.run_folder import PRETRAINING_NAME
from mmq_tf.utils.npz_files import read_npz

if TYPE_CHECKING:
    from mmq_bridge.bundle.golden import GoldenOrigin
    from mmq_bridge.front_end.head_tables import HeadTables

MAX_JSON_BYTES = 64_000_000
TOLD = ("auroc", "macro_f1")
"""What a card tells of other data sets."""

FOLD_KEYS = ("exported_model", "train_subjects", "validation_subjects", "test_subjects", "decision")


def source_folder(run: Path, fold: int | None) -> Path:
    """Return the folder that holds the exported network: the run's own, or one fold's."""
    return run if fold is None else run / "folds" / f"{fold:02d}"


def run_facts(run: Path, fold: int | None) -> dict[str, Any]:
    """Return the run's `metrics.json`, with what differs in one fold.

    Raises
    ------
    MMQError
        If the folder is not a finished run, has no such fold, or anything in it is a link.
    """
    check_plain(run, MMQError)
    if (run / PRETRAINING_NAME).is_file():
        raise MMQError(
            f"{run} holds encoders of `mmq-tf pretrain`, which decide nothing: train from them first (mmq-tf "
            "train --model mhacl --init), on front-end tokens, since a device delivers no raw windows."
        )
    facts = _read_json(run / "metrics.json")
    if fold is not None:
        folder = source_folder(run, fold)
        if not folder.is_dir():
            count = len([path for path in (run / "folds").glob("[0-9][0-9]") if path.is_dir()])
            raise MMQError(f"{folder}: no such fold; the run has {count}, counted from 0.")
        found = _read_json(folder / "metrics.json")
        facts |= {key: found[key] for key in FOLD_KEYS if key in found}
    for key in ("name", "data", "decision", "exported_model"):
        if key not in facts:
            raise MMQError(f"{run / 'metrics.json'}: expected the key {key!r}, found none; train again.")
    return facts


CHANCE = 0.5


def check_above_chance(run: Path, facts: Mapping[str, Any]) -> None:
    """Check that a run's network ranks its test subjects better than chance, where that was measured.

    Raises
    ------
    MMQError
        If its AUROC with all sensors, mean over subjects, is not above 0.5.
    """
    sought = (facts.get("model", {}).get("name"), FULL, "auroc")
    means = [
        row["mean"]
        for row in facts.get("results", ())
        if (row["method"], row["condition"], row["metric"]) == sought
    ]
    mean = means[0] if means else None
    if mean is not None and mean <= CHANCE:
        raise MMQError(
            f"{run}: its AUROC on test subjects is {mean:.3f}, no better than chance ({CHANCE:g}): look at "
            "labels, enrolment and units before a device decides by it. To export it nevertheless: "
            "--below-chance."
        )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise MMQError(f"{path}: expected at most {MAX_JSON_BYTES} bytes; this is no run's file.")
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise MMQError(f"{path}: no such file; name the folder of a finished run.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise MMQError(f"{path}: cannot be read as JSON ({error}); train again.") from error
    if not isinstance(content, dict):
        raise MMQError(f"{path}: expected a JSON object, got {type(content).__name__}; train again.")
    return content


def read_transfer(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Return what a card tells of `mmq-tf evaluate --on` tables: data, split, and each method's full scores.

    Raises
    ------
    MMQError
        If a file is no table of results.
    """
    from mmq_tf.metrics.results_table import read_results

    tables = [read_results(path) for path in paths]
    return [
        {
            "data": table.data,
            "split": table.split,
            "rows": [row.model_dump() for row in table.rows if row.condition == FULL and row.metric in TOLD],
        }
        for table in tables
    ]


def read_windows(path: Path) -> Any:
    """Return the windows of a ``validation.npz``, on which int8 is judged, as `mmq_export.bundle.Windows`.

    Raises
    ------
    MMQError
        If they are not there or broken.
    """
    from mmq_export.bundle import Windows

    arrays = read_arrays(path)
    missing = [name for name in ("features", "presence", "labels") if name not in arrays]
    if missing:
        raise MMQError(f"{path}: expected the array {missing[0]!r}, found none; train again.")
    labels = arrays["labels"]
    return Windows(arrays["features"], arrays["presence"], labels[:, None] if labels.ndim == 1 else labels)


def read_head(folder: Path) -> HeadTables | None:
    """Return the tables of a personal head that training left in a folder, None where it left none.

    Raises
    ------
    MMQError
        If they cannot be read.
    """
    from mmq_bridge.front_end.head_tables import HeadTables

    from mmq_tf.training.personal_tables import HEAD_NAME

    try:
        content = (folder / HEAD_NAME).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise MMQError(f"{folder / HEAD_NAME}: cannot be read ({error}).") from error
    return HeadTables.from_json(content, str(folder / HEAD_NAME))


def read_report(path: Path) -> str | None:
    """Return the run's HTML report, None where there is none.

    Raises
    ------
    MMQError
        If it cannot be read.
    """
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise MMQError(f"{path}: cannot be read ({error}).") from error


def read_golden(run: Path, recording: Path | None) -> tuple[dict[str, Any], GoldenOrigin | None]:
    """Return signals by modality and whose they are; None means the run's own data.

    Parameters
    ----------
    run : Path
        A run folder; its ``golden.npz`` is read where no recording is named.
    recording : Path, optional
        Anything `mmq_tf.datasets.open_recording` reads.

    Raises
    ------
    MMQError
        If neither is there, or what is there is broken.
    """
    if recording is None:
        return _kept(run / "golden.npz"), None
    from mmq_bridge.bundle.golden import GoldenOrigin

    from mmq_tf.datasets import open_recording

    worn = open_recording(recording)
    return dict(worn.signals), GoldenOrigin(worn.source or recording.name, worn.simulated)


def _kept(path: Path) -> dict[str, Any]:
    """Return the signals that train kept."""
    from mmq_bridge.bundle.golden import GoldenSignal

    if not path.is_file():
        raise MMQError(f"{path}: no such file; name a recording for the golden vectors with --golden FOLDER.")
    arrays = read_arrays(path)
    names = [key.removesuffix("_samples") for key in arrays if key.endswith("_samples")]
    try:
        return {
            name: GoldenSignal(
                arrays[f"{name}_samples"], float(arrays[f"{name}_rate"]), float(arrays[f"{name}_start"])
            )
            for name in names
        }
    except (KeyError, TypeError, ValueError) as error:
        raise MMQError(f"{path}: expected rate and start of every signal ({error}); train again.") from error


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a run's ``.npz`` file by name.

    Raises
    ------
    MMQError
        If it is absent or broken.
    """
    if not path.is_file():
        raise MMQError(f"{path}: no such file; train again.")
    try:
        return read_npz(path)
    except MMQError as error:
        raise MMQError(f"{path}: cannot be read as arrays ({error}); train again.") from error
