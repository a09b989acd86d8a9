# SPDX-License-Identifier: Apache-2.0
"""What the wearer taught survives a restart; what was not saved so is refused."""

import ctypes
import struct
import zlib
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmq_bridge.core_binding.library import OK, library
from mmq_bridge.core_binding.native import Bridge, normalise_tokens
from mmq_bridge.core_binding.spec_struct import CModality, CSpec, SpecTables
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd, Normalisation, Quantisation

NULL, TOO_SMALL = 1, 3
SHORT, DAMAGED, FOREIGN, NEWER, LATE = range(12, 17)
MODES = ("population", "enrolment", "running")
SLOW = {"eda": 4.0, "temp": 4.0, "acc": 32.0}
MANY = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def taught(
    rates: dict[str, float], mode: str = "enrolment", enrolment_s: float = 20, **given: Any
) -> FrontEnd:
    front_end = FrontEnd.wearable(rates, **{"tokens": 3, **given})
    rng = np.random.default_rng(3)
    count = front_end.n_features
    normalisation = Normalisation(
        mode=mode,  # type: ignore[arg-type]
        mean=tuple(rng.standard_normal(count)),
        std=tuple(rng.uniform(0.5, 2, count)),
        enrolment_s=enrolment_s,
        prior_tokens=5,
    )
    return front_end.with_normalisation(normalisation)


def worn(bridge: Bridge, signals: dict, first: int, last: int, token_s: float = 5.0) -> list:
    """Push tokens `first` to `last` of a recording as if it began with the first of them; pop what closes."""
    out = []
    for k in range(first, last):
        for name, signal in signals.items():
            n = round(token_s * signal.sampling_rate_hz)
            bridge.push(name, signal.samples[:, k * n : (k + 1) * n], (k - first) * token_s)
        bridge.advance((k - first + 1) * token_s)
        while (token := bridge.pop_token()) is not None:
            out.append(token)
    assert len(out) == last - first
    return out


def rows(tokens: list) -> tuple[np.ndarray, np.ndarray]:
    return np.array([features for features, _ in tokens]), np.array([presence for _, presence in tokens])


def signed(content: bytes, **words: int) -> bytes:
    """Change 32-bit words by place (`w1=2`), and make the checksum true again."""
    changed = bytearray(content)
    for place, value in words.items():
        struct.pack_into("<I", changed, 4 * int(place[1:]), value)
    return bytes(changed[:-4]) + struct.pack("<I", zlib.crc32(changed[:-4]))


def status(front_end: FrontEnd, content: bytes) -> int:
    """What a fresh bridge in C answers; when it refuses, it is what it was."""
    bridge = Bridge(front_end)
    memory = bridge._memory
    assert memory is not None
    before = bytes(memory)
    exactly = (ctypes.c_uint8 * len(content)).from_buffer_copy(content)
    answer = library().mmq_state_load(bridge._bridge, exactly, len(content))
    assert answer == OK or bytes(memory) == before
    return answer


@pytest.fixture(scope="module")
def signals(made: SimpleNamespace) -> dict:
    signals = made.made_up(100, made.WRIST, seed=5)
    signals["eda"].samples[:, 4 * 12 : 4 * 23] = np.nan
    return signals


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("saved_at", [0, 1, 3, 4, 5, 11])  # the enrolment takes 4 tokens
def test_a_loaded_bridge_has_learnt_what_it_had(
    made: SimpleNamespace, signals: dict, version: int, mode: str, saved_at: int
) -> None:
    """It normalises as one that measured both stretches one after the other, bit for bit."""
    front_end = taught(made.WRIST, mode, frontend_version=version)
    plain = front_end.with_normalisation(None)
    first = Bridge(front_end)
    worn(first, signals, 0, saved_at)
    again = Bridge(front_end)
    again.load(first.save())
    assert again.save() == first.save()
    assert again.enrolment_left == first.enrolment_left
    if version < 3:
        assert first.enrolment_left == (max(0, 4 - saved_at) if mode == "enrolment" else 0)
    raw = worn(Bridge(plain), signals, 0, saved_at) + worn(Bridge(plain), signals, saved_at, 20)
    wanted = normalise_tokens(front_end, *rows(raw))[saved_at:]
    got, presence = rows(worn(again, signals, saved_at, 20))
    np.testing.assert_array_equal(got.view(np.uint32), wanted.view(np.uint32))
    np.testing.assert_array_equal(presence, rows(raw)[1][saved_at:])


