#include "figure/axis.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

/* The smallest of 1, 2, 5, 10 times a power of 10 that is not below the step. */
static double round_step(double step)
{
    static const double nice[] = {1, 2, 5, 10};
    double power = pow(10, floor(log10(step)));
    for (size_t i = 0; i < 3; i++)
        if (nice[i] * power >= step * (1 - 1e-9)) return nice[i] * power;
    return nice[3] * power;
}

void pl__axis_fit(pl__axis *axis, double low, double high, size_t n, bool fixed)
{
    if (!isfinite(low) || !isfinite(high) || low > high) {
        low = 0;
        high = 1;
    }
    /* What divides by the range must not overflow, nor be lost beside the values. */
    low = fmin(fmax(low, -DBL_MAX / 16), DBL_MAX / 16);
    high = fmin(fmax(high, -DBL_MAX / 16), DBL_MAX / 16);
    double least = fmax(1e-9 * fmax(fabs(low), fabs(high)), DBL_MIN * 1e16);
    if (high - low < least) {
        double around = low == 0 && high == 0 ? 0.5 : fmax(0.05 * fmax(fabs(low), fabs(high)), least);
        low -= around;
        high += around;
    }
    axis->step = round_step((high - low) / (double)n);
    double first = fixed ? ceil(low / axis->step - 1e-9) : floor(low / axis->step + 1e-9);
    double last = fixed ? floor(high / axis->step + 1e-9) : ceil(high / axis->step - 1e-9);
    axis->low = fixed ? low : first * axis->step;
    axis->high = fixed ? high : last * axis->step;
    axis->n_ticks = (size_t)fmin(fmax(last - first + 1, 0), 4.0 * (double)n);
}

double pl__axis_at(const pl__axis *axis, double value)
{
    double share = (fmin(fmax(value, axis->low), axis->high) - axis->low) / (axis->high - axis->low);
    return axis->from + share * (axis->to - axis->from);
}

double pl__axis_tick(const pl__axis *axis, size_t i)
{
    return (ceil(axis->low / axis->step - 1e-9) + (double)i) * axis->step;
}

void pl__axis_text(char out[PL__TICK_TEXT], const pl__axis *axis, size_t i)
{
    double value = pl__axis_tick(axis, i), size = fmax(fabs(axis->low), fabs(axis->high));
    int decimals = (int)fmax(0, -floor(log10(axis->step) + 1e-9));
    if (size >= 1e6 || decimals > 6)
        snprintf(out, PL__TICK_TEXT, "%.*g", 1 + (int)fmin(6, fmax(0, floor(log10(size / axis->step)))), value);
    else
        snprintf(out, PL__TICK_TEXT, "%.*f", decimals, fabs(value) < axis->step / 2 ? 0.0 : value);
}
