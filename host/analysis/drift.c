#include "analysis/drift.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/layer.h"
#include "analysis/scope.h"
#include "measure/cka.h"

/* Two units of one template whose states are compared. */
typedef struct pair {
    const pl_run_unit *a, *b;
} pair;

typedef struct drift {
    pl__rows *rows;
    pl_run_view *view;
    size_t first; /* the group's first unit */
    pair *pairs;
    size_t n, capacity;
} drift;

/* ---- pairs ---- */

static pl_status add_pair(drift *d, const pl_run_unit *a, const pl_run_unit *b)
{
    PL_TRY(pl_grow(&d->pairs, &d->capacity, d->n + 1));
    d->pairs[d->n++] = (pair){a, b};
    return PL_OK;
}

static bool same_place(const pl_run_unit *a, const pl_run_unit *b)
{
    return !strcmp(a->model, b->model) && !strcmp(a->task, b->task) && !strcmp(a->readout, b->readout) &&
           !strcmp(a->template_name, b->template_name);
}

static bool is_base(const pl_run_unit *u)
{
    return !strcmp(u->kind, "prompt") && u->k == 0;
}

static pl_status pair_with_base(drift *d)
{
    size_t n = pl_run_view_n_units(d->view);
    d->n = 0;
    for (size_t i = d->first; i < n; i++) {
        const pl_run_unit *u = pl_run_view_unit(d->view, i);
        if (u->group != d->first || !u->done) continue;
        for (size_t j = 0; j < n; j++) {
            const pl_run_unit *base = pl_run_view_unit(d->view, j);
            if (base->done && is_base(base) && same_place(base, u)) PL_TRY(add_pair(d, base, u));
        }
    }
    return PL_OK;
}

static pl_status pair_draws(drift *d)
{
    size_t n = pl_run_view_n_units(d->view);
    d->n = 0;
    for (size_t i = d->first; i < n; i++)
        for (size_t j = i + 1; j < n; j++) {
            const pl_run_unit *a = pl_run_view_unit(d->view, i), *b = pl_run_view_unit(d->view, j);
            if (a->group == d->first && b->group == d->first && a->done && b->done && a->draw != b->draw &&
                same_place(a, b))
                PL_TRY(add_pair(d, a, b));
        }
    return PL_OK;
}

/* ---- the items that both units of a pair have ---- */

typedef struct compared {
    pl__group group;
    pl__member member;
    pl__cell cells[2];
    pl_unit_reader *readers[2];
    size_t n_taken;
} compared;

/* Rows stand in one order where the units have the same items, which is looked at first. */
static size_t find_row(const int64_t *ids, size_t n, int64_t id, size_t guess)
{
    if (guess < n && ids[guess] == id) return guess;
    for (size_t r = 0; r < n; r++)
        if (ids[r] == id) return r;
    return n;
}

static pl_status match_items(compared *c)
{
    const pl_run_unit *a = c->cells[0].unit, *b = c->cells[1].unit;
    size_t n = a->obs->n_rows, n_b = b->obs->n_rows;
    const int64_t *ids_a, *ids_b;
    PL_TRY(pl_run_unit_integers(&ids_a, a, "doc_id"));
    PL_TRY(pl_run_unit_integers(&ids_b, b, "doc_id"));
    PL_TRY(pl_arena_new(c->group.arena, &c->group.doc_id, n));
    for (size_t k = 0; k < 2; k++) PL_TRY(pl_arena_new(c->group.arena, &c->cells[k].row, n));
    for (size_t r = 0; r < n; r++) {
        size_t other = find_row(ids_b, n_b, ids_a[r], r);
        if (other == n_b) continue;
        c->group.doc_id[c->group.n] = ids_a[r];
        c->cells[0].row[c->group.n] = r;
        c->cells[1].row[c->group.n++] = other;
    }
    return PL_OK;
}