def test_once_contexts_are_full_it_is_as_if_never_interrupted(made: SimpleNamespace, signals: dict) -> None:
    """Where nothing older than the context has a say in a feature, and the enrolment is over.

    EDA has its four tokens after the seventh: three are lost.
    """
    slow = {name: signals[name] for name in SLOW}
    front_end = taught(SLOW)
    context_s = max(front_end.modalities[name].context_s for name in ("eda", "temp"))
    whole = Bridge(front_end)
    uncut = worn(whole, slow, 0, 20)
    first, again = Bridge(front_end), Bridge(front_end)
    worn(first, slow, 0, 7)
    assert first.enrolment_left == 0
    again.load(first.save())
    after = rows(worn(again, slow, 7, 20))[0]
    settled = round(context_s / front_end.token_s)
    assert 0 < settled < 13
    np.testing.assert_array_equal(
        after[settled:].view(np.uint32), rows(uncut)[0][7 + settled :].view(np.uint32)
    )
    np.testing.assert_array_equal(again.window()[0], whole.window()[0])


@pytest.mark.parametrize(("saved_at", "ready_at"), [(0, 7), (2, 5), (4, 3), (9, 3)])
def test_the_first_window_comes_after_what_is_left_of_the_enrolment(
    made: SimpleNamespace, signals: dict, saved_at: int, ready_at: int
) -> None:
    front_end = taught(made.WRIST)
    first, again = Bridge(front_end), Bridge(front_end)
    worn(first, signals, 0, saved_at)
    again.load(first.save())
    for k in range(ready_at):
        assert not again.ready
        assert again.enrolment_left == max(0, 4 - saved_at - k)
        worn_once(again, signals, k)
    assert again.ready


def worn_once(bridge: Bridge, signals: dict, k: int) -> None:
    for name, signal in signals.items():
        n = round(5 * signal.sampling_rate_hz)
        bridge.push(name, signal.samples[:, k * n : (k + 1) * n], 5.0 * k)
    bridge.advance(5.0 * k + 5)


def test_a_second_restart_goes_on_where_the_first_stopped(made: SimpleNamespace, signals: dict) -> None:
    front_end = taught(made.WRIST)
    state = Bridge(front_end).save()
    for k in range(4):
        bridge = Bridge(front_end)
        bridge.load(state)
        assert bridge.enrolment_left == 4 - k
        worn(bridge, signals, k, k + 1)
        state = bridge.save()
    once = Bridge(front_end)
    once.load(state)
    assert once.enrolment_left == 0


@pytest.mark.parametrize(("version", "counted"), [(2, 0), (3, 4)])
def test_the_bytes_are_what_the_source_says(
    made: SimpleNamespace, signals: dict, version: int, counted: int
) -> None:
    front_end = taught(made.WRIST, frontend_version=version)
    bridge = Bridge(front_end)
    worn(bridge, signals, 0, 3)
    state = bridge.save()
    assert len(state) == bridge.saved_bytes == 4 * (6 + counted + 3 * 26) < 2048
    magic, layout, size, _, seen = struct.unpack_from("<4s4I", state)
    assert (magic, layout, size, seen) == (b"MMQS", 1, len(state), 3)
    measured = np.frombuffer(state, "<u4", counted, 20)
    statistics = np.frombuffer(state[20 + 4 * counted : -4], "<f4").reshape(26, 3)
    raw, presence = rows(worn(Bridge(front_end.with_normalisation(None)), signals, 0, 3))
    modality = np.repeat(np.arange(4), [part.stop - part.start for part in front_end.feature_slices.values()])
    usable = presence[:, modality] & np.isfinite(raw)
    np.testing.assert_array_equal(measured, presence.sum(axis=0)[:counted])
    np.testing.assert_array_equal(statistics[:, 0], usable.sum(axis=0))
    means = np.nanmean(np.where(usable, raw, np.nan)[:, usable.any(axis=0)].astype(float), axis=0)
    np.testing.assert_allclose(statistics[usable.any(axis=0), 1], means, rtol=1e-5, atol=1e-6)
    assert struct.unpack("<I", state[-4:])[0] == zlib.crc32(state[:-4])


def test_a_front_end_that_learns_nothing_has_a_state_too(made: SimpleNamespace) -> None:
    for front_end in (taught(made.WRIST, "population"), FrontEnd.wearable(made.WRIST)):
        state = Bridge(front_end).save()
        assert len(state) == 24
        Bridge(front_end).load(state)


