/* Device rows of captured states and scores: sizes, taps, download. */
#include "engine/capture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/results.h"

static const unsigned position_of[PL__KEPT] = {PL_POSITION_LAST, PL_POSITION_LABEL, PL_POSITION_MEAN, PL_POSITION_ALL,
                                               PL_POSITION_SUFFIX};

pl_status pl__capture_check(const pl_capture *capture, size_t L)
{
    if (!capture) return PL_OK;
    for (size_t i = 0; i < capture->n_layers; i++)
        if (capture->layers[i] > L + 1 || (i && capture->layers[i] <= capture->layers[i - 1]))
            return pl_fail(PL_E_INPUT, "capture: layer %zu at place %zu; expected ascending layers 0..%zu",
                           capture->layers[i], i, L + 1);
    if (capture->logits_last && capture->logits_all)
        return pl_fail(PL_E_INPUT, "capture: logits of the last tokens and of all tokens exclude each other");
    return PL_OK;
}

/* Rows of a position that stay on the device; 0: none do. */
static size_t rows_of(const pl__paths *plan, pl__kept kept)
{
    const pl_capture *capture = plan->capture;
    if (!capture || !capture->n_layers || !(capture->positions & position_of[kept])) return 0;
    if (kept != PL__KEPT_ALL) return plan->n;
    return capture->sink ? 0 : plan->n_all;
}

pl_status pl__capture_size(size_t *rows, size_t *bytes, const pl__paths *plan, const pl_config *config)
{
    *rows = *bytes = 0;
    for (size_t p = 0; p < PL__KEPT; p++)
        if (__builtin_add_overflow(*rows, rows_of(plan, (pl__kept)p), rows)) *rows = SIZE_MAX;
    if (!*rows) return PL_OK;
    const size_t width = pl__states_width(plan->capture, config, plan->capture->n_layers);
    PL_TRY(pl_mul_size(bytes, *rows, width, "captured states"));
    return pl_mul_size(bytes, *bytes, sizeof(float), "captured states");
}

pl_status pl__captured_open(pl__captured *c, const pl__paths *plan, pl_engine *engine)
{
    static const pl_capture nothing = {0};
    *c = (pl__captured){.engine = engine, .capture = plan->capture ? plan->capture : &nothing};
    pl_status status = PL_OK;
    for (size_t p = 0; p < PL__KEPT; p++) {
        c->n_rows[p] = rows_of(plan, (pl__kept)p);
        c->keeps[p] = c->n_rows[p] != 0;
        if (!c->keeps[p]) continue;
        size_t n_layers = c->capture->n_layers;
        PL_GOTO(status, fail, pl__engine_reserve_states(engine, (pl__kept)p, c->capture, c->n_rows[p]));
        for (size_t l = 0; p == PL__KEPT_MEAN && l < n_layers; l++) /* sums begin at zero */
            PL_GOTO(
                status, fail,
                pl_fill_zero(engine->processor, engine->stream, pl_view_rows(engine->states[p][l], 0, c->n_rows[p])));
    }
    PL_GOTO(status, fail, pl_new(&c->target_slots, plan->n_targets));
    if (plan->n_targets) {
        PL_GOTO(status, fail, pl_view_create(engine->processor, &c->log_probability, 1, plan->n_targets, PL_F32));
        PL_GOTO(status, fail, pl_view_create(engine->processor, &c->target_greedy, 1, plan->n_targets, PL_I32));
    }
    return PL_OK;
fail:
    pl__captured_close(c);
    return status;
}

void pl__captured_close(pl__captured *c)
{
    if (c->engine) {
        if (c->keeps[PL__KEPT_ALL]) pl__engine_release_states(c->engine, PL__KEPT_ALL); /* too large to be kept */
        pl_view_free(c->engine->processor, &c->log_probability);
        pl_view_free(c->engine->processor, &c->target_greedy);
    }
    free(c->target_slots);
    *c = (pl__captured){0};
}

/* Where steps are recorded every tap is always there: an empty one costs less than another recording. */
static void aim_gather(pl__captured *c, const pl__packed *batch, pl__kept kept, pl__gather gather, pl_pass *pass)
{
    const pl__list *lists = batch->lists;
    const pl__gather_lists *of = &pl__gather_lists_of[gather];
    if (!c->keeps[kept] || (!batch->bucketed && !lists[of->rows].n)) return;
    c->taps[pass->n_taps++] = (pl_tap){.kind = PL_TAP_GATHER,
                                       .counts = lists[of->counts].view,
                                       .rows = lists[of->rows].view,
                                       .slots = lists[of->slots].view,
                                       .n_layers = c->capture->n_layers,
                                       .layers = c->capture->layers,
                                       .into = c->engine->states[kept]};
}

