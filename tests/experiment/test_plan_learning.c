/* Planning arms that learn: their examples, what decides their ids, and what is refused before anything is learned. */
#include "experiment/planned.h"

#include "engine/engine.h"
#include "experiment/draw.h"
#include "experiment/examples.h"

#define LONG "name: e\nmodels: [m]\ntasks: [long.yaml]\n"

/* The examples of a draw: shots are the first of them, dev items the last quarter, and every arm has the same. */
static void arms_share_their_examples(void **state)
{
    (void)state;
    pl_spec *spec;
    pl_plan *plan = plan_of(&spec, LONG "arms: [{kind: linear, n_train: [8, 12], seeds: 2}, "
                                        "{kind: finetune, n_train: [8, 12], seeds: 2}]\n");
    const pl_examples *of[2][2][2] = {{{NULL}}}; /* arm, size, draw */
    assert_int_equal(plan->n_units, 2 * 4 * (1 + 2));
    for (size_t u = 0; u < plan->n_units; u++) {
        const pl_plan_unit *unit = &plan->units[u];
        const pl_adaptation *a = unit->adaptation;
        assert_int_equal(unit->learns, a->unit == u);
        assert_true(a->unit <= u && u - a->unit <= 2); /* its evaluations follow at once */
        assert_false(unit->learns && unit->captures);
        if (unit->learns) of[a->arm->kind == PL_ARM_FINETUNE][a->n_train == 12][a->draw] = a->examples;
    }
    for (size_t s = 0; s < 2; s++)
        for (size_t d = 0; d < 2; d++) {
            const pl_examples *e = of[0][s][d];
            size_t permutation[40], classes[2] = {0};
            assert_string_equal(e->digest, of[1][s][d]->digest);
            OK(pl_draw_permutation(permutation, plan->tasks[0].classes, 40, pl_draw_seed(1234, "long"), (uint32_t)d));
            assert_int_equal(e->n, s ? 12 : 8);
            assert_int_equal(e->n_dev, e->n / 4);
            assert_memory_equal(e->rows, permutation, e->n * sizeof *permutation);
            for (size_t i = 0; i < e->n; i++) classes[e->classes[i]]++;
            assert_int_equal(classes[0], classes[1]);
        }
    assert_string_not_equal(of[0][0][0]->digest, of[0][0][1]->digest);
    drop(plan, spec);
}

/* No group stands among dev items and what is trained on; the examples are the draw's all the same. */
static void groups_are_not_parted(void **state)
{
    (void)state;
    static const size_t n_dev[2][2] = {{4, 4}, {4, 4}};
    for (size_t c = 0; c < 2; c++) {
        pl_spec *spec;
        write_file("parted.yaml",
                   c ? "include: long.yaml\nplumb: {group: v}\n" : "include: long.yaml\nplumb: {group: u}\n");
        pl_plan *plan = plan_of(&spec, "name: e\nmodels: [m]\ntasks: [parted.yaml]\n"
                                       "arms: [{kind: finetune, n_train: 16, seeds: 2}]\n");
        for (size_t u = 0, d = 0; u < plan->n_units; u++) {
            if (!plan->units[u].learns) continue;
            const pl_examples *e = plan->units[u].adaptation->examples;
            size_t permutation[40], found = 0;
            OK(pl_draw_permutation(permutation, plan->tasks[0].classes, 40, pl_draw_seed(1234, "long"), (uint32_t)d));
            for (size_t i = 0; i < 16; i++)
                for (size_t k = 0; k < 16; k++) found += e->rows[i] == permutation[k];
            assert_int_equal(found, 16);
            for (size_t i = 0; c == 0 && i < 16 - e->n_dev; i++) /* v: one group is all there is */
                for (size_t k = 16 - e->n_dev; k < 16; k++) assert_int_not_equal(e->rows[i] / 4, e->rows[k] / 4);
            assert_int_equal(e->n_dev, n_dev[c][d++]);
            if (c == 1) assert_memory_equal(e->rows, permutation, 16 * sizeof *permutation);
        }
        drop(plan, spec);
    }
}

/* A row that reads like an evaluated item is never learned from. */
static void examples_do_not_give_items_away(void **state)
{
    (void)state;
    pl_spec *spec;
    write_file("mixed.yaml", "include: task.yaml\ntask: mixed\ntraining_split: mixed.jsonl\n");
    write_file("mixed.jsonl",
               "{\"t\":\"a\",\"l\":0}\n{\"t\":\"b\",\"l\":1}\n{\"t\":\"x\",\"l\":0}\n{\"t\":\"y\",\"l\":1}\n"
               "{\"t\":\"z\",\"l\":0}\n{\"t\":\"w\",\"l\":1}\n");
    pl_plan *plan = plan_of(&spec, "name: e\nmodels: [m]\ntasks: [mixed.yaml]\narms: [{kind: linear, n_train: 4}]\n");
    const pl_examples *e = plan->units[0].adaptation->examples;
    for (size_t i = 0; i < e->n; i++) assert_true(e->rows[i] >= 2);
    drop(plan, spec);
}

