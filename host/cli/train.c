/* plumb train: a model trained on texts, without an experiment: a checkpoint that goes on learning, or a new one. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/drain.h"
#include "base/file.h"
#include "base/json_build.h"
#include "base/visible.h"
#include "base/yaml_edit.h"
#include "cli/cli.h"
#include "cli/rank_device.h"
#include "cli/row_ids.h"
#include "experiment/spec.h"
#include "experiment/spec_keys.h"
#include "task/data.h"
#include "tokenizer/tokenizer.h"

/* Everything one training holds. Its state stands beside what it makes, in <out>.state. */
typedef struct training {
    const char *out; /* without slashes at its end */
    char path[PL_PATH_MAX], folder[PL_PATH_MAX], state[PL_PATH_MAX];
    pl_arena *arena;
    pl_yaml_node *keys;
    bool random, untrained; /* untrained: drawn, and written as they are; there are no texts */
    pl_dtype compute;       /* of products */
    pl_dtype storage;       /* of the weights that are written */
    size_t seed;
    pl_recipe recipe;
    pl_processor processor;
    pl_checkpoint *checkpoint;
    pl_tokenizer *tokenizer;
    pl_data *texts;
    size_t n;
    pl_train_example *examples;
    pl_trainable *trainable;
    pl_train *train;
    pl_drain drain;
    pl_launch launch; /* rank 0 alone says and writes what comes out */
} training;

/* ---- what is asked for ---- */

/* A control model has no corpus: its keys begin in the corpus' place. */
static size_t first_key(const pl_arguments *arguments)
{
    for (size_t i = 1; i < arguments->n_words; i++)
        if (!strcmp(arguments->words[i], "init=untrained")) return 1;
    return 2;
}

static pl_status read_keys(training *t, const pl_arguments *arguments)
{
    static const char *const starts[] = {"checkpoint", "random", "untrained"};
    pl_yaml *empty;
    const pl_yaml_node *init, *seed, *dtype, *compute;
    size_t which = 0;
    t->storage = PL_F32;
    PL_TRY(pl_yaml_parse(&empty, "{}", 2, "plumb train"));
    pl_status status = pl_yaml_copy(&t->keys, pl_yaml_root(empty), t->arena);
    pl_yaml_free(empty);
    PL_TRY(status);
    for (size_t i = first_key(arguments); i < arguments->n_words; i++)
        PL_TRY(pl_yaml_override(t->keys, arguments->words[i], t->arena));
    PL_TRY(pl_yaml_check_keys(t->keys, pl_corpus_keys));
    if ((init = pl_yaml_get(t->keys, "init"))) {
        while (which < 3 && strcmp(init->text ? init->text : "", starts[which])) which++;
        if (which == 3) return pl_yaml_fail(init, "init: expected checkpoint, random or untrained");
        t->random = which > 0;
        t->untrained = which == 2;
    }
    if ((dtype = pl_yaml_get(t->keys, "dtype"))) {
        const bool half = !strcmp(dtype->text ? dtype->text : "", "bfloat16");
        if (!half && strcmp(dtype->text ? dtype->text : "", "float32"))
            return pl_yaml_fail(dtype, "dtype: expected float32 or bfloat16");
        t->storage = half ? PL_BF16 : PL_F32;
    }
    t->compute = PL_F32;
    if ((compute = pl_yaml_get(t->keys, "compute"))) {
        if (pl_compute_parse(&t->compute, compute->text ? compute->text : "", "compute") != PL_OK)
            return pl_yaml_fail(compute, "%s", pl_error_text());
    }
    t->seed = 1234;
    if ((seed = pl_yaml_get(t->keys, "seed"))) PL_TRY(pl_yaml_to_size(&t->seed, seed));
    PL_TRY(pl_recipe_read(&t->recipe, t->keys, t->arena));
    if (t->recipe.bf16 && compute && t->compute != PL_BF16)
        return pl_yaml_fail(compute, "compute: '%s' and `bf16: true` ask for two types of products: give one of them",
                            compute->text);
    if (t->recipe.bf16) t->compute = PL_BF16;
    if (t->recipe.n_rates != 1)
        return pl_yaml_fail(pl_yaml_get(t->keys, "learning_rate"), "learning_rate: expected one, found %zu",
                            t->recipe.n_rates);
    pl_train_settings *s = &t->recipe.settings;
    s->learning_rate = t->recipe.learning_rate[0];
    s->order_seed = s->dropout_seed = t->seed;
    return PL_OK;
}

