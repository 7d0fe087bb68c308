/* The certificate: paths from a counter, three engines, comparison of bytes. */
#include "engine/certificate.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"

/* Groups share a beginning; the lengths go over pages' ends, and all paths together over a few buckets. */
enum {
    GROUPS = 6,
    MEMBERS = 4,
    CHOICES = 2,
    PATHS = GROUPS * MEMBERS,
    LONGEST = 128,
    CHOICE = 3,
    LAYERS = 4,
    WAYS = 3
};

typedef struct paths {
    int32_t ids[PATHS][CHOICES][LONGEST]; /* prompt, then the choice's tokens */
    pl_choice choices[PATHS][CHOICES];
    pl_request requests[PATHS];
    uint64_t drawn;
} paths;

static uint32_t draw(paths *p, size_t limit)
{
    return pl_random_below(1, PL_RANDOM_CERTIFICATE, 0, p->drawn++, (uint32_t)limit);
}

/* outputs: what the head has logits of, V words or the labels of a classifier, of which a choice is one. */
static void draw_path(paths *p, size_t i, size_t shared, size_t most, size_t V, size_t outputs)
{
    size_t first = i / MEMBERS * MEMBERS, n = shared + 1 + draw(p, most - shared);
    for (size_t c = 0; c < CHOICES; c++) {
        int32_t *ids = p->ids[i][c];
        for (size_t t = 0; t < n + CHOICE; t++) {
            if (c > 0 && t < n)
                ids[t] = p->ids[i][0][t];
            else
                ids[t] = i > first && t < shared ? p->ids[first][0][t] : (int32_t)draw(p, t < n ? V : outputs);
        }
        const size_t scored = outputs == V ? 1 + draw(p, CHOICE) : 1;
        p->choices[i][c] = (pl_choice){.ids = ids, .n = n + scored, .first = n};
    }
    p->requests[i] = (pl_request){
        .ids = p->ids[i][0], .n = n, .own_first = shared, .n_choices = CHOICES, .choices = p->choices[i], .gold = 0};
}

static void draw_paths(paths *p, const pl_config *config)
{
    size_t longest = config->max_positions && config->max_positions < LONGEST ? config->max_positions : LONGEST;
    size_t most = longest > CHOICE + 1 ? longest - CHOICE : 1;
    for (size_t group = 0; group < GROUPS; group++) {
        size_t shared = group ? draw(p, most) : 0;
        if (group == 1 && most > PL_PAGE) shared = PL_PAGE; /* ends with a page */
        for (size_t i = 0; i < MEMBERS; i++)
            draw_path(p, group * MEMBERS + i, shared, most, config->V, pl_config_outputs(config));
    }
}

static pl_status differ(const pl_processor *processor, const char *what, const char *way)
{
    return pl_fail(PL_E_DEVICE,
                   "certificate: on device '%s' %s have other bits when the same paths run %s; results would depend on "
                   "batching. Set PLUMB_CUDA_PRODUCT=own (plumb's own products) and run again; if that does not help, "
                   "it is a bug of plumb",
                   processor->ops->name, what, way);
}

static pl_status compare(const pl_processor *processor, const pl_results *a, const pl_results *b, const char *way)
{
    size_t n = a->n_requests, n_tokens = (size_t)a->token_indptr[a->choice_indptr[n]];
    if (memcmp(a->log_probability, b->log_probability, n_tokens * sizeof(float)) != 0)
        return differ(processor, "log-probabilities", way);
    for (size_t l = 0; l < a->n_layers; l++) {
        if (memcmp(a->last[l], b->last[l], n * a->widths[l] * sizeof(float)) != 0)
            return differ(processor, "states of last tokens", way);
        if (memcmp(a->mean[l], b->mean[l], n * a->widths[l] * sizeof(float)) != 0)
            return differ(processor, "means of states", way);
    }
    return PL_OK;
}

static pl_status score(pl_results **out, pl_model *model, const pl_engine_options *options, const pl_capture *capture,
                       const paths *p)
{
    pl_engine *engine;
    PL_TRY(pl_engine_create(&engine, model, options));
    pl_status status = pl_engine_score(engine, p->requests, PATHS, capture, NULL, out);
    pl_engine_free(engine);
    return status;
}

pl_status pl_certify(pl_certificate *out, pl_model *model)
{
    static const struct {
        const char *name;
        pl_engine_options options;
    } ways[WAYS] = {{"in one batch", {.batch_tokens = 8192}},
                    {"in small batches in another order", {.batch_tokens = 83, .shuffle_seed = 1}},
                    {"without sharing", {.batch_tokens = 700, .no_sharing = true, .shuffle_seed = 2}}};
    const pl_config *c = pl_model_config(model);
    size_t layers[LAYERS] = {0, c->L / 2, c->L, c->L + 1}, n_layers = 0;
    for (size_t l = 0; l < LAYERS; l++)
        if (!l || layers[l] > layers[n_layers - 1]) layers[n_layers++] = layers[l];
    const pl_capture capture = {
        .n_layers = n_layers, .layers = layers, .positions = PL_POSITION_LAST | PL_POSITION_MEAN};
    pl_results *results[WAYS] = {NULL};
    paths *p = NULL;
    double start = pl_clock_s();
    pl_status status;
    PL_GOTO(status, done, pl_new(&p, 1));
    draw_paths(p, c);
    for (size_t w = 0; w < WAYS; w++) {
        PL_GOTO(status, done, score(&results[w], model, &ways[w].options, &capture, p));
        if (w) PL_GOTO(status, done, compare(pl_model_processor(model), results[0], results[w], ways[w].name));
    }
    *out = (pl_certificate){PATHS, results[WAYS - 1]->tokens_in_requests, pl_clock_s() - start};
done:
    for (size_t w = 0; w < WAYS; w++) pl_results_free(results[w]);
    free(p);
    return status;
}
