#include "analysis/contrasts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/contrast.h"
#include "analysis/look.h"
#include "analysis/scope.h"
#include "statistics/multiplicity.h"

typedef struct making {
    pl_contrasts_table *table;
    size_t capacity;
    pl__conditions of; /* one task and readout, of all models */
} making;

/* ---- rows ---- */

/* Texts are borrowed: from the view, or from the arena. */
static pl_status new_row(making *m, pl_contrast_row **out, const char *kind, const pl__condition *c,
                         const pl__condition *minus, pl_role role, pl_role minus_role)
{
    pl_contrasts_table *t = m->table;
    PL_TRY(pl_grow(&t->rows, &m->capacity, t->n + 1));
    *out = &t->rows[t->n++];
    **out = (pl_contrast_row){.kind = kind,
                              .task = c->unit->task,
                              .readout = c->unit->readout,
                              .model = c->unit->model,
                              .role = pl_role_name(role),
                              .k = c->unit->k,
                              .minus_model = minus->unit->model,
                              .minus_role = pl_role_name(minus_role),
                              .minus_k = minus->unit->k,
                              .difference = pl__only_value(NAN),
                              .generalises = "",
                              .n_items = m->of.n_shared,
                              .n_draws = c->n_draws,
                              .n_minus_draws = minus->n_draws,
                              .p = NAN,
                              .p_adjusted = NAN,
                              .p_mcnemar = NAN,
                              .parts = {NAN, NAN, NAN, NAN, NAN, NAN, NAN},
                              .why_empty = ""};
    PL_TRY(pl__condition_name(&(*out)->arm, c, t->arena));
    return pl__condition_name(&(*out)->minus_arm, minus, t->arena);
}

static void finish_row(making *m, pl_contrast_row *row, bool sampled)
{
    row->generalises = pl__generalises(&row->difference);
    row->p = pl_crossed_p(&row->difference, 0.0);
    if (m->of.too_few)
        row->why_empty = "under 95 % of the items are in all conditions of the task";
    else if (isnan(row->difference.value))
        row->why_empty = "no template of the role is in both";
    else if (sampled && !row->difference.over_draws)
        row->why_empty = "not over draws: fewer than three";
}

/* What a next run can be planned by. */
static pl_status plan_more(pl_contrast_row *row, const pl__condition *c, const pl__condition *minus, pl_role role,
                           pl_arena *arena)
{
    for (size_t f = 0; f < 3; f++)
        row->needed[f] = pl_levels_needed(&row->difference, f, PL_HALF_WIDTH_PERCENT / 100.0);
    return pl__contrast_parts(&row->parts, c, minus, role, arena);
}

static pl_status add_pair(making *m, const char *kind, const pl__condition *c, const pl__condition *minus, pl_role role)
{
    pl_contrast_row *row;
    PL_TRY(new_row(m, &row, kind, c, minus, role, role));
    row->n_templates = row->n_minus_templates = pl__contrast_n_templates(c, minus, role);
    if (!m->of.too_few) PL_TRY(pl__contrast(&row->difference, c, minus, role, m->table->arena));
    if (!m->of.too_few) row->p_mcnemar = pl__contrast_mcnemar(c, minus, role);
    if (!m->of.too_few && !strcmp(kind, "primary")) PL_TRY(plan_more(row, c, minus, role, m->table->arena));
    finish_row(m, row, c->sampled || minus->sampled);
    return PL_OK;
}

static pl_status add_roles(making *m, const pl__condition *c, pl_role role, pl_role minus)
{
    pl_contrast_row *row;
    PL_TRY(new_row(m, &row, "role", c, c, role, minus));
    row->n_templates = pl__condition_n_templates(c, role);
    row->n_minus_templates = pl__condition_n_templates(c, minus);
    if (!m->of.too_few) PL_TRY(pl__role_contrast(&row->difference, c, role, minus, m->table->arena));
    finish_row(m, row, c->sampled);
    return PL_OK;
}

/* ---- what the experiment was run for ---- */

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static bool is_text(const json_t *object, const char *key, const char *value)
{
    const char *said = text_of(object, key);
    return !said || !strcmp(said, value);
}

static bool is_size(const json_t *object, const char *key, size_t value)
{
    const json_t *said = json_object_get(object, key);
    return !said || json_integer_value(said) == (json_int_t)value;
}

/* "finetune:long+chat lm standard n=64" is called "long". */
static bool is_called(const json_t *arm, const pl_run_unit *unit)
{
    const char *name = text_of(arm, "name");
    size_t kind = strlen(unit->kind), n = name ? strlen(name) : 0;
    if (!name) return true;
    if (strncmp(unit->arm, unit->kind, kind) || unit->arm[kind] != ':') return false;
    const char *own = unit->arm + kind + 1;
    return !strncmp(own, name, n) && (own[n] == ' ' || own[n] == '+' || own[n] == '\0');
}

