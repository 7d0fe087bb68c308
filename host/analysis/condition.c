#include "analysis/condition.h"

#include <math.h>
#include <string.h>

#include "analysis/ensemble.h"

/* ---- one condition ---- */

double pl__condition_outcome(const pl__condition *c, size_t draw, size_t template, size_t item)
{
    return c->correct[(draw * c->t + template) * c->n + c->kept[item]];
}

size_t pl__condition_n_templates(const pl__condition *c, pl_role role)
{
    size_t n = 0;
    for (size_t k = 0; k < c->t; k++) n += c->roles[k] == role && c->same[k] == k;
    return n;
}

double pl__condition_draw_accuracy(const pl__condition *c, size_t draw, pl_role role)
{
    double sum = 0, n = 0;
    for (size_t k = 0; k < c->t; k++) {
        double size = 0, right = 0;
        if (c->roles[k] != role) continue;
        for (size_t j = 0; j < c->t; j++) size += c->same[j] == c->same[k];
        for (size_t i = 0; i < c->n_kept; i++) right += pl__condition_outcome(c, draw, k, i);
        sum += right / size;
        n += (double)c->n_kept / size;
    }
    return n > 0 ? sum / n : NAN;
}

double pl__condition_accuracy(const pl__condition *c, pl_role role)
{
    double sum = 0;
    for (size_t d = 0; d < c->n_draws; d++) sum += pl__condition_draw_accuracy(c, d, role);
    return sum / (double)c->n_draws;
}

double pl__condition_baseline(const pl__condition *c)
{
    if (c->baseline == PL__CHANCE) return c->unit->chance;
    return c->baseline == PL__COMMONEST && c->n_kept ? (double)c->n_commonest / (double)c->n_kept : NAN;
}

pl_status pl__condition_clusters(pl_clusters *out, const pl__condition *c, pl_arena *arena)
{
    uint64_t *kept;
    *out = (pl_clusters){.n = c->n_kept};
    if (!c->group_of) return PL_OK;
    PL_TRY(pl_arena_new(arena, &kept, c->n_kept));
    for (size_t i = 0; i < c->n_kept; i++) kept[i] = c->group_of[c->kept[i]];
    return pl__clusters_make(out, kept, c->n_kept, arena);
}

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

/* Adds a member's outcomes [n, t] to those of its draw. */
static void add_outcomes(pl__condition *c, const uint8_t *correct, size_t d, double weight)
{
    for (size_t k = 0; k < c->t; k++)
        for (size_t i = 0; i < c->n; i++) c->correct[(d * c->t + k) * c->n + i] += weight * correct[i * c->t + k];
}

static pl__baseline baseline_of(const pl__group *g)
{
    if (g->several_right) return PL__NO_BASELINE;
    if (g->own_choices) return PL__CHANCE;
    for (size_t i = 0; i < g->n; i++)
        if (g->gold[i] >= 0) return PL__COMMONEST;
    return PL__NO_BASELINE;
}

/* The orders (and seeds) of a draw are brought to their mean. */
pl_status pl__condition_of(pl__condition *c, const pl__group *g, const uint8_t *const *correct, pl_arena *arena)
{
    *c = (pl__condition){.unit = g->unit, .n = g->n, .t = g->n_planned, .n_largest = g->n_largest};
    PL_TRY(list_draws(c, g, arena));
    if (!c->n_draws) return PL_OK;
    c->baseline = baseline_of(g);
    c->sampled = c->unit->k > 0 || c->unit->n_train > 0 || c->n_draws > 1;
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
            add_outcomes(c, correct[s], d, 1 / n);
        }
    }
    return PL_OK;
}

