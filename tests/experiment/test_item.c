/* Scored items: sums, the first of equals, length in characters, and items that are not finite. */
#include "tests.h"

#include <math.h>

#include "experiment/finite.h"
#include "experiment/item.h"

enum { N = 5, CHOICES = 2, TOKENS = 2 };

/* Every choice has two tokens; `values` [N][CHOICES][TOKENS]. */
static void score(pl__items *items, pl__item *list, float *values, pl_arena *arena)
{
    static const char *texts[CHOICES] = {"né", "yesyes"}; /* 2 and 6 characters */
    uint64_t choice_indptr[N + 1], token_indptr[N * CHOICES + 1];
    uint8_t greedy[N * CHOICES * TOKENS] = {0};
    for (size_t i = 0; i <= N; i++) choice_indptr[i] = i * CHOICES;
    for (size_t c = 0; c <= N * CHOICES; c++) token_indptr[c] = c * TOKENS;
    pl_results results = {.n_requests = N,
                          .choice_indptr = choice_indptr,
                          .token_indptr = token_indptr,
                          .log_probability = values,
                          .greedy = greedy};
    for (size_t i = 0; i < N; i++)
        list[i] = (pl__item){.index = 10 + i,
                             .prompt = {.n_choices = CHOICES, .choices = texts, .choice_texts = texts, .gold = 1}};
    *items = (pl__items){.n = N, .items = list, .arena = arena};
    OK(pl__items_score(items, &results));
}

static void test_score(void **state)
{
    (void)state;
    float values[N * CHOICES * TOKENS] = {
        -1, -2,  -3,        -4, /* 0 by sum, 1 by character: -1.5 and -1.17 */
        -3, -4,  -1,        -1, /* 1 both ways */
        -1, -1,  -1,        -1, /* equal: the first; by character 1 */
        -1, NAN, -1,        -1, /* no prediction */
        -1, -1,  -INFINITY, -1, /* no prediction */
    };
    pl_arena *arena;
    pl__items items;
    pl__item list[N];
    OK(pl_arena_create(&arena));
    score(&items, list, values, arena);
    static const struct {
        int64_t prediction;
        bool correct, correct_norm;
    } wanted[N] = {{0, false, true}, {1, true, true}, {0, false, true}, {-1, false, false}, {-1, false, false}};
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(list[i].prediction_index, wanted[i].prediction);
        assert_int_equal(list[i].label_index, 1);
        assert_int_equal(list[i].correct, wanted[i].correct);
        assert_int_equal(list[i].correct_norm, wanted[i].correct_norm);
        assert_int_equal(list[i].finite, i < 3);
        assert_int_equal(list[i].outcome, i < 3 ? PL_OUTCOME_LABEL : PL_OUTCOME_NOT_FINITE);
    }
    assert_true(list[0].score[0] == -3 && list[0].score[1] == -7);
    assert_int_equal(items.n_not_finite, 2);
    assert_int_equal(items.first_not_finite, 13);
    pl_arena_free(arena);
}

/* Sums are made in double: 2^24 and one more in float would be 2^24. */
static void test_sum_is_double(void **state)
{
    (void)state;
    float values[N * CHOICES * TOKENS];
    for (size_t i = 0; i < N * CHOICES * TOKENS; i++) values[i] = -1;
    values[0] = -16777216.0F;
    pl_arena *arena;
    pl__items items;
    pl__item list[N];
    OK(pl_arena_create(&arena));
    score(&items, list, values, arena);
    assert_true(list[0].score[0] == -16777217.0);
    pl_arena_free(arena);
}

/* Two items of `n_paths` paths of one to n_paths tokens, token t of value -t - 1. */
typedef struct paths {
    uint64_t choice_indptr[3], token_indptr[9];
    float values[20];
    uint8_t greedy[20];
    pl_results results;
} paths;

static void make_paths(paths *p, size_t n_paths)
{
    *p = (paths){0};
    for (size_t i = 0; i <= 2; i++) p->choice_indptr[i] = i * n_paths;
    for (size_t i = 0; i < 2 * n_paths; i++) p->token_indptr[i + 1] = p->token_indptr[i] + 1 + i % n_paths;
    for (size_t t = 0; t < p->token_indptr[2 * n_paths]; t++) p->values[t] = -1.0F - (float)t;
    p->results = (pl_results){.n_requests = 2,
                              .choice_indptr = p->choice_indptr,
                              .token_indptr = p->token_indptr,
                              .log_probability = p->values,
                              .greedy = p->greedy};
}

