/* Greedy generation: each token is the arg max of scoring the whole path so far; groups, sharing and batch size change
 * nothing; continuations end where they should. A trained model's 200 tokens against its reference when it is there. */
#include "engine/continuation.h"
#include "engine/questions.h"

enum { MOST_STEPS = 40, MOST_PROMPTS = 10 };

static const model_shape small = {"llama", 32, 4, 2, 48, 2, 60, 150, 0};

static void open_shape(random_model *m, const model_shape *shape)
{
    char folder[PL_PATH_MAX];
    write_model(folder, shape);
    open_folder(m, folder, 1);
    remove_folder(folder);
}

static pl_generation *generate(random_model *m, const pl_request *requests, size_t n, size_t max_tokens, int32_t eos,
                               const pl_engine_options *options)
{
    pl_engine *engine;
    pl_generation *out;
    OK(pl_engine_create(&engine, m->model, options));
    OK(pl_engine_generate(engine, NULL, requests, n, max_tokens, NULL, 0, &eos, 1, NULL, &out));
    pl_engine_free(engine);
    return out;
}

/* The arg max of the last row of each request. */
static void arg_max(random_model *m, const pl_request *requests, size_t n, int32_t *best)
{
    pl_engine *engine;
    pl_results *results;
    const pl_capture capture = {.logits_last = true};
    OK(pl_engine_create(&engine, m->model, NULL));
    OK(pl_engine_score(engine, requests, n, &capture, NULL, &results));
    for (size_t i = 0; i < n; i++) {
        const float *logits = results->logits + i * results->V;
        best[i] = 0;
        for (size_t v = 1; v < results->V; v++)
            if (logits[v] > logits[best[i]]) best[i] = (int32_t)v;
    }
    pl_results_free(results);
    pl_engine_free(engine);
}

static void check_arg_max(bool border)
{
    const size_t steps = on_emulator() ? 5 : MOST_STEPS, n_prompts = on_emulator() ? 3 : MOST_PROMPTS;
    random_model m;
    model_shape shape = small;
    questions *q = malloc(sizeof *q);
    ask(q, n_prompts, 100, small.V, 9);
    if (border) shape.border = q->requests[0].n + 2; /* the first crosses it by its third token */
    open_shape(&m, &shape);
    pl_generation *out = generate(&m, q->requests, n_prompts, steps, -1, NULL);
    int32_t(*paths)[MOST_STEPS][PATH] = calloc(n_prompts, sizeof *paths), best[MOST_PROMPTS * MOST_STEPS];
    pl_request prefixes[MOST_PROMPTS * MOST_STEPS];
    for (size_t r = 0; r < n_prompts; r++) {
        assert_int_equal(out[r].ids.n, steps);
        assert_false(out[r].stopped);
        for (size_t t = 0; t < steps; t++) {
            memcpy(paths[r][t], q->prompts[r], q->requests[r].n * sizeof(int32_t));
            memcpy(paths[r][t] + q->requests[r].n, out[r].ids.data, t * sizeof(int32_t));
            prefixes[r * steps + t] = (pl_request){.ids = paths[r][t], .n = q->requests[r].n + t, .gold = SIZE_MAX};
        }
    }
    arg_max(&m, prefixes, n_prompts * steps, best);
    for (size_t r = 0; r < n_prompts; r++)
        for (size_t t = 0; t < steps; t++) assert_int_equal(out[r].ids.data[t], best[r * steps + t]);

    const pl_engine_options settings[] = {{.batch_tokens = 1},
                                          {.batch_tokens = 3, .shuffle_seed = 4},
                                          {.no_sharing = true},
                                          {.kv_tokens = 320},
                                          {.kv_tokens = 640, .batch_tokens = 50, .no_sharing = true}};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        pl_generation *other = generate(&m, q->requests, n_prompts, steps, -1, &settings[i]);
        for (size_t r = 0; r < n_prompts; r++) {
            assert_int_equal(other[r].ids.n, steps);
            assert_memory_equal(other[r].ids.data, out[r].ids.data, steps * sizeof(int32_t));
        }
        pl_generations_free(other, n_prompts);
    }
    /* The third token of a continuation as eos: it ends there, others go on. */
    int32_t eos = out[0].ids.data[2];
    size_t n = 0;
    while (out[0].ids.data[n] != eos) n++;
    pl_generation *ended = generate(&m, q->requests, n_prompts, steps, eos, NULL);
    assert_true(ended[0].stopped);
    assert_int_equal(ended[0].ids.n, n);
    pl_generations_free(ended, n_prompts);
    pl_generations_free(out, n_prompts);
    free(paths);
    free(q);
    close_model(&m);
}

