/* plan.json is read as it was written, and whatever is wrong in one is named: file, unit, key. */
#include "tests.h"

#include "store/plan_file.h"

static json_t *small_plan(void)
{
    json_t *config = json_pack("{s:s}", "doc_to_text", "{{ text }}"), *json;
    pl_planned_model models[] = {{"a", "w1", "t1", "gpt2", 7, false}, {"b", "w2", "t2", "llama", 8, true}};
    pl_planned_template templates[] = {{"plain", "id", config}, {"odd", "ood", NULL}};
    pl_planned_task task = {"colours", "1.0", "cafe", "none", json_pack("[s,s]", "f1", "mcc"), 5, 9, 2, 2, templates};
    pl_planned_unit units[4] = {{.id = "u0", .model = 0, .arm = "prompt", .readout = "loglikelihood", .seed = 1234},
                                {.id = "u1", .model = 1, .arm = "prompt", .readout = "generate", .seed = 99},
                                {.id = "u2", .arm = "finetune", .readout = "loglikelihood", .seed = 99},
                                {.id = "u3", .arm = "finetune", .readout = "loglikelihood", .seed = 99}};
    for (size_t u = 0; u < 4; u++) {
        units[u].template_name = u == 1 ? "odd" : "plain";
        units[u].role = u == 1 ? "ood" : "id";
        units[u].chat = u == 1 ? "chat-sys" : NULL;
        units[u].system = u == 1 ? "be brief" : NULL;
        units[u].k = u == 1 ? 4 : 0;
        if (u < 2) continue;
        units[u].head = "lm";
        units[u].arm_name = "long";
        units[u].train_template = "plain+odd";
        units[u].labels = "given";
        units[u].n_train = 64;
        units[u].learned_by = u == 3 ? "u2" : NULL;
    }
    pl_plan_file file = {"small", "0123", 2, 1, 4, models, &task, units, NULL, NULL, NULL, true, NULL, NULL};
    file.primary =
        json_pack("[{s:s,s:s,s:s,s:s}]", "task", "t", "metric", "acc", "templates", "ood", "readout", "loglikelihood");
    file.verdict = json_pack("{s:f}", "margin", 0.02);
    file.analysis = json_pack("{s:b}", "length", 1);
    file.maps = json_pack("{s:[s],s:i,s:i,s:i}", "layers", "half", "perplexity", 30, "dims", 50, "seeds", 1);
    OK(pl_plan_file_json(&json, &file));
    json_decref(file.maps);
    json_decref(config);
    json_decref(file.primary);
    json_decref(file.verdict);
    json_decref(file.analysis);
    json_decref(task.metrics);
    return json;
}

static void a_plan_is_read_as_written(void **state)
{
    (void)state;
    json_t *json = small_plan(), *again;
    pl_plan_file *file;
    OK(pl_plan_file_parse(&file, json, "plan.json"));
    assert_string_equal(file->units[1].id, "u1");
    assert_int_equal(file->units[1].model, 1);
    assert_int_equal(file->units[1].k, 4);
    assert_string_equal(file->units[1].chat, "chat-sys");
    assert_string_equal(file->units[1].system, "be brief");
    assert_null(file->units[0].system);
    assert_int_equal(file->units[1].seed, 99);
    assert_true(pl_planned_learns(&file->units[2]) && !pl_planned_learns(&file->units[3]));
    assert_false(pl_planned_learns(&file->units[1]));
    assert_string_equal(file->units[3].learned_by, "u2");
    assert_string_equal(file->units[3].train_template, "plain+odd");
    assert_int_equal(file->units[3].n_train, 64);
    assert_string_equal(file->units[3].arm_name, "long");
    assert_null(file->units[1].arm_name);
    assert_true(file->models[1].random_weights && !file->models[0].random_weights);
    assert_int_equal(file->tasks[0].n_labels, 2);
    assert_int_equal(json_array_size(file->tasks[0].metrics), 2);
    assert_string_equal(file->tasks[0].templates[1].role, "ood");
    assert_int_equal(json_array_size(file->primary), 1);
    assert_true(json_number_value(json_object_get(file->verdict, "margin")) == 0.02);
    assert_true(pl_planned_analysis(file, "length") && !pl_planned_analysis(file, "layer_pairs"));
    assert_true(file->staged);
    assert_int_equal(json_integer_value(json_object_get(file->maps, "perplexity")), 30);
    OK(pl_plan_file_json(&again, file));
    assert_true(json_equal(json, again));
    pl_plan_file_free(file);
    json_decref(again);
    json_decref(json);
}

