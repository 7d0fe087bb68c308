/* The engine under a stopwatch, for tests/bench/{cpu,gpu}_inference.py: loads a model once, then runs a set of requests
 * each time a line comes in on standard input, and answers with one line of JSON.
 *
 *   bench-engine MODEL REQUESTS.json [--device NAME] [--compute TYPE] [--threads N] [--batch-tokens N] [--once]
 * REQUESTS.json: [{"ids": [...], "own_first": n, "labels": [[id, ...], ...]}, ...]
 * lines: "forward"         the body; final_norm at the last token
 *        "positions"       the body; all layers at last and mean
 *        "score"           log-likelihoods of the labels
 *        "score-unshared"  the same with prefix sharing off
 *        "states"          score, and all layers at last and mean
 *        "file TYPE PATH"  the body; all layers of all tokens, stored as TYPE in the HDF5 file PATH
 *        "limit N"         from now on the first N requests only (0: all of them)
 *        "batch N"         from now on packed batches of up to N tokens
 *        "quit"
 * answers: {"seconds", "tokens", "tokens_computed", "batches", "loglik": [[...], ...],
 *           "last": [first 8 values of each request's final state]}; "limit" and "batch" answer {}
 * With --once the first request is scored and the program ends: process start to first log-likelihood. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "engine/engine.h"
#include "experiment/states.h"

typedef struct bench {
    pl_processor processor;
    pl_checkpoint *checkpoint;
    pl_model *model;
    pl_engine *shared, *unshared;
    pl_arena *arena;
    size_t n, n_read, batch_tokens;
    pl_request *requests, *bare; /* with labels, without */
    size_t *all_layers;
} bench;

static pl_status ids_of(pl_arena *arena, const json_t *list, const int32_t *before, size_t n_before, int32_t **out,
                        size_t *n)
{
    *n = n_before + json_array_size(list);
    PL_TRY(pl_arena_new(arena, out, *n));
    for (size_t i = 0; i < n_before; i++) (*out)[i] = before[i];
    for (size_t i = n_before; i < *n; i++) (*out)[i] = (int32_t)json_integer_value(json_array_get(list, i - n_before));
    return PL_OK;
}

static pl_status read_requests(bench *b, const char *path)
{
    json_t *list;
    PL_TRY(pl_json_read(&list, path, 1u << 30));
    b->n = b->n_read = json_array_size(list);
    PL_TRY(pl_arena_new(b->arena, &b->requests, b->n));
    PL_TRY(pl_arena_new(b->arena, &b->bare, b->n));
    for (size_t i = 0; i < b->n; i++) {
        const json_t *row = json_array_get(list, i), *labels = json_object_get(row, "labels");
        pl_request *r = &b->requests[i];
        pl_choice *choices;
        int32_t *ids;
        r->own_first = (size_t)json_integer_value(json_object_get(row, "own_first"));
        r->n_choices = json_array_size(labels);
        r->gold = SIZE_MAX;
        PL_TRY(ids_of(b->arena, json_object_get(row, "ids"), NULL, 0, &ids, &r->n));
        r->ids = ids;
        PL_TRY(pl_arena_new(b->arena, &choices, r->n_choices));
        for (size_t c = 0; c < r->n_choices; c++) {
            PL_TRY(ids_of(b->arena, json_array_get(labels, c), r->ids, r->n, &ids, &choices[c].n));
            choices[c].ids = ids;
            choices[c].first = r->n;
        }
        r->choices = choices;
        b->bare[i] = *r;
        b->bare[i].n_choices = 0;
    }
    json_decref(list);
    return PL_OK;
}

/* JSON has no NaN, and one that vanished would look like a shorter answer. */
static pl_status append_number(json_t *list, double value)
{
    if (json_array_append_new(list, json_real(value)) != 0) return pl_fail(PL_E_INTERNAL, "a result is %g", value);
    return PL_OK;
}

