/* A run on disk: state.bin (masters, moments, position, curves) and best.bin (masters of the best evaluation).
 *
 * best.bin may be newer than state.bin: a run that resumes comes by the same evaluation again, with the same bits. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/json_build.h"
#include "base/temporary.h"
#include "train/run.h"

static const char STATE[] = "state.bin", BEST[] = "best.bin";

/* ---- Whose run ------------------------------------------------------------------------------------------------- */

/* Everything of the settings that decides bits. */
static void put_settings(pl_json_builder *b, const pl_train_settings *s, const pl_config *c)
{
    pl_json_put_real(b, "learning_rate", s->learning_rate);
    pl_json_put_real(b, "num_train_epochs", s->num_train_epochs);
    pl_json_put_size(b, "max_steps", s->max_steps);
    pl_json_put_size(b, "train_batch_size", s->train_batch_size);
    pl_json_put_size(b, "micro_batch_size", pl__micro_size(s));
    pl_json_put_size(b, "lanes", s->lanes);
    pl_json_put_text(b, "lr_scheduler_type", pl_schedule_names[s->lr_scheduler_type]);
    pl_json_put_real(b, "warmup_ratio", s->warmup_ratio);
    pl_json_put_size(b, "warmup_steps", s->warmup_steps);
    pl_json_put_real(b, "weight_decay", s->weight_decay);
    pl_json_put_real(b, "adam_beta1", s->adam_beta1);
    pl_json_put_real(b, "adam_beta2", s->adam_beta2);
    pl_json_put_real(b, "adam_epsilon", s->adam_epsilon);
    pl_json_put_real(b, "max_grad_norm", s->max_grad_norm);
    pl_json_put_real(b, "embed_dropout", c->embed_dropout);
    pl_json_put_real(b, "attention_dropout", c->attention_dropout);
    pl_json_put_real(b, "residual_dropout", c->residual_dropout);
    pl_json_put_text(b, "loss_mean", pl_loss_mean_names[s->loss_mean]);
    pl_json_put_integer(b, "order_seed", (long long)s->order_seed);
    pl_json_put_integer(b, "dropout_seed", (long long)s->dropout_seed);
    pl_json_put_size(b, "eval_steps", s->eval_steps);
}

/* The digest of all examples, in order. */
static void digest_examples(char out[PL_HASH_TEXT], const pl_train_example *examples, size_t n)
{
    uint64_t link[6] = {0};
    for (size_t i = 0; i < n; i++) {
        link[2] = examples[i].n;
        link[3] = examples[i].first;
        pl_hash128_words(link + 4, examples[i].ids, examples[i].n * sizeof *examples[i].ids);
        if (examples[i].loss_weights) {
            uint64_t weights[2];
            pl_hash128_words(weights, examples[i].loss_weights, examples[i].n * sizeof *examples[i].loss_weights);
            link[4] ^= weights[0];
            link[5] ^= weights[1];
        }
        pl_hash128_words(link, link, sizeof link);
    }
    pl_hash128(out, link, sizeof link);
}

pl_status pl__train_digest(pl_train *t, const char *identity)
{
    pl_json_builder b;
    char hash[PL_HASH_TEXT];
    const pl_model *model = pl_trainable_model(t->trainable);
    pl_device_facts facts;
    PL_TRY(t->processor.ops->facts(t->processor.device, &facts));
    pl_json_begin(&b);
    pl_json_put_text(&b, "identity", identity);
    put_settings(&b, &t->settings, &t->config);
    digest_examples(hash, t->examples, t->n_examples);
    pl_json_put_size(&b, "examples", t->n_examples);
    pl_json_put_text(&b, "examples_digest", hash);
    pl_status status = pl_config_digest(&t->config, hash);
    pl_json_put_text(&b, "config_digest", hash);
    pl_json_put_text(&b, "compute", pl_dtype_name(pl_model_compute(model)));
    pl_json_put_text(&b, "device_class", facts.device_class);
    pl_json_put_text(&b, "products", facts.products); /* of bfloat16 they differ between CPUs */
    pl_json_put_size(&b, "elements", pl_trainable_views(t->trainable).master.columns);
    json_t *json;
    pl_bytes text = {0};
    PL_TRY(pl_json_end(&b, &json, "a training run"));
    PL_KEEP(status, pl_json_canonical(&text, json));
    if (status == PL_OK) pl_hash128(t->run, text.data, text.size);
    pl_bytes_free(&text);
    json_decref(json);
    return status;
}

static pl_status path_of(const pl_train *t, char path[PL_PATH_MAX], const char *name)
{
    return pl_path(path, "%s/%s", t->folder, name);
}

/* PL_E_INPUT when a file is of another run, or of a future that this run has not. */
static pl_status check_run(const pl_train *t, const json_t *facts, const char *path)
{
    const char *run = NULL;
    size_t step = 0;
    PL_TRY(pl_json_get_text(&run, facts, "run", path));
    PL_TRY(pl_json_get_size(&step, facts, "step", path));
    if (run && strcmp(run, t->run) == 0 && step <= t->total_steps) return PL_OK;
    return pl_fail(
        PL_E_INPUT,
        "%s: the training state of another run (other settings, examples, model or experiment): remove it, or "
        "name another folder",
        path);
}

/* ---- Writing ------------------------------------------------------------------------------------------------------
 */

