/* The stages of a staged run: what is needed, waits and is not needed, as looks are taken; a look is kept once. */
#include "tests.h"

#include <math.h>

#include "store/stages.h"

/* Two tasks. Of the first readout a prompt, a linear and two tuned units of one learner; of the other a prompt and a
 * tuned one of the same learner. The second task has a prompt alone. finetune stands first. */
enum { LEARNER, TUNED, TUNED_OTHER, TUNED_MORE, PROMPT, PROMPT_OTHER, LINEAR_LEARNER, LINEAR, ELSEWHERE, UNITS };

static pl_planned_unit units[UNITS] = {
    [LEARNER] = {.id = "f0", .arm = "finetune", .train_template = "t"},
    [TUNED] = {.id = "f1", .arm = "finetune", .train_template = "t", .learned_by = "f0"},
    [TUNED_OTHER] = {.id = "f2", .arm = "finetune", .readout = "generate", .train_template = "t", .learned_by = "f0"},
    [TUNED_MORE] = {.id = "f3", .arm = "finetune", .train_template = "t", .learned_by = "f0"},
    [PROMPT] = {.id = "p1", .arm = "prompt"},
    [PROMPT_OTHER] = {.id = "p2", .arm = "prompt", .readout = "generate"},
    [LINEAR_LEARNER] = {.id = "l0", .arm = "linear", .train_template = "t"},
    [LINEAR] = {.id = "l1", .arm = "linear", .train_template = "t", .learned_by = "l0"},
    [ELSEWHERE] = {.id = "q1", .arm = "prompt", .task = 1},
};
static pl_planned_model model = {.name = "m"};
static pl_planned_task tasks[2] = {{.name = "a"}, {.name = "b"}};
static pl_plan_file plan = {
    .n_models = 1, .n_tasks = 2, .n_units = UNITS, .models = &model, .tasks = tasks, .units = units, .staged = true};

static void needs(const pl_stages *s, const char *expected) /* a letter a unit: n, w, - */
{
    for (size_t u = 0; u < UNITS; u++)
        if (s->need[u] != (expected[u] == 'n' ? PL_NEEDED : expected[u] == 'w' ? PL_WAITING : PL_NOT_NEEDED))
            fail_msg("unit %s: %d, expected %c", units[u].id, (int)s->need[u], expected[u]);
}

static void finish(const pl_run_folder *run, size_t unit)
{
    char path[PL_PATH_MAX];
    OK(pl_run_folder_unit(path, run, units[unit].id));
    OK(pl_file_replace(path, "", 0));
}

static void take(const pl_run_folder *run, pl_stages *s, const char *readout, const char *stage, bool enough)
{
    pl_look_place place;
    const pl_stage_row *row = pl_stages_row(s, 0, 0, readout);
    pl_look look = {.enough = enough, .arm = "prompt", .k = 4, .accuracy = 0.7, .accuracy_lo = NAN, .tail = 0.0125};
    assert_true(pl_stages_next_look(&place, s, row));
    assert_string_equal(place.stage, stage);
    assert_int_equal(place.n_rows, 2);
    OK(pl_look_agree(&look, run, &plan, &place));
    OK(pl_stages_read(s, run));
}

static void open_run(pl_run_folder *run, const char *root)
{
    char path[PL_PATH_MAX];
    *run = (pl_run_folder){0};
    OK(pl_path(run->path, "%s", root));
    OK(pl_path(path, "%s/units", root));
    OK(pl_folder_make(path));
}

