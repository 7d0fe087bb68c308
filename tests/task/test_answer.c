/* Labels read out of generated text: the cases on which the study's parser failed (stability.md, A.4 no. 3). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "task/answer.h"

static const char *const labels[] = {"negative", "positive"};

static void test_labels(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        pl_outcome outcome;
        size_t label;
    } cases[] = {
        {" positive", PL_OUTCOME_LABEL, 1},
        {"Positive.", PL_OUTCOME_LABEL, 1},
        {" NEGATIVE\nReview: a positive one", PL_OUTCOME_LABEL, 0},
        {" \"negative\"", PL_OUTCOME_LABEL, 0},
        {"positively dreadful", PL_OUTCOME_OTHER, 0},
        {"very positive", PL_OUTCOME_OTHER, 0},
        {"sentimental", PL_OUTCOME_OTHER, 0},
        {"8/10", PL_OUTCOME_OTHER, 0},
        {"positiv\xC3\xA9", PL_OUTCOME_OTHER, 0},
        {"", PL_OUTCOME_NONE, 0},
        {" \n ", PL_OUTCOME_NONE, 0},
        {"...", PL_OUTCOME_NONE, 0},
        {"pos", PL_OUTCOME_OTHER, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t label = 99;
        pl_outcome outcome = pl_answer_label(cases[i].text, strlen(cases[i].text), labels, 2, &label);
        if (outcome != cases[i].outcome) fail_msg("'%s': %s", cases[i].text, pl_outcome_name(outcome));
        if (outcome == PL_OUTCOME_LABEL) assert_int_equal(label, cases[i].label);
    }
}

/* "very good" is not "very", whichever stands first. */
static void test_longest_label(void **state)
{
    (void)state;
    static const char *const one[] = {"good", "good enough"}, *const two[] = {"good enough", "good"};
    size_t label;
    assert_int_equal(pl_answer_label("good enough!", 12, one, 2, &label), PL_OUTCOME_LABEL);
    assert_int_equal(label, 1);
    assert_int_equal(pl_answer_label("good enough!", 12, two, 2, &label), PL_OUTCOME_LABEL);
    assert_int_equal(label, 0);
}

static void test_equals(void **state)
{
    (void)state;
    assert_true(pl_answer_equals(" Geese.", 7, "geese"));
    assert_true(pl_answer_equals("42", 2, "42"));
    assert_true(pl_answer_equals("etc.", 4, "etc."));
    assert_false(pl_answer_equals("421", 3, "42"));
    assert_false(pl_answer_equals("", 0, "42"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_labels), cmocka_unit_test(test_longest_label),
                                       cmocka_unit_test(test_equals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
