/* Scoring calls: what they cost in tokens, what they refuse and how they say it, and an engine used again. */
#include <math.h>

#include "engine/questions.h"

static const model_shape shape = {"gpt2", 24, 3, 3, 48, 1, 50, 1000, 0};

typedef struct fixture {
    random_model m;
    pl_engine *engine;
} fixture;

static int set_up(void **state)
{
    char folder[PL_PATH_MAX];
    fixture *f = calloc(1, sizeof *f);
    write_model(folder, &shape);
    open_folder(&f->m, folder, 1);
    remove_folder(folder);
    OK(pl_engine_create(&f->engine, f->m.model, NULL));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    pl_engine_free(f->engine);
    close_model(&f->m);
    free(f);
    return 0;
}

enum { MOST_ITEMS = 50, MOST_SHARED = 900, MOST_OWN = 40 };

static size_t n_items(void)
{
    return on_emulator() ? 4 : MOST_ITEMS;
}

static size_t n_shared(void)
{
    return on_emulator() ? 70 : MOST_SHARED;
}

static size_t n_own(void)
{
    return on_emulator() ? 6 : MOST_OWN;
}

/* Shared demonstrations, an own part, and labels of `n_tokens` tokens that differ in their first. */
typedef struct unit {
    int32_t paths[MOST_ITEMS][2][MOST_SHARED + MOST_OWN + 4];
    pl_choice choices[MOST_ITEMS][2];
    pl_request requests[MOST_ITEMS];
} unit;

static unit *make_unit(size_t n_tokens)
{
    unit *u = calloc(1, sizeof *u);
    for (size_t i = 0; i < n_items(); i++) {
        for (size_t c = 0; c < 2; c++) {
            for (size_t t = 0; t < n_shared() + n_own(); t++)
                u->paths[i][c][t] = (int32_t)(t < n_shared() ? t % 7 : t == n_shared() ? i : (t * (i + 3)) % 50);
            for (size_t t = 0; t < n_tokens; t++) u->paths[i][c][n_shared() + n_own() + t] = (int32_t)(c + t);
            u->choices[i][c] =
                (pl_choice){.ids = u->paths[i][c], .n = n_shared() + n_own() + n_tokens, .first = n_shared() + n_own()};
        }
        u->requests[i] = (pl_request){.ids = u->paths[i][0],
                                      .n = n_shared() + n_own(),
                                      .own_first = n_shared(),
                                      .n_choices = 2,
                                      .choices = u->choices[i],
                                      .gold = i % 2};
    }
    return u;
}

static size_t cost(fixture *f, const unit *u, unsigned positions, size_t *in_requests)
{
    const size_t layer = 1;
    const pl_capture capture = {.n_layers = 1, .layers = &layer, .positions = positions};
    pl_results *results;
    OK(pl_engine_score(f->engine, u->requests, n_items(), &capture, NULL, &results));
    size_t computed = results->tokens_computed;
    if (in_requests) *in_requests = results->tokens_in_requests;
    pl_results_free(results);
    return computed;
}

static void each_distinct_token_runs_once(void **state)
{
    fixture *f = *state;
    size_t in_requests;
    unit *one = make_unit(1), *three = make_unit(3);
    /* Labels of one token cost nothing: both are read from the prompt's last row. */
    assert_int_equal(cost(f, one, 0, &in_requests), n_shared() + n_items() * n_own());
    assert_int_equal(in_requests, 2 * n_items() * (n_shared() + n_own()));
    assert_int_equal(cost(f, one, PL_POSITION_LAST | PL_POSITION_MEAN, NULL), n_shared() + n_items() * n_own());
    /* The state of the gold label needs its last token. */
    assert_int_equal(cost(f, one, PL_POSITION_LABEL, NULL), n_shared() + n_items() * (n_own() + 1));
    assert_int_equal(cost(f, one, PL_POSITION_ALL, NULL), n_shared() + n_items() * (n_own() + 2));
    assert_int_equal(cost(f, three, 0, NULL), n_shared() + n_items() * (n_own() + 4));
    assert_int_equal(cost(f, three, PL_POSITION_LABEL, NULL), n_shared() + n_items() * (n_own() + 5));
    free(one);
    free(three);
}

