"""ME-MHACL's network: one encoder a modality, then attention over the modalities that are there."""

from collections.abc import Mapping

import keras
import numpy as np

from mmq_tf.errors import MMQError
from mmq_tf.model._keras import glorot, normal, ops
from mmq_tf.model.attention import MASK_DEPTH, AbsorbedAttention
from mmq_tf.model.dyt import DyT
from mmq_tf.model.encoder import EncoderBlock
from mmq_tf.model.mmqnet import SIZES
from mmq_tf.model.tokens import TokenEmbedding

_SIZES = ("dim", "heads", "blocks", "hidden")
_READING_HEADS = 4


@keras.saving.register_keras_serializable("mmq_tf")
class ModalityEncoder(keras.layers.Layer):
    """One vector a modality: its present tokens, embedded as MMQ-Net embeds them, weighed by attention.

    ``vector_m = present_m * relu(attention_m(tokens of m) + place_m)``: each modality asks with a learned
    query of its own among its own present tokens.

    Parameters
    ----------
    n_tokens : int
        Steps in a window, T.
    feature_sizes : mapping of str to int
        Number of features of each of M modalities, in the front end's order.
    dim, heads : int
        Width of a token and of a vector, number of attention heads.
    seed : int
        Seed of the initial weights.
    """

    def __init__(
        self,
        n_tokens: int,
        feature_sizes: Mapping[str, int],
        dim: int,
        heads: int,
        *,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.n_tokens = n_tokens
        self.feature_sizes = dict(feature_sizes)
        self.dim = dim
        self.heads = heads
        self.seed = seed
        self.embedding = TokenEmbedding(n_tokens, feature_sizes, dim, seed=seed, name="embedding")
        self.attention = AbsorbedAttention(
            dim, heads, dim, n_queries=len(self.feature_sizes), seed=seed + 3, name="attention"
        )

    def build(self, input_shape=None):
        """Create every weight; the shapes follow from the constructor's arguments."""
        n_modalities = len(self.feature_sizes)
        self.embedding.build((None, self.n_tokens, sum(self.feature_sizes.values())))
        self.attention.build((None, self.n_tokens * n_modalities, self.dim))
        start = normal(0.3, self.seed + 5)
        self.place = self.add_weight(name="place", shape=(1, n_modalities, self.dim), initializer=start)

    def own_tokens(self) -> np.ndarray:
        """Return float32 ``[1, M * heads, T * M]``, 1 where a token is of the asking modality."""
        own = np.tile(np.eye(len(self.feature_sizes), dtype="float32"), (1, self.n_tokens))
        return np.repeat(own, self.heads, axis=0)[None]

    def call(self, features, presence):
        """Return vectors ``[B, M, dim]``, and ``[B, M]``, 1 where a modality has any token.

        Of features ``[B, T, F]`` and presence ``[B, T, M]``. The vector of a modality without tokens is 0.
        """
        n_modalities = len(self.feature_sizes)
        tokens = self.embedding(features, presence)
        here = ops.reshape(presence, (-1, 1, self.n_tokens * n_modalities))
        own = ops.convert_to_tensor(self.own_tokens(), self.compute_dtype)
        attended = self.attention(tokens, penalty=MASK_DEPTH - here * (MASK_DEPTH * own))
        present = ops.max(presence, axis=1)
        return ops.relu(attended + self.place) * ops.expand_dims(present, -1), present

    def encode(self, inputs):
        """Return what `call` does, of a dict of ``features`` and ``presence`` (0 or 1)."""
        return self(inputs["features"], ops.cast(inputs["presence"], self.compute_dtype))

    def get_config(self):
        """Return the constructor's arguments."""
        names = ("n_tokens", "feature_sizes", "dim", "heads", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("mmq_tf")
class MHACL(keras.Model):
    """Our reading of ME-MHACL (arXiv 2308.01919, abstract only): vectors of modalities, attention, classes.

    `ModalityEncoder` gives each present modality a vector; these are the tokens of a transformer block with
    multi-head attention over the present ones; one learned query reads them, and each task's logits follow
    from what it read. Stage 1, which teaches the encoder without labels, follows SGMC (arXiv 2208.00877).

    Parameters
    ----------
    n_tokens : int
        Steps in a window, T.
    feature_sizes : mapping of str to int
        Number of features of each modality, in the front end's order.
    tasks : mapping of str to int
        Number of classes of each task.
    dim, heads, blocks, hidden : int
        Width of tokens and vectors, attention heads, transformer blocks, hidden width.
    dropout : float
        Dropout of the hidden units in training, 0 to below 1.
    seed : int
        Seed of the initial weights and of the dropout.

    Raises
    ------
    MMQError
        If a size is impossible or a task has fewer than two classes.
    """

    def __init__(
        self,
        n_tokens: int,
        feature_sizes: Mapping[str, int],
        tasks: Mapping[str, int],
        *,
        dim: int = 32,
        heads: int = 1,
        blocks: int = 1,
        hidden: int = 64,
        dropout: float = 0.0,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if min(dim, heads, blocks, hidden) < 1 or not 0 <= dropout < 1:
            raise MMQError(
                f"MHACL: `dim`, `heads`, `blocks` and `hidden` must be at least 1 and `dropout` at least 0 "
                f"and below 1, got {dim}, {heads}, {blocks}, {hidden} and {dropout}."
            )
        if not tasks or min(tasks.values()) < 2:
            raise MMQError(f"MHACL: `tasks` must name tasks of at least 2 classes, got {dict(tasks)}.")
        self.n_tokens = n_tokens
        self.feature_sizes = dict(feature_sizes)
        self.tasks = dict(tasks)
        self.dim = dim
        self.heads = heads
        self.blocks = blocks
        self.hidden = hidden
        self.dropout = dropout
        self.seed = seed
        self._make_layers()
        self.build()

    @classmethod
    def from_size(
        cls, size: str, n_tokens: int, feature_sizes: Mapping[str, int], tasks: Mapping[str, int], **kwargs
    ):
        """Return a net as wide as the MMQ-Net of that size, so that the encoder can start either."""
        if size not in SIZES:
            raise MMQError(f"size: expected one of {', '.join(SIZES)}, got {size!r}; choose one of these.")
        sizes = {name: SIZES[size][name] for name in _SIZES}
        return cls(n_tokens, feature_sizes, tasks, **{**sizes, **kwargs})

    def _make_layers(self) -> None:
        seeds = iter(range(self.seed * 1000, self.seed * 1000 + 1000, 10))
        self.encoder = ModalityEncoder(
            self.n_tokens, self.feature_sizes, self.dim, _READING_HEADS, seed=next(seeds), name="encoder"
        )
        self.mixing = [
            EncoderBlock(
                self.dim,
                self.heads,
                self.hidden,
                dropout=self.dropout,
                seed=next(seeds),
                name=f"block_{index}",
            )
            for index in range(self.blocks)
        ]
        self.norm = DyT(affine=False, name="norm")
        self.reader = AbsorbedAttention(
            self.dim, _READING_HEADS, self.dim, n_queries=1, seed=next(seeds), name="reader"
        )
        self.read_outs = {
            task: keras.layers.Dense(count, kernel_initializer=glorot(next(seeds)), name=f"logits_{task}")
            for task, count in self.tasks.items()
        }

    def build(self, input_shape=None):
        """Create every weight, once; the shapes follow from the constructor's arguments."""
        if self.encoder.built:
            return
        self.encoder.build()
        self.encoder.built = True
        vectors = (None, len(self.feature_sizes), self.dim)
        for part in (*self.mixing, self.norm, self.reader):
            part.build(vectors)
        for read_out in self.read_outs.values():
            read_out.build((None, self.dim))

    def call(self, inputs, training=False):
        """Return the logits ``[B, classes]`` of each task of ``features`` and ``presence`` (0 or 1)."""
        vectors, present = self.encoder.encode(inputs)
        penalty = MASK_DEPTH - ops.expand_dims(present, 1) * MASK_DEPTH
        for block in self.mixing:
            vectors = block(vectors, penalty=penalty, training=bool(training))
        kept = self.norm(vectors) * ops.expand_dims(present, -1)
        read = ops.reshape(ops.relu(self.reader(kept, penalty=penalty)), (-1, self.dim))
        return {task: read_out(read) for task, read_out in self.read_outs.items()}

    def get_config(self):
        """Return the constructor's arguments."""
        names = ("n_tokens", "feature_sizes", "tasks", *_SIZES, "dropout", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