/* Only prompting arms are calibrated: others stand for themselves. */
static bool fits(const pl__condition *c, const json_t *arm, const char *metric)
{
    const pl_run_unit *u = c->unit;
    bool calibrated = !strcmp(metric, "acc_cc") && !strcmp(u->kind, "prompt");
    return c->calibrated == calibrated && is_text(arm, "kind", u->kind) && is_called(arm, u) &&
           is_size(arm, "shots", (size_t)u->k) && is_size(arm, "n_train", u->n_train) &&
           is_text(arm, "head", u->head) && is_text(arm, "train_templates", u->train_template) &&
           is_text(arm, "labels", u->labels) && is_text(arm, "chat", u->chat);
}

/* The one condition of the model that fits; *n of them do. */
static const pl__condition *choose(const making *m, const char *model, const json_t *arm, const char *metric, size_t *n)
{
    const pl__condition *found = NULL;
    *n = 0;
    if (json_is_string(arm)) { /* best_prompt */
        found = m->of.too_few ? NULL : pl__best_prompt(&m->of, model);
        *n = found != NULL;
        return found;
    }
    for (size_t i = 0; i < m->of.n; i++) {
        const pl__condition *c = &m->of.list[i];
        if (strcmp(c->unit->model, model) || !fits(c, arm, metric)) continue;
        found = c;
        ++*n;
    }
    return found;
}

/* A row in any case: a hypothesis that cannot be tested says so. */
static pl_status add_primary(making *m, const pl__condition *any, const json_t *contrast)
{
    size_t n, n_minus;
    pl_role role = PL_ROLE_OOD;
    const char *metric = text_of(contrast, "metric");
    pl_role_parse(&role, text_of(contrast, "templates"));
    const pl__condition *c = choose(m, any->unit->model, json_object_get(contrast, "arm"), metric, &n),
                        *minus = choose(m, any->unit->model, json_object_get(contrast, "minus"), metric, &n_minus);
    if (n == 1 && n_minus == 1 && c != minus) return add_pair(m, "primary", c, minus, role);
    pl_contrast_row *row;
    char *why;
    PL_TRY(new_row(m, &row, "primary", c ? c : any, minus ? minus : any, role, role));
    if (n != 1) row->arm = "?";
    if (n_minus != 1) row->minus_arm = "?";
    const bool stopped = pl__rules_of(m->of.view, any->unit).stopped != NULL;
    PL_TRY(pl_arena_format(m->table->arena, &why, "%zu conditions are the arm and %zu what it is held against%s", n,
                           n_minus,
                           n == 1 && n_minus == 1 ? ": the same one"
                           : stopped              ? ": a look was enough, and later arms were not run"
                                                  : ""));
    row->why_empty = why;
    return PL_OK;
}

static pl_status add_primaries(making *m)
{
    const json_t *contrast;
    size_t i;
    const pl_run_unit *subject = m->of.list[0].unit;
    json_array_foreach(pl_run_view_plan(m->of.view)->primary, i, contrast)
    {
        if (strcmp(text_of(contrast, "task"), subject->task) || strcmp(text_of(contrast, "readout"), subject->readout))
            continue;
        for (size_t c = 0; c < m->of.n; c++) {
            bool first = true;
            for (size_t b = 0; b < c; b++)
                first = first && strcmp(m->of.list[b].unit->model, m->of.list[c].unit->model);
            if (first) PL_TRY(add_primary(m, &m->of.list[c], contrast));
        }
    }
    return PL_OK;
}

/* ---- the rest ---- */

static bool has_role(const pl__condition *c, pl_role role)
{
    return pl__condition_n_templates(c, role) > 0;
}

/* Whether a primary row is this one, either way round. */
static bool is_primary(const making *m, size_t from, const pl__condition *c, const pl__condition *minus, pl_role role)
{
    const char *names[2];
    if (pl__condition_name(&names[0], c, m->table->arena) != PL_OK) return false;
    if (pl__condition_name(&names[1], minus, m->table->arena) != PL_OK) return false;
    for (size_t i = from; i < m->table->n; i++) {
        const pl_contrast_row *r = &m->table->rows[i];
        bool same = !strcmp(r->kind, "primary") && !strcmp(r->model, c->unit->model) &&
                    !strcmp(r->minus_model, minus->unit->model) && !strcmp(r->role, pl_role_name(role));
        if (same && r->k == c->unit->k && r->minus_k == minus->unit->k && !strcmp(r->arm, names[0]) &&
            !strcmp(r->minus_arm, names[1]))
            return true;
        if (same && r->k == minus->unit->k && r->minus_k == c->unit->k && !strcmp(r->arm, names[1]) &&
            !strcmp(r->minus_arm, names[0]))
            return true;
    }
    return false;
}

