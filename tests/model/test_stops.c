/* Which ids end a generation, against transformers (golden/models/make_stops.py): generation_config.json goes over
 * config.json, also when it says nothing. */
#include "base/file.h"
#include "base/json.h"
#include "model/model.h"
#include "tests.h"

#define MODELS PLUMB_SOURCE_DIR "/tests/golden/models/"

static void write_text(const char *folder, const char *name, const char *text)
{
    char path[PL_PATH_MAX];
    OK(pl_path(path, "%s/%s", folder, name));
    if (text)
        OK(pl_file_replace(path, text, strlen(text)));
    else
        unlink(path);
}

/* config.json of the golden model with the keys of `extra` and without its own eos_token_id. */
static void write_config(const char *folder, const char *extra)
{
    json_t *config, *more;
    OK(pl_json_read(&config, MODELS "llama-tied/config.json", 1 << 20));
    OK(pl_json_parse(&more, extra, strlen(extra), "extra"));
    assert_int_equal(json_object_del(config, "eos_token_id"), 0);
    assert_int_equal(json_object_update(config, more), 0);
    char *text = json_dumps(config, 0);
    write_text(folder, "config.json", text);
    free(text);
    json_decref(config);
    json_decref(more);
}

static void make_model(char folder[PL_PATH_MAX])
{
    char command[2 * PL_PATH_MAX];
    make_folder(folder);
    snprintf(command, sizeof command, "cp %sllama-tied/model.safetensors %s/", MODELS, folder);
    assert_int_equal(system(command), 0);
}

static void test_against_transformers(void **state)
{
    (void)state;
    char folder[PL_PATH_MAX];
    json_t *root;
    make_model(folder);
    OK(pl_json_read(&root, MODELS "stops.json", 1 << 20));
    const json_t *cases = json_object_get(root, "cases");
    assert_true(json_array_size(cases) > 40);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *one = json_array_get(cases, i), *eos = json_object_get(one, "eos");
        pl_checkpoint *c;
        write_config(folder, json_string_value(json_object_get(one, "config")));
        write_text(folder, "generation_config.json", json_string_value(json_object_get(one, "generation")));
        OK(pl_checkpoint_open(&c, folder));
        const pl_stops *stops = &c->config.stops;
        for (size_t k = 0; k < json_array_size(eos); k++) { /* the same set */
            bool found = false;
            for (size_t s = 0; s < stops->n; s++) found |= stops->ids[s] == json_integer_value(json_array_get(eos, k));
            if (!found) fail_msg("case %zu: %s", i, json_dumps(one, 0));
        }
        for (size_t s = 0; s < stops->n; s++) {
            bool found = false;
            for (size_t k = 0; k < json_array_size(eos); k++)
                found |= stops->ids[s] == json_integer_value(json_array_get(eos, k));
            if (!found || (s && stops->ids[s] <= stops->ids[s - 1])) fail_msg("case %zu: %s", i, json_dumps(one, 0));
        }
        pl_checkpoint_close(c);
    }
    json_decref(root);
    remove_folder(folder);
}

/* Where no file says anything, the tokenizer is asked (pl_stop_ids); an explicit null is an answer. */
static void test_said(void **state)
{
    (void)state;
    static const struct {
        const char *generation, *config;
        bool said;
    } cases[] = {
        {NULL, "{}", false},
        {NULL, "{\"eos_token_id\": null}", true},
        {"{}", "{\"eos_token_id\": 7}", false},
        {"{\"eos_token_id\": null}", "{\"eos_token_id\": 7}", true},
    };
    char folder[PL_PATH_MAX];
    make_model(folder);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pl_checkpoint *c;
        write_config(folder, cases[i].config);
        write_text(folder, "generation_config.json", cases[i].generation);
        OK(pl_checkpoint_open(&c, folder));
        assert_int_equal(c->config.stops.said, cases[i].said);
        assert_int_equal(c->config.stops.n, 0);
        pl_checkpoint_close(c);
    }
    remove_folder(folder);
}

/* What is wrong is named with its file and key. */
static void test_refusals(void **state)
{
    (void)state;
    char folder[PL_PATH_MAX];
    pl_checkpoint *c;
    make_model(folder);
    write_config(folder, "{\"eos_token_id\": \"</s>\"}");
    write_text(folder, "generation_config.json", "{\"eos_token_id\": 7}");
    REFUSED(pl_checkpoint_open(&c, folder), PL_E_INPUT, "/config.json: eos_token_id");
    write_config(folder, "{}");
    write_text(folder, "generation_config.json", "{\"eos_token_id\": [7, \"x\"]}");
    REFUSED(pl_checkpoint_open(&c, folder), PL_E_INPUT, "/generation_config.json: eos_token_id");
    write_text(folder, "generation_config.json", "[]");
    REFUSED(pl_checkpoint_open(&c, folder), PL_E_INPUT, "/generation_config.json: expected a JSON object");
    remove_folder(folder);
}

/* Files that stand for others: a clone without Git LFS, a cache whose download was cut off. */
static void test_stand_ins(void **state)
{
    (void)state;
    static const char pointer[] = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n";
    static const char *const names[] = {"config.json", "generation_config.json", "model.safetensors"};
    char folder[PL_PATH_MAX], path[PL_PATH_MAX];
    pl_checkpoint *c;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        make_model(folder);
        write_config(folder, "{}");
        write_text(folder, names[i], pointer);
        REFUSED(pl_checkpoint_open(&c, folder), PL_E_INPUT, "a Git LFS pointer");
        assert_non_null(strstr(pl_error_text(), names[i]));
        assert_non_null(strstr(pl_error_text(), "git lfs pull"));
        write_text(folder, names[i], NULL);
        OK(pl_path(path, "%s/%s", folder, names[i]));
        assert_int_equal(symlink("../blobs/gone", path), 0);
        REFUSED(pl_checkpoint_open(&c, folder), PL_E_INPUT, "a broken link: it points to '../blobs/gone'");
        assert_non_null(strstr(pl_error_text(), names[i]));
        remove_folder(folder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_transformers),
        cmocka_unit_test(test_said),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_stand_ins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
