#include "experiment/rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/json.h"
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

typedef struct checker {
    pl_rows *rows;
    const pl_task *task;
    const pl_template *const *templates;
    size_t n_templates, k;
    pl_arena *arena, *texts; /* of the result; of what follows, where there is a pool */
    char **questions;        /* [n_items + pool] */
    bool *twin;              /* [n_items] */
    shown shown;
} checker;

static void free_shown(shown *s)
{
    pl_bytes_free(&s->question);
    pl_bytes_free(&s->folded);
}

static pl_status show_row(shown *s, const pl_task *task, const pl_template *t, const pl_row *row, pl_arena *scratch,
                          size_t *label)
{
    const char *target;
    pl_bytes_clear(&s->question);
    pl_bytes_clear(&s->folded);
    PL_TRY(pl_task_row(task, t, row, scratch, &s->question, &target, label));
    PL_TRY(pl_text_fold(&s->folded, s->question.size ? s->question.data : "", s->question.size));
    s->n_question = s->folded.size;
    PL_TRY(pl_bytes_append(&s->folded, "", 1));
    return pl_text_fold(&s->folded, target, strlen(target));
}

/* Some rows of a data file, and what is made of them; place i is row rows[i], or row i where rows is NULL. */
typedef struct side {
    const pl_data *data;
    const size_t *rows;
    size_t n;
    pl_row_key **keys, *groups; /* [n_templates][n]; [n] or NULL */
    char **questions;           /* [n] folded, of the first template; NULL: not wanted */
    size_t *labels;             /* [n] of the first template; NULL: not wanted */
} side;

/* Two groups are one when their JSON is. */
static pl_status hash_group(pl_row_key *key, const json_t *group)
{
    pl_bytes text = {0};
    PL_TRY(pl_json_canonical(&text, group));
    pl_hash128_words(key->words, text.data, text.size);
    pl_bytes_free(&text);
    return PL_OK;
}

static pl_status check_row(checker *c, side *s, size_t place, const pl_row *row, pl_arena *scratch)
{
    shown *shown = &c->shown;
    for (size_t t = 0; t < c->n_templates; t++) {
        size_t label;
        PL_TRY(show_row(shown, c->task, c->templates[t], row, scratch, &label));
        pl_hash128_words(s->keys[t][place].words, shown->folded.data, shown->folded.size);
        if (t > 0) continue;
        if (s->labels) s->labels[place] = label;
        if (s->questions) PL_TRY(pl_arena_text(c->texts, &s->questions[place], shown->folded.data, shown->n_question));
    }
    return s->groups ? hash_group(&s->groups[place], json_object_get(row->item, c->task->group)) : PL_OK;
}

/* Every row with every template. */
static pl_status check_rows(checker *c, side *s)
{
    pl_arena *scratch = NULL;
    pl_status status = PL_OK;
    for (size_t i = 0; i < s->n; i++) {
        pl_row row;
        if (i % ROWS_AN_ARENA == 0) {
            pl_arena_free(scratch);
            scratch = NULL;
            PL_GOTO(status, done, pl_arena_create(&scratch));
        }
        PL_GOTO(status, done, pl_row_open(&row, s->data, s->rows ? s->rows[i] : i));
        status = check_row(c, s, i, &row, scratch);
        pl_row_close(&row);
        PL_GOTO(status, done, status);
    }
done:
    pl_arena_free(scratch);
    return status;
}

/* ---- what rows have in common ---- */

static bool gives_away(const pl_rows *rows, size_t template, size_t place, size_t row)
{
    return compare_keys(&rows->test[template][place], &rows->fewshot[template][row]) == 0 ||
           (rows->fewshot_group && compare_keys(&rows->test_group[place], &rows->fewshot_group[row]) == 0);
}

