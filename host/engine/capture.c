/* Device rows of captured states and scores: sizes, taps, download. */
#include "engine/capture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const unsigned position_of[PL__KEPT] = {PL_POSITION_LAST, PL_POSITION_LABEL, PL_POSITION_MEAN, PL_POSITION_ALL};

static pl_status check_layers(const pl_capture *capture, size_t L)
{
    for (size_t i = 0; i < capture->n_layers; i++)
        if (capture->layers[i] > L + 1 || (i && capture->layers[i] <= capture->layers[i - 1]))
            return pl_fail(PL_E_INPUT, "capture: layer %zu at place %zu; expected ascending layers 0..%zu",
                           capture->layers[i], i, L + 1);
    if (capture->logits_last && capture->logits_all)
        return pl_fail(PL_E_INPUT, "capture: logits of the last tokens and of all tokens exclude each other");
    return PL_OK;
}

/* States are held twice for a moment: on the device, and in the results. */
static pl_status check_memory(const pl__captured *c, const pl__plan *plan)
{
    size_t rows = 0, bytes, floats;
    for (size_t p = 0; p < PL__KEPT; p++)
        if (__builtin_add_overflow(rows, c->n_rows[p], &rows)) rows = SIZE_MAX;
    PL_TRY(pl_mul_size(&floats, rows, c->C, "captured states"));
    PL_TRY(pl_mul_size(&floats, floats, c->capture->n_layers, "captured states"));
    PL_TRY(pl_mul_size(&bytes, floats, 2 * sizeof(float), "captured states"));
    pl_device_facts facts;
    PL_TRY(c->gear->ops->facts(c->gear->device, &facts));
    if (bytes > facts.free_bytes)
        return pl_fail(PL_E_INPUT,
                       "captured states: %zu rows of %zu numbers at %zu layers need %zu MiB (device and host), %zu MiB "
                       "are free; keep fewer layers, positions or items than these %zu",
                       rows, c->C, c->capture->n_layers, bytes >> 20, facts.free_bytes >> 20, plan->n);
    return PL_OK;
}

pl_status pl__captured_open(pl__captured *c, const pl__plan *plan, const pl_gear *gear, size_t C, size_t L)
{
    static const pl_capture nothing = {0};
    *c = (pl__captured){.gear = gear, .capture = plan->capture ? plan->capture : &nothing, .C = C};
    PL_TRY(check_layers(c->capture, L));
    size_t n_layers = c->capture->n_layers;
    for (size_t p = 0; p < PL__KEPT; p++)
        if (n_layers && c->capture->positions & position_of[p])
            c->n_rows[p] = p == PL__KEPT_ALL ? plan->n_all : plan->n;
    PL_TRY(check_memory(c, plan));
    pl_status status = PL_OK;
    for (size_t p = 0; p < PL__KEPT; p++) {
        if (!n_layers || !(c->capture->positions & position_of[p])) continue;
        PL_GOTO(status, fail, pl_new(&c->states[p], n_layers));
        for (size_t l = 0; l < n_layers; l++)
            PL_GOTO(status, fail, pl_view_create(gear, &c->states[p][l], c->n_rows[p], C, PL_F32));
    }
    PL_GOTO(status, fail, pl_new(&c->target_slots, plan->n_targets));
    if (plan->n_targets) {
        PL_GOTO(status, fail, pl_view_create(gear, &c->log_probability, 1, plan->n_targets, PL_F32));
        PL_GOTO(status, fail, pl_view_create(gear, &c->target_greedy, 1, plan->n_targets, PL_I32));
    }
    return PL_OK;
fail:
    pl__captured_close(c);
    return status;
}

void pl__captured_close(pl__captured *c)
{
    for (size_t p = 0; p < PL__KEPT; p++) {
        for (size_t l = 0; c->states[p] && l < c->capture->n_layers; l++) pl_view_free(c->gear, &c->states[p][l]);
        free(c->states[p]);
    }
    if (c->gear) {
        pl_view_free(c->gear, &c->log_probability);
        pl_view_free(c->gear, &c->target_greedy);
    }
    free(c->target_slots);
    *c = (pl__captured){0};
}

static void aim_gather(pl__captured *c, const pl__batch *batch, pl__kept kept, pl__list_name counts, pl_pass *pass)
{
    const pl__list *lists = batch->lists; /* in the table rows and slots follow their counts */
    if (!c->states[kept] || !lists[counts + 1].n) return;
    c->taps[pass->n_taps++] = (pl_tap){.counts = lists[counts].view,
                                       .rows = lists[counts + 1].view,
                                       .slots = lists[counts + 2].view,
                                       .n_layers = c->capture->n_layers,
                                       .layers = c->capture->layers,
                                       .into = c->states[kept]};
}