/* Which of the compared items are clusters. */
static pl_status group_items(compared *c, pl_run_view *view)
{
    PL_TRY(pl_arena_new(c->group.arena, &c->group.group_of, c->group.n));
    if (!pl_run_view_groups(view, c->group.unit, c->group.doc_id, c->group.n, c->group.group_of))
        c->group.group_of = NULL;
    return PL_OK;
}

static void close_pair(compared *c, pl_run_view *view)
{
    for (size_t k = 0; k < c->n_taken; k++) pl_run_view_release(view, c->cells[k].unit);
    for (size_t k = 0; k < 2; k++) pl_unit_close(c->readers[k]);
    pl_arena_free(c->group.arena);
}

static pl_status open_pair(compared *c, pl_run_view *view, const pair *p)
{
    *c = (compared){.group = {.view = view, .unit = p->a}, .cells = {{.unit = p->a}, {.unit = p->b}}};
    c->member = (pl__member){.t = 2, .cells = c->cells};
    pl_status status;
    PL_GOTO(status, failed, pl_arena_create(&c->group.arena));
    for (size_t k = 0; k < 2; k++) {
        PL_GOTO(status, failed, pl_run_view_take(view, c->cells[k].unit));
        c->n_taken++;
        PL_GOTO(status, failed, pl_unit_open(&c->readers[k], c->cells[k].unit->path));
    }
    PL_GOTO(status, failed, match_items(c));
    PL_GOTO(status, failed, group_items(c, view));
    return PL_OK;
failed:
    close_pair(c, view);
    return status;
}

/* ---- rows ---- */

/* The mean over pairs of one layer. */
typedef struct mean {
    const char *position, *layer;
    size_t n, n_pairs; /* n: items that CKA takes */
    size_t n_there;
    uint64_t items;
    bool unequal; /* pairs do not have the same items: there is no interval */
    double value, *left_out;
    double *of_pair;    /* [pairs of the drift]; NaN: the pair has too few items */
    uint64_t *group_of; /* [n] of the first pair's items, or NULL */
} mean;

static pl_status add_layer(mean *m, compared *c, const char *name, size_t pair, pl_arena *arena)
{
    pl__layer layer;
    pl_cka cka = {0};
    pl_status status;
    PL_TRY(pl__layer_read(&layer, &c->group, &c->member, c->readers, name, arena));
    if (layer.n < 4) goto done;
    size_t n = pl__cka_items(layer.n, 2);
    PL_GOTO(status, done_with_error, pl_cka_of(&cka, (const float *const *)layer.states, n, 2, layer.width));
    if (!m->n_pairs) {
        m->position = layer.position;
        m->layer = layer.name;
        m->n = n;
        m->n_there = layer.n;
        m->items = layer.items;
        PL_GOTO(status, done_with_error, pl_arena_new(arena, &m->left_out, n));
        if (layer.group_of) {
            PL_GOTO(status, done_with_error, pl_arena_new(arena, &m->group_of, n));
            memcpy(m->group_of, layer.group_of, n * sizeof *m->group_of);
        }
    }
    m->of_pair[pair] = cka.value[0];
    m->unequal = m->unequal || m->n_there != layer.n || m->items != layer.items;
    m->n_pairs++;
    m->value += cka.value[0];
    for (size_t i = 0; !m->unequal && i < m->n; i++) m->left_out[i] += cka.left_out[i];
done:
    status = PL_OK;
done_with_error:
    pl_cka_free(&cka);
    pl__layer_free(&layer);
    return status;
}

/* Draws of the arm among the pairs. */
static size_t count_draws(const drift *d)
{
    size_t n = 0;
    for (size_t i = 0; i < 2 * d->n; i++) {
        const pl_run_unit *u = i % 2 ? d->pairs[i / 2].b : d->pairs[i / 2].a;
        bool new = u->group == d->first;
        for (size_t j = 0; j < i; j++) {
            const pl_run_unit *before = j % 2 ? d->pairs[j / 2].b : d->pairs[j / 2].a;
            new = new && !(before->group == d->first && before->draw == u->draw);
        }
        n += new;
    }
    return n;
}

