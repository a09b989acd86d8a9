# SPDX-License-Identifier: Apache-2.0
"""The live half of `stream`: Lab Streaming Layer or a board, until Ctrl-C."""

from __future__ import annotations

import functools
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import click

from mmq_bridge.cli.host import Host
from mmq_bridge.cli.show import decision_line

WAIT_S = 30.0
LOOK_S = 0.05


@dataclass
class Wearer:
    """What is shown of a live session where a recording has its subject and trials."""

    simulated: bool
    subject: str = "a live session"
    trials: tuple[()] = ()
    started_unix_s: float | None = None


@dataclass
class Live:
    """Where the live samples come from: a board where one is named, else Lab Streaming Layer."""

    board: str | None
    pick: dict[str, str]

    def run(
        self, device: Any, show_as: Callable[..., Any], every: int, reached: Callable[[float], None]
    ) -> None:
        """Show and publish the decisions of a session; `reached` is told how far it has come, in s.

        Raises
        ------
        BridgeError
            When there is nothing to listen to.
        """
        from mmq_bridge.sources.session import LiveSession

        with until_interrupted() as stop, closing(self._source(device.front_end, stop)) as source:
            session = LiveSession(device, source, tell)
            wearer = Wearer(source.simulated)
            show = show_as(device, wearer)
            publish = self._publisher(device, wearer, session)
            show.start()
            index = 0
            last = False
            while not last:
                last = stop.wait(LOOK_S)
                wearer.simulated = source.simulated
                for decision in session.finish() if last else session.step():
                    if wearer.started_unix_s is None:
                        wearer.started_unix_s = time.time() - (source.now_s() - session.origin_s)
                    show.decision(decision, shown=index % every == 0)
                    publish(decision)
                    index += 1
                reached(session.mark_s)
            show.end()
            tell("came in: " + ", ".join(_count(name, *counts) for name, counts in session.counts().items()))

    def _source(self, front_end: Any, stop: threading.Event) -> Any:
        if self.board:
            from mmq_bridge.sources.boards import BoardSource

            return BoardSource(front_end, self.board, tell)
        from mmq_bridge.sources.lsl import LSLSource

        source = LSLSource(front_end, tell, self.pick)
        tell("looking for streams; Ctrl-C ends the session")
        source.find(WAIT_S, stop)
        return source

    def _publisher(self, device: Any, wearer: Wearer, session: Any) -> Callable[[Any], None]:
        """Return what sends a decision as an LSL marker; a board's clock is not LSL's, so it sends none."""
        if self.board:
            return lambda decision: None
        from mmq_bridge.sources.lsl_markers import MarkerOutlet

        name = device.manifest.name
        outlet = MarkerOutlet(f"{name} decisions", f"mmq-tf-{name}")

        def publish(decision: Any) -> None:
            simulated = wearer.simulated or device.manifest.simulated
            outlet.push(
                decision_line(decision, simulated, wearer.started_unix_s), session.origin_s + decision.time_s
            )

        return publish


def takes_live(host: Host) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command --lsl, --pick and --brainflow; it gets `live`, None without any of them."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @click.option(
            "--lsl", is_flag=True, help=f"Live sensors over Lab Streaming Layer ({host.program}[live])."
        )
        @click.option(
            "--pick",
            multiple=True,
            metavar="SENSOR=STREAM",
            help="LSL: which of several streams, by name or source id; repeatable.",
        )
        @click.option(
            "--brainflow",
            metavar="BOARD[,KEY=VALUE]",
            help=f"A board of BrainFlow ({host.program}[brainflow]), or `synthetic`.",
        )
        @functools.wraps(function)
        def command(*, lsl: bool, pick: tuple[str, ...], brainflow: str | None, **others: Any) -> Any:
            if lsl and brainflow:
                raise click.UsageError("name one of --lsl and --brainflow.")
            if pick and not lsl:
                raise click.UsageError("--pick goes with --lsl only.")
            live = Live(brainflow, dict(map(_picked, pick))) if lsl or brainflow else None
            if live and (others["drops"] or others["speed"]):
                raise click.UsageError(f"--drop and --speed go with --replay, or with {host.program} play.")
            return function(live=live, **others)

        return command

    return decorate


@contextmanager
def until_interrupted() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C or a request to terminate sets, so that neither cuts a step in two."""
    stop = threading.Event()
    with _handled(signal.SIGINT, lambda *_: stop.set()), _handled(signal.SIGTERM, lambda *_: stop.set()):
        yield stop


@contextmanager
def terminated_in_order() -> Iterator[None]:
    """Leave the block as by an exception when the process is asked to terminate, and the program with 143."""

    def leave(*_: Any) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    with _handled(signal.SIGTERM, leave):
        yield


@contextmanager
def _handled(number: signal.Signals, handler: Callable[..., Any]) -> Iterator[None]:
    """Have a signal handled for a while; only the main thread may."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


def tell(text: str) -> None:
    """Say something about the session beside its decisions."""
    click.echo(text, err=True)


def _picked(text: str) -> tuple[str, str]:
    sensor, equals, stream = text.partition("=")
    if not (sensor and equals and stream):
        raise click.UsageError(f"--pick {text[:60]!r}: expected SENSOR=STREAM, for example ppg=Wristband.")
    return sensor, stream


def _count(name: str, frames: int, late: int) -> str:
    return f"{name} {frames} samples" + (f" ({late} too late)" if late else "")
