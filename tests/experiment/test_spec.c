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

static void test_suffix(void **state)
{
    (void)state;
    static const char head[] = "name: x\nmodels: gpt2\ntasks: t.yaml\narms: [{kind: prompt}]\n";
    char text[300];
    pl_spec *s = parse(head, NULL, 0);
    assert_null(s->suffix);
    pl_spec_free(s);
    snprintf(text, sizeof text, "%scapture: {positions: [mean], suffix: \" In short:\"}\n", head);
    s = parse(text, NULL, 0);
    assert_string_equal(s->suffix, " In short:");
    assert_int_equal(s->positions, PL_POSITION_MEAN | PL_POSITION_SUFFIX);
    pl_spec_free(s);
    snprintf(text, sizeof text, "%scapture: {suffix: \"\"}\n", head);
    REFUSED(pl_spec_parse(&s, text, strlen(text), "folder/e.yaml", NULL, 0), PL_E_INPUT, "suffix: expected a text");
    snprintf(text, sizeof text, "%scapture: {positions: [suffix]}\n", head);
    REFUSED(pl_spec_parse(&s, text, strlen(text), "folder/e.yaml", NULL, 0), PL_E_INPUT, "suffix");
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

#define FINETUNE "name: x\nmodels: g\ntasks: t\narms: [{kind: finetune"

static void test_arms_that_learn(void **state)
{
    (void)state;
    pl_spec *s = parse("name: x\nmodels: g\ntasks: t\narms:\n"
                       "  - {kind: linear, n_train: [8, 16], seeds: 3, layers: [1, final_norm], labels: shuffled}\n"
                       "  - {kind: finetune, n_train: 8}\n"
                       "  - {kind: finetune, n_train: 8, head: [classifier, lm], train_templates: [a, [a, b]], "
                       "learning_rate: [1e-5, 3e-5], warmup_steps: 2, train_batch_size: 9, lanes: 2, dropout: 0, "
                       "max_grad_norm: 0, bf16: true, save: true, eval_steps: 7, lr_scheduler_type: cosine, "
                       "loss_mean: examples}\n",
                       NULL, 0);
    const pl_spec_arm *linear = &s->arms[0], *plain = &s->arms[1], *whole_one = &s->arms[2];
    assert_int_equal(linear->kind, PL_ARM_LINEAR);
    assert_int_equal(linear->n_train[1], 16);
    assert_int_equal(linear->seeds, 3);
    assert_int_equal(linear->n_layers, 2);
    assert_true(linear->labels[PL_LABELS_SHUFFLED] && !linear->labels[PL_LABELS_GIVEN]);
    assert_true(plain->heads[PL_HEAD_LM] && !plain->heads[PL_HEAD_CLASSIFIER]);
    assert_true(plain->labels[PL_LABELS_GIVEN] && plain->readouts[PL_READOUT_LOGLIKELIHOOD] && plain->balance);
    assert_int_equal(plain->n_mixtures, 1);
    assert_int_equal(plain->mixtures[0].n, 0);
    const pl_recipe *r = &plain->recipe;
    const pl_train_settings *t = &r->settings;
    assert_int_equal(r->n_rates, 1);
    assert_true(r->learning_rate[0] == 5e-5 && t->num_train_epochs == 3 && t->max_grad_norm == 1);
    assert_true(t->adam_beta1 == .9 && t->adam_beta2 == .999 && t->adam_epsilon == 1e-8 && t->weight_decay == 0);
    assert_true(t->dropout == -1 && !r->save && !r->bf16 && !t->gradient_checkpointing);
    assert_int_equal(t->train_batch_size, 8);
    assert_int_equal(t->micro_batch_size, 8);
    r = &whole_one->recipe;
    t = &r->settings;
    assert_true(whole_one->heads[PL_HEAD_LM] && whole_one->heads[PL_HEAD_CLASSIFIER]);
    assert_int_equal(whole_one->n_mixtures, 2);
    assert_int_equal(whole_one->mixtures[1].n, 2);
    assert_string_equal(whole_one->mixtures[1].names[1], "b");
    assert_int_equal(r->n_rates, 2);
    assert_int_equal(t->micro_batch_size, 5); /* the larger lane's share */
    assert_int_equal(t->warmup_steps, 2);
    assert_int_equal(t->eval_steps, 7);
    assert_int_equal(t->lr_scheduler_type, PL_SCHEDULE_COSINE);
    assert_int_equal(t->loss_mean, PL_LOSS_EXAMPLES);
    assert_true(t->dropout == 0 && r->bf16 && r->save);
    pl_spec_free(s);
}

/* Every key stands in what is frozen and hashed, with its default. */
static void test_primary(void **state)
{
    (void)state;
    static const char head[] = "name: e\nmodels: [m]\ntasks: [t.yaml]\narms: [{kind: prompt}]\nprimary: ";
    static const struct {
        const char *value, *error;
    } bad[] = {
        {"{task: t}", "needs arm and minus"},
        {"[{arm: {kind: prompt}, minus: best_prompt}]", "task is missing"},
        {"[{task: t, arm: {kind: prompt}, minus: worst}]", "minus: expected a map"},
        {"[{task: t, arm: {kind: other}, minus: best_prompt}]", "prompt, linear"},
        {"[{task: t, arm: {shots: 4}, minus: best_prompt}]", "kind is missing"},
        {"[{task: t, arm: {kind: prompt, seeds: 3}, minus: best_prompt}]", "seeds"},
        {"[{task: t, arm: {kind: prompt}, minus: best_prompt, metric: f1}]", "acc"},
        {"[{task: t, arm: {kind: prompt}, minus: best_prompt}, {task: t, arm: {kind: linear}, minus: best_prompt}]",
         "two contrasts"},
        {"[3]", "expected a map"},
    };
    char text[600];
    pl_spec *s;
    snprintf(text, sizeof text, "%s%s\n", head,
             "{task: t, arm: {kind: linear, n_train: 64}, minus: {kind: prompt, shots: 0}, templates: dev}");
    OK(pl_spec_parse(&s, text, strlen(text), "folder/e.yaml", NULL, 0));
    json_t *expected = json_pack("[{s:s,s:s,s:s,s:s,s:{s:s,s:i},s:{s:s,s:i}}]", "task", "t", "metric", "acc",
                                 "templates", "dev", "readout", "loglikelihood", "arm", "kind", "linear", "n_train", 64,
                                 "minus", "kind", "prompt", "shots", 0);
    assert_true(json_equal(s->primary, expected));
    json_decref(expected);
    pl_spec_free(s);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, "%s%s\n", head, bad[i].value);
        REFUSED(pl_spec_parse(&s, text, strlen(text), "folder/e.yaml", NULL, 0), PL_E_INPUT, bad[i].error);
    }
}