/* Windows of a text are one choice whose tokens stand in order; a text is never right. */
static void test_windows_are_one(void **state)
{
    (void)state;
    static const char *texts[] = {"text"};
    paths p;
    pl_arena *arena;
    pl__item list[2];
    pl__items items = {.n = 2, .items = list};
    OK(pl_arena_create(&arena));
    items.arena = arena;
    make_paths(&p, 3);
    memset(p.greedy, 1, sizeof p.greedy);
    for (size_t i = 0; i < 2; i++)
        list[i] = (pl__item){.prompt = {.n_choices = 1, .choice_texts = texts, .alone = true, .rolling = true}};
    OK(pl__items_score(&items, &p.results));
    assert_true(list[0].score[0] == -21 && list[1].score[0] == -57);
    assert_false(list[0].correct || list[1].correct);
    assert_int_equal(p.choice_indptr[1], 1);
    assert_int_equal(p.choice_indptr[2], 2);
    assert_int_equal(p.token_indptr[1], 6);
    assert_int_equal(p.token_indptr[2], 12);
    for (size_t t = 0; t < 12; t++) assert_true(p.values[t] == -1.0F - (float)t);
    pl_arena_free(arena);
}

/* Behind two choices stand the same behind an empty context: they decide acc_mutual_info and are gone then. */
static void test_choices_without_context(void **state)
{
    (void)state;
    static const char *texts[] = {"one", "three"};
    paths p;
    pl_arena *arena;
    pl__item list[2];
    pl__items items = {.n = 2, .items = list};
    OK(pl_arena_create(&arena));
    items.arena = arena;
    make_paths(&p, 4); /* of item 0: -1, -5, -15, -34; of item 1: -11, -25, -45, -74 */
    p.greedy[1] = p.greedy[2] = 1;
    for (size_t i = 0; i < 2; i++)
        list[i] = (pl__item){
            .prompt = {.n_choices = 2, .choices = texts, .choice_texts = texts, .gold = i, .unconditional = texts}};
    OK(pl__items_score(&items, &p.results));
    assert_true(list[0].score[1] == -5 && list[0].score[3] == -34 && list[1].score[2] == -45);
    assert_int_equal(list[0].prediction_index, 0);
    assert_true(list[0].correct && !list[1].correct);
    assert_true(!list[0].correct_mutual && list[1].correct_mutual); /* 14 < 29; 34 < 49 */
    assert_true(list[0].greedy[1] && !list[0].greedy[0] && !list[0].exact_match);
    assert_int_equal(p.choice_indptr[2], 4);
    assert_int_equal(p.token_indptr[4], 6);
    const float kept[] = {-1, -2, -3, -11, -12, -13};
    for (size_t t = 0; t < 6; t++) assert_true(p.values[t] == kept[t]);
    pl_arena_free(arena);
}

/* Of several right choices any is right, and none is the label. */
static void test_several_right(void **state)
{
    (void)state;
    static const char *texts[] = {"one", "three"};
    static const size_t right[] = {1, 0};
    paths p;
    pl_arena *arena;
    pl__item list[2];
    pl__items items = {.n = 2, .items = list};
    OK(pl_arena_create(&arena));
    items.arena = arena;
    make_paths(&p, 2);
    p.greedy[0] = 1;
    for (size_t i = 0; i < 2; i++)
        list[i] = (pl__item){
            .prompt = {
                .n_choices = 2, .choices = texts, .choice_texts = texts, .gold = 1, .n_right = 2 - i, .right = right}};
    OK(pl__items_score(&items, &p.results));
    assert_true(list[0].correct && list[0].exact_match && list[0].correct_norm && list[0].correct_bytes);
    assert_int_equal(list[0].label_index, -1);
    assert_false(list[1].correct || list[1].exact_match);
    assert_int_equal(list[1].label_index, 1);
    pl_arena_free(arena);
}

/* States: the first item and layer with a value that is no number; a mean of no token is none. */
static void test_states_not_finite(void **state)
{
    (void)state;
    enum { R = 3, L = 2, C = 2 };
    float last0[R * C] = {0}, last1[R * C] = {0}, mean0[R * C] = {0}, mean1[R * C] = {0};
    float *last[L] = {last0, last1}, *mean[L] = {mean0, mean1};
    size_t widths[L] = {C, C};
    const pl_results results = {.n_requests = R, .n_layers = L, .widths = widths, .last = last, .mean = mean};
    pl_request requests[R] = {{.n = 1}, {.n = 4, .own_first = 2}, {.n = 4, .own_first = 2}};
    mean0[0] = mean1[0] = NAN; /* one token: there is no mean */
    pl_not_finite found = pl_states_not_finite(&results, requests);
    assert_int_equal(found.n, 0);
    mean1[2 * C] = INFINITY;
    last1[1 * C + 1] = NAN;
    found = pl_states_not_finite(&results, requests);
    assert_int_equal(found.n, 2);
    assert_int_equal(found.first, 1);
    assert_int_equal(found.layer, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_score),           cmocka_unit_test(test_sum_is_double),
        cmocka_unit_test(test_windows_are_one), cmocka_unit_test(test_choices_without_context),
        cmocka_unit_test(test_several_right),   cmocka_unit_test(test_states_not_finite)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
