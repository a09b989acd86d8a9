# SPDX-License-Identifier: Apache-2.0
"""What `mmq-tf export --results` writes: size and score of float32 and int8 by the results contract."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

from mmq_bridge.decision.manifest import FineTuningFacts, Manifest
from mmq_bridge.front_end.front_end import FrontEnd

from mmq_tf.metrics.results_table import ResultRow, ResultsFile, machine_description, write_results
from mmq_tf.version import __version__


def write_size_results(path: Path, bundle: Path, manifest: Manifest, run_facts: dict[str, Any]) -> None:
    """Write bytes, arena, MACs and macro-F1 of float32 and int8 by the results contract."""
    facts = manifest.model
    subjects = {*manifest.train_subjects, *run_facts.get("validation_subjects", ()), *manifest.test_subjects}
    numbers = {
        "float32": {
            "bytes": facts.float32_bytes,
            "arena_bytes": facts.float32_arena_bytes,
            "macs": facts.macs,
            "macro_f1": facts.float32_macro_f1,
        },
        int8_name(manifest.fine_tuning): {
            "bytes": facts.int8_bytes,
            "arena_bytes": facts.arena_bytes,
            "macs": facts.macs,
            "macro_f1": facts.int8_macro_f1,
        },
    }
    known = run_facts.get("model", {})
    members = known.get("members", 1)
    method = f"mmqnet-{known.get('size', 'nano')}" + (f" x {members}" if members > 1 else "")
    rows = tuple(
        ResultRow(method=method, condition=condition, metric=metric, mean=value, n=1)
        for condition, values in numbers.items()
        for metric, value in values.items()
        if value is not None
    )
    results = ResultsFile(
        name=path.stem,
        command=shlex.join(["mmq-tf", *sys.argv[1:]]),
        version=__version__,
        data=f"{manifest.data.title}, {len(subjects)} subjects",
        simulated=manifest.simulated,
        split=f"validation subjects of {manifest.exported_model}",
        normalisation=_normalisation(bundle),
        seeds=tuple(run_facts.get("seeds", ()))[:1],
        machine=machine_description(),
        rows=rows,
        notes=(
            f"macro_f1 over {facts.judged_windows} validation windows: complete, with random cells "
            "hidden, with whole "
            f"modalities gone; float32 and int8 name the same class in {facts.agreement:.1%}.",
            "arena_bytes: TFLite Micro with 64-bit pointers, an upper bound for a microcontroller.",
            *_tuning_notes(manifest.fine_tuning),
        ),
    )
    write_results(path, results)


def int8_name(tuned: FineTuningFacts | None) -> str:
    """Return the condition of an int8 model by what was done to it before.

    Examples
    --------
    >>> int8_name(None), int8_name(FineTuningFacts(epochs=9, pruned_share=0.5, quantisation_aware=True))
    ('int8', 'int8-qat-pruned-50')
    """
    qat = "-qat" if tuned and tuned.quantisation_aware else ""
    pruned = f"-pruned-{100 * tuned.pruned_share:g}" if tuned and tuned.pruned_share else ""
    return f"int8{qat}{pruned}"


def _tuning_notes(tuned: FineTuningFacts | None) -> tuple[str, ...]:
    if tuned is None:
        return ()
    return (
        f"{int8_name(tuned)}: the run's network trained on for {tuned.epochs} epochs before it was "
        "quantised; macro_f1 of float32 is that of the run's own network.",
    )


def _normalisation(bundle: Path) -> str:
    given = FrontEnd.load(bundle / "frontend.json").normalisation
    if given is None:
        return "none"
    return f"enrolment {given.enrolment_s:g} s" if given.mode == "enrolment" else given.mode
