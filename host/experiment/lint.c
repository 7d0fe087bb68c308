#include "experiment/lint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "experiment/chat.h"
#include "experiment/item.h"

static const struct {
    const char *name, *meaning;
} RULES[PL_LINT_N] = {
#define X(id, name, meaning) {name, meaning},
    PL_LINT_RULES(X)
#undef X
};

const char *pl_lint_name(pl_lint_rule rule)
{
    return RULES[rule].name;
}

const char *pl_lint_meaning(pl_lint_rule rule)
{
    return RULES[rule].meaning;
}

enum { DETAIL = 160 };

/* What was found in one cell. */
typedef struct cell {
    const pl_plan *plan;
    const pl_plan_unit *unit;
    size_t n_items;
    struct {
        size_t n, first;
        char detail[DETAIL];
    } rules[PL_LINT_N];
} cell;

static void found(cell *c, pl_lint_rule rule, size_t item, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void found(cell *c, pl_lint_rule rule, size_t item, const char *format, ...)
{
    if (c->rules[rule].n++) return;
    va_list args;
    va_start(args, format);
    c->rules[rule].first = item;
    vsnprintf(c->rules[rule].detail, DETAIL, format, args);
    va_end(args);
}

static bool is_chat(const cell *c)
{
    return c->unit->chat && c->unit->chat->apply;
}

/* ---- of one item ---- */

static void look_at_border(cell *c, const pl__item *item)
{
    const pl_request *r = &item->encoded.request;
    const int32_t bos = pl_tokenizer_bos(c->plan->models[c->unit->model].tokenizer);
    size_t size = item->prompt.context_size;
    if (item->encoded.merged) found(c, PL_LINT_MERGED, item->index, "%s", "");
    if (size > 0 && pl_utf8_rstrip(item->prompt.context, size) < size &&
        !is_chat(c)) /* its template's, not the task's */
        found(c, PL_LINT_TRAILING_BLANK, item->index, "%zu bytes of it",
              size - pl_utf8_rstrip(item->prompt.context, size));
    if (r->n > 1 && bos >= 0 && r->ids[0] == bos && r->ids[1] == bos)
        found(c, PL_LINT_DOUBLE_BOS, item->index, "id %d", bos);
    if (item->prompt.system_refused) found(c, PL_LINT_SYSTEM_REFUSED, item->index, "%s", "");
    if (item->encoded.shots_dropped || item->encoded.tokens_cut)
        found(c, PL_LINT_TRUNCATED, item->index, "%zu shots dropped, %zu tokens cut", item->encoded.shots_dropped,
              item->encoded.tokens_cut);
}

/* Whether all answers begin with one token, and none ends with it. */
static bool share_first(const pl_request *r, size_t n)
{
    bool shared = true;
    for (size_t i = 0; i < n; i++) {
        const pl_choice *x = &r->choices[i], *y = &r->choices[0];
        shared = shared && x->n - x->first > 1 && x->ids[x->first] == y->ids[y->first];
    }
    return shared;
}

/* A target that stands alone has no other answer to be held against; behind contexts all have the same. */
static void look_at_answers(cell *c, const pl__item *item)
{
    const pl_request *r = &item->encoded.request;
    bool same = false, longer = false, lengths = false;
    size_t a = 0, b = 0, many = 0;
    const size_t n = item->encoded.n_choices;
    if (n < 2 || item->prompt.contexts || pl_unit_has_head(c->unit)) return;
    /* The white space that a chat template ends in is scored with every answer: a token that tells none apart. */
    const size_t skip = is_chat(c) && share_first(r, n) ? 1 : 0;
    for (size_t i = 0; i < n; i++) {
        const pl_choice *x = &r->choices[i];
        if (x->n - x->first > 1 + skip && !longer) many = i;
        longer = longer || x->n - x->first > 1 + skip;
        lengths = lengths || x->n - x->first != r->choices[0].n - r->choices[0].first;
        for (size_t k = 0; k < i && !same; k++) {
            same = r->choices[k].ids[r->choices[k].first + skip] == x->ids[x->first + skip];
            a = k;
            b = i;
        }
    }
    const char *const *texts = item->prompt.choice_texts;
    if (same) found(c, PL_LINT_SAME_FIRST, item->index, "'%.40s' and '%.40s'", texts[a], texts[b]);
    if (lengths) found(c, PL_LINT_LENGTHS, item->index, "%s", "");
    if (longer)
        found(c, PL_LINT_LABEL_TOKENS, item->index, "'%.40s': %zu tokens", texts[many],
              r->choices[many].n - r->choices[many].first - skip);
}

static void look_at_stops(cell *c, const pl__item *item)
{
    const pl_task *task = c->plan->tasks[c->unit->task].task;
    if (c->unit->readout != PL_READOUT_GENERATE || !item->prompt.target) return;
    for (size_t s = 0; s < task->n_until; s++)
        if (strstr(item->prompt.target, task->until[s])) {
            found(c, PL_LINT_STOP_IN_ANSWER, item->index, "stop text %zu of until", s);
            return;
        }
}

/* ---- of a cell ---- */

static void look_at_task(cell *c)
{
    const pl_plan_task *task = &c->plan->tasks[c->unit->task];
    if (c->unit->readout == PL_READOUT_GENERATE && task->task->n_until == 0)
        found(c, PL_LINT_NO_STOP, SIZE_MAX, "max_gen_toks %zu", task->task->max_gen_toks);
    if (c->unit->k == 0) return;
    if (task->rows.n_twins) found(c, PL_LINT_LEAK, task->rows.first_twin, "%zu items", task->rows.n_twins);
    if (task->rows.near.n)
        found(c, PL_LINT_NEAR_DUPLICATE, task->items[task->rows.near.first_item], "%zu items; pool row %zu",
              task->rows.near.n, task->rows.near.first_row);
}

static pl_status look_at_prompts(cell *c, size_t most)
{
    pl_arena *arena;
    pl__items items;
    PL_TRY(pl_arena_create(&arena));
    pl_status status = pl__items_build(&items, c->plan, c->unit, arena);
    if (status == PL_E_INPUT) { /* what the run would say */
        found(c, PL_LINT_FAILS, SIZE_MAX, "%s", pl_error_text());
        status = PL_OK;
        goto done;
    }
    if (status != PL_OK) goto done;
    c->n_items = items.n < most ? items.n : most;
    if (items.n_skipped) found(c, PL_LINT_TRUNCATED, SIZE_MAX, "%zu items left out", items.n_skipped);
    for (size_t i = 0; i < c->n_items; i++) {
        look_at_border(c, &items.items[i]);
        look_at_answers(c, &items.items[i]);
        look_at_stops(c, &items.items[i]);
    }
done:
    pl_arena_free(arena);
    return status;
}

/* Adapted models and later draws show the same prompts, or more of a kind. */
static bool is_looked_at(const pl_plan_unit *unit)
{
    return !unit->adaptation && unit->draw == 0 && unit->order == 0;
}

/* Which rules were said already: of a task, or of a model's template, way of asking and readout, whatever the number of
 * shots. */
static size_t place_of(const pl_plan *plan, const pl_plan_unit *unit, size_t most_templates, size_t rule)
{
    const bool of_task = rule == PL_LINT_LEAK || rule == PL_LINT_NEAR_DUPLICATE || rule == PL_LINT_NO_STOP;
    const size_t model = of_task ? 0 : unit->model, template = of_task ? 0 : unit->template_place,
                 chat = of_task ? 0 : pl_unit_chat_index(plan, unit);
    size_t place = (model * plan->n_tasks + unit->task) * most_templates + template;
    place = (place * (plan->spec->n_chats + 1) + chat) * PL_READOUTS + unit->readout;
    return place * PL_LINT_N + rule;
}

pl_status pl_lint(const pl_plan *plan, size_t most, void (*take)(void *listener, const pl_finding *finding),
                  void *listener)
{
    size_t most_templates = 1;
    bool *said = NULL;
    pl_status status = PL_OK;
    for (size_t t = 0; t < plan->n_tasks; t++)
        if (plan->tasks[t].n_templates > most_templates) most_templates = plan->tasks[t].n_templates;
    PL_TRY(pl_new(&said, plan->n_models * plan->n_tasks * most_templates * (plan->spec->n_chats + 1) * PL_READOUTS *
                             PL_LINT_N));
    for (size_t u = 0; u < plan->n_units && status == PL_OK; u++) {
        cell c = {.plan = plan, .unit = &plan->units[u]};
        if (!is_looked_at(c.unit)) continue;
        status = look_at_prompts(&c, most);
        if (status == PL_OK) look_at_task(&c);
        for (size_t r = 0; r < PL_LINT_N; r++) {
            const pl_finding finding = {(pl_lint_rule)r, c.unit,           c.rules[r].n,
                                        c.n_items,       c.rules[r].first, c.rules[r].detail};
            bool *once = &said[place_of(plan, c.unit, most_templates, r)];
            if (finding.n && status == PL_OK && !*once) take(listener, &finding);
            *once = *once || finding.n;
        }
    }
    free(said);
    return status;
}
