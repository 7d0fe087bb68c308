/* A model with a border (longrope) through the engine, against transformers: sequences of 15, 16, 17 and 40 tokens that
 * begin alike, with the border at 16, in one call; their states and logits, continuations that are scored, and a
 * generation that crosses the border, where transformers' generate computes keys and values anew. */
#include "engine/engine.h"
#include "engine/random_model.h"
#include "model/golden.h"

enum { SEQUENCES = 4, BORDER = 16, LAYERS = 4 };

typedef struct world {
    random_model m;
    pl_bytes text;
    pl_safetensors *golden;
    int32_t *ids; /* the longest sequence: the others are its beginnings */
    size_t n[SEQUENCES];
} world;

static void name_of(char out[32], const char *what, size_t s)
{
    snprintf(out, 32, "%s.%zu", what, s);
}

static world open_world(void)
{
    world w = {0};
    char folder[PL_PATH_MAX], name[32];
    OK(pl_path(folder, "%s/tests/golden/models/phi3-longrope", PLUMB_SOURCE_DIR));
    open_folder(&w.m, folder, 1);
    w.golden = golden_open(&w.text, folder);
    for (size_t s = SEQUENCES; s-- > 0;) {
        name_of(name, "ids", s);
        int32_t *ids = golden_ids(w.golden, name, &w.n[s]);
        if (!w.ids) w.ids = ids;
        assert_memory_equal(ids, w.ids, w.n[s] * sizeof *ids);
        if (ids != w.ids) free(ids);
    }
    assert_int_equal(pl_model_config(w.m.model)->border, BORDER);
    assert_true(w.n[1] == BORDER && w.n[2] == BORDER + 1);
    return w;
}

static void close_world(world *w)
{
    free(w->ids);
    pl_safetensors_close(w->golden);
    pl_bytes_free(&w->text);
    close_model(&w->m);
}

static const pl_engine_options ways[] = {
    {.batch_tokens = 256}, {.batch_tokens = 7, .shuffle_seed = 3}, {.batch_tokens = 256, .no_sharing = true}};
enum { WAYS = sizeof ways / sizeof *ways };

static void close_to(const float *got, const float *reference, size_t n)
{
    const double off = distance(got, reference, n);
    if (!(off <= GOLDEN_TOLERANCE)) fail_msg("a distance of %.2g", off);
}

static void states_and_logits(void **state)
{
    (void)state;
    world w = open_world();
    const size_t layers[LAYERS] = {0, 1, 2, 3};
    const pl_capture capture = {
        .n_layers = LAYERS, .layers = layers, .positions = PL_POSITION_LAST | PL_POSITION_ALL, .logits_all = true};
    pl_request requests[SEQUENCES];
    for (size_t s = 0; s < SEQUENCES; s++) requests[s] = (pl_request){.ids = w.ids, .n = w.n[s], .gold = SIZE_MAX};
    for (size_t way = 0; way < WAYS; way++) {
        pl_engine *engine;
        pl_results *r;
        OK(pl_engine_create(&engine, w.m.model, &ways[way]));
        OK(pl_engine_score(engine, requests, SEQUENCES, &capture, NULL, &r));
        assert_int_equal(r->n_all, w.n[1] + w.n[3]); /* one near path and one far one hold all */
        for (size_t s = 0; s < SEQUENCES; s++) {
            char name[32];
            size_t k;
            name_of(name, "hidden", s);
            float *hidden = golden_values(w.golden, name, &k);
            name_of(name, "logits", s);
            float *logits = golden_values(w.golden, name, &k);
            assert_int_equal(r->all_indptr[s + 1] - r->all_indptr[s], 1);
            const size_t row = r->all_ranges[2 * r->all_indptr[s]], n = w.n[s];
            assert_int_equal(r->all_ranges[2 * r->all_indptr[s] + 1], n);
            for (size_t l = 0; l < LAYERS; l++) {
                close_to(r->all[l] + row * r->widths[0], hidden + l * n * r->widths[0], n * r->widths[0]);
                close_to(r->last[l] + s * r->widths[0], hidden + (l * n + n - 1) * r->widths[0], r->widths[0]);
            }
            close_to(r->logits + row * r->V, logits, k);
            free(hidden);
            free(logits);
        }
        pl_results_free(r);
        pl_engine_free(engine);
    }
    close_world(&w);
}

/* Continuations of one token, of 16 to 18 tokens in all: those of 15 and 16 that run are near, that of 17 is far. */
static void continuations(void **state)
{
    (void)state;
    enum { CHOICES = SEQUENCES - 1 };
    world w = open_world();
    pl_choice choices[CHOICES];
    for (size_t s = 0; s < CHOICES; s++) choices[s] = (pl_choice){.ids = w.ids, .n = w.n[s] + 1, .first = 1};
    const pl_request request = {.ids = w.ids, .n = 1, .n_choices = CHOICES, .choices = choices, .gold = SIZE_MAX};
    for (size_t way = 0; way < WAYS; way++) {
        pl_engine *engine;
        pl_results *r;
        OK(pl_engine_create(&engine, w.m.model, &ways[way]));
        OK(pl_engine_score(engine, &request, 1, NULL, NULL, &r));
        for (size_t s = 0; s < CHOICES; s++) {
            char name[32];
            size_t k;
            name_of(name, "log_probability", s);
            float *reference = golden_values(w.golden, name, &k);
            close_to(r->log_probability + r->token_indptr[s], reference, k);
            free(reference);
        }
        pl_results_free(r);
        pl_engine_free(engine);
    }
    close_world(&w);
}

