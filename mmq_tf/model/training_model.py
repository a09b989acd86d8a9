# SPDX-License-Identifier: Apache-2.0
"""MMQ-Net with the heads and losses that exist in training only."""

from collections.abc import Collection

import keras

from mmq_tf.config.loss_weights import LossWeights
from mmq_tf.errors import MMQError
from mmq_tf.model import losses
from mmq_tf.model.block_dense import BlockDense
from mmq_tf.model.keras_names import glorot, ops
from mmq_tf.model.mmqnet import MMQNet
from mmq_tf.model.tokens import feature_owner
from mmq_tf.model.wrapper import NetTraining

_INPUTS = ("features", "presence", "features_full", "presence_full", "corrupted")
_NEEDS: dict[str, tuple[str, ...]] = {
    "classes": (),
    "classes_full": (),
    "rebuild_tokens": ("modality",),
    "rebuild_features": ("modality",),
    "orthogonality": ("category", "interference"),
    "no_label": ("interference",),
    "consistency": (),
    "interference": ("interference",),
}


def losses_of(queries: Collection[str]) -> tuple[str, ...]:
    """Return the names of the losses that a net with these kinds of queries has."""
    return tuple(name for name, needed in _NEEDS.items() if all(kind in queries for kind in needed))


@keras.saving.register_keras_serializable("mmq_tf")
class MMQTraining(NetTraining):
    """Train an `MMQNet` on windows of which something was hidden and something corrupted.

    Inputs are a dict: ``features`` ``[B, T, F]`` and ``presence`` ``[B, T, M]``, what the net is shown;
    ``features_full`` and ``presence_full``, the clean complete window; ``corrupted`` ``[B, T, M]``, 1 where
    an artefact lies in the shown token; and ``real`` ``[B]``, where some rows only fill the batch up.
    Labels are a dict of int ``[B]`` by task, -1 where unknown. One forward pass runs both views as one batch
    of 2B. A kind of query the net lacks has no heads and no losses.

    Parameters
    ----------
    net : MMQNet
        The net to train, shared: its weights are the ones trained.
    loss_weights : LossWeights, optional
        Weight of each loss.
    """

    def __init__(self, net: MMQNet, loss_weights: LossWeights | dict | None = None, **kwargs):
        super().__init__(net, loss_weights, **kwargs)
        sizes = list(net.feature_sizes.values())
        decoder = BlockDense([net.dim] * len(sizes), sizes, seed=net.seed * 1000 + 900, name="decoder")
        self.decoder = decoder if net.modality_queries else None
        self.label_heads = {
            task: keras.layers.Dense(
                count,
                kernel_initializer=glorot(net.seed * 1000 + 910),
                name=f"label_{task}",
            )
            for task, count in (net.tasks.items() if net.interference_queries else ())
        }
        self.trackers = {name: keras.metrics.Mean(name=name) for name in losses_of(net.queries)}
        self.build()

    def build(self, input_shape=None):
        """Build the training heads, once."""
        net = self.net
        if self.built:
            return
        if self.decoder:
            self.decoder.build((None, net.n_tokens, net.n_modalities * net.dim))
        for head in self.label_heads.values():
            head.build((None, net.interference * net.dim))
        self.built = True

    def call(self, inputs, training=False):
        """Return the traces of both views: ``shown`` and ``full`` (see `MMQNet.trace`)."""
        missing = [name for name in _INPUTS if name not in inputs]
        if missing:
            raise MMQError(
                f"MMQTraining: the inputs lack {', '.join(missing)}; give a dict with {', '.join(_INPUTS)}."
            )
        both = {
            "features": ops.concatenate([inputs["features"], inputs["features_full"]], axis=0),
            "presence": ops.concatenate(
                [ops.cast(inputs[name], self.compute_dtype) for name in ("presence", "presence_full")], axis=0
            ),
        }
        trace = self.net.trace(both, training=bool(training))
        shown, full = {}, {}
        for name, value in trace.items():
            if isinstance(value, dict):
                halves = {task: ops.split(logits, 2, axis=0) for task, logits in value.items()}
                shown[name] = {task: half[0] for task, half in halves.items()}
                full[name] = {task: half[1] for task, half in halves.items()}
            else:
                shown[name], full[name] = ops.split(value, 2, axis=0)
        if self.decoder:
            flat = ops.reshape(
                shown["rebuilt"], (-1, self.net.n_tokens, self.net.n_modalities * self.net.dim)
            )
            shown["features"] = self.decoder(flat)
        if self.label_heads:
            shown["label_logits"] = self._read_labels(shown["interference"])
        return {"shown": shown, "full": full}

    def _read_labels(self, interference):
        # Unit vectors: turned around, the gradient would otherwise make the outputs grow without end.
        unit = losses.reverse_gradient(losses.unit_vectors(interference))
        flat = ops.reshape(unit, (-1, self.net.interference * self.net.dim))
        return {task: head(flat) for task, head in self.label_heads.items()}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Return the weighted sum of the losses and update their trackers."""
        values = self.losses_by_name(x, y or {}, y_pred, sample_weight)
        total = 0.0
        for name, value in values.items():
            self.trackers[name].update_state(value)
            total = total + getattr(self.loss_weights, name) * value
        return total

    def losses_by_name(self, x, y, y_pred, sample_weight=None) -> dict:
        """Return each loss of a batch, unweighted, by the names of `LossWeights`."""
        shown, full = y_pred["shown"], y_pred["full"]
        smoothing = self.loss_weights.label_smoothing
        unknown = [task for task in y if task not in self.net.tasks]
        if unknown:
            raise MMQError(
                f"MMQTraining: labels of unknown tasks {unknown}; the net has {list(self.net.tasks)}."
            )

        def entropy(logits):
            parts = [
                losses.class_cross_entropy(logits[task], labels, smoothing=smoothing, weights=sample_weight)
                for task, labels in y.items()
            ]
            return sum(parts) / max(len(parts), 1)

        divergence = [
            losses.consistency(shown["logits"][task], full["logits"][task], x.get(losses.REAL))
            for task in self.net.tasks
        ]
        values = {
            "classes": entropy(shown["logits"]),
            "classes_full": entropy(full["logits"]),
            "consistency": sum(divergence) / len(divergence),
        }
        if self.net.modality_queries:
            values |= self._rebuild_losses(x, shown, full)
        if self.net.interference_queries:
            values["no_label"] = entropy(shown["label_logits"])
            values["interference"] = losses.interference_teaching(
                shown["interference_scores"], self._tokens_of(x["corrupted"]), self._tokens_of(x["presence"])
            )
            if self.net.category_queries:
                values["orthogonality"] = losses.orthogonality(
                    shown["category"], shown["interference"], x.get(losses.REAL)
                )
        return {name: values[name] for name in self.trackers}

    def _rebuild_losses(self, x, shown, full) -> dict:
        presence, presence_full = (
            ops.cast(x[name], self.compute_dtype) for name in ("presence", "presence_full")
        )
        hidden = presence_full * (1.0 - presence)
        owner = ops.convert_to_tensor(feature_owner(self.net.feature_sizes), self.compute_dtype)
        return {
            "rebuild_tokens": losses.rebuild_error(
                shown["rebuilt"], full["tokens"], ops.expand_dims(self._tokens_of(hidden), -1)
            ),
            "rebuild_features": losses.rebuild_error(
                shown["features"], x["features_full"], ops.matmul(hidden, owner)
            ),
        }

    def _tokens_of(self, values):
        """Flatten ``[B, T, M]`` into ``[B, N]`` floats."""
        return ops.cast(
            ops.reshape(values, (-1, self.net.n_tokens * self.net.n_modalities)), self.compute_dtype
        )
