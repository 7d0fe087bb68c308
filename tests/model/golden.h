/* A checkpoint run against the reference values beside it (golden.safetensors of tests/golden/models/make_models.py).
 */
#ifndef PLUMB_TESTS_MODEL_GOLDEN_H
#define PLUMB_TESTS_MODEL_GOLDEN_H

#include <math.h>

#include "device/chosen.h"
#include "model/outputs.h"
#include "model/weights.h"

/* ‖out - reference‖ / ‖reference‖ of a tensor. float32 on both sides, sums of at most a few hundred terms a step: the
 * measured values stand below 1e-6; a wrong rope pair, head map or scale gives more than 1e-3. */
#define GOLDEN_TOLERANCE 1e-5

/* ---- Reference values ------------------------------------------------------------------------------------------- */

static inline pl_safetensors *golden_open(pl_bytes *text, const char *folder)
{
    char path[PL_PATH_MAX];
    pl_safetensors *golden;
    OK(pl_path(path, "%s/golden.safetensors", folder));
    OK(pl_file_read(text, path, 1 << 24));
    OK(pl_safetensors_parse(&golden, (const uint8_t *)text->data, text->size, path));
    return golden;
}

/* A copy of the reference tensor "<name>.<s>"; *n its first dimension. */
static inline float *golden_values(const pl_safetensors *golden, const char *name, size_t *n_elements)
{
    const pl_tensor *t = pl_safetensors_find(golden, name);
    if (!t) fail_msg("no reference tensor %s", name);
    *n_elements = t->bytes / sizeof(float);
    float *values = calloc(*n_elements, sizeof *values);
    memcpy(values, t->data, t->bytes);
    return values;
}

static inline int32_t *golden_ids(const pl_safetensors *golden, const char *name, size_t *n)
{
    float *values = golden_values(golden, name, n);
    int32_t *ids = calloc(*n + 64, sizeof *ids); /* room for a continuation */
    for (size_t i = 0; i < *n; i++) ids[i] = (int32_t)values[i];
    free(values);
    return ids;
}

static inline double distance(const float *out, const float *reference, size_t n)
{
    double above = 0, below = 0;
    for (size_t i = 0; i < n; i++) {
        double d = (double)out[i] - (double)reference[i];
        above += d * d;
        below += (double)reference[i] * (double)reference[i];
    }
    return isfinite(above) ? sqrt(above / below) : INFINITY;
}

/* The largest distance over the tensors that both have: states, logits, log-likelihoods of all sequences in one packed
 * batch. */
static inline double golden_distance(pl_model *model, const pl_safetensors *golden)
{
    enum { MOST = 4 };
    char name[64];
    size_t n[MOST], rows = 0, first = 0, n_sequences = 0;
    int32_t *ids[MOST];
    sequence sequences[MOST];
    for (; n_sequences < MOST; n_sequences++) {
        const size_t s = n_sequences;
        snprintf(name, sizeof name, "ids.%zu", s);
        if (!pl_safetensors_find(golden, name)) break;
        ids[s] = golden_ids(golden, name, &n[s]);
        sequences[s] = (sequence){ids[s], 0, n[s], s, 0};
    }
    pl_kv *kv = kv_for(model, n_sequences);
    outputs o;
    run_model(&o, model, kv, sequences, n_sequences, n_sequences);
    double worst = 0;
    for (size_t s = 0; s < n_sequences; s++) {
        size_t elements;
        snprintf(name, sizeof name, "hidden.%zu", s);
        float *hidden = golden_values(golden, name, &elements);
        assert_int_equal(elements, n[s] * ((o.n_states - 1) * o.C + o.E));
        for (size_t l = 0; l < o.n_states; l++)
            worst = fmax(worst, distance(state_of(&o, l, rows), hidden + l * n[s] * o.C, n[s] * state_width(&o, l)));
        snprintf(name, sizeof name, "logits.%zu", s);
        float *logits = golden_values(golden, name, &elements);
        assert_int_equal(elements, n[s] * o.V);
        worst = fmax(worst, distance(o.logits + rows * o.V, logits, elements));
        snprintf(name, sizeof name, "log_probability.%zu", s);
        float *log_probability = golden_values(golden, name, &elements);
        assert_int_equal(elements, n[s] - 1);
        worst = fmax(worst, distance(o.log_probability + first, log_probability, elements));
        rows += n[s];
        first += n[s] - 1;
        free(hidden);
        free(logits);
        free(log_probability);
        free(ids[s]);
    }
    outputs_free(&o);
    pl_model_processor(model)->ops->kv_free(kv);
    return worst;
}

/* ids[n..n + steps) = the greedy continuation, one token a step on the same pages, but anew where the path becomes far.
 */
static inline void greedy_steps(pl_model *model, int32_t *ids, size_t n, size_t steps)
{
    pl_kv *kv = kv_for(model, 1);
    size_t done = 0;
    for (size_t i = 0; i < steps; i++) {
        outputs o;
        if (n + i == pl_model_config(model)->border + 1) done = 0;
        const sequence next = {ids, done, n + i - done, 0, 0};
        run_model(&o, model, kv, &next, 1, 1);
        done = n + i;
        ids[done] = o.greedy[o.N - 1];
        outputs_free(&o);
    }
    pl_model_processor(model)->ops->kv_free(kv);
}

#endif