static void tokens_are_the_arg_max_of_scoring(void **state)
{
    (void)state;
    check_arg_max(false);
}

static void tokens_beyond_a_border_too(void **state)
{
    (void)state;
    check_arg_max(true);
}

static void positions_end_a_continuation(void **state)
{
    (void)state;
    random_model m;
    open_shape(&m, &small);
    int32_t ids[152];
    for (size_t i = 0; i < 152; i++) ids[i] = (int32_t)(i % small.V);
    pl_request requests[] = {{.ids = ids, .n = 145}, {.ids = ids, .n = 150}, {.ids = ids, .n = 3}};
    pl_generation *out = generate(&m, requests, 3, 20, -1, NULL);
    assert_int_equal(out[0].ids.n, 6); /* tokens at positions 145..149, and one that is never run */
    assert_int_equal(out[1].ids.n, 1);
    assert_int_equal(out[2].ids.n, 20);
    assert_false(out[0].stopped);
    pl_generations_free(out, 3);

    pl_engine *engine;
    OK(pl_engine_create(&engine, m.model, NULL));
    requests[1].n = 151;
    assert_int_equal(pl_engine_generate(engine, NULL, requests, 3, 5, NULL, 0, NULL, 0, NULL, &out), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "request 1, prompt: 151 tokens are longer than the model's 150 positions"));
    ids[2] = 60;
    assert_int_equal(pl_engine_generate(engine, NULL, requests, 1, 5, NULL, 0, NULL, 0, NULL, &out), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "request 0, prompt, position 2: token id 60 is outside"));
    OK(pl_engine_generate(engine, NULL, requests, 0, 5, NULL, 0, NULL, 0, NULL, &out));
    pl_generations_free(out, 0);
    pl_engine_free(engine);
    close_model(&m);
}

/* Feeds the ids of `text` one by one; returns how many were taken before the end. */
static size_t feed(const pl_tokenizer *tokenizer, const char *text, const char *const *stops, size_t n_stops,
                   pl_generation *out)
{
    pl_ids ids = {0};
    OK(pl_tokenizer_encode(tokenizer, text, strlen(text), false, &ids));
    const pl__ending ending = {tokenizer, stops, n_stops, ids.n, 0, NULL, 0, 0};
    pl__continuation c;
    pl__pages pages = {0};
    size_t taken = 0;
    *out = (pl_generation){0};
    OK(pl__continuation_open(&c, &ending, 1, out));
    while (c.active) OK(pl__continuation_accept(&c, &ending, ids.data[taken++]));
    pl__continuation_close(&c, &pages);
    pl_ids_free(&ids);
    return taken;
}

/* Every id of a list ends a continuation, and is not part of it. */
static void every_stop_id_ends(void **state)
{
    (void)state;
    static const int32_t eos[] = {7, 11, 40}, chain[] = {3, 5, 40, 6};
    for (size_t n_eos = 0; n_eos <= 3; n_eos++) {
        const pl__ending ending = {NULL, NULL, 0, 4, 0, eos, n_eos, 0};
        pl__continuation c;
        pl__pages pages = {0};
        pl_generation out = {0};
        size_t taken = 0;
        OK(pl__continuation_open(&c, &ending, 1, &out));
        while (c.active) OK(pl__continuation_accept(&c, &ending, chain[taken++]));
        assert_int_equal(taken, n_eos == 3 ? 3 : 4);
        assert_int_equal(out.ids.n, n_eos == 3 ? 2 : 4);
        assert_int_equal(out.stopped, n_eos == 3);
        pl__continuation_close(&c, &pages);
        pl_ids_free(&out.ids);
        free(out.text);
    }
}

/* Logits that are no numbers end a continuation, which is no stop: what came before is kept. */
static void not_finite_ends(void **state)
{
    (void)state;
    static const int32_t chain[] = {3, 5, -1};
    const pl__ending ending = {NULL, NULL, 0, 4, 0, NULL, 0, 0};
    pl__continuation c;
    pl__pages pages = {0};
    pl_generation out = {0};
    OK(pl__continuation_open(&c, &ending, 1, &out));
    assert_true(out.finite);
    for (size_t i = 0; i < 3; i++) OK(pl__continuation_accept(&c, &ending, chain[i]));
    assert_false(c.active || out.finite || out.stopped);
    assert_int_equal(out.ids.n, 2);
    assert_non_null(out.text);
    pl__continuation_close(&c, &pages);
    pl_ids_free(&out.ids);
    free(out.text);
}

