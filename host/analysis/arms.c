#include "analysis/arms.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/arm_cost.h"
#include "analysis/contrast.h"
#include "analysis/group.h"
#include "analysis/scope.h"

enum { MIN_KEPT_PERCENT = 95 };

typedef struct making {
    pl_run_view *view;
    pl_arms_table *table;
    size_t capacity;
    pl__condition *conditions; /* of one model, task and readout */
    size_t n, n_rooms;
} making;

/* ---- one condition ---- */

/* The draws that have a whole member, once each. */
static pl_status list_draws(pl__condition *c, const pl__group *g, pl_arena *arena)
{
    PL_TRY(pl_arena_new(arena, &c->draws, g->n_members));
    for (size_t s = 0; s < g->n_members; s++) {
        if (!g->members[s].whole) continue;
        c->draws[c->n_draws] = g->members[s].draw;
        size_t d = 0;
        while (c->draws[d] != g->members[s].draw) d++;
        c->n_draws += d == c->n_draws;
    }
    return PL_OK;
}

/* What looks at states or at rows of labels of its own answers the same under templates whose prompts are equal, be
 * their label words what they may. */
static bool sees_prompts_only(const pl_run_unit *unit)
{
    return !strcmp(unit->kind, "linear") || !strcmp(unit->head, "classifier");
}

static void describe_templates(pl__condition *c, const pl__member *member)
{
    for (size_t k = 0; k < c->t; k++) {
        const pl_run_unit *unit = member->cells[k].unit;
        c->templates[k] = unit->template_name;
        c->roles[k] = unit->role;
        c->same[k] = k;
        for (size_t j = 0; j < k && c->same[k] == k; j++) {
            bool one = member->wording[j] == member->wording[k] ||
                       (sees_prompts_only(unit) && member->cells[j].unit->prompts == unit->prompts);
            if (c->roles[j] == unit->role && one) c->same[k] = c->same[j];
        }
    }
}

/* Adds a member's outcomes to those of its draw. */
static void add_outcomes(pl__condition *c, const pl__member *member, size_t d, double weight)
{
    const uint8_t *correct = c->calibrated ? member->correct_cc : member->correct;
    for (size_t k = 0; k < c->t; k++)
        for (size_t i = 0; i < c->n; i++) c->correct[(d * c->t + k) * c->n + i] += weight * correct[i * member->t + k];
}

/* The outcomes of a group's whole members: the orders (and seeds) of a draw are brought to their mean. */
static pl_status add_condition(making *m, const pl__group *g, bool calibrated)
{
    pl_arena *arena = m->table->arena;
    pl__condition *c = &m->conditions[m->n];
    *c = (pl__condition){
        .unit = g->unit, .calibrated = calibrated, .n = g->n, .t = g->n_planned, .n_largest = g->n_largest};
    PL_TRY(list_draws(c, g, arena));
    if (!c->n_draws) return PL_OK;
    PL_TRY(pl_arena_new(arena, &c->doc_id, g->n));
    PL_TRY(pl_arena_new(arena, &c->classes, g->n));
    PL_TRY(pl_arena_new(arena, &c->templates, c->t));
    PL_TRY(pl_arena_new(arena, &c->roles, c->t));
    PL_TRY(pl_arena_new(arena, &c->same, c->t));
    PL_TRY(pl_arena_new(arena, &c->correct, c->n_draws * c->t * c->n));
    if (g->group_of) PL_TRY(pl_arena_new(arena, &c->group_of, g->n));
    if (g->group_of && g->n) memcpy(c->group_of, g->group_of, g->n * sizeof *c->group_of);
    if (g->n) memcpy(c->doc_id, g->doc_id, g->n * sizeof *c->doc_id);
    if (g->n) memcpy(c->classes, g->classes, g->n * sizeof *c->classes);
    for (size_t d = 0; d < c->n_draws; d++) {
        double n = 0;
        for (size_t s = 0; s < g->n_members; s++) n += g->members[s].whole && g->members[s].draw == c->draws[d];
        for (size_t s = 0; s < g->n_members; s++) {
            const pl__member *member = &g->members[s];
            if (!member->whole || member->draw != c->draws[d]) continue;
            describe_templates(c, member);
            add_outcomes(c, member, d, 1 / n);
        }
    }
    m->n++;
    return PL_OK;
}

/* Whether the group prompts, and every template of its whole members has calibrated predictions. */
static bool is_calibrated(const pl__group *g)
{
    bool all = g->unit->n_train == 0 && g->n > 0;
    for (size_t s = 0; s < g->n_members; s++)
        for (size_t k = 0; g->members[s].whole && k < g->members[s].t; k++) all = all && g->members[s].calibrated[k];
    return all;
}