static void stages_follow_looks(void **state)
{
    (void)state;
    char root[PL_PATH_MAX];
    pl_run_folder run;
    pl_stages s, again;
    pl_look_place place;
    make_folder(root);
    open_run(&run, root);
    for (size_t u = 0; u < UNITS; u++)
        if (!units[u].readout) units[u].readout = "loglikelihood";
    OK(pl_stages_open(&s, &plan, &run));
    assert_int_equal(s.n, 3);
    needs(&s, "wwwwnnwwn");
    /* Of a stage that looks every unit must be there. */
    pl_stage_row *first = &s.rows[0];
    assert_int_equal(first->n_stages, 3);
    assert_false(pl_stages_is_finished(&s, first, &run));
    finish(&run, PROMPT_OTHER);
    assert_false(pl_stages_is_finished(&s, first, &run));
    finish(&run, PROMPT);
    assert_true(pl_stages_is_finished(&s, first, &run));
    take(&run, &s, "loglikelihood", "prompt", false);
    needs(&s, "wwwwnnnnn");
    assert_false(pl_stages_is_finished(&s, first, &run));
    finish(&run, LINEAR);
    assert_true(pl_stages_is_finished(&s, first, &run));
    take(&run, &s, "loglikelihood", "linear", true);
    needs(&s, "w-w-nnnnn"); /* the learner may be needed for the other readout */
    assert_false(pl_stages_next_look(&place, &s, first));
    take(&run, &s, "generate", "prompt", false);
    needs(&s, "n-n-nnnnn");
    OK(pl_stages_open(&again, &plan, &run)); /* another process */
    needs(&again, "n-n-nnnnn");
    pl_stages_free(&again);
    pl_stages_free(&s);
    /* A task with one stage looks at nothing; a run that is not staged needs every unit. */
    OK(pl_stages_open(&s, &plan, &run));
    assert_false(pl_stages_next_look(&place, &s, pl_stages_row(&s, 0, 1, "loglikelihood")));
    pl_stages_free(&s);
    plan.staged = false;
    OK(pl_stages_open(&s, &plan, &run));
    needs(&s, "nnnnnnnnn");
    assert_null(pl_stages_row(&s, 0, 0, "generate"));
    pl_stages_free(&s);
    plan.staged = true;
    units[PROMPT].arm = "poem";
    REFUSED(pl_stages_open(&s, &plan, &run), PL_E_INPUT, "unit p1: arm 'poem'");
    units[PROMPT].arm = "prompt";
    remove_folder(root);
}

static void the_first_look_counts(void **state)
{
    (void)state;
    char root[PL_PATH_MAX], path[PL_PATH_MAX], text[PL_LOOK_TEXT];
    pl_run_folder run;
    pl_look_place place = {.readout = "loglikelihood", .stage = "prompt", .n_looks = 3, .n_rows = 2};
    pl_look one = {.enough = true,
                   .arm = "prompt calibrated",
                   .k = 8,
                   .accuracy = 0.1 + 0.2,
                   .accuracy_lo = 0.25,
                   .template_sd = 0.01,
                   .template_sd_hi = NAN,
                   .require = 0.2,
                   .template_sd_max = 0.05,
                   .tail = 0.05 / 6},
            other = {.why = "another"}, found;
    bool there;
    make_folder(root);
    open_run(&run, root);
    OK(pl_look_get(&found, &there, &run, &place));
    assert_false(there);
    OK(pl_look_agree(&one, &run, &plan, &place));
    OK(pl_look_agree(&other, &run, &plan, &place));
    assert_true(other.enough && other.k == 8 && other.accuracy == 0.1 + 0.2 && other.tail == 0.05 / 6);
    assert_true(isnan(other.template_sd_hi) && !*other.why);
    assert_string_equal(other.arm, "prompt calibrated");
    pl_look_text(text, &other, "prompt");
    assert_non_null(strstr(text, "after prompt: accuracy 0.300, at least 0.250 of 0.200 required; template SD 0.010"));
    assert_non_null(strstr(text, "(bounds of 99.17 %)"));
    OK(pl_path(path, "%s/looks/0.0.loglikelihood.prompt.json", root));
    OK(pl_file_replace(path, "{\"k\": 1}", 8));
    REFUSED(pl_look_get(&found, &there, &run, &place), PL_E_INPUT, "enough: expected true or false");
    remove_folder(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(stages_follow_looks), cmocka_unit_test(the_first_look_counts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
