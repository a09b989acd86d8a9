# SPDX-License-Identifier: Apache-2.0
"""MMQ-Net: a masked-query transformer for which a missing sensor is an ordinary input."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import keras
import numpy as np

from mmq_tf import pretrained
from mmq_tf.config.preset_files import preset_names
from mmq_tf.config.run_config import load_config
from mmq_tf.config.training_spec import TrainingSpec
from mmq_tf.errors import MMQError
from mmq_tf.model.attention import MASK_BIAS
from mmq_tf.model.block_dense import BlockDense
from mmq_tf.model.dyt import DyT
from mmq_tf.model.keras_names import normal, ops
from mmq_tf.model.line_path import SQUASH, LinePath
from mmq_tf.model.queries import (
    QUERIES,
    CategoryQueries,
    InterferenceQueries,
    ModalityQueries,
    mean_read_outs,
    read_outs,
)
from mmq_tf.model.saved_network import load_network
from mmq_tf.model.token_net import TokenNet
from mmq_tf.model.tokens import TokenEmbedding, feature_owner


@keras.saving.register_keras_serializable("mmq_tf")
class MMQNet(TokenNet):
    """Our reading of MMQ-Net (arXiv 2507.20737, abstract only): what runs on the device.

    Tokens of present sensors are embedded (`TokenEmbedding`); interference queries score which of them are
    corrupted; modality queries rebuild every token from the trusted ones; the completed stream
    ``tokens + (1 - presence) * (rebuilt + imputed)`` is encoded; category queries decode it, pushed away from
    corrupted tokens, and each class reads its logit from its own query. A rebuilt token counts less than a
    measured one: both attend to it with `rebuilt_penalty` taken off its score.

    For ablations any kind of query can be left out. Without modality queries nothing is rebuilt: absent
    tokens are masked out of all attention and of the read-out. Without category queries the classes are read
    from the mean of the encoded tokens. Without interference queries no token is distrusted.

    Parameters
    ----------
    n_tokens, feature_sizes, tasks, **shared
        As for `TokenNet`.
    category_heads, interference : int
        Attention heads of the category queries (they cost next to nothing), number of interference queries.
    queries : sequence of str
        Which of `QUERIES` there are; a part has the same initial weights whichever others there are.
    learned_mask : bool
        Whether interference scores push attention down; if not, they are only taught.
    rebuilt_penalty : float
        What is taken off a rebuilt token's score in attention, 0 (counts as a measured one) to 16 (hidden);
        2 makes its weight ``exp(-2)`` of a measured token's of the same score.
    quality : sequence of int
        Features that say how good a signal is. They are no evidence: only the interference queries read them,
        by a line a modality that is added to its tokens' scores.
    line : bool
        Whether a `LinePath` stands beside the queries: ``logits = line + network_share * network``. The
        queries' features are then squashed too, ``tanh(x / 1.5)``.
    line_squash : float
        Of the line's own features; see `LinePath`.
    line_steps : bool
        Whether the line is of steps; see `LinePath`.
    line_gate : bool
        Whether what a sensor measured says how much the line's mean believes each of its tokens, by a line a
        modality of its squashed features, which `mmq_tf.training.line_gate.fit_gate` trains after all else.

    Raises
    ------
    MMQError
        If a size is impossible, a kind of query unknown, or a task has fewer than two classes.
    """

    sized: ClassVar[tuple[str, ...]] = (*TokenNet.sized, "category_heads", "interference")

    def __init__(
        self,
        n_tokens: int,
        feature_sizes: Mapping[str, int],
        tasks: Mapping[str, int],
        *,
        category_heads: int = 4,
        interference: int = 4,
        queries: Sequence[str] = QUERIES,
        learned_mask: bool = True,
        rebuilt_penalty: float = 2.0,
        quality: Sequence[int] = (),
        line: bool = False,
        line_squash: float = SQUASH,
        line_gate: bool = False,
        line_steps: bool = False,
        **shared,
    ):
        super().__init__(n_tokens, feature_sizes, tasks, **shared)
        self.category_heads = category_heads
        self.interference = interference
        self.check_counts("category_heads", "interference")
        if unknown := sorted(set(queries) - set(QUERIES)):
            raise MMQError(f"MMQNet: `queries` must be some of {', '.join(QUERIES)}, got {unknown[0]!r}.")
        self.queries = tuple(queries)
        self.learned_mask = learned_mask
        self.rebuilt_penalty = rebuilt_penalty
        if not 0 <= rebuilt_penalty <= MASK_BIAS:
            raise MMQError(
                f"MMQNet: `rebuilt_penalty` must be from 0 to {MASK_BIAS:g}, got {rebuilt_penalty}."
            )
        self.quality = tuple(quality)
        self.line_squash, self.line_steps = float(line_squash), bool(line_steps)
        self._make_layers()
        self.line: Any = self._make_line() if line else None
        self.line_gate: Any = self._make_gate() if line and line_gate else None
        self.build()

    @classmethod
    def from_spec(cls, spec: TrainingSpec, classes: int, seed: int, **own: Any) -> Self:
        """Return a fresh network, with the queries and penalties that the spec's model names."""
        model = spec.model
        parts = {name: getattr(model, name) for name in ("queries", "learned_mask", "rebuilt_penalty")}
        if model.line:
            apart = spec.layout.quality if model.quality == "gate" else ()
            parts |= {"line": True, "quality": np.flatnonzero(apart).tolist()}
            parts |= {key: getattr(model, key) for key in ("line_squash", "line_gate", "line_steps")}
        return super().from_spec(spec, classes, seed, **{**parts, **own})

    @classmethod
    def from_preset(cls, preset: str | Path, *, load_weights: bool = True) -> Any:
        """Return a network by name: a pretrained one, a run's, or a fresh one of a configuration.

        Parameters
        ----------
        preset : str or Path
            The name of a pretrained model (`mmq_tf.pretrained.names`), the folder of a finished run, or,
            without weights, a preset's name or a TOML file.
        load_weights : bool
            If not, the network is fresh, with the seed of its configuration.

        Returns
        -------
        MMQNet
            Or what else was trained there: an `Ensemble`, an `MHACL`. Called with ``features`` float32
            ``[B, T, F]``, normalised and 0 where absent, and ``presence`` ``[B, T, M]``, it returns a dict of
            logits ``[B, classes]`` by task.

        Raises
        ------
        MMQError
            If there is nothing of that name, or it has no weights.

        Examples
        --------
        >>> net = MMQNet.from_preset("wrist-stress")
        >>> net.n_tokens, list(net.feature_sizes), net.tasks
        (12, ['ppg', 'eda', 'temp', 'acc'], {'stress': 2})
        """
        if load_weights:
            return load_network(_weights_of(preset))
        folder = Path(preset)
        config = load_config(str(folder / "config.toml" if folder.is_dir() else preset))
        return cls.from_spec(config.training_spec, len(config.classes), config.seeds[0])

    def _make_layers(self) -> None:
        seeds = self.part_seeds()
        shape = self.n_tokens, self.n_modalities, self.dim, self.heads, self.hidden
        self.embedding = TokenEmbedding(
            self.n_tokens,
            self.feature_sizes,
            self.dim,
            seed=next(seeds),
            unread=self.quality,
            name="embedding",
        )
        # Each draws its seed, whether it is kept or not.
        interference = InterferenceQueries(
            self.interference, self.dim, seed=next(seeds), name="interference_queries"
        )
        modality = ModalityQueries(*shape, seed=next(seeds), name="modality_queries")
        self.interference_queries = interference if "interference" in self.queries else None
        self.modality_queries = modality if "modality" in self.queries else None
        self.encoder = [self.block(index, next(seeds)) for index in range(self.blocks)]
        self.norm = DyT(affine=False, name="norm")
        category = CategoryQueries(
            sum(self.tasks.values()), self.dim, self.category_heads, seed=next(seeds), name="category_queries"
        )
        self.category_queries = category if "category" in self.queries else None
        read = read_outs if self.category_queries else mean_read_outs
        self.read_outs = read(self.tasks, self.dim, seed=next(seeds))
        sizes = list(self.feature_sizes.values())
        self.quality_scores = (
            BlockDense(sizes, [1] * len(sizes), use_bias=False, seed=next(seeds), name="quality_scores")
            if self.quality and self.interference_queries
            else None
        )

    def _make_line(self) -> LinePath:
        own = {"unread": self.quality, "squash": self.line_squash, "steps": self.line_steps}
        return LinePath(self.n_tokens, self.feature_sizes, self.tasks, **own, name="line")

    def _make_gate(self) -> BlockDense:
        sizes = list(self.feature_sizes.values())
        gate = BlockDense(sizes, [1] * len(sizes), use_bias=False, name="line_gate")
        gate.trainable = False
        return gate

    def build(self, input_shape=None):
        """Create every weight, once; the shapes follow from the constructor's arguments."""
        if self.embedding.built:
            return
        stream = (None, self.n_all, self.dim)
        self.embedding.build((None, self.n_tokens, self.n_features))
        parts = (self.interference_queries, self.modality_queries, *self.encoder, self.norm)
        for part in (*parts, self.category_queries):
            if part is not None:
                part.build(stream)
        if self.quality_scores:
            self.quality_scores.build((None, self.n_tokens, self.n_features))
        if self.line:
            self.line.build()
            if self.line_gate:
                self.line_gate.build((None, self.n_tokens, self.n_features))
                self.line_gate.kernel.assign(np.zeros(self.line_gate.kernel.shape))
            self.network_share = self.add_weight(
                name="network_share", shape=(), initializer="ones", trainable=False
            )
        if self.modality_queries:
            start = normal(0.1, self.seed)
            self.imputed = self.add_weight(name="imputed", shape=(self.dim,), initializer=start)
        read = sum(self.tasks.values()) if self.category_queries else 1
        for read_out in self.read_outs.values():
            read_out.build((None, read * self.dim))

    def trace(self, inputs, training: bool = False) -> dict:
        """Run the net and keep what it thought on the way.

        Parameters
        ----------
        inputs : dict
            ``features`` float32 ``[B, T, F]`` and ``presence`` float32 ``[B, T, M]`` (0 or 1).
        training : bool
            Whether dropout is on.

        Returns
        -------
        dict
            ``tokens``, ``rebuilt``, ``completed`` ``[B, N, dim]``; ``category`` ``[B, C, dim]``,
            ``category_attention`` ``[B, C * heads, N]``, where each query and head looks (sums to 1);
            ``interference`` ``[B, K, dim]``; ``interference_scores`` ``[B, N]`` (of absent tokens 0);
            ``logits`` a dict of ``[B, classes]`` by task, and beside a line also ``line`` and ``network``,
            whose weighted sum the logits are. Token ``t * M + m`` is step t of modality m. What comes from a
            kind of query that was left out is not there.
        """
        shown, presence, tokens, trace, distrust = self._look(inputs)
        absent, unseen, hidden = self._hidden(presence, distrust)
        completed = tokens
        if self.modality_queries:
            rebuilt = self.modality_queries(tokens, penalty=hidden)
            absence = 1.0 - ops.reshape(presence, (-1, self.n_all, 1))
            completed = tokens + absence * (rebuilt + self.imputed)
            trace["rebuilt"], unseen = rebuilt, self.rebuilt_penalty * absent
        encoded = completed
        for block in self.encoder:
            encoded = block(encoded, penalty=_both(unseen, distrust), training=training)
        decoded = self._decode(self.norm(encoded), unseen, distrust)
        if self.line:
            line = self.line(inputs["features"], presence, self._line_scores(shown, hidden))
            decoded |= self._beside_line(line, decoded["logits"])
        return {"tokens": tokens, "completed": completed, **trace, **decoded}

    def line_statistics(self, inputs):
        """Return what the line reads of windows; see `LinePath.statistics`. Inputs as of `trace`."""
        return self._line.statistics(*self._line_inputs(inputs))

    def line_logits(self, inputs) -> dict:
        """Return the line's own logits ``[B, classes]`` by task. Inputs as of `trace`."""
        return self._line(*self._line_inputs(inputs))

    def _line_inputs(self, inputs):
        shown, presence, _, _, distrust = self._look(inputs)
        _, _, hidden = self._hidden(presence, distrust)
        return inputs["features"], presence, self._line_scores(shown, hidden)

    def _hidden(self, presence, distrust):
        """Return 1 where a token is absent, the penalty of that, and with distrust's, each ``[B, 1, N]``."""
        absent = 1.0 - ops.reshape(presence, (-1, 1, self.n_all))
        unseen = absent * MASK_BIAS
        return absent, unseen, _both(unseen, distrust)

    def _look(self, inputs):
        """Return features (squashed beside a line), presence, tokens, what interference found, penalty."""
        presence = ops.cast(inputs["presence"], self.compute_dtype)
        features = inputs["features"]
        if self.line:
            features = ops.tanh(features * (1.0 / SQUASH))
        tokens = self.embedding(features, presence)
        here = ops.reshape(presence, (-1, 1, self.n_all))
        found, distrust = self._find_interference(tokens, here, self._quality(features, presence))
        return features, presence, tokens, found, distrust

    @property
    def _line(self) -> LinePath:
        if self.line is None:
            raise MMQError("MMQNet: there is no line beside this network; make it with line=True.")
        return self.line

    def _line_scores(self, shown, hidden):
        """Return how much the line's mean believes each token, ``[B, T, M]``."""
        shape = (-1, self.n_tokens, self.n_modalities)
        if self.line_gate:
            return self.line_gate(shown) - ops.reshape(hidden, shape)
        # Not the reshaped one: LiteRT writes such a difference over `hidden`, which others read later.
        return ops.reshape(0.0 - hidden, shape)

    def _beside_line(self, line, network) -> dict:
        """Return the line's logits, the network's, and their weighted sum."""
        logits = {task: line[task] + value * self.network_share for task, value in network.items()}
        return {"line": line, "network": network, "logits": logits}

    def _quality(self, features, presence):
        """Return what quality adds to the tokens' interference scores, ``[B, N]``, or None."""
        if self.quality_scores is None:
            return None
        others = [k for k in range(self.n_features) if k not in self.quality]
        owner = ops.convert_to_tensor(feature_owner(self.feature_sizes, others), self.compute_dtype)
        return ops.reshape(self.quality_scores(features * ops.matmul(presence, owner)), (-1, self.n_all))

    def _find_interference(self, tokens, here, quality=None):
        """Return what interference queries found, and the penalty of it, ``[B, 1, N]`` or None."""
        if self.interference_queries is None:
            return {}, None
        scores = self.interference_queries(tokens)
        if quality is not None:
            scores = scores + quality
        found = {
            "interference": self.interference_queries.outputs(tokens, 1.0 - here),
            "interference_scores": scores,
        }
        if not self.learned_mask:
            return found, None
        return found, ops.relu6(ops.reshape(scores, (-1, 1, here.shape[-1])) * here)

    def _decode(self, encoded, unseen, distrust) -> dict:
        """Return the logits, and what category queries took up."""
        decoded = {}
        if self.category_queries:
            decoded["category"] = self.category_queries(encoded, interference=distrust, penalty=unseen)
            decoded["category_attention"] = self.category_queries.shares(encoded, distrust, unseen)
            flat = ops.reshape(decoded["category"], (-1, sum(self.tasks.values()) * self.dim))
        else:  # the softmax of equal scores is the mean over what is seen, in operations that int8 has
            mean = ops.matmul(ops.softmax(MASK_BIAS - unseen), encoded)
            flat = ops.reshape(mean, (-1, self.dim))
        return {**decoded, "logits": {task: read_out(flat) for task, read_out in self.read_outs.items()}}

    def call(self, inputs, training=False):
        """Return the logits ``[B, classes]`` of each task, by name: the deployed graph."""
        return self.trace(inputs, training=bool(training))["logits"]

    def get_config(self):
        """Return the constructor's arguments."""
        own = {name: getattr(self, name) for name in ("learned_mask", "rebuilt_penalty")}
        parts = {"queries": list(self.queries), "quality": list(self.quality), "line": self.line is not None}
        line = {"line_squash": self.line_squash, "line_gate": self.line_gate is not None}
        line["line_steps"] = self.line_steps
        return {**super().get_config(), **own, **parts, **line}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Rebuild the net; one saved before `rebuilt_penalty` was thought of has none."""
        return super().from_config({"rebuilt_penalty": 0.0, **config}, custom_objects)


def _weights_of(preset: str | Path) -> Path:
    """Return the ``.keras`` file of a pretrained model or of a run."""
    if Path(preset).is_dir():
        return Path(preset) / "model.keras"
    if str(preset) in preset_names():
        raise MMQError(
            f"from_preset: {preset} is a configuration, which has no weights; train it, or say "
            "load_weights=False."
        )
    return pretrained.weights(str(preset))


def _both(penalty, other):
    """Add two penalties of which the second may be None."""
    return penalty if other is None else penalty + other