static pl_status add_condition(pl__conditions *m, const pl__group *g, bool calibrated)
{
    pl__condition *c = &m->list[m->n];
    const uint8_t **correct;
    PL_TRY(pl_arena_new(m->arena, &correct, g->n_members));
    for (size_t s = 0; s < g->n_members; s++)
        correct[s] = calibrated ? g->members[s].correct_cc : g->members[s].correct;
    PL_TRY(pl__condition_of(c, g, correct, m->arena));
    c->calibrated = calibrated;
    m->n += c->n_draws > 0;
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
pl_status pl__conditions_add(pl__conditions *m, size_t first)
{
    pl__group g;
    PL_TRY(pl__group_read(&g, m->view, first));
    const bool answers = g.n_members && !g.unit->rolls;
    pl_status status = answers ? add_condition(m, &g, false) : PL_OK;
    size_t before = m->n;
    if (status == PL_OK && answers && is_calibrated(&g)) status = add_condition(m, &g, true);
    if (status == PL_OK && m->ensembles && m->n > before)
        status = pl__ensemble_of(&m->ensembles[m->n_ensembles++], &m->list[before], &g, m->arena);
    pl__group_free(&g);
    return status;
}

pl_status pl__conditions_of(pl__conditions *out, pl_run_view *view, const pl_run_unit *subject, size_t stage,
                            pl_arena *arena)
{
    size_t n = pl_run_view_n_units(view), n_groups = 0;
    *out = (pl__conditions){.view = view, .arena = arena};
    for (size_t i = 0; i < n; i++)
        n_groups +=
            pl_run_view_unit(view, i)->group == i && pl_run_unit_same_subject(pl_run_view_unit(view, i), subject);
    PL_TRY(pl_arena_new(arena, &out->list, 2 * n_groups));
    if (stage == PL_STAGES) PL_TRY(pl_arena_new(arena, &out->ensembles, n_groups));
    for (size_t i = 0; i < n; i++) {
        const pl_run_unit *u = pl_run_view_unit(view, i);
        if (u->group == i && pl_run_unit_same_subject(u, subject) && pl_stage_of(u->kind) <= stage)
            PL_TRY(pl__conditions_add(out, i));
    }
    return PL_OK;
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

pl_status pl__conditions_share(pl__conditions *m)
{
    pl__condition *first = &m->list[0];
    size_t n = 0, largest = 0, *at;
    pl_arena *arena = m->arena;
    PL_TRY(pl_arena_new(arena, &at, m->n));
    for (size_t c = 0; c < m->n; c++) {
        if (m->list[c].n_largest > largest) largest = m->list[c].n_largest;
        PL_TRY(pl_arena_new(arena, &m->list[c].kept, first->n));
    }
    for (size_t i = 0; i < first->n; i++) {
        bool everywhere = true;
        for (size_t c = 0; c < m->n && everywhere; c++) everywhere = has_item(&m->list[c], first->doc_id[i], &at[c]);
        if (!everywhere) continue;
        for (size_t c = 0; c < m->n; c++) m->list[c].kept[n] = at[c];
        n++;
    }
    for (size_t c = 0; c < m->n; c++) {
        pl__condition *one = &m->list[c];
        one->n_kept = n;
        PL_TRY(pl__commonest(&one->n_commonest, one->classes, one->kept, n));
    }
    for (size_t e = 0; e < m->n_ensembles; e++)
        for (size_t c = 0; c < m->n; c++) {
            if (m->list[c].unit != m->ensembles[e].unit || !m->list[c].calibrated) continue;
            m->ensembles[e].kept = m->list[c].kept;
            m->ensembles[e].n_kept = n;
            m->ensembles[e].n_commonest = m->list[c].n_commonest;
        }
    m->n_shared = n;
    m->n_largest = largest;
    m->too_few = n == 0 || n * 100 < largest * PL__KEPT_PERCENT_MIN;
    return PL_OK;
}

const pl__condition *pl__best_prompt(const pl__conditions *m, const char *model)
{
    const pl__condition *best = NULL;
    double top = -1;
    for (size_t c = 0; c < m->n; c++) {
        const pl__condition *one = &m->list[c];
        if (strcmp(one->unit->model, model) || (one->unit->train_template && *one->unit->train_template)) continue;
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

pl_status pl__condition_name(const char **out, const pl__condition *c, pl_arena *arena)
{
    *out = c->unit->arm;
    if (!c->calibrated) return PL_OK;
    return pl_arena_format(arena, (char **)out, "%s %s", c->unit->arm, c->ensembled ? "ensembled" : "calibrated");
}
