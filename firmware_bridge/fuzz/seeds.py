# SPDX-License-Identifier: Apache-2.0
"""Valid streams in the fuzz targets' own encoding: what a fuzzer would take long to find by itself."""

from __future__ import annotations

from pathlib import Path

from mmq_bridge.front_end.front_end import FrontEnd, ModalityFrontEnd

from fuzz.front_ends import front_ends

SPIKES, WAVE, NOISE, HIT = 3, 2, 4, 5
# By kind: shape, cycles a second, amplitude as a power of two below the range of `minimum` to `maximum`.
_SHAPES = {
    "eeg": (WAVE, 10.0, 12),
    "eog": (SPIKES, 0.5, 10),
    "emg": (NOISE, 20.0, 12),
    "ecg": (SPIKES, 1.2, 8),
    "ppg": (WAVE, 1.2, 17),
    "resp": (WAVE, 0.25, 12),
    "eda": (NOISE, 0.2, 8),
    "temp": (NOISE, 0.2, 8),
    "acc": (WAVE, 2.0, 4),
}
_TOKEN, _WINDOW, _REASONS, _BEATS, _SPATIAL, _CLOCK, _NORMALISE, _NOTHING = 9, 10, 11, 12, 13, 14, 31, 15
_COUNTS = 64  # of the enrolment's byte: front-end version 3
_ADVANCE, _LEAD_OFF, _ANYWHERE, _STATE, _COUNTED = 7, 8, 6, 5, 4
_ADAPT, _RELOAD, _NULLS, _MARK, _MARK_SUMMARY = 0, 1, 2, 3, 6  # of a personal head
SECONDS = 10


