#include "analysis/layer_pairs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/layer.h"
#include "analysis/unit_pair.h"
#include "measure/calibrated.h"
#include "measure/similarity.h"

/* How items are permuted. */
enum { FREELY, WITHIN_LABELS, NULLS };
enum { GRIDS = 1 + PL_CALIBRATED_PERMUTATIONS };
static const size_t TABLE_BYTES_MAX = (size_t)512 << 20;

static const struct {
    pl_similarity similarity;
    size_t items_max; /* 64 singular values a pair and permutation would take most of the time */
    pl_metric_id metric[NULLS];
} KINDS[] = {{PL_SIMILAR_CKA, 800, {PL_METRIC_CKA_CAL, PL_METRIC_CKA_CAL_CLASS}},
             {PL_SIMILAR_MKNN, 800, {PL_METRIC_MKNN_CAL, PL_METRIC_MKNN_CAL_CLASS}},
             {PL_SIMILAR_PROCRUSTES, 256, {PL_METRIC_PROCRUSTES_CAL, PL_METRIC_PROCRUSTES_CAL_CLASS}}};
enum { N_KINDS = sizeof KINDS / sizeof *KINDS };

/* The layers of one position: "last.00", ...; of a pair's first unit, of its second. */
typedef struct names {
    const char **list;
    size_t n;
} names;

typedef struct comparison {
    pl__rows *rows;
    const pl__unit_pairs *of;
    const char *contrast;
    bool itself; /* units are held against themselves */
    const char *position;
    names layers[2];
    size_t n[N_KINDS]; /* items that are taken, one of a group */
    size_t n_there;    /* that there are */
    bool grouped;      /* there are more items than groups of them */
    uint64_t items;    /* tells sets of items apart */
    size_t n_pairs, n_unequal;
    const char **templates; /* [n_templates] of the pairs that are taken, once each */
    size_t n_templates, capacity;
    size_t *orders[N_KINDS][NULLS]; /* NULL: items have no labels */
    double *grids[N_KINDS][NULLS];  /* [GRIDS, layers of a, layers of b]: sums over pairs */
} comparison;

static void comparison_free(comparison *c)
{
    free(c->templates);
    for (size_t kind = 0; kind < N_KINDS; kind++)
        for (size_t null = 0; null < NULLS; null++) {
            free(c->orders[kind][null]);
            free(c->grids[kind][null]);
        }
}

static bool at_position(const char *name, const char *position)
{
    size_t size = strlen(position);
    return !strncmp(name, position, size) && name[size] == '.';
}

/* ---- one pair of units ---- */

/* Tables of every layer of one unit, one for each kind of similarity. */
typedef struct tables {
    pl_side side[N_KINDS];
} tables;

static void tables_free(tables *t)
{
    for (size_t kind = 0; kind < N_KINDS; kind++) pl_side_free(&t->side[kind]);
}

static size_t items_of(size_t kind, size_t n)
{
    return n < KINDS[kind].items_max ? n : KINDS[kind].items_max;
}

/* As many items as the tables of both sides have room for. */
static size_t items_that_fit(size_t n, const names layers[2])
{
    for (;; n -= n / 8) {
        size_t bytes = 0;
        for (size_t kind = 0; kind < N_KINDS; kind++)
            for (size_t side = 0; side < 2; side++)
                bytes = pl_size_sum(bytes, pl_side_bytes(KINDS[kind].similarity, items_of(kind, n), layers[side].n));
        if (bytes <= TABLE_BYTES_MAX || n < 16) return n;
    }
}

/* Labels of the first n items as numbers in the order of their coming; NULL: items have labels of their own, or none.
 */
static pl_status classes_of(size_t **out, const pl__compared *pair, const pl__layer *layer, size_t n)
{
    const char *const *labels, **seen;
    size_t n_seen = 0;
    *out = NULL;
    if (pair->group.unit->task_facts->n_labels < 2) return PL_OK;
    PL_TRY(pl_run_unit_texts(&labels, pair->cells[0].unit, "label"));
    PL_TRY(pl_new(&seen, n));
    pl_status status = pl_new(out, n);
    for (size_t i = 0; status == PL_OK && i < n; i++) {
        const char *label = labels[pair->cells[0].row[layer->item[i]]];
        size_t class = 0;
        while (class < n_seen && strcmp(seen[class], label ? label : "")) class ++;
        if (class == n_seen) seen[n_seen++] = label ? label : "";
        (*out)[i] = class;
    }
    free(seen);
    return status;
}

