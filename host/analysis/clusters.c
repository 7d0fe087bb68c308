#include "analysis/clusters.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

const char *pl__group_field(const pl_planned_task *task)
{
    for (size_t t = 0; t < task->n_templates; t++) {
        const json_t *own = json_object_get(task->templates[t].config, "plumb");
        const char *field = json_string_value(json_object_get(own, "group"));
        if (field) return field;
    }
    return NULL;
}

static int by_id(const void *a, const void *b)
{
    int64_t x = ((const pl__item_group *)a)->doc_id, y = ((const pl__item_group *)b)->doc_id;
    return (x > y) - (x < y);
}

static uint64_t hash_bytes(const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < size; i++) hash = (hash ^ at[i]) * 1099511628211u; /* FNV-1a */
    return hash;
}

/* Of the JSON of the item's field, so that 1 and "1" are two values; without the field the item is its own. */
static pl_status read_group(uint64_t *out, const char *sample, const char *field, int64_t doc_id, const char *path)
{
    json_t *json = NULL;
    PL_TRY(pl_json_parse(&json, sample, strlen(sample), path));
    json_t *value = json_object_get(json_object_get(json, "doc"), field);
    char *text = value ? json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY) : NULL;
    bool full = value && !text;
    *out = text ? hash_bytes(text, strlen(text)) : hash_bytes(&doc_id, sizeof doc_id);
    free(text);
    json_decref(json);
    return full ? pl_fail(PL_E_MEMORY, "out of memory while reading %s", path) : PL_OK;
}

static const pl__item_group *find(const pl__item_groups *groups, size_t n, int64_t doc_id)
{
    const pl__item_group wanted = {doc_id, 0};
    return n ? bsearch(&wanted, groups->list, n, sizeof wanted, by_id) : NULL;
}

pl_status pl__item_groups_add(pl__item_groups *groups, const char *field, const pl__record *record, const char *path)
{
    const pl_column *ids = pl_frame_column(record->obs, "doc_id"),
                    *samples = pl_frame_column(record->samples, "samples");
    size_t known = groups->n;
    if (!ids || ids->kind != PL_COLUMN_INTEGER || !samples)
        return pl_fail(PL_E_INPUT, "%s: /obs/doc_id: expected a column of integers beside the samples", path);
    for (size_t r = 0; r < record->obs->n_rows; r++) {
        int64_t id = ids->values.integer[r];
        if (find(groups, known, id)) continue;
        PL_TRY(pl_grow(&groups->list, &groups->capacity, groups->n + 1));
        pl__item_group *new = &groups->list[groups->n];
        const char *sample = samples->values.text[r];
        new->doc_id = id;
        PL_TRY(read_group(&new->group, sample ? sample : "{}", field, id, path));
        groups->n++;
    }
    if (groups->n > known) qsort(groups->list, groups->n, sizeof *groups->list, by_id);
    return PL_OK;
}

uint64_t pl__item_group_of(const pl__item_groups *groups, int64_t doc_id)
{
    const pl__item_group *found = find(groups, groups->n, doc_id);
    return found ? found->group : hash_bytes(&doc_id, sizeof doc_id);
}

void pl__item_groups_free(pl__item_groups *groups)
{
    free(groups->list);
    *groups = (pl__item_groups){0};
}

/* ---- clusters ---- */

typedef struct place {
    uint64_t group;
    size_t item;
} place;

/* By group, then by item, so that sums do not depend on how the sort goes. */
static int by_group(const void *a, const void *b)
{
    const place *x = a, *y = b;
    if (x->group != y->group) return x->group < y->group ? -1 : 1;
    return (x->item > y->item) - (x->item < y->item);
}

pl_status pl__clusters_make(pl_clusters *out, const uint64_t *group_of, size_t n, pl_arena *arena)
{
    place *places;
    size_t *start, *items;
    *out = (pl_clusters){.n = n};
    if (!group_of || n == 0) return PL_OK;
    PL_TRY(pl_arena_new(arena, &start, n + 1));
    PL_TRY(pl_arena_new(arena, &items, n));
    PL_TRY(pl_new(&places, n));
    for (size_t i = 0; i < n; i++) places[i] = (place){group_of[i], i};
    qsort(places, n, sizeof *places, by_group);
    out->n = 0;
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || places[i].group != places[i - 1].group) start[out->n++] = i;
        items[i] = places[i].item;
    }
    start[out->n] = n;
    free(places);
    out->start = start;
    out->items = items;
    return PL_OK;
}