/* What is said stands in what is frozen and hashed; what is not said is the analysis' to know. */
static void test_verdict(void **state)
{
    (void)state;
    static const char head[] = "name: e\nmodels: [m]\ntasks: [t.yaml]\narms: [{kind: prompt}]\nverdict: ";
    static const struct {
        const char *value, *error;
    } bad[] = {
        {"0.7", "verdict: expected a map"},
        {"{require: 70}", "require: expected a share above 0, 1 at most, found 70"},
        {"{margin: 0}", "margin: expected a share above 0"},
        {"{margin: wide}", "expected a finite number, found 'wide'"},
        {"{threshold: 0.7}", "threshold"},
    };
    char text[300];
    pl_spec *s;
    snprintf(text, sizeof text, "%s{require: 0.7}\n", head);
    OK(pl_spec_parse(&s, text, strlen(text), "folder/e.yaml", NULL, 0));
    assert_int_equal(json_object_size(s->verdict), 1);
    assert_true(json_real_value(json_object_get(s->verdict, "require")) == 0.7);
    pl_spec_free(s);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, "%s%s\n", head, bad[i].value);
        REFUSED(pl_spec_parse(&s, text, strlen(text), "folder/e.yaml", NULL, 0), PL_E_INPUT, bad[i].error);
    }
}