static size_t count_templates(const drift *d)
{
    size_t n = 0;
    for (size_t i = 0; i < d->n; i++) {
        size_t j = 0;
        while (strcmp(d->pairs[j].a->template_name, d->pairs[i].a->template_name)) j++;
        n += j == i;
    }
    return n;
}

/* Whether a pair is of level j: of the template of pair j, or of the arm's draw `draw`. */
static bool has_template(const drift *d, size_t pair, size_t j)
{
    return !strcmp(d->pairs[pair].a->template_name, d->pairs[j].a->template_name);
}

static bool has_draw(const drift *d, size_t pair, long long draw)
{
    const pl_run_unit *a = d->pairs[pair].a, *b = d->pairs[pair].b;
    return (a->group == d->first && a->draw == draw) || (b->group == d->first && b->draw == draw);
}

/* The mean over the pairs that are not `gone`. */
static double mean_without(const drift *d, const mean *m, const bool *gone)
{
    double sum = 0.0, n = 0.0;
    for (size_t p = 0; p < d->n; p++) {
        if (gone[p] || isnan(m->of_pair[p])) continue;
        sum += m->of_pair[p];
        n++;
    }
    return n > 0.0 ? sum / n : NAN;
}

/* Components by leaving out each template, and each draw, in turn; what is not defined then is no sample. */
static pl_status components(pl_component *templates, pl_component *draws, const drift *d, const mean *m, double value)
{
    bool *gone = NULL;
    double *left = NULL;
    size_t n = 0;
    pl_status status;
    PL_GOTO(status, done, pl_new(&gone, d->n));
    PL_GOTO(status, done, pl_new(&left, 2 * d->n));
    for (size_t j = 0; j < d->n; j++) {
        size_t first = 0;
        while (!has_template(d, first, j)) first++;
        if (first < j) continue;
        for (size_t p = 0; p < d->n; p++) gone[p] = has_template(d, p, j);
        left[n++] = mean_without(d, m, gone);
    }
    pl_pseudo_values(left, n, value);
    *templates = pl_component_of_mean(left, n, PL_JACKKNIFE_MIN);
    n = 0;
    for (size_t u = 0; u < 2 * d->n; u++) {
        const pl_run_unit *unit = u % 2 ? d->pairs[u / 2].b : d->pairs[u / 2].a;
        bool new = unit->group == d->first;
        for (size_t v = 0; v < u && new; v++) {
            const pl_run_unit *before = v % 2 ? d->pairs[v / 2].b : d->pairs[v / 2].a;
            new = !(before->group == d->first && before->draw == unit->draw);
        }
        if (!new) continue;
        for (size_t p = 0; p < d->n; p++) gone[p] = has_draw(d, p, unit->draw);
        left[n++] = mean_without(d, m, gone);
    }
    pl_pseudo_values(left, n, value);
    *draws = pl_component_of_mean(left, n, PL_DRAWS_MIN);
    if (!isfinite(templates->variance)) *templates = (pl_component){0.0, 0.0};
    if (!isfinite(draws->variance)) *draws = (pl_component){0.0, 0.0};
done:
    free(gone);
    free(left);
    return status;
}

static pl_status put_interval(const drift *d, mean *m, pl_stability_row *row, size_t n_draws)
{
    double value = m->value / (double)m->n_pairs;
    pl_crossed c = pl__only_value(value);
    if (m->unequal) {
        PL_TRY(pl__row_why(d->rows, row, "no interval: pairs do not have the same items"));
        return pl__rows_put(d->rows, row, &c, "none");
    }
    pl_pseudo_values(m->left_out, m->n, value);
    pl_crossed_design design = {.value = value, .n = m->n, .items = m->left_out};
    PL_TRY(pl__clusters_make(&design.clusters, m->group_of, m->n, d->rows->arena));
    PL_TRY(components(&design.templates, &design.draws, d, m, value));
    pl_crossed_of(&c, &design);
    if (!c.over_draws) PL_TRY(pl__row_why(d->rows, row, "not over draws: %zu", n_draws));
    return pl__rows_put(d->rows, row, &c, "crossed");
}