/* A group as it is and, of an arm that prompts, calibrated. */
static pl_status read_conditions(making *m, size_t first)
{
    pl__group g;
    PL_TRY(pl__group_read(&g, m->view, first));
    pl_status status = g.n_members ? add_condition(m, &g, false) : PL_OK;
    if (status == PL_OK && g.n_members && is_calibrated(&g)) status = add_condition(m, &g, true);
    pl__group_free(&g);
    return status;
}

/* ---- the items that all conditions have ---- */

static bool has_item(const pl__condition *c, int64_t id, size_t *at)
{
    /* The same order nearly everywhere: looked for from where the last one was. */
    for (size_t k = 0; k < c->n; k++) {
        size_t i = (*at + k) % c->n;
        if (c->doc_id[i] != id) continue;
        *at = i;
        return true;
    }
    return false;
}

static pl_status share_items(making *m)
{
    pl__condition *first = &m->conditions[0];
    size_t n = 0, largest = 0, *at;
    pl_arena *arena = m->table->arena;
    PL_TRY(pl_arena_new(arena, &at, m->n));
    for (size_t c = 0; c < m->n; c++) {
        if (m->conditions[c].n_largest > largest) largest = m->conditions[c].n_largest;
        PL_TRY(pl_arena_new(arena, &m->conditions[c].kept, first->n));
    }
    for (size_t i = 0; i < first->n; i++) {
        bool everywhere = true;
        for (size_t c = 0; c < m->n && everywhere; c++)
            everywhere = has_item(&m->conditions[c], first->doc_id[i], &at[c]);
        if (!everywhere) continue;
        for (size_t c = 0; c < m->n; c++) m->conditions[c].kept[n] = at[c];
        n++;
    }
    for (size_t c = 0; c < m->n; c++) {
        pl__condition *one = &m->conditions[c];
        one->n_kept = n;
        PL_TRY(pl__commonest(&one->n_commonest, one->classes, one->kept, n));
    }
    if (n * 100 >= largest * MIN_KEPT_PERCENT && n > 0) return PL_OK;
    return pl_fail(PL_E_INPUT,
                   "%s: model %s, task %s: the arms that are compared share %zu of %zu items, expected at least %d %%: "
                   "items are left out by truncation or because a value is not finite; see stability.csv",
                   pl_run_view_folder(m->view)->path, first->unit->model, first->unit->task, n, largest,
                   MIN_KEPT_PERCENT);
}

/* ---- rows ---- */

static pl_arm_row *new_row(making *m, const pl_run_unit *unit, pl_role role)
{
    pl_arm_row *row = &m->table->rows[m->table->n++];
    *row = (pl_arm_row){.model = unit->model,
                        .task = unit->task,
                        .readout = unit->readout,
                        .arm = unit->arm,
                        .k = unit->k,
                        .role = pl_role_name(role),
                        .accuracy = pl__only_value(NAN),
                        .difference = pl__only_value(NAN),
                        .learn_tokens = NAN,
                        .learn_seconds = NAN,
                        .item_tokens = NAN};
    return row;
}

/* The prompting arm that is best on dev templates, where there are none on id templates; NULL: none prompts. */
static const pl__condition *best_prompt(const making *m)
{
    const pl__condition *best = NULL;
    double top = -1;
    for (size_t c = 0; c < m->n; c++) {
        const pl__condition *one = &m->conditions[c];
        if (one->unit->train_template && *one->unit->train_template) continue;
        double accuracy = pl__condition_accuracy(one, PL_ROLE_DEV);
        if (isnan(accuracy)) accuracy = pl__condition_accuracy(one, PL_ROLE_ID);
        if (isnan(accuracy)) accuracy = 0;
        if (!best || accuracy > top || (accuracy == top && one->unit->k < best->unit->k)) {
            best = one;
            top = accuracy;
        }
    }
    return best;
}

/* Right no more often than who always says the commonest label; sums of thirds and such may be an ulp above. */
static bool is_constant(const pl__condition *c, size_t draw, pl_role role)
{
    return pl__condition_draw_accuracy(c, draw, role) * (double)c->n_kept <= (double)c->n_commonest + 1e-9;
}