/* ---- texts ---- */

/* {"parts": [{"text": ..., "loss": true}, ...]}: encoded one by one; without "loss" a part is only read, a number is
 * the weight of its tokens' loss. */
static pl_status ids_of_parts(const training *t, const pl_row *row, const json_t *parts, pl_ids *ids, pl_bytes *weights)
{
    size_t i;
    json_t *part;
    json_array_foreach((json_t *)(uintptr_t)parts, i, part)
    {
        const json_t *text = json_object_get(part, "text"), *loss = json_object_get(part, "loss");
        const float weight = json_is_number(loss) ? (float)json_number_value(loss) : (float)json_is_true(loss);
        const size_t before = ids->n;
        if (!json_is_string(text) || (loss && !json_is_boolean(loss) && !json_is_number(loss)) ||
            !(weight >= 0 && weight <= 1e6f) || json_object_size(part) != 1u + (loss != NULL))
            return pl_fail(PL_E_INPUT,
                           "%s:%zu: parts[%zu]: expected {\"text\": ..., \"loss\": true, or its weight, 0 to 1000000}",
                           row->data->where, pl_row_line(row->data, row->index), i);
        PL_TRY(pl_tokenizer_encode(t->tokenizer, json_string_value(text), json_string_length(text), false, ids));
        for (size_t k = before; k < ids->n; k++) PL_TRY(pl_bytes_append(weights, (const char *)&weight, sizeof weight));
    }
    return PL_OK;
}

static pl_status ids_of_row(const training *t, const pl_row *row, bool special, pl_ids *ids, pl_bytes *weights)
{
    const json_t *text = json_object_get(row->item, "text"), *list = json_object_get(row->item, "ids"),
                 *parts = json_object_get(row->item, "parts");
    const char *where = row->data->where;
    const size_t line = pl_row_line(row->data, row->index), limit = t->checkpoint->config.max_positions;
    const bool one = !text + !list + !parts == 2;
    if (one && (json_is_string(text) || json_is_array(list)))
        PL_TRY(pl__row_ids(ids, row, t->tokenizer, special, t->checkpoint->config.V));
    else if (one && json_is_array(parts))
        PL_TRY(ids_of_parts(t, row, parts, ids, weights));
    else
        return pl_fail(PL_E_INPUT, "%s:%zu: expected {\"text\": ...}, {\"ids\": [...]} or {\"parts\": [...]}", where,
                       line);
    if (ids->n < 2) return pl_fail(PL_E_INPUT, "%s:%zu: %zu tokens, expected two or more", where, line, ids->n);
    if (ids->n - 1 > limit)
        return pl_fail(PL_E_INPUT, "%s:%zu: %zu tokens, the model has %zu positions: cut the text", where, line, ids->n,
                       limit);
    return PL_OK;
}

static pl_status read_texts(training *t, const pl_arguments *arguments)
{
    const bool special = !pl_argument_flag(arguments, PL_OPTION_NO_SPECIAL);
    pl_ids ids = {0};
    pl_bytes weights = {0};
    pl_status status = PL_OK;
    PL_TRY(pl_data_read(&t->texts, arguments->words[1], NULL, NULL));
    t->n = t->texts->n;
    PL_TRY(pl_arena_new(t->arena, &t->examples, t->n));
    for (size_t i = 0; i < t->n; i++) {
        int32_t *kept;
        float *kept_weights = NULL;
        pl_row row;
        ids.n = weights.size = 0;
        PL_GOTO(status, done, pl_row_open(&row, t->texts, i));
        status = ids_of_row(t, &row, special, &ids, &weights);
        pl_row_close(&row);
        PL_GOTO(status, done, status);
        PL_GOTO(status, done, pl_arena_new(t->arena, &kept, ids.n));
        memcpy(kept, ids.data, ids.n * sizeof *kept);
        if (weights.size) {
            PL_GOTO(status, done, pl_arena_new(t->arena, &kept_weights, ids.n));
            memcpy(kept_weights, weights.data, weights.size);
        }
        t->examples[i] = (pl_train_example){.ids = kept, .n = ids.n, .first = 1, .loss_weights = kept_weights};
    }
done:
    pl_bytes_free(&weights);
    pl_ids_free(&ids);
    return status;
}

