# SPDX-License-Identifier: Apache-2.0
"""Every key a configuration can have, read from the models that check it."""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined


@dataclass(frozen=True)
class ConfigKey:
    """One key.

    Attributes
    ----------
    name : str
        Dotted, as `--set` takes it.
    kind : str
        What values it takes, with their limits.
    default : str
        Its value where none is given; ``"required"`` where there must be one.
    section : type
        The model that has it; its docstring explains it.
    """

    name: str
    kind: str
    default: str
    section: type[Any]


def config_keys(model: Any, prefix: str = "") -> Iterator[ConfigKey]:
    """Yield the keys of a pydantic model, or of a dataclass, and of the sections in it, in their order."""
    for name, field in _fields(model):
        if _fields(field.annotation):
            yield from config_keys(field.annotation, f"{prefix}{name}.")
        else:
            limits = [_limit(limit) for limit in field.metadata]
            kind = " ".join([_kind(field.annotation), *filter(None, limits)])
            yield ConfigKey(f"{prefix}{name}", kind, _default(field), model)


def explained(section: type[Any]) -> str:
    """Return what a section's docstring says, on one line."""
    text = inspect.cleandoc(section.__doc__ or "").replace("Attributes\n----------\n", "")
    return " ".join(text.split())


def _fields(kind: Any) -> list[tuple[str, FieldInfo]]:
    """Return the fields of what has keys of its own; of all else none."""
    if inspect.isclass(kind) and issubclass(kind, BaseModel):
        return list(kind.model_fields.items())
    if inspect.isclass(kind) and dataclasses.is_dataclass(kind):
        return [
            (
                field.name,
                FieldInfo.from_annotated_attribute(typing.get_type_hints(kind)[field.name], field.default),
            )
            for field in dataclasses.fields(kind)
        ]
    return []


def _kind(kind: Any) -> str:
    """Return a type as people write it: ``"int | none"``, ``"list of str"``."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind is type(None):
        return "none"
    if origin is typing.Annotated:
        return _kind(inner[0])
    if origin is typing.Literal:
        return " | ".join(map(str, inner))
    if origin in (typing.Union, types.UnionType):
        return " | ".join(map(_kind, inner))
    if origin is tuple:
        return f"list of {_kind(inner[0])}" if Ellipsis in inner else f"{len(inner)} of {_kind(inner[0])}"
    if origin is dict:
        return f"table of {_kind(inner[1])}"
    return kind.__name__


def _limit(limit: Any) -> str:
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
    return " ".join(
        f"{sign} {getattr(limit, name):g}" for name, sign in signs.items() if hasattr(limit, name)
    )


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]"
    return "none" if value is None else str(value)
