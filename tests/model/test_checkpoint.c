/* A checkpoint as a whole: the check of its tensors against config.json, rows of the head, and finding it by name. */
#include "tests.h"

#include "model/model.h"

static char folder[PL_PATH_MAX];

static int set_up(void **state)
{
    (void)state;
    make_folder(folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remove_folder(folder);
    return 0;
}

/* ---- A tiny gpt2, with edits ------------------------------------------------------------------------------------ */

static const char CONFIG[] = "{\"model_type\":\"gpt2\",\"vocab_size\":8,\"n_embd\":4,\"n_layer\":1,\"n_head\":2,"
                             "\"n_positions\":6}";

static const struct stored {
    const char *name;
    size_t rows, columns; /* columns 0: a vector */
} stored[] = {
    {"wte.weight", 8, 4},
    {"wpe.weight", 6, 4},
    {"h.0.ln_1.weight", 4, 0},
    {"h.0.ln_1.bias", 4, 0},
    {"h.0.attn.c_attn.weight", 4, 12},
    {"h.0.attn.c_attn.bias", 12, 0},
    {"h.0.attn.c_proj.weight", 4, 4},
    {"h.0.attn.c_proj.bias", 4, 0},
    {"h.0.ln_2.weight", 4, 0},
    {"h.0.ln_2.bias", 4, 0},
    {"h.0.mlp.c_fc.weight", 4, 16},
    {"h.0.mlp.c_fc.bias", 16, 0},
    {"h.0.mlp.c_proj.weight", 16, 4},
    {"h.0.mlp.c_proj.bias", 4, 0},
    {"ln_f.weight", 4, 0},
    {"ln_f.bias", 4, 0},
};
enum { N_STORED = sizeof stored / sizeof *stored };

/* What is changed: `of` is the tensor (NULL: a new one is added), its name, type and shape as given. */
typedef struct edit {
    const char *of, *name, *type, *shape;
} edit;

static void put(const char *name, const void *data, size_t size)
{
    char path[PL_PATH_MAX];
    assert_int_equal(pl_path(path, "%s/%s", folder, name), PL_OK);
    assert_int_equal(pl_file_replace(path, data, size), PL_OK);
}

static void add(pl_bytes *header, size_t *at, const char *name, const char *type, const char *shape, size_t bytes)
{
    assert_int_equal(pl_bytes_format(header, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%zu,%zu]}",
                                     header->size > 1 ? "," : "", name, type, shape, *at, *at + bytes),
                     PL_OK);
    *at += bytes;
}

static void put_checkpoint(const edit *e)
{
    pl_bytes header = {0}, file = {0};
    size_t at = 0;
    assert_int_equal(pl_bytes_text(&header, "{"), PL_OK);
    for (size_t i = 0; i < N_STORED; i++) {
        char shape[64];
        size_t n = stored[i].rows * (stored[i].columns ? stored[i].columns : 1);
        if (stored[i].columns)
            snprintf(shape, sizeof shape, "[%zu,%zu]", stored[i].rows, stored[i].columns);
        else
            snprintf(shape, sizeof shape, "[%zu]", stored[i].rows);
        bool edited = e && e->of && strcmp(e->of, stored[i].name) == 0;
        const char *type = edited && e->type ? e->type : "F32";
        add(&header, &at, edited ? e->name : stored[i].name, type, edited && e->shape ? e->shape : shape,
            n * (type[1] == '6' ? 8 : 4));
    }
    if (e && !e->of) add(&header, &at, e->name, e->type, e->shape, 4);
    assert_int_equal(pl_bytes_text(&header, "}"), PL_OK);
    uint64_t length = header.size;
    for (size_t i = 0; i < 8; i++) {
        char byte = (char)(length >> (8 * i));
        assert_int_equal(pl_bytes_append(&file, &byte, 1), PL_OK);
    }
    assert_int_equal(pl_bytes_append(&file, header.data, header.size), PL_OK);
    for (size_t i = 0; i < at / 4; i++) {
        float value = (float)i;
        assert_int_equal(pl_bytes_append(&file, &value, 4), PL_OK);
    }
    put("model.safetensors", file.data, file.size);
    pl_bytes_free(&header);
    pl_bytes_free(&file);
}

static void test_opens(void **state)
{
    (void)state;
    pl_checkpoint *c;
    put("config.json", CONFIG, strlen(CONFIG));
    put_checkpoint(NULL);
    assert_int_equal(pl_checkpoint_open(&c, folder), PL_OK);
    assert_string_equal(c->prefix, "");
    assert_int_equal(c->n_parameters, 8 * 4 + 6 * 4 + 8 + 48 + 12 + 16 + 4 + 8 + 64 + 16 + 64 + 4 + 8);
    assert_string_equal(c->config.dtype, "float32");
    float row[4];
    assert_int_equal(pl_checkpoint_unembedding(c, 2, row), PL_OK);
    assert_float_equal(row[1], 9, 0);
    assert_int_equal(pl_checkpoint_unembedding(c, 8, row), PL_E_INPUT);
    assert_int_equal(pl_checkpoint_unembedding(c, -1, row), PL_E_INPUT);
    pl_checkpoint_close(c);

    /* Known buffers pass. */
    const edit fine[] = {{NULL, "h.0.attn.bias", "F32", "[1,1]"}, {NULL, "h.0.attn.masked_bias", "I32", "[]"}};
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
        put_checkpoint(&fine[i]);
        assert_int_equal(pl_checkpoint_open(&c, folder), PL_OK);
        pl_checkpoint_close(c);
    }
}

