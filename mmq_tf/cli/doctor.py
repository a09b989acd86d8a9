# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf doctor`: what is installed here, what is missing, and what that is for."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
from dataclasses import dataclass

import click
from packaging.requirements import Requirement

_EPILOG = """
\b
Examples
  mmq-tf doctor
"""

PROGRAMS = {
    ("cc", "gcc", "clang"): "building the C core and checking a bundle's sources",
    ("arm-none-eabi-gcc",): "building for Cortex-M, and counting a decision's cost",
    ("qemu-system-arm",): "running what was built for Cortex-M",
    ("node",): "the companion's tests",
    ("chromium", "google-chrome"): "the companion's tests in a browser",
}
"""What is not Python, by the names it goes under, and what for."""

EXTRAS = {
    "gpu": "training on an NVIDIA card",
    "jax": "training with JAX",
    "tune": "`mmq-tf tune`",
    "live": "live sensors over Lab Streaming Layer",
    "brainflow": "boards through BrainFlow",
    "micro": "TFLite Micro beside the C network in `mmq-tf verify`, and its arena in `export`",
    "bluetooth": "listening to a device over Bluetooth LE",
    "parquet": "recordings in Parquet files",
    "onnx": "export to ONNX",
    "sign": "signed bundles (`export --sign`, `verify --key`)",
    "hub": "bundles on the Hugging Face Hub",
    "mlflow": "following a training in MLflow (`train --track mlflow`)",
    "wandb": "following a training in Weights & Biases (`train --track wandb`)",
    "dev": "the tests",
}
"""What each extra of the package is for."""


@dataclass(frozen=True)
class Installed:
    """One thing that was looked for: its name, its version or place (None: missing), its purpose."""

    name: str
    version: str | None
    purpose: str


@click.command(name="doctor", epilog=_EPILOG)
def command() -> None:
    """Say what is installed, what is missing, and what each part is for.

    Ends with 1 where something is missing that training or a device needs.
    """
    click.echo(
        f"mmq-tf {importlib.metadata.version('mmq-tf')}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}\n"
    )
    needed, extras = _packages()
    programs = [Installed(names[0], _first_program(names), purpose) for names, purpose in PROGRAMS.items()]
    for title, found in (("needed", needed), ("by choice", extras), ("programs", programs)):
        click.echo(f"{title}:")
        width = max(len(one.name) for one in found)
        for one in found:
            sign, version = ("ok", one.version) if one.version else ("--", "missing")
            click.echo(f"  {sign}  {one.name:{width}}  {version}  {one.purpose}".rstrip())
    if missing := [one.name for one in needed if not one.version]:
        raise click.ClickException(
            f"{', '.join(missing)}: missing, so mmq-tf cannot work here: install it again."
        )


def _packages() -> tuple[list[Installed], list[Installed]]:
    """Return what mmq-tf requires, package by package, and its extras, each with its packages."""
    needed = [Installed(name, _version(name), "") for name in sorted(_required("mmq-tf", ""))]
    extras = []
    for extra, purpose in EXTRAS.items():
        versions = {name: _version(name) for name in sorted(_required("mmq-tf", extra))}
        shown = ", ".join(f"{name} {version}" for name, version in versions.items())
        extras.append(Installed(f"[{extra}]", shown if all(versions.values()) else None, purpose))
    return needed, extras


def _required(package: str, extra: str) -> set[str]:
    """Return the packages that one requires here, of itself or beside that for an extra of its."""
    found = set()
    for text in (importlib.metadata.requires(package) if _version(package) else None) or []:
        wanted = Requirement(text)
        plain, chosen = (wanted.marker is None or wanted.marker.evaluate({"extra": e}) for e in ("", extra))
        if not (chosen and plain == (not extra)):
            continue
        within = set().union(*(_required(wanted.name, inner) for inner in wanted.extras))
        found |= within or {wanted.name}
    return found


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _first_program(names: tuple[str, ...]) -> str | None:
    return next((place for name in names if (place := shutil.which(name))), None)
