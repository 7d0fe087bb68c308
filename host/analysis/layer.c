#include "analysis/layer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

static bool lists(const char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(names[i], name)) return true;
    return false;
}

pl_status pl__layer_names(const char ***names, size_t *n, pl_unit_reader *const *readers, size_t t, pl_arena *arena)
{
    PL_TRY(pl_unit_list_states(readers[0], arena, names, n));
    for (size_t k = 1; k < t; k++) {
        const char **here;
        size_t n_here, kept = 0;
        PL_TRY(pl_unit_list_states(readers[k], arena, &here, &n_here));
        for (size_t i = 0; i < *n; i++)
            if (lists(here, n_here, (*names)[i])) (*names)[kept++] = (*names)[i];
        *n = kept;
    }
    return PL_OK;
}

/* "last.05" is position "last", layer "05". */
static pl_status name_layer(pl__layer *l, const char *name, pl_arena *arena)
{
    const char *dot = strchr(name, '.'), *rest = dot ? dot + 1 : "";
    PL_TRY(pl_arena_text(arena, (char **)&l->position, name, dot ? (size_t)(dot - name) : strlen(name)));
    return pl_arena_text(arena, (char **)&l->name, rest, strlen(rest));
}

/* An item and where it comes: by chance, which is its own whoever else is there; after the first of each group. */
typedef struct shuffled {
    bool again; /* its group has an item before it */
    uint64_t group;
    uint32_t key;
    int64_t doc_id;
    size_t item;
} shuffled;

static int compare_shuffled(const void *a, const void *b)
{
    const shuffled *x = a, *y = b;
    if (x->again != y->again) return x->again ? 1 : -1;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return (x->doc_id > y->doc_id) - (x->doc_id < y->doc_id);
}

static int compare_groups(const void *a, const void *b)
{
    const shuffled *x = a, *y = b;
    if (x->group != y->group) return x->group < y->group ? -1 : 1;
    return compare_shuffled(a, b);
}

/* *n_apart: items that are the first of their groups. */
static pl_status shuffle_items(size_t *order, size_t *n_apart, const pl__group *group)
{
    shuffled *items;
    PL_TRY(pl_new(&items, group->n));
    for (size_t i = 0; i < group->n; i++)
        items[i] = (shuffled){.group = group->group_of ? group->group_of[i] : i,
                              .key = pl_random_u32(1, PL_RANDOM_STATES, 0, (uint64_t)group->doc_id[i]),
                              .doc_id = group->doc_id[i],
                              .item = i};
    qsort(items, group->n, sizeof *items, compare_groups);
    *n_apart = 0;
    for (size_t i = 0; i < group->n; i++) {
        items[i].again = i > 0 && items[i].group == items[i - 1].group;
        *n_apart += !items[i].again;
    }
    qsort(items, group->n, sizeof *items, compare_shuffled);
    for (size_t i = 0; i < group->n; i++) order[i] = items[i].item;
    free(items);
    return PL_OK;
}

/* Reads a matrix and brings its rows into this order of the items. */
static pl_status read_states(float **out, size_t *width, const pl_unit_reader *reader, const pl__cell *cell,
                             const char *name, const size_t *order, size_t n)
{
    float *all;
    size_t rows, size;
    PL_TRY(pl_unit_get_states(reader, name, &all, &rows, width));
    pl_status status;
    PL_GOTO(status, done, pl_mul_size(&size, n, *width, "states"));
    PL_GOTO(status, done, pl_new(out, size));
    for (size_t i = 0; i < n; i++) {
        const size_t row = cell->row[order[i]];
        if (row >= rows) {
            status = pl_fail(PL_E_INPUT, "%s: /obsm/%s: %zu rows, expected one for each row of /obs", cell->unit->path,
                             name, rows);
            goto done;
        }
        memcpy(*out + i * *width, all + row * *width, *width * sizeof **out);
    }
done:
    free(all);
    return status;
}

static bool is_finite(const float *row, size_t width)
{
    for (size_t d = 0; d < width; d++)
        if (!isfinite(row[d])) return false;
    return true;
}

/* The first template under which the states at a place are not finite; t when there is none. */
static size_t broken_template(const pl__layer *l, size_t place)
{
    size_t k = 0;
    while (k < l->t && is_finite(l->states[k] + place * l->width, l->width)) k++;
    return k;
}

static bool is_captured(const pl__member *member, size_t item)
{
    for (size_t k = 0; k < member->t; k++)
        if (member->cells[k].row[item] >= member->cells[k].unit->n_captured) return false;
    return true;
}

/* Keeps, in place, the items whose states are there and finite under every template; counts the others. The first
 * n_apart of the group's items are of a group each. */
static void keep_whole(pl__layer *l, const pl__group *group, const pl__member *member, size_t n_apart)
{
    size_t kept = 0;
    l->items = 14695981039346656037u; /* FNV-1a over the doc_ids that are kept */
    for (size_t place = 0; place < group->n; place++) {
        const size_t i = l->item[place];
        if (!is_captured(member, i)) continue;
        size_t broken = broken_template(l, place);
        /* Where the writer counted nothing that is not finite, a row of NaN is one that has no state. */
        if (broken < l->t && member->cells[broken].unit->n_broken == 0) {
            l->n_absent++;
            continue;
        }
        l->n_captured++;
        if (broken < l->t) {
            if (l->n_not_finite++ == 0) {
                l->first_not_finite = group->doc_id[i];
                l->first_template = member->cells[broken].unit->template_name;
            }
            continue;
        }
        for (size_t k = 0; k < l->t; k++)
            memmove(l->states[k] + kept * l->width, l->states[k] + place * l->width, l->width * sizeof(float));
        l->items = (l->items ^ (uint64_t)group->doc_id[i]) * 1099511628211u;
        if (l->group_of) l->group_of[kept] = group->group_of[i];
        l->item[kept] = i;
        l->n_apart += place < n_apart;
        kept++;
    }
    l->n = kept;
}

