#include "experiment/states.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int ascending(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

pl_status pl_layers_resolve(size_t **out, size_t *n_out, const char *const *names, size_t n_names, size_t L,
                            const char *where, pl_arena *arena)
{
    /* For pairwise measures: the ends, the quarters, and both sides of the final norm (stability.md, E.2). */
    const size_t defaults[] = {0, L / 4, L / 2, 3 * L / 4, L ? L - 1 : 0, L, L + 1};
    size_t *layers, n = 0;
    PL_TRY(pl_arena_new(arena, &layers, n_names * (L + 9)));
    for (size_t i = 0; i < n_names; i++) {
        const char *name = names[i];
        char *end;
        unsigned long number = strtoul(name, &end, 10);
        if (strcmp(name, "all") == 0)
            for (size_t l = 0; l < L + 2; l++) layers[n++] = l;
        else if (strcmp(name, "default") == 0)
            for (size_t l = 0; l < sizeof defaults / sizeof *defaults; l++) layers[n++] = defaults[l];
        else if (strcmp(name, "half") == 0)
            layers[n++] = L / 2;
        else if (strcmp(name, "last") == 0)
            layers[n++] = L;
        else if (strcmp(name, "final_norm") == 0)
            layers[n++] = L + 1;
        else if (*name >= '0' && *name <= '9' && !*end && number <= L)
            layers[n++] = number;
        else
            return pl_fail(PL_E_INPUT,
                           "%s: expected a layer (0 to %zu, all, default, half, last or final_norm), found '%s'", where,
                           L, name);
    }
    qsort(layers, n, sizeof *layers, ascending);
    *n_out = 0;
    for (size_t i = 0; i < n; i++)
        if (i == 0 || layers[i] != layers[i - 1]) layers[(*n_out)++] = layers[i];
    *out = layers;
    return PL_OK;
}

static void layer_name(char out[24], size_t layer, size_t L)
{
    if (layer == L + 1)
        snprintf(out, 24, "final_norm");
    else
        snprintf(out, 24, "%02zu", layer);
}

pl_status pl_states_write(pl_unit_writer *writer, const pl_results *results, const size_t *layers, size_t L,
                          size_t keep_rows, pl_storage storage)
{
    const struct {
        const char *name;
        float **values;
    } positions[] = {{"last", results->last}, {"label", results->label}, {"mean", results->mean}};
    size_t C = results->C, n = results->n_requests;
    char layer[24], name[48];
    for (size_t p = 0; p < sizeof positions / sizeof *positions; p++)
        for (size_t l = 0; positions[p].values && l < results->n_layers; l++) {
            float *values = positions[p].values[l];
            for (size_t i = keep_rows; i < n; i++)
                for (size_t c = 0; c < C; c++) values[i * C + c] = NAN;
            layer_name(layer, layers[l], L);
            snprintf(name, sizeof name, "%s.%s", positions[p].name, layer);
            PL_TRY(pl_unit_put_states(writer, name, values, n, C, storage));
        }
    if (!results->all) return PL_OK;
    for (size_t l = 0; l < results->n_layers; l++) {
        layer_name(layer, layers[l], L);
        PL_TRY(pl_unit_put_states_all(writer, layer, results->all[l], results->n_all, C, storage));
    }
    return pl_unit_put_ranges(writer, results->all_indptr, n, results->all_ranges, results->n_all_ranges);
}
