# SPDX-License-Identifier: Apache-2.0
"""Live sources in tests: LSL sessions of their own, signals with names, a source that follows a script."""

import uuid
from dataclasses import dataclass, field

import numpy as np
import pytest
from mmq_bridge.decision.device import Device
from mmq_bridge.sources.session import Arrival, LiveSession


@dataclass
class Named:
    """A signal as a recording has it."""

    samples: np.ndarray
    sampling_rate_hz: float
    start_s: float
    unit: str
    channels: tuple[str, ...]


@dataclass
class Script:
    """A live source whose arrivals are known: (when, arrival), in s on the fake clock."""

    events: list[tuple[float, Arrival]]
    names: set[str]
    clock_s: float = 0.0
    at: int = 0
    start_s: float = 1000.0
    rejected: list[str] = field(default_factory=list)

    @property
    def connected(self):
        return self.names

    def now_s(self):
        return self.start_s + self.clock_s

    def poll(self):
        due = []
        while self.at < len(self.events) and self.events[self.at][0] <= self.clock_s:
            due.append(self.events[self.at][1])
            self.at += 1
        return [arrival for arrival in due if arrival.modality in self.names]

    def reject(self, modality):
        self.names = self.names - {modality}
        self.rejected.append(modality)

    def close(self):
        self.names = set()


def named_signals(tiny, seconds):
    front_end = tiny.front_end()
    return {
        name: Named(
            signal.samples,
            signal.sampling_rate_hz,
            signal.start_s,
            front_end.modalities[name].unit,
            front_end.modalities[name].channels,
        )
        for name, signal in tiny.signals(seconds).items()
    }


def arrivals(signals, chunk_s=0.5, start_s=1000.0, stamp=lambda name, time_s: time_s):
    """Cut signals into (when, arrival) of `chunk_s` each; `stamp` bends a stream's times."""
    events = []
    for name, signal in signals.items():
        count = max(round(chunk_s * signal.sampling_rate_hz), 1)
        for first in range(0, signal.samples.shape[1], count):
            samples = signal.samples[:, first : first + count]
            index = first + np.arange(samples.shape[1])
            time_s = signal.start_s + index / signal.sampling_rate_hz
            event = Arrival(name, samples, start_s + stamp(name, time_s))
            events.append((float(time_s[-1]) + 0.01, event))
    return sorted(events, key=lambda event: event[0])


def run(bundle, script, until_s, look_s=0.25, says=None):
    """Let a session live for `until_s`; return it and its decisions."""
    says = [] if says is None else says
    session = LiveSession(Device.from_bundle(bundle), script, says.append, lambda: script.clock_s)
    decisions = []
    while script.clock_s < until_s:
        decisions += session.step()
        script.clock_s += look_s
    return session, decisions + session.finish()


@pytest.fixture(scope="session")
def lsl_config(tmp_path_factory):
    """Configuration of a session of its own; liblsl reads it once a process, when it is first used."""
    path = tmp_path_factory.mktemp("lsl") / "lsl_api.cfg"
    path.write_text(
        f"[lab]\nSessionID = mmq-tf-test-{uuid.uuid4().hex}\nKnownPeers = {{127.0.0.1}}\n"
        "[multicast]\nResolveScope = machine\n[log]\nlevel = -3\n"
    )
    return path


@pytest.fixture(scope="session")
def lsl(lsl_config):
    """Pylsl, set up before anything of it was used."""
    pylsl = pytest.importorskip("pylsl")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LSLAPICFG", str(lsl_config))
        pylsl.local_clock()
        pylsl.StreamOutlet(pylsl.StreamInfo("nothing", "Nothing", 1, 1, "float32", "nothing"))
        yield pylsl


@pytest.fixture
def live(tiny):
    """Helpers of this folder, which `importmode=importlib` does not let tests import."""
    from types import SimpleNamespace

    return SimpleNamespace(
        Named=Named,
        Script=Script,
        Arrival=Arrival,
        arrivals=arrivals,
        run=run,
        signals=lambda seconds: named_signals(tiny, seconds),
    )