static pl_status answer(const bench *b, const pl_results *r, double seconds)
{
    json_t *loglik = json_array(), *last = json_array();
    for (size_t i = 0; i < b->n && r->choice_indptr; i++) {
        json_t *row = json_array();
        for (size_t c = r->choice_indptr[i]; c < r->choice_indptr[i + 1]; c++) {
            double sum = 0;
            for (size_t t = r->token_indptr[c]; t < r->token_indptr[c + 1]; t++) sum += (double)r->log_probability[t];
            PL_TRY(append_number(row, sum));
        }
        json_array_append_new(loglik, row);
    }
    for (size_t i = 0; r->last && i < b->n; i++) {
        json_t *row = json_array();
        for (size_t c = 0; c < 8; c++)
            PL_TRY(append_number(row, (double)r->last[r->n_layers - 1][i * r->widths[r->n_layers - 1] + c]));
        json_array_append_new(last, row);
    }
    json_t *line = json_pack("{s:f,s:I,s:I,s:I,s:o,s:o}", "seconds", seconds, "tokens",
                             (json_int_t)r->tokens_in_requests, "tokens_computed", (json_int_t)r->tokens_computed,
                             "batches", (json_int_t)r->n_batches, "loglik", loglik, "last", last);
    if (!line || json_dumpf(line, stdout, JSON_COMPACT) != 0) return pl_fail(PL_E_IO, "cannot write the answer");
    json_decref(line);
    puts("");
    fflush(stdout);
    return PL_OK;
}

/* Engines are made when first asked for: pages for an unshared one would take memory from the one that is timed. */
static pl_status engine_of(bench *b, bool unshared, pl_engine **out)
{
    pl_engine **engine = unshared ? &b->unshared : &b->shared;
    pl_engine_options options = {.batch_tokens = b->batch_tokens, .no_sharing = unshared};
    if (!*engine) PL_TRY(pl_engine_create(engine, b->model, &options));
    *out = *engine;
    return PL_OK;
}

static void free_engines(bench *b)
{
    pl_engine_free(b->unshared);
    pl_engine_free(b->shared);
    b->shared = b->unshared = NULL;
}

/* The rest of a unit file whose states were written while the engine ran: what `plumb extract --positions all` leaves,
 * without the texts. */
static pl_status finish_file(const bench *b, const pl_results *results, pl_states_file *file)
{
    pl_unit_writer *writer = NULL;
    pl_frame *frame = NULL;
    pl_column *column;
    json_t *attributes = json_object();
    pl_status status;
    PL_GOTO(status, failed, pl_states_file_writer(file, &writer));
    PL_GOTO(status, failed, pl_frame_create(&frame, b->n));
    PL_GOTO(status, failed, pl_frame_add(frame, &column, "_index", PL_COLUMN_TEXT));
    for (size_t i = 0; i < b->n; i++) {
        char index[32];
        (void)snprintf(index, sizeof index, "%zu", i);
        PL_GOTO(status, failed, pl_frame_set_text(frame, column, i, index));
    }
    PL_GOTO(status, failed, pl_unit_put_obs(writer, frame));
    PL_GOTO(status, failed,
            pl_states_write(writer, results, b->requests, file->capture->layers, file->config->L, b->n, file->storage,
                            true));
    PL_GOTO(status, failed, pl_unit_put_config(writer, "{}", attributes));
    status = pl_unit_finish(writer);
    writer = NULL;
failed:
    pl_unit_discard(writer);
    pl_frame_free(frame);
    json_decref(attributes);
    return status;
}

enum { FORWARD, POSITIONS, SCORE, UNSHARED, STATES, FILE_OF_STATES, VERBS };
static const char *const verbs[VERBS] = {"forward", "positions", "score", "score-unshared", "states", "file"};

