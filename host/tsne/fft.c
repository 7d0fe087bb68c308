#include "tsne/fft.h"

#include <math.h>
#include <stdlib.h>

#include "base/lanes.h"
#include "base/memory.h"

typedef struct complex_lanes {
    pl__lanes re, im;
} complex_lanes;

PL__INLINED complex_lanes get(const float *re, const float *im, size_t at)
{
    return (complex_lanes){PL__FROM(re + at * PL__LANES), PL__FROM(im + at * PL__LANES)};
}

PL__INLINED void put(float *re, float *im, size_t at, complex_lanes c)
{
    PL__AT(re + at * PL__LANES) = c.re;
    PL__AT(im + at * PL__LANES) = c.im;
}

PL__INLINED complex_lanes plus(complex_lanes a, complex_lanes b)
{
    return (complex_lanes){a.re + b.re, a.im + b.im};
}

PL__INLINED complex_lanes minus(complex_lanes a, complex_lanes b)
{
    return (complex_lanes){a.re - b.re, a.im - b.im};
}

/* c times i times sign */
PL__INLINED complex_lanes turned(complex_lanes c, float sign)
{
    return (complex_lanes){c.im * -sign, c.re * sign};
}

/* c times w, or times its conjugate where sign is -1 */
PL__INLINED complex_lanes times(complex_lanes c, const float *w, float sign)
{
    const float re = w[0], im = sign * w[1];
    return (complex_lanes){c.re * re - c.im * im, c.re * im + c.im * re};
}

PL__INLINED complex_lanes scaled(complex_lanes c, float by)
{
    return (complex_lanes){c.re * by, c.im * by};
}

/* x[0..radix) of a short transform; sign -1: forward. */
PL__INLINED void butterfly(complex_lanes *x, int radix, float sign)
{
    if (radix == 4) {
        const complex_lanes a = plus(x[0], x[2]), b = minus(x[0], x[2]), c = plus(x[1], x[3]),
                            d = turned(minus(x[1], x[3]), sign);
        x[0] = plus(a, c);
        x[1] = plus(b, d);
        x[2] = minus(a, c);
        x[3] = minus(b, d);
    } else if (radix == 3) {
        const complex_lanes sum = plus(x[1], x[2]), middle = plus(x[0], scaled(sum, -0.5f)),
                            d = turned(scaled(minus(x[1], x[2]), 0.86602540378443864676f), sign);
        x[0] = plus(x[0], sum);
        x[1] = plus(middle, d);
        x[2] = minus(middle, d);
    } else {
        const complex_lanes a = x[0];
        x[0] = plus(a, x[1]);
        x[1] = minus(a, x[1]);
    }
}

/* One stage over blocks of `length`; forward: butterfly, then twiddles; inverse: the other way round. */
PL__INLINED void stage(float *re, float *im, size_t m, size_t length, int radix, const float *twiddles, int inverse)
{
    const size_t part = length / (size_t)radix;
    for (size_t block = 0; block < m; block += length) {
        const float *w = twiddles;
        for (size_t j = 0; j < part; j++, w += 2 * (radix - 1)) {
            complex_lanes x[4];
            for (int k = 0; k < radix; k++) {
                x[k] = get(re, im, block + j + (size_t)k * part);
                if (inverse && k > 0) x[k] = times(x[k], w + 2 * (k - 1), -1.0f);
            }
            butterfly(x, radix, inverse ? 1.0f : -1.0f);
            for (int k = 0; k < radix; k++)
                put(re, im, block + j + (size_t)k * part,
                    !inverse && k > 0 ? times(x[k], w + 2 * (k - 1), 1.0f) : x[k]);
        }
    }
}

PL__INLINED void stage_of(const pl__fft *fft, float *re, float *im, size_t length, int radix, const float *twiddles,
                          int inverse)
{
    if (radix == 4) stage(re, im, fft->m, length, 4, twiddles, inverse);
    if (radix == 3) stage(re, im, fft->m, length, 3, twiddles, inverse);
    if (radix == 2) stage(re, im, fft->m, length, 2, twiddles, inverse);
}

PL__INLINED void forward_body(const pl__fft *fft, float *re, float *im)
{
    const float *w = fft->twiddles;
    size_t length = fft->m;
    for (int s = 0; s < fft->n_stages; s++) {
        const int radix = fft->radix[s];
        stage_of(fft, re, im, length, radix, w, 0);
        length /= (size_t)radix;
        w += length * 2 * (size_t)(radix - 1);
    }
}
PL__CLONES(forward, (const pl__fft *fft, float *re, float *im), (fft, re, im))

PL__INLINED void inverse_body(const pl__fft *fft, float *re, float *im)
{
    const float *w[PL__FFT_STAGES], *next = fft->twiddles;
    size_t length = fft->m;
    for (int s = 0; s < fft->n_stages; s++) {
        w[s] = next;
        length /= (size_t)fft->radix[s];
        next += length * 2 * (size_t)(fft->radix[s] - 1);
    }
    for (int s = fft->n_stages; s-- > 0;) {
        length *= (size_t)fft->radix[s];
        stage_of(fft, re, im, length, fft->radix[s], w[s], 1);
    }
}
PL__CLONES(inverse, (const pl__fft *fft, float *re, float *im), (fft, re, im))

void pl__fft_forward(const pl__fft *fft, float *re, float *im)
{
    forward(fft, re, im);
}

void pl__fft_inverse(const pl__fft *fft, float *re, float *im)
{
    inverse(fft, re, im);
}

pl_status pl__fft_create(pl__fft *out, size_t m)
{
    *out = (pl__fft){.m = m};
    for (size_t left = m; left > 1; left /= (size_t)out->radix[out->n_stages++]) {
        const int radix = left % 3 == 0 ? 3 : left % 4 == 0 ? 4 : 2;
        if (left % (size_t)radix != 0 || out->n_stages == PL__FFT_STAGES)
            return pl_fail(PL_E_INTERNAL, "no Fourier transform of %zu points", m);
        out->radix[out->n_stages] = radix;
    }
    PL_TRY(pl_new(&out->twiddles, 2 * m));
    float *w = out->twiddles;
    for (size_t s = 0, length = m; s < (size_t)out->n_stages; s++) {
        const size_t radix = (size_t)out->radix[s], part = length / radix;
        for (size_t j = 0; j < part; j++) {
            for (size_t k = 1; k < radix; k++) {
                const double angle = -2.0 * M_PI * (double)(j * k % length) / (double)length;
                *w++ = (float)cos(angle);
                *w++ = (float)sin(angle);
            }
        }
        length = part;
    }
    return PL_OK;
}

void pl__fft_free(pl__fft *fft)
{
    free(fft->twiddles);
    *fft = (pl__fft){0};
}
