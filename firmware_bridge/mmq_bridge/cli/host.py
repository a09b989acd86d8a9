# SPDX-License-Identifier: Apache-2.0
"""`Host`: what the program around the shared commands knows and they do not."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmq_bridge.errors import BridgeWarning

if TYPE_CHECKING:
    from mmq_bridge.recordings.recording import Recording


def _no_progress(doing: str, total: float) -> AbstractContextManager[Callable[[float], None]]:
    return nullcontext(lambda done: None)


@dataclass(frozen=True)
class Host:
    """The program that the shared commands belong to.

    Attributes
    ----------
    program : str
        What users type, also the name of the distribution with the extras.
    open_recording : function
        Reads the recording at a path; takes the options of `reading` too.
    show_report : function
        Prints what `verify` found, for people.
    quiet : function
        Returns a context that keeps what native libraries print off the terminal; takes what goes on in it.
    progress : function
        Returns a context that shows progress; takes what goes on in it and the total, and gives the function
        that is told how much is done.
    reads : str
        What `open_recording` reads, in words.
    example_file : str
        A recording it reads, for examples.
    reading : dict of str to function
        Options on how a recording is read, by the parameters of `open_recording`; each decorates a command.
    pretrained : dict of str to Path
        Bundles that came with the program, by name; without any there is no option for them.
    """

    program: str
    open_recording: Callable[..., Recording]
    show_report: Callable[[Any], None]
    quiet: Callable[[str], AbstractContextManager[Any]] = nullcontext
    progress: Callable[[str, float], AbstractContextManager[Callable[[float], None]]] = _no_progress
    reads: str = "an E4 export or a recording folder"
    example_file: str = "S02_E4_Data.zip"
    reading: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    pretrained: Mapping[str, Path] | None = None

    @contextmanager
    def opening_bundle(self) -> Iterator[None]:
        """Keep native output off the terminal, and say each of the bridge's warnings in a line."""
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", BridgeWarning)
            try:
                with self.quiet(""):
                    yield
            finally:
                for warning in warned:
                    if issubclass(warning.category, BridgeWarning):
                        click.echo(f"{self.program}: {warning.message}", err=True)


def takes_bundle(host: Host) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the argument BUNDLE and, where there are any, the option --pretrained."""
    known = host.pretrained or {}

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def command(*, bundle: Path | None, pretrained_name: str | None = None, **others: Any) -> Any:
            if (bundle is None) == (pretrained_name is None):
                names = " or ".join(known)
                wanted = (
                    f"one of the folder BUNDLE and --pretrained NAME ({names})"
                    if known
                    else "the folder BUNDLE"
                )
                raise click.UsageError(f"name {wanted}.")
            return function(bundle=bundle or known[str(pretrained_name)], **others)

        if known:
            text = f"A model that comes with {host.program}, instead of BUNDLE."
            option = click.option(
                "--pretrained", "pretrained_name", type=click.Choice(tuple(known)), help=text
            )
            command = option(command)
        return click.argument("bundle", required=False, type=click.Path(path_type=Path))(command)

    return decorate


def takes_reading(host: Host) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the host's options on reading; as `open_recording` it gets what reads so at a path."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def command(**others: Any) -> Any:
            how = {name: others.pop(name) for name in host.reading}
            return function(open_recording=functools.partial(host.open_recording, **how), **others)

        for option in reversed(tuple(host.reading.values())):
            command = option(command)
        return command

    return decorate
