# SPDX-License-Identifier: Apache-2.0
"""The fixed-point arithmetic of TFLite Micro's reference kernels, in Python's integers: for tables only."""

from __future__ import annotations

import math

import numpy as np

INT32_MAX, INT32_MIN = 2**31 - 1, -(2**31)


def quantise_multiplier(value: float) -> tuple[int, int]:
    """Return ``(multiplier, exponent)`` with ``value = multiplier * 2 ** (exponent - 31)``.

    As TFLite's ``QuantizeMultiplier``: multiplier is 0 or from 2^30 to below 2^31.

    Examples
    --------
    >>> quantise_multiplier(0.5), quantise_multiplier(3.0)
    ((1073741824, 0), (1610612736, 2))
    """
    if value == 0.0:
        return 0, 0
    fraction, exponent = math.frexp(value)
    multiplier = math.floor(fraction * 2**31 + 0.5)
    if multiplier == 2**31:
        multiplier, exponent = multiplier // 2, exponent + 1
    return (0, 0) if exponent < -31 else (multiplier, exponent)


def high_product(a: int, b: int) -> int:
    """Return the rounded high half of twice a product, held at the ends (gemmlowp)."""
    if a == b == INT32_MIN:
        return INT32_MAX
    return (a * b + (1 << 30)) >> 31


def rounded_shift(x: int, exponent: int) -> int:
    """Return ``x / 2 ** exponent``, halves away from zero."""
    if exponent == 0:
        return x
    return (x + (1 << (exponent - 1)) - (x < 0)) >> exponent


def multiply(x: int, multiplier: int, exponent: int) -> int:
    """Return ``x`` times a quantised multiplier, rounded twice (``MultiplyByQuantizedMultiplier``)."""
    left, right = max(exponent, 0), max(-exponent, 0)
    return rounded_shift(high_product(_wrapped(x << left), multiplier), right)


def _wrapped(x: int) -> int:
    return (x + 2**31) % 2**32 - 2**31


def _held(x: int) -> int:
    return min(max(x, INT32_MIN), INT32_MAX)


def _shifted_up(x: int, by: int) -> int:
    end = (1 << (31 - by)) - 1
    return INT32_MAX if x > end else INT32_MIN if x < -end else x << by


def exponential(raw: int) -> int:
    """Return exp of ``raw / 2 ** 26`` in 2^-31, for ``raw`` from -2^31 to 0 (``exp_on_negative_values``)."""
    if raw == 0:
        return INT32_MAX
    quarter = 1 << 24
    part = (raw & (quarter - 1)) - quarter
    x = _shifted_up(part, 5) + (1 << 28)
    square = high_product(x, x)
    cube, fourth = high_product(square, x), high_product(square, square)
    series = rounded_shift(high_product(rounded_shift(fourth, 2) + cube, 715827883) + square, 1)
    result = _held(1895147668 + high_product(1895147668, x + series))
    remainder = part - raw
    factors = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
    for bit, factor in enumerate(factors, start=24):
        if remainder >> bit & 1:
            result = high_product(result, factor)
    return result


def _newton(x: int) -> int:
    """Return ``2 / (1 + x)`` with two integer bits, of ``x`` in 2^-31."""
    half = (x + INT32_MAX + 1) // 2
    y = _held(1515870810 + high_product(half, -1010580540))
    for _ in range(3):
        y = _held(y + _shifted_up(high_product(y, (1 << 29) - high_product(half, y)), 2))
    return y


def tanh(raw: int) -> int:
    """Return tanh of ``raw / 2 ** 27`` in 2^-31 (gemmlowp's, of a number with four integer bits)."""
    if raw == 0:
        return 0
    power = exponential(raw if raw < 0 else -raw)
    value = _shifted_up(_newton(power) - (1 << 29), 2)
    return -value if raw < 0 else value


def input_radius(integer_bits: int, exponent: int) -> int:
    """Return the largest input that does not leave the fixed-point range (``CalculateInputRadius``)."""
    largest = ((1 << integer_bits) - 1) * (1 << (31 - integer_bits))
    return math.floor(largest / 2.0**exponent)


def softmax_exponentials(scale: float, beta: float = 1.0) -> np.ndarray:
    """Return int32 ``[256]``: exp(-d * scale * beta) in 2^-31 for differences d, 0 where Micro takes 0."""
    real = min(beta * scale * (1 << 26), 2.0**31 - 1.0)
    multiplier, exponent = quantise_multiplier(real)
    least = -1.0 * input_radius(5, exponent)
    values = [
        exponential(high_product(_wrapped(-d << exponent), multiplier)) if -d >= least else 0
        for d in range(256)
    ]
    return np.array(values, np.int32)


def softmax_parts(exponentials: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return int32 exponentials while they are 2^22 or more, then uint16: what the others add to a sum.

    A sum is of 2^-19 and at least 1, so that a share of less than 2^22 is under half a step of the output.
    What adds nothing is left out.
    """
    exact = len(exponentials) - int(np.argmax(exponentials[::-1] >= 1 << 22))
    added = (exponentials[exact:].astype(np.int64) + 2048) >> 12
    return exponentials[:exact], np.trim_zeros(added, "b").astype(np.uint16)


def tanh_table(scale: float, zero_point: int) -> np.ndarray:
    """Return int8 ``[256]``: tanh of each int8 from -128 on, with output scale 1/128 and zero point 0."""
    fraction, exponent = math.frexp(scale * (1 << 27))
    multiplier = math.floor(fraction * 2**31 + 0.5)
    radius = input_radius(4, exponent)

    def one(q: int) -> int:
        x = q - zero_point
        if abs(x) >= radius:
            return 127 if x > 0 else -128
        return min(max(rounded_shift(tanh(multiply(x, multiplier, exponent)), 24), -128), 127)

    return np.array([one(q) for q in range(-128, 128)], np.int8)