/* State of the last token of prompt and suffix, as if they were a prompt; nothing else has other bits for it. */
static void a_suffix_is_a_path_of_its_own(void **state)
{
    fixture *f = *state;
    enum { N = 12, L = 3 };
    static const size_t layers[L] = {0, 1, 2};
    const pl_capture plain = {.n_layers = L, .layers = layers, .positions = PL_POSITION_LAST | PL_POSITION_ALL},
                     more = {.n_layers = L, .layers = layers, .positions = plain.positions | PL_POSITION_SUFFIX};
    questions *q = calloc(1, sizeof *q);
    pl_request prompts[N];
    pl_results *a, *b, *c;
    assert_non_null(q);
    ask(q, N, 40, shape.V, 5);
    for (size_t r = 0; r < N; r++) {
        const pl_request *request = &q->requests[r];
        bool has = request->n_suffixed > 0;
        prompts[r] = (pl_request){.ids = has ? request->suffixed : request->ids,
                                  .n = has ? request->n_suffixed : request->n,
                                  .gold = SIZE_MAX};
    }
    OK(pl_engine_score(f->engine, q->requests, N, &plain, NULL, &a));
    OK(pl_engine_score(f->engine, q->requests, N, &more, NULL, &b));
    OK(pl_engine_score(f->engine, prompts, N, &plain, NULL, &c));
    assert_null(a->suffix);
    assert_memory_equal(a->log_probability, b->log_probability,
                        a->token_indptr[a->choice_indptr[N]] * sizeof *a->log_probability);
    size_t n_suffixes = 0, C = a->widths[0], row = C * sizeof(float);
    for (size_t r = 0; r < N; r++) {
        bool has = q->requests[r].n_suffixed > 0;
        n_suffixes += has;
        for (size_t l = 0; l < L; l++) {
            assert_memory_equal(a->last[l] + r * C, b->last[l] + r * C, row);
            if (has) assert_memory_equal(b->suffix[l] + r * C, c->last[l] + r * C, row);
            for (size_t i = 0; !has && i < C; i++) assert_true(isnan(b->suffix[l][r * C + i]));
        }
        /* Its tokens are the last ones of the request's rows of `all`. */
        uint64_t end = b->all_indptr[r + 1], last = b->all_ranges[2 * end - 2] + b->all_ranges[2 * end - 1] - 1;
        if (has) assert_memory_equal(b->all[1] + last * C, b->suffix[1] + r * C, row);
    }
    assert_int_equal(n_suffixes, 8);
    assert_true(b->tokens_computed > a->tokens_computed && b->tokens_computed <= a->tokens_computed + 3 * n_suffixes);
    pl_request wrong = q->requests[0];
    wrong.n_suffixed = wrong.n;
    pl_results *none = NULL;
    REFUSED(pl_engine_score(f->engine, &wrong, 1, &more, NULL, &none), PL_E_INPUT, "its suffix has no token");
    pl_results_free(a);
    pl_results_free(b);
    pl_results_free(c);
    free(q);
}

static void labels_share_a_head_row(void **state)
{
    fixture *f = *state;
    unit *u = make_unit(1);
    pl_results *results, *alone;
    const pl_capture capture = {.logits_last = true};
    OK(pl_engine_score(f->engine, u->requests, 3, &capture, NULL, &results));
    assert_int_equal(results->choice_indptr[3], 6);
    assert_int_equal(results->token_indptr[6], 6);
    for (size_t i = 0; i < 6; i++) {
        const float *logits = results->logits + i / 2 * results->V;
        double sum = 0;
        for (size_t v = 0; v < results->V; v++) sum += exp((double)logits[v]);
        double expected = (double)logits[u->choices[i / 2][i % 2].ids[n_shared() + n_own()]] - log(sum);
        assert_true(fabs(expected - (double)results->log_probability[i]) < 1e-5); /* one float32 rounding of about 4 */
    }
    /* The same engine again, with one request of the three. */
    OK(pl_engine_score(f->engine, u->requests + 1, 1, NULL, NULL, &alone));
    assert_memory_equal(alone->log_probability, results->log_probability + 2, 2 * sizeof(float));
    pl_results_free(alone);
    pl_results_free(results);
    free(u);
}

static void ranges_name_the_rows_of_all(void **state)
{
    fixture *f = *state;
    const int32_t a[] = {1, 2, 3, 4, 5}, b[] = {1, 2, 3, 4, 6, 7}, c[] = {1, 2, 9};
    const size_t layer = 0;
    const pl_choice choices[] = {{a, 5, 4}, {b, 6, 4}};
    const pl_request requests[] = {{.ids = a, .n = 4, .n_choices = 2, .choices = choices, .gold = 0},
                                   {.ids = c, .n = 3, .gold = SIZE_MAX}};
    const pl_capture capture = {.n_layers = 1, .layers = &layer, .positions = PL_POSITION_ALL};
    pl_results *results;
    OK(pl_engine_score(f->engine, requests, 2, &capture, NULL, &results));
    /* Pre-order: {1 2} {3 4} {5} {6 7} {9}. Request 0: 1 2 3 4 | 5 | 6 7; request 1: 1 2 | 9. */
    const uint64_t ranges[] = {0, 7, 0, 2, 7, 1};
    assert_int_equal(results->n_all, 8);
    assert_int_equal(results->n_all_ranges, 3);
    assert_memory_equal(results->all_ranges, ranges, sizeof ranges);
    assert_int_equal(results->all_indptr[1], 1);
    assert_int_equal(results->all_indptr[2], 3);
    pl_results_free(results);
}

