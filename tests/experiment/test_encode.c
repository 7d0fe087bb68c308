/* Encoded prompts: the boundary against lm-evaluation-harness's own (tests/golden/experiment), positions, cutting. */
#include "tests.h"

#include "base/json.h"
#include "experiment/encode.h"

static pl_tokenizer *open_tokenizer(const char *name)
{
    char folder[PL_PATH_MAX];
    pl_tokenizer *tokenizer;
    snprintf(folder, sizeof folder, "%s/tests/golden/tokenizers/%s", PLUMB_SOURCE_DIR, name);
    OK(pl_tokenizer_open(&tokenizer, folder));
    return tokenizer;
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* Does a path hold these ids from `at` on, and nothing else? */
static bool has_ids(const int32_t *ids, size_t n, size_t at, const json_t *wanted)
{
    if (n - at != json_array_size(wanted)) return false;
    for (size_t i = at; i < n; i++)
        if (ids[i] != json_integer_value(json_array_get(wanted, i - at))) return false;
    return true;
}

static pl_prompt prompt_of(const char *context, const char **choices, size_t n_choices)
{
    return (pl_prompt){.context = context,
                       .context_size = strlen(context),
                       .n_choices = n_choices,
                       .choices = choices,
                       .choice_texts = choices};
}

static void check_case(const json_t *item, size_t index, size_t *n_merged)
{
    pl_tokenizer *tokenizer = open_tokenizer(text_of(item, "tokenizer"));
    pl_arena *arena;
    pl_encoder encoder;
    pl_encoded e;
    const char *choices[] = {text_of(item, "continuation")};
    OK(pl_arena_create(&arena));
    OK(pl_encoder_create(&encoder, tokenizer, arena));
    pl_prompt prompt = prompt_of(text_of(item, "context"), choices, 1);
    const json_t *context = json_object_get(item, "context_ids"), *rest = json_object_get(item, "continuation_ids");
    if (json_array_size(rest) == 0)
        REFUSED(pl_encode(&encoder, &prompt, &e), PL_E_INPUT, "no token of its own");
    else {
        OK(pl_encode(&encoder, &prompt, &e));
        const pl_choice *c = e.request.choices;
        if (!has_ids(e.request.ids, e.request.n, 0, context) || !has_ids(c->ids, c->n, c->first, rest) ||
            c->first != e.request.n || memcmp(c->ids, e.request.ids, e.request.n * sizeof *c->ids) != 0)
            fail_msg("case %zu (%s): '%s' + '%s'", index, text_of(item, "tokenizer"), prompt.context, choices[0]);
        *n_merged += e.merged;
    }
    pl_arena_free(arena);
    pl_tokenizer_free(tokenizer);
}

static void test_boundary(void **state)
{
    (void)state;
    json_t *cases;
    size_t n_merged = 0;
    OK(pl_json_read(&cases, PLUMB_SOURCE_DIR "/tests/golden/experiment/boundary.json", 1 << 20));
    for (size_t i = 0; i < json_array_size(cases); i++) check_case(json_array_get(cases, i), i, &n_merged);
    assert_in_range(n_merged, 5, json_array_size(cases) / 2);
    json_decref(cases);
}

/* Windows of a text: each token once, behind what stands before it as far as a window reaches. */
static void check_windows(const json_t *item, size_t index)
{
    pl_tokenizer *tokenizer = open_tokenizer(text_of(item, "tokenizer"));
    const json_t *windows = json_object_get(item, "windows");
    const char *text = text_of(item, "text");
    pl_arena *arena;
    pl_encoder encoder;
    pl_encoded e;
    OK(pl_arena_create(&arena));
    OK(pl_encoder_create(&encoder, tokenizer, arena));
    encoder.window = (size_t)json_integer_value(json_object_get(item, "length"));
    const pl_prompt prompt = {.context = "", .n_choices = 1, .target = text, .alone = true, .rolling = true};
    OK(pl_encode(&encoder, &prompt, &e));
    assert_int_equal(e.n_choices, 1);
    assert_int_equal(e.request.n_choices, json_array_size(windows));
    assert_true(pl_encoded_positions(&e, 0, NULL) <= encoder.window);
    for (size_t w = 0; w < e.request.n_choices; w++) {
        const pl_choice *c = &e.request.choices[w];
        const json_t *pair = json_array_get(windows, w);
        if (!has_ids(c->ids, c->first, 0, json_array_get(pair, 0)) ||
            !has_ids(c->ids, c->n, c->first, json_array_get(pair, 1)))
            fail_msg("case %zu (%s): window %zu of '%s'", index, text_of(item, "tokenizer"), w, text);
    }
    pl_arena_free(arena);
    pl_tokenizer_free(tokenizer);
}

static void test_windows(void **state)
{
    (void)state;
    json_t *cases;
    OK(pl_json_read(&cases, PLUMB_SOURCE_DIR "/tests/golden/experiment/windows.json", 1 << 20));
    assert_true(json_array_size(cases) > 200);
    for (size_t i = 0; i < json_array_size(cases); i++) check_windows(json_array_get(cases, i), i);
    json_decref(cases);
}

/* Choices that are contexts: the prompt is what they have in common, at least what an empty one stands for; choices
 * behind an empty context begin by themselves and are never cut. */
static void test_contexts(void **state)
{
    (void)state;
    pl_tokenizer *tokenizer = open_tokenizer("llama2");
    pl_arena *arena;
    pl_encoder encoder;
    pl_encoded e, one;
    const char *choices[] = {" so it is", " so it is"}, *own[] = {" on Ann", " sat there on Bob"};
    const struct pl_context contexts[] = {{"the cat sat on Ann", 18}, {"the cat sat on Bob", 18}};
    OK(pl_arena_create(&arena));
    OK(pl_encoder_create(&encoder, tokenizer, arena));
    pl_prompt prompt = prompt_of(contexts[0].text, choices, 2);
    prompt.contexts = contexts;
    prompt.unconditional = own;
    OK(pl_encode(&encoder, &prompt, &e));
    assert_int_equal(e.request.n_choices, 4);
    assert_int_equal(e.n_choices, 2);
    for (size_t c = 0; c < 2; c++) { /* as each would be by itself */
        pl_prompt alone = prompt_of(contexts[c].text, choices, 1);
        OK(pl_encode(&encoder, &alone, &one));
        const pl_choice *a = &e.request.choices[c], *b = one.request.choices;
        assert_int_equal(a->n, b->n);
        assert_int_equal(a->first, b->first);
        assert_memory_equal(a->ids, b->ids, a->n * sizeof *a->ids);
        assert_true(e.request.n < a->first && memcmp(a->ids, e.request.ids, e.request.n * sizeof *a->ids) == 0);
    }
    assert_true(e.request.choices[0].ids[e.request.n] != e.request.choices[1].ids[e.request.n]);
    pl_prompt empty = prompt_of("", own + 1, 1);
    OK(pl_encode(&encoder, &empty, &one));
    assert_int_equal(e.request.choices[3].n, one.request.choices->n);
    assert_int_equal(e.request.choices[3].first, 1);
    assert_memory_equal(e.request.choices[3].ids, one.request.choices->ids,
                        one.request.choices->n * sizeof *one.request.choices->ids);
    const pl_choice before[] = {e.request.choices[0], e.request.choices[2]};
    const size_t limit = pl_encoded_positions(&e, 0, NULL) - 2;
    OK(pl_encoded_cut(&encoder, &e, 0, NULL, limit));
    assert_int_equal(e.request.choices[0].n, before[0].n - 2);
    assert_int_equal(e.request.choices[2].n, before[1].n);
    pl_arena_free(arena);
    pl_tokenizer_free(tokenizer);
}

/* 11 context tokens and one answer token fit 11 positions, unless a state of the answer's own is kept. */
static void test_positions(void **state)
{
    (void)state;
    const int32_t ids[12] = {0};
    const pl_choice choices[] = {{ids, 12, 11}, {ids, 12, 11}};
    const pl_encoded e = {.request = {.ids = ids, .n = 11, .n_choices = 2, .choices = choices, .gold = 1}};
    const size_t layers[] = {0};
    pl_capture capture = {.n_layers = 1, .layers = layers, .positions = PL_POSITION_LAST | PL_POSITION_MEAN};
    assert_int_equal(pl_encoded_positions(&e, 0, NULL), 11);
    assert_int_equal(pl_encoded_positions(&e, 0, &capture), 11);
    capture.positions |= PL_POSITION_LABEL;
    assert_int_equal(pl_encoded_positions(&e, 0, &capture), 12);
    capture.positions = PL_POSITION_ALL;
    assert_int_equal(pl_encoded_positions(&e, 0, &capture), 12);
    const pl_encoded open = {.request = {.ids = ids, .n = 11, .gold = SIZE_MAX}};
    assert_int_equal(pl_encoded_positions(&open, 0, NULL), 11);
    assert_int_equal(pl_encoded_positions(&open, 1, NULL), 11);
    assert_int_equal(pl_encoded_positions(&open, 5, NULL), 15);
}

/* The suffix' own ids stand behind any prompt, also behind one that is cut; they need positions where they are kept. */
static void test_suffix(void **state)
{
    (void)state;
    pl_tokenizer *tokenizer = open_tokenizer("llama2");
    pl_arena *arena;
    pl_encoder encoder;
    pl_encoded e;
    pl_ids suffix = {0}, none = {0};
    const char *choices[] = {" yes", " no"};
    const size_t layers[] = {0};
    const pl_capture capture = {.n_layers = 1, .layers = layers, .positions = PL_POSITION_LAST | PL_POSITION_SUFFIX};
    pl_prompt prompt = prompt_of("one two three four five six seven", choices, 2);
    OK(pl_arena_create(&arena));
    OK(pl_encoder_create(&encoder, tokenizer, arena));
    OK(pl_encode(&encoder, &prompt, &e));
    assert_int_equal(e.request.n_suffixed, 0);
    size_t plain = pl_encoded_positions(&e, 0, NULL);
    OK(pl_encode_suffix(&suffix, tokenizer, "\nThis text is about"));
    assert_true(suffix.n > 2 && suffix.data[0] != pl_tokenizer_bos(tokenizer));
    OK(pl_encoded_suffix(&encoder, &e, &suffix));
    size_t n = e.request.n;
    assert_int_equal(e.request.n_suffixed, n + suffix.n);
    assert_memory_equal(e.request.suffixed, e.request.ids, n * sizeof *e.request.ids);
    assert_memory_equal(e.request.suffixed + n, suffix.data, suffix.n * sizeof *suffix.data);
    assert_int_equal(pl_encoded_positions(&e, 0, NULL), plain);
    assert_int_equal(pl_encoded_positions(&e, 0, &capture), n + suffix.n);
    OK(pl_encoded_cut(&encoder, &e, 0, &capture, n + suffix.n - 4));
    assert_int_equal(e.tokens_cut, 4);
    assert_int_equal(e.request.n_suffixed, n + suffix.n - 4);
    assert_memory_equal(e.request.suffixed, e.request.ids, e.request.n * sizeof *e.request.ids);
    assert_memory_equal(e.request.suffixed + e.request.n, suffix.data, suffix.n * sizeof *suffix.data);
    REFUSED(pl_encode_suffix(&none, tokenizer, ""), PL_E_INPUT, "capture.suffix '' has no token");
    pl_ids_free(&suffix);
    pl_ids_free(&none);
    pl_arena_free(arena);
    pl_tokenizer_free(tokenizer);
}

static void test_cut(void **state)
{
    (void)state;
    pl_tokenizer *tokenizer = open_tokenizer("llama2"); /* puts <s> before a text */
    pl_arena *arena;
    pl_encoder encoder;
    pl_encoded whole, cut;
    const char *choices[] = {" yes", " certainly not"};
    pl_prompt prompt = prompt_of("one two three four five six seven", choices, 2);
    OK(pl_arena_create(&arena));
    OK(pl_encoder_create(&encoder, tokenizer, arena));
    OK(pl_encode(&encoder, &prompt, &whole));
    cut = whole;
    size_t positions = pl_encoded_positions(&whole, 0, NULL), limit = positions - 5;
    OK(pl_encoded_cut(&encoder, &cut, 0, NULL, limit));
    assert_int_equal(pl_encoded_positions(&cut, 0, NULL), limit);
    assert_int_equal(cut.tokens_cut, 5);
    assert_int_equal(cut.request.ids[0], pl_tokenizer_bos(tokenizer));
    assert_memory_equal(cut.request.ids + 1, whole.request.ids + 6, (cut.request.n - 1) * sizeof *cut.request.ids);
    for (size_t c = 0; c < 2; c++) {
        const pl_choice *a = &cut.request.choices[c], *b = &whole.request.choices[c];
        assert_int_equal(a->n - a->first, b->n - b->first);
        assert_memory_equal(a->ids + a->first, b->ids + b->first, (a->n - a->first) * sizeof *a->ids);
        assert_int_equal(a->first, cut.request.n);
    }
    cut = whole;
    REFUSED(pl_encoded_cut(&encoder, &cut, 0, NULL, positions - whole.request.n), PL_E_INPUT, "does not fit");
    pl_arena_free(arena);
    pl_tokenizer_free(tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_boundary), cmocka_unit_test(test_windows),
                                       cmocka_unit_test(test_contexts), cmocka_unit_test(test_positions),
                                       cmocka_unit_test(test_suffix),   cmocka_unit_test(test_cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
