# SPDX-License-Identifier: Apache-2.0
"""What every checked file's model shares, and the first complaint of a failed check as words."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

_PREFIX = "Value error, "


class StrictModel(BaseModel):
    """Frozen, no unknown keys, no NaN and no infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


@dataclass(frozen=True)
class FirstProblem:
    """The first complaint of a validation.

    Attributes
    ----------
    place : str
        Keys down to the value, joined by dots; empty where it concerns the whole.
    message : str
        What is wrong, as pydantic says it.
    given : object
        The value that was refused.
    kind : str
        Pydantic's name for it, as ``"missing"``.
    """

    place: str
    message: str
    given: object
    kind: str

    @property
    def unknown_key(self) -> bool:
        """Whether the key itself is not known."""
        return self.kind == "extra_forbidden"

    @property
    def reason(self) -> str:
        """The message without pydantic's own prefix, on one line."""
        return self.message.removeprefix(_PREFIX).replace("\n", " ")


def first_problem(error: ValidationError) -> FirstProblem:
    """Return the first complaint of a validation.

    Examples
    --------
    >>> class Size(StrictModel):
    ...     bytes: int
    >>> try:
    ...     Size.model_validate({"bytes": "many"})
    ... except ValidationError as error:
    ...     found = first_problem(error)
    >>> found.place, found.given
    ('bytes', 'many')
    """
    first = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(str(part)[:60] for part in first["loc"])
    return FirstProblem(place, first["msg"], first["input"], first["type"])
