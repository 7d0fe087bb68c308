/* What the tests of backward ops share. A gradient is shown in three steps: a formula in double precision is what
 * finite differences of the forward formula say (check_slope), the op is within a bound of that formula (check_close),
 * and it has the same bits at other places, on another number of threads and with another vector width (same_bits,
 * test_portable). */
#ifndef TESTS_DEVICE_GRADIENT_H
#define TESTS_DEVICE_GRADIENT_H

#include "backward.h"

/* The slope of a loss along *x, in double precision: central differences. Their error is h^2 of a third derivative and
 * 1e-16 of the loss over h, both below 1e-7 here. */
static inline void check_slope(const char *what, double (*loss)(void *), void *context, double *x, double gradient)
{
    const double keep = *x, h = 1e-5 * (1.0 + fabs(keep));
    *x = keep + h;
    const double above = loss(context);
    *x = keep - h;
    const double below = loss(context);
    *x = keep;
    const double slope = (above - below) / (2.0 * h), bound = 1e-6 * (1.0 + fabs(slope));
    if (!(fabs(slope - gradient) <= bound))
        fail_case("%s: %.9g by the formula, %.9g by finite differences", what, gradient, slope);
    assert_true(fabs(slope - gradient - 4.0 * bound) > bound); /* able to fail */
}

static inline uint64_t digest_of(uint64_t digest, const void *data, size_t bytes)
{
    const unsigned char *b = (const unsigned char *)data;
    for (size_t i = 0; i < bytes; i++) digest = (digest ^ b[i]) * 1099511628211u;
    return digest;
}

/* The current case's output `which` has the bits that it had whenever it was seen before in this program. */
static inline void same_bits(const char *which, const void *data, size_t bytes)
{
    enum { PLACES = 4096 };
    static uint64_t keys[PLACES], digests[PLACES];
    uint64_t key = digest_of(14695981039346656037u, current_case, strlen(current_case));
    key = digest_of(key, which, strlen(which)) | 1;
    const uint64_t digest = digest_of(14695981039346656037u, data, bytes);
    size_t place = key % PLACES;
    while (keys[place] && keys[place] != key) place = (place + 1) % PLACES;
    if (keys[place] && digests[place] != digest)
        fail_case("%s has other bits than at other places, or on other threads or vectors", which);
    keys[place] = key;
    digests[place] = digest;
}

/* A cmocka test: every case once more with the CPU's portable variant. */
static inline void test_portable(void **state)
{
    if (on_cuda()) return;
    setenv("PLUMB_CPU", "portable", 1);
    run_cases((const case_table *)*state, 1, false);
    current_case[0] = 0;
    unsetenv("PLUMB_CPU");
}
#define PORTABLE(table)                                                                                                \
    {                                                                                                                  \
        .name = "portable", .test_func = test_portable, .initial_state = (void *)(uintptr_t)(table)                    \
    }

/* ---- Dropout ---- */

enum { SEED_LOW = 12345, SEED_HIGH = -7, STEP = 3 };

/* A key, and an example for each of n rows. */
static inline pl_dropout dropout_create(const world *w, float probability, uint32_t layer, pl_dropout_site site,
                                        size_t n, const int32_t *examples)
{
    const int32_t key[3] = {SEED_LOW, SEED_HIGH, STEP};
    pl_dropout d = {.probability = probability, .layer = layer, .site = site};
    d.key = ints(w, 3, key);
    d.examples = ints(w, n, examples);
    return d;
}

static inline void dropout_free(const world *w, pl_dropout *d)
{
    RELEASE(w, &d->key, &d->examples);
}

/* What a channel is multiplied by. */
static inline double mask_factor(const pl_dropout *d, int32_t example, int32_t position, uint32_t channel)
{
    const int32_t key[3] = {SEED_LOW, SEED_HIGH, STEP};
    if (d->probability == 0.0f) return 1.0;
    return mask_of(key, d->layer, d->site, d->probability, example, position, channel);
}

/* ---- Packed sequences ---- */

/* Rows of several sequences of given lengths, each from position 0, with their extents. */
typedef struct packed_sequences {
    batch_of b;
    pl_view n_sequences, sequences;
    size_t n, pages; /* sequences; pages of each in the page table, which gives every sequence its own */
} packed_sequences;

static inline packed_sequences sequences_create(const world *w, const int32_t *lengths, size_t n)
{
    packed_sequences p = {.n = n};
    span spans[16];
    int32_t extents[32], next = 0, count = (int32_t)n;
    for (size_t i = 0; i < n; i++) {
        spans[i] = (span){(int32_t)i, 0, lengths[i]};
        extents[2 * i] = next;
        extents[2 * i + 1] = lengths[i];
        next += lengths[i];
        const size_t pages = ((size_t)lengths[i] + PL_PAGE - 1) / PL_PAGE;
        p.pages = pages > p.pages ? pages : p.pages;
    }
    int32_t *table = (int32_t *)malloc(n * p.pages * 4);
    for (size_t i = 0; i < n * p.pages; i++) table[i] = (int32_t)i;
    p.b = batch_create(w, spans, n, table, n, p.pages);
    p.n_sequences = ints(w, 1, &count);
    p.sequences = guarded_rows(w, n, 1, 2, PL_I32, extents);
    free(table);
    return p;
}

static inline void sequences_free(const world *w, packed_sequences *p)
{
    RELEASE(w, &p->n_sequences, &p->sequences);
    batch_free(w, &p->b);
}

/* ---- Workspace ---- */

static inline pl_view workspace_of(const world *w, size_t bytes)
{
    world aligned = *w;
    aligned.aligned = true;
    return guarded(&aligned, 1, bytes, PL_U8, NULL);
}

#endif