def digest(front_end: FrontEnd) -> int:
    """The digest as persist.c defines it, from the tables that Python fills."""
    tables = SpecTables(front_end)
    spec = tables.spec
    words: list[int] = []

    def bits(value: float) -> int:
        return int(np.float32(value).view(np.uint32))

    def table(pointer: Any, count: int) -> None:
        words.extend(bits(pointer[i]) for i in range(count))

    for name in ("version", "n_modalities", "n_features", "normaliser", "enrolment_tokens"):
        words.append(getattr(spec, name))
    words += [bits(spec.token_s), bits(spec.clip), bits(spec.prior_tokens)]
    words += [spec.enrolment_least] if front_end.counts_evidence else []
    if spec.normaliser:
        table(spec.mean, spec.n_features)
        table(spec.std, spec.n_features)
    for name, m in zip(front_end.modality_names, spec.modalities[: spec.n_modalities], strict=True):
        numbers = [field[0] for field in CModality._fields_ if issubclass(field[1], ctypes._SimpleCData)]
        for place, field in enumerate(numbers):
            value = getattr(m, field)
            word = bits(value) if isinstance(value, float) else value
            place += 64 - numbers.index("rate_hz") if isinstance(value, float) else 0
            words += [place, word] if word else []
        is_bank = name in ("eeg", "eog", "emg")
        if is_bank or name in ("ecg", "ppg", "resp"):
            table(m.prefilter, 5 * m.prefilter_sections)
            table(m.bank, 5 * m.bands)
        if is_bank or name == "ppg":
            table(m.fft_window, m.fft_size if is_bank else m.spectrum_samples)
            table(m.twiddles, m.fft_size)
        if is_bank:
            words.extend(m.band_bins[i] for i in range(2 * m.bands))
        if is_bank and m.spatial:
            table(m.spatial, m.outputs * m.channels)
    return zlib.crc32(struct.pack(f"<{len(words)}I", *words))


def test_the_digest_is_of_every_number_and_table(made: SimpleNamespace) -> None:
    channels = {"eeg": ("Fz", "Cz", "Pz")}
    for front_end in (
        taught(made.WRIST),
        taught(made.ALL, "running", channels=channels),
        taught(made.WRIST, frontend_version=2),
        FrontEnd.wearable({"ppg": 64, "ecg": 130}, frontend_version=1),
    ):
        assert struct.unpack_from("<I", Bridge(front_end).save(), 12)[0] == digest(front_end)


FROZEN = {1: 2604153713, 2: 3724468004}


@pytest.mark.parametrize("version", FROZEN)
def test_a_newer_core_still_takes_the_states_of_older_ones(version: int) -> None:
    """Front ends whose tables nobody designs: their digests may never change."""
    front_end = FrontEnd.wearable(SLOW, frontend_version=version)
    count = front_end.n_features
    norm = Normalisation(mode="enrolment", mean=(0.5,) * count, std=(2.0,) * count, enrolment_s=600)
    state = Bridge(front_end.with_normalisation(norm)).save()
    assert state[:12] == b"MMQS\1\0\0\0" + len(state).to_bytes(4, "little")
    assert struct.unpack_from("<I", state, 12)[0] == FROZEN[version]


def changed(front_end: FrontEnd, **settings: Any) -> FrontEnd:
    return FrontEnd.model_validate(front_end.model_dump() | settings)


def test_a_state_of_another_front_end_is_foreign(made: SimpleNamespace) -> None:
    front_end = taught(made.WRIST)
    state = Bridge(front_end).save()
    content = front_end.model_dump()
    mean = list(content["normalisation"]["mean"])
    mean[7] = float(np.nextafter(np.float32(mean[7]), np.float32(9)))
    ppg = content["modalities"]["ppg"]
    others = (
        changed(front_end, normalisation=content["normalisation"] | {"mean": mean}),
        changed(front_end, normalisation=content["normalisation"] | {"enrolment_s": 25}),
        changed(front_end, normalisation=content["normalisation"] | {"mode": "running"}),
        changed(front_end, modalities=content["modalities"] | {"ppg": ppg | {"min_skewness": -0.25}}),
        changed(front_end, frontend_version=2),
        taught({"ppg": 64.0, "eda": 4.0, "temp": 4.0}),
        taught({**made.WRIST, "ppg": 50.0}),
    )
    for other in others:
        assert status(other, state) == FOREIGN
        assert status(front_end, Bridge(other).save()) == FOREIGN
    with pytest.raises(BridgeError, match="of another front end"):
        Bridge(others[0]).load(state)


