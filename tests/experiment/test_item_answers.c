/* What an item's generated answer counts as: the filter, lm-evaluation-harness's exact_match and our answer_match, and
 * which of the two is `correct`. */
#include "tests.h"

#include "base/file.h"
#include "experiment/item.h"

typedef struct {
    const char *answer;
    bool exact_match, answer_match;
    pl_outcome outcome;
    const char *prediction; /* NULL: none */
    int64_t prediction_index;
} answer_case;

/* `task`: keys of a task file; `with_choices`: the gold answer is choice 1 of three. */
static void check(const char *task_text, bool with_choices, bool reads_labels, const answer_case *cases, size_t n)
{
    static const char *choices[] = {"London", "Paris", "Rome"};
    char folder[PL_PATH_MAX], path[PL_PATH_MAX];
    static const char data[] = "{\"text\": \"x\", \"word\": \"Paris\", \"label\": 1}\n";
    pl_task *task;
    pl_arena *arena;
    make_folder(folder);
    OK(pl_path(path, "%s/data.jsonl", folder));
    OK(pl_file_replace(path, data, strlen(data)));
    OK(pl_path(path, "%s/task.yaml", folder));
    OK(pl_file_replace(path, task_text, strlen(task_text)));
    OK(pl_task_open(&task, path));
    for (size_t i = 0; i < n; i++) {
        pl__item item = {.prompt = {.gold = SIZE_MAX, .target = "Paris"}};
        if (with_choices) item.prompt.gold = 1, item.prompt.n_choices = 3, item.prompt.choice_texts = choices;
        char *text = strdup(cases[i].answer);
        pl_generation generation = {.text = text, .size = strlen(text), .finite = true};
        OK(pl_arena_create(&arena));
        pl__items items = {.n = 1, .items = &item, .arena = arena};
        OK(pl__items_answer(&items, task, &generation));
        if (item.exact_match != cases[i].exact_match || item.answer_match != cases[i].answer_match ||
            item.correct != (reads_labels ? item.answer_match : item.exact_match) || item.outcome != cases[i].outcome ||
            !item.prediction != !cases[i].prediction ||
            (item.prediction && strcmp(item.prediction, cases[i].prediction) != 0) ||
            item.prediction_index != cases[i].prediction_index)
            fail_msg("'%s': exact %d, match %d, correct %d, %s, '%s', %d", text, item.exact_match, item.answer_match,
                     item.correct, pl_outcome_name(item.outcome), item.prediction ? item.prediction : "",
                     (int)item.prediction_index);
        assert_string_equal(item.response, cases[i].answer);
        pl_arena_free(arena);
        free(text);
    }
    pl_task_free(task);
    remove_folder(folder);
}
#define CHECK(task, with_choices, reads_labels, cases)                                                                 \
    check(task, with_choices, reads_labels, cases, sizeof(cases) / sizeof *(cases))

#define OPEN   "task: t\ntest_split: data.jsonl\noutput_type: generate_until\ndoc_to_text: text\ndoc_to_target: word\n"
#define CHOOSE "doc_to_choice: [London, Paris, Rome]\n"

static void test_open_answers(void **state)
{
    (void)state;
    static const answer_case plain[] = {
        {"Paris", true, true, PL_OUTCOME_LABEL, "Paris", -1},   {" Paris", false, true, PL_OUTCOME_LABEL, "Paris", -1},
        {"PARIS.", false, true, PL_OUTCOME_LABEL, "Paris", -1}, {"Rome", false, false, PL_OUTCOME_OTHER, "Rome", -1},
        {" ?", false, false, PL_OUTCOME_NONE, NULL, -1},
    };
    static const answer_case flags[] = {
        {"paris!", true, false, PL_OUTCOME_LABEL, "Paris", -1},
        {" Paris", false, true, PL_OUTCOME_LABEL, "Paris", -1},
    };
    static const answer_case stripped[] = {
        {" Paris\n", true, true, PL_OUTCOME_LABEL, "Paris", -1},
        {" paris ", false, true, PL_OUTCOME_LABEL, "Paris", -1},
        {" Rome", false, false, PL_OUTCOME_OTHER, "Rome", -1},
    };
    CHECK(OPEN, false, false, plain);
    CHECK(OPEN "metric_list: [{metric: exact_match, ignore_case: true, ignore_punctuation: true}]\n", false, false,
          flags);
    CHECK(OPEN "filter_list: [{name: strip, filter: [{function: remove_whitespace}]}]\n", false, false, stripped);
}

/* With choices the prediction is the label that the answer names; the task's own metric stays what its type says. */
static void test_answers_among_choices(void **state)
{
    (void)state;
    static const answer_case cases[] = {
        {"Paris", true, true, PL_OUTCOME_LABEL, "Paris", 1},
        {" **paris**", false, true, PL_OUTCOME_LABEL, "Paris", 1},
        {"Rome, no", false, false, PL_OUTCOME_LABEL, "Rome", 2},
        {"Parisian", false, false, PL_OUTCOME_OTHER, NULL, -1},
        {"", false, false, PL_OUTCOME_NONE, NULL, -1},
    };
    CHECK(OPEN CHOOSE, true, false, cases);
    CHECK("task: t\ntest_split: data.jsonl\noutput_type: multiple_choice\ndoc_to_text: text\ndoc_to_target: "
          "word\n" CHOOSE,
          true, true, cases);
}

/* A logit that is NaN ends an answer: nothing is read out of what came before it. */
static void test_answers_that_are_not_finite(void **state)
{
    (void)state;
    char folder[PL_PATH_MAX], path[PL_PATH_MAX], text[] = "Paris";
    static const char data[] = "{\"text\": \"x\", \"word\": \"Paris\", \"label\": 1}\n";
    pl_task *task;
    pl_arena *arena;
    make_folder(folder);
    OK(pl_path(path, "%s/data.jsonl", folder));
    OK(pl_file_replace(path, data, strlen(data)));
    OK(pl_path(path, "%s/task.yaml", folder));
    OK(pl_file_replace(path, OPEN, strlen(OPEN)));
    OK(pl_task_open(&task, path));
    OK(pl_arena_create(&arena));
    pl__item item = {.index = 7, .prompt = {.gold = SIZE_MAX, .target = "Paris"}};
    pl_generation generation = {.text = text, .size = strlen(text), .finite = false};
    pl__items items = {.n = 1, .items = &item, .arena = arena};
    OK(pl__items_answer(&items, task, &generation));
    assert_false(item.finite || item.correct || item.exact_match || item.answer_match);
    assert_int_equal(item.outcome, PL_OUTCOME_NOT_FINITE);
    assert_null(item.prediction);
    assert_string_equal(item.label, "Paris");
    assert_int_equal(items.n_not_finite, 1);
    assert_int_equal(items.first_not_finite, 7);
    pl_arena_free(arena);
    pl_task_free(task);
    remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_open_answers),
                                       cmocka_unit_test(test_answers_among_choices),
                                       cmocka_unit_test(test_answers_that_are_not_finite)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
