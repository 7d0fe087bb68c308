#include "experiment/states.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "experiment/finite.h"
#include "experiment/spec.h"

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

static pl_status begin_file(void *context, size_t n_all)
{
    pl_states_file *f = context;
    const pl_capture *c = f->capture;
    char layer[24];
    PL_TRY(pl_unit_create(&f->writer, f->path));
    for (size_t l = 0; c->positions & PL_POSITION_ALL && l < c->n_layers; l++) {
        const size_t width = pl_config_state_width(f->config, c->layers[l]);
        layer_name(layer, c->layers[l], f->config->L);
        PL_TRY(pl_unit_reserve_states_all(f->writer, layer, n_all, width, f->storage, &f->slabs[l]));
    }
    if (!c->logits_all && !c->logits_last) return PL_OK;
    return pl_unit_reserve_logits(f->writer, c->logits_all ? n_all : f->n_requests, pl_config_outputs(f->config),
                                  &f->slabs[c->n_layers]);
}

static pl_status write_rows(void *context, size_t layer, size_t first_row, size_t n, void *data)
{
    const pl_states_file *f = context;
    return pl_slab_write(f->slabs[layer], first_row, n, data);
}

pl_status pl_states_file_open(pl_states_file *f, const char *path, pl_capture *capture, const pl_config *config,
                              size_t n_requests, pl_dtype storage)
{
    *f = (pl_states_file){
        .path = path, .capture = capture, .config = config, .n_requests = n_requests, .storage = storage};
    bool all = capture->n_layers && capture->positions & PL_POSITION_ALL;
    if (!all && !capture->logits_last && !capture->logits_all) return PL_OK;
    PL_TRY(pl_new(&f->slabs, capture->n_layers + 1));
    f->sink = (pl_sink){.context = f, .dtype = storage, .begin = begin_file, .rows = write_rows};
    capture->sink = &f->sink;
    return PL_OK;
}

pl_status pl_states_file_writer(pl_states_file *f, pl_unit_writer **out)
{
    *out = f->writer;
    f->writer = NULL;
    return *out ? PL_OK : pl_unit_create(out, f->path);
}

void pl_states_file_close(pl_states_file *f)
{
    pl_unit_discard(f->writer);
    free(f->slabs);
    *f = (pl_states_file){0};
}

/* [n] rows without a state: behind the captured ones, or of an item that has none there. */
static pl_status absent_rows(uint8_t **out, const pl_request *requests, size_t n, size_t keep_rows, unsigned position)
{
    PL_TRY(pl_new(out, n));
    for (size_t i = 0; i < n; i++) (*out)[i] = i >= keep_rows || !pl_state_exists(&requests[i], position);
    return PL_OK;
}

/* [n_layers][n_requests, width]; NULL: not captured, or not kept by request. */
static float **states_at(const pl_results *results, unsigned position)
{
    return position == PL_POSITION_LAST     ? results->last
           : position == PL_POSITION_LABEL  ? results->label
           : position == PL_POSITION_MEAN   ? results->mean
           : position == PL_POSITION_SUFFIX ? results->suffix
                                            : NULL;
}

pl_status pl_states_write(pl_unit_writer *writer, const pl_results *results, const pl_request *requests,
                          const size_t *layers, size_t L, size_t keep_rows, pl_dtype storage, bool all)
{
    size_t n = results->n_requests;
    char layer[24], name[48];
    for (size_t p = 0; p < PL_POSITIONS; p++) {
        float **states = states_at(results, pl_positions[p].bit);
        uint8_t *absent;
        if (!states) continue;
        PL_TRY(absent_rows(&absent, requests, n, keep_rows, pl_positions[p].bit));
        pl_status status = PL_OK;
        for (size_t l = 0; l < results->n_layers && status == PL_OK; l++) {
            const size_t C = results->widths[l];
            for (size_t i = keep_rows; i < n; i++)
                for (size_t c = 0; c < C; c++) states[l][i * C + c] = NAN;
            layer_name(layer, layers[l], L);
            snprintf(name, sizeof name, "%s.%s", pl_positions[p].name, layer);
            status = pl_unit_put_states(writer, name, states[l], n, C, storage, absent);
        }
        free(absent);
        PL_TRY(status);
    }
    if (!all) return PL_OK;
    return pl_unit_put_ranges(writer, results->all_indptr, n, results->all_ranges, results->n_all_ranges);
}
