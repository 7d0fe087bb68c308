/* The engine under a stopwatch, for tests/bench/cpu_inference.py: loads a model once, then runs a set of requests each
 * time a line comes in on standard input, and answers with one line of JSON.
 *
 *   bench-engine MODEL REQUESTS.json [--threads N]
 * REQUESTS.json: [{"ids": [...], "own_first": n, "labels": [[id, ...], ...]}, ...]
 * lines: "forward" (body, final_norm at the last token), "score" (log-likelihoods of the labels), "score-unshared",
 * "states" (score, and all layers at last and mean), "quit"
 * answers: {"seconds", "tokens", "tokens_computed", "loglik": [[...], ...], "last": [first 8 values of row 0's final state]}
 * With --once the first request is scored and the program ends: process start to first log-likelihood. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "engine/engine.h"

typedef struct bench {
    pl_gear gear;
    pl_checkpoint *checkpoint;
    pl_model *model;
    pl_engine *shared, *unshared;
    pl_arena *arena;
    size_t n;
    pl_request *requests, *bare; /* with labels, without */
    size_t *all_layers;
} bench;

static pl_status ids_of(pl_arena *arena, const json_t *list, const int32_t *before, size_t n_before, int32_t **out, size_t *n)
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
    b->n = json_array_size(list);
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

static pl_status answer(const bench *b, const pl_results *r, double seconds)
{
    json_t *loglik = json_array(), *last = json_array();
    for (size_t i = 0; i < b->n && r->choice_indptr; i++) {
        json_t *row = json_array();
        for (size_t c = r->choice_indptr[i]; c < r->choice_indptr[i + 1]; c++) {
            double sum = 0;
            for (size_t t = r->token_indptr[c]; t < r->token_indptr[c + 1]; t++) sum += (double)r->log_probability[t];
            json_array_append_new(row, json_real(sum));
        }
        json_array_append_new(loglik, row);
    }
    for (size_t i = 0; r->last && i < b->n; i++) {
        json_t *row = json_array();
        for (size_t c = 0; c < 8; c++) json_array_append_new(row, json_real((double)r->last[r->n_layers - 1][i * r->C + c]));
        json_array_append_new(last, row);
    }
    json_t *line = json_pack("{s:f,s:I,s:I,s:I,s:o,s:o}", "seconds", seconds, "tokens", (json_int_t)r->tokens_in_requests,
                             "tokens_computed", (json_int_t)r->tokens_computed, "batches", (json_int_t)r->n_batches, "loglik",
                             loglik, "last", last);
    if (!line || json_dumpf(line, stdout, JSON_COMPACT) != 0) return pl_fail(PL_E_IO, "cannot write the answer");
    json_decref(line);
    puts("");
    fflush(stdout);
    return PL_OK;
}

static pl_status run(bench *b, const char *what)
{
    size_t L = pl_model_config(b->model)->L, final_norm = L + 1;
    bool unshared = strcmp(what, "score-unshared") == 0, states = strcmp(what, "states") == 0, forward = strcmp(what, "forward") == 0;
    pl_capture capture = {0};
    if (forward) capture = (pl_capture){.n_layers = 1, .layers = &final_norm, .positions = PL_POSITION_LAST};
    if (states) capture = (pl_capture){.n_layers = L + 2, .layers = b->all_layers, .positions = PL_POSITION_LAST | PL_POSITION_MEAN};
    pl_results *results = NULL;
    double start = pl_clock_s();
    PL_TRY(pl_engine_score(unshared ? b->unshared : b->shared, forward ? b->bare : b->requests, b->n, &capture, NULL, &results));
    pl_status status = answer(b, results, pl_clock_s() - start);
    pl_results_free(results);
    return status;
}

static pl_status bench_main(bench *b, int argc, char **argv)
{
    int threads = 0;
    bool once = false;
    if (argc < 3) return pl_fail(PL_E_USAGE, "usage: bench-engine MODEL REQUESTS.json [--threads N] [--once]");
    for (int i = 3; i < argc; i++) {
        if (strcmp(argv[i], "--once") == 0) once = true;
        if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc) threads = atoi(argv[++i]);
    }
    PL_TRY(pl_arena_create(&b->arena));
    PL_TRY(read_requests(b, argv[2]));
    PL_TRY(pl_gear_open(&b->gear, "cpu", threads));
    PL_TRY(pl_checkpoint_open(&b->checkpoint, argv[1]));
    PL_TRY(pl_model_load(&b->model, &b->gear, b->checkpoint, PL_F32));
    pl_engine_options options = {0};
    PL_TRY(pl_engine_create(&b->shared, b->model, &options));
    if (once) {
        b->n = 1;
        return run(b, "score");
    }
    options.no_sharing = true;
    PL_TRY(pl_engine_create(&b->unshared, b->model, &options));
    size_t n_layers = pl_model_config(b->model)->L + 2;
    PL_TRY(pl_arena_new(b->arena, &b->all_layers, n_layers));
    for (size_t l = 0; l < n_layers; l++) b->all_layers[l] = l;
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        if (strcmp(line, "quit") == 0) break;
        PL_TRY(run(b, line));
    }
    return PL_OK;
}

int main(int argc, char **argv)
{
    bench b = {0};
    pl_status status = bench_main(&b, argc, argv);
    if (status != PL_OK) fprintf(stderr, "bench-engine: %s\n", pl_error_text());
    pl_engine_free(b.unshared);
    pl_engine_free(b.shared);
    pl_model_free(b.model);
    pl_checkpoint_close(b.checkpoint);
    pl_gear_close(&b.gear);
    pl_arena_free(b.arena);
    return pl_status_exit_code(status);
}
