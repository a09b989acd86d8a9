# SPDX-License-Identifier: Apache-2.0
"""`HeadTables`: what a personal head reads of a window, as the training people's windows decided."""

from __future__ import annotations

import json

from pydantic import Field, ValidationError, model_validator

from mmq_bridge.errors import BridgeError
from mmq_bridge.validation import StrictModel, first_problem, parse_json

MAX_COMPONENTS = 32
MAX_BYTES = 10_240
"""Of the tables as a device holds them."""


class HeadTables(StrictModel):
    """Statistics of a window, and the components they are projected on; float32 in a device.

    Of each of E features the mean over its modality's present tokens of ``tanh(x / 1.5)`` is taken,
    ``tanh((mean - centre) * scale)`` of it, 0 where there is no token, and projected on k components of
    unit variance in training.

    Attributes
    ----------
    task : str
        The task whose logit is corrected; it has two classes.
    tokens, n_modalities, n_features : int
        T, M and F of a window.
    column, owner : tuple of int
        Of each statistic: which of the F features, and which of the M modalities.
    centre, scale : tuple of float
        ``[E]``.
    component : tuple of tuple of float
        ``[k][E]``.
    """

    task: str = Field(min_length=1, max_length=200)
    tokens: int = Field(ge=1, le=512)
    n_modalities: int = Field(ge=1, le=16)
    n_features: int = Field(ge=1, le=65_535)
    column: tuple[int, ...] = Field(min_length=1)
    owner: tuple[int, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    component: tuple[tuple[float, ...], ...] = Field(min_length=1, max_length=MAX_COMPONENTS)

    @model_validator(mode="after")
    def _check(self) -> HeadTables:
        lengths = {len(values) for values in (self.owner, self.centre, self.scale, *self.component)}
        if lengths != {len(self.column)}:
            raise ValueError("owner, centre, scale and each component need a value per column")
        if not all(0 <= column < self.n_features for column in self.column):
            raise ValueError("a column is not one of the features")
        if not all(0 <= owner < self.n_modalities for owner in self.owner):
            raise ValueError("an owner is not one of the modalities")
        if len(self.column) > self.n_features:
            raise ValueError("there are more columns than features")
        return self

    @property
    def device_bytes(self) -> int:
        """Bytes of the tables in a device."""
        return table_bytes(len(self.column), len(self.component))

    def to_json(self) -> str:
        """Return JSON text that `from_json` reads to the same float32 bits."""
        return json.dumps(self.model_dump(mode="json"), separators=(",", ":")) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, where: str = "personal_head.json") -> HeadTables:
        """Read what `to_json` wrote; `where` begins the error's sentence.

        Raises
        ------
        BridgeError
            When it is not JSON, or not such tables.
        """
        try:
            return cls.model_validate(parse_json(text))
        except ValidationError as error:
            found = first_problem(error)
            raise BridgeError(f"{where}: {found.place or 'top level'}: {found.reason}.") from error
        except (ValueError, RecursionError) as error:
            raise BridgeError(f"{where}: expected JSON, got something else.") from error


def table_bytes(statistics: int, components: int) -> int:
    """Return the bytes of tables of E statistics and k components in a device.

    Examples
    --------
    >>> table_bytes(28, 28)
    3472
    """
    return 4 * statistics * (components + 2) + 2 * 2 * statistics