static void texts_end_before_the_earliest_stop(void **state)
{
    (void)state;
    char folder[PL_PATH_MAX];
    pl_tokenizer *tokenizer;
    OK(pl_path(folder, "%s/tests/golden/tokenizers/gpt2", PLUMB_SOURCE_DIR));
    OK(pl_tokenizer_open(&tokenizer, folder));
    const struct {
        const char *text, *stops[2], *expected;
        bool stopped;
    } cases[] = {
        {"The cat sat.\nQ: why", {"\n", "Q:"}, "The cat sat.", true},
        {"one two three", {"###", "\n\n"}, "one two three", false},
        {"abc###def", {"##", "###"}, "abc", true},                /* a stop that begins inside a token */
        {"caf\xc3\xa9 au lait", {"\xc3\xa9", "zz"}, "caf", true}, /* a character of two tokens */
        {"na\xc3\xafve \xe2\x82\xac 5", {"\xe2\x82\xac", "5"}, "na\xc3\xafve ", true},
        {"\nanswer", {"\n", "x"}, "", true},
        {"x \xf0\x9f\x99\x82 y", {"QQ", "RR"}, "x \xf0\x9f\x99\x82 y", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pl_generation out;
        size_t taken = feed(tokenizer, cases[i].text, cases[i].stops, 2, &out);
        assert_string_equal(out.text, cases[i].expected);
        assert_int_equal(out.size, strlen(cases[i].expected));
        assert_int_equal(out.stopped, cases[i].stopped);
        assert_int_equal(out.ids.n, taken);
        pl_ids_free(&out.ids);
        free(out.text);
    }
    pl_tokenizer_free(tokenizer);
}

static bool data_folder(char folder[PL_PATH_MAX], const char *name)
{
    const char *data = getenv("PLUMB_DATA");
    if (data)
        OK(pl_path(folder, "%s/%s", data, name));
    else
        OK(pl_path(folder, "%s/../shared/data/%s", PLUMB_SOURCE_DIR, name));
    return pl_folder_exists(folder);
}

static void a_trained_model_tells_its_story(void **state)
{
    (void)state;
    char folder[PL_PATH_MAX], path[PL_PATH_MAX];
    if (!data_folder(folder, "models/stories260K")) skip();
    random_model m;
    pl_tokenizer *tokenizer;
    pl_engine *engine;
    pl_generation *out;
    pl_bytes expected = {0};
    open_folder(&m, folder, 1);
    OK(pl_tokenizer_open(&tokenizer, folder));
    OK(pl_path(path, "%s/expected_greedy_200.txt", folder));
    OK(pl_file_read(&expected, path, 1 << 20));
    while (expected.size && expected.data[expected.size - 1] == '\n') expected.data[--expected.size] = 0;
    const int32_t end = pl_tokenizer_eos(tokenizer), bos = pl_tokenizer_bos(tokenizer);
    const pl_request request = {.ids = &bos, .n = 1, .gold = SIZE_MAX};
    const char *stop = "Lily was sad";
    OK(pl_engine_create(&engine, m.model, NULL));
    OK(pl_engine_generate(engine, tokenizer, &request, 1, 200, NULL, 0, &end, 1, NULL, &out));
    assert_int_equal(out->ids.n, 200);
    assert_string_equal(out->text, expected.data);
    pl_generations_free(out, 1);
    OK(pl_engine_generate(engine, tokenizer, &request, 1, 200, &stop, 1, NULL, 0, NULL, &out));
    assert_true(out->stopped && out->ids.n < 200);
    *strstr(expected.data, stop) = 0;
    assert_string_equal(out->text, expected.data);
    pl_generations_free(out, 1);
    pl_engine_free(engine);
    pl_bytes_free(&expected);
    pl_tokenizer_free(tokenizer);
    close_model(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_the_arg_max_of_scoring),
        cmocka_unit_test(tokens_beyond_a_border_too),
        cmocka_unit_test(positions_end_a_continuation),
        cmocka_unit_test(every_stop_id_ends),
        cmocka_unit_test(not_finite_ends),
        cmocka_unit_test(texts_end_before_the_earliest_stop),
        cmocka_unit_test(a_trained_model_tells_its_story),
    };
    int missing = device_missing();
    if (missing) return missing;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
