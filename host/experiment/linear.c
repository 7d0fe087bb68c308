#include "experiment/linear.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "experiment/draw.h"
#include "experiment/example_prompts.h"

/* Strengths C that are tried, and how: part of what decides the numbers (PL_NUMERICS_VERSION). */
static const double strengths[] = {1e-4, 1e-3, 1e-2, 1e-1, 1, 1e1, 1e2};
enum { STRENGTHS = sizeof strengths / sizeof *strengths, FOLDS = 5 };
static const bool STANDARDISED = true;

static const size_t KEPT_BYTES = (size_t)512 << 20;

void pl_linear_free(pl_linear *linear)
{
    pl_logistic_free(&linear->model);
    *linear = (pl_linear){0};
}

/* ---- states ---- */

/* States at the last token of prompts alone. The caller frees *out. */
static pl_status last_states(pl_results **out, pl_engine *engine, const pl_request *requests, size_t n,
                             const size_t *layers, size_t n_layers)
{
    const pl_capture capture = {.n_layers = n_layers, .layers = layers, .positions = PL_POSITION_LAST};
    pl_request *prompts;
    *out = NULL;
    PL_TRY(pl_new(&prompts, n));
    for (size_t i = 0; i < n; i++) {
        prompts[i] = requests[i];
        prompts[i].n_choices = 0;
        prompts[i].gold = SIZE_MAX;
    }
    pl_status status = pl_engine_score(engine, prompts, n, &capture, NULL, out);
    free(prompts);
    return status;
}

/* ---- learning ---- */

typedef struct fitting {
    const pl_plan *plan;
    const pl_plan_unit *unit;
    const pl_examples *examples;
    size_t *clusters; /* [n] rows of one group have one number; NULL: no groups */
    const pl_processor *processor;
    pl_linear best;
    double best_loss;
    double *losses; /* [n_layers, STRENGTHS] */
    pl_arena *arena;
} fitting;

static pl_status find_clusters(fitting *f)
{
    const pl_row_key *groups = f->plan->tasks[f->unit->task].rows.fewshot_group;
    if (!groups) return PL_OK;
    PL_TRY(pl_arena_new(f->arena, &f->clusters, f->examples->n));
    for (size_t i = 0; i < f->examples->n; i++) f->clusters[i] = (size_t)groups[f->examples->rows[i]].words[0];
    return PL_OK;
}

/* The layer and strength of least loss; of equals the first layer. */
static pl_status fit(fitting *f, const pl_results *states)
{
    const pl_adaptation *a = f->unit->adaptation;
    const pl_examples *e = f->examples;
    pl_labelled *layers;
    size_t place;
    PL_TRY(pl_arena_new(f->arena, &layers, a->n_layers));
    for (size_t l = 0; l < a->n_layers; l++)
        layers[l] = (pl_labelled){.n = e->n,
                                  .width = states->widths[l],
                                  .n_classes = e->n_classes,
                                  .x = states->last[l],
                                  .classes = e->classes};
    const pl_logistic_grid grid = {.strengths = strengths,
                                   .n_strengths = STRENGTHS,
                                   .n_folds = FOLDS,
                                   .seed = pl_draw_seed(f->plan->spec->seed, "folds") + a->draw};
    PL_TRY(pl_logistic_fit_best(&f->best.model, &place, f->losses, f->processor, layers, a->n_layers, f->clusters,
                                STANDARDISED, &grid));
    f->best.layer = a->layers[place];
    f->best_loss = INFINITY;
    for (size_t s = 0; s < STRENGTHS; s++) f->best_loss = fmin(f->best_loss, f->losses[place * STRENGTHS + s]);
    return PL_OK;
}

static pl_status run_model(fitting *f, pl_engine *engine, pl_results **states)
{
    size_t n = f->examples->n;
    const pl_adaptation *a = f->unit->adaptation;
    pl_example_prompt *prompts;
    pl_request *requests;
    PL_TRY(pl_arena_new(f->arena, &prompts, n));
    PL_TRY(pl_arena_new(f->arena, &requests, n));
    PL_TRY(pl_example_prompts(prompts, f->plan, f->unit, 0, n, NULL, PL_EXAMPLE_CHOICES, f->arena));
    for (size_t i = 0; i < n; i++) requests[i] = prompts[i].encoded.request;
    return last_states(states, engine, requests, n, a->layers, a->n_layers);
}

