#include "analysis/arms.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/arm_cost.h"
#include "analysis/contrast.h"
#include "analysis/group.h"
#include "analysis/look.h"
#include "analysis/scope.h"

typedef struct making {
    pl_run_view *view;
    pl_arms_table *table;
    size_t capacity, verdict_capacity;
    pl__conditions of; /* one model, task and readout */
    pl__verdict_rules rules;
} making;

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
                        .learn_dev_tokens = NAN,
                        .learn_seconds = NAN,
                        .item_tokens = NAN};
    return row;
}

/* Right no more often than the baseline; sums of thirds and such may be an ulp above. */
static bool is_failed(const pl__condition *c, size_t draw, pl_role role)
{
    double right = pl__condition_draw_accuracy(c, draw, role) - pl__condition_baseline(c);
    return right * (double)c->n_kept <= 1e-9;
}

static pl_status condition_row(making *m, const pl__condition *c, const pl__condition *best, pl_role role)
{
    size_t n_templates = pl__condition_n_templates(c, role);
    if (!n_templates) return PL_OK;
    pl_arm_row *row = new_row(m, c->unit, role);
    PL_TRY(pl__condition_name(&row->arm, c, m->table->arena));
    row->n_items = c->n_kept;
    row->n_templates = n_templates;
    row->n_draws = c->n_draws;
    row->best = c == best;
    row->learns = c->unit->n_train > 0 && !isnan(pl__condition_baseline(c));
    PL_TRY(pl__contrast(&row->accuracy, c, NULL, role, m->table->arena));
    if (best && c != best) PL_TRY(pl__contrast(&row->difference, c, best, role, m->table->arena));
    for (size_t d = 0; row->learns && d < c->n_draws; d++) row->n_failed += is_failed(c, d, role);
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
    for (size_t c = 0; c < m->of.n; c++)
        if (!isnan(pl__condition_accuracy(&m->of.list[c], role))) return true;
    return false;
}

static pl_status refuse_items(const making *m)
{
    const pl_run_unit *unit = m->of.list[0].unit;
    return pl_fail(PL_E_INPUT,
                   "%s: model %s, task %s: the arms that are compared share %zu of %zu items, expected at least %d %%: "
                   "items are left out by truncation or because a value is not finite; see stability.csv",
                   pl_run_view_folder(m->view)->path, unit->model, unit->task, m->of.n_shared, m->of.n_largest,
                   (int)PL__KEPT_PERCENT_MIN);
}

/* ---- the verdict ---- */

/* The costs of a side's arm, under ood templates, are those of its row. */
static void take_costs(pl_verdict_side *side, const pl_arms_table *t, size_t from)
{
    side->learn_tokens = side->learn_dev_tokens = side->learn_seconds = side->item_tokens = NAN;
    for (size_t i = from; i < t->n; i++) {
        const pl_arm_row *row = &t->rows[i];
        if (strcmp(row->role, pl_role_name(PL_ROLE_OOD)) || row->k != side->k || strcmp(row->arm, side->row)) continue;
        side->learn_tokens = row->learn_tokens;
        side->learn_dev_tokens = row->learn_dev_tokens;
        side->learn_seconds = row->learn_seconds;
        side->item_tokens = row->item_tokens * (double)side->n_prompts;
    }
}

/* Tokens that are learned from count three times: forward, and backward twice as much; those of dev items once. Every
 * draw was paid for. */
static double break_even(const pl_verdict_side *prompt, const pl_verdict_side *tuned)
{
    double dev = tuned->learn_dev_tokens > 0 ? tuned->learn_dev_tokens : 0.0;
    double saved = prompt->item_tokens - tuned->item_tokens,
           spent = (3.0 * (tuned->learn_tokens - dev) + dev) * (double)tuned->n_draws;
    if (prompt->learn_tokens > 0) spent -= prompt->learn_tokens * (double)prompt->n_draws;
    return saved > 0 ? fmax(0.0, spent / saved) : NAN;
}

static pl_status add_verdict(making *m, size_t from)
{
    pl_arms_table *t = m->table;
    pl__conditions all = m->of; /* ensembles are candidates too */
    const double **dev_accuracy;
    PL_TRY(pl_grow(&t->verdicts, &m->verdict_capacity, t->n_verdicts + 1));
    PL_TRY(pl_arena_new(t->arena, &all.list, m->of.n + m->of.n_ensembles));
    memcpy(all.list, m->of.list, m->of.n * sizeof *all.list);
    if (m->of.n_ensembles) memcpy(all.list + m->of.n, m->of.ensembles, m->of.n_ensembles * sizeof *all.list);
    all.n = m->of.n + m->of.n_ensembles;
    PL_TRY(pl_arena_new(t->arena, &dev_accuracy, all.n));
    PL_TRY(pl__verdict_dev_accuracy(dev_accuracy, &all));
    pl_verdict_row *row = &t->verdicts[t->n_verdicts];
    PL_TRY(pl__verdict_row(row, &all, dev_accuracy, &m->rules));
    take_costs(&row->prompt, t, from);
    take_costs(&row->tuned, t, from);
    row->break_even = break_even(&row->prompt, &row->tuned);
    t->n_verdicts++;
    return PL_OK;
}

static pl_status compare(making *m)
{
    size_t from = m->table->n;
    if (!m->of.n) return PL_OK;
    PL_TRY(pl__conditions_share(&m->of));
    if (m->of.too_few) return refuse_items(m);
    const pl__condition *best = pl__best_prompt(&m->of, m->of.list[0].unit->model);
    for (int role = PL_ROLE_ID; role <= PL_ROLE_OOD; role++) {
        if (!has_role(m, (pl_role)role)) continue;
        PL_TRY(pl_grow(&m->table->rows, &m->capacity, m->table->n + m->of.n + 1));
        for (size_t c = 0; c < m->of.n; c++) PL_TRY(condition_row(m, &m->of.list[c], best, (pl_role)role));
        if (m->of.list[0].baseline == PL__COMMONEST) constant_row(m, &m->of.list[0], best, (pl_role)role);
    }
    return add_verdict(m, from);
}

/* ---- the run ---- */

/* All groups of the model, task and readout of the unit `first`, when one of them learns. */
static pl_status compare_subject(making *m, size_t first)
{
    size_t n = pl_run_view_n_units(m->view);
    const pl_run_unit *subject = pl_run_view_unit(m->view, first);
    bool learns = false;
    for (size_t i = 0; i < n; i++) {
        const pl_run_unit *u = pl_run_view_unit(m->view, i);
        if (!pl_run_unit_same_subject(u, subject)) continue;
        if (i < first) return PL_OK; /* it was its turn before */
        learns = learns || u->n_train > 0;
    }
    if (!learns) return PL_OK;
    m->rules = pl__rules_of(m->view, subject);
    PL_TRY(pl__conditions_of(&m->of, m->view, subject, m->rules.stopped ? pl_stage_of(m->rules.stopped) : PL_STAGES,
                             m->table->arena));
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
    PL_GOTO(status, done, pl__verdicts_decide(m.table->verdicts, m.table->n_verdicts));
    *out = m.table;
    m.table = NULL;
done:
    pl_arms_free(m.table);
    return status;
}

void pl_arms_free(pl_arms_table *table)
{
    if (!table) return;
    free(table->rows);
    free(table->verdicts);
    pl_arena_free(table->arena);
    free(table);
}

bool pl_arm_is_of(const char *arm, const char *plain)
{
    size_t n = strlen(plain);
    return !strncmp(arm, plain, n) && (!arm[n] || !strcmp(arm + n, " calibrated"));
}
