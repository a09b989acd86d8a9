# SPDX-License-Identifier: Apache-2.0
"""Make a run's network smaller before it is exported: pruned, or trained with rounded numbers."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmq_tf.errors import MMQError
from mmq_tf.utils.progress import SILENT, WorkProgress

if TYPE_CHECKING:
    from mmq_bridge.decision.manifest import FineTuningFacts
    from mmq_bridge.front_end.front_end import FrontEnd

    from mmq_tf.model.mmqnet import MMQNet
    from mmq_tf.training.fine_tuning import TuningWindows
    from mmq_tf.training.run import Run


@dataclass(frozen=True)
class Smaller:
    """How a network is to be made smaller.

    Attributes
    ----------
    epochs : int
        Of fine-tuning.
    prune : float, optional
        Share of the larger dense kernels' weights to set to 0.
    quantisation_aware : bool
        Train with rounded weights and activations.
    """

    epochs: int
    prune: float | None = None
    quantisation_aware: bool = False


@dataclass(frozen=True)
class TuningData:
    """What fine-tuning needs of a run: its configuration and the windows its network learned from."""

    run: Run
    windows: TuningWindows

    @classmethod
    def of_run(
        cls,
        folder: Path,
        facts: Mapping[str, Any],
        front_end: FrontEnd,
        data: Path | None,
        progress: WorkProgress = SILENT,
    ) -> TuningData:
        """Read a run's recordings again, from the cache where nothing changed.

        Parameters
        ----------
        folder
            The run's.
        facts
            Of the run or of the fold that is exported: who trained and who validated.
        front_end
            The exported network's.
        data
            Where the recordings are now; where the run read them, if not given.

        Raises
        ------
        MMQError
            If the recordings are not there or have changed since.
        """
        from mmq_tf.training.fine_tuning import tuning_windows
        from mmq_tf.training.run import Run
        from mmq_tf.training.run_streams import load_streams

        run = Run.open(folder)
        if data is not None:
            run = replace(run, facts=replace(run.facts, data_folder=str(data)))
        if not run.data_folder.is_dir():
            raise MMQError(
                f"{run.data_folder}: the recordings of {folder} are not there, and --prune and --qat train "
                "on them; name their folder with --data DIR."
            )
        streams, _ = load_streams(run, 1, progress)
        run.begin(streams)
        return cls(run, tuning_windows(run.config, front_end, streams, facts))


def make_smaller(
    net: MMQNet,
    decision: Mapping[str, Any],
    data: TuningData,
    wish: Smaller,
    progress: WorkProgress = SILENT,
) -> tuple[dict[str, Any], FineTuningFacts]:
    """Fine-tune a network in place; return its decision settings and what was done."""
    from mmq_bridge.decision.manifest import FineTuningFacts
    from mmq_export.quantisation_aware import fake_quantised
    from mmq_export.sparsity import Pruning, zero_share

    from mmq_tf.training.fine_tuning import (
        fine_tune,
        recalibrated,
        self_distillation_targets,
        steps_per_epoch,
    )

    config = data.run.config
    steps = steps_per_epoch(config, data.windows)
    target = self_distillation_targets(net, data.windows, config.data.task)
    pruning = None if wish.prune is None else Pruning(net, wish.prune, steps, wish.epochs)
    rounding = fake_quantised(net) if wish.quantisation_aware else contextlib.nullcontext()
    with progress.folding(1, 0, wish.epochs), rounding:
        fine_tune(
            net,
            data.windows,
            config,
            target,
            config.seeds[0],
            wish.epochs,
            callbacks=[pruning] if pruning else [],
            keep_from=pruning.first_whole_epoch if pruning else 1,
            on_epoch=lambda epoch, metrics: progress.on_epoch("fine-tuning", epoch, metrics),
        )
    done = FineTuningFacts(
        epochs=wish.epochs,
        pruned_share=wish.prune,
        zero_share=None if wish.prune is None else zero_share(net),
        quantisation_aware=wish.quantisation_aware,
    )
    return recalibrated(decision, net, data.windows.validation, config.data.task), done