static pl_status write_learned(pl_unit_writer *writer, const fitting *f)
{
    const pl_logistic *m = &f->best.model;
    const pl_adaptation *a = f->unit->adaptation;
    double *layers;
    PL_TRY(pl_arena_new(f->arena, &layers, a->n_layers));
    for (size_t l = 0; l < a->n_layers; l++) layers[l] = (double)a->layers[l];
    const pl_numbers arrays[] = {{"coef", m->coef, m->n_classes * m->width, m->width},
                                 {"intercept", m->intercept, m->n_classes, 0},
                                 {"layers", layers, a->n_layers, 0},
                                 {"strengths", strengths, STRENGTHS, 0},
                                 {"losses", f->losses, a->n_layers * STRENGTHS, STRENGTHS}};
    PL_TRY(pl_examples_write(writer, f->plan, f->unit));
    return pl_unit_put_numbers(writer, "linear", arrays, sizeof arrays / sizeof *arrays);
}

static pl_status set_entry(json_t *entries, const char *name, json_t *value)
{
    return json_object_set_new(entries, name, value) == 0
               ? PL_OK
               : pl_fail(PL_E_MEMORY, "out of memory while writing what was learned");
}

pl_status pl_linear_learn(pl_unit_writer *writer, const pl_plan *plan, const pl_plan_unit *unit, pl_engine *engine,
                          const pl_processor *processor, json_t *entries, pl_linear_cost *cost)
{
    fitting f = {.plan = plan, .unit = unit, .examples = unit->adaptation->examples, .processor = processor};
    pl_results *states = NULL;
    double start = pl_clock_s();
    *cost = (pl_linear_cost){0};
    pl_status status;
    PL_TRY(pl_arena_create(&f.arena));
    PL_GOTO(status, done, pl_arena_new(f.arena, &f.losses, unit->adaptation->n_layers * STRENGTHS));
    PL_GOTO(status, done, find_clusters(&f));
    PL_GOTO(status, done, run_model(&f, engine, &states));
    cost->engine_s = pl_clock_s() - start;
    PL_GOTO(status, done, fit(&f, states));
    cost->tokens = states->tokens_computed;
    cost->n_batches = states->n_batches;
    cost->fit_s = pl_clock_s() - start - cost->engine_s;
    PL_GOTO(status, done, write_learned(writer, &f));
    PL_GOTO(status, done, set_entry(entries, "learned_layer", json_integer((json_int_t)f.best.layer)));
    PL_GOTO(status, done, set_entry(entries, "learned_strength", json_real(f.best.model.strength)));
    status = set_entry(entries, "learned_loss", json_real(f.best_loss));
done:
    pl_results_free(states);
    pl_linear_free(&f.best);
    pl_arena_free(f.arena);
    return status;
}

/* ---- what was learned ---- */

static pl_status read_file(pl_linear *out, const pl_unit_reader *reader, const char *path, pl_arena *arena)
{
    pl_numbers intercept = {.name = "intercept"}, coef = {.name = "coef", .width = 1};
    json_t *layer;
    PL_TRY(pl_unit_get_attribute(reader, "learned_layer", &layer));
    out->layer = (size_t)json_integer_value(layer);
    bool ok = json_is_integer(layer) && json_integer_value(layer) >= 0;
    json_decref(layer);
    PL_TRY(pl_unit_get_numbers(reader, arena, "linear", &intercept));
    PL_TRY(pl_unit_get_numbers(reader, arena, "linear", &coef));
    pl_logistic *m = &out->model;
    m->n_classes = intercept.n;
    if (!ok || !intercept.n || coef.n != intercept.n * coef.width)
        return pl_fail(PL_E_INPUT, "%s: what was learned does not fit together: remove the file, and run again", path);
    m->width = coef.width;
    PL_TRY(pl_new(&m->coef, coef.n));
    PL_TRY(pl_new(&m->intercept, intercept.n));
    memcpy(m->coef, coef.values, coef.n * sizeof *m->coef);
    memcpy(m->intercept, intercept.values, intercept.n * sizeof *m->intercept);
    return PL_OK;
}

pl_status pl_linear_read(pl_linear *out, const char *path, const char *id)
{
    pl_unit_reader *reader = NULL;
    pl_arena *arena;
    pl_status status;
    *out = (pl_linear){0};
    PL_TRY(pl_arena_create(&arena));
    PL_GOTO(status, done, pl_unit_open(&reader, path));
    PL_GOTO(status, done, read_file(out, reader, path, arena));
    memcpy(out->id, id, strlen(id) + 1);
done:
    pl_unit_close(reader);
    pl_arena_free(arena);
    if (status != PL_OK) pl_linear_free(out);
    return status;
}

