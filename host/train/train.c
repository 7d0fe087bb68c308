#include "train/train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/temporary.h"
#include "base/visible.h"
#include "train/run.h"

/* ---- Making a run ---------------------------------------------------------------------------------------------- */

static pl_status check_example(const pl_train *t, size_t i)
{
    const pl_config *c = &t->config;
    const pl_train_example *e = &t->examples[i];
    if (e->first < 1 || e->first >= e->n)
        return pl_fail(PL_E_INPUT,
                       "training example %zu: %zu tokens of which those from %zu on carry loss: expected one "
                       "at least, with one before it",
                       i, e->n, e->first);
    for (size_t k = e->first; k < e->n; k++)
        if (!(pl__loss_weight(e, k) >= 0 && pl__loss_weight(e, k) <= 1e6))
            return pl_fail(PL_E_INPUT, "training example %zu: token %zu: loss weight %g, expected 0 to 1000000", i, k,
                           pl__loss_weight(e, k));
    if (!pl__loss_tokens(e)) return pl_fail(PL_E_INPUT, "training example %zu: no token carries loss", i);
    if (e->n - 1 > c->max_positions)
        return pl_fail(PL_E_INPUT, "training example %zu: %zu tokens, but the model has %zu positions: shorten it", i,
                       e->n - 1, c->max_positions);
    for (size_t k = 0; k < e->n; k++) {
        /* The last is a target alone: of a classifier a label. */
        const size_t limit = k + 1 == e->n ? pl_config_outputs(c) : c->V;
        if (e->ids[k] < 0 || (size_t)e->ids[k] >= limit)
            return pl_fail(PL_E_INPUT, "training example %zu: id %d at %zu: expected 0 to %zu", i, (int)e->ids[k], k,
                           limit - 1);
    }
    if (c->n_labels && e->first != e->n - 1)
        return pl_fail(PL_E_INPUT, "training example %zu: a classifier has its loss at the label alone, the last id",
                       i);
    return PL_OK;
}

static pl_status allocate(pl_train *t)
{
    const pl_model *model = pl_trainable_model(t->trainable);
    const pl_backend *ops = t->processor.ops;
    const pl__capacity capacity = t->batch.capacity;
    const size_t workspace = ops->gradient_norm_workspace_bytes(pl_trainable_parameters(t->trainable));
    PL_TRY(pl_new(&t->order, t->n_examples));
    PL_TRY(pl_new(&t->weights, t->settings.train_batch_size));
    PL_TRY(pl_graphs_open(&t->graphs, &t->processor));
    PL_TRY(ops->stream_create(t->processor.device, &t->stream));
    PL_TRY(pl_tape_create(&t->tape, t->trainable, capacity.tokens, capacity.rows, t->settings.gradient_checkpointing));
    PL_TRY(pl__batch_create(&t->batch, &t->processor, &t->config, pl_model_compute(model), capacity));
    PL_TRY(pl_view_create(&t->processor, &t->factors, 1, PL_FACTORS, PL_F32));
    PL_TRY(pl_view_create(&t->processor, &t->key, 1, 3, PL_I32));
    if (workspace) PL_TRY(pl_view_create(&t->processor, &t->workspace, 1, workspace, PL_U8));
    PL_TRY(pl_trainable_clear(t->trainable, t->stream)); /* it may have been trained before */
    PL_TRY(ops->stream_wait(t->stream));
    if (t->settings.lanes == 1) return PL_OK;
    return pl_view_create(&t->processor, &t->lane, 1, pl_trainable_views(t->trainable).master.columns, PL_F32);
}

static pl_status begin(pl_train *t, const char *identity, const char *folder)
{
    PL_TRY(pl_train_check(&t->settings, "training"));
    if (t->n_examples == 0) return pl_fail(PL_E_INPUT, "training: there are no examples to train on");
    for (size_t i = 0; i < t->n_examples; i++) PL_TRY(check_example(t, i));
    t->steps_per_epoch = pl_train_steps_per_epoch(&t->settings, t->n_examples);
    t->total_steps = pl_train_total_steps(&t->settings, t->n_examples);
    PL_TRY(pl__capacity_run(&t->batch.capacity, &t->settings, t->examples, t->n_examples));
    PL_TRY(pl__train_needs(t));
    PL_TRY(allocate(t));
    PL_TRY(pl__train_digest(t, identity));
    if (!folder) return PL_OK;
    PL_TRY(pl_copy_text(&t->folder, folder));
    PL_TRY(pl_folder_make(folder));
    return pl_file_sweep(folder);
}

pl_status pl_train_create(pl_train **out, pl_trainable *trainable, const pl_train_settings *settings,
                          const pl_train_example *examples, size_t n_examples, const char *identity, const char *folder)
{
    *out = NULL;
    pl_train *t;
    PL_TRY(pl_new(&t, 1));
    t->trainable = trainable;
    t->processor = *pl_model_processor(pl_trainable_model(trainable));
    t->config = *pl_model_config(pl_trainable_model(trainable));
    t->settings = *settings;
    if (settings->dropout >= 0)
        t->config.embed_dropout = t->config.attention_dropout = t->config.residual_dropout = settings->dropout;
    t->examples = examples;
    t->n_examples = n_examples;
    t->order_epoch = SIZE_MAX;
    t->ranks.size = 1;
    pl_status status = begin(t, identity, folder);
    if (status == PL_OK)
        *out = t;
    else
        pl_train_free(t);
    return status;
}

