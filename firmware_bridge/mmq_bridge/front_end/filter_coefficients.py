# SPDX-License-Identifier: Apache-2.0
"""`FilterCoefficients`: the designed filters of one modality, as they travel in ``frontend.json``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from mmq_bridge.validation import StrictModel

Row = tuple[float, float, float, float, float]


class FilterCoefficients(StrictModel):
    """Float32 coefficients, every digit kept, that the core's filters take.

    Attributes
    ----------
    designed_for : str
        Digest of the settings they follow from, see `mmq_bridge.front_end.filter_design.designed_for`.
    prefilter : tuple of rows
        Biquads before decimation, ``b0 b1 b2 a1 a2`` each (a0 = 1).
    bank : tuple of rows
        Band-passes in the bank's form, ``g a1 a2 c1 c2`` each, one per band.
    """

    designed_for: str = Field(pattern=r"^[0-9a-f]{64}$")
    prefilter: tuple[Row, ...] = Field(default=(), max_length=16)
    bank: tuple[Row, ...] = Field(default=(), max_length=16)

    @model_validator(mode="after")
    def _check(self) -> Self:
        for part, rows in (("prefilter", self.prefilter), ("bank", self.bank)):
            for index, row in enumerate(rows):
                with np.errstate(over="ignore"):
                    narrow = np.array(row, np.float32)
                if narrow.tolist() != list(row):
                    raise ValueError(f"{part} row {index} must be float32 numbers, got {row}")
        for part, index, (first, second) in self._poles():
            if not (abs(second) < 1 and abs(first) < 1 + second):
                raise ValueError(f"{part} row {index} is no stable filter (poles outside the unit circle)")
        return self

    def _poles(self) -> Iterator[tuple[str, int, tuple[float, float]]]:
        """Every section's denominator ``1 + first z^-1 + second z^-2``."""
        for index, row in enumerate(self.prefilter):
            yield "prefilter", index, row[3:5]
        for index, row in enumerate(self.bank):
            yield "bank", index, row[1:3]
            yield "bank", index, row[3:5]

    def tables(self) -> tuple[np.ndarray, np.ndarray]:
        """Return prefilter and bank, float32, shapes (sections, 5) and (bands, 5)."""
        prefilter, bank = (np.array(rows, np.float32).reshape(-1, 5) for rows in (self.prefilter, self.bank))
        return prefilter, bank
