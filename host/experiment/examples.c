#include "experiment/examples.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "experiment/draw.h"

enum { DEV_SHARE = 4 }; /* one of so many examples is a dev item */

/* Random choices that have nothing to do with which rows are drawn. */
static uint64_t own_seed(const pl_examples_wanted *w, const pl_task *task, const char *purpose)
{
    return pl_draw_seed(pl_draw_seed(w->seed, task->name), purpose) + w->draw;
}

/* ---- rows ---- */

/* Would the row give the answer of some evaluated item away, under some template? */
static bool gives_away(const pl_plan_task *task, size_t row)
{
    for (size_t t = 0; t < task->n_templates; t++)
        for (size_t i = 0; i < task->n_items; i++)
            if (pl_rows_give_away(&task->rows, t, task->items[i], row)) return true;
    return false;
}

static pl_status choose_rows(pl_examples *e, const pl_plan_task *task, const pl_examples_wanted *w)
{
    const pl_task *t = task->task;
    size_t *permutation, n = 0, at = 0;
    PL_TRY(pl_new(&permutation, t->fewshot->n));
    pl_status status = pl_draw_permutation(permutation, w->balance ? task->classes : NULL, t->fewshot->n,
                                           pl_draw_seed(w->seed, t->name), w->draw);
    for (; status == PL_OK && n < e->n && at < t->fewshot->n; at++)
        if (!gives_away(task, permutation[at])) e->rows[n++] = permutation[at];
    free(permutation);
    PL_TRY(status);
    e->n_set_aside = at - n;
    if (n == e->n) return PL_OK;
    return pl_fail(PL_E_INPUT,
                   "%s: n_train: %zu examples are asked for, the pool has %zu rows, %zu of which would give the answer "
                   "of an evaluated item away: at most %zu",
                   t->path, e->n, t->fewshot->n, e->n_set_aside, n);
}

/* ---- dev items ---- */

/* Places of the examples, those of one group side by side. */
typedef struct place {
    pl_row_key group;
    size_t at;
} place;

static int by_group(const void *a, const void *b)
{
    const place *x = a, *y = b;
    int order = memcmp(&x->group, &y->group, sizeof x->group);
    return order ? order : (x->at > y->at) - (x->at < y->at);
}

/* group_of[i]: the place of the group's first example; size[that]: how many examples it has. */
static pl_status find_groups(size_t *group_of, size_t *size, const pl_examples *e, const pl_row_key *groups)
{
    place *places;
    PL_TRY(pl_new(&places, e->n));
    for (size_t i = 0; i < e->n; i++) places[i] = (place){groups[e->rows[i]], i};
    qsort(places, e->n, sizeof *places, by_group);
    for (size_t i = 0, first = 0; i < e->n; i++) {
        if (memcmp(&places[i].group, &places[first].group, sizeof places->group) != 0) first = i;
        group_of[places[i].at] = places[first].at;
        size[places[first].at]++;
    }
    free(places);
    return PL_OK;
}

/* From the draw's end, each group that still fits into the share of dev items; where none does, the smallest, unless
 * that is more than half of the examples. Returns how many examples that is; mark[group] is set. */
static size_t choose_groups(bool *mark, const pl_examples *e, const size_t *group_of, const size_t *size)
{
    size_t n = 0, smallest = group_of[e->n - 1];
    for (size_t i = e->n; i-- > 0;) {
        size_t g = group_of[i];
        if (size[g] < size[smallest]) smallest = g;
        if (mark[g] || n + size[g] > e->n_dev) continue;
        mark[g] = true;
        n += size[g];
    }
    if (n || 2 * size[smallest] > e->n) return n;
    mark[smallest] = true;
    return size[smallest];
}

/* Rows of one group are all trained on, or are all dev items: groups move whole, and n_dev is what they make. Where one
 * group is more than half of the examples there is no such choice, and the draw stays as it is. */