def test_the_window_and_the_quantisation_may_be_others(made: SimpleNamespace, signals: dict) -> None:
    front_end = taught(made.WRIST)
    first = Bridge(front_end)
    worn(first, signals, 0, 5)
    for other in (
        taught(made.WRIST, tokens=9),
        taught(made.WRIST, grace_s=7.0),
        front_end.with_quantisation(Quantisation(scale=0.05, zero_point=3)),
    ):
        again = Bridge(other)
        again.load(first.save())
        assert again.save() == first.save()


@pytest.fixture(scope="module", params=[2, 3])
def small(request: pytest.FixtureRequest) -> tuple[FrontEnd, bytes]:
    """A front end of few features, and the state of someone who wore it."""
    front_end = taught({"eda": 4.0}, enrolment_s=15, frontend_version=request.param)
    rng = np.random.default_rng(1)
    bridge = Bridge(front_end)
    bridge.push("eda", (2 + 0.1 * rng.standard_normal((1, 4 * 22))).astype(np.float32), 0.0)
    return front_end, bridge.save()


def test_every_flipped_bit_is_refused(small: tuple[FrontEnd, bytes]) -> None:
    front_end, state = small
    assert status(front_end, state) == OK
    answers = set()
    for bit in range(8 * len(state)):
        flipped = bytearray(state)
        flipped[bit // 8] ^= 1 << bit % 8
        answers.add(status(front_end, bytes(flipped)))
    assert answers == {SHORT, DAMAGED}


def test_every_truncation_and_every_excess_is_refused(small: tuple[FrontEnd, bytes]) -> None:
    front_end, state = small
    assert {status(front_end, state[:n]) for n in range(len(state))} == {SHORT}
    assert {status(front_end, state + bytes(n)) for n in range(1, 9)} == {DAMAGED}
    for n, answer in ((16, FOREIGN), (20, DAMAGED), (24, DAMAGED)):  # cut short and signed again
        assert status(front_end, signed(state[:n], w2=n)) == answer
    longer = signed(state + bytes(8), w2=len(state) + 8)
    assert status(front_end, longer) == DAMAGED


def bits(value: float) -> int:
    return int(np.float32(value).view(np.uint32))


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ({"w1": 2}, DAMAGED),  # the layout of one with look-backs
        ({"w1": 3}, NEWER),
        ({"w1": 2**32 - 1}, NEWER),
        ({"w1": 0}, DAMAGED),
        ({"w3": 0}, FOREIGN),
        ({"w4": 4}, DAMAGED),  # of 3 tokens
        ({"w4": 2**32 - 1}, DAMAGED),
        *(({"w5": bits(count)}, DAMAGED) for count in (-1, 0.5, np.nan, np.inf, 2.0**25)),
        *(({"w6": bits(mean)}, DAMAGED) for mean in (np.nan, np.inf, -np.inf)),
        *(({"w7": bits(square)}, DAMAGED) for square in (np.nan, np.inf, -1)),
        ({"w5": bits(3), "w6": bits(-7), "w7": bits(0)}, OK),
    ],
)
def test_words_that_no_core_writes_are_refused(
    small: tuple[FrontEnd, bytes], words: dict[str, int], answer: int
) -> None:
    front_end, state = small
    counted = 1 if front_end.counts_evidence else 0  # a word before the statistics
    places = {int(place[1:]): value for place, value in words.items()}
    moved = {f"w{place + (counted if place > 4 else 0)}": value for place, value in places.items()}
    assert status(front_end, signed(state, **moved)) == answer


def test_the_enrolment_had_no_more_tokens_than_were_measured(small: tuple[FrontEnd, bytes]) -> None:
    front_end, state = small
    assert status(front_end, signed(state, w4=0)) == (DAMAGED if front_end.counts_evidence else OK)
    if front_end.counts_evidence:
        assert [status(front_end, signed(state, w5=count)) for count in (2, 3, 4)] == [DAMAGED, OK, DAMAGED]


def test_a_newer_state_may_have_any_length(small: tuple[FrontEnd, bytes]) -> None:
    front_end, state = small
    assert status(front_end, signed(state + bytes(400), w1=3, w2=len(state) + 400)) == NEWER
    assert status(front_end, signed(state[:16], w1=3, w2=16)) == NEWER
    with pytest.raises(BridgeError, match="newer version than this core: update mmq-tf"):
        Bridge(front_end).load(signed(state, w1=3))


