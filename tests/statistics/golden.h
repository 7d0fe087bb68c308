/* What the tests of host/analysis share: tests/golden/statistics/statistics.json and the vectors of section F of the
 * design (X_ij = ((7i+3j+i^2(j+1)) mod 23) - 11 + 0.25((ij) mod 5), and so on). */
#ifndef PLUMB_TESTS_ANALYSIS_GOLDEN_H
#define PLUMB_TESTS_ANALYSIS_GOLDEN_H

#include "numbers.h"

enum { F_ITEMS = 12, F_X = 4, F_Y = 3 };

static inline json_t *golden(void)
{
    json_t *root = NULL;
    assert_int_equal(pl_json_read(&root, PLUMB_SOURCE_DIR "/tests/golden/statistics/statistics.json", 1 << 20), PL_OK);
    return root;
}

/* SD / sqrt(n), as the textbook has it. */
static inline double standard_error(const double *values, size_t n)
{
    double mean = 0.0, squares = 0.0;
    for (size_t i = 0; i < n; i++) mean += values[i] / (double)n;
    for (size_t i = 0; i < n; i++) squares += (values[i] - mean) * (values[i] - mean);
    return sqrt(squares / ((double)n - 1.0) / (double)n);
}

static inline void section_f(float x[F_ITEMS * F_X], float y[F_ITEMS * F_Y])
{
    for (int i = 0; i < F_ITEMS; i++) {
        double row[F_X];
        for (int j = 0; j < F_X; j++) {
            row[j] = (7 * i + 3 * j + i * i * (j + 1)) % 23 - 11 + 0.25 * ((i * j) % 5);
            x[i * F_X + j] = (float)row[j];
        }
        for (int j = 0; j < F_Y; j++)
            y[i * F_Y + j] =
                (float)((5 * i + 11 * j + 2 * i * i * (j + 2)) % 29 - 14 + 0.5 * ((i + j) % 3) + 0.8 * row[j]);
    }
}

#endif