static void shuffled_labels_are_the_same_labels(void **state)
{
    (void)state;
    pl_spec *spec;
    pl_plan *plan = plan_of(&spec, LONG "arms: [{kind: linear, n_train: 32, labels: [given, shuffled]}]\n");
    const pl_examples *given = plan->units[0].adaptation->examples, *shuffled = plan->units[3].adaptation->examples;
    size_t n_moved = 0, ones[2] = {0};
    assert_int_equal(plan->units[3].adaptation->labels, PL_LABELS_SHUFFLED);
    for (size_t i = 0; i < 32; i++) {
        assert_int_equal(given->rows[i], shuffled->rows[i]);
        n_moved += given->classes[i] != shuffled->classes[i];
        ones[0] += given->classes[i];
        ones[1] += shuffled->classes[i];
    }
    assert_int_equal(ones[0], ones[1]);
    assert_true(n_moved >= 8 && n_moved <= 24);
    assert_string_not_equal(plan->units[0].id, plan->units[3].id);
    drop(plan, spec);
}

static void a_mixture_deals_its_templates(void **state)
{
    (void)state;
    pl_spec *spec;
    pl_plan *plan = plan_of(&spec, LONG "templates: {id: [plain], dev: [odd]}\n"
                                        "arms: [{kind: finetune, n_train: 10, train_templates: [[plain, odd]]}]\n");
    const pl_adaptation *a = plan->units[0].adaptation;
    size_t second = 0;
    assert_string_equal(a->train_template, "plain+odd");
    for (size_t i = 0; i < 10; i++) second += a->examples->template_of[i];
    assert_int_equal(second, 5);
    assert_int_equal(a->n_dev_templates, 1);
    assert_string_equal(a->dev_templates[0]->name, "odd");
    drop(plan, spec);
}

/* All that decides the numbers of a unit that learns changes its id, and those of what evaluates it. */
static void what_is_learned_decides_ids(void **state)
{
    (void)state;
    static const char *const arms[] = {"",
                                       ", learning_rate: 1e-5",
                                       ", learning_rate: [1e-5, 5e-5]",
                                       ", num_train_epochs: 2",
                                       ", train_batch_size: 4",
                                       ", micro_batch_size: 4",
                                       ", lanes: 2",
                                       ", lr_scheduler_type: cosine",
                                       ", warmup_ratio: 0.1",
                                       ", warmup_steps: 1",
                                       ", weight_decay: 0.1",
                                       ", adam_beta1: 0.8",
                                       ", adam_beta2: 0.99",
                                       ", adam_epsilon: 1e-6",
                                       ", max_grad_norm: 0",
                                       ", dropout: 0",
                                       ", gradient_checkpointing: true",
                                       ", bf16: true",
                                       ", eval_steps: 3",
                                       ", loss_mean: examples",
                                       ", head: classifier",
                                       ", labels: shuffled",
                                       ", train_templates: odd",
                                       ", balance: false"};
    enum { N = sizeof arms / sizeof *arms };
    static char ids[N][2][PL_HASH_TEXT];
    for (size_t i = 0; i < N; i++) {
        char text[400];
        pl_spec *spec;
        snprintf(text, sizeof text, LONG "templates: {id: [plain, odd]}\narms: [{kind: finetune, n_train: 8%s}]\n",
                 arms[i]);
        pl_plan *plan = plan_of(&spec, text);
        for (size_t u = 0; u < 2; u++) memcpy(ids[i][u], plan->units[u].id, PL_HASH_TEXT);
        for (size_t j = 0; j < i; j++)
            for (size_t u = 0; u < 2; u++)
                if (!strcmp(ids[i][u], ids[j][u])) fail_msg("'%s' and '%s' have one id", arms[i], arms[j]);
        drop(plan, spec);
    }
    pl_spec *spec;
    pl_plan *plan =
        plan_of(&spec, LONG "templates: {id: [plain, odd]}\narms: [{kind: finetune, n_train: 8, save: true}]\n");
    assert_string_equal(plan->units[0].id, ids[0][0]); /* what is kept decides no number */
    drop(plan, spec);
}

