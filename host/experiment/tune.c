#include "experiment/tune.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_build.h"
#include "experiment/dev_score.h"
#include "experiment/draw.h"
#include "model/trainable.h"

enum { MAX_TRIAL_BYTES = 1 << 28 };

pl_status pl_tuned_path(char out[PL_PATH_MAX], const char *folder)
{
    return pl_path(out, "%s/model", folder);
}

static pl_status trial_path(char out[PL_PATH_MAX], const pl_tuning *t, size_t trial, const char *ending)
{
    return pl_path(out, "%s/trial-%zu%s", t->folder, trial, ending);
}

pl_status pl_tuned_remove(const char *folder, bool model)
{
    return model ? pl_folder_remove(folder, NULL) : pl_folder_remove(folder, "model");
}

/* ---- what is trained on ---- */

typedef struct task_of {
    const pl_tuning *t;
    pl_arena *arena;
    size_t n;
    pl_train_example *examples; /* [n] */
    pl_dev_items dev;
} task_of;

static pl_status make_examples(task_of *w)
{
    const pl_examples *e = w->t->unit->adaptation->examples;
    bool has_head = pl_unit_has_head(w->t->unit);
    pl_example_prompt *prompts;
    w->n = e->n - e->n_dev;
    PL_TRY(pl_arena_new(w->arena, &prompts, w->n));
    PL_TRY(pl_arena_new(w->arena, &w->examples, w->n));
    PL_TRY(pl_example_prompts(prompts, w->t->plan, w->t->unit, 0, w->n, NULL,
                              has_head ? PL_EXAMPLE_CHOICES : PL_EXAMPLE_ANSWER, w->arena));
    for (size_t i = 0; i < w->n; i++) {
        const pl_choice *answer = &prompts[i].encoded.request.choices[prompts[i].prompt.gold];
        w->examples[i] = (pl_train_example){.ids = answer->ids, .n = answer->n, .first = answer->first};
    }
    return PL_OK;
}

/* ---- a trial that is over ---- */

typedef struct trial {
    double learning_rate, score; /* score: of the best step; NaN: the loss was not finite */
    size_t best_step;
    json_t *json;
} trial;

static void put_series(pl_json_builder *b, const char *key, const pl_train_step *steps, size_t n, size_t offset)
{
    pl_json_open_list(b, key);
    for (size_t i = 0; i < n; i++) pl_json_put_real(b, NULL, *(const double *)((const char *)&steps[i] + offset));
    pl_json_close(b);
}

/* NaN: there was no evaluation. */
static double best_score(const pl_train *train)
{
    size_t n = 0;
    const pl_train_evaluation *evaluations = pl_train_evaluations(train, &n);
    for (size_t i = 0; i < n; i++)
        if (evaluations[i].step == pl_train_best_step(train)) return evaluations[i].score;
    return NAN;
}

static pl_status save_trial(const pl_tuning *t, size_t index, const pl_train *train, const char *failure)
{
    size_t n = 0, n_evaluations = 0, tokens = 0;
    const pl_train_step *steps = pl_train_steps(train, &n);
    const pl_train_evaluation *evaluations = pl_train_evaluations(train, &n_evaluations);
    double seconds = 0;
    char path[PL_PATH_MAX];
    json_t *json;
    pl_json_builder b;
    for (size_t i = 0; i < n; i++) tokens += steps[i].n_tokens, seconds += steps[i].seconds;
    pl_json_begin(&b);
    pl_json_put_text(&b, "unit", t->unit->id);
    pl_json_put_text(&b, "failure", failure);
    pl_json_put_size(&b, "best_step", failure ? 0 : pl_train_best_step(train));
    pl_json_put_real(&b, "score", failure ? NAN : best_score(train)); /* not finite: null */
    pl_json_put_size(&b, "tokens", tokens);
    pl_json_put_real(&b, "seconds", seconds);
    put_series(&b, "loss", steps, n, offsetof(pl_train_step, loss));
    put_series(&b, "learning_rate", steps, n, offsetof(pl_train_step, learning_rate));
    put_series(&b, "gradient_norm", steps, n, offsetof(pl_train_step, gradient_norm));
    pl_json_open_list(&b, "evaluation_step");
    for (size_t i = 0; i < n_evaluations; i++) pl_json_put_size(&b, NULL, evaluations[i].step);
    pl_json_close(&b);
    pl_json_open_list(&b, "evaluation_score");
    for (size_t i = 0; i < n_evaluations; i++) pl_json_put_real(&b, NULL, evaluations[i].score);
    pl_json_close(&b);
    PL_TRY(trial_path(path, t, index, ".json"));
    PL_TRY(pl_json_end(&b, &json, path));
    pl_status status = pl_json_write(path, json);
    json_decref(json);
    return status;
}

