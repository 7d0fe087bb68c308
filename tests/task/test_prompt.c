/* Prompts against lm-evaluation-harness's string rules (tests/golden/task/prompts.json, made by make_prompts.py). */
#include "tests.h"

#include "task/task.h"

#define TASKS PLUMB_SOURCE_DIR "/tests/golden/task/tasks/"

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void check_texts(const json_t *expected, const char **found, size_t n)
{
    assert_int_equal(json_array_size(expected), n);
    for (size_t i = 0; i < n; i++) assert_string_equal(found[i], json_string_value(json_array_get(expected, i)));
}

static void check_case(const json_t *c, const pl_task *task, pl_arena *arena)
{
    const pl_template *t = pl_task_template(task, text_of(c, "template"));
    assert_non_null(t);
    const json_t *list = json_object_get(c, "shots"), *gold = json_object_get(c, "gold");
    size_t shots[4], k = json_array_size(list), item = (size_t)json_integer_value(json_object_get(c, "item"));
    assert_true(k <= 4);
    for (size_t i = 0; i < k; i++) shots[i] = (size_t)json_integer_value(json_array_get(list, i));
    pl_prompt p;
    if (pl_prompt_build(&p, task, t, item, shots, k, arena) != PL_OK) fail_msg("%s", pl_error_text());
    assert_string_equal(p.context, text_of(c, "context"));
    assert_int_equal(p.context_size, strlen(p.context));
    assert_int_equal(p.own_offset, json_integer_value(json_object_get(c, "own_offset")));
    check_texts(json_object_get(c, "choices"), p.choices, p.n_choices);
    check_texts(json_object_get(c, "choice_texts"), p.choice_texts, p.n_choices);
    assert_string_equal(p.target, text_of(c, "target"));
    assert_int_equal(p.gold, json_is_null(gold) ? SIZE_MAX : (size_t)json_integer_value(gold));
}

static void test_prompts_as_lm_eval_builds_them(void **state)
{
    (void)state;
    json_t *cases;
    assert_int_equal(pl_json_read(&cases, PLUMB_SOURCE_DIR "/tests/golden/task/prompts.json", 1 << 20), PL_OK);
    assert_true(json_array_size(cases) >= 40);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *c = json_array_get(cases, i);
        char path[PL_PATH_MAX];
        pl_task *task;
        pl_arena *arena;
        assert_int_equal(pl_path(path, TASKS "%s", text_of(c, "file")), PL_OK);
        if (pl_task_open(&task, path) != PL_OK) fail_msg("%s", pl_error_text());
        assert_int_equal(pl_arena_create(&arena), PL_OK);
        check_case(c, task, arena);
        pl_arena_free(arena);
        pl_task_free(task);
    }
    json_decref(cases);
}

static void test_no_item_among_its_own_shots(void **state)
{
    (void)state;
    pl_task *task;
    pl_arena *arena;
    pl_prompt p;
    size_t shot = 0;
    assert_int_equal(pl_arena_create(&arena), PL_OK);
    assert_int_equal(pl_task_open(&task, TASKS "loglikelihood.yaml"), PL_OK);
    assert_true(task->fewshot_is_test);
    assert_int_equal(pl_prompt_build(&p, task, task->templates, 1, &shot, 1, arena), PL_OK);
    assert_int_equal(pl_prompt_build(&p, task, task->templates, 0, &shot, 1, arena), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "item 0 would stand among its own shots"));
    pl_task_free(task);
    /* Item 0 and shot 0 are of group g1. */
    assert_int_equal(pl_task_open(&task, TASKS "choice.yaml"), PL_OK);
    assert_false(task->fewshot_is_test);
    assert_int_equal(pl_prompt_build(&p, task, task->templates, 1, &shot, 1, arena), PL_OK);
    assert_int_equal(pl_prompt_build(&p, task, task->templates, 0, &shot, 1, arena), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "have the same group"));
    shot = 99;
    assert_int_equal(pl_prompt_build(&p, task, task->templates, 0, &shot, 1, arena), PL_E_INTERNAL);
    assert_int_equal(pl_prompt_build(&p, task, task->templates, 2, NULL, 0, arena), PL_E_INTERNAL);
    pl_task_free(task);
    pl_arena_free(arena);
}

/* Shots are real, the item is `input` for every text and number of it, the choices are the item's, nothing is right. */
static void test_content_free(void **state)
{
    (void)state;
    pl_task *task;
    pl_arena *arena;
    pl_prompt p, plain;
    size_t shots[] = {0, 1};
    OK(pl_arena_create(&arena));
    OK(pl_task_open(&task, TASKS "choice.yaml"));
    assert_int_equal(task->n_calibration, 3);
    assert_string_equal(task->calibration[0], "N/A");
    assert_string_equal(task->calibration[1], "[MASK]");
    assert_string_equal(task->calibration[2], "");
    /* Shot 0 is of item 0's group: it would give nothing away here. */
    OK(pl_prompt_build_content_free(&p, task, task->templates, 0, "N/A", shots, 2, NULL, arena));
    assert_string_equal(p.context, "Judge the reviews.\n\nReview: A slow start, a fine end.\nSentiment: positive\n\n"
                                   "Review: Dull; 100% dull {really}.\nSentiment: negative\n\n"
                                   "Review: N/A\nSentiment:");
    assert_string_equal(p.context + p.own_offset, "Review: N/A\nSentiment:");
    assert_true(p.gold == SIZE_MAX && p.context_size == strlen(p.context));
    OK(pl_prompt_build(&plain, task, task->templates, 0, NULL, 0, arena));
    assert_int_equal(p.n_choices, plain.n_choices);
    for (size_t i = 0; i < p.n_choices; i++) assert_string_equal(p.choices[i], plain.choices[i]);
    OK(pl_prompt_build_content_free(&p, task, task->templates, 1, "", NULL, 0, NULL, arena));
    assert_string_equal(p.context, "Judge the reviews.\n\nReview: \nSentiment:");
    /* A number is content too; a template that compares it cannot show what has none. */
    OK(pl_prompt_build_content_free(&p, task, pl_task_template(task, "field"), 1, "[MASK]", NULL, 0, NULL, arena));
    assert_string_equal(p.context + p.own_offset, "[MASK]");
    REFUSED(pl_prompt_build_content_free(&p, task, pl_task_template(task, "expression"), 1, "", NULL, 0, NULL, arena),
            PL_E_INPUT, "cannot order a text and an integer");
    pl_task_free(task);
    pl_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prompts_as_lm_eval_builds_them),
        cmocka_unit_test(test_no_item_among_its_own_shots),
        cmocka_unit_test(test_content_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
