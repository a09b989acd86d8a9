"""MMQ-Net: a masked-query transformer for which a missing sensor is an ordinary input."""

from collections.abc import Mapping
from types import MappingProxyType

import keras

from mmq_tf.errors import MMQError
from mmq_tf.model._keras import normal, ops
from mmq_tf.model.attention import MASK_DEPTH
from mmq_tf.model.dyt import DyT
from mmq_tf.model.encoder import EncoderBlock
from mmq_tf.model.queries import CategoryQueries, InterferenceQueries, ModalityQueries, read_outs
from mmq_tf.model.tokens import TokenEmbedding

SIZES: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        "nano": MappingProxyType(
            {"dim": 32, "heads": 1, "blocks": 1, "hidden": 64, "category_heads": 4, "interference": 4}
        ),
        "small": MappingProxyType(
            {"dim": 64, "heads": 2, "blocks": 2, "hidden": 128, "category_heads": 4, "interference": 6}
        ),
        "base": MappingProxyType(
            {"dim": 128, "heads": 4, "blocks": 3, "hidden": 256, "category_heads": 8, "interference": 8}
        ),
    }
)
"""Each size by name: the widths and counts that `MMQNet` takes."""


@keras.saving.register_keras_serializable("mmq_tf")
class MMQNet(keras.Model):
    """Our reading of MMQ-Net (arXiv 2507.20737, abstract only): what runs on the device.

    Tokens of present sensors are embedded (`TokenEmbedding`); interference queries score which of them are
    corrupted; modality queries rebuild every token from the trusted ones; the completed stream
    ``tokens + (1 - presence) * (rebuilt + imputed)`` is encoded; category queries decode it, pushed away from
    corrupted tokens, and each class reads its logit from its own query.

    Parameters
    ----------
    n_tokens : int
        Steps in a window, T.
    feature_sizes : mapping of str to int
        Number of features of each modality, in the front end's order.
    tasks : mapping of str to int
        Number of classes of each task.
    dim, heads, blocks, hidden, category_heads, interference : int
        Token width, attention heads, encoder blocks, hidden width, attention heads of the category queries
        (they cost next to nothing), number of interference queries (see `SIZES` and `from_size`).
    dropout : float
        Dropout of the encoder's hidden units in training, 0 to 1.
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
        category_heads: int = 4,
        interference: int = 4,
        dropout: float = 0.0,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        _check_sizes(
            n_tokens,
            feature_sizes,
            tasks,
            (dim, heads, blocks, hidden, category_heads, interference),
            dropout,
        )
        self.n_tokens = n_tokens
        self.feature_sizes = dict(feature_sizes)
        self.tasks = dict(tasks)
        self.dim = dim
        self.heads = heads
        self.blocks = blocks
        self.hidden = hidden
        self.category_heads = category_heads
        self.interference = interference
        self.dropout = dropout
        self.seed = seed
        self._make_layers()
        self.build()

    @classmethod
    def from_size(
        cls, size: str, n_tokens: int, feature_sizes: Mapping[str, int], tasks: Mapping[str, int], **kwargs
    ):
        """Return a net of a size in `SIZES`; further arguments of the constructor win over the table."""
        if size not in SIZES:
            raise MMQError(f"size: expected one of {', '.join(SIZES)}, got {size!r}; choose one of these.")
        return cls(n_tokens, feature_sizes, tasks, **{**SIZES[size], **kwargs})

    @property
    def n_modalities(self) -> int:
        """Number of modalities, M."""
        return len(self.feature_sizes)

    @property
    def n_features(self) -> int:
        """Number of features of all modalities side by side, F."""
        return sum(self.feature_sizes.values())

    @property
    def seed_generators(self) -> list[keras.random.SeedGenerator]:
        """Every seed generator that training draws from (resetting them makes an epoch repeatable)."""
        generators = [getattr(layer, "seed_generator", None) for layer in self._flatten_layers()]
        return [generator for generator in generators if generator is not None]

    def _make_layers(self) -> None:
        seeds = iter(range(self.seed * 1000, self.seed * 1000 + 1000, 10))
        self.embedding = TokenEmbedding(
            self.n_tokens, self.feature_sizes, self.dim, seed=next(seeds), name="embedding"
        )
        self.interference_queries = InterferenceQueries(
            self.interference, self.dim, seed=next(seeds), name="interference_queries"
        )
        self.modality_queries = ModalityQueries(
            self.n_tokens,
            self.n_modalities,
            self.dim,
            self.heads,
            self.hidden,
            seed=next(seeds),
            name="modality_queries",
        )
        self.encoder = [
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
        self.category_queries = CategoryQueries(
            sum(self.tasks.values()), self.dim, self.category_heads, seed=next(seeds), name="category_queries"
        )
        self.read_outs = read_outs(self.tasks, self.dim, seed=next(seeds))

    def build(self, input_shape=None):
        """Create every weight, once; the shapes follow from the constructor's arguments."""
        if self.embedding.built:
            return
        stream = (None, self.n_tokens * self.n_modalities, self.dim)
        self.embedding.build((None, self.n_tokens, self.n_features))
        for part in (self.interference_queries, self.modality_queries, *self.encoder, self.norm):
            part.build(stream)
        self.category_queries.build(stream)
        start = normal(0.1, self.seed)
        self.imputed = self.add_weight(name="imputed", shape=(self.dim,), initializer=start)
        for read_out in self.read_outs.values():
            read_out.build((None, sum(self.tasks.values()) * self.dim))

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
            ``tokens``, ``rebuilt``, ``completed`` ``[B, N, dim]``; ``category`` ``[B, C, dim]``;
            ``interference`` ``[B, K, dim]``; ``interference_scores`` ``[B, N]`` (of absent tokens 0);
            ``logits`` a dict of ``[B, classes]`` by task. Token ``t * M + m`` is step t of modality m.
        """
        presence = ops.cast(inputs["presence"], self.compute_dtype)
        n_all = self.n_tokens * self.n_modalities
        here = ops.reshape(presence, (-1, 1, n_all))
        hidden_score = MASK_DEPTH - here * MASK_DEPTH
        tokens = self.embedding(inputs["features"], presence)
        scores = self.interference_queries(tokens)
        distrust = ops.relu6(ops.reshape(scores, (-1, 1, n_all)) * here)
        rebuilt = self.modality_queries(tokens, penalty=hidden_score + distrust)
        absence = 1.0 - ops.reshape(presence, (-1, n_all, 1))
        completed = tokens + absence * (rebuilt + self.imputed)
        encoded = completed
        for block in self.encoder:
            encoded = block(encoded, penalty=distrust, training=training)
        category = self.category_queries(self.norm(encoded), interference=distrust)
        flat = ops.reshape(category, (-1, sum(self.tasks.values()) * self.dim))
        return {
            "tokens": tokens,
            "rebuilt": rebuilt,
            "completed": completed,
            "category": category,
            "interference": self.interference_queries.outputs(tokens, 1.0 - here),
            "interference_scores": scores,
            "logits": {task: read_out(flat) for task, read_out in self.read_outs.items()},
        }

    def call(self, inputs, training=False):
        """Return the logits ``[B, classes]`` of each task, by name: the deployed graph."""
        return self.trace(inputs, training=bool(training))["logits"]

    def get_config(self):
        """Return the constructor's arguments."""
        names = ("n_tokens", "feature_sizes", "tasks", *SIZES["nano"], "dropout", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _check_sizes(n_tokens, feature_sizes, tasks, sizes, dropout) -> None:
    """Raise `MMQError` where a net of these sizes cannot exist."""
    if min(n_tokens, *sizes, *feature_sizes.values()) < 1 or not feature_sizes:
        raise MMQError(
            f"MMQNet: `n_tokens`, `feature_sizes`, `dim`, `heads`, `blocks`, `hidden`, `category_heads` and "
            f"`interference` must be at least 1, got {n_tokens}, {dict(feature_sizes)}, "
            f"{', '.join(map(str, sizes))}."
        )
    if not tasks or min(tasks.values()) < 2:
        raise MMQError(f"MMQNet: `tasks` must name tasks of at least 2 classes, got {dict(tasks)}.")
    if not 0 <= dropout < 1:
        raise MMQError(f"MMQNet: `dropout` must be at least 0 and below 1, got {dropout}.")