/* An id becomes a part of paths: one that leads elsewhere is refused where the plan is read. */
static void ids_are_names(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "..", "../../etc/passwd", "a/b", ".hidden", "a b"};
    json_t *json = small_plan(), *one = json_array_get(json_object_get(json, "units"), 1);
    pl_plan_file *file;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json_object_set_new(one, "id", json_string(bad[i]));
        REFUSED(pl_plan_file_parse(&file, json, "plan.json"), PL_E_INPUT, "plan.json: units[1]: id '");
    }
    json_decref(json);
}

/* Each key away, or of another type, is an error that names it and where it is. */
static void check_keys(json_t *json, json_t *object, const char *where)
{
    size_t n = json_object_size(object), i = 0;
    const char *keys[32], *key;
    json_t *value;
    json_object_foreach(object, key, value) keys[i++] = key;
    for (i = 0; i < n; i++) {
        char names[64];
        pl_plan_file *file;
        if (!strcmp(keys[i], "config") || !strcmp(keys[i], "primary") || !strcmp(keys[i], "verdict") ||
            !strcmp(keys[i], "analysis") || !strcmp(keys[i], "staged") || !strcmp(keys[i], "maps") ||
            !strcmp(keys[i], "metrics") || !strcmp(keys[i], "chat") || !strcmp(keys[i], "system"))
            continue; /* may be absent */
        value = json_incref(json_object_get(object, keys[i]));
        snprintf(names, sizeof names, "%s: %s", where, keys[i]);
        json_object_set_new(object, keys[i], json_real(0.5));
        REFUSED(pl_plan_file_parse(&file, json, "plan.json"), PL_E_INPUT, names);
        json_object_set_new(object, keys[i], json_null());
        REFUSED(pl_plan_file_parse(&file, json, "plan.json"), PL_E_INPUT, names);
        json_object_set_new(object, keys[i], value);
    }
}

static void errors_name_unit_and_key(void **state)
{
    (void)state;
    json_t *json = small_plan(), *units = json_object_get(json, "units");
    json_t *task = json_array_get(json_object_get(json, "tasks"), 0);
    pl_plan_file *file;
    check_keys(json, json, "plan.json");
    check_keys(json, json_array_get(units, 1), "plan.json: units[1]");
    check_keys(json, json_array_get(json_object_get(json, "models"), 0), "plan.json: models[0]");
    check_keys(json, task, "plan.json: tasks[0]");
    check_keys(json, json_array_get(json_object_get(task, "templates"), 1), "plan.json: tasks[0]: templates[1]");
    json_object_set_new(json_object_get(json, "verdict"), "margin", json_string("small"));
    REFUSED(pl_plan_file_parse(&file, json, "plan.json"), PL_E_INPUT, "plan.json: verdict: expected numbers");
    json_object_set_new(json_object_get(json, "verdict"), "margin", json_real(0.02));
    json_object_set_new(json_object_get(json, "analysis"), "length", json_integer(1));
    REFUSED(pl_plan_file_parse(&file, json, "plan.json"), PL_E_INPUT, "plan.json: analysis: expected what is true");
    json_object_set_new(json_object_get(json, "analysis"), "length", json_true());
    json_object_set_new(task, "metrics", json_pack("[i]", 1));
    REFUSED(pl_plan_file_parse(&file, json, "plan.json"), PL_E_INPUT, "plan.json: tasks[0]: metrics");
    json_object_set_new(task, "metrics", json_pack("[s]", "f1"));
    json_object_set_new(json, "staged", json_real(0.5));
    REFUSED(pl_plan_file_parse(&file, json, "plan.json"), PL_E_INPUT, "plan.json: staged");
    json_object_set_new(json, "staged", json_true());
    json_object_set_new(json_object_get(json, "maps"), "seeds", json_integer(0));
    REFUSED(pl_plan_file_parse(&file, json, "plan.json"), PL_E_INPUT, "plan.json: maps: seeds: found 0");
    json_object_set_new(json_object_get(json, "maps"), "seeds", json_integer(1));
    json_array_append_new(json_object_get(json_object_get(json, "maps"), "layers"), json_true());
    REFUSED(pl_plan_file_parse(&file, json, "plan.json"), PL_E_INPUT, "plan.json: maps: layers: expected texts");
    json_array_remove(json_object_get(json_object_get(json, "maps"), "layers"), 1);
    json_object_set_new(json_array_get(units, 0), "model", json_string("c"));
    REFUSED(pl_plan_file_parse(&file, json, "plan.json"), PL_E_INPUT, "units[0]: model 'c'");
    json_object_set_new(json, "format", json_integer(1));
    REFUSED(pl_plan_file_parse(&file, json, "plan.json"), PL_E_INPUT, "format 1");
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_plan_is_read_as_written), cmocka_unit_test(ids_are_names),
                                       cmocka_unit_test(errors_name_unit_and_key)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
