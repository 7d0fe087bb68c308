/* YAML from outside: every node of what parses is read in every way. */
#include <stdint.h>
#include <stdlib.h>

#include "base/environment.h"
#include "base/yaml_edit.h"

static void read_all(const pl_yaml_node *node)
{
    static const pl_yaml_key known[] = {{"task", "", ""}, {"models", "", ""}, {"include", "", ""}, {0}};
    const char *text;
    size_t size;
    long long integer;
    double real;
    bool truth;
    pl_bytes path = {0};
    if (!node->line || !node->column) abort();
    pl_yaml_to_text(&text, node);
    pl_yaml_to_size(&size, node);
    pl_yaml_to_integer(&integer, node);
    pl_yaml_to_real(&real, node);
    pl_yaml_to_bool(&truth, node);
    pl_yaml_to_path(&path, node);
    pl_bytes_free(&path);
    pl_yaml_check_keys(node, known);
    for (size_t i = 0; i < node->n; i++) {
        read_all(node->items[i]);
        if (node->kind == PL_YAML_MAP && pl_yaml_get(node, node->keys[i]->text) != node->items[i]) abort();
    }
}

/* What is written back reads as the same values. */
static void write_and_read(const pl_yaml_node *root)
{
    pl_yaml *again;
    pl_bytes text = {0};
    json_t *first = NULL, *second = NULL;
    if (pl_yaml_emit(&text, root) != PL_OK || pl_yaml_parse(&again, text.data, text.size, "emitted") != PL_OK) abort();
    pl_status status = pl_yaml_to_json(&first, root);
    if (pl_yaml_to_json(&second, pl_yaml_root(again)) != status) abort();
    if (status == PL_OK && !json_equal(first, second)) abort();
    json_decref(first);
    json_decref(second);
    pl_yaml_free(again);
    pl_bytes_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pl_yaml *doc;
    json_t *value;
    if (pl_yaml_parse(&doc, (const char *)data, size, "fuzz") != PL_OK) return 0;
    read_all(pl_yaml_root(doc));
    write_and_read(pl_yaml_root(doc));
    if (pl_yaml_to_json(&value, pl_yaml_root(doc)) == PL_OK) json_decref(value);
    pl_yaml_free(doc);
    return 0;
}
