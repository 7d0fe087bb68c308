/* Numbers of a unit's rows together, and what a file that somebody made by hand must not make of them. */
#include "numbers.h"
#include "tests.h"

#include <math.h>

#include "analysis/pooled.h"

enum { ROWS = 2 };

/* A unit of two rows whose texts have these scores; choices[r + 1] - choices[r] of them are row r's. */
static pl_run_unit make_unit(pl_frame **frame, const uint64_t *choices, const double *scores)
{
    static const char *const integers[] = {"label_index", "prediction_index", "n_words"};
    pl_column *c;
    OK(pl_frame_create(frame, ROWS));
    OK(pl_frame_add(*frame, &c, "finite", PL_COLUMN_BOOL));
    memset(c->values.boolean, 1, ROWS);
    for (size_t i = 0; i < 3; i++) {
        OK(pl_frame_add(*frame, &c, integers[i], PL_COLUMN_INTEGER));
        for (size_t r = 0; r < ROWS; r++) c->values.integer[r] = i == 2 ? 2 : 0;
    }
    return (pl_run_unit){.id = "u",
                         .path = "u.h5",
                         .obs = *frame,
                         .loglik = {.n_rows = ROWS,
                                    .n_choices = choices[ROWS],
                                    .choice_indptr = (uint64_t *)(uintptr_t)choices,
                                    .score = (double *)(uintptr_t)scores}};
}

static json_t *row_of(const pl_run_unit *unit, const char *name, size_t row)
{
    pl_json_builder b;
    json_t *out;
    pl_json_begin(&b);
    OK(pl_pooled_row(&b, unit, pl_pooled_find(name), row));
    OK(pl_json_end(&b, &out, "a row"));
    return out;
}

static void test_texts(void **state)
{
    (void)state;
    static const uint64_t whole[] = {0, 1, 2}, short_by_one[] = {0, 1, 1};
    static const double scores[] = {-1, -7}; /* the second is beyond the scores of a unit that is short by one */
    const uint64_t *const choices[] = {whole, short_by_one};
    for (size_t i = 0; i < 2; i++) {
        pl_frame *frame;
        double value;
        pl_run_unit unit = make_unit(&frame, choices[i], scores);
        unit.alone = true;
        OK(pl_pooled_of(&value, &unit, pl_pooled_find("perplexity")));
        if (i == 0)
            assert_close(value, exp(4), 1e-12);
        else
            assert_true(isnan(value));
        json_t *row = row_of(&unit, "perplexity", 1);
        assert_int_equal(json_is_null(json_object_get(row, "perplexity")), i == 1);
        json_decref(row);
        unit.alone = false;
        unit.rolls = true;
        OK(pl_pooled_of(&value, &unit, pl_pooled_find("word_perplexity")));
        if (i == 0)
            assert_close(value, exp(2), 1e-12);
        else
            assert_true(isnan(value));
        row = row_of(&unit, "word_perplexity", 1);
        assert_int_equal(json_is_null(json_array_get(json_object_get(row, "word_perplexity"), 0)), i == 1);
        json_decref(row);
        pl_frame_free(frame);
    }
}

/* A row without choices has no probabilities. */
static void test_choices(void **state)
{
    (void)state;
    static const uint64_t choices[] = {0, 2, 2};
    static const double scores[] = {-1, -1, -7};
    pl_frame *frame;
    double value;
    pl_run_unit unit = make_unit(&frame, choices, scores);
    OK(pl_pooled_of(&value, &unit, pl_pooled_find("brier_score")));
    assert_true(isnan(value));
    json_t *row = row_of(&unit, "brier_score", 1);
    assert_int_equal(json_array_size(json_array_get(json_object_get(row, "brier_score"), 1)), 0);
    json_decref(row);
    pl_frame_free(frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_texts), cmocka_unit_test(test_choices)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