/* ---- the run ---- */

static pl_status open_device(training *t, const pl_arguments *arguments)
{
    char name[PL__DEVICE_NAME];
    size_t threads = 0;
    const char *asked = arguments->values[PL_OPTION_DEVICE];
    PL_TRY(pl_argument_size(arguments, PL_OPTION_THREADS, &threads));
    if (!threads) threads = pl_launch_threads(&t->launch);
    PL_TRY(pl__rank_device(name, &t->launch, asked ? asked : "cpu"));
    return pl_processor_open(&t->processor, name, (int)threads);
}

static pl_status open_all(training *t, const pl_arguments *arguments)
{
    PL_TRY(pl_model_find(t->folder, arguments->words[0]));
    PL_TRY(t->random ? pl_checkpoint_open_config(&t->checkpoint, t->folder)
                     : pl_checkpoint_open(&t->checkpoint, t->folder));
    PL_TRY(pl_tokenizer_open(&t->tokenizer, t->folder));
    if (!t->untrained) PL_TRY(read_texts(t, arguments));
    return open_device(t, arguments);
}

/* A state is another run's when it began from other weights, or with another seed. */
static pl_status identity_of(char out[PL_HASH_TEXT], const training *t)
{
    char weights[PL_HASH_TEXT] = "random", config[PL_HASH_TEXT], text[256];
    if (!t->random) PL_TRY(pl_safetensors_digest(t->checkpoint->tensors, weights));
    PL_TRY(pl_config_digest(&t->checkpoint->config, config));
    int n = snprintf(text, sizeof text, "train %s %s %zu", weights, config, t->seed);
    pl_hash128(out, text, (size_t)n);
    return PL_OK;
}

static bool is_asked_to_stop(void *user)
{
    return pl_drain_requested(&((training *)user)->drain);
}

static void stop_all(void *user)
{
    pl_train_abort(((training *)user)->train);
}

static pl_status train_as_rank(training *t, const pl_train_callbacks *callbacks, bool *finished)
{
    const pl_train_place place = {t->launch.rank, t->launch.size, t->launch.group};
    PL_TRY(pl_train_join(t->train, &place));
    pl_status status = pl_launch_start(&t->launch, stop_all, t);
    if (status == PL_OK) status = pl_train_run(t->train, callbacks, finished);
    const bool failed = status == PL_E_RANK;
    status = pl_launch_end(&t->launch, status);
    if (!failed || status == PL_OK) return status;
    return pl_fail(status, "%s; the same command goes on from the state that was saved last in %s", pl_error_text(),
                   t->state);
}

static pl_status train(training *t, bool quiet, bool *finished)
{
    char identity[PL_HASH_TEXT];
    const pl_trainable_options options = {.compute = t->compute, .random = t->random, .init_seed = t->seed};
    const pl_train_callbacks callbacks = {.user = t, .stop = is_asked_to_stop, .label = quiet ? NULL : t->out};
    PL_TRY(identity_of(identity, t));
    PL_TRY(pl_trainable_create(&t->trainable, &t->processor, t->checkpoint, &options));
    PL_TRY(pl_train_create(&t->train, t->trainable, &t->recipe.settings, t->examples, t->n, identity, t->state));
    pl_drain_begin(&t->drain);
    PL_TRY(train_as_rank(t, &callbacks, finished));
    if (*finished || t->launch.rank) return PL_OK;
    return pl_fail(pl_drain_status(&t->drain), "%s: %s; the same command again goes on", t->state,
                   pl_drain_state(&t->drain));
}

/* <out>/training.csv: a line a step. */
static pl_status write_log(const training *t)
{
    char path[PL_PATH_MAX];
    pl_bytes text = {0};
    size_t n;
    const pl_train_step *steps = pl_train_steps(t->train, &n);
    pl_status status;
    PL_GOTO(status, done, pl_bytes_format(&text, "step,epoch,loss,gradient_norm,learning_rate,tokens\n"));
    for (size_t i = 0; i < n; i++)
        PL_GOTO(status, done,
                pl_bytes_format(&text, "%zu,%.6g,%.9g,%.9g,%.9g,%zu\n", steps[i].step, steps[i].epoch, steps[i].loss,
                                steps[i].gradient_norm, steps[i].learning_rate, steps[i].n_tokens));
    PL_GOTO(status, done, pl_path(path, "%s/" PL_EXPORT_LOG, t->out));
    status = pl_file_replace(path, text.data, text.size);
done:
    pl_bytes_free(&text);
    return status;
}