static void put_curves(pl_json_builder *b, const pl_train *t)
{
    pl_json_open_list(b, "steps");
    for (size_t i = 0; i < t->n_steps; i++) {
        const pl_train_step *s = &t->steps[i];
        pl_json_open_list(b, NULL);
        pl_json_put_real(b, NULL, s->loss);
        pl_json_put_real(b, NULL, s->gradient_norm);
        pl_json_put_size(b, NULL, s->n_tokens);
        pl_json_put_size(b, NULL, s->n_loss_tokens);
        pl_json_put_real(b, NULL, s->seconds);
        pl_json_close(b);
    }
    pl_json_close(b);
    pl_json_open_list(b, "evaluations");
    for (size_t i = 0; i < t->n_evaluations; i++) {
        pl_json_open_list(b, NULL);
        pl_json_put_size(b, NULL, t->evaluations[i].step);
        pl_json_put_real(b, NULL, t->evaluations[i].score);
        pl_json_close(b);
    }
    pl_json_close(b);
}

static pl_status write_run(pl_train *t, const char *name, const pl_view *arrays, size_t n_arrays, bool curves)
{
    char path[PL_PATH_MAX];
    pl_json_builder b;
    json_t *facts;
    PL_TRY(path_of(t, path, name));
    pl_json_begin(&b);
    pl_json_put_text(&b, "run", t->run);
    pl_json_put_size(&b, "step", t->step);
    if (curves) put_curves(&b, t);
    PL_TRY(pl_json_end(&b, &facts, "a training state"));
    pl_status status = pl__state_write(path, &t->processor, facts, arrays, n_arrays);
    json_decref(facts);
    return status;
}

pl_status pl__train_save(pl_train *t)
{
    if (!t->folder || t->ranks.rank) return PL_OK;
    const pl_trainable_state s = pl_trainable_views(t->trainable);
    const pl_view arrays[] = {s.master, s.first, s.second};
    return write_run(t, STATE, arrays, 3, true);
}

pl_status pl__train_save_best(pl_train *t)
{
    const pl_view master = pl_trainable_views(t->trainable).master;
    return write_run(t, BEST, &master, 1, false);
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

static double real_at(const json_t *list, size_t i)
{
    return json_number_value(json_array_get(list, i));
}

static size_t size_at(const json_t *list, size_t i)
{
    const json_int_t n = json_integer_value(json_array_get(list, i));
    return n > 0 ? (size_t)n : 0;
}

static pl_status read_curves(pl_train *t, const json_t *facts, const char *path)
{
    const json_t *steps = json_object_get(facts, "steps"), *evaluations = json_object_get(facts, "evaluations");
    size_t step = 0;
    PL_TRY(pl_json_get_size(&step, facts, "step", path));
    if (json_array_size(steps) != step) return pl_fail(PL_E_INPUT, "%s: this training state is damaged", path);
    PL_TRY(pl_grow(&t->steps, &t->steps_capacity, step + 1));
    for (size_t i = 0; i < step; i++) {
        const json_t *s = json_array_get(steps, i);
        t->steps[i] = (pl_train_step){.step = i + 1,
                                      .epoch = (double)(i + 1) / (double)t->steps_per_epoch,
                                      .loss = real_at(s, 0),
                                      .gradient_norm = real_at(s, 1),
                                      .learning_rate = pl_train_rate(&t->settings, i, t->total_steps),
                                      .n_tokens = size_at(s, 2),
                                      .n_loss_tokens = size_at(s, 3),
                                      .seconds = real_at(s, 4)};
    }
    t->n_steps = t->step = step;
    for (size_t i = 0; i < json_array_size(evaluations); i++) {
        const json_t *e = json_array_get(evaluations, i);
        const bool finite = json_is_number(json_array_get(e, 1));
        PL_TRY(pl__train_note_evaluation(t, size_at(e, 0), finite ? real_at(e, 1) : -INFINITY));
    }
    return PL_OK;
}

static pl_status read_run(pl_train *t, const char *name, bool *found, const pl_view *arrays, size_t n_arrays,
                          bool curves)
{
    char path[PL_PATH_MAX];
    json_t *facts;
    PL_TRY(path_of(t, path, name));
    PL_TRY(pl__state_facts(&facts, found, path));
    if (!*found) return PL_OK;
    size_t step = 0;
    pl_status status = check_run(t, facts, path);
    if (status == PL_OK) status = pl_json_get_size(&step, facts, "step", path);
    if (status == PL_OK && !curves && step != t->best)
        status = pl_fail(PL_E_INPUT, "%s: the weights of step %zu, the best are those of step %zu: train again", path,
                         step, t->best);
    if (status == PL_OK) status = pl__state_read(path, &t->processor, arrays, n_arrays);
    if (status == PL_OK && curves) status = read_curves(t, facts, path);
    json_decref(facts);
    if (status == PL_OK) status = pl_trainable_refresh(t->trainable, t->stream);
    return status;
}

pl_status pl__train_restore(pl_train *t)
{
    if (!t->folder) return PL_OK;
    const pl_trainable_state s = pl_trainable_views(t->trainable);
    const pl_view arrays[] = {s.master, s.first, s.second};
    bool found;
    return read_run(t, STATE, &found, arrays, 3, true);
}

pl_status pl__train_load_best(pl_train *t)
{
    const pl_view master = pl_trainable_views(t->trainable).master;
    bool found;
    PL_TRY(read_run(t, BEST, &found, &master, 1, false));
    if (found) return PL_OK;
    return pl_fail(PL_E_INPUT, "%s/%s: the best weights of this run are gone; train again", t->folder, BEST);
}
