# SPDX-License-Identifier: Apache-2.0
"""Several networks that start differently, as one: a deep ensemble."""

from collections.abc import Sequence
from typing import Any, ClassVar

import keras

from mmq_tf.errors import MMQError
from mmq_tf.model.keras_names import ops
from mmq_tf.model.wrapper import Wrapper

SEED_STEP = 100_003
"""Between the seeds of two members: far more than between those of two folds."""

_AVERAGED = ("category_attention", "interference_scores", "logits")


def member_seeds(seed: int, members: int) -> list[int]:
    """Return the seed of each member's initial weights; the first is a single network's own."""
    return [seed + SEED_STEP * member for member in range(members)]


@keras.saving.register_keras_serializable("mmq_tf")
class Ensemble(Wrapper):
    """Networks trained from different initial weights, whose logits are averaged: the deployed graph.

    A deep ensemble (Lakshminarayanan et al. 2017, arXiv 1612.01474) that averages logits where theirs
    averages probabilities, so that one temperature fits the whole and the graph needs no softmax. Weights and
    multiplications are those of one network times the number of members.

    Parameters
    ----------
    members : sequence of TokenNet
        Two or more, of the same inputs and tasks.

    Raises
    ------
    MMQError
        If there are fewer than two, or their tasks differ.
    """

    wrapped: ClassVar[str] = "members"

    def __init__(self, members: Sequence[Any], **kwargs):
        super().__init__(**kwargs)
        self.members = list(members)
        if len(self.members) < 2:
            raise MMQError(f"Ensemble: expected two or more networks, got {len(self.members)}.")
        self.tasks = dict(self.members[0].tasks)
        if any(member.tasks != self.tasks for member in self.members):
            raise MMQError(f"Ensemble: every network must have the tasks of the first, {self.tasks}.")
        self.build()

    def export(self, filepath, *args, input_signature=None, **options):
        """Write the network for other runtimes; see `mmq_tf.model.token_net.TokenNet.export`."""
        signature = input_signature or self.members[0].window_signature
        super().export(filepath, *args, input_signature=signature, **options)

    def trace(self, inputs, training: bool = False) -> dict:
        """Return the means over members of their logits, interference scores and category attention.

        See `mmq_tf.model.mmqnet.MMQNet.trace`; what is in tokens' own space is each member's and left out.
        """
        traces = [member.trace(inputs, training=training) for member in self.members]
        return {name: _mean([trace[name] for trace in traces]) for name in _AVERAGED if name in traces[0]}

    def call(self, inputs, training=False):
        """Return the mean logits ``[B, classes]`` of each task, by name."""
        return _mean([member(inputs, training=bool(training)) for member in self.members])


@keras.saving.register_keras_serializable("mmq_tf")
class EnsembleTraining(Wrapper):
    """Train networks side by side on the same batches, each by its own losses.

    The loss is the sum of theirs, so that each learns as it would alone; the epoch is chosen for the whole.

    Parameters
    ----------
    parts : sequence of keras.Model
        What trains each member, such as `mmq_tf.model.training_model.MMQTraining`.

    Attributes
    ----------
    net : Ensemble
        Of what the parts train.
    """

    wrapped: ClassVar[str] = "parts"

    def __init__(self, parts: Sequence[Any], **kwargs):
        super().__init__(**kwargs)
        self.parts = list(parts)
        self.net = Ensemble([part.net for part in self.parts])
        self.build()

    def call(self, inputs, training=False):
        """Return what each part makes of the inputs."""
        return [part(inputs, training=bool(training)) for part in self.parts]

    def compute_loss(self, x=None, y=None, y_pred: Any = None, sample_weight=None, training=True):
        """Return the sum of the parts' losses."""
        return sum(
            part.compute_loss(x, y, own, sample_weight, training)
            for part, own in zip(self.parts, y_pred, strict=True)
        )


def trained_together(parts: Sequence[Any]) -> Any:
    """Return what trains all of these: of several an `EnsembleTraining`, of one itself."""
    return parts[0] if len(parts) == 1 else EnsembleTraining(parts)


def members_of(net: Any) -> list[Any]:
    """Return the networks that a network is made of: of one that is no ensemble, itself."""
    return list(net.members) if isinstance(net, Ensemble) else [net]


def _mean(values: Sequence[Any]) -> Any:
    """Average tensors, or dicts of tensors by the same names."""
    if isinstance(values[0], dict):
        return {name: _mean([value[name] for value in values]) for name in values[0]}
    total = values[0]
    for value in values[1:]:
        total = ops.add(total, value)
    return total * (1.0 / len(values))
