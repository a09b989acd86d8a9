# SPDX-License-Identifier: Apache-2.0
"""The queue from an interrupt: order, overflow as lost samples, wrap-around, a thread as the interrupt."""

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmq_bridge.core_binding.library import OK, CClock, library
from mmq_bridge.core_binding.native import Bridge
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.source_files import SOURCES

CORE = SOURCES / "core"
U32, POINTER = ctypes.c_uint32, ctypes.c_void_p
NULL, TOO_SMALL, BAD_MODALITY = 1, 3, 4


class Mark(ctypes.Structure):
    _fields_ = [("index", U32), ("ticks", U32)]


class CQueue(ctypes.Structure):
    _fields_ = [
        ("samples", POINTER),
        ("marks", POINTER),
        *((name, U32) for name in ("channels", "frames", "offered", "put", "taken", "next", "lost")),
    ]


class Queue:
    """`mmq_sensor_queue_t` with its memory."""

    def __init__(self, frames: int, channels: int, start: int = 0) -> None:
        self.core, self.state = library(), CQueue()
        self.samples = np.zeros((frames, channels), np.float32)
        self.marks = (Mark * frames)()
        at = ctypes.byref(self.state)
        status = self.core.mmq_sensor_queue_init(
            at, POINTER(self.samples.ctypes.data), self.marks, frames, channels
        )
        assert status == OK
        for name in ("offered", "put", "taken", "next"):
            setattr(self.state, name, start)

    def put(self, frame: np.ndarray, ticks: int = 0) -> int:
        row = np.ascontiguousarray(frame, np.float32)
        return self.core.mmq_sensor_queue_put(ctypes.byref(self.state), POINTER(row.ctypes.data), U32(ticks))

    def lose(self, frames: int) -> None:
        self.core.mmq_sensor_queue_lose(ctypes.byref(self.state), frames)

    def take(self, capacity: int) -> tuple[np.ndarray, int, int]:
        room, first = np.empty(self.state.channels * capacity, np.float32), Mark()
        place = POINTER(room.ctypes.data)
        n = self.core.mmq_sensor_queue_take(ctypes.byref(self.state), place, capacity, ctypes.byref(first))
        return room[: n * self.state.channels].reshape(self.state.channels, n), first.index, first.ticks

    def push(self, bridge: Bridge, modality: int, clock: CClock | None = None, capacity: int = 16) -> int:
        room = np.empty(self.state.channels * capacity, np.float32)
        at = ctypes.byref(clock) if clock is not None else None
        place = POINTER(room.ctypes.data)
        return self.core.mmq_sensor_queue_push(
            ctypes.byref(self.state), bridge.handle, modality, at, place, capacity
        )


def tokens_of(bridge: Bridge) -> np.ndarray:
    rows = []
    while (token := bridge.pop_token()) is not None:
        rows.append(np.concatenate([token[0].view(np.uint32), token[1].astype(np.uint32)]))
    return np.array(rows)


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 3), st.integers(0, 9)), max_size=30),
    channels=st.integers(1, 3),
    start=st.sampled_from([0, 5, 2**32 - 20]),
)
def test_each_frame_comes_once_in_order_or_counts_as_lost(
    steps: list[tuple[int, int, int]], channels: int, start: int
) -> None:
    """Against a plain list: puts, losses at the sensor and takes in any order, over the counters' end."""
    queue, waiting, offered, lost = Queue(8, channels, start), [], start, 0
    seen = start
    for puts, losses, takes in steps:
        for _ in range(puts):
            kept = queue.put(np.arange(channels) * 1000 + (offered - start), offered % 2**32)
            assert kept == (len(waiting) < 8)
            waiting += [offered] * kept
            offered += 1
        queue.lose(losses)
        offered += losses
        for _ in range(takes):
            rows, first, ticks = queue.take(3)
            wanted = [k for n, k in enumerate(waiting[:3]) if k == waiting[0] + n]
            assert rows.shape[1] == len(wanted)
            if not wanted:
                break
            assert (first, ticks) == (wanted[0] % 2**32, wanted[0] % 2**32)
            expected = np.arange(channels)[:, None] * 1000 + np.array(wanted) - start
            np.testing.assert_array_equal(rows, expected)
            lost += wanted[0] - seen
            seen = wanted[-1] + 1
            waiting = waiting[len(wanted) :]
        assert queue.state.lost == lost


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("version", [2, 3])
def test_what_overflowed_equals_lost_samples_in_the_bridge(timed: bool, version: int) -> None:
    """The loop is away now and then, longer than the queue lasts; and the sensor's own buffer overflowed."""
    rate, seconds, rng = 32, 62, np.random.default_rng(4)
    front_end = FrontEnd.wearable({"acc": rate}, frontend_version=version)
    samples = (rng.normal(0, 0.2, (3, rate * seconds)) + [[0], [0], [1]]).astype(np.float32)
    queue, bridge, holed = Queue(16, 3), Bridge(front_end), samples.copy()
    clock = CClock(float(rate * 100), 0, 0, 0) if timed else None
    for i in range(samples.shape[1]):
        if i % 301 == 7:
            queue.lose(1)
            holed[:, i] = np.nan
        elif not queue.put(samples[:, i], i * 100):
            holed[:, i] = np.nan
        if i % 10 == 9 and not 500 <= i % 700 < 525:
            assert queue.push(bridge, 0, clock) == OK
    assert queue.push(bridge, 0, clock) == OK
    lost = np.isnan(holed[0]).sum()
    assert queue.state.lost == lost > 20
    whole = Bridge(front_end)
    whole.push("acc", holed, 0.0)
    np.testing.assert_array_equal(tokens_of(bridge), tokens_of(whole))