static int compare_rows(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

bool pl_rows_give_away(const pl_rows *rows, size_t template, size_t item, size_t row)
{
    const size_t *found = bsearch(&item, rows->items, rows->n_items, sizeof item, compare_rows);
    return found && gives_away(rows, template, (size_t)(found - rows->items), row);
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

static size_t count_left(const pl_rows *rows, size_t template, size_t place, size_t n_pool)
{
    size_t left = 0;
    for (size_t row = 0; row < n_pool; row++) left += !gives_away(rows, template, place, row);
    return left;
}

/* Which items stand in the pool as well, and whether enough shots are left for each. */
static pl_status find_twins(checker *c, size_t template)
{
    const pl_task *task = c->task;
    pl_rows *rows = c->rows;
    keyed *sorted = NULL;
    size_t n = task->fewshot->n, k = c->k, first;
    PL_TRY(sort_keys(&sorted, rows->fewshot[template], n));
    pl_status status = PL_OK;
    bool too_few = n < k + (task->fewshot_is_test ? 1u : 0u); /* of all rows: the plan says so */
    for (size_t i = 0; i < rows->n_items && status == PL_OK; i++) {
        size_t found = count_key(sorted, n, &rows->test[template][i], &first);
        c->twin[i] |= found > (task->fewshot_is_test ? 1u : 0u);
        if (too_few || (n >= k + found && !task->group)) continue;
        if (task->group && n > MOST_PAIRS / rows->n_items) continue; /* seen when the prompts are built */
        size_t left = count_left(rows, template, i, n);
        if (left < k)
            status = pl_fail(PL_E_INPUT,
                             "%s: item %zu with template '%s': only %zu shots are left once rows that give its answer "
                             "away are set aside, %zu are needed",
                             task->path, rows->items[i], c->templates[template]->name, left, k);
    }
    for (size_t i = 0; template == 0 && i < n; i++) {
        size_t found = count_key(sorted, n, &rows->fewshot[0][i], &first);
        rows->same[i] = found ? sorted[first].row : i;
    }
    free(sorted);
    return status;
}

/* Leaves out what all questions begin and end with: the template's own words would make any two texts alike. */
static void cut_common(char **texts, size_t n)
{
    if (n < 2) return;
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
        if (front + back > size) continue; /* nothing of its own: compared as it is */
        texts[i][size - back] = 0;
        texts[i] += front;
    }
}

/* Near-duplicates, by the questions of the first template: of the evaluated items, then of the pool. */
static pl_status find_near(checker *c)
{
    size_t n_items = c->rows->n_items, n_pool = c->task->fewshot->n;
    const size_t *own = c->task->fewshot_is_test ? c->rows->items : NULL;
    const char **questions = (const char **)c->questions;
    cut_common(c->questions, n_items + n_pool);
    return pl_overlap_count(&c->rows->near, questions, n_items, questions + n_items, n_pool, own);
}

/* ---- the whole ---- */

/* Keys for n rows with each template, and of their groups. */
static pl_status make_keys(const checker *c, pl_row_key ***keys, pl_row_key **groups, size_t n)
{
    PL_TRY(pl_arena_new(c->arena, keys, c->n_templates));
    for (size_t t = 0; t < c->n_templates; t++) PL_TRY(pl_arena_new(c->arena, &(*keys)[t], n));
    return c->task->group ? pl_arena_new(c->arena, groups, n) : PL_OK;
}

static pl_status check_items(checker *c)
{
    pl_rows *rows = c->rows;
    PL_TRY(make_keys(c, &rows->test, &rows->test_group, rows->n_items));
    side items = {.data = c->task->test,
                  .rows = rows->items,
                  .n = rows->n_items,
                  .keys = rows->test,
                  .groups = rows->test_group,
                  .questions = c->questions};
    return check_rows(c, &items);
}

static pl_status check_pool(checker *c)
{
    pl_rows *rows = c->rows;
    size_t n = c->task->fewshot->n;
    PL_TRY(make_keys(c, &rows->fewshot, &rows->fewshot_group, n));
    PL_TRY(pl_arena_new(c->arena, &rows->labels, n));
    PL_TRY(pl_arena_new(c->arena, &rows->same, n));
    side pool = {.data = c->task->fewshot,
                 .n = n,
                 .keys = rows->fewshot,
                 .groups = rows->fewshot_group,
                 .questions = c->questions + rows->n_items,
                 .labels = rows->labels};
    PL_TRY(check_rows(c, &pool));
    for (size_t t = 0; t < c->n_templates; t++) PL_TRY(find_twins(c, t));
    for (size_t i = 0; i < rows->n_items; i++) {
        if (!c->twin[i]) continue;
        if (rows->n_twins++ == 0) rows->first_twin = rows->items[i];
    }
    return find_near(c);
}

static pl_status check(checker *c)
{
    if (!c->k) return check_items(c);
    size_t n_items = c->rows->n_items;
    PL_TRY(pl_arena_create(&c->texts));
    PL_TRY(pl_arena_new(c->texts, &c->questions, n_items + c->task->fewshot->n));
    PL_TRY(pl_arena_new(c->texts, &c->twin, n_items));
    PL_TRY(check_items(c));
    return check_pool(c);
}

pl_status pl_rows_check(pl_rows *out, const pl_task *task, const pl_template *const *templates, size_t n_templates,
                        const size_t *items, size_t n_items, size_t k, pl_arena *arena)
{
    *out = (pl_rows){.n_items = n_items,
                     .items = items,
                     .first_twin = SIZE_MAX,
                     .near = {.first_item = SIZE_MAX, .first_row = SIZE_MAX}};
    checker c = {.rows = out,
                 .task = task,
                 .templates = templates,
                 .n_templates = n_templates,
                 .k = task->fewshot ? k : 0,
                 .arena = arena};
    pl_status status = check(&c);
    pl_arena_free(c.texts);
    free_shown(&c.shown);
    return status;
}
