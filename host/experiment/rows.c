#include "experiment/rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "task/fold.h"

enum {
    ROWS_AN_ARENA = 1000, /* scratch memory of so many rows is held at once */
    MOST_PAIRS = 10000000 /* of item and row, compared by group one by one */
};

static int compare_keys(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(pl_row_key));
}

/* ---- rendering ---- */

/* What one row is made into; the buffers serve row after row. */
typedef struct shown {
    pl_bytes question, folded;
    size_t n_question; /* bytes of `folded` that are the question's */
} shown;

static void free_shown(shown *s)
{
    pl_bytes_free(&s->question);
    pl_bytes_free(&s->folded);
}

static pl_status show_row(shown *s, const pl_task *task, const pl_template *t, const json_t *item, pl_arena *scratch)
{
    const char *target;
    size_t label;
    pl_bytes_clear(&s->question);
    pl_bytes_clear(&s->folded);
    PL_TRY(pl_task_row(task, t, item, scratch, &s->question, &target, &label));
    PL_TRY(pl_text_fold(&s->folded, s->question.size ? s->question.data : "", s->question.size));
    s->n_question = s->folded.size;
    PL_TRY(pl_bytes_append(&s->folded, "", 1));
    return pl_text_fold(&s->folded, target, strlen(target));
}

/* Renders rows (all of `data` where rows is NULL); keys by row, and folded questions by place where wanted. */
static pl_status show_rows(pl_row_key *keys, const char **questions, const pl_task *task, const pl_template *t,
                           const pl_data *data, const size_t *rows, size_t n, pl_arena *texts)
{
    pl_arena *scratch = NULL;
    shown s = {0};
    pl_status status = PL_OK;
    for (size_t i = 0; i < n; i++) {
        size_t row = rows ? rows[i] : i;
        if (i % ROWS_AN_ARENA == 0) {
            pl_arena_free(scratch);
            scratch = NULL;
            PL_GOTO(status, done, pl_arena_create(&scratch));
        }
        PL_GOTO(status, done, show_row(&s, task, t, data->items[row], scratch));
        char *copy;
        pl_hash128_words(keys[row].words, s.folded.data, s.folded.size);
        if (!questions) continue;
        PL_GOTO(status, done, pl_arena_text(texts, &copy, s.folded.data, s.n_question));
        questions[i] = copy;
    }
done:
    pl_arena_free(scratch);
    free_shown(&s);
    return status;
}

/* ---- what rows have in common ---- */

bool pl_rows_give_away(const pl_rows *rows, const pl_task *task, size_t template, size_t item, size_t row)
{
    if (compare_keys(&rows->test[template][item], &rows->fewshot[template][row]) == 0) return true;
    const json_t *group = task->group ? json_object_get(task->test->items[item], task->group) : NULL;
    return group && json_equal(group, json_object_get(task->fewshot->items[row], task->group));
}

typedef struct keyed {
    pl_row_key key;
    size_t row;
} keyed;

static int by_key(const void *a, const void *b)
{
    const keyed *x = a, *y = b;
    int order = compare_keys(&x->key, &y->key);
    return order ? order : (x->row > y->row) - (x->row < y->row);
}

static pl_status sort_keys(keyed **out, const pl_row_key *keys, size_t n)
{
    PL_TRY(pl_new(out, n));
    for (size_t i = 0; i < n; i++) (*out)[i] = (keyed){keys[i], i};
    qsort(*out, n, sizeof **out, by_key);
    return PL_OK;
}