pl_status pl__layer_read(pl__layer *out, const pl__group *group, const pl__member *member,
                         pl_unit_reader *const *readers, const char *name, pl_arena *arena)
{
    size_t n_apart;
    pl_status status;
    *out = (pl__layer){.t = member->t, .first_template = ""};
    PL_GOTO(status, failed, pl_new(&out->states, out->t));
    PL_GOTO(status, failed, name_layer(out, name, arena));
    PL_GOTO(status, failed, pl_new(&out->item, group->n));
    PL_GOTO(status, failed, shuffle_items(out->item, &n_apart, group));
    for (size_t k = 0; k < out->t; k++) {
        size_t width;
        PL_GOTO(status, failed,
                read_states(&out->states[k], &width, readers[k], &member->cells[k], name, out->item, group->n));
        if (k > 0 && width != out->width) {
            status = pl_fail(PL_E_INPUT, "%s: /obsm/%s: width %zu, expected %zu as in %s", member->cells[k].unit->path,
                             name, width, out->width, member->cells[0].unit->path);
            goto failed;
        }
        out->width = width;
    }
    if (group->group_of) PL_GOTO(status, failed, pl_new(&out->group_of, group->n));
    keep_whole(out, group, member, n_apart);
    return PL_OK;
failed:
    pl__layer_free(out);
    return status;
}

pl_status pl__layer_read_tokens(pl__layer *layer, const pl__member *member, pl_unit_reader *const *readers)
{
    static const char *const columns[] = {"n_tokens"};
    PL_TRY(pl_new(&layer->tokens, layer->t));
    for (size_t k = 0; k < layer->t; k++) {
        pl_frame *obs;
        PL_TRY(pl_new(&layer->tokens[k], layer->n));
        PL_TRY(pl_unit_get_obs(readers[k], columns, 1, &obs));
        const pl_column *column = pl_frame_column(obs, columns[0]);
        bool good = column && column->kind == PL_COLUMN_INTEGER;
        for (size_t i = 0; good && i < layer->n; i++) {
            const size_t row = member->cells[k].row[layer->item[i]];
            good = row < obs->n_rows;
            if (good) layer->tokens[k][i] = (double)column->values.integer[row];
        }
        if (!good) {
            pl_frame_free(obs);
            return pl_fail(PL_E_INPUT, "%s: /obs/n_tokens: expected a number of tokens for each row",
                           member->cells[k].unit->path);
        }
        pl_frame_free(obs);
    }
    return PL_OK;
}

pl_status pl__prompts_read(pl__prompts **out, const pl__member *member, pl_unit_reader *const *readers, pl_arena *arena)
{
    pl__prompts *prompts;
    *out = NULL;
    PL_TRY(pl_arena_new(arena, &prompts, member->t));
    for (size_t k = 0; k < member->t; k++) {
        PL_TRY(pl_unit_get_tokens(readers[k], arena, &prompts[k].indptr, &prompts[k].ids));
        if (!prompts[k].indptr) return PL_OK;
    }
    *out = prompts;
    return PL_OK;
}

static int by_id(const void *a, const void *b)
{
    const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* The distinct ones of n ids, ascending, in their place. */
static size_t distinct(int32_t *ids, size_t n)
{
    size_t kept = 0;
    qsort(ids, n, sizeof *ids, by_id);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || ids[i] != ids[i - 1]) ids[kept++] = ids[i];
    return kept;
}

pl_status pl__layer_bags(float **out, size_t *width, const pl__layer *layer, const pl__member *member, size_t template,
                         size_t n)
{
    const pl__prompts *p = &layer->prompts[template];
    const pl__cell *cell = &member->cells[template];
    size_t total = 0, size;
    int32_t *seen;
    *out = NULL;
    for (size_t i = 0; i < n; i++) {
        const size_t row = cell->row[layer->item[i]];
        total += (size_t)(p->indptr[row + 1] - p->indptr[row]);
    }
    PL_TRY(pl_new(&seen, total));
    total = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t row = cell->row[layer->item[i]];
        for (uint64_t k = p->indptr[row]; k < p->indptr[row + 1]; k++) seen[total++] = p->ids[k];
    }
    *width = distinct(seen, total);
    pl_status status = pl_mul_size(&size, n, *width, "bags of tokens");
    if (status == PL_OK && *width <= PL__BAG_TOKENS_MAX) status = pl_new(out, size);
    for (size_t i = 0; i < n && *out; i++) {
        const size_t row = cell->row[layer->item[i]];
        for (uint64_t k = p->indptr[row]; k < p->indptr[row + 1]; k++) {
            const int32_t *place = bsearch(&p->ids[k], seen, *width, sizeof *seen, by_id);
            (*out)[i * *width + (size_t)(place - seen)]++;
        }
    }
    free(seen);
    return status;
}

void pl__layer_free(pl__layer *layer)
{
    for (size_t k = 0; layer->tokens && k < layer->t; k++) free(layer->tokens[k]);
    free(layer->tokens);
    for (size_t k = 0; layer->states && k < layer->t; k++) free(layer->states[k]);
    free(layer->states);
    free(layer->group_of);
    free(layer->item);
    *layer = (pl__layer){0};
}
