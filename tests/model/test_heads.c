/* Tied heads in files that do not agree with the flag: an equal copy ties silently, a different one is the head and is
 * said, and of a pair that stores the head alone the embedding is read from it. As transformers 5 (tie_weights). */
#include "base/file.h"
#include "base/json_build.h"
#include "model/config.h"
#include "model/weights.h"
#include "tests.h"

#define MODELS PLUMB_SOURCE_DIR "/tests/golden/models/"

/* One tensor of the file to be written. */
typedef struct entry {
    const char *name;
    const pl_tensor *like; /* type and shape */
    const uint8_t *data;
} entry;

static void write_safetensors(const char *path, const entry *entries, size_t n)
{
    pl_json_builder b;
    json_t *header;
    pl_bytes file = {0};
    size_t at = 0;
    pl_json_begin(&b);
    for (size_t i = 0; i < n; i++) {
        pl_json_open(&b, entries[i].name);
        pl_json_put_text(&b, "dtype", entries[i].like->type);
        pl_json_open_list(&b, "shape");
        for (size_t d = 0; d < entries[i].like->n_dims; d++) pl_json_put_size(&b, NULL, entries[i].like->dims[d]);
        pl_json_close(&b);
        pl_json_open_list(&b, "data_offsets");
        pl_json_put_size(&b, NULL, at);
        pl_json_put_size(&b, NULL, at += entries[i].like->bytes);
        pl_json_close(&b);
        pl_json_close(&b);
    }
    OK(pl_json_end(&b, &header, "header"));
    char *text = json_dumps(header, JSON_COMPACT);
    uint64_t size = strlen(text); /* little-endian, as the machine */
    OK(pl_bytes_append(&file, &size, sizeof size));
    OK(pl_bytes_append(&file, text, size));
    for (size_t i = 0; i < n; i++) OK(pl_bytes_append(&file, entries[i].data, entries[i].like->bytes));
    OK(pl_file_replace(path, file.data, file.size));
    pl_bytes_free(&file);
    free(text);
    json_decref(header);
}

typedef enum head { NO_HEAD, EQUAL_HEAD, OTHER_HEAD, HEAD_ALONE } head;

/* The golden model with a head as `kind` says; *other: the head's data when it is not the embedding's. */
static void make_model(char folder[PL_PATH_MAX], const char *golden, const char *embed, head kind, uint8_t **other)
{
    char from[PL_PATH_MAX], path[PL_PATH_MAX];
    pl_safetensors *files;
    pl_bytes config;
    entry entries[64];
    size_t n = 0;
    make_folder(folder);
    OK(pl_path(from, MODELS "%s", golden));
    OK(pl_safetensors_open(&files, from));
    const pl_tensor *e = pl_safetensors_find(files, embed);
    assert_non_null(e);
    *other = malloc(e->bytes);
    for (size_t i = 0; i < e->bytes; i++) (*other)[i] = e->data[e->bytes - 1 - i] & 0x3f; /* small finite numbers */
    for (size_t i = 0; i < pl_safetensors_count(files); i++) {
        const pl_tensor *t = pl_safetensors_at(files, i);
        if (t != e || kind != HEAD_ALONE) entries[n++] = (entry){t->name, t, t->data};
    }
    if (kind != NO_HEAD) entries[n++] = (entry){"lm_head.weight", e, kind == EQUAL_HEAD ? e->data : *other};
    OK(pl_path(path, "%s/model.safetensors", folder));
    write_safetensors(path, entries, n);
    OK(pl_path(from, MODELS "%s/config.json", golden));
    OK(pl_file_read(&config, from, 1 << 20));
    OK(pl_path(path, "%s/config.json", folder));
    OK(pl_file_replace(path, config.data, config.size));
    pl_bytes_free(&config);
    pl_safetensors_close(files);
}

/* Row 3 of what a checkpoint takes as embedding and as head. */
static void check_rows(const pl_checkpoint *c, const float *embedding, const float *head)
{
    float row[64];
    size_t C = c->config.C, bytes = C * sizeof *row;
    const pl__tensor_fact *fact = c->config.family->tensors;
    assert_int_equal(fact->slot, PL__EMBED);
    pl__tensor_floats(row, pl__checkpoint_tensor(c, fact, 0), 3 * C, C);
    assert_memory_equal(row, embedding, bytes);
    OK(pl_checkpoint_unembedding(c, 3, row));
    assert_memory_equal(row, head, bytes);
}

static void check(const char *golden, const char *embed)
{
    for (int kind = NO_HEAD; kind <= HEAD_ALONE; kind++) {
        char folder[PL_PATH_MAX];
        uint8_t *other;
        pl_checkpoint *c;
        float kept[64], changed[64];
        make_model(folder, golden, embed, (head)kind, &other);
        OK(pl_checkpoint_open(&c, folder));
        const pl_tensor *t = pl__checkpoint_tensor(c, c->config.family->tensors, 0);
        pl_tensor like = *t;
        like.data = other;
        pl__tensor_floats(changed, &like, 3 * c->config.C, c->config.C);
        pl__tensor_floats(kept, t, 3 * c->config.C, c->config.C);
        assert_int_equal(c->config.tied, kind != OTHER_HEAD);
        assert_int_equal(c->n_notes, kind == OTHER_HEAD);
        if (kind == OTHER_HEAD) assert_non_null(strstr(c->notes[0], "lm_head.weight differs from the embedding"));
        check_rows(c, kind == HEAD_ALONE ? changed : kept, kind == OTHER_HEAD || kind == HEAD_ALONE ? changed : kept);
        pl_checkpoint_close(c);
        free(other);
        remove_folder(folder);
    }
}

static void test_llama(void **state)
{
    (void)state;
    check("llama-tied", "model.embed_tokens.weight");
}

static void test_gpt2(void **state)
{
    (void)state;
    check("gpt2", "transformer.wte.weight");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_llama), cmocka_unit_test(test_gpt2)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