/* The last row of logits or of a layer's states of sequence s. */
static void last_row(float *out, const world *w, const char *what, size_t s, size_t layer, size_t columns)
{
    char name[32];
    size_t k;
    name_of(name, what, s);
    float *values = golden_values(w->golden, name, &k);
    memcpy(out, values + (layer * w->n[s] + w->n[s] - 1) * columns, columns * sizeof *out);
    free(values);
}

static float log_softmax(const float *logits, size_t n, int32_t token)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += exp((double)logits[i]);
    return logits[token] - (float)log(sum);
}

/* A near prompt of 16 tokens with a continuation: of one token, whose log-probability is the near path's and whose
 * own state the far path's; and of two, on a far path, whose prompt is near still. */
static void states_of_continuations(void **state)
{
    (void)state;
    enum { MOST = 64 };
    world w = open_world();
    const size_t layers[LAYERS] = {0, 1, 2, 3};
    const pl_capture capture = {
        .n_layers = LAYERS, .layers = layers, .positions = PL_POSITION_LAST | PL_POSITION_LABEL};
    const pl_choice choices[] = {{w.ids, BORDER + 1, BORDER}, {w.ids, BORDER + 2, BORDER}};
    const pl_request requests[] = {
        {.ids = w.ids, .n = BORDER, .n_choices = 1, .choices = choices, .gold = 0},
        {.ids = w.ids, .n = BORDER, .n_choices = 1, .choices = choices + 1, .gold = SIZE_MAX}};
    for (size_t way = 0; way < WAYS; way++) {
        pl_engine *engine;
        pl_results *r;
        float row[MOST];
        OK(pl_engine_create(&engine, w.m.model, &ways[way]));
        OK(pl_engine_score(engine, requests, 2, &capture, NULL, &r));
        assert_true(r->widths[0] <= MOST && r->V <= MOST);
        for (size_t l = 0; l < LAYERS; l++) {
            last_row(row, &w, "hidden", 1, l, r->widths[0]);
            for (size_t s = 0; s < 2; s++) close_to(r->last[l] + s * r->widths[0], row, r->widths[0]);
            last_row(row, &w, "hidden", 2, l, r->widths[0]);
            close_to(r->label[l], row, r->widths[0]);
        }
        last_row(row, &w, "logits", 1, 0, r->V);
        close_to(r->log_probability, &(float){log_softmax(row, r->V, w.ids[BORDER])}, 1);
        last_row(row, &w, "logits", 2, 0, r->V);
        close_to(r->log_probability + 2, &(float){log_softmax(row, r->V, w.ids[BORDER + 1])}, 1);
        pl_results_free(r);
        pl_engine_free(engine);
    }
    close_world(&w);
}

/* The shortest crosses the border beside others that do, or begin beyond it. */
static void generation(void **state)
{
    (void)state;
    world w = open_world();
    pl_request requests[SEQUENCES];
    size_t steps;
    int32_t *expected = golden_ids(w.golden, "greedy", &steps);
    for (size_t s = 0; s < SEQUENCES; s++) requests[s] = (pl_request){.ids = w.ids, .n = w.n[s], .gold = SIZE_MAX};
    for (size_t way = 0; way < WAYS; way++) {
        pl_engine *engine;
        pl_generation *out;
        OK(pl_engine_create(&engine, w.m.model, &ways[way]));
        OK(pl_engine_generate(engine, NULL, requests, SEQUENCES, steps, NULL, 0, NULL, 0, NULL, &out));
        assert_int_equal(out->ids.n, steps);
        assert_memory_equal(out->ids.data, expected, steps * sizeof *expected);
        for (size_t s = 1; s < SEQUENCES; s++) assert_int_equal(out[s].ids.n, steps);
        pl_generations_free(out, SEQUENCES);
        pl_engine_free(engine);
    }
    free(expected);
    close_world(&w);
}

/* The text of what ends at an eos behind the border is that of all its tokens. */
static void text_behind_the_border(void **state)
{
    (void)state;
    world w = open_world();
    char folder[PL_PATH_MAX];
    size_t steps, at = BORDER + 4 - w.n[0];
    int32_t *expected = golden_ids(w.golden, "greedy", &steps);
    pl_tokenizer *tokenizer;
    pl_bytes text = {0};
    pl_engine *engine;
    pl_generation *out;
    OK(pl_path(folder, "%s/experiments/tiny/large", PLUMB_SOURCE_DIR));
    OK(pl_tokenizer_open(&tokenizer, folder));
    for (size_t i = 0; i < at; i++) /* one that did not come before */
        if (expected[i] == expected[at]) i = (size_t)-1, at++;
    assert_true(at < steps);
    OK(pl_tokenizer_decode(tokenizer, expected, at, true, &text));
    const pl_request request = {.ids = w.ids, .n = w.n[0], .gold = SIZE_MAX};
    OK(pl_engine_create(&engine, w.m.model, &ways[0]));
    OK(pl_engine_generate(engine, tokenizer, &request, 1, steps, NULL, 0, expected + at, 1, NULL, &out));
    assert_int_equal(out->ids.n, at);
    assert_true(out->stopped);
    assert_int_equal(out->size, text.size);
    assert_memory_equal(out->text, text.data, text.size);
    pl_generations_free(out, 1);
    pl_engine_free(engine);
    pl_bytes_free(&text);
    pl_tokenizer_free(tokenizer);
    free(expected);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_and_logits),       cmocka_unit_test(continuations),
        cmocka_unit_test(states_of_continuations), cmocka_unit_test(generation),
        cmocka_unit_test(text_behind_the_border),
    };
    int missing = device_missing();
    if (missing) return missing;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
