# SPDX-License-Identifier: Apache-2.0
"""Sensors over Lab Streaming Layer: found by type, followed when they are lost and return."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NoReturn

from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.sources.lsl_library import load_lsl
from mmq_bridge.sources.lsl_link import Link
from mmq_bridge.sources.session import Arrival
from mmq_bridge.sources.stream_names import telling_keys

SETTLE_S = 1.5
"""Streams answer within this, if they do; so two of one type are seen before one is taken."""

FORGET_S = 2.0
RETRY_S = 3.0
MAX_STREAMS = 64
LOOK_S = 0.05


class LSLSource:
    """The streams of a front end's sensors, a `LiveSource`.

    A stream is a sensor's by the types of its channels, its own type, or a word of its name. Of two that
    claim one sensor neither is taken, unless `pick` names one. A stream that was lost is taken again when it
    returns under its source id (or name and host); another one is not taken in its place, for it may be
    another person's.

    Parameters
    ----------
    front_end : FrontEnd
    tell : callable
        Takes a sentence for people: what was found, lost, refused and why.
    pick : mapping of str to str, optional
        The stream to take, by modality: its name, its source id, or ``name/type``, ``name@host``.

    Raises
    ------
    BridgeError
        When pylsl is not there, or `pick` names a sensor that the bundle does not have.
    """

    def __init__(
        self, front_end: FrontEnd, tell: Callable[[str], None], pick: Mapping[str, str] | None = None
    ) -> None:
        self._lsl, self.front_end, self._tell, self._pick = load_lsl(), front_end, tell, dict(pick or {})
        for modality in self._pick:
            if modality not in front_end.modalities:
                names = ", ".join(front_end.modality_names)
                raise BridgeError(f"pick {modality!r}: expected a sensor of the bundle: {names}.")
        self.simulated = False
        self._resolver = self._lsl.ContinuousResolver(forget_after=FORGET_S)
        self._pool = ThreadPoolExecutor(8, thread_name_prefix="lsl")
        self._opening: dict[str, Future[Link]] = {}
        self._not_before: dict[str, float] = {}
        self._links: dict[str, tuple[str, Link]] = {}
        self._identity: dict[str, tuple[str, ...] | None] = {}
        self._told: set[str] = set()

    @property
    def connected(self) -> Collection[str]:
        """Modalities that are attached now."""
        return self._links.keys()

    def now_s(self) -> float:
        """LSL's clock on this machine."""
        return self._lsl.local_clock()

    def find(self, wait_s: float, stop: threading.Event | None = None) -> None:
        """Take the streams that are there, waiting for the first one.

        Raises
        ------
        BridgeError
            When there is none after `wait_s`.
        """
        began, found = time.monotonic(), []
        stop = stop or threading.Event()
        while not stop.wait(LOOK_S):
            found += self._opened()
            passed_s = time.monotonic() - began
            modalities = {fit.modality for _, link in found for fit in link.fits}
            everything = modalities == set(self.front_end.modalities)
            if passed_s > SETTLE_S * (1 if everything else 2) and modalities and not self._opening:
                break
            if passed_s > max(wait_s, SETTLE_S) and not modalities:
                self._raise_none(wait_s)
        for modality in self.front_end.modalities:
            self._choose(modality, found)

    def poll(self) -> list[Arrival]:
        """Return what came in; take up streams that returned or are new."""
        for uid, link in self._opened():
            for fit in link.fits:
                self._attach(fit.modality, uid, link)
        arrivals = []
        for uid, link in list(dict(self._links.values()).items()):
            try:
                served = [name for name, (other, _) in self._links.items() if other == uid]
                arrivals += [arrival for arrival in link.pull() if arrival.modality in served]
            except RuntimeError:  # pylsl's errors: the stream is lost
                self._lose(uid)
        return arrivals

    def reject(self, modality: str) -> None:
        """Let go of the stream that gives a modality, for good."""
        self._links.pop(modality, None)
        self._identity[modality] = None

    def close(self) -> None:
        """Let go of all streams."""
        self._links.clear()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _opened(self) -> list[tuple[str, Link]]:
        """Open what the network newly shows; return what was opened since the last call."""
        now_s = time.monotonic()
        for info in self._resolver.results()[:MAX_STREAMS]:
            uid = info.uid()
            is_due = uid not in self._opening and self._not_before.get(uid, 0.0) <= now_s
            if is_due and info.channel_format() not in (self._lsl.cf_string, self._lsl.cf_undefined):
                self._opening[uid] = self._pool.submit(Link.open, info, self.front_end)
        links = []
        for uid in [uid for uid, future in self._opening.items() if future.done()]:
            future = self._opening.pop(uid)
            if isinstance(future.exception(), RuntimeError):  # pylsl's errors: it is gone, or does not answer
                self._not_before[uid] = now_s + RETRY_S
                continue
            self._not_before[uid] = math.inf
            link = future.result()
            for problem in link.problems:
                self._tell_once(problem)
            links.append((uid, link))
        return links

    def _raise_none(self, wait_s: float) -> NoReturn:
        names = ", ".join(self.front_end.modality_names)
        got = "; ".join(sorted(self._told)) or f"none in {wait_s:g} s"
        raise BridgeError(
            f"Lab Streaming Layer: expected a stream of {names}, got {got}; start the device "
            "(mmq-bridge play RECORDING --lsl plays one), and see that it is in the same network."
        )

    def _choose(self, modality: str, found: list[tuple[str, Link]]) -> None:
        """Attach the one stream that serves a modality."""
        links = [
            (uid, link)
            for uid, link in found
            if any(fit.modality == modality for fit in link.fits) and self._is_picked(modality, link)
        ]
        if len(links) > 1:
            self._identity[modality] = None
            self._tell(f"{modality}: expected one stream, got {_one_of(modality, [one for _, one in links])}")
        for uid, link in links if len(links) == 1 else ():
            self._attach(modality, uid, link)

    def _is_picked(self, modality: str, link: Link) -> bool:
        return self._pick.get(modality, link.name) in link.keys

    def _attach(self, modality: str, uid: str, link: Link) -> None:
        if not self._is_picked(modality, link):
            return
        known = self._identity.setdefault(modality, link.identity)
        if known is None:  # refused before, with a reason
            return
        if known != link.identity:
            self._tell_once(
                f"{modality}: stream {link.name!r} ({link.source_id or link.host}) is left out, it is not "
                "the one this session began with."
            )
            return
        self._links[modality] = (uid, link)
        self.simulated |= link.simulated
        self._tell(f"{modality}: from {link.name!r} on {link.host}")

    def _lose(self, uid: str) -> None:
        self._not_before[uid] = time.monotonic() + RETRY_S
        for modality in [name for name, (other, _) in self._links.items() if other == uid]:
            del self._links[modality]
            self._tell(f"{modality}: its stream is lost; it counts as missing until it returns")

    def _tell_once(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._tell(text)


def _one_of(modality: str, links: Sequence[Link]) -> str:
    """Name streams of which one must be picked, by what tells them apart."""
    keys = telling_keys([link.keys for link in links])
    if keys is None:
        names = " and ".join(f"{link.name!r} ({link.source_id or link.host})" for link in links)
        return f"{names}, which nothing tells apart; it counts as missing: stop one of them."
    names = " and ".join(map(repr, keys))
    return f"{names}; it counts as missing: name the right one with --pick {modality}=NAME."