pl_status pl__captured_aim(pl__captured *c, const pl__batch *batch, pl_pass *pass)
{
    const pl__list *lists = batch->lists;
    pass->n_taps = 0;
    pass->taps = c->taps;
    aim_gather(c, batch, PL__KEPT_LAST, PL__LAST_COUNTS, pass);
    aim_gather(c, batch, PL__KEPT_LABEL, PL__LABEL_COUNTS, pass);
    aim_gather(c, batch, PL__KEPT_ALL, PL__ALL_COUNTS, pass);
    if (c->states[PL__KEPT_MEAN] && lists[PL__MEAN_SLOTS].n)
        c->taps[pass->n_taps++] = (pl_tap){.pool = true,
                                           .counts = lists[PL__MEAN_COUNT].view,
                                           .slots = lists[PL__MEAN_SLOTS].view,
                                           .indptr = lists[PL__MEAN_INDPTR].view,
                                           .ranges = lists[PL__MEAN_RANGES].view,
                                           .n_layers = c->capture->n_layers,
                                           .layers = c->capture->layers,
                                           .into = c->states[PL__KEPT_MEAN]};
    size_t n = batch->targets.n;
    if (!n) return PL_OK;
    if (n > c->log_probability.columns - c->n_targets)
        return pl_fail(PL_E_INTERNAL, "capture: %zu targets after %zu of %zu", n, c->n_targets,
                       c->log_probability.columns);
    pass->log_probability = pl_view_columns(c->log_probability, c->n_targets, n);
    pass->target_greedy = pl_view_columns(c->target_greedy, c->n_targets, n);
    memcpy(c->target_slots + c->n_targets, batch->targets.data, n * sizeof *c->target_slots);
    c->n_targets += n;
    return PL_OK;
}

static pl_status fetch_scores(pl__captured *c, const pl__plan *plan, pl_stream *stream, pl_results *results)
{
    if (!plan->n_targets) return PL_OK;
    if (c->n_targets != plan->n_targets)
        return pl_fail(PL_E_INTERNAL, "capture: %zu of %zu targets were scored", c->n_targets, plan->n_targets);
    float *log_probability = NULL;
    int32_t *greedy = NULL;
    pl_status status;
    PL_GOTO(status, done, pl_new(&log_probability, plan->n_targets));
    PL_GOTO(status, done, pl_new(&greedy, plan->n_targets));
    PL_GOTO(status, done, c->gear->ops->download(stream, log_probability, c->log_probability));
    PL_GOTO(status, done, c->gear->ops->download(stream, greedy, c->target_greedy));
    PL_GOTO(status, done, c->gear->ops->stream_wait(stream));
    for (size_t i = 0; i < plan->n_targets; i++) {
        results->log_probability[c->target_slots[i]] = log_probability[i];
        results->greedy[c->target_slots[i]] = greedy[i] != 0;
    }
done:
    free(log_probability);
    free(greedy);
    return status;
}

/* Sums become means; a row that nothing went into is NaN. */
static void finish_rows(const pl__captured *c, const pl__plan *plan, pl_results *results)
{
    for (size_t l = 0; l < c->capture->n_layers; l++)
        for (size_t r = 0; r < plan->n; r++) {
            const pl_request *request = &plan->requests[r];
            size_t first = pl__mean_first(request), n = request->n > first ? request->n - first : 0;
            for (size_t i = 0; results->mean && i < c->C; i++) {
                float *sum = &results->mean[l][r * c->C + i];
                *sum = n ? *sum / (float)n : NAN;
            }
            for (size_t i = 0; results->label && request->gold == SIZE_MAX && i < c->C; i++)
                results->label[l][r * c->C + i] = NAN;
        }
}

pl_status pl__captured_fetch(pl__captured *c, const pl__plan *plan, pl_stream *stream, pl_results *results)
{
    float **into[PL__KEPT] = {results->last, results->label, results->mean, results->all};
    for (size_t p = 0; p < PL__KEPT; p++)
        for (size_t l = 0; into[p] && l < c->capture->n_layers; l++)
            if (c->n_rows[p]) PL_TRY(c->gear->ops->download(stream, into[p][l], c->states[p][l]));
    PL_TRY(c->gear->ops->stream_wait(stream));
    finish_rows(c, plan, results);
    return fetch_scores(c, plan, stream, results);
}