@MANY
@given(content=st.binary(max_size=120), start=st.integers(0, 120), cut=st.integers(0, 120))
def test_bytes_that_were_never_saved_are_refused(
    small: tuple[FrontEnd, bytes], content: bytes, start: int, cut: int
) -> None:
    front_end, state = small
    pasted = state[:start] + content + state[start + cut :]
    for given_ in (content, pasted):
        assert (status(front_end, given_) == OK) == (given_ == state)


@MANY
@given(data=st.data())
def test_any_restart_is_a_pause_to_the_normaliser(
    made: SimpleNamespace, signals: dict, data: st.DataObject
) -> None:
    mode, version = data.draw(st.sampled_from(MODES)), data.draw(st.sampled_from([2, 3]))
    cuts = [0, *sorted(data.draw(st.lists(st.integers(0, 12), max_size=3))), 12]
    enrolment_s = data.draw(st.sampled_from([5, 20, 60]))
    front_end = taught(made.WRIST, mode, enrolment_s, frontend_version=version)
    plain, state = front_end.with_normalisation(None), Bridge(front_end).save()
    got, raw = [], []
    for first, last in zip(cuts, cuts[1:], strict=False):
        bridge = Bridge(front_end)
        bridge.load(state)
        got += worn(bridge, signals, first, last)
        raw += worn(Bridge(plain), signals, first, last)
        state = bridge.save()
    np.testing.assert_array_equal(rows(got)[0], normalise_tokens(front_end, *rows(raw)))


def test_samples_must_not_come_first(small: tuple[FrontEnd, bytes]) -> None:
    front_end, state = small
    one = np.ones((1, 1), np.float32)
    for use in (
        lambda b: b.push("eda", one, 0.0),
        lambda b: b.push_counted("eda", one, 7),
        lambda b: b.advance(5.0),
    ):
        bridge = Bridge(front_end)
        use(bridge)
        with pytest.raises(BridgeError, match="load it first"):
            bridge.load(state)
    twice = Bridge(front_end)
    twice.load(state)
    twice.load(Bridge(front_end).save())
    assert twice.save() == Bridge(front_end).save()


@pytest.mark.parametrize("content", [None, "text", 5, [1, 2], bytearray(b"x"), memoryview(b"x")])
def test_what_is_not_bytes_is_refused(small: tuple[FrontEnd, bytes], content: Any) -> None:
    with pytest.raises(BridgeError, match="expected the bytes that were saved"):
        Bridge(small[0]).load(content)


def test_the_c_functions_refuse_null_and_small_buffers(small: tuple[FrontEnd, bytes]) -> None:
    front_end, state = small
    core, bridge = library(), Bridge(front_end)
    size = len(state)
    buffer = (ctypes.c_uint8 * (size + 2))(*[7] * (size + 2))
    assert core.mmq_state_size(None) == 0
    assert core.mmq_state_size(ctypes.byref(CSpec())) == 0
    assert core.mmq_state_save(None, buffer, size) == NULL
    assert core.mmq_state_save(bridge._bridge, None, size) == NULL
    assert core.mmq_state_load(None, buffer, size) == NULL
    assert core.mmq_state_load(bridge._bridge, None, size) == NULL
    assert core.mmq_bridge_enrolment_left(None) == -1
    for too_small in (0, 1, size - 1):
        assert core.mmq_state_save(bridge._bridge, buffer, too_small) == TOO_SMALL
    assert bytes(buffer) == bytes([7] * (size + 2))
    odd = ctypes.addressof(buffer) + 1
    assert core.mmq_state_save(bridge._bridge, odd, size + 1) == OK
    assert bytes(buffer) == bytes([7]) + bridge.save() + bytes([7])
    assert core.mmq_state_load(bridge._bridge, odd, size) == OK
    assert core.mmq_state_load(bridge._bridge, odd, 2**63) == DAMAGED


def test_a_closed_bridge_says_so(small: tuple[FrontEnd, bytes]) -> None:
    bridge = Bridge(small[0])
    bridge.close()
    for call in (bridge.save, lambda: bridge.load(small[1]), lambda: bridge.enrolment_left):
        with pytest.raises(BridgeError, match="it was closed"):
            call()
