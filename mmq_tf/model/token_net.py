# SPDX-License-Identifier: Apache-2.0
"""What every network over a window's tokens shares: its arguments, their checks and its sizes by name."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Self

import keras

from mmq_tf.config.training_spec import TrainingSpec
from mmq_tf.errors import MMQError
from mmq_tf.model.encoder import EncoderBlock

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
"""Each size by name: the widths and counts that `MMQNet` takes; other networks take those they have."""


class TokenNet(keras.Model):
    """Arguments of a network that reads ``features`` and ``presence`` of a window, and what follows of them.

    A subclass hands its arguments on, then makes its layers and builds itself.

    Parameters
    ----------
    n_tokens : int
        Steps in a window, T.
    feature_sizes : mapping of str to int
        Number of features of each of the M modalities, in the front end's order.
    tasks : mapping of str to int
        Number of classes of each task.
    dim, heads, blocks, hidden : int
        Token width, attention heads, encoder blocks, hidden width.
    dropout : float
        Dropout of the blocks' hidden units in training, 0 to below 1.
    seed : int
        Seed of the initial weights and of the dropout.

    Attributes
    ----------
    sized : tuple of str
        The constructor's arguments that a name in `SIZES` stands for.

    Raises
    ------
    MMQError
        If a size is impossible, there is no task, or one has fewer than two classes.
    """

    sized: ClassVar[tuple[str, ...]] = ("dim", "heads", "blocks", "hidden")

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
        self.n_tokens = n_tokens
        self.feature_sizes = dict(feature_sizes)
        self.tasks = dict(tasks)
        self.dim = dim
        self.heads = heads
        self.blocks = blocks
        self.hidden = hidden
        self.dropout = dropout
        self.seed = seed
        self.check_counts("n_tokens", *TokenNet.sized)
        self._check_shared()

    @classmethod
    def from_size(
        cls,
        size: str,
        n_tokens: int,
        feature_sizes: Mapping[str, int],
        tasks: Mapping[str, int],
        *,
        widths: Mapping[str, int] = MappingProxyType({}),
        **kwargs,
    ) -> Self:
        """Return a net of a size in `SIZES`.

        Parameters
        ----------
        widths
            As for `sizes_of`.
        **kwargs
            Further arguments of the constructor, which win over the table.

        Raises
        ------
        MMQError
            As `sizes_of` and the constructor.
        """
        return cls(n_tokens, feature_sizes, tasks, **{**cls.sizes_of(size, widths), **kwargs})

    @classmethod
    def from_spec(cls, spec: TrainingSpec, classes: int, seed: int, **own: Any) -> Self:
        """Return a fresh network for the windows and the task of a training spec.

        Parameters
        ----------
        spec : TrainingSpec
            Its layout, task, size, widths and dropout.
        classes : int
            Of the task.
        seed : int
            Of the initial weights and the dropout.
        **own
            Further arguments of the constructor.
        """
        layout, model = spec.layout, spec.model
        return cls.from_size(
            model.size,
            layout.tokens,
            layout.feature_sizes,
            {spec.data.task: classes},
            widths=model.widths,
            dropout=model.dropout,
            seed=seed,
            **own,
        )

    @classmethod
    def sizes_of(cls, size: str, widths: Mapping[str, int] = MappingProxyType({})) -> dict[str, int]:
        """Return the arguments that a size stands for.

        Parameters
        ----------
        size
            A name in `SIZES`.
        widths
            Some of its widths and counts, replaced by others.

        Raises
        ------
        MMQError
            If there is no such size, or the replaced width cannot be divided among the heads.
        """
        if size not in SIZES:
            raise MMQError(f"size: expected one of {', '.join(SIZES)}, got {size!r}; choose one of these.")
        sizes = {**SIZES[size], **widths}
        if widths and sizes["dim"] % (2 * sizes["heads"]):
            raise MMQError(
                f"model.dim: expected a multiple of twice model.heads = {sizes['heads']}, got "
                f"{sizes['dim']}; choose another width or number of heads."
            )
        return {name: sizes[name] for name in cls.sized}

    @property
    def n_modalities(self) -> int:
        """Number of modalities, M."""
        return len(self.feature_sizes)

    @property
    def n_features(self) -> int:
        """Number of features of all modalities side by side, F."""
        return sum(self.feature_sizes.values())

    @property
    def n_all(self) -> int:
        """Tokens of a window, T * M."""
        return self.n_tokens * self.n_modalities

    @property
    def seed_generators(self) -> list[keras.random.SeedGenerator]:
        """Every seed generator that training draws from (resetting them makes an epoch repeatable)."""
        generators = [getattr(layer, "seed_generator", None) for layer in self._flatten_layers()]
        return [generator for generator in generators if generator is not None]

    @property
    def window_signature(self) -> list[dict[str, keras.InputSpec]]:
        """What `export` writes down of the inputs: any number of windows."""
        shapes = {"features": self.n_features, "presence": self.n_modalities}
        return [
            {
                name: keras.InputSpec(shape=(None, self.n_tokens, width), dtype="float32", name=name)
                for name, width in shapes.items()
            }
        ]

    def export(self, filepath, *args, input_signature=None, **options):
        """Write the network for other runtimes, as `keras.Model.export`, for any number of windows.

        ``format="onnx"`` needs the extra ``onnx``. For a device use `mmq_tf.export`: only a bundle has the
        front end, int8 and the decision settings.
        """
        super().export(filepath, *args, input_signature=input_signature or self.window_signature, **options)

    def part_seed(self, part: int) -> int:
        """Return the seed of a part's initial weights; parts are numbered from 0 to below 100."""
        return 1000 * self.seed + 10 * part

    def part_seeds(self) -> Iterator[int]:
        """Return the seeds of the parts in turn."""
        return map(self.part_seed, range(100))

    def block(self, index: int, seed: int) -> EncoderBlock:
        """Return an encoder block of the net's sizes, ``block_INDEX``."""
        return EncoderBlock(
            self.dim, self.heads, self.hidden, dropout=self.dropout, seed=seed, name=f"block_{index}"
        )

    def check_counts(self, *names: str) -> None:
        """Raise `MMQError` if one of these attributes is below 1."""
        for name in names:
            if getattr(self, name) < 1:
                raise MMQError(
                    f"{type(self).__name__}: `{name}` must be at least 1, got {getattr(self, name)}."
                )

    def _check_shared(self) -> None:
        name = type(self).__name__
        if not self.feature_sizes or min(self.feature_sizes.values()) < 1:
            raise MMQError(
                f"{name}: `feature_sizes` must name modalities of at least 1 feature, got "
                f"{self.feature_sizes}."
            )
        if not self.tasks or min(self.tasks.values()) < 2:
            raise MMQError(f"{name}: `tasks` must name tasks of at least 2 classes, got {self.tasks}.")
        if not 0 <= self.dropout < 1:
            raise MMQError(f"{name}: `dropout` must be at least 0 and below 1, got {self.dropout}.")

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        names = ("n_tokens", "feature_sizes", "tasks", *self.sized, "dropout", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
