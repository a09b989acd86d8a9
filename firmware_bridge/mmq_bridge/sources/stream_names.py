# SPDX-License-Identifier: Apache-2.0
"""By what streams of Lab Streaming Layer are told apart: name, source id, type and host."""

from __future__ import annotations

from collections.abc import Sequence


def stream_keys(name: str, source_id: str = "", kind: str = "", host: str = "") -> tuple[str, ...]:
    """Everything that one stream may be called, the shortest first.

    Examples
    --------
    >>> stream_keys("Cap", "c1", "EEG", "lab")
    ('Cap', 'c1', 'Cap/EEG', 'Cap@lab', 'Cap@lab/EEG')
    """
    keys = [name, source_id]
    keys += [f"{name}/{kind}"] if kind else []
    keys += [f"{name}@{host}"] if host else []
    keys += [f"{name}@{host}/{kind}"] if kind and host else []
    return tuple(dict.fromkeys(key for key in keys if key))


def telling_keys(streams: Sequence[tuple[str, ...]]) -> list[str] | None:
    """For each of several streams the first of its keys that none of the others has; None if one has none.

    Examples
    --------
    >>> telling_keys([stream_keys("Cap", "", "EEG"), stream_keys("Cap", "", "ACC"), stream_keys("Band")])
    ['Cap/EEG', 'Cap/ACC', 'Band']
    >>> telling_keys([stream_keys("Cap"), stream_keys("Cap")])
    """
    found = []
    for at, keys in enumerate(streams):
        others = {key for other, its in enumerate(streams) if other != at for key in its}
        own = next((key for key in keys if key not in others), None)
        if own is None:
            return None
        found.append(own)
    return found