/* ---- evaluating ---- */

struct pl__kept_states {
    size_t model, task, template_place, layer, n, C, tokens;
    const pl_spec_chat *chat; /* how the prompts were asked */
    float *states;            /* [n, C] */
};

void pl_states_kept_free(pl_states_kept *kept)
{
    for (size_t i = 0; i < kept->n; i++) free(kept->entries[i].states);
    free(kept->entries);
    *kept = (pl_states_kept){0};
}

static struct pl__kept_states *find_kept(const pl_states_kept *kept, const pl_plan_unit *unit, size_t layer)
{
    for (size_t i = 0; i < kept->n; i++) {
        struct pl__kept_states *k = &kept->entries[i];
        if (k->model == unit->model && k->task == unit->task && k->template_place == unit->template_place &&
            k->layer == layer && k->chat == unit->chat)
            return k;
    }
    return NULL;
}

/* The states of the unit's prompts, computed when they are not there. *ran: their tokens, and what was computed. */
static pl_status states_of(const struct pl__kept_states **out, const pl_plan_unit *unit, size_t layer,
                           pl_states_kept *kept, pl_engine *engine, const pl_request *requests, size_t n,
                           pl_results *ran)
{
    pl_results *results;
    *out = find_kept(kept, unit, layer);
    if (*out) {
        ran->tokens_in_requests = (*out)->tokens;
        return PL_OK;
    }
    PL_TRY(last_states(&results, engine, requests, n, &layer, 1));
    struct pl__kept_states new = {.model = unit->model,
                                  .task = unit->task,
                                  .template_place = unit->template_place,
                                  .layer = layer,
                                  .chat = unit->chat};
    const size_t width = results->widths[0], bytes = n * width * sizeof(float);
    pl_status status;
    if (kept->bytes + bytes > KEPT_BYTES) pl_states_kept_free(kept);
    PL_GOTO(status, done, pl_grow(&kept->entries, &kept->capacity, kept->n + 1));
    PL_GOTO(status, done, pl_new(&new.states, n * width));
    memcpy(new.states, results->last[0], bytes);
    new.n = n;
    new.C = width;
    new.tokens = results->tokens_in_requests;
    kept->bytes += bytes;
    kept->entries[kept->n] = new;
    *out = &kept->entries[kept->n++];
    ran->tokens_in_requests = results->tokens_in_requests;
    ran->tokens_computed = results->tokens_computed;
    ran->n_batches = results->n_batches;
done:
    pl_results_free(results);
    return status;
}

static pl_status fill(pl_results *r, const pl_linear *linear, const struct pl__kept_states *states, size_t n)
{
    size_t m = linear->model.n_classes;
    double *log_probs;
    r->n_requests = n;
    PL_TRY(pl_new(&r->choice_indptr, n + 1));
    PL_TRY(pl_new(&r->token_indptr, n * m + 1));
    PL_TRY(pl_new(&r->log_probability, n * m));
    PL_TRY(pl_new(&r->greedy, n * m));
    PL_TRY(pl_new(&log_probs, n * m));
    pl_logistic_predict(log_probs, &linear->model, states->states, n);
    for (size_t i = 0; i < n; i++) {
        size_t best = 0;
        r->choice_indptr[i + 1] = (i + 1) * m;
        for (size_t c = 0; c < m; c++) {
            r->token_indptr[i * m + c + 1] = i * m + c + 1;
            r->log_probability[i * m + c] = (float)log_probs[i * m + c];
            if (log_probs[i * m + c] > log_probs[i * m + best]) best = c;
        }
        r->greedy[i * m + best] = 1;
    }
    free(log_probs);
    return PL_OK;
}

pl_status pl_linear_score(pl_results **out, const pl_linear *linear, const pl_plan_unit *unit, pl_states_kept *kept,
                          pl_engine *engine, const pl_request *requests, size_t n)
{
    const struct pl__kept_states *states;
    pl_results *r;
    *out = NULL;
    PL_TRY(pl_new(&r, 1));
    pl_status status = states_of(&states, unit, linear->layer, kept, engine, requests, n, r);
    if (status == PL_OK && (states->n != n || states->C != linear->model.width))
        status = pl_fail(PL_E_INTERNAL, "unit %s: %zu states of %zu numbers, expected %zu of %zu", unit->id, states->n,
                         states->C, n, linear->model.width);
    if (status == PL_OK) status = fill(r, linear, states, n);
    if (status != PL_OK) {
        pl_results_free(r);
        return status;
    }
    *out = r;
    return PL_OK;
}