static pl_status run(bench *b, int verb, const char *type, const char *path)
{
    size_t L = pl_model_config(b->model)->L, final_norm = L + 1;
    bool bare = verb == FORWARD || verb == POSITIONS || verb == FILE_OF_STATES;
    pl_capture capture = {.n_layers = L + 2, .layers = b->all_layers};
    pl_engine *engine;
    pl_results *results = NULL;
    pl_states_file file = {0};
    pl_dtype storage = PL_F32;
    if (verb == FORWARD) capture = (pl_capture){.n_layers = 1, .layers = &final_norm, .positions = PL_POSITION_LAST};
    if (verb == POSITIONS || verb == STATES) capture.positions = PL_POSITION_LAST | PL_POSITION_MEAN;
    if (verb == FILE_OF_STATES) capture.positions = PL_POSITION_ALL;
    if (verb == SCORE || verb == UNSHARED) capture = (pl_capture){0};
    if (verb == FILE_OF_STATES) PL_TRY(pl_storage_parse(&storage, type));
    PL_TRY(engine_of(b, verb == UNSHARED, &engine));
    pl_status status;
    double start = pl_clock_s();
    if (verb == FILE_OF_STATES)
        PL_GOTO(status, done, pl_states_file_open(&file, path, &capture, pl_model_config(b->model), b->n, storage));
    PL_GOTO(status, done, pl_engine_score(engine, bare ? b->bare : b->requests, b->n, &capture, NULL, &results));
    if (verb == FILE_OF_STATES) PL_GOTO(status, done, finish_file(b, results, &file));
    status = answer(b, results, pl_clock_s() - start);
done:
    pl_states_file_close(&file);
    pl_results_free(results);
    return status;
}

/* One line of standard input: a verb, or a setting. */
static pl_status obey(bench *b, char *line)
{
    char *rest = NULL, *verb = strtok_r(line, " \n", &rest), *first = strtok_r(NULL, " \n", &rest);
    char *path = strtok_r(NULL, "\n", &rest);
    size_t number = first ? strtoull(first, NULL, 10) : 0;
    if (!verb) return pl_fail(PL_E_USAGE, "an empty line: expected a verb");
    for (int v = 0; v < VERBS; v++)
        if (strcmp(verb, verbs[v]) == 0 && (v != FILE_OF_STATES || path)) return run(b, v, first, path);
    if (strcmp(verb, "limit") == 0) {
        b->n = number && number < b->n_read ? number : b->n_read;
    } else if (strcmp(verb, "batch") == 0) {
        b->batch_tokens = number;
        free_engines(b);
    } else {
        return pl_fail(PL_E_USAGE, "'%s' is not known, or lacks a word", verb);
    }
    puts("{}");
    fflush(stdout);
    return PL_OK;
}

static pl_status bench_main(bench *b, int argc, char **argv)
{
    const char *device = "cpu";
    pl_dtype compute = PL_F32;
    int threads = 0;
    bool once = false;
    if (argc < 3)
        return pl_fail(PL_E_USAGE, "usage: bench-engine MODEL REQUESTS.json [--device NAME] [--compute TYPE] "
                                   "[--threads N] [--batch-tokens N] [--once]");
    for (int i = 3; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--once") == 0) once = true;
        if (strcmp(argv[i], "--threads") == 0) threads = atoi(value);
        if (strcmp(argv[i], "--device") == 0) device = value;
        if (strcmp(argv[i], "--compute") == 0) PL_TRY(pl_compute_parse(&compute, value, "--compute"));
        if (strcmp(argv[i], "--batch-tokens") == 0) b->batch_tokens = strtoull(value, NULL, 10);
    }
    PL_TRY(pl_arena_create(&b->arena));
    PL_TRY(read_requests(b, argv[2]));
    PL_TRY(pl_processor_open(&b->processor, device, threads));
    PL_TRY(pl_checkpoint_open(&b->checkpoint, argv[1]));
    PL_TRY(pl_model_load(&b->model, &b->processor, b->checkpoint, compute));
    if (once) {
        b->n = 1;
        return run(b, SCORE, NULL, NULL);
    }
    size_t n_layers = pl_model_config(b->model)->L + 2;
    PL_TRY(pl_arena_new(b->arena, &b->all_layers, n_layers));
    for (size_t l = 0; l < n_layers; l++) b->all_layers[l] = l;
    static char line[PL_PATH_MAX + 64];
    while (fgets(line, sizeof line, stdin)) {
        if (strcmp(line, "quit\n") == 0) break;
        PL_TRY(obey(b, line));
    }
    return PL_OK;
}

int main(int argc, char **argv)
{
    bench b = {0};
    pl_status status = bench_main(&b, argc, argv);
    if (status != PL_OK) fprintf(stderr, "bench-engine: %s\n", pl_error_text());
    free_engines(&b);
    pl_model_free(b.model);
    pl_checkpoint_close(b.checkpoint);
    pl_processor_close(&b.processor);
    pl_arena_free(b.arena);
    return pl_status_exit_code(status);
}
