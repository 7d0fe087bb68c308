/* Experiment files: every field, defaults, overrides, what is frozen, and errors that say where. */
#include "tests.h"

#include "engine/engine.h"
#include "experiment/spec.h"

static const char whole[] =
    "name: ood-prompts\n"
    "models: [{path: \"${PLUMB_TEST_MODELS}/gpt2\"}, {path: org/medium, dtype: bf16}]\n"
    "tasks: [tasks/imdb.yaml, /elsewhere/x.yaml]\n"
    "templates: {id: [standard], dev: [short], ood: [qa, goodbad]}\n"
    "arms:\n"
    "  - {kind: prompt, shots: [0, 1, 8], draws: 5, orders: 2, readout: [loglikelihood, generate], balance: false}\n"
    "capture: {layers: all, positions: [last, mean], dtype: float16, items: 800}\n"
    "truncation: drop_shots\n"
    "items: 50\n"
    "seed: 99\n";

static pl_spec *parse(const char *text, const char *const *overrides, size_t n)
{
    pl_spec *spec = NULL;
    pl_status status = pl_spec_parse(&spec, text, strlen(text), "folder/exp.yaml", overrides, n);
    if (status != PL_OK) fail_msg("%s", pl_error_text());
    return spec;
}

static void test_every_field(void **state)
{
    (void)state;
    setenv("PLUMB_TEST_MODELS", "/models", 1);
    pl_spec *s = parse(whole, NULL, 0);
    assert_string_equal(s->name, "ood-prompts");
    assert_int_equal(s->n_models, 2);
    assert_string_equal(s->models[0].path, "/models/gpt2");
    assert_string_equal(s->models[0].name, "gpt2");
    assert_int_equal(s->models[0].compute, PL_F32);
    assert_string_equal(s->models[1].path, "org/medium");
    assert_int_equal(s->models[1].compute, PL_BF16);
    assert_string_equal(s->tasks[0], "folder/tasks/imdb.yaml");
    assert_string_equal(s->tasks[1], "/elsewhere/x.yaml");
    assert_int_equal(s->n_templates, 4);
    assert_string_equal(s->templates[3].name, "goodbad");
    assert_int_equal(s->templates[3].role, PL_ROLE_OOD);
    assert_int_equal(s->arms[0].n_shots, 3);
    assert_int_equal(s->arms[0].shots[2], 8);
    assert_int_equal(s->arms[0].draws, 5);
    assert_int_equal(s->arms[0].orders, 2);
    assert_true(s->arms[0].readouts[PL_READOUT_GENERATE] && s->arms[0].readouts[PL_READOUT_LOGLIKELIHOOD]);
    assert_false(s->arms[0].balance);
    assert_int_equal(s->positions, PL_POSITION_LAST | PL_POSITION_MEAN);
    assert_int_equal(s->storage, PL_F16);
    assert_int_equal(s->capture_items, 800);
    assert_int_equal(s->truncation, PL_TRUNCATION_DROP_SHOTS);
    assert_int_equal(s->items, 50);
    assert_int_equal(s->seed, 99);
    pl_spec_free(s);
}

static void test_defaults(void **state)
{
    (void)state;
    pl_spec *s = parse("name: x\nmodels: gpt2\ntasks: t.yaml\narms: [{kind: prompt}]\n", NULL, 0);
    assert_int_equal(s->n_models, 1);
    assert_int_equal(s->n_templates, 0);
    assert_int_equal(s->arms[0].n_shots, 0); /* each task's num_fewshot */
    assert_true(s->arms[0].readouts[PL_READOUT_LOGLIKELIHOOD] && !s->arms[0].readouts[PL_READOUT_GENERATE]);
    assert_true(s->arms[0].balance);
    assert_string_equal(s->layers[0], "default");
    assert_int_equal(s->positions, PL_POSITION_LAST);
    assert_int_equal(s->truncation, PL_TRUNCATION_ERROR);
    assert_true(s->items == SIZE_MAX && s->capture_items == SIZE_MAX);
    pl_spec_free(s);
}