static pl_status make_orders(comparison *c, const size_t *classes)
{
    for (size_t kind = 0; kind < N_KINDS; kind++)
        for (size_t null = 0; null < (classes ? NULLS : WITHIN_LABELS); null++) {
            size_t **orders = &c->orders[kind][null], n = c->n[kind];
            PL_TRY(pl_new(orders, PL_CALIBRATED_PERMUTATIONS * n));
            PL_TRY(pl_calibrated_orders(*orders, PL_CALIBRATED_PERMUTATIONS, n, null == FREELY ? NULL : classes));
        }
    return PL_OK;
}

/* The first layer of the first pair decides which items are taken. */
static pl_status choose_items(comparison *c, const pl__compared *pair, const pl__layer *layer)
{
    size_t *classes, most = items_that_fit(layer->n_apart, c->layers);
    c->n_there = layer->n;
    c->items = layer->items;
    c->grouped = layer->n_apart < layer->n;
    for (size_t kind = 0; kind < N_KINDS; kind++) c->n[kind] = items_of(kind, most);
    if (most < 4) return PL_OK;
    PL_TRY(classes_of(&classes, pair, layer, most));
    pl_status status = make_orders(c, classes);
    free(classes);
    return status;
}

/* *same turns false where a layer does not have the items that were chosen. */
static pl_status fill_tables(tables *out, bool *same, comparison *c, pl__compared *pair, size_t which)
{
    const pl__member member = {.t = 1, .cells = &pair->cells[which]};
    for (size_t i = 0; i < c->layers[which].n && *same; i++) {
        pl__layer layer;
        pl_status status = PL_OK;
        PL_TRY(pl__layer_read(&layer, &pair->group, &member, &pair->readers[which], c->layers[which].list[i],
                              pair->group.arena));
        if (!c->n_there) PL_GOTO(status, done, choose_items(c, pair, &layer));
        *same = layer.n == c->n_there && layer.items == c->items && c->n[0] >= 4;
        for (size_t kind = 0; kind < N_KINDS && *same; kind++) {
            pl_side *side = &out->side[kind];
            if (i == 0)
                PL_GOTO(status, done,
                        pl_side_open(side, KINDS[kind].similarity, c->n[kind], c->layers[which].n, c->rows->on));
            PL_GOTO(status, done, pl_side_add(side, layer.states[0], layer.width));
        }
    done:
        pl__layer_free(&layer);
        PL_TRY(status);
    }
    return PL_OK;
}

/* Of a unit with itself the pairs of an earlier layer and a later one; the others are no pairs. */
static void add_grids(double *sums, const double *grids, const comparison *c)
{
    size_t n_a = c->layers[0].n, n_b = c->layers[1].n;
    for (size_t k = 0; k < GRIDS; k++)
        for (size_t a = 0; a < n_a; a++)
            for (size_t b = 0; b < n_b; b++) {
                size_t at = (k * n_a + a) * n_b + b;
                sums[at] += c->itself && b <= a ? NAN : grids[at];
            }
}

static pl_status add_tables(comparison *c, const tables *a, const tables *b)
{
    size_t doubles;
    double *grids = NULL;
    pl_status status = PL_OK;
    PL_TRY(pl_mul_size(&doubles, c->layers[0].n * c->layers[1].n, GRIDS, "pairs of layers"));
    PL_TRY(pl_new(&grids, doubles));
    for (size_t kind = 0; kind < N_KINDS; kind++)
        for (size_t null = 0; null < NULLS; null++) {
            if (!c->orders[kind][null]) continue;
            if (!c->grids[kind][null]) PL_GOTO(status, done, pl_new(&c->grids[kind][null], doubles));
            PL_GOTO(status, done,
                    pl_similar_grids(grids, &a->side[kind], &b->side[kind], c->orders[kind][null],
                                     PL_CALIBRATED_PERMUTATIONS));
            add_grids(c->grids[kind][null], grids, c);
        }
    c->n_pairs++;
done:
    free(grids);
    return status;
}

static pl_status add_template(comparison *c, const char *name)
{
    for (size_t k = 0; k < c->n_templates; k++)
        if (!strcmp(c->templates[k], name)) return PL_OK;
    PL_TRY(pl_grow(&c->templates, &c->capacity, c->n_templates + 1));
    c->templates[c->n_templates++] = name;
    return PL_OK;
}