void pl_train_free(pl_train *t)
{
    if (!t) return;
    pl__ranks_leave(t);
    pl_graphs_close(&t->graphs);
    pl_tape_free(t->tape);
    pl__batch_free(&t->batch);
    pl_view *views[] = {&t->factors, &t->key, &t->workspace, &t->lane};
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) pl_view_free(&t->processor, views[i]);
    if (t->stream) t->processor.ops->stream_free(t->stream);
    free(t->order);
    free(t->weights);
    free(t->steps);
    free(t->evaluations);
    free(t->folder);
    free(t);
}

size_t pl_train_peak_bytes(const pl_train *train)
{
    return train->peak_bytes;
}

/* ---- Running ---------------------------------------------------------------------------------------------------- */

pl_status pl__train_note_evaluation(pl_train *t, size_t step, double score)
{
    PL_TRY(pl_grow(&t->evaluations, &t->evaluations_capacity, t->n_evaluations + 1));
    t->evaluations[t->n_evaluations++] = (pl_train_evaluation){step, score};
    if (t->best && !(score > t->best_score)) return PL_OK;
    t->best = step;
    t->best_score = score;
    return PL_OK;
}

static bool is_evaluated(const pl_train *t)
{
    const size_t every = t->settings.eval_steps ? t->settings.eval_steps : t->steps_per_epoch;
    return t->step == t->total_steps || t->step % every == 0;
}

static pl_status evaluate(pl_train *t, const pl_train_callbacks *callbacks)
{
    double score = NAN;
    if (!callbacks->evaluate || t->ranks.rank || !is_evaluated(t)) return PL_OK;
    PL_TRY(callbacks->evaluate(callbacks->user, pl_trainable_model(t->trainable), t->step, &score));
    if (isnan(score) || score == INFINITY)
        return pl_fail(PL_E_NOT_FINITE, "the evaluation after step %zu of %zu gave %g", t->step, t->total_steps, score);
    PL_TRY(pl__train_note_evaluation(t, t->step, score));
    /* The last step's weights are at hand. */
    if (t->best != t->step || t->step == t->total_steps || !t->folder) return PL_OK;
    return pl__train_save_best(t);
}

static pl_status one_step(pl_train *t, const pl_train_callbacks *callbacks)
{
    const double begun = pl_clock_s();
    PL_TRY(pl_grow(&t->steps, &t->steps_capacity, t->n_steps + 1));
    pl_train_step *record = &t->steps[t->n_steps];
    PL_TRY(pl__train_step(t, record));
    record->seconds = pl_clock_s() - begun;
    t->n_steps = ++t->step;
    if (callbacks->step) PL_TRY(callbacks->step(callbacks->user, record));
    PL_TRY(evaluate(t, callbacks));
    t->steps[t->n_steps - 1].seconds = pl_clock_s() - begun;
    if (t->step == t->total_steps || pl_clock_s() - t->saved_s < t->settings.save_seconds) return PL_OK;
    PL_TRY(pl__train_save(t));
    t->saved_s = pl_clock_s();
    return PL_OK;
}

static void show(pl_progress *progress, const pl_train *t, size_t before)
{
    const pl_train_step *s = &t->steps[t->n_steps - 1];
    pl_progress_note(progress, "loss %.4g, gradient norm %.3g, rate %.3g", s->loss, s->gradient_norm, s->learning_rate);
    pl_progress_set(progress, t->step - before);
}

pl_status pl_train_run(pl_train *t, const pl_train_callbacks *callbacks, bool *finished)
{
    pl_progress progress;
    pl_status status = PL_OK;
    bool stop = false;
    *finished = false;
    if (t->step == 0) PL_TRY(pl__train_restore(t));
    t->saved_s = pl_clock_s();
    if (callbacks->label)
        pl_print(stderr, "%s: %zu examples, %zu steps; memory at its peak: %.2f GB\n", callbacks->label, t->n_examples,
                 t->total_steps, (double)t->peak_bytes * 1e-9);
    pl_progress_start(&progress, callbacks->label ? callbacks->label : "", "steps", t->total_steps, !callbacks->label);
    const size_t before = t->step; /* no part of the rate */
    pl_progress_skip(&progress, before);
    while (t->step < t->total_steps && status == PL_OK) {
        stop = callbacks->stop && callbacks->stop(callbacks->user);
        status = pl__ranks_agree(t, &stop);
        if (status != PL_OK || stop) break;
        status = one_step(t, callbacks);
        if (status == PL_OK) show(&progress, t, before);
    }
    pl_progress_end(&progress);
    /* Numbers that are not finite are so on all ranks, and none waits for another. */
    if (status != PL_OK && status != PL_E_NOT_FINITE) pl_train_abort(t);
    if (status == PL_OK && stop) return pl__train_save(t);
    *finished = status == PL_OK;
    return status;
}

const pl_train_step *pl_train_steps(const pl_train *train, size_t *n)
{
    *n = train->n_steps;
    return train->steps;
}

const pl_train_evaluation *pl_train_evaluations(const pl_train *train, size_t *n)
{
    *n = train->n_evaluations;
    return train->evaluations;
}

size_t pl_train_best_step(const pl_train *train)
{
    return train->best && train->folder ? train->best : train->step;
}

pl_status pl_train_take_best(pl_train *t)
{
    return pl_train_best_step(t) == t->step ? PL_OK : pl__train_load_best(t);
}
