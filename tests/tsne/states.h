/* What the tests of host/tsne share: tests/golden/tsne/tsne.json, planted states, and the reference values of the
 * shared data, where a machine has them. */
#ifndef PLUMB_TESTS_TSNE_STATES_H
#define PLUMB_TESTS_TSNE_STATES_H

#include "numbers.h"

#include "base/random.h"

static inline json_t *golden(void)
{
    json_t *root = NULL;
    OK(pl_json_read(&root, PLUMB_SOURCE_DIR "/tests/golden/tsne/tsne.json", 1 << 22));
    return root;
}

/* The caller frees it. */
static inline float *floats(const json_t *array)
{
    float *out = calloc(json_array_size(array), sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < json_array_size(array); i++) out[i] = (float)element(array, i);
    return out;
}

static inline void *room(size_t n, size_t bytes)
{
    void *out = calloc(n, bytes);
    assert_non_null(out);
    return out;
}

/* x [n, width]: `groups` Gaussians of SD 1 whose centres are `apart` from 0 along features of their own. */
static inline float *planted(size_t n, size_t width, size_t groups, double apart, uint32_t stream)
{
    float *x = room(n * width, sizeof *x);
    for (size_t i = 0; i < n; i++)
        for (size_t d = 0; d < width; d++)
            x[i * width + d] = (float)(pl_random_normal(1, PL_RANDOM_TEST, stream, i * width + d) +
                                       (d % groups == i % groups ? apart : 0.0));
    return x;
}

/* n numbers of shared/data/reference/tsne/<name>, or NULL: the machine does not have them. The caller frees them. */
static inline double *reference(const char *name, size_t n)
{
    char path[1024];
    const char *data = getenv("PLUMB_DATA");
    snprintf(path, sizeof path, "%s/reference/tsne/%s", data ? data : PLUMB_SOURCE_DIR "/../shared/data", name);
    FILE *f = fopen(path, "r");
    if (!f) return NULL;
    double *out = room(n, sizeof *out);
    for (size_t i = 0; i < n; i++) assert_int_equal(fscanf(f, "%lf%*c", &out[i]), 1);
    fclose(f);
    return out;
}

#endif