static const struct wrong {
    edit edit;
    pl_status status;
    const char *text;
} wrongs[] = {
    {{"h.0.ln_2.bias", "h.0.ln_2.other", NULL, NULL},
     PL_E_INPUT,
     "tensor 'h.0.ln_2.bias' is missing: expected shape [4]"},
    {{"wte.weight", "other", NULL, NULL}, PL_E_INPUT, "tensor 'wte.weight' is missing: expected shape [8, 4]"},
    {{NULL, "lm_head.weight", "F32", "[1]"}, PL_E_INPUT, "'lm_head.weight': expected shape [8, 4] by config.json"},
    {{"h.0.mlp.c_fc.weight", "h.0.mlp.c_fc.weight", NULL, "[16,4]"},
     PL_E_INPUT,
     "model.safetensors: tensor 'h.0.mlp.c_fc.weight': expected shape [4, 16] by config.json, found [16, 4]"},
    {{"ln_f.bias", "ln_f.bias", NULL, "[4,1]"}, PL_E_INPUT, "expected shape [4] by config.json, found [4, 1]"},
    {{"ln_f.bias", "ln_f.bias", "F64", NULL}, PL_E_UNSUPPORTED, "tensor 'ln_f.bias': type F64 cannot be read"},
    {{"ln_f.bias", "ln_f.bias", "I32", NULL}, PL_E_UNSUPPORTED, "type I32 cannot be read: expected F32, F16 or BF16"},
    {{NULL, "h.1.ln_1.weight", "F32", "[1]"},
     PL_E_INPUT,
     "'h.1.ln_1.weight' is not expected in a gpt2 model of 1 layers"},
    {{NULL, "score.weight", "F32", "[1]"}, PL_E_INPUT, "'score.weight' is not expected"},
};

static void test_wrong(void **state)
{
    (void)state;
    pl_checkpoint *c;
    put("config.json", CONFIG, strlen(CONFIG));
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        put_checkpoint(&wrongs[i].edit);
        pl_status status = pl_checkpoint_open(&c, folder);
        if (status != wrongs[i].status || !strstr(pl_error_text(), wrongs[i].text) || !strstr(pl_error_text(), folder))
            fail_msg("%zu: status %d, expected '%s' in: %s", i, status, wrongs[i].text, pl_error_text());
        assert_null(c);
    }
    put_checkpoint(NULL);
    put("config.json", "{\"model_type\":\"gpt2\"}", 21);
    assert_int_equal(pl_checkpoint_open(&c, folder), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "expected shape [50257, 768] by config.json, found [8, 4]"));
    char path[PL_PATH_MAX];
    assert_int_equal(pl_path(path, "%s/none", folder), PL_OK);
    assert_int_equal(pl_checkpoint_open(&c, path), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "no such folder"));
    assert_int_equal(pl_folder_make(path), PL_OK);
    assert_int_equal(pl_checkpoint_open(&c, path), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "no config.json"));
}

/* ---- By name ---------------------------------------------------------------------------------------------------- */

static void test_find(void **state)
{
    (void)state;
    char found[PL_PATH_MAX], path[PL_PATH_MAX];
    setenv("HF_HOME", folder, 1);
    unsetenv("HF_HUB_CACHE");
    setenv("XDG_CACHE_HOME", "/nowhere", 1);
    setenv("HOME", "/nowhere", 1);

    /* A folder is itself. */
    assert_int_equal(pl_path(path, "%s//", folder), PL_OK);
    assert_int_equal(pl_model_find(found, path), PL_OK);
    assert_string_equal(found, folder);

    assert_int_equal(pl_model_find(found, "org/small"), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "/hub/models--org--small, /nowhere/huggingface/hub/models--org--small, "
                                            "/nowhere/.cache/huggingface/hub/models--org--small"));

    char expected[PL_PATH_MAX];
    assert_int_equal(pl_path(expected, "%s/hub/models--org--small/snapshots/0123abc", folder), PL_OK);
    assert_int_equal(pl_folder_make(expected), PL_OK);
    assert_int_equal(pl_path(path, "%s/hub/models--org--small/refs", folder), PL_OK);
    assert_int_equal(pl_folder_make(path), PL_OK);
    put("hub/models--org--small/refs/main", "0123abc\n", 8);
    assert_int_equal(pl_model_find(found, "org/small"), PL_OK);
    assert_string_equal(found, expected);
    assert_int_equal(pl_model_find(found, "org/small@0123abc"), PL_OK);
    assert_string_equal(found, expected);
    assert_int_equal(pl_model_find(found, "org/small@v2"), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "revision 'v2'"));
    /* A ref that climbs out of the cache leads nowhere. */
    put("hub/models--org--small/refs/main", "../../..", 8);
    assert_int_equal(pl_model_find(found, "org/small"), PL_E_INPUT);

    assert_int_equal(pl_path(expected, "%s/direct/models--gpt2/snapshots/77", folder), PL_OK);
    assert_int_equal(pl_folder_make(expected), PL_OK);
    assert_int_equal(pl_path(path, "%s/direct", folder), PL_OK);
    setenv("HF_HUB_CACHE", path, 1);
    assert_int_equal(pl_model_find(found, "gpt2@77"), PL_OK);
    assert_string_equal(found, expected);

    const char *const bad[] = {"", "a/b/c", "/none", "../x", "a b", "x@", "x@../y", "no$", "a/"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(pl_model_find(found, bad[i]), PL_E_INPUT);
        assert_non_null(strstr(pl_error_text(), "not a hub name"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_opens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wrong, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_find, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