/* What is frozen, read again, is the same experiment with overrides and variables in place. */
static void test_overrides_and_frozen(void **state)
{
    (void)state;
    setenv("PLUMB_TEST_MODELS", "/models", 1);
    static const char *const overrides[] = {"items=7", "arms.0.shots=[3]", "capture.positions=[]", "name=other",
                                            "models.1.name=renamed: no"};
    static const char *const good[] = {"items=7", "arms.0.shots=[3]", "capture.positions=[]", "name=other"};
    pl_spec *s = NULL;
    assert_int_equal(pl_spec_parse(&s, whole, strlen(whole), "e.yaml", overrides, 5), PL_E_INPUT);
    s = parse(whole, good, 4);
    unsetenv("PLUMB_TEST_MODELS");
    static const char *const tasks[] = {"tasks/a.yaml", "tasks/b.yaml", "tasks/c.yaml"};
    pl_bytes frozen = {0}, frozen_again = {0};
    assert_true(s->n_tasks <= 3);
    assert_int_equal(pl_spec_freeze(&frozen, s, tasks), PL_OK);
    pl_spec *again = parse(frozen.data, NULL, 0);
    assert_string_equal(again->tasks[0], "folder/tasks/a.yaml");
    for (int i = 0; i < 2; i++) {
        const pl_spec *x = i ? again : s;
        assert_int_equal(x->items, 7);
        assert_int_equal(x->arms[0].n_shots, 1);
        assert_int_equal(x->arms[0].shots[0], 3);
        assert_int_equal(x->positions, 0);
        assert_string_equal(x->name, "other");
        assert_string_equal(x->models[0].path, "/models/gpt2");
    }
    assert_int_equal(pl_spec_freeze(&frozen_again, again, tasks), PL_OK);
    assert_string_equal(frozen.data, frozen_again.data);
    pl_bytes_free(&frozen);
    pl_bytes_free(&frozen_again);
    pl_spec_free(again);
    pl_spec_free(s);
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"models: gpt2\n", "'name' is missing"},
        {"name: a/b\n", "name: expected letters"},
        {"name: x\nmodel: gpt2\n", "exp.yaml:2:1: "},
        {"name: x\nmodels: [a/gpt2, b/gpt2]\n", "two models are called 'gpt2'"},
        {"name: x\nmodels: [{path: g, dtype: int8}]\n", "found 'int8'"},
        {"name: x\nmodels: g\ntasks: []\n", "an empty list"},
        {"name: x\nmodels: g\ntasks: t\narms: [{shots: 1}]\n", "an arm needs 'kind'"},
        {"name: x\nmodels: g\ntasks: t\narms: [{kind: prompt, shots: [1, 1]}]\n", "listed twice"},
        {"name: x\nmodels: g\ntasks: t\narms: [{kind: prompt, draws: 0}]\n", "draws: expected 1"},
        {"name: x\nmodels: g\ntasks: t\narms: [{kind: prompt, readout: guess}]\n",
         "expected one of loglikelihood, generate"},
        {"name: x\nmodels: g\ntasks: t\narms: [{kind: prompt}]\ntemplates: {id: [a], ood: [a]}\n", "named twice"},
        {"name: x\nmodels: g\ntasks: t\narms: [{kind: prompt}]\ncapture: {dtype: float8}\n", "found 'float8'"},
        {"name: x\nmodels: g\ntasks: t\narms: [{kind: prompt}]\nitems: 0\n", "items: expected 1 or more"},
        {"name: x\nmodels: g\ntasks: t\narms: [{kind: prompt}]\nanalysis: {tsne: {}}\n", "unknown key 'analysis'"},
        {"name: x\nmodels: ${PLUMB_TEST_UNSET}\n", "PLUMB_TEST_UNSET is not set"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pl_spec *s = NULL;
        assert_int_equal(pl_spec_parse(&s, cases[i].text, strlen(cases[i].text), "exp.yaml", NULL, 0), PL_E_INPUT);
        assert_null(s);
        if (!strstr(pl_error_text(), cases[i].part)) fail_msg("expected '%s' in: %s", cases[i].part, pl_error_text());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_field), cmocka_unit_test(test_defaults),
                                       cmocka_unit_test(test_overrides_and_frozen), cmocka_unit_test(test_errors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
