/* The optimisation of a map on a device: 250 iterations at exaggeration 12 and 750 at 1, and the divergence it ends at.
 * Wider points than 50 are turned to their first 50 principal components before.
 *
 *   bench-map POINTS N WIDTH DEVICE [REPEATS]    POINTS: N x WIDTH float32; writes POINTS.map, [N, 2] float32
 *   bench-map POINTS N WIDTH DEVICE --judge MAP  the divergence of a map of the same points
 *
 * One line of JSON: seconds of the components, of neighbours and affinities (on the CPU), of each optimisation, and
 * processor seconds (cpu_s) of each of the three; the divergence (every pair), and whether repeats had the same bits.
 * gpu_maps.py and layers.py read it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "measure/pca.h"
#include "tsne/map.h"

enum { MOST_REPEATS = 20 };

static void need(pl_status status)
{
    if (status == PL_OK) return;
    fprintf(stderr, "bench-map: %s\n", pl_error_text());
    exit(1);
}

static float *read_floats(const char *path, size_t n)
{
    float *x;
    FILE *file = fopen(path, "rb");
    need(pl_new(&x, n));
    if (file && fread(x, sizeof *x, n, file) == n && fclose(file) == 0) return x;
    fprintf(stderr, "bench-map: %s: expected %zu floats\n", path, n);
    exit(1);
}

static void write_map(const char *points, const float *map, size_t n)
{
    char path[4096];
    snprintf(path, sizeof path, "%s.map", points);
    FILE *file = fopen(path, "wb");
    if (file && fwrite(map, 2 * sizeof *map, n, file) == n && fclose(file) == 0) return;
    fprintf(stderr, "bench-map: %s: cannot be written\n", path);
    exit(1);
}

static double cpu_s(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

static double optimise(float *map, const pl_processor *on, const pl_affinity *affinity, const float *start)
{
    pl_tsne *t;
    const double begin = pl_clock_s();
    need(pl_tsne_create(&t, on, affinity, start));
    need(pl_tsne_optimise(t, PL_TSNE_EARLY_EXAGGERATION, PL_TSNE_EARLY, NULL, NULL));
    need(pl_tsne_optimise(t, 1.0, PL_TSNE_MAIN, NULL, NULL));
    need(pl_tsne_layout(map, t));
    const double seconds = pl_clock_s() - begin;
    pl_tsne_free(t);
    return seconds;
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: bench-map POINTS N WIDTH DEVICE [REPEATS | --judge MAP]\n");
        return 2;
    }
    const size_t n = strtoul(argv[2], NULL, 10), width = strtoul(argv[3], NULL, 10), k = 3 * PL_MAP_PERPLEXITY;
    const bool judge = argc == 7 && strcmp(argv[5], "--judge") == 0;
    size_t repeats = argc == 6 ? strtoul(argv[5], NULL, 10) : 3;
    if (repeats < 1 || repeats > MOST_REPEATS) repeats = MOST_REPEATS;
    pl_processor on;
    pl_affinity affinity;
    int32_t *near;
    float *start, *map, *first;
    double divergence, seconds[MOST_REPEATS];
    bool same = true;
    need(pl_processor_open(&on, argv[4], 0));
    pl_points points = {read_floats(argv[1], n * width), n, width};
    pl_pca pca = {0};
    double began = pl_clock_s(), cpu[3] = {cpu_s()};
    if (width > PL_MAP_DIMS) {
        need(pl_pca_of(&pca, points.x, n, width, PL_MAP_DIMS, NULL));
        free((void *)(uintptr_t)points.x);
        points = (pl_points){pca.scores, n, pca.dims};
    }
    printf("{\"components_s\": %.4f", pl_clock_s() - began);
    cpu[0] = cpu_s() - cpu[0];
    need(pl_new(&near, n * k));
    need(pl_new(&start, 2 * n));
    need(pl_new(&map, 2 * n));
    began = pl_clock_s();
    cpu[1] = cpu_s();
    need(pl_neighbours(near, &points, k));
    need(pl_affinity_of(&affinity, &points, near, k, PL_MAP_PERPLEXITY));
    printf(", \"affinities_s\": %.4f", pl_clock_s() - began);
    cpu[1] = cpu_s() - cpu[1];
    cpu[2] = cpu_s();
    first = judge ? read_floats(argv[6], 2 * n) : NULL;
    pl_tsne_start(start, points.x, n, points.width, 0.0, 0);
    for (size_t r = 0; r < repeats && !judge; r++) {
        seconds[r] = optimise(map, &on, &affinity, start);
        if (!first) {
            need(pl_new(&first, 2 * n));
            memcpy(first, map, 2 * n * sizeof *first);
        }
        same = same && memcmp(first, map, 2 * n * sizeof *first) == 0;
        printf("%s%.4f", r ? ", " : ", \"optimise_s\": [", seconds[r]);
    }
    cpu[2] = (cpu_s() - cpu[2]) / (double)repeats;
    if (!judge) printf("], \"cpu_s\": [%.4f, %.4f, %.4f]", cpu[0], cpu[1], cpu[2]);
    if (!judge) printf(", \"same_bits\": %s", same ? "true" : "false");
    need(pl_tsne_divergence(&divergence, NULL, &on, &affinity, first));
    printf(", \"kl\": %.6f}\n", divergence);
    if (!judge) write_map(argv[1], map, n);
    if (pca.scores)
        pl_pca_free(&pca);
    else
        free((void *)(uintptr_t)points.x);
    free(first);
    free(map);
    free(start);
    free(near);
    pl_affinity_free(&affinity);
    pl_processor_close(&on);
    return 0;
}