/* Ways of asking are the product of the lists, less what would be the same twice; tables name each. */
static void test_chat(void **state)
{
    (void)state;
    static const char head[] = "name: e\nmodels: [m]\ntasks: [t.yaml]\narms: [{kind: prompt}]\nchat: ";
    static const struct {
        const char *value, *labels;
    } good[] = {
        {"{}", "|"},
        {"{apply: true}", "chat|"},
        {"{apply: [true, false]}", "|chat|"},
        {"{system: S}", "sys|"},
        {"{apply: [false, true], system: [null, S]}", "|sys|chat|chat-sys|"},
        {"{apply: true, system: [A, null, B]}", "chat-sys1|chat|chat-sys2|"},
        {"{apply: [false, true], fewshot_as_multiturn: [false, true]}", "|chat|chat-multi|"},
        {"{apply: [false, true], fewshot_as_multiturn: true}", "|chat-multi|"},
        {"{apply: true, fewshot_as_multiturn: [true, false], system: S}", "chat-sys|chat-multi-sys|"},
    };
    static const struct {
        const char *value, *error;
    } bad[] = {
        {"true", "chat: expected a map"},
        {"{apply: often}", "folder/e.yaml:5"},
        {"{apply: [true, true]}", "apply: listed twice"},
        {"{fewshot_as_multiturn: true}", "expected apply: true beside it"},
        {"{system: ''}", "expected a text that is not empty"},
        {"{system: [S, S]}", "the same one is listed twice"},
        {"{system: [null, null]}", "the same one is listed twice"},
        {"{date: 26 Jul 2024}", "date: expected a day as 2024-07-26, found '26 Jul 2024'"},
        {"{date: 2024-13-01}", "date: expected a day"},
        {"{template: x}", "template"},
    };
    char text[300];
    pl_spec *s;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char labels[200] = "";
        snprintf(text, sizeof text, "%s%s\n", head, good[i].value);
        OK(pl_spec_parse(&s, text, strlen(text), "folder/e.yaml", NULL, 0));
        assert_string_equal(s->chat_date, "2024-07-26");
        for (size_t c = 0; c < s->n_chats; c++) {
            strcat(strcat(labels, s->chats[c].label), "|");
            assert_int_equal(strstr(s->chats[c].label, "chat") != NULL, s->chats[c].apply);
            assert_int_equal(strstr(s->chats[c].label, "multi") != NULL, s->chats[c].multiturn);
            assert_int_equal(strstr(s->chats[c].label, "sys") != NULL, s->chats[c].system != NULL);
            /* Turns make no difference without shots; they are left out where the same is asked without turns. */
            assert_int_equal(pl_spec_chat_needs_shots(s, &s->chats[c]),
                             s->chats[c].multiturn && strstr(good[i].value, "false") &&
                                 strstr(strstr(good[i].value, "fewshot"), "false"));
        }
        assert_string_equal(labels, good[i].labels);
        pl_spec_free(s);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, "%s%s\n", head, bad[i].value);
        REFUSED(pl_spec_parse(&s, text, strlen(text), "folder/e.yaml", NULL, 0), PL_E_INPUT, bad[i].error);
    }
    OK(pl_spec_parse(&s, head, strlen(head) - strlen("chat: "), "folder/e.yaml", NULL, 0));
    assert_int_equal(s->n_chats, 1);
    assert_string_equal(s->chats[0].label, "");
    assert_null(s->chat_date);
    pl_spec_free(s);
}

/* What is asked of the analysis, and nothing where nothing is. */
static void test_analysis(void **state)
{
    (void)state;
    static const char head[] = "name: e\nmodels: [m]\ntasks: [t.yaml]\narms: [{kind: prompt}]\nanalysis: ";
    static const struct {
        const char *value, *error;
    } bad[] = {
        {"layer_pairs", "analysis: expected a map"},
        {"{layer_pairs: 7}", "expected true or false"},
        {"{layers: true}", "layers"},
    };
    char text[300];
    pl_spec *s;
    snprintf(text, sizeof text, "%s{layer_pairs: true}\n", head);
    OK(pl_spec_parse(&s, text, strlen(text), "folder/e.yaml", NULL, 0));
    assert_true(json_is_true(json_object_get(s->analysis, "layer_pairs")));
    pl_spec_free(s);
    snprintf(text, sizeof text, "%s{layer_pairs: false}\n", head);
    OK(pl_spec_parse(&s, text, strlen(text), "folder/e.yaml", NULL, 0));
    assert_null(s->analysis);
    pl_spec_free(s);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, "%s%s\n", head, bad[i].value);
        REFUSED(pl_spec_parse(&s, text, strlen(text), "folder/e.yaml", NULL, 0), PL_E_INPUT, bad[i].error);
    }
}