/* *there: the trial is over. One of another unit, or cut in half, is made again. */
static pl_status read_trial(trial *out, bool *there, const pl_tuning *t, size_t index)
{
    char path[PL_PATH_MAX];
    *out = (trial){.learning_rate = t->unit->arm->recipe.learning_rate[index], .score = NAN};
    *there = false;
    PL_TRY(trial_path(path, t, index, ".json"));
    if (!pl_file_exists(path)) return PL_OK;
    pl_status status = pl_json_read(&out->json, path, MAX_TRIAL_BYTES);
    if (status == PL_E_INPUT) return PL_OK;
    PL_TRY(status);
    const char *id = json_string_value(json_object_get(out->json, "unit"));
    const json_t *score = json_object_get(out->json, "score"), *step = json_object_get(out->json, "best_step");
    if (!id || strcmp(id, t->unit->id) || !json_is_integer(step)) {
        json_decref(out->json);
        out->json = NULL;
        return PL_OK;
    }
    if (json_is_number(score)) out->score = json_number_value(score);
    out->best_step = (size_t)json_integer_value(step);
    *there = true;
    return PL_OK;
}

static void free_trials(trial *trials, size_t n)
{
    for (size_t i = 0; trials && i < n; i++) json_decref(trials[i].json);
    free(trials);
}

/* The first of the best, among those that came to a number; SIZE_MAX: none. */
static size_t best_of(const trial *trials, size_t n)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < n; i++)
        if (trials[i].json && !isnan(trials[i].score) && (best == SIZE_MAX || trials[i].score > trials[best].score))
            best = i;
    return best;
}

/* ---- a trial ---- */

static bool is_asked_to_stop(void *user)
{
    const task_of *w = user;
    return w->t->drain && pl_drain_requested(w->t->drain);
}

static pl_status evaluate(void *user, pl_model *model, size_t step, double *score)
{
    const task_of *w = user;
    (void)step;
    PL_TRY(pl_dev_score(score, &w->dev, model));
    if (isnan(*score)) *score = -INFINITY; /* never the best (train.h) */
    return PL_OK;
}

static uint64_t own_seed(const pl_tuning *t, const char *purpose)
{
    const char *task = t->plan->tasks[t->unit->task].task->name;
    return pl_draw_seed(pl_draw_seed(t->plan->spec->seed, task), purpose) + t->unit->adaptation->draw;
}

static pl_trainable_options options_of(const pl_tuning *t)
{
    const pl_adaptation *a = t->unit->adaptation;
    return (pl_trainable_options){.compute =
                                      a->arm->recipe.bf16 ? PL_BF16 : t->plan->models[t->unit->model].spec->compute,
                                  .head = a->head,
                                  .n_labels = a->head == PL_HEAD_CLASSIFIER ? a->examples->n_classes : 0,
                                  .head_seed = own_seed(t, "head")};
}

