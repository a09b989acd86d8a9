# SPDX-License-Identifier: Apache-2.0
"""The presets that ship with the package, as files: read without loading what checks them."""

from __future__ import annotations

import tomllib
from importlib import resources

from mmq_tf.errors import MMQError
from mmq_tf.utils.suggestion import did_you_mean


def preset_names() -> list[str]:
    """Return the names of the presets that ship with the package."""
    folder = resources.files("mmq_tf") / "presets"
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))


def preset_text(name: str) -> str:
    """Return a preset's TOML; underscores in its name count as hyphens.

    Raises
    ------
    MMQError
        If there is none of that name.
    """
    known, spelled = preset_names(), name.replace("_", "-")
    if spelled not in known:
        raise MMQError(f"{name!r} is no preset ({', '.join(known)}).{did_you_mean(name, known)}")
    return (resources.files("mmq_tf") / "presets" / f"{spelled}.toml").read_text("utf-8")


def preset_summary(name: str) -> str:
    """Return what a preset says of itself in its first sentence, and its task, sensors and windows.

    Examples
    --------
    >>> preset_summary("eegmat").endswith("; load from eeg ecg, windows of 10 s")
    True
    """
    text = preset_text(name)
    values = tomllib.loads(text)
    head = " ".join(line.lstrip("# ") for line in text.splitlines() if line.startswith("#"))
    first = head.partition(". ")[0].rstrip(".")
    front_end = values["front_end"]
    sensors = " ".join(front_end["modalities"])
    window_s = front_end["token_s"] * front_end["tokens"]
    return f"{first}; {values['data']['task']} from {sensors}, windows of {window_s:g} s"