static pl_status add_pair(comparison *c, pl__compared *pair)
{
    tables own[2] = {0};
    bool same = true;
    pl_status status;
    PL_GOTO(status, done, fill_tables(&own[0], &same, c, pair, 0));
    if (same && !c->itself) PL_GOTO(status, done, fill_tables(&own[1], &same, c, pair, 1));
    if (!same) {
        c->n_unequal++;
        goto done;
    }
    PL_GOTO(status, done, add_tables(c, &own[0], &own[!c->itself]));
    for (size_t side = 0; side < 2; side++)
        PL_GOTO(status, done, add_template(c, pair->cells[side].unit->template_name));
done:
    for (size_t side = 0; side < 2; side++) tables_free(&own[side]);
    return status;
}

/* ---- rows ---- */

static const char *layer_of(const char *name)
{
    return strchr(name, '.') + 1;
}

/* series [GRIDS]: the observed value, and what it is under each permutation; sums over pairs of units. */
static pl_status put_row(const comparison *c, size_t kind, size_t null, const char *layer, const char *against,
                         double *series)
{
    pl__rows *rows = c->rows;
    const pl_metric_id metric = KINDS[kind].metric[null];
    const pl_run_unit *unit = c->of->list[0].b;
    const size_t n = c->n[kind];
    pl_stability_row row = rows->base;
    pl_calibrated score;
    char *contrast;
    for (size_t k = 0; k < GRIDS; k++) series[k] /= (double)c->n_pairs;
    PL_TRY(pl_calibrated_of(&score, series[0], series + 1, PL_CALIBRATED_PERMUTATIONS));
    PL_TRY(pl_arena_format(rows->arena, &contrast, "%s:%s", c->contrast, against));
    row.draw = unit->draw;
    row.order = unit->order;
    row.seed = unit->seed;
    row.metric = metric;
    row.unit = pl_metric_of(metric)->unit;
    row.null_name = pl_metric_of(metric)->null_name;
    row.contrast = contrast;
    row.position = c->position;
    row.layer = layer;
    row.preproc = "c";
    row.n = n;
    row.n_templates = c->n_templates;
    row.null_mean = score.null_mean;
    row.null_sd = score.null_sd;
    row.null_q95 = score.tau;
    row.p = score.p;
    row.note = "";
    row.why_empty = isnan(score.score) ? "no variance" : "calibrated by permutations: its test is in p";
    if (c->n_unequal)
        PL_TRY(pl__row_note(rows, &row, "%zu of %zu units left out: their layers do not have the same items",
                            c->n_unequal, c->n_unequal + c->n_pairs));
    if (n < c->n_there)
        PL_TRY(pl__row_note(rows, &row, "%zu of %zu items, by chance%s", n, c->n_there,
                            c->grouped ? ", one of a group" : ""));
    if (!isnan(score.score)) PL_TRY(pl__row_note(rows, &row, "before calibration %.4f", score.observed));
    const pl_crossed only = pl__only_value(score.score);
    return pl__rows_put(rows, &row, &only, "none");
}

static pl_status put_rows(const comparison *c, size_t kind, size_t null)
{
    static const struct {
        pl_grid_part part;
        const char *name;
    } PARTS[] = {{PL_GRID_MEAN, "mean"}, {PL_GRID_LARGEST, "largest"}};
    const double *grids = c->grids[kind][null];
    size_t n_a = c->layers[0].n, n_b = c->layers[1].n;
    double series[GRIDS];
    for (size_t p = 0; p < sizeof PARTS / sizeof *PARTS; p++) {
        for (size_t k = 0; k < GRIDS; k++) series[k] = pl_grid_value(grids + k * n_a * n_b, n_a, n_b, PARTS[p].part);
        PL_TRY(put_row(c, kind, null, "all", PARTS[p].name, series));
    }
    for (size_t b = 0; b < n_b; b++)
        for (size_t a = 0; a < (c->itself ? b : n_a); a++) {
            for (size_t k = 0; k < GRIDS; k++) series[k] = grids[(k * n_a + a) * n_b + b];
            PL_TRY(put_row(c, kind, null, layer_of(c->layers[1].list[b]), layer_of(c->layers[0].list[a]), series));
        }
    return PL_OK;
}

/* ---- contrasts ---- */

static bool same_draw(const pl_run_unit *a, const pl_run_unit *b)
{
    return a->draw == b->draw && a->order == b->order && a->seed == b->seed;
}