/* The weights of a trial that is the best so far become the tuned model. */
static pl_status keep_best(const task_of *w, pl_trainable *trainable, pl_train *train, const trial *trials,
                           size_t index)
{
    const pl_tuning *t = w->t;
    char path[PL_PATH_MAX];
    size_t best = best_of(trials, index);
    if (best != SIZE_MAX && !(best_score(train) > trials[best].score)) return PL_OK;
    PL_TRY(pl_train_take_best(train));
    PL_TRY(pl_tuned_path(path, t->folder));
    return pl_trainable_export(trainable, t->plan->models[t->unit->model].folder, path, PL_F32);
}

static pl_status run_trial(task_of *w, const trial *trials, size_t index, bool *finished)
{
    const pl_tuning *t = w->t;
    pl_trainable *trainable = NULL;
    pl_train *train = NULL;
    char state[PL_PATH_MAX], label[64], failure[1024] = "";
    pl_train_settings settings = t->unit->arm->recipe.settings;
    settings.learning_rate = trials[index].learning_rate;
    settings.order_seed = own_seed(t, "order");
    settings.dropout_seed = own_seed(t, "dropout");
    snprintf(label, sizeof label, "learning rate %g", settings.learning_rate);
    const pl_train_callbacks callbacks = {
        .user = w, .evaluate = evaluate, .stop = is_asked_to_stop, .label = t->quiet ? NULL : label};
    pl_status status;
    PL_TRY(trial_path(state, t, index, ".state"));
    PL_TRY(pl_folder_make(state));
    const pl_trainable_options options = options_of(t);
    PL_GOTO(status, done,
            pl_trainable_create(&trainable, t->processor, t->plan->models[t->unit->model].checkpoint, &options));
    PL_GOTO(status, done, pl_train_create(&train, trainable, &settings, w->examples, w->n, t->unit->id, state));
    status = pl_train_run(train, &callbacks, finished);
    if (status == PL_E_NOT_FINITE) { /* kept as a failed trial */
        snprintf(failure, sizeof failure, "%s", pl_error_text());
        *finished = true;
        status = PL_OK;
    }
    if (status != PL_OK || !*finished) goto done;
    if (!*failure && !isfinite(best_score(train)))
        snprintf(failure, sizeof failure, "the dev score was not finite after any of %zu steps",
                 pl_train_best_step(train));
    if (!*failure) PL_GOTO(status, done, keep_best(w, trainable, train, trials, index));
    PL_GOTO(status, done, save_trial(t, index, train, *failure ? failure : NULL));
    status = pl_folder_remove(state, NULL);
done:
    pl_train_free(train);
    pl_trainable_free(trainable);
    return status;
}

static pl_status none_finite(const pl_tuning *t, const trial *trials)
{
    char name[PL_UNIT_NAME];
    const char *why = json_string_value(json_object_get(trials[0].json, "failure"));
    pl_plan_unit_name(name, t->unit);
    return pl_fail(PL_E_NOT_FINITE, "%s: no learning rate came to finite numbers: %s; lower learning_rate", name,
                   why ? why : "the dev score is not finite");
}

/* Trials whose best has no weights any more are made again, all of them. */
static pl_status check_model(const pl_tuning *t)
{
    size_t n = t->unit->arm->recipe.n_rates;
    char path[PL_PATH_MAX];
    trial *trials;
    pl_status status = PL_OK;
    PL_TRY(pl_new(&trials, n));
    for (size_t i = 0; i < n; i++) {
        bool there;
        PL_GOTO(status, done, read_trial(&trials[i], &there, t, i));
    }
    PL_GOTO(status, done, pl_tuned_path(path, t->folder));
    if (best_of(trials, n) != SIZE_MAX && !pl_folder_exists(path)) status = pl_tuned_remove(t->folder, true);
done:
    free_trials(trials, n);
    return status;
}