def write(target: str, folder: Path) -> int:
    """Write the seeds of a target into a folder and return how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {"push": push_seeds, "spec": spec_seeds, "head": head_seeds, "decide": decide_seeds}[target]()
    for name, content in made.items():
        (folder / f"seed_{name}").write_bytes(content)
    return len(made)


def push_seeds() -> dict[str, bytes]:
    """Return streams by name: plain, with faults, and with every other call, a front end each.

    The first byte says: 128 the stream goes to a second bridge in other pushes too, 64 quantised, 16 to 48
    the normaliser, 8 memory to spare, 1 to 7 its alignment.
    """
    seeds = {}
    for index, (name, front_end) in enumerate(front_ends().items()):
        if (
            name == "several"
        ):  # frames exactly half a period late, once cut differently in one push and in many
            late = bytes([_ADVANCE, 40, 0, 143, 0, 0]) + _shape("ppg", front_end.modalities["ppg"])
            seeds["late_by_half_a_frame"] = bytes([128 | 64 | 32, index, 3, 1, 4]) + late
        for normaliser in range(4):
            header = bytes([128 | 64 | normaliser << 4, index, 3, 1, 4])
            seeds[f"{name}_{normaliser}"] = header + _stream(front_end)
        for normaliser in (0, 2):
            header = bytes([128 | 64 | normaliser << 4, index, 3, 1, 4])
            seeds[f"{name}_faults_{normaliser}"] = header + _stream(front_end, faults=True)
        for how, change in (
            ("kept", [0]),
            ("flipped", [16, 2, 0, 0, 0, 0]),
            ("forged", [20, 6, 0, 0, 128, 63]),
        ):
            restart = bytes([_STATE, *change])
            for what, enrolment in (("state", 2), ("evidence", _COUNTS | 2 << 3 | 6)):
                header = bytes([128 | 64 | 2 << 4, index, 3, enrolment, 4])
                again = restart + _stream(front_end, 4)
                seeds[f"{name}_{what}_{how}"] = header + _stream(front_end, 4) + again
        if name == "remembering":  # long enough for a look-back, twice over a restart
            header = bytes([128 | 64 | 2 << 4, index, 3, 2, 4])
            long = _stream(front_end, 14)
            seeds[f"{name}_long"] = header + long + bytes([_STATE, 0]) + long
        header = bytes([128 | 64 | 2 << 4, index, 3, 1, 4])
        seeds[f"{name}_counted"] = header + _counted(front_end)
        seeds[f"{name}_calls"] = bytes([64 | 16 | 8, index, 3, 1, 4]) + _calls(front_end)
    return seeds


def spec_seeds() -> dict[str, bytes]:
    """Return unchanged specs by name, followed by samples that suit them."""
    seeds = {}
    for index, (name, front_end) in enumerate(front_ends().items()):
        unchanged = bytes([index, 0]) + bytes(7 * len(front_end.modalities)) + bytes(3)
        shapes = b"".join(_shape(kind, part) for kind, part in front_end.modalities.items())
        seeds[name] = unchanged + 7 * shapes
    return seeds


def head_seeds() -> dict[str, bytes]:
    """Return personal heads by name: tame ones, marked, adapted and reloaded, with more marks than are kept.

    The first byte says: 1 numbers of any bits, 2 columns and owners that may be wrong.
    """
    seeds = {}
    for components in (1, 4, 12):
        tables = bytes([0, 4, 3, 6, 5, components, *range(5)]) + bytes(
            16 + i for i in range(5 * (components + 2))
        )
        windows = b"".join(
            bytes([_MARK, k % 2 << 1, 8 * (k % 5), *range(k, k + 24), *(12 * [k % 4 != 3])]) for k in range(9)
        )
        summaries = b"".join(
            bytes([_MARK_SUMMARY, k % 3 % 2, 4 * k, *(k * c % 64 for c in range(components))])
            for k in range(36)
        )
        for how, change in (
            ("kept", [0]),
            ("cut", [1, 40, 0, 0, 0]),
            ("flipped", [16, 9, 0, 0, 0, 0]),
            ("forged", [20, 8, 0, 0, 128, 127]),
            ("of_another_label", [20, 6 + components, 0, 1, 0, 0]),
        ):
            end = bytes([_ADAPT, _RELOAD, *change, _ADAPT, _NULLS])
            seeds[f"windows_{components}_{how}"] = tables + windows + end
            seeds[f"summaries_{components}_{how}"] = tables + summaries + end
    huge = bytes([0, 0, 0, 127])
    wild = bytes([1, 1, 1, 1, 1, 1, 0]) + bytes(8) + bytes([0, 0, 128, 63])
    marks = b"".join(bytes([_MARK_SUMMARY, k % 2]) + bytes(4) + huge for k in range(4))
    return {**seeds, "wild": wild + marks + bytes([_ADAPT, _RELOAD, 0])}


def decide_seeds() -> dict[str, bytes]:
    """Return sessions by name: each sensor for some tokens, silences, decisions by steps, slices and halves.

    The second byte says: 1 a window of 3 tokens, 2 to 6 the normaliser, 8 to 24 the enrolment's length, 32
    what suffices of it, 64 front-end version 3. The third: 64 rules of any bits, else how many tasks.
    """
    seeds = {}
    step, halves, silence = bytes([3]), bytes([2]), bytes([0, 40])
    for index, (name, front_end) in enumerate(front_ends().items()):
        pushes = b"".join(
            bytes([5, m, 15]) + _shape(kind, part)
            for m, (kind, part) in enumerate(front_end.modalities.items())
        )
        for how in (0, 2, 64 + 4 + 8, 64 + 32 + 4 + 16 + 1):
            rules = bytes([2, 0, 30]) + 3 * bytes([1, 5, 20, 40, 120])
            made = step + bytes([0, 1, 2, 3, 4, 5, 6, 7, 8])
            sliced = bytes([3, 1, 3, 2, 3, 0]) + bytes(9)
            some = pushes + made + sliced + halves + bytes(range(36)) + step + bytes([255])
            seeds[f"{name}_{how}"] = bytes([index, how]) + rules + bytes([30, 4]) + some + silence + 6 * made
    return seeds


def _stream(front_end: FrontEnd, seconds: int = SECONDS, faults: bool = False) -> bytes:
    """Encode seconds of every modality, tokens popped as they close."""
    content = b""
    for second in range(seconds):
        for m, (kind, part) in enumerate(front_end.modalities.items()):
            jump = 40 if faults and second == 5 else 252 if faults and second == 7 else 0
            hit = faults and second in (3, 8)
            content += bytes([m << 4, _size(part), jump, 13]) + _shape(kind, part, hit)
        content += bytes([_TOKEN])
    return content + bytes([_WINDOW])


def _counted(front_end: FrontEnd) -> bytes:
    """Encode seconds of counted frames: some packets swapped, lost and repeated, one sensor begins anew."""
    content = b""
    for second in range(SECONDS):
        for m, (kind, part) in enumerate(front_end.modalities.items()):
            how = 128 if second == 8 and m == 0 else 64 + 7 if second % 2 else 5
            jump = 40 if second == 3 else 250 if second == 5 else 0
            anew = bytes(4) if how == 128 else b""
            content += bytes([_COUNTED | m << 4, _size(part), how, jump]) + anew + _shape(kind, part)
        content += bytes([_TOKEN])
    return content + bytes([_WINDOW])


def _calls(front_end: FrontEnd) -> bytes:
    """Encode every call there is, after some seconds of samples."""
    content = _stream(front_end)[:-1]
    for m, (kind, part) in enumerate(front_end.modalities.items()):
        content += bytes([_BEATS | m << 4, 20, _SPATIAL | m << 4, 8]) + _shape(kind, part)
        content += bytes([_LEAD_OFF | m << 4, 1, 0, 0, 0, 0])
        content += bytes([_ANYWHERE | m << 4, 30, 0, 0, 0, 0, 63]) + _shape(kind, part)
    content += bytes([_CLOCK, 0, 0, 0, 255, _CLOCK, 9, 0, 0, 0, _NOTHING, _NORMALISE, 2])
    return content + bytes([_ADVANCE, 200, _TOKEN, _REASONS, 1, _REASONS, 100, _WINDOW])


def _size(part: ModalityFrontEnd) -> int:
    """Encode one second of frames: up to 127 plainly, above in steps of 16."""
    frames = round(part.sampling_rate_hz)
    return frames if frames < 128 else min(255, 127 + frames // 16)


def _shape(kind: str, part: ModalityFrontEnd, hit: bool = False) -> bytes:
    shape, cycles_hz, amplitude = _SHAPES[kind]
    period = min(255, max(0, round(part.sampling_rate_hz / cycles_hz) - 2))
    centre = 128 if part.minimum < 0 else 60
    if not hit:
        return bytes([shape, period, centre, amplitude])
    nan, huge = b"\x00\x00\xc0\x7f", b"\xff\xff\x7f\x7f"
    return bytes([HIT, period, centre, amplitude, 2, 5, 0, 0, 0]) + nan + bytes([30, 0, 0, 0]) + huge