/* Pairs of the first draw of the group, and of the first of the others where these have several. */
static bool is_taken(const pl__unit_pairs *of, size_t pair)
{
    return same_draw(of->list[pair].b, of->list[0].b) && same_draw(of->list[pair].a, of->list[0].a);
}

static pl_status layers_at(names *out, pl_unit_reader *const *reader, const char *position, pl_arena *arena)
{
    const char **all;
    size_t n;
    *out = (names){0};
    PL_TRY(pl__layer_names(&all, &n, reader, 1, arena));
    PL_TRY(pl_arena_new(arena, &out->list, n));
    for (size_t i = 0; i < n; i++)
        if (at_position(all[i], position)) out->list[out->n++] = all[i];
    return PL_OK;
}

static pl_status compare_at(comparison *c)
{
    pl_status status = PL_OK;
    for (size_t p = 0; p < c->of->n; p++) {
        pl__compared pair;
        if (!is_taken(c->of, p)) continue;
        PL_GOTO(status, done, pl__compared_open(&pair, c->of->view, &c->of->list[p]));
        for (size_t side = 0; side < 2 && !c->layers[side].list && status == PL_OK; side++)
            status = layers_at(&c->layers[side], &pair.readers[side], c->position, c->rows->arena);
        if (status == PL_OK && c->layers[0].n && c->layers[1].n) status = add_pair(c, &pair);
        pl__compared_close(&pair);
        PL_GOTO(status, done, status);
    }
    for (size_t kind = 0; kind < N_KINDS; kind++)
        for (size_t null = 0; null < NULLS; null++)
            if (c->grids[kind][null]) PL_GOTO(status, done, put_rows(c, kind, null));
done:
    comparison_free(c);
    return status;
}

/* Positions that the group's first unit has layers of: "last" of "last.05". */
static pl_status list_positions(names *out, pl__rows *rows, const pl__unit_pairs *of)
{
    pl_unit_reader *reader;
    const char **all;
    size_t n = 0;
    PL_TRY(pl_unit_open(&reader, of->list[0].b->path));
    pl_status status = pl__layer_names(&all, &n, &reader, 1, rows->arena);
    pl_unit_close(reader);
    PL_TRY(status);
    PL_TRY(pl_arena_new(rows->arena, &out->list, n));
    for (size_t i = 0; i < n; i++) {
        char *position;
        size_t known = 0;
        while (known < out->n && !at_position(all[i], out->list[known])) known++;
        if (known < out->n) continue;
        PL_TRY(pl_arena_text(rows->arena, &position, all[i], strcspn(all[i], ".")));
        out->list[out->n++] = position;
    }
    return PL_OK;
}

static pl_status compare(pl__rows *rows, const pl__unit_pairs *of, const char *contrast)
{
    names positions = {0};
    if (of->n == 0) return PL_OK;
    PL_TRY(list_positions(&positions, rows, of));
    for (size_t p = 0; p < positions.n; p++) {
        comparison c = {.rows = rows,
                        .of = of,
                        .contrast = contrast,
                        .itself = of->list[0].a == of->list[0].b,
                        .position = positions.list[p]};
        PL_TRY(compare_at(&c));
    }
    return PL_OK;
}

/* The run's models before that of the group. */
static pl_status compare_models(pl__rows *rows, pl__unit_pairs *of)
{
    const pl_plan_file *plan = pl_run_view_plan(of->view);
    const char *own = pl_run_view_unit(of->view, of->first)->model;
    for (size_t m = 0; m < plan->n_models && strcmp(plan->models[m].name, own); m++) {
        PL_TRY(pl__pairs_with_model(of, plan->models[m].name));
        PL_TRY(compare(rows, of, plan->models[m].name));
    }
    return PL_OK;
}

pl_status pl__layer_pair_rows(pl__rows *rows, pl_run_view *view, size_t first)
{
    pl__unit_pairs of = {.view = view, .first = first};
    pl_status status;
    PL_GOTO(status, done, pl__pairs_with_itself(&of));
    PL_GOTO(status, done, compare(rows, &of, "self"));
    PL_GOTO(status, done, pl__pairs_of_templates(&of));
    PL_GOTO(status, done, compare(rows, &of, "templates"));
    if (!strcmp(pl_run_view_unit(view, first)->kind, "finetune")) {
        PL_GOTO(status, done, pl__pairs_with_base(&of));
        PL_GOTO(status, done, compare(rows, &of, "base"));
    }
    status = compare_models(rows, &of);
done:
    free(of.list);
    return status;
}
