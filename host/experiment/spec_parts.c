#include "experiment/spec_parts.h"

#include <string.h>

/* More than this in one list of a sweep is a slip of the pen. */
enum { MAX_FACTOR = 10000 };

pl_status pl__list_of(pl__list *out, const pl_yaml_node *node)
{
    if (node->kind == PL_YAML_LIST) {
        *out = (pl__list){node->n, node->items, NULL};
        return node->n ? PL_OK : pl_yaml_fail(node, "an empty list: expected at least one value");
    }
    *out = (pl__list){1, NULL, (pl_yaml_node *)(uintptr_t)node};
    return PL_OK;
}

const pl_yaml_node *pl__list_item(const pl__list *l, size_t i)
{
    return l->single ? l->single : l->items[i];
}

pl_status pl__one_of(size_t *out, const pl_yaml_node *node, const char *const *names, size_t n)
{
    const char *text;
    PL_TRY(pl_yaml_to_text(&text, node));
    for (*out = 0; *out < n; (*out)++)
        if (strcmp(names[*out], text) == 0) return PL_OK;
    char known[256] = "";
    for (size_t i = 0; i < n; i++) {
        if (i) strncat(known, ", ", sizeof known - strlen(known) - 1);
        strncat(known, names[i], sizeof known - strlen(known) - 1);
    }
    return pl_yaml_fail(node, "expected one of %s; found '%s'", known, text);
}

pl_status pl__read_positive(size_t *out, const pl_yaml_node *map, const char *key)
{
    const pl_yaml_node *node = pl_yaml_get(map, key);
    if (!node) return PL_OK;
    PL_TRY(pl_yaml_to_size(out, node));
    return *out >= 1 && *out <= MAX_FACTOR
               ? PL_OK
               : pl_yaml_fail(node, "%s: expected 1 to %d, found %zu", key, MAX_FACTOR, *out);
}

pl_status pl__read_name(const char **out, const pl_yaml_node *node, size_t most)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    PL_TRY(pl_yaml_to_text(out, node));
    const size_t n = strlen(*out);
    if (n > 0 && n <= most && **out != '.' && strspn(*out, allowed) == n) return PL_OK;
    return pl_yaml_fail(node, "name: expected letters, digits, '-', '_' and '.', at most %zu, found '%s'", most, *out);
}

pl_status pl__read_texts(const pl_spec *spec, const char ***out, size_t *n, const pl_yaml_node *node)
{
    pl__list l;
    PL_TRY(pl__list_of(&l, node));
    PL_TRY(pl_arena_new(spec->arena, out, l.n));
    *n = l.n;
    for (size_t i = 0; i < l.n; i++) PL_TRY(pl_yaml_to_text(&(*out)[i], pl__list_item(&l, i)));
    return PL_OK;
}
