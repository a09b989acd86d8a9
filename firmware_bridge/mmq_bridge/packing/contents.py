# SPDX-License-Identifier: Apache-2.0
"""Which files of a bundle's C code go into every package, and under which names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from mmq_bridge.errors import BridgeError

DEFAULT_PREFIX = "mmq"
_PREFIX = re.compile(r"[a-z][a-z0-9]{0,19}")
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_NAME = re.compile(r"\b(?:mmq|MMQ)_\w+")
_OWN = re.compile(r"mmq_(?:spec|rules|model|ops|network|head)\.[hc]")


@dataclass(frozen=True)
class Contents:
    """The C files of a package by their name.

    Attributes
    ----------
    headers, sources : dict of str to bytes
        Of the core; sources by their path below its `src`, their private headers among them.
    model : dict of str to bytes
        What was written for the bundle.
    """

    headers: dict[str, bytes]
    sources: dict[str, bytes]
    model: dict[str, bytes]


def check_prefix(prefix: str) -> None:
    """Raise where names cannot begin with `prefix`.

    Raises
    ------
    BridgeError
        When it is no word of small letters and digits.
    """
    if not _PREFIX.fullmatch(prefix):
        raise BridgeError(
            f"prefix: expected up to 20 small letters and digits that begin with a letter, got {prefix!r}."
        )


def contents_of(code: Mapping[str, bytes], prefix: str = DEFAULT_PREFIX) -> Contents:
    """Choose from a bundle's `mmq_bridge/` what firmware compiles: no golden replay, no board's start-up.

    Parameters
    ----------
    code
        By path inside ``mmq_bridge/``.
    prefix
        Of the names of files, symbols and macros that were written for the bundle; `mmq` leaves them alone.

    Raises
    ------
    BridgeError
        When the prefix is none, or the model has no network in C.
    """
    check_prefix(prefix)
    if "mmq_network.c" not in code:
        raise BridgeError(
            "mmq_network.c: the core's kernels do not know this model, so a package could not run it; "
            "run it with TFLite Micro (README.md of mmq_bridge, section 11)."
        )
    headers = {PurePosixPath(name).name: text for name, text in code.items() if name.startswith("include/")}
    sources = {name.removeprefix("src/"): text for name, text in code.items() if name.startswith("src/")}
    model = {name: text for name, text in code.items() if _OWN.fullmatch(name)}
    return Contents(headers, sources, renamed(model, headers, prefix))


def renamed(model: Mapping[str, bytes], headers: Mapping[str, bytes], prefix: str) -> dict[str, bytes]:
    """Give what was written for a bundle another prefix: all names that the core's headers do not have.

    Examples
    --------
    >>> core = {"mmq_bridge.h": b"typedef int mmq_spec_t; /* see mmq_spec */"}
    >>> renamed({"mmq_spec.h": b"mmq_spec_t mmq_spec = MMQ_SPEC_PPG;"}, core, "left")
    {'left_spec.h': b'mmq_spec_t left_spec = LEFT_SPEC_PPG;'}
    """
    if prefix == DEFAULT_PREFIX:
        return dict(model)
    shared = {name.partition(".")[0] for name in headers}
    for text in headers.values():
        shared |= set(_NAME.findall(_COMMENT.sub("", text.decode())))

    def other(match: re.Match[str]) -> str:
        name = match[0]
        if name in shared:
            return name
        return (prefix.upper() if name.startswith("MMQ") else prefix) + name[3:]

    return {
        prefix + name.removeprefix("mmq"): _NAME.sub(other, text.decode()).encode()
        for name, text in model.items()
    }