static void refuse(fixture *f, const pl_request *request, const pl_capture *capture, const char *text)
{
    pl_results *results = NULL;
    assert_int_equal(pl_engine_score(f->engine, request, 1, capture, NULL, &results), PL_E_INPUT);
    assert_null(results);
    if (!strstr(pl_error_text(), text)) fail_msg("'%s' lacks '%s'", pl_error_text(), text);
}

static void wrong_requests_are_named(void **state)
{
    fixture *f = *state;
    int32_t ids[1002] = {0};
    pl_choice choice = {ids, 5, 4};
    pl_request request = {.ids = ids, .n = 4, .n_choices = 1, .choices = &choice, .gold = 0};
    ids[4] = 50;
    refuse(f, &request, NULL, "request 0, choice, position 4: token id 50 is outside the vocabulary 0..49");
    ids[2] = -1;
    refuse(f, &request, NULL, "request 0, prompt, position 2: token id -1");
    ids[2] = ids[4] = 0;
    request.gold = 1;
    refuse(f, &request, NULL, "gold choice 1, but there are 1 choices");
    request.gold = SIZE_MAX;
    choice.first = 0;
    refuse(f, &request, NULL, "choice 0: tokens 0..5 of its path cannot be scored");
    choice.first = 5;
    refuse(f, &request, NULL, "choice 0: tokens 5..5");
    choice = (pl_choice){ids, 1002, 4};
    refuse(f, &request, NULL, "1001 tokens are longer than the model's 1000 positions");
    request = (pl_request){.ids = ids, .n = 1001, .gold = SIZE_MAX};
    refuse(f, &request, NULL, "request 0, prompt: 1001 tokens are longer than the model's 1000 positions");
    request.n = 0;
    refuse(f, &request, NULL, "the prompt has no token to run");
    request.n = 3;
    const size_t layers[] = {1, 1}, beyond = 3;
    pl_capture capture = {.n_layers = 2, .layers = layers, .positions = PL_POSITION_LAST};
    refuse(f, &request, &capture, "expected ascending layers 0..2");
    capture = (pl_capture){.n_layers = 1, .layers = &beyond, .positions = PL_POSITION_LAST};
    refuse(f, &request, &capture, "layer 3 at place 0");
    capture = (pl_capture){.logits_last = true, .logits_all = true};
    refuse(f, &request, &capture, "exclude each other");
    /* The engine still works. */
    pl_results *results;
    OK(pl_engine_score(f->engine, &request, 1, NULL, NULL, &results));
    assert_int_equal(results->tokens_computed, 3);
    pl_results_free(results);
    OK(pl_engine_score(f->engine, NULL, 0, NULL, NULL, &results));
    assert_int_equal(results->tokens_computed, 0);
    pl_results_free(results);
}

static void a_small_pool_is_refused_with_numbers(void **state)
{
    fixture *f = *state;
    const pl_engine_options options = {.kv_tokens = 100};
    int32_t ids[200] = {0};
    const pl_request request = {.ids = ids, .n = 200, .gold = SIZE_MAX};
    pl_engine *engine;
    pl_results *results;
    OK(pl_engine_create(&engine, f->m.model, &options));
    assert_int_equal(pl_engine_score(engine, &request, 1, NULL, NULL, &results), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "kv_tokens 100: the longest path needs 224 tokens"));
    pl_engine_free(engine);
}

static void progress_counts_requests(void **state)
{
    fixture *f = *state;
    unit *u = make_unit(2);
    pl_progress progress;
    pl_results *results;
    pl_progress_start(&progress, "score", "prompts", 2 * n_items(), true);
    for (size_t i = 1; i <= 2; i++) {
        OK(pl_engine_score(f->engine, u->requests, n_items(), NULL, &progress, &results));
        assert_int_equal(progress.done, i * n_items());
        pl_results_free(results);
    }
    pl_progress_end(&progress);
    free(u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_distinct_token_runs_once), cmocka_unit_test(a_suffix_is_a_path_of_its_own),
        cmocka_unit_test(labels_share_a_head_row),       cmocka_unit_test(ranges_name_the_rows_of_all),
        cmocka_unit_test(wrong_requests_are_named),      cmocka_unit_test(a_small_pool_is_refused_with_numbers),
        cmocka_unit_test(progress_counts_requests),
    };
    int missing = device_missing();
    if (missing) return missing;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