static void what_cannot_be_learned_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *task, *rest, *part;
    } cases[] = {
        {"task", "arms: [{kind: linear, n_train: 4}]", "n_train: 4 examples are asked for, the pool has 2 rows"},
        {"nopool", "arms: [{kind: linear, n_train: 4}]", "there is nothing to learn from"},
        {"oneclass", "arms: [{kind: linear, n_train: 4}]", "have label 0: expected two labels or more"},
        {"long", "arms: [{kind: linear, n_train: 4, train_templates: none}]", "has no template 'none'"},
        {"long", "arms: [{kind: linear, n_train: 4, train_templates: raw}]", "shows the item's text alone"},
        {"long", "arms: [{kind: linear, n_train: 4, train_templates: odd}]", "'odd' has role ood"},
        {"long", "templates: {dev: [plain]}\narms: [{kind: linear, n_train: 4}]", "no template of role id"},
        {"long", "arms: [{kind: linear, n_train: 4, layers: 99}]", "found '99'"},
        {"alike", "templates: {id: [plain]}\narms: [{kind: finetune, n_train: 4, train_templates: same}]",
         "choices 0 and 1 are both '"},
        {"alike", "templates: {id: [plain]}\narms: [{kind: finetune, n_train: 4, train_templates: turned}]",
         "another label than"},
        {"long", "arms: [{kind: finetune, n_train: 4}, {kind: finetune, n_train: 4, num_train_epochs: 9}]",
         "arms.0 and arms.1 both make 'finetune lm on plain, n = 4, draw 0, template plain' of task long, in two ways "
         "(recipe, layers or balance), which no table tells apart: give one of them a name"},
        {"long", "arms: [{kind: finetune, n_train: 4, name: a}, {kind: finetune, n_train: 4}]",
         "arms.0 and arms.1 both make 'finetune:a lm on plain, n = 4, draw 0, template plain' of task long in one "
         "way, and differ in their name alone"},
        {"long", "arms: [{kind: prompt, name: a}, {kind: prompt, name: b}]", "'prompt:a, template plain, k = 0"},
        {"long", "arms: [{kind: linear, n_train: 4}, {kind: linear, n_train: [8, 4], layers: half}]", "in two ways"},
        {"long", "arms: [{kind: prompt, shots: 2}, {kind: prompt, shots: 2, balance: false}]", "in two ways"},
        {"open", "arms: [{kind: linear, n_train: 4}]", "arm linear needs a label set"},
        {"open", "arms: [{kind: finetune, n_train: 4, head: classifier}]", "head classifier needs a label set"},
    };
    write_file("nopool.yaml", "include: base.yaml\ntask: letters\ntest_split: test.jsonl\n");
    write_file("zeros.jsonl",
               "{\"t\":\"p\",\"l\":0}\n{\"t\":\"q\",\"l\":0}\n{\"t\":\"r\",\"l\":0}\n{\"t\":\"s\",\"l\":0}\n");
    write_file("oneclass.yaml", "include: task.yaml\ntraining_split: zeros.jsonl\n");
    write_file(
        "alike.yaml",
        "include: long.yaml\nplumb: {templates: [{name: plain, role: id}, {name: same, role: dev, doc_to_choice: "
        "[\"{{ t }}\", \"{{t}}\"]}, {name: turned, role: dev, doc_to_target: \"{% if l == 0 %}n{% else %}y{% "
        "endif %}\"}]}\n");
    write_file("open.yaml", "task: open\noutput_type: generate_until\ntest_split: test.jsonl\ntraining_split: "
                            "long.jsonl\ndoc_to_text: \"{{ t }}\"\ndoc_to_target: \"{{ t }}\"\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[400], path[PL_PATH_MAX];
        pl_spec *spec;
        pl_plan *plan;
        snprintf(text, sizeof text, "name: e\nmodels: [m]\ntasks: [%s.yaml]\n%s\n", cases[i].task, cases[i].rest);
        OK(pl_path(path, "%s/e.yaml", root));
        OK(pl_spec_parse(&spec, text, strlen(text), path, NULL, 0));
        REFUSED(pl_plan_create(&plan, spec), PL_E_INPUT, cases[i].part);
        pl_spec_free(spec);
    }
}

