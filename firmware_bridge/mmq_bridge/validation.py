# SPDX-License-Identifier: Apache-2.0
"""What every checked file's model shares, and the first complaint of a failed check as words."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

_PREFIX = "Value error, "


class StrictModel(BaseModel):
    """Frozen, no unknown keys, no NaN and no infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def parse_json(text: str | bytes) -> Any:
    r"""Return what JSON text holds; every text in it can be printed and written.

    Raises
    ------
    ValueError
        When it is not JSON, or a text in it has a control character or half of a character: a terminal would
        obey the first, and no file can hold the second.
    RecursionError
        When it is nested too deeply.

    Examples
    --------
    >>> parse_json(r'{"name": "\u001b[2J"}')
    Traceback (most recent call last):
    ValueError: a text has the character U+001B
    """
    data = json.loads(text)
    waiting = [data]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += (*value, *value.values())
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, str) and not value.isprintable():
            _check_text(value)
    return data


def _check_text(text: str) -> None:
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\t":
            raise ValueError(f"a text has the character U+{ord(character):04X}")


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