static pl_status run_trials(task_of *w, bool *finished)
{
    size_t n = w->t->unit->arm->recipe.n_rates;
    trial *trials;
    pl_status status = PL_OK;
    PL_TRY(pl_new(&trials, n));
    *finished = true;
    for (size_t i = 0; i < n && *finished; i++) {
        bool there;
        PL_GOTO(status, done, read_trial(&trials[i], &there, w->t, i));
        if (there) continue;
        PL_GOTO(status, done, run_trial(w, trials, i, finished));
        if (*finished) PL_GOTO(status, done, read_trial(&trials[i], &there, w->t, i));
    }
    if (*finished && best_of(trials, n) == SIZE_MAX) status = none_finite(w->t, trials);
done:
    free_trials(trials, n);
    return status;
}

pl_status pl_tune(const pl_tuning *t, bool *finished)
{
    task_of w = {.t = t};
    pl_status status;
    *finished = false;
    PL_TRY(check_model(t));
    PL_TRY(pl_folder_make(t->folder));
    PL_TRY(pl_arena_create(&w.arena));
    PL_GOTO(status, done, make_examples(&w));
    PL_GOTO(status, done, pl_dev_items_make(&w.dev, t->plan, t->unit, w.arena));
    status = run_trials(&w, finished);
done:
    pl_arena_free(w.arena);
    return status;
}

pl_status pl_tune_bytes(size_t *bytes, const pl_processor *processor, const pl_plan *plan, const pl_plan_unit *unit)
{
    const pl_tuning t = {.plan = plan, .unit = unit};
    const pl_trainable_options options = options_of(&t);
    task_of w = {.t = &t};
    PL_TRY(pl_arena_create(&w.arena));
    pl_status status = make_examples(&w);
    if (status == PL_OK)
        *bytes = pl_train_plan_bytes(processor, &plan->models[unit->model].checkpoint->config, &options,
                                     &unit->arm->recipe.settings, w.examples, w.n);
    pl_arena_free(w.arena);
    return status;
}

/* ---- the unit's file ---- */

/* Numbers of a list of all trials, one behind the other. */
typedef struct series {
    const char *name;
    bool evaluations;
    double *values;
} series;

static size_t length_of(const trial *trial, const char *name)
{
    return json_array_size(json_object_get(trial->json, name));
}

static void append(double *out, size_t *at, const json_t *list)
{
    size_t i;
    const json_t *value;
    json_array_foreach(list, i, value) out[(*at)++] = json_is_number(value) ? json_number_value(value) : NAN;
}

static pl_status write_curves(pl_unit_writer *writer, const trial *trials, size_t n, pl_arena *arena)
{
    static const char *const names[] = {"loss", "learning_rate", "gradient_norm", "evaluation_step",
                                        "evaluation_score"};
    enum { NAMES = sizeof names / sizeof *names };
    pl_numbers arrays[NAMES + 4];
    double *steps, *evaluations, *scores, *best;
    for (size_t k = 0; k < NAMES; k++) {
        double *values;
        size_t total = 0, at = 0;
        for (size_t i = 0; i < n; i++) total += length_of(&trials[i], names[k]);
        PL_TRY(pl_arena_new(arena, &values, total));
        for (size_t i = 0; i < n; i++) append(values, &at, json_object_get(trials[i].json, names[k]));
        arrays[k] = (pl_numbers){names[k], values, total, 0};
    }
    PL_TRY(pl_arena_new(arena, &steps, n));
    PL_TRY(pl_arena_new(arena, &evaluations, n));
    PL_TRY(pl_arena_new(arena, &scores, n));
    PL_TRY(pl_arena_new(arena, &best, n));
    for (size_t i = 0; i < n; i++) {
        steps[i] = (double)length_of(&trials[i], "loss");
        evaluations[i] = (double)length_of(&trials[i], "evaluation_step");
        scores[i] = trials[i].score;
        best[i] = (double)trials[i].best_step;
    }
    arrays[NAMES] = (pl_numbers){"trial_steps", steps, n, 0};
    arrays[NAMES + 1] = (pl_numbers){"trial_evaluations", evaluations, n, 0};
    arrays[NAMES + 2] = (pl_numbers){"trial_score", scores, n, 0};
    arrays[NAMES + 3] = (pl_numbers){"trial_best_step", best, n, 0};
    return pl_unit_put_numbers(writer, "training", arrays, NAMES + 4);
}