/* A name lets arms stand side by side that differ in their recipe alone, and decides no id: only the plan's hash. */
static void a_name_tells_arms_apart(void **state)
{
    (void)state;
    static const char *const arms[] = {"{kind: finetune, n_train: 8}", "{kind: finetune, n_train: 8, name: long}",
                                       "{kind: finetune, n_train: 8}, {kind: finetune, n_train: 8, "
                                       "num_train_epochs: 9, name: long}"};
    static const size_t n_units[] = {3, 3, 6};
    char text[400], hashes[3][PL_HASH_TEXT], first[PL_HASH_TEXT] = "", name[PL_UNIT_NAME];
    for (size_t i = 0; i < 3; i++) {
        pl_spec *spec;
        snprintf(text, sizeof text, LONG "arms: [%s]\n", arms[i]);
        pl_plan *plan = plan_of(&spec, text);
        assert_int_equal(plan->n_units, n_units[i]);
        if (i == 0) memcpy(first, plan->units[0].id, sizeof first);
        assert_string_equal(plan->units[0].id, first);
        memcpy(hashes[i], plan->hash, sizeof hashes[i]);
        pl_plan_unit_name(name, &plan->units[n_units[i] - 3]);
        assert_string_equal(name,
                            i ? "finetune:long lm on plain, n = 8, draw 0" : "finetune lm on plain, n = 8, draw 0");
        drop(plan, spec);
    }
    assert_string_not_equal(hashes[0], hashes[1]);
    assert_string_not_equal(hashes[0], hashes[2]);
}

/* In training the checkpoint's own dropouts count where the arm says none, and a new head is drawn from its range. */
static void a_config_is_part_of_what_is_learned(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *arm;
        bool same;
    } cases[] = {
        {"\"resid_pdrop\": 0.1", "\"resid_pdrop\": 0.2", "kind: finetune, n_train: 8", false},
        {"\"embd_pdrop\": 0.1", "\"embd_pdrop\": 0.2", "kind: finetune, n_train: 8", false},
        {"\"attn_pdrop\": 0.1", "\"attn_pdrop\": 0.2", "kind: finetune, n_train: 8", false},
        {"\"resid_pdrop\": 0.1", "\"resid_pdrop\": 0.2", "kind: finetune, n_train: 8, dropout: 0", true},
        {"\"resid_pdrop\": 0.1", "\"resid_pdrop\": 0.2", "kind: linear, n_train: 8", true},
        {"0.02", "0.03", "kind: finetune, n_train: 8, head: classifier", false},
        {"0.02", "0.03", "kind: finetune, n_train: 8", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char plain[PL_HASH_TEXT], other[PL_HASH_TEXT];
        id_with(plain, cases[i].from, cases[i].from, cases[i].arm);
        id_with(other, cases[i].from, cases[i].to, cases[i].arm);
        if (cases[i].same != !strcmp(plain, other)) fail_msg("%s, %s", cases[i].to, cases[i].arm);
    }
}

/* The text that ends an answer is learned with it; a group keeps rows together in cross-validation. */
static void a_task_is_part_of_what_is_learned(void **state)
{
    (void)state;
    static const char open[] = "task: e\noutput_type: generate_until\ntest_split: test.jsonl\n"
                               "training_split: long.jsonl\ndoc_to_text: \"{{ t }}\"\ndoc_to_target: \"{{ l }}\"\n"
                               "generation_kwargs: {until: [\"%s\", x]}\n";
    static const char grouped[] = "include: long.yaml\nplumb: {group: %s}\n";
    static const struct {
        const char *task, *a, *b, *arm;
    } cases[] = {{open, "y", "n", "kind: finetune, n_train: 8, readout: generate"},
                 {grouped, "t", "u", "kind: linear, n_train: 8"}};
    for (size_t i = 0; i < 2; i++) {
        char ids[2][PL_HASH_TEXT], text[400];
        for (size_t k = 0; k < 2; k++) {
            pl_spec *spec;
            snprintf(text, sizeof text, cases[i].task, k ? cases[i].b : cases[i].a);
            write_file("changed.yaml", text);
            snprintf(text, sizeof text, "name: e\nmodels: [m]\ntasks: [changed.yaml]\narms: [{%s}]\n", cases[i].arm);
            pl_plan *plan = plan_of(&spec, text);
            assert_true(plan->units[0].learns);
            memcpy(ids[k], plan->units[0].id, PL_HASH_TEXT);
            drop(plan, spec);
        }
        assert_string_not_equal(ids[0], ids[1]);
    }
}

