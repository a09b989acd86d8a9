/* SPDX-License-Identifier: Apache-2.0 */
/* lanes.h: filters and transform of one channel, or of several side by side. Included with
 *     V      what holds one sample of each lane: float, or a vector of floats
 *     LOAD(rows, stride, i)   sample i of each lane's row
 *     LANE(name)   the function's name for this width
 * No operation mixes lanes, and each lane does the same operations in the same order: the width changes no bit. */

/* y = (x - x0) - b, b += alpha * y: the running baseline, from the first sample on: beside an offset of thousands
 * float32 would have no digits left for the small steps of a slow baseline. b[0] is b, b[1] is x0. */
static void LANE(baseline)(float alpha, V *b, const float *rows, uint32_t stride, V *y, uint32_t n) {
    const V first = b[1];
    V level = b[0];
    for (uint32_t i = 0; i < n; i++) {
        y[i] = (LOAD(rows, stride, i) - first) - level;
        level += alpha * y[i];
    }
    b[0] = level;
}

static void LANE(biquad)(const float *c, V *state, V *x, uint32_t n) {
    V s0 = state[0], s1 = state[1];
    for (uint32_t i = 0; i < n; i++) {
        const V u = x[i], y = c[0] * u + s0;
        s0 = c[1] * u - c[3] * y + s1;
        s1 = c[2] * u - c[4] * y;
        x[i] = y;
    }
    state[0] = s0;
    state[1] = s1;
}

uint32_t LANE(mmq_condition)(const mmq_modality_t *spec, const float *rows, uint32_t stride, uint32_t n,
                             uint32_t phase, float *baseline, float *prefilter, float *samples) {
    V *x = (V *)(void *)samples;
    uint32_t kept = 0;
    LANE(baseline)(spec->baseline_alpha, (V *)(void *)baseline, rows, stride, x, n);
    for (uint32_t s = 0; s < spec->prefilter_sections; s++) {
        LANE(biquad)(spec->prefilter + 5u * s, (V *)(void *)prefilter + 2u * s, x, n);
    }
    if (spec->decimate == 1 || spec->kind == MMQ_RESP) return n; /* resp: breath.c takes means instead */
    for (uint32_t i = 0; i < n; i++) {
        if (phase == 0) x[kept++] = x[i];
        phase = phase + 1u == spec->decimate ? 0u : phase + 1u;
    }
    return kept;
}

/* One band without its gain: two sections, each with zeros at +1 and -1. Adds up the squares. */
static void LANE(band)(const float *c, V *state, V *squares, const V *x, uint32_t n) {
    const float a1 = c[1], a2 = c[2], c1 = c[3], c2 = c[4];
    V s0 = state[0], s1 = state[1], s2 = state[2], s3 = state[3], square = *squares;
    for (uint32_t i = 0; i < n; i++) {
        const V u = x[i], v = u - s0, y = v - s2;
        s0 = s1 + a1 * v;
        s1 = u + a2 * v;
        s2 = s3 + c1 * y;
        s3 = v + c2 * y;
        square += y * y;
    }
    state[0] = s0;
    state[1] = s1;
    state[2] = s2;
    state[3] = s3;
    *squares = square;
}

void LANE(mmq_bank_filter)(const mmq_modality_t *spec, const float *samples, uint32_t n, float *states, float *sums) {
    const V *x = (const V *)(const void *)samples;
    V *total = (V *)(void *)sums + 2u * spec->bands, sum = total[0], square = total[1];
    for (uint32_t b = 0; b < spec->bands; b++) {
        LANE(band)(spec->bank + 5u * b, (V *)(void *)states + 4u * b, (V *)(void *)sums + 2u * b + 1u, x, n);
    }
    for (uint32_t i = 0; i < n; i++) {
        sum += x[i];
        square += x[i] * x[i];
    }
    total[0] = sum;
    total[1] = square;
}

/* The first two steps at once: no twiddle but 1 and -i. z in bit-reversed order, n complex numbers. */
static void LANE(first_steps)(V *z, uint32_t n) {
    for (uint32_t i = 0; i < 2 * n; i += 8) {
        V *p = z + i;
        const V a = p[0] + p[2], b = p[1] + p[3], c = p[0] - p[2], d = p[1] - p[3];
        const V e = p[4] + p[6], f = p[5] + p[7], g = p[4] - p[6], h = p[5] - p[7];
        p[0] = a + e;
        p[1] = b + f;
        p[2] = c + h;
        p[3] = d - g;
        p[4] = a - e;
        p[5] = b - f;
        p[6] = c - h;
        p[7] = d + g;
    }
}

