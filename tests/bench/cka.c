/* Debiased CKA of all pairs of layers, with its jackknife (measure/cka.h): processor time and memory, beside which
 * cka.py puts numpy. Writes FOLDER/states.f32, [layers, items, width], and FOLDER/cka.json: time, values, standard
 * errors.
 *
 *   bench-cka FOLDER [ITEMS [WIDTH [LAYERS]]]     4,000 items of width 768, 13 layers, unless said */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "base/memory.h"
#include "base/random.h"
#include "measure/cka.h"
#include "statistics/interval.h"

static void need(pl_status status)
{
    if (status == PL_OK) return;
    fprintf(stderr, "bench-cka: %s\n", pl_error_text());
    exit(1);
}

static size_t peak_kib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (size_t)usage.ru_maxrss;
}

static FILE *create(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (file) return file;
    fprintf(stderr, "bench-cka: %s: cannot be written\n", path);
    exit(1);
}

/* A layer is the one before, and something new: neighbours are alike. */
static void make_layer(float *x, const float *before, size_t n, size_t width, uint32_t layer)
{
    for (size_t i = 0; i < n * width; i++)
        x[i] = (before ? before[i] : 0.0f) + (float)pl_random_normal(1, PL_RANDOM_TEST, layer, i);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "bench-cka FOLDER [ITEMS [WIDTH [LAYERS]]]\n");
        return 2;
    }
    size_t n = argc > 2 ? strtoul(argv[2], NULL, 10) : 4000, width = argc > 3 ? strtoul(argv[3], NULL, 10) : 768;
    size_t m = argc > 4 ? strtoul(argv[4], NULL, 10) : 13;
    FILE *states = create(argv[1], "states.f32"), *out = create(argv[1], "cka.json");
    float **x;
    pl_cka cka;
    need(pl_new(&x, m));
    for (size_t k = 0; k < m; k++) {
        need(pl_new(&x[k], n * width));
        make_layer(x[k], k ? x[k - 1] : NULL, n, width, (uint32_t)k);
        if (fwrite(x[k], sizeof **x, n * width, states) != n * width) return 1;
    }
    size_t before = peak_kib();
    clock_t start = clock(); /* of all threads */
    need(pl_cka_of(&cka, (const float *const *)x, n, m, width));
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    printf("%zu pairs of %zu layers, %zu items of width %zu, with the jackknife: %.2f s of processor time, %zu MiB "
           "beside the states\n",
           cka.n_pairs, m, n, width, seconds, (peak_kib() - before) >> 10);
    fprintf(out, "{\"n\": %zu, \"width\": %zu, \"layers\": %zu, \"seconds\": %.3f, \"value_se\": [", n, width, m,
            seconds);
    for (size_t p = 0; p < cka.n_pairs; p++)
        fprintf(out, "%s%.17g, %.17g", p ? ", " : "", cka.value[p],
                pl_jackknife(cka.value[p], cka.left_out + p * n, n).se);
    fprintf(out, "]}\n");
    fclose(out);
    fclose(states);
    pl_cka_free(&cka);
    for (size_t k = 0; k < m; k++) free(x[k]);
    free(x);
    return 0;
}