static pl_status condition_row(making *m, const pl__condition *c, const pl__condition *best, pl_role role)
{
    size_t n_templates = pl__condition_n_templates(c, role);
    if (!n_templates) return PL_OK;
    pl_arm_row *row = new_row(m, c->unit, role);
    if (c->calibrated) PL_TRY(pl_arena_format(m->table->arena, (char **)&row->arm, "%s calibrated", c->unit->arm));
    row->n_items = c->n_kept;
    row->n_templates = n_templates;
    row->n_draws = c->n_draws;
    row->best = c == best;
    row->learns = c->unit->n_train > 0;
    PL_TRY(pl__contrast(&row->accuracy, c, NULL, role, m->table->arena));
    if (best && c != best) PL_TRY(pl__contrast(&row->difference, c, best, role, m->table->arena));
    for (size_t d = 0; row->learns && d < c->n_draws; d++) row->n_failed += is_constant(c, d, role);
    return pl__arm_cost(row, m->view, c->unit, c->calibrated, role);
}

/* Always the commonest label: no template changes it. */
static void constant_row(making *m, const pl__condition *any, const pl__condition *best, pl_role role)
{
    pl_arm_row *row = new_row(m, any->unit, role);
    row->arm = "constant";
    row->k = 0;
    row->n_items = any->n_kept;
    row->n_templates = row->n_draws = 1;
    pl_estimate share = pl_wilson(any->n_commonest, any->n_kept);
    row->accuracy.value = share.value;
    row->accuracy.se = share.se;
    row->accuracy.lo = share.lo;
    row->accuracy.hi = share.hi;
    double there = best ? pl__condition_accuracy(best, role) : NAN;
    row->difference.value = row->accuracy.value - there;
}

static bool has_role(const making *m, pl_role role)
{
    for (size_t c = 0; c < m->n; c++)
        if (!isnan(pl__condition_accuracy(&m->conditions[c], role))) return true;
    return false;
}

static pl_status compare(making *m)
{
    if (!m->n) return PL_OK;
    PL_TRY(share_items(m));
    const pl__condition *best = best_prompt(m);
    for (int role = PL_ROLE_ID; role <= PL_ROLE_OOD; role++) {
        if (!has_role(m, (pl_role)role)) continue;
        PL_TRY(pl_grow(&m->table->rows, &m->capacity, m->table->n + m->n + 1));
        for (size_t c = 0; c < m->n; c++) PL_TRY(condition_row(m, &m->conditions[c], best, (pl_role)role));
        if (m->conditions[0].n_commonest > 0) constant_row(m, &m->conditions[0], best, (pl_role)role);
    }
    return PL_OK;
}

/* ---- the run ---- */

static bool same_subject(const pl_run_unit *a, const pl_run_unit *b)
{
    return !strcmp(a->model, b->model) && !strcmp(a->task, b->task) && !strcmp(a->readout, b->readout);
}

/* All groups of the model, task and readout of the unit `first`, when one of them learns. */
static pl_status compare_subject(making *m, size_t first)
{
    size_t n = pl_run_view_n_units(m->view), n_groups = 0;
    const pl_run_unit *subject = pl_run_view_unit(m->view, first);
    bool learns = false;
    for (size_t i = 0; i < n; i++) {
        const pl_run_unit *u = pl_run_view_unit(m->view, i);
        if (!same_subject(u, subject)) continue;
        if (i < first) return PL_OK; /* it was its turn before */
        n_groups += u->group == i;
        learns = learns || u->n_train > 0;
    }
    if (!learns) return PL_OK;
    PL_TRY(pl_arena_new(m->table->arena, &m->conditions, 2 * n_groups));
    m->n = 0;
    for (size_t i = first; i < n; i++)
        if (pl_run_view_unit(m->view, i)->group == i && same_subject(pl_run_view_unit(m->view, i), subject))
            PL_TRY(read_conditions(m, i));
    return compare(m);
}

pl_status pl_arms_of_run(pl_arms_table **out, pl_run_view *view)
{
    making m = {.view = view};
    size_t n = pl_run_view_n_units(view);
    pl_status status;
    *out = NULL;
    PL_TRY(pl_new(&m.table, 1));
    PL_GOTO(status, done, pl_arena_create(&m.table->arena));
    for (size_t i = 0; i < n; i++)
        if (pl_run_view_unit(view, i)->group == i) PL_GOTO(status, done, compare_subject(&m, i));
    *out = m.table;
    m.table = NULL;
    status = PL_OK;
done:
    pl_arms_free(m.table);
    return status;
}

void pl_arms_free(pl_arms_table *table)
{
    if (!table) return;
    free(table->rows);
    pl_arena_free(table->arena);
    free(table);
}