/* One step with blocks of 2 * half; t = twiddles of a transform of 2 n. */
static void LANE(step)(V *z, uint32_t n, uint32_t half, const float *t) {
    const uint32_t stride = 2 * (n / half);
    for (uint32_t k = 0; k < half; k++) {
        const float c = t[k * stride], s = t[k * stride + 1];
        for (uint32_t start = k; start < n; start += 2 * half) {
            V *p = z + 2 * start, *q = p + 2 * half;
            const V re = q[0] * c + q[1] * s, im = q[1] * c - q[0] * s;
            q[0] = p[0] - re;
            q[1] = p[1] - im;
            p[0] += re;
            p[1] += im;
        }
    }
}

/* Two steps at once, half and 2 * half: half the loads and stores. */
static void LANE(two_steps)(V *z, uint32_t n, uint32_t half, const float *t) {
    const uint32_t stride = 2 * (n / half);
    for (uint32_t k = 0; k < half; k++) {
        const float c = t[k * stride], s = t[k * stride + 1];
        const float e = t[k * (stride / 2)], f = t[k * (stride / 2) + 1];
        for (uint32_t start = k; start < n; start += 4 * half) {
            V *p = z + 2 * start, *q = p + 2 * half, *r = q + 2 * half, *o = r + 2 * half;
            const V qr = q[0] * c + q[1] * s, qi = q[1] * c - q[0] * s;
            const V hr = o[0] * c + o[1] * s, hi = o[1] * c - o[0] * s;
            const V ar = p[0] + qr, ai = p[1] + qi, br = p[0] - qr, bi = p[1] - qi;
            const V cr = r[0] + hr, ci = r[1] + hi, dr = r[0] - hr, di = r[1] - hi;
            const V er = cr * e + ci * f, ei = ci * e - cr * f; /* times W^k */
            const V gr = dr * e + di * f, gi = di * e - dr * f; /* times W^k, then -i */
            p[0] = ar + er;
            p[1] = ai + ei;
            r[0] = ar - er;
            r[1] = ai - ei;
            q[0] = br + gi;
            q[1] = bi - gr;
            o[0] = br - gi;
            o[1] = bi + gr;
        }
    }
}

/* From the transform of even and odd samples to |X_k|^2 of the real ones, k at place 2 k; z has room for n + 1. */
static void LANE(powers)(V *z, uint32_t n, const float *t) {
    const V first = z[0] + z[1], last = z[0] - z[1];
    z[0] = first * first;
    z[2 * n] = last * last;
    for (uint32_t k = 1; 2 * k <= n; k++) {
        V *p = z + 2 * k, *q = z + 2 * (n - k);
        const V even_re = 0.5f * (p[0] + q[0]), even_im = 0.5f * (p[1] - q[1]);
        const V odd_re = 0.5f * (p[1] + q[1]), odd_im = 0.5f * (q[0] - p[0]);
        const V re = odd_re * t[2 * k] + odd_im * t[2 * k + 1], im = odd_im * t[2 * k] - odd_re * t[2 * k + 1];
        const V ar = even_re + re, ai = even_im + im, br = even_re - re, bi = even_im - im;
        p[0] = ar * ar + ai * ai;
        q[0] = br * br + bi * bi;
    }
}

/* n complex numbers in bit-reversed order, n >= 4 -> powers in every second place. */
static void LANE(transform)(V *z, uint32_t n, const float *t) {
    uint32_t half = 4;
    LANE(first_steps)(z, n);
    for (; 2 * half < n; half *= 4) LANE(two_steps)(z, n, half, t);
    if (half < n) LANE(step)(z, n, half, t);
    LANE(powers)(z, n, t);
}

void LANE(mmq_segment_power)(const mmq_modality_t *spec, const float *segment, float *work) {
    const V *x = (const V *)(const void *)segment;
    const uint32_t n = spec->fft_size / 2;
    V *z = (V *)(void *)work;
    for (uint32_t i = 0, j = 0; i < n; i++, j = mmq_next_reversed(j, n)) {
        z[2 * j] = x[2 * i] * spec->fft_window[2 * i];
        z[2 * j + 1] = x[2 * i + 1] * spec->fft_window[2 * i + 1];
    }
    LANE(transform)(z, n, spec->twiddles);
}