/* `staged` needs what is enough; what it allows stands in what is hashed only then. */
static void test_staged(void **state)
{
    (void)state;
    static const char head[] = "name: e\nmodels: [m]\ntasks: [t.yaml]\narms: [{kind: prompt}]\n";
    static const struct {
        const char *text;
        bool staged;
        size_t n;
        double sd_max;
    } good[] = {
        {"staged: true\nverdict: {require: 0.7}\n", true, 2, 0.05},
        {"staged: true\nverdict: {require: 0.7, template_sd_max: 0.1}\n", true, 2, 0.1},
        {"staged: false\nverdict: {require: 0.7, template_sd_max: 0.1}\n", false, 1, 0},
        {"staged: false\n", false, 0, 0},
    };
    static const struct {
        const char *text, *error;
    } bad[] = {
        {"staged: true\n", "folder/e.yaml:5:9: staged: expected the accuracy that is enough, found none"},
        {"staged: true\nverdict: {margin: 0.1}\n", "staged: expected the accuracy that is enough"},
        {"staged: maybe\nverdict: {require: 0.7}\n", "folder/e.yaml:5:9"},
        {"verdict: {template_sd_max: 0}\n", "template_sd_max: expected a share above 0"},
    };
    char text[300];
    pl_spec *s;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        snprintf(text, sizeof text, "%s%s", head, good[i].text);
        OK(pl_spec_parse(&s, text, strlen(text), "folder/e.yaml", NULL, 0));
        assert_int_equal(s->staged, good[i].staged);
        assert_int_equal(json_object_size(s->verdict), good[i].n);
        assert_true(json_number_value(json_object_get(s->verdict, "template_sd_max")) == good[i].sd_max);
        pl_spec_free(s);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, "%s%s", head, bad[i].text);
        REFUSED(pl_spec_parse(&s, text, strlen(text), "folder/e.yaml", NULL, 0), PL_E_INPUT, bad[i].error);
    }
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
        {"name: x\nmodels: g\ntasks: t\narms: [{kind: prompt, name: a b}]\n", "name: expected letters"},
        {"name: x\nmodels: g\ntasks: t\narms: [{kind: prompt, name: a}, {kind: linear, n_train: 8, name: a}]\n",
         "two arms are called 'a'"},
        {"name: x\nmodels: g\ntasks: t\narms: [{kind: prompt, readout: guess}]\n",
         "expected one of loglikelihood, generate"},
        {"name: x\nmodels: g\ntasks: t\narms: [{kind: prompt}]\ntemplates: {id: [a], ood: [a]}\n", "named twice"},
        {"name: x\nmodels: g\ntasks: t\narms: [{kind: prompt}]\ncapture: {dtype: float8}\n", "found 'float8'"},
        {"name: x\nmodels: g\ntasks: t\narms: [{kind: prompt}]\nitems: 0\n", "items: expected 1 or more"},
        {"name: x\nmodels: g\ntasks: t\narms: [{kind: prompt}]\nanalyses: {}\n", "unknown key 'analyses'"},
        {"name: x\nmodels: g\ntasks: t\narms: [{kind: prompt}]\nanalysis: {umap: {}}\n", "unknown key 'umap'"},
        {"name: x\nmodels: g\ntasks: t\narms: [{kind: prompt}]\nanalysis: {tsne: {layers: [deep]}}\n",
         "expected numbers, half, last, final_norm or all; found 'deep'"},
        {"name: x\nmodels: g\ntasks: t\narms: [{kind: prompt}]\nanalysis: {tsne: {perplexity: 3}}\n",
         "perplexity: expected 4 or more"},
        {"name: x\nmodels: g\ntasks: t\narms: [{kind: prompt}]\nanalysis: [tsne]\n", "analysis: expected a map"},
        {"name: x\nmodels: g\ntasks: t\narms: [{kind: prompt}]\nanalysis: {tsne: {}}\ncapture: {positions: [mean]}\n",
         "maps are of position last"},
        {"name: x\nmodels: ${PLUMB_TEST_UNSET}\n", "PLUMB_TEST_UNSET is not set"},
        {"name: x\nmodels: {path: g, revision: step1}\n", "revision: there is no folder g/step1"},
        {FINETUNE "}]\n", "'n_train' is missing"},
        {FINETUNE ", n_train: 3}]\n", "n_train: expected 4 to"},
        {FINETUNE ", n_train: [8, 8]}]\n", "n_train: 8 is listed twice"},
        {FINETUNE ", n_train: 8, shots: 1}]\n", "unknown key 'shots'"},
        {FINETUNE ", n_train: 8, head: [lm, lm]}]\n", "head: 'lm' is listed twice"},
        {FINETUNE ", n_train: 8, head: both}]\n", "expected one of lm, classifier; found 'both'"},
        {FINETUNE ", n_train: 8, head: classifier, readout: generate}]\n", "writes no text"},
        {FINETUNE ", n_train: 8, learning_rate: 0}]\n", "learning_rate: expected a number above 0, found 0"},
        {FINETUNE ", n_train: 8, learning_rate: [1e-5, .nan]}]\n", "exp.yaml:4:"},
        {FINETUNE ", n_train: 8, learning_rate: [1e-5, 0.00001]}]\n", "learning_rate: 1e-05 is listed twice"},
        {FINETUNE ", n_train: 8, learning_rate: [1e-5, 1e9]}]\n", "exp.yaml:4: learning_rate is 1e+09"},
        {FINETUNE ", n_train: 8, num_train_epochs: 0}]\n", "num_train_epochs: expected a number above 0"},
        {FINETUNE ", n_train: 8, train_batch_size: 4, lanes: 8}]\n", "lanes: expected at most train_batch_size (4)"},
        {FINETUNE ", n_train: 8, train_batch_size: 8, lanes: 2, micro_batch_size: 8}]\n",
         "micro_batch_size: expected at most 4"},
        {FINETUNE ", n_train: 8, warmup_ratio: 1}]\n", "and below 1, found 1"},
        {FINETUNE ", n_train: 8, warmup_ratio: 0.1, warmup_steps: 3}]\n", "expected one of them"},
        {FINETUNE ", n_train: 8, lr_scheduler_type: step}]\n", "expected one of linear, cosine, constant"},
        {FINETUNE ", n_train: 8, dropout: -1}]\n", "dropout: expected a number of at least 0, and below 1"},
        {FINETUNE ", n_train: 8, train_templates: [a, [a, a]]}]\n", "template 'a' is named twice"},
        {FINETUNE ", n_train: 8, train_templates: [a, [a]]}]\n", "'a' is listed twice"},
        {FINETUNE ", n_train: 8, labels: wrong}]\n", "expected one of given, shuffled"},
        {"name: x\nmodels: g\ntasks: t\narms: [{kind: linear, n_train: 8, learning_rate: 1}]\n",
         "unknown key 'learning_rate'"},
        {"name: x\nmodels: g\ntasks: t\narms: [{kind: lora, n_train: 8}]\n",
         "expected one of prompt, linear, finetune; found 'lora'"},
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_field),
                                       cmocka_unit_test(test_defaults),
                                       cmocka_unit_test(test_suffix),
                                       cmocka_unit_test(test_overrides_and_frozen),
                                       cmocka_unit_test(test_primary),
                                       cmocka_unit_test(test_errors),
                                       cmocka_unit_test(test_arms_that_learn),
                                       cmocka_unit_test(test_verdict),
                                       cmocka_unit_test(test_analysis),
                                       cmocka_unit_test(test_staged),
                                       cmocka_unit_test(test_chat)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