void pl__captured_aim(pl__captured *c, const pl__packed *batch, const pl_view *streamed, pl_pass *pass)
{
    const pl__list *lists = batch->lists;
    pass->n_taps = 0;
    pass->taps = c->taps;
    aim_gather(c, batch, PL__KEPT_LAST, PL__GATHER_LAST, pass);
    aim_gather(c, batch, PL__KEPT_LABEL, PL__GATHER_LABEL, pass);
    aim_gather(c, batch, PL__KEPT_SUFFIX, PL__GATHER_SUFFIX, pass);
    if (streamed && (batch->bucketed || batch->whole.n))
        c->taps[pass->n_taps++] = (pl_tap){
            .kind = PL_TAP_WHOLE, .n_layers = c->capture->n_layers, .layers = c->capture->layers, .into = streamed};
    else
        aim_gather(c, batch, PL__KEPT_ALL, PL__GATHER_ALL, pass);
    if (c->keeps[PL__KEPT_MEAN] && (batch->bucketed || lists[PL__MEAN_SLOTS].n))
        c->taps[pass->n_taps++] = (pl_tap){.kind = PL_TAP_POOL,
                                           .counts = lists[PL__MEAN_COUNT].view,
                                           .slots = lists[PL__MEAN_SLOTS].view,
                                           .indptr = lists[PL__MEAN_INDPTR].view,
                                           .ranges = lists[PL__MEAN_RANGES].view,
                                           .n_layers = c->capture->n_layers,
                                           .layers = c->capture->layers,
                                           .into = c->engine->states[PL__KEPT_MEAN]};
}

pl_status pl__captured_take(pl__captured *c, const pl__packed *batch)
{
    const pl_engine *engine = c->engine;
    size_t n = batch->targets.n;
    if (!n) return PL_OK;
    if (n > c->log_probability.columns - c->n_targets)
        return pl_fail(PL_E_INTERNAL, "capture: %zu targets after %zu of %zu", n, c->n_targets,
                       c->log_probability.columns);
    const pl_copy_args values = {.from = pl_view_columns(engine->log_probability, 0, n),
                                 .to = pl_view_columns(c->log_probability, c->n_targets, n)};
    const pl_copy_args greedy = {.from = pl_view_columns(engine->target_greedy, 0, n),
                                 .to = pl_view_columns(c->target_greedy, c->n_targets, n)};
    PL_TRY(pl_op_copy(engine->processor, engine->stream, &values));
    PL_TRY(pl_op_copy(engine->processor, engine->stream, &greedy));
    memcpy(c->target_slots + c->n_targets, batch->targets.data, n * sizeof *c->target_slots);
    c->n_targets += n;
    return PL_OK;
}

static pl_status fetch_scores(pl__captured *c, const pl__paths *plan, pl_results *results)
{
    const pl_backend *ops = c->engine->processor->ops;
    pl_stream *stream = c->engine->stream;
    if (!plan->n_targets) return PL_OK;
    if (c->n_targets != plan->n_targets)
        return pl_fail(PL_E_INTERNAL, "capture: %zu of %zu targets were scored", c->n_targets, plan->n_targets);
    float *log_probability = NULL;
    int32_t *greedy = NULL;
    pl_status status;
    PL_GOTO(status, done, pl_new(&log_probability, plan->n_targets));
    PL_GOTO(status, done, pl_new(&greedy, plan->n_targets));
    PL_GOTO(status, done, pl_download(c->engine->processor, stream, log_probability, c->log_probability));
    PL_GOTO(status, done, pl_download(c->engine->processor, stream, greedy, c->target_greedy));
    PL_GOTO(status, done, ops->stream_wait(stream));
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
static void finish_rows(const pl__captured *c, const pl__paths *plan, pl_results *results)
{
    for (size_t l = 0; l < c->capture->n_layers; l++)
        for (size_t r = 0, C = results->widths[l]; r < plan->n; r++) {
            const pl_request *request = &plan->requests[r];
            size_t first = pl__mean_first(request), n = request->n > first ? request->n - first : 0;
            for (size_t i = 0; results->mean && i < C; i++) {
                float *sum = &results->mean[l][r * C + i];
                *sum = n ? *sum / (float)n : NAN;
            }
            for (size_t i = 0; results->label && request->gold == SIZE_MAX && i < C; i++)
                results->label[l][r * C + i] = NAN;
            for (size_t i = 0; results->suffix && !request->n_suffixed && i < C; i++)
                results->suffix[l][r * C + i] = NAN;
        }
}

pl_status pl__captured_fetch(pl__captured *c, const pl__paths *plan, pl_results *results)
{
    const pl_engine *engine = c->engine;
    float **into[PL__KEPT] = {results->last, results->label, results->mean, results->all, results->suffix};
    for (size_t p = 0; p < PL__KEPT; p++)
        for (size_t l = 0; c->keeps[p] && l < c->capture->n_layers; l++)
            PL_TRY(pl_download(engine->processor, engine->stream, into[p][l],
                               pl_view_rows(engine->states[p][l], 0, c->n_rows[p])));
    PL_TRY(engine->processor->ops->stream_wait(engine->stream));
    finish_rows(c, plan, results);
    return fetch_scores(c, plan, results);
}
