/* Debiased CKA of all pairs of layers, with its jackknife (measure/cka.h), of states that are read from a file in
 * blocks: processor time and memory, beside which cka.py puts numpy. Writes FOLDER/states.f32, [layers, items, width],
 * and FOLDER/cka.json: time, values, standard errors.
 *
 *   bench-cka FOLDER [ITEMS [WIDTH [LAYERS]]]     4,000 items of width 768, 13 layers, unless said */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

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

typedef struct disk {
    int file;
    size_t n, width;
} disk;

static pl_status rows_of_file(const void *context, const float **out, float *room, size_t layer, size_t first, size_t n)
{
    const disk *d = context;
    const size_t bytes = n * d->width * sizeof *room;
    const off_t at = (off_t)((layer * d->n + first) * d->width * sizeof *room);
    *out = room;
    return pread(d->file, room, bytes, at) == (ssize_t)bytes ? PL_OK : pl_fail(PL_E_IO, "states.f32 cannot be read");
}

static void write_layers(FILE *to, size_t n, size_t width, size_t m)
{
    float *x, *before;
    need(pl_new(&x, n * width));
    need(pl_new(&before, n * width));
    for (size_t k = 0; k < m; k++) {
        make_layer(x, k ? before : NULL, n, width, (uint32_t)k);
        if (fwrite(x, sizeof *x, n * width, to) != n * width) exit(1);
        memcpy(before, x, n * width * sizeof *x);
    }
    if (fflush(to)) exit(1);
    free(before);
    free(x);
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
    pl_cka cka;
    write_layers(states, n, width, m);
    fclose(states);
    char path[4096];
    snprintf(path, sizeof path, "%s/states.f32", argv[1]);
    const disk d = {.file = open(path, O_RDONLY), .n = n, .width = width};
    const pl_states from = {.context = &d, .rows = rows_of_file};
    size_t before = peak_kib();
    clock_t start = clock(); /* of all threads */
    need(pl_cka_of_rows(&cka, &from, n, m, width, NULL));
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    printf("%zu pairs of %zu layers, %zu items of width %zu, with the jackknife: %.2f s of processor time, at most %zu "
           "MiB of the process, %zu before\n",
           cka.n_pairs, m, n, width, seconds, peak_kib() >> 10, before >> 10);
    fprintf(out, "{\"n\": %zu, \"width\": %zu, \"layers\": %zu, \"seconds\": %.3f, \"value_se\": [", n, width, m,
            seconds);
    for (size_t p = 0; p < cka.n_pairs; p++)
        fprintf(out, "%s%.17g, %.17g", p ? ", " : "", cka.value[p],
                pl_jackknife(cka.value[p], cka.left_out + p * n, n).se);
    fprintf(out, "]}\n");
    fclose(out);
    close(d.file);
    pl_cka_free(&cka);
    return 0;
}