static pl_status part_groups(pl_examples *e, const pl_row_key *groups, pl_arena *arena)
{
    size_t *group_of, *size, *rows, n = 0;
    bool *mark;
    if (!groups) return PL_OK;
    PL_TRY(pl_arena_new(arena, &group_of, e->n));
    PL_TRY(pl_arena_new(arena, &size, e->n));
    PL_TRY(pl_arena_new(arena, &mark, e->n));
    PL_TRY(pl_arena_new(arena, &rows, e->n));
    PL_TRY(find_groups(group_of, size, e, groups));
    size_t n_dev = choose_groups(mark, e, group_of, size);
    if (!n_dev) return PL_OK;
    for (size_t i = 0; i < e->n; i++)
        if (!mark[group_of[i]]) rows[n++] = e->rows[i];
    for (size_t i = 0; i < e->n; i++)
        if (mark[group_of[i]]) rows[n++] = e->rows[i];
    e->rows = rows;
    e->n_dev = n_dev;
    return PL_OK;
}

/* ---- classes ---- */

static pl_status check_classes(const pl_examples *e, const pl_plan_task *task, const pl_examples_wanted *w)
{
    size_t n = e->n - e->n_dev, other = 1;
    while (other < n && e->classes[other] == e->classes[0]) other++;
    if (other < n) return PL_OK;
    return pl_fail(PL_E_INPUT,
                   "%s: n_train %zu, draw %u: all of the %zu examples that are trained on have label %zu: expected two "
                   "labels or more; balance: true takes them in turn, as far as the pool has others",
                   task->task->path, e->n, w->draw, n, e->classes[0]);
}

static pl_status set_classes(pl_examples *e, const pl_plan_task *task, const pl_examples_wanted *w, pl_arena *arena)
{
    size_t *order;
    if (!task->has_classes) {
        if (!w->shuffled) return PL_OK;
        return pl_fail(PL_E_INPUT, "%s: labels: shuffled needs a label set, which task %s has not", task->task->path,
                       task->task->name);
    }
    PL_TRY(pl_arena_new(arena, &e->classes, e->n));
    PL_TRY(pl_arena_new(arena, &order, e->n));
    for (size_t i = 0; i < e->n; i++) order[i] = i;
    if (w->shuffled) pl_random_permutation(order, e->n, own_seed(w, task->task, "labels"), PL_RANDOM_DRAW, 0);
    for (size_t i = 0; i < e->n; i++) e->classes[i] = task->classes[e->rows[order[i]]];
    e->n_classes = task->n_choices;
    return check_classes(e, task, w);
}

/* ---- templates ---- */

static pl_status find_templates(pl_examples *e, const pl_plan_task *task, const pl_mixture *mixture, pl_arena *arena)
{
    const pl_task *t = task->task;
    e->n_templates = mixture->n ? mixture->n : 1;
    PL_TRY(pl_arena_new(arena, &e->templates, e->n_templates));
    if (!mixture->n) {
        size_t first = 0;
        while (first < task->n_templates && task->roles[first] != PL_ROLE_ID) first++;
        if (first == task->n_templates)
            return pl_fail(PL_E_INPUT, "%s: no template of role id to train on: expected train_templates in the arm",
                           t->path);
        e->templates[0] = task->templates[first];
        return PL_OK;
    }
    for (size_t i = 0; i < mixture->n; i++) {
        e->templates[i] = pl_task_template(t, mixture->names[i]);
        if (!e->templates[i])
            return pl_fail(PL_E_INPUT, "%s: train_templates: task %s has no template '%s'%s", t->path, t->name,
                           mixture->names[i],
                           strcmp(mixture->names[i], "raw") ? ""
                                                            : "; expected one that shows the item's text alone, as in "
                                                              "{name: raw, role: id, doc_to_text: \"{{text}}\"}");
        for (size_t k = 0; k < task->n_templates; k++)
            if (task->templates[k] == e->templates[i] && task->roles[k] == PL_ROLE_OOD)
                return pl_fail(
                    PL_E_INPUT,
                    "%s: train_templates: '%s' has role ood, which is never trained on: give it another role", t->path,
                    mixture->names[i]);
    }
    return PL_OK;
}

/* Each template stands over as many examples as any other, within one. */
static pl_status deal_templates(pl_examples *e, const pl_task *task, const pl_examples_wanted *w, pl_arena *arena)
{
    size_t *order;
    PL_TRY(pl_arena_new(arena, &e->template_of, e->n));
    PL_TRY(pl_arena_new(arena, &order, e->n));
    pl_random_permutation(order, e->n, own_seed(w, task, "templates"), PL_RANDOM_DRAW, 0);
    for (size_t i = 0; i < e->n; i++) e->template_of[order[i]] = i % e->n_templates;
    return PL_OK;
}