/* What two conditions differ in; NULL: in more than one thing. */
static const char *kind_of(const pl__condition *a, const pl__condition *b)
{
    if (!strcmp(a->unit->model, b->unit->model)) return "arm";
    bool same = !strcmp(a->unit->arm, b->unit->arm) && a->unit->k == b->unit->k && a->calibrated == b->calibrated;
    return same ? "model" : NULL;
}

static pl_status add_rest(making *m, size_t from)
{
    for (size_t b = 0; b < m->of.n; b++)
        for (size_t a = b + 1; a < m->of.n; a++) {
            const pl__condition *c = &m->of.list[a], *minus = &m->of.list[b];
            const char *kind = kind_of(c, minus);
            for (int role = PL_ROLE_ID; kind && role <= PL_ROLE_OOD; role++)
                if (pl__contrast_n_templates(c, minus, (pl_role)role) > 0 &&
                    !is_primary(m, from, c, minus, (pl_role)role))
                    PL_TRY(add_pair(m, kind, c, minus, (pl_role)role));
        }
    for (size_t c = 0; c < m->of.n; c++)
        for (int minus = PL_ROLE_ID; minus <= PL_ROLE_OOD; minus++)
            for (int role = minus + 1; role <= PL_ROLE_OOD; role++)
                if (has_role(&m->of.list[c], (pl_role)role) && has_role(&m->of.list[c], (pl_role)minus))
                    PL_TRY(add_roles(m, &m->of.list[c], (pl_role)role, (pl_role)minus));
    return PL_OK;
}

/* ---- the run ---- */

static bool same_subject(const pl_run_unit *a, const pl_run_unit *b)
{
    return !strcmp(a->task, b->task) && !strcmp(a->readout, b->readout);
}

/* All groups of the task and readout of the unit `first`, unless it was their turn before. */
static pl_status compare_subject(making *m, pl_run_view *view, size_t first)
{
    size_t n = pl_run_view_n_units(view), n_groups = 0, from = m->table->n;
    const pl_run_unit *subject = pl_run_view_unit(view, first);
    for (size_t i = 0; i < n; i++) {
        const pl_run_unit *u = pl_run_view_unit(view, i);
        if (!same_subject(u, subject)) continue;
        if (i < first) return PL_OK;
        n_groups += u->group == i;
    }
    m->of = (pl__conditions){.view = view, .arena = m->table->arena};
    PL_TRY(pl_arena_new(m->table->arena, &m->of.list, 2 * n_groups));
    for (size_t i = first; i < n; i++) {
        const pl_run_unit *u = pl_run_view_unit(view, i);
        if (u->group == i && same_subject(u, subject)) PL_TRY(pl__conditions_add(&m->of, i));
    }
    if (!m->of.n) return PL_OK;
    PL_TRY(pl__conditions_share(&m->of));
    PL_TRY(add_primaries(m));
    return add_rest(m, from);
}

static pl_status adjust(pl_contrasts_table *t)
{
    double *p = NULL, *adjusted = NULL;
    pl_status status;
    PL_GOTO(status, done, pl_new(&p, t->n));
    PL_GOTO(status, done, pl_new(&adjusted, t->n));
    for (int primary = 0; primary < 2; primary++) {
        for (size_t i = 0; i < t->n; i++) p[i] = primary == !strcmp(t->rows[i].kind, "primary") ? t->rows[i].p : NAN;
        PL_GOTO(status, done, primary ? pl_holm(adjusted, p, t->n) : pl_benjamini_hochberg(adjusted, p, t->n));
        for (size_t i = 0; i < t->n; i++)
            if (!isnan(p[i])) t->rows[i].p_adjusted = adjusted[i];
    }
done:
    free(adjusted);
    free(p);
    return status;
}

pl_status pl_contrasts_of_run(pl_contrasts_table **out, pl_run_view *view)
{
    making m = {0};
    size_t n = pl_run_view_n_units(view);
    pl_status status;
    *out = NULL;
    PL_TRY(pl_new(&m.table, 1));
    PL_GOTO(status, done, pl_arena_create(&m.table->arena));
    for (size_t i = 0; i < n; i++)
        if (pl_run_view_unit(view, i)->group == i) PL_GOTO(status, done, compare_subject(&m, view, i));
    PL_GOTO(status, done, adjust(m.table));
    *out = m.table;
    m.table = NULL;
done:
    pl_contrasts_free(m.table);
    return status;
}

void pl_contrasts_free(pl_contrasts_table *table)
{
    if (!table) return;
    free(table->rows);
    pl_arena_free(table->arena);
    free(table);
}