/* A checkpoint with two rows of labels in the head's place. */
static void put_classifier(void)
{
    static const char head[] = ",\"score.weight\":{\"dtype\":\"F32\",\"shape\":[2,24],\"data_offsets\":[%zu,%zu]}}";
    enum { HEAD = 2 * 24 * 4 };
    char path[PL_PATH_MAX], entry[120];
    pl_bytes bytes, out = {0};
    uint64_t size;
    put_model("labels");
    OK(pl_path(path, "%s/labels/model.safetensors", root));
    OK(pl_file_read(&bytes, path, 100000000));
    memcpy(&size, bytes.data, sizeof size);
    const size_t data = bytes.size - sizeof size - size;
    size_t end = sizeof size + size;
    while (bytes.data[end] != '}') end--;
    snprintf(entry, sizeof entry, head, data, data + HEAD);
    const uint64_t new_size = end - sizeof size + strlen(entry);
    OK(pl_bytes_append(&out, &new_size, sizeof new_size));
    OK(pl_bytes_append(&out, bytes.data + sizeof size, end - sizeof size));
    OK(pl_bytes_append(&out, entry, strlen(entry)));
    OK(pl_bytes_append(&out, bytes.data + sizeof size + size, data));
    OK(pl_bytes_append(&out, (float[HEAD / 4]){0}, HEAD));
    OK(pl_file_replace(path, out.data, out.size));
    pl_bytes_free(&bytes);
    pl_bytes_free(&out);
    OK(pl_path(path, "%s/labels/config.json", root));
    OK(pl_file_read(&bytes, path, 100000));
    char *at = strstr(bytes.data, "GPT2LMHeadModel\"");
    assert_non_null(at);
    OK(pl_bytes_append(&out, bytes.data, (size_t)(at - bytes.data)));
    OK(pl_bytes_text(&out, "GPT2ForSequenceClassification"));
    OK(pl_bytes_text(&out, at + strlen("GPT2LMHeadModel")));
    OK(pl_file_replace(path, out.data, out.size));
    pl_bytes_free(&bytes);
    pl_bytes_free(&out);
}

/* It has no words to answer with: not in a prompt, not behind head lm; and no engine takes its labels for words. */
static void a_classifier_answers_with_labels(void **state)
{
    (void)state;
    static const char *const arms[] = {"kind: prompt", "kind: prompt, readout: generate", "kind: finetune, n_train: 8",
                                       "kind: finetune, n_train: 8, head: classifier", "kind: linear, n_train: 8"};
    char text[200], path[PL_PATH_MAX];
    pl_plan *plan = NULL;
    pl_spec *spec;
    put_classifier();
    OK(pl_path(path, "%s/e.yaml", root));
    for (size_t i = 0; i < 5; i++) {
        snprintf(text, sizeof text, "name: e\nmodels: [labels]\ntasks: [long.yaml]\narms: [{%s}]\n", arms[i]);
        OK(pl_spec_parse(&spec, text, strlen(text), path, NULL, 0));
        if (i < 3)
            REFUSED(pl_plan_create(&plan, spec), PL_E_INPUT, "is a sequence classifier of 2 labels");
        else
            OK(pl_plan_create(&plan, spec));
        if (i < 4) drop(plan, spec);
    }
    static const int32_t ids[2][2] = {{0, 1}, {0, 2}}; /* the second is a token, and no label */
    pl_processor processor;
    pl_model *model;
    pl_engine *engine;
    pl_results *results;
    OK(pl_processor_open(&processor, "cpu", 1));
    OK(pl_model_load(&model, &processor, plan->models[0].checkpoint, PL_F32));
    OK(pl_engine_create(&engine, model, NULL));
    for (size_t i = 0; i < 2; i++) {
        const pl_choice choice = {.ids = ids[i], .n = 2, .first = 1};
        const pl_request request = {.ids = ids[i], .n = 1, .n_choices = 1, .choices = &choice, .gold = SIZE_MAX};
        if (i == 0)
            OK(pl_engine_score(engine, &request, 1, NULL, NULL, &results));
        else
            REFUSED(pl_engine_score(engine, &request, 1, NULL, NULL, &results), PL_E_INPUT, "token id 2 is scored");
        pl_results_free(results);
    }
    pl_engine_free(engine);
    pl_model_free(model);
    pl_processor_close(&processor);
    drop(plan, spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(arms_share_their_examples),
                                       cmocka_unit_test(groups_are_not_parted),
                                       cmocka_unit_test(examples_do_not_give_items_away),
                                       cmocka_unit_test(shuffled_labels_are_the_same_labels),
                                       cmocka_unit_test(a_mixture_deals_its_templates),
                                       cmocka_unit_test(what_is_learned_decides_ids),
                                       cmocka_unit_test(what_cannot_be_learned_is_refused),
                                       cmocka_unit_test(a_config_is_part_of_what_is_learned),
                                       cmocka_unit_test(a_task_is_part_of_what_is_learned),
                                       cmocka_unit_test(a_classifier_answers_with_labels),
                                       cmocka_unit_test(a_name_tells_arms_apart)};
    set_up();
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    remove_folder(root);
    return failures;
}