/* Rows of the sorted pool with this key; *first is where they begin. */
static size_t count_key(const keyed *sorted, size_t n, const pl_row_key *key, size_t *first)
{
    size_t low = 0, high = n, count = 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_keys(&sorted[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *first = low;
    while (low + count < n && compare_keys(&sorted[low + count].key, key) == 0) count++;
    return count;
}

static size_t count_left(const pl_rows *rows, const pl_task *task, size_t template, size_t item)
{
    size_t left = 0;
    for (size_t row = 0; row < task->fewshot->n; row++) left += !pl_rows_give_away(rows, task, template, item, row);
    return left;
}

/* Which items stand in the pool as well, and whether enough shots are left for each. */
static pl_status find_twins(pl_rows *rows, bool *twin, const pl_task *task, size_t template, const char *template_name,
                            const size_t *items, size_t n_items, size_t k)
{
    keyed *sorted = NULL;
    size_t n = task->fewshot->n, first;
    PL_TRY(sort_keys(&sorted, rows->fewshot[template], n));
    pl_status status = PL_OK;
    bool too_few = n < k + (task->fewshot_is_test ? 1u : 0u); /* of all rows: the plan says so */
    for (size_t i = 0; i < n_items && status == PL_OK; i++) {
        size_t item = items[i], found = count_key(sorted, n, &rows->test[template][item], &first);
        twin[i] |= found > (task->fewshot_is_test ? 1u : 0u);
        if (too_few || (n >= k + found && !task->group)) continue;
        if (task->group && n > MOST_PAIRS / n_items) continue; /* seen when the prompts are built */
        size_t left = count_left(rows, task, template, item);
        if (left < k)
            status = pl_fail(PL_E_INPUT,
                             "%s: item %zu with template '%s': only %zu shots are left once rows that give its answer "
                             "away are set aside, %zu are needed",
                             task->path, item, template_name, left, k);
    }
    for (size_t i = 0; template == 0 && i < n; i++) {
        size_t found = count_key(sorted, n, &rows->fewshot[0][i], &first);
        rows->same[i] = found ? sorted[first].row : i;
    }
    free(sorted);
    return status;
}

/* Leaves out what all questions begin and end with: the template's own words would make any two texts alike. */
static pl_status cut_common(const char **texts, size_t n, pl_arena *arena)
{
    if (n < 2) return PL_OK;
    const char *model = texts[0];
    size_t length = strlen(model), front = length, back = length;
    for (size_t i = 1; i < n; i++) {
        size_t size = strlen(texts[i]), same = 0;
        while (same < front && model[same] == texts[i][same]) same++; /* stops at an end */
        front = same;
        for (same = 0; same < back && same < size && model[length - 1 - same] == texts[i][size - 1 - same];) same++;
        back = same;
    }
    while (front > 0 && ((unsigned char)model[front] & 0xC0) == 0x80) front--;
    while (back > 0 && ((unsigned char)model[length - back] & 0xC0) == 0x80) back--;
    for (size_t i = 0; i < n; i++) {
        size_t size = strlen(texts[i]);
        char *own;
        if (front + back > size) continue; /* nothing of its own: compared as it is */
        PL_TRY(pl_arena_text(arena, &own, texts[i] + front, size - front - back));
        texts[i] = own;
    }
    return PL_OK;
}

/* Near-duplicates, by the questions of the first template: of the evaluated items, then of the pool. */
static pl_status find_near(pl_rows *rows, const pl_task *task, const char **questions, size_t n_items,
                           const size_t *items, pl_arena *texts)
{
    size_t n_pool = task->fewshot->n;
    const size_t *own = task->fewshot_is_test ? items : NULL;
    PL_TRY(cut_common(questions, n_items + n_pool, texts));
    return pl_overlap_count(&rows->near, questions, n_items, questions + n_items, n_pool, own);
}

/* ---- the whole ---- */

typedef struct checker {
    pl_rows *rows;
    const pl_task *task;
    const size_t *items;
    size_t n_items, k;
    pl_arena *arena, *texts; /* of the result; of the questions */
    const char **questions;  /* [n_items + pool] */
    bool *twin;              /* [n_items] */
} checker;

static pl_status check_template(checker *c, const pl_template *template, size_t t)
{
    const pl_task *task = c->task;
    bool keep = t == 0 && c->k > 0;
    PL_TRY(pl_arena_new(c->arena, &c->rows->test[t], task->test->n));
    PL_TRY(show_rows(c->rows->test[t], keep ? c->questions : NULL, task, template, task->test, c->items, c->n_items,
                     c->texts));
    if (!c->k) return PL_OK;
    size_t n_pool = task->fewshot->n;
    PL_TRY(pl_arena_new(c->arena, &c->rows->fewshot[t], n_pool));
    PL_TRY(show_rows(c->rows->fewshot[t], keep ? c->questions + c->n_items : NULL, task, template, task->fewshot, NULL,
                     n_pool, c->texts));
    return find_twins(c->rows, c->twin, task, t, template->name, c->items, c->n_items, c->k);
}

static pl_status open_checker(checker *c, size_t n_templates)
{
    size_t n_pool = c->k ? c->task->fewshot->n : 0;
    PL_TRY(pl_arena_create(&c->texts));
    PL_TRY(pl_arena_new(c->texts, &c->questions, c->n_items + n_pool));
    PL_TRY(pl_arena_new(c->texts, &c->twin, c->n_items));
    PL_TRY(pl_arena_new(c->arena, &c->rows->test, n_templates));
    PL_TRY(pl_arena_new(c->arena, &c->rows->fewshot, n_templates));
    return pl_arena_new(c->arena, &c->rows->same, n_pool);
}

pl_status pl_rows_check(pl_rows *out, const pl_task *task, const pl_template *const *templates, size_t n_templates,
                        const size_t *items, size_t n_items, size_t k, pl_arena *arena)
{
    *out = (pl_rows){.first_twin = SIZE_MAX, .near = {.first_item = SIZE_MAX, .first_row = SIZE_MAX}};
    checker c = {
        .rows = out, .task = task, .items = items, .n_items = n_items, .k = task->fewshot ? k : 0, .arena = arena};
    pl_status status;
    PL_GOTO(status, done, open_checker(&c, n_templates));
    for (size_t t = 0; t < n_templates; t++) PL_GOTO(status, done, check_template(&c, templates[t], t));
    for (size_t i = 0; i < n_items; i++) {
        if (!c.twin[i]) continue;
        if (out->n_twins++ == 0) out->first_twin = items[i];
    }
    if (c.k) status = find_near(out, task, c.questions, n_items, items, c.texts);
done:
    pl_arena_free(c.texts);
    return status;
}