def test_sensors_with_oscillators_of_their_own_stay_together_by_time() -> None:
    """One sensor is 1 % fast, for ten minutes: counted, it would be 6 s ahead."""
    front_end = FrontEnd.wearable({"eda": 4, "temp": 4})
    bridge, clock = Bridge(front_end), CClock(1000.0, 0, 0, 0)
    queues = [Queue(16, 1), Queue(16, 1)]
    for second in range(600):
        for m, period in enumerate((0.25 / 1.01, 0.25)):
            times = np.arange(np.ceil(second / period), np.ceil((second + 1) / period)) * period
            for time in times:
                value = (2.0 + 0.1 * np.sin(time), 33.0 + 0.01 * np.sin(time))[m]
                assert queues[m].put(np.array([value]), int(1000 * time))
            assert queues[m].push(bridge, m, clock) in (OK, 6)  # a frame now and then comes too early: late
    assert bridge.closed >= 119
    presence = np.array([token[1] for token in iter(bridge.pop_token, None)])
    assert presence[-5:].all()


def test_bad_use_is_refused_by_name() -> None:
    core, queue = library(), Queue(8, 1)
    bridge = Bridge(FrontEnd.wearable({"ppg": 64, "acc": 32}))
    at, place = ctypes.byref(queue.state), POINTER(queue.samples.ctypes.data)
    assert core.mmq_sensor_queue_init(at, None, queue.marks, 8, 1) == NULL
    for frames, channels in ((0, 1), (7, 1), (8, 0)):
        assert core.mmq_sensor_queue_init(at, place, queue.marks, frames, channels) == TOO_SMALL
    assert queue.push(bridge, 0, capacity=1) == OK
    assert core.mmq_sensor_queue_push(at, None, 0, None, place, 1) == NULL
    assert core.mmq_sensor_queue_push(at, bridge.handle, 0, None, place, 0) == TOO_SMALL
    assert queue.push(bridge, 1) == BAD_MODALITY  # of three channels
    assert queue.push(bridge, 2) == BAD_MODALITY  # there is none
    assert core.mmq_sensor_queue_put(at, None, 0) == core.mmq_sensor_queue_put(None, place, 0) == 0
    core.mmq_sensor_queue_lose(None, 1)


@pytest.mark.parametrize("sanitizer", ["thread", "address,undefined"])
def test_a_thread_in_the_interrupts_place_under_sanitizers(sanitizer: str, tmp_path: Path) -> None:
    if shutil.which("clang") is None:
        pytest.skip("no clang")
    flags = ["-std=c99", "-O1", "-g", "-D_GNU_SOURCE", "-Wall", "-Werror", "-ffp-contract=off"]
    units = [Path(__file__).with_name("queue_threads.c"), CORE / "src" / "sensor_queue.c"]
    program, check = tmp_path / "threads", f"-fsanitize={sanitizer}"
    command = ["clang", *flags, check, "-fno-sanitize-recover=all", f"-I{CORE / 'include'}", "-pthread"]
    done = subprocess.run(
        [*command, *map(str, units), "-o", str(program)], capture_output=True, text=True, check=False
    )
    if "cannot find" in done.stderr:
        pytest.skip(f"clang has no {sanitizer} sanitizer")
    assert done.returncode == 0, done.stderr[:2000]
    done = subprocess.run([program], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[:2000]
    taken, lost, refused, offered, wrong = map(int, done.stdout.split())
    assert wrong == 0
    assert lost == refused >= 50
    assert taken + lost == offered
    assert taken > 1000


def test_a_queue_of_no_power_of_two_does_not_compile(tmp_path: Path) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("no gcc")
    for frames, code in (("48", 1), ("64", 0)):
        (tmp_path / "q.c").write_text(f'#include "mmq_sensor_queue.h"\nMMQ_SENSOR_QUEUE(q, 1, {frames});\n')
        command = ["gcc", "-std=c99", f"-I{CORE / 'include'}", "-c", "q.c", "-o", "q.o"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == code, done.stderr
        assert ("q_frames_are_a_power_of_two" in done.stderr) == bool(code)
