#include "analysis/drift.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/layer.h"
#include "analysis/scope.h"
#include "analysis/unit_pair.h"
#include "measure/cka.h"

typedef struct drift {
    pl__rows *rows;
    pl__unit_pairs of;
} drift;

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

static pl_status add_layer(mean *m, pl__compared *c, const char *name, size_t pair, const pl__rows *rows)
{
    pl__layer layer;
    pl_cka cka = {0};
    pl_status status;
    PL_TRY(pl__layer_read(&layer, &c->group, &c->member, c->readers, name, rows->arena));
    if (layer.n < 4) goto done;
    size_t n = pl__cka_items(layer.n, 2);
    PL_GOTO(status, done_with_error, pl_cka_of(&cka, (const float *const *)layer.states, n, 2, layer.width, rows->on));
    if (!m->n_pairs) {
        m->position = layer.position;
        m->layer = layer.name;
        m->n = n;
        m->n_there = layer.n;
        m->items = layer.items;
        PL_GOTO(status, done_with_error, pl_arena_new(rows->arena, &m->left_out, n));
        if (layer.group_of) {
            PL_GOTO(status, done_with_error, pl_arena_new(rows->arena, &m->group_of, n));
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
    for (size_t i = 0; i < 2 * d->of.n; i++) {
        const pl_run_unit *u = i % 2 ? d->of.list[i / 2].b : d->of.list[i / 2].a;
        bool new = u->group == d->of.first;
        for (size_t j = 0; j < i; j++) {
            const pl_run_unit *before = j % 2 ? d->of.list[j / 2].b : d->of.list[j / 2].a;
            new = new && !(before->group == d->of.first && before->draw == u->draw);
        }
        n += new;
    }
    return n;
}

static size_t count_templates(const drift *d)
{
    size_t n = 0;
    for (size_t i = 0; i < d->of.n; i++) {
        size_t j = 0;
        while (strcmp(d->of.list[j].a->template_name, d->of.list[i].a->template_name)) j++;
        n += j == i;
    }
    return n;
}

/* Whether a pair is of level j: of the template of pair j, or of the arm's draw `draw`. */
static bool has_template(const drift *d, size_t pair, size_t j)
{
    return !strcmp(d->of.list[pair].a->template_name, d->of.list[j].a->template_name);
}

static bool has_draw(const drift *d, size_t pair, long long draw)
{
    const pl_run_unit *a = d->of.list[pair].a, *b = d->of.list[pair].b;
    return (a->group == d->of.first && a->draw == draw) || (b->group == d->of.first && b->draw == draw);
}

/* The mean over the pairs that are not `gone`. */
static double mean_without(const drift *d, const mean *m, const bool *gone)
{
    double sum = 0.0, n = 0.0;
    for (size_t p = 0; p < d->of.n; p++) {
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
    PL_GOTO(status, done, pl_new(&gone, d->of.n));
    PL_GOTO(status, done, pl_new(&left, 2 * d->of.n));
    for (size_t j = 0; j < d->of.n; j++) {
        size_t first = 0;
        while (!has_template(d, first, j)) first++;
        if (first < j) continue;
        for (size_t p = 0; p < d->of.n; p++) gone[p] = has_template(d, p, j);
        left[n++] = mean_without(d, m, gone);
    }
    pl_pseudo_values(left, n, value);
    *templates = pl_component_of_mean(left, n, PL_JACKKNIFE_MIN);
    n = 0;
    for (size_t u = 0; u < 2 * d->of.n; u++) {
        const pl_run_unit *unit = u % 2 ? d->of.list[u / 2].b : d->of.list[u / 2].a;
        bool new = unit->group == d->of.first;
        for (size_t v = 0; v < u && new; v++) {
            const pl_run_unit *before = v % 2 ? d->of.list[v / 2].b : d->of.list[v / 2].a;
            new = !(before->group == d->of.first && before->draw == unit->draw);
        }
        if (!new) continue;
        for (size_t p = 0; p < d->of.n; p++) gone[p] = has_draw(d, p, unit->draw);
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
    const pl_run_unit *unit = pl_run_view_unit(d->of.view, d->of.first);
    if (!m->n_pairs) return PL_OK;
    for (size_t i = 0; i < m->n; i++) m->left_out[i] /= (double)m->n_pairs;
    size_t n_draws = count_draws(d);
    pl_stability_row row = rows->base;
    row.draw = n_draws > 1 ? -1 : d->of.list[0].b->draw;
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
    for (size_t p = 0; p < d->of.n; p++) {
        pl__compared c;
        pl_status status = PL_OK;
        PL_TRY(pl__compared_open(&c, d->of.view, &d->of.list[p]));
        if (p == 0) {
            const char **own;
            PL_GOTO(status, done, pl__layer_names(&own, &n_names, c.readers, 2, arena));
            names = own;
            PL_GOTO(status, done, pl_arena_new(arena, &means, n_names));
            for (size_t i = 0; i < n_names; i++) PL_GOTO(status, done, new_mean(&means[i], d->of.n, arena));
        }
        for (size_t i = 0; i < n_names && status == PL_OK; i++) status = add_layer(&means[i], &c, names[i], p, d->rows);
    done:
        pl__compared_close(&c);
        PL_TRY(status);
    }
    for (size_t i = 0; i < n_names; i++) PL_TRY(put_row(d, &means[i], contrast));
    return PL_OK;
}

pl_status pl__drift_rows(pl__rows *rows, pl_run_view *view, size_t first)
{
    drift d = {.rows = rows, .of = {.view = view, .first = first}};
    pl_status status;
    if (strcmp(pl_run_view_unit(view, first)->kind, "finetune")) return PL_OK;
    PL_GOTO(status, done, pl__pairs_with_base(&d.of));
    PL_GOTO(status, done, compare_pairs(&d, "base"));
    PL_GOTO(status, done, pl__pairs_of_draws(&d.of));
    status = compare_pairs(&d, "draws");
done:
    free(d.of.list);
    return status;
}
