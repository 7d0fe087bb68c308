/* bos, eos and what stands before a text, against transformers (golden/tokenizers/make_ends.py), for every way in which
 * a folder says its class and its special tokens or leaves them out. */
#include "base/file.h"
#include "tests.h"
#include "tokenizer/open.h"

#define FOLDER PLUMB_SOURCE_DIR "/tests/golden/tokenizers/ends/"

static pl_bytes read_golden(const char *name)
{
    char path[PL_PATH_MAX];
    pl_bytes out;
    OK(pl_path(path, FOLDER "%s", name));
    OK(pl_file_read(&out, path, 1 << 24));
    return out;
}

static pl__source text_of(const json_t *one, const char *key, const char *name)
{
    const char *text = json_string_value(json_object_get(one, key));
    return (pl__source){name, text, text ? strlen(text) : 0};
}

/* Where transformers has no token and no file says "none", plumb may take one by its usual name. */
static bool is_open(const json_t *one, const char *id, const char *key)
{
    const char *config = json_string_value(json_object_get(one, "config"));
    return json_is_null(json_object_get(one, id)) && !(config && strstr(config, key));
}

static int32_t id_of(const json_t *one, const char *key)
{
    const json_t *id = json_object_get(one, key);
    return json_is_null(id) ? -1 : (int32_t)json_integer_value(id);
}

static void check(const json_t *one, const pl_tokenizer *t, const char *text)
{
    char *whole = json_dumps(one, 0);
    const json_t *ids = json_object_get(one, "ids");
    pl_ids out = {0};
    if (!is_open(one, "bos", "\"bos_token\"") && pl_tokenizer_bos(t) != id_of(one, "bos"))
        fail_msg("bos is %d: %s", pl_tokenizer_bos(t), whole);
    if (!is_open(one, "eos", "\"eos_token\"") && pl_tokenizer_eos(t) != id_of(one, "eos"))
        fail_msg("eos is %d: %s", pl_tokenizer_eos(t), whole);
    OK(pl_tokenizer_encode(t, text, strlen(text), true, &out));
    if (out.n != json_array_size(ids)) fail_msg("%zu ids: %s", out.n, whole);
    for (size_t i = 0; i < out.n; i++)
        if (out.data[i] != json_integer_value(json_array_get(ids, i)))
            fail_msg("id %zu is %d: %s", i, out.data[i], whole);
    pl_ids_free(&out);
    free(whole);
}

static void test_against_transformers(void **state)
{
    (void)state;
    json_t *root;
    pl_bytes byte = read_golden("byte.json"), meta = read_golden("meta.json"), vocabulary = read_golden("vocab.json"),
             merges = read_golden("merges.txt");
    OK(pl_json_read(&root, FOLDER "cases.json", 1 << 24));
    const json_t *cases = json_object_get(root, "cases");
    assert_true(json_array_size(cases) > 150);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *one = json_array_get(cases, i);
        const char *kind = json_string_value(json_object_get(one, "kind"));
        pl__sources sources = {.config = text_of(one, "config", "tokenizer_config.json"),
                               .special = text_of(one, "special", "special_tokens_map.json"),
                               .model = text_of(one, "model", "config.json")};
        if (strcmp(kind, "files") == 0) {
            sources.vocabulary = (pl__source){"vocab.json", vocabulary.data, vocabulary.size};
            sources.merges = (pl__source){"merges.txt", merges.data, merges.size};
        } else {
            const pl_bytes *file = strcmp(kind, "byte") == 0 ? &byte : &meta;
            sources.tokenizer = (pl__source){"tokenizer.json", file->data, file->size};
        }
        pl_tokenizer *t;
        OK(pl__tokenizer_parse(&t, &sources));
        check(one, t, json_string_value(json_object_get(root, "text")));
        pl_tokenizer_free(t);
    }
    json_decref(root);
    pl_bytes_free(&byte);
    pl_bytes_free(&meta);
    pl_bytes_free(&vocabulary);
    pl_bytes_free(&merges);
}

/* transformers' own "no limit" stands in most tokenizer_config.json files and is no 64-bit integer. */
static void test_no_limit(void **state)
{
    (void)state;
    static const char config[] = "{\"model_max_length\": 1000000000000000019884624838656, \"eos_token\": \"<x>\"}";
    pl_bytes byte = read_golden("byte.json");
    pl__sources sources = {.tokenizer = {"tokenizer.json", byte.data, byte.size},
                           .config = {"tokenizer_config.json", config, sizeof config - 1}};
    pl_tokenizer *t;
    OK(pl__tokenizer_parse(&t, &sources));
    assert_string_equal(pl_tokenizer_piece(t, pl_tokenizer_eos(t)), "<x>");
    pl_tokenizer_free(t);
    pl_bytes_free(&byte);
}

/* A class that is no byte-level BPE in transformers is not read as one. */
static void test_class_beside_files(void **state)
{
    (void)state;
    static const char config[] = "{\"tokenizer_class\": \"LlamaTokenizer\"}";
    pl_bytes vocabulary = read_golden("vocab.json"), merges = read_golden("merges.txt");
    pl__sources sources = {.vocabulary = {"vocab.json", vocabulary.data, vocabulary.size},
                           .merges = {"merges.txt", merges.data, merges.size},
                           .config = {"dir/tokenizer_config.json", config, sizeof config - 1}};
    pl_tokenizer *t;
    REFUSED(pl__tokenizer_parse(&t, &sources), PL_E_UNSUPPORTED, "dir/tokenizer_config.json: tokenizer_class");
    pl_bytes_free(&vocabulary);
    pl_bytes_free(&merges);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_transformers),
        cmocka_unit_test(test_no_limit),
        cmocka_unit_test(test_class_beside_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