static pl_status put_row(const drift *d, mean *m, const char *contrast)
{
    pl__rows *rows = d->rows;
    const pl_run_unit *unit = pl_run_view_unit(d->view, d->first);
    if (!m->n_pairs) return PL_OK;
    for (size_t i = 0; i < m->n; i++) m->left_out[i] /= (double)m->n_pairs;
    size_t n_draws = count_draws(d);
    pl_stability_row row = rows->base;
    row.draw = n_draws > 1 ? -1 : d->pairs[0].b->draw;
    row.order = unit->order;
    row.seed = unit->seed;
    row.layer = m->layer;
    row.position = m->position;
    row.preproc = "c";
    row.metric = PL_METRIC_CKA_DEBIASED;
    row.unit = pl_metric_of(row.metric)->unit;
    row.contrast = contrast;
    row.n = m->n;
    row.n_templates = count_templates(d);
    row.n_seeds = n_draws;
    row.null_mean = 0;
    row.null_sd = pl_cka_null_sd(m->n); /* of one pair: drift.h */
    row.null_name = pl_metric_of(row.metric)->null_name;
    row.note = "";
    PL_TRY(pl__row_note(rows, &row, "mean of %zu pairs of units", m->n_pairs));
    if (m->n < m->n_there) PL_TRY(pl__row_note(rows, &row, "%zu of %zu items, by chance", m->n, m->n_there));
    return put_interval(d, m, &row, n_draws);
}

static pl_status new_mean(mean *m, size_t n_pairs, pl_arena *arena)
{
    PL_TRY(pl_arena_new(arena, &m->of_pair, n_pairs));
    for (size_t p = 0; p < n_pairs; p++) m->of_pair[p] = NAN;
    return PL_OK;
}

/* A row for each position and layer that the first pair has. */
static pl_status compare_pairs(drift *d, const char *contrast)
{
    const char **names = NULL;
    mean *means = NULL;
    size_t n_names = 0;
    pl_arena *arena = d->rows->arena;
    for (size_t p = 0; p < d->n; p++) {
        compared c;
        pl_status status = PL_OK;
        PL_TRY(open_pair(&c, d->view, &d->pairs[p]));
        if (p == 0) {
            const char **own;
            PL_GOTO(status, done, pl__layer_names(&own, &n_names, c.readers, 2, arena));
            names = own;
            PL_GOTO(status, done, pl_arena_new(arena, &means, n_names));
            for (size_t i = 0; i < n_names; i++) PL_GOTO(status, done, new_mean(&means[i], d->n, arena));
        }
        for (size_t i = 0; i < n_names && status == PL_OK; i++) status = add_layer(&means[i], &c, names[i], p, arena);
    done:
        close_pair(&c, d->view);
        PL_TRY(status);
    }
    for (size_t i = 0; i < n_names; i++) PL_TRY(put_row(d, &means[i], contrast));
    return PL_OK;
}

pl_status pl__drift_rows(pl__rows *rows, pl_run_view *view, size_t first)
{
    drift d = {.rows = rows, .view = view, .first = first};
    pl_status status;
    if (strcmp(pl_run_view_unit(view, first)->kind, "finetune")) return PL_OK;
    PL_GOTO(status, done, pair_with_base(&d));
    PL_GOTO(status, done, compare_pairs(&d, "base"));
    PL_GOTO(status, done, pair_draws(&d));
    status = compare_pairs(&d, "draws");
done:
    free(d.pairs);
    return status;
}
