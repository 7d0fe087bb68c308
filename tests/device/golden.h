/* Golden values: a text file of arrays, "name n" and then n numbers as hexadecimal floats, which its generator beside
 * it wrote from an official implementation. */
#ifndef TESTS_DEVICE_GOLDEN_H
#define TESTS_DEVICE_GOLDEN_H

#include "world.h"

enum { GOLDEN_ARRAYS = 64 };

typedef struct golden {
    size_t n;
    char names[GOLDEN_ARRAYS][32];
    size_t sizes[GOLDEN_ARRAYS];
    float *values[GOLDEN_ARRAYS];
} golden;

static inline golden golden_open(const char *path)
{
    golden g = {0};
    FILE *file = fopen(path, "re");
    if (!file) fail_msg("%s is not there", path);
    while (g.n < GOLDEN_ARRAYS && fscanf(file, "%31s %zu", g.names[g.n], &g.sizes[g.n]) == 2) {
        float *x = g.values[g.n] = (float *)malloc(g.sizes[g.n] * sizeof(float) + 1);
        for (size_t i = 0; i < g.sizes[g.n]; i++) {
            if (fscanf(file, "%f", &x[i]) != 1) fail_msg("%s: %s ends after %zu numbers", path, g.names[g.n], i);
        }
        g.n++;
    }
    assert_true(feof(file));
    fclose(file);
    return g;
}

static inline void golden_close(golden *g)
{
    for (size_t i = 0; i < g->n; i++) free(g->values[i]);
}

static inline const float *golden_get(const golden *g, const char *name, size_t n)
{
    for (size_t i = 0; i < g->n; i++) {
        if (strcmp(g->names[i], name) != 0) continue;
        assert_int_equal(g->sizes[i], n);
        return g->values[i];
    }
    fail_msg("no golden array '%s'", name);
    return NULL;
}

/* |got - golden| <= bound * (1 + |golden|). */
static inline void golden_check(const world *w, const golden *g, const char *name, pl_view v, double bound)
{
    const size_t n = v.rows * v.columns;
    const float *expected = golden_get(g, name, n);
    float *got = fetch_numbers(w, v);
    double *y = (double *)malloc(n * sizeof *y), *bounds = (double *)malloc(n * sizeof *bounds);
    for (size_t i = 0; i < n; i++) {
        y[i] = (double)expected[i];
        bounds[i] = bound * (1.0 + fabs(y[i]));
    }
    check_close(name, got, y, bounds, n);
    free(got);
    free(y);
    free(bounds);
}

#endif