/* The trials whose loss was not finite, and what the first of them said. */
static bool put_failures(json_t *entries, const trial *trials, size_t n)
{
    const char *first = NULL;
    size_t n_failed = 0;
    for (size_t i = 0; i < n; i++) {
        const char *failure = json_string_value(json_object_get(trials[i].json, "failure"));
        if (failure && n_failed++ == 0) first = failure;
    }
    if (json_object_set_new(entries, "learned_trials_failed", json_integer((json_int_t)n_failed)) != 0) return false;
    return !first || json_object_set_new(entries, "learned_failure", json_string(first)) == 0;
}

static pl_status put_result(json_t *entries, const pl_tuning *t, const trial *trials, size_t n, const pl_dev_items *dev,
                            const pl_tuning_cost *cost)
{
    size_t best = best_of(trials, n);
    char path[PL_PATH_MAX], digest[PL_HASH_TEXT];
    pl_checkpoint *checkpoint;
    if (best == SIZE_MAX) return none_finite(t, trials);
    PL_TRY(pl_tuned_path(path, t->folder));
    PL_TRY(pl_checkpoint_open(&checkpoint, path));
    pl_status status = pl_safetensors_digest(checkpoint->tensors, digest);
    pl_checkpoint_close(checkpoint);
    PL_TRY(status);
    double accuracy = dev->has_labels ? pl_dev_accuracy(dev, trials[best].score) : NAN;
    bool failed = accuracy <= dev->majority;
    json_t *result = json_pack("{s:f, s:i, s:f, s:i, s:s, s:I, s:I}", "learned_rate", trials[best].learning_rate,
                               "learned_step", (int)trials[best].best_step, "learned_score", trials[best].score,
                               "learned_failed", (int)failed, "learned_weights", digest, "learned_tokens",
                               (json_int_t)cost->tokens, "learned_dev_tokens", (json_int_t)cost->dev_tokens);
    bool ok = result && json_object_update(entries, result) == 0;
    if (ok && dev->has_labels) ok = json_object_set_new(entries, "learned_accuracy", json_real(accuracy)) == 0;
    json_decref(result);
    ok = ok && put_failures(entries, trials, n);
    return ok ? PL_OK : pl_fail(PL_E_MEMORY, "out of memory while writing unit %s", t->unit->id);
}

pl_status pl_tune_write(pl_unit_writer *writer, const pl_tuning *t, json_t *entries, pl_tuning_cost *cost)
{
    size_t n = t->unit->arm->recipe.n_rates;
    pl_arena *arena = NULL;
    pl_dev_items dev;
    trial *trials;
    pl_status status;
    *cost = (pl_tuning_cost){0};
    PL_TRY(pl_new(&trials, n));
    PL_GOTO(status, done, pl_arena_create(&arena));
    PL_GOTO(status, done, pl_dev_items_make(&dev, t->plan, t->unit, arena));
    for (size_t i = 0; i < n; i++) {
        bool there;
        PL_GOTO(status, done, read_trial(&trials[i], &there, t, i));
        cost->n_steps += length_of(&trials[i], "loss");
        cost->tokens += (size_t)json_integer_value(json_object_get(trials[i].json, "tokens"));
        cost->dev_tokens += dev.n_tokens * length_of(&trials[i], "evaluation_step");
        cost->seconds += json_number_value(json_object_get(trials[i].json, "seconds"));
    }
    PL_GOTO(status, done, put_result(entries, t, trials, n, &dev, cost));
    PL_GOTO(status, done, pl_examples_write(writer, t->plan, t->unit));
    status = write_curves(writer, trials, n, arena);
done:
    free_trials(trials, n);
    pl_arena_free(arena);
    return status;
}