static pl_status print_summary(const training *t, bool json, double seconds)
{
    size_t n, tokens = 0;
    const pl_train_step *steps = pl_train_steps(t->train, &n);
    pl_json_builder b;
    json_t *object;
    for (size_t i = 0; i < n; i++) tokens += steps[i].n_tokens;
    if (!json) {
        pl_print(stderr, "%s: %zu texts, %zu steps, %zu tokens, loss %.4f (first step %.4f), %.0f s\n", t->out, t->n, n,
                 tokens, steps[n - 1].loss, steps[0].loss, seconds);
        return PL_OK;
    }
    pl_json_begin(&b);
    pl_json_put_text(&b, "folder", t->out);
    pl_json_put_size(&b, "texts", t->n);
    pl_json_put_size(&b, "steps", n);
    pl_json_put_size(&b, "tokens", tokens);
    pl_json_put_real(&b, "first_loss", steps[0].loss);
    pl_json_put_real(&b, "loss", steps[n - 1].loss);
    PL_TRY(pl_json_end(&b, &object, "train"));
    return pl_print_json(object, false);
}

/* The drawn weights as a checkpoint that says what it is. */
static pl_status write_untrained(training *t)
{
    const pl_trainable_options options = {.compute = t->compute, .random = true, .init_seed = t->seed};
    PL_TRY(pl_trainable_create(&t->trainable, &t->processor, t->checkpoint, &options));
    PL_TRY(pl_trainable_export(t->trainable, t->folder, t->out, t->storage));
    PL_TRY(pl_export_mark_random(t->out));
    pl_print(stderr, "%s: weights as they are drawn, for a control\n", t->out);
    return PL_OK;
}

static pl_status run(training *t, const pl_arguments *arguments)
{
    bool finished = false;
    const double start = pl_clock_s();
    PL_TRY(pl_path(t->path, "%s", t->out));
    for (size_t n = strlen(t->path); n > 1 && t->path[n - 1] == '/'; n--) t->path[n - 1] = 0;
    t->out = t->path;
    PL_TRY(pl_export_check(t->out));
    PL_TRY(pl_path(t->state, "%s.state", t->out));
    PL_TRY(pl_arena_create(&t->arena));
    PL_TRY(read_keys(t, arguments));
    PL_TRY(open_all(t, arguments));
    if (t->untrained) return t->launch.rank ? PL_OK : write_untrained(t);
    PL_TRY(train(t, t->launch.rank || pl_argument_flag(arguments, PL_OPTION_QUIET), &finished));
    if (t->launch.rank) return PL_OK;
    PL_TRY(pl_trainable_export(t->trainable, t->folder, t->out, t->storage));
    PL_TRY(write_log(t));
    PL_TRY(pl_folder_remove(t->state, NULL));
    return print_summary(t, pl_argument_flag(arguments, PL_OPTION_JSON), pl_clock_s() - start);
}

pl_status pl_verb_train(const pl_arguments *arguments)
{
    training t = {.out = arguments->values[PL_OPTION_OUT]};
    if (!t.out) return pl_fail(PL_E_USAGE, "--out is missing: plumb train MODEL CORPUS.jsonl --out FOLDER");
    if (arguments->n_words < first_key(arguments))
        return pl_fail(PL_E_USAGE, "the corpus is missing: plumb train MODEL CORPUS.jsonl --out FOLDER");
    PL_TRY(pl_launch_read(&t.launch, arguments->values[PL_OPTION_RANKS]));
    pl_launch_leave_signals(&t.launch);
    if (t.launch.rank == 0) PL_TRY(pl_drain_open(&t.drain, NULL));
    pl_status status = run(&t, arguments);
    if (status != PL_OK && t.launch.rank)
        (void)pl_fail(status, "rank %zu of %zu: %s", t.launch.rank, t.launch.size, pl_error_text());
    pl_train_free(t.train);
    pl_trainable_free(t.trainable);
    pl_processor_close(&t.processor);
    pl_data_free(t.texts);
    pl_tokenizer_free(t.tokenizer);
    pl_checkpoint_close(t.checkpoint);
    pl_arena_free(t.arena);
    pl_drain_close(&t.drain);
    return status;
}