/* The label must be in the text, and be the one that the first template gives. */
static pl_status check_label(const pl_examples *e, const pl_plan_task *task, const pl_template *t, size_t i,
                             const pl_row *row, pl_arena *arena)
{
    const char *target;
    size_t label;
    PL_TRY(pl_task_target(task->task, t, row, arena, &target, &label));
    if (!*target)
        return pl_fail(PL_E_INPUT,
                       "%s: train_templates: template '%s' loses the label of %s, row %zu: its target is empty",
                       task->task->path, t->name, row->data->where, e->rows[i]);
    if (!e->n_classes || label == task->classes[e->rows[i]]) return PL_OK;
    return pl_fail(PL_E_INPUT,
                   "%s: train_templates: template '%s' gives %s, row %zu another label than template '%s': expected "
                   "the same place among the choices",
                   task->task->path, t->name, row->data->where, e->rows[i], task->templates[0]->name);
}

/* Choices that read alike cannot be told apart by who learns them. */
static pl_status check_choices(const pl_examples *e, const pl_plan_task *task, const pl_template *t, const pl_row *row,
                               pl_arena *arena)
{
    const char **choices;
    size_t n;
    if (!e->n_classes) return PL_OK;
    PL_TRY(pl_task_choices(task->task, t, row, arena, &choices, &n));
    if (n != e->n_classes)
        return pl_fail(PL_E_INPUT, "%s: train_templates: template '%s' has %zu choices, expected %zu as template '%s'",
                       task->task->path, t->name, n, e->n_classes, task->templates[0]->name);
    for (size_t a = 0; a < n; a++)
        for (size_t b = 0; b < a; b++)
            if (!strcmp(choices[a], choices[b]))
                return pl_fail(PL_E_INPUT,
                               "%s: train_templates: template '%s' loses the label: choices %zu and %zu are both '%s'",
                               task->task->path, t->name, b, a, choices[a]);
    return PL_OK;
}

static pl_status check_templates(const pl_examples *e, const pl_plan_task *task)
{
    pl_arena *arena;
    pl_status status = PL_OK;
    PL_TRY(pl_arena_create(&arena));
    for (size_t i = 0; i < e->n && status == PL_OK; i++) {
        const pl_template *t = e->templates[e->template_of[i]];
        pl_row row;
        PL_GOTO(status, done, pl_row_open(&row, task->task->fewshot, e->rows[i]));
        status = check_label(e, task, t, i, &row, arena);
        if (status == PL_OK) status = check_choices(e, task, t, &row, arena);
        pl_row_close(&row);
    }
done:
    pl_arena_free(arena);
    return status;
}

/* ---- all of it ---- */

static pl_status digest(pl_examples *e)
{
    uint64_t *words;
    size_t n = 0;
    PL_TRY(pl_new(&words, 3 * e->n + 1));
    words[n++] = e->n_dev;
    for (size_t i = 0; i < e->n; i++) {
        words[n++] = e->rows[i];
        words[n++] = e->classes ? e->classes[i] : UINT64_MAX;
        words[n++] = e->template_of[i];
    }
    pl_hash128(e->digest, words, n * sizeof *words);
    free(words);
    return PL_OK;
}

pl_status pl_examples_choose(pl_examples *out, const pl_plan_task *task, const pl_examples_wanted *wanted,
                             const pl_mixture *mixture, pl_arena *arena)
{
    const pl_task *t = task->task;
    *out = (pl_examples){.n = wanted->n, .n_dev = wanted->n / DEV_SHARE};
    if (!t->fewshot)
        return pl_fail(PL_E_INPUT, "%s: task %s has no training_split or fewshot_split: there is nothing to learn from",
                       t->path, t->name);
    PL_TRY(pl_arena_new(arena, &out->rows, out->n));
    PL_TRY(find_templates(out, task, mixture, arena));
    PL_TRY(choose_rows(out, task, wanted));
    PL_TRY(part_groups(out, task->rows.fewshot_group, arena));
    PL_TRY(set_classes(out, task, wanted, arena));
    PL_TRY(deal_templates(out, t, wanted, arena));
    PL_TRY(check_templates(out, task));
    return digest(out);
}
