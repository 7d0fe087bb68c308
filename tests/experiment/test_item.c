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
    const pl_results results = {.n_requests = N,
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

/* States: the first item and layer with a value that is no number; a mean of no token is none. */
static void test_states_not_finite(void **state)
{
    (void)state;
    enum { R = 3, L = 2, C = 2 };
    float last0[R * C] = {0}, last1[R * C] = {0}, mean0[R * C] = {0}, mean1[R * C] = {0};
    float *last[L] = {last0, last1}, *mean[L] = {mean0, mean1};
    const pl_results results = {.n_requests = R, .n_layers = L, .C = C, .last = last, .mean = mean};
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_score), cmocka_unit_test(test_sum_is_double),
                                       cmocka_unit_test(test_states_not_finite)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
