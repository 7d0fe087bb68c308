#include "analysis/remarks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pl_status add(pl__remarks *r, pl_arena *arena, const char *format, ...) __attribute__((format(printf, 3, 4)));

static pl_status add(pl__remarks *r, pl_arena *arena, const char *format, ...)
{
    char text[512], *copy;
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    PL_TRY(pl_grow(&r->lines, &r->capacity, r->n + 1));
    PL_TRY(pl_arena_text(arena, &copy, text, strlen(text)));
    r->lines[r->n++] = copy;
    return PL_OK;
}

static pl_status count_merged(pl__remarks *r, const pl__group *g)
{
    pl__merged *m = NULL;
    for (size_t i = 0; i < r->n_merged && !m; i++)
        if (!strcmp(r->merged[i].model, g->unit->model) && !strcmp(r->merged[i].task, g->unit->task)) m = &r->merged[i];
    if (!m) {
        PL_TRY(pl_grow(&r->merged, &r->merged_capacity, r->n_merged + 1));
        m = &r->merged[r->n_merged++];
        *m = (pl__merged){.model = g->unit->model, .task = g->unit->task};
    }
    for (size_t s = 0; s < g->n_members; s++)
        for (size_t k = 0; k < g->members[s].t; k++) {
            m->n += g->members[s].cells[k].n_merged;
            m->of += g->members[s].cells[k].unit->obs->n_rows;
        }
    return PL_OK;
}

/* One line a group: how many items are left out, and where the first is. */
static pl_status say_not_finite(pl__remarks *r, pl_arena *arena, const pl__group *g)
{
    const pl__cell *first = NULL;
    size_t n_cells = 0;
    for (size_t s = 0; s < g->n_members; s++)
        for (size_t k = 0; k < g->members[s].t; k++) {
            const pl__cell *cell = &g->members[s].cells[k];
            if (cell->n_not_finite == 0) continue;
            n_cells++;
            if (!first) first = cell;
        }
    if (!first) return PL_OK;
    return add(r, arena,
               "NOT FINITE: %s, %s, k = %lld, %s: %zu of %zu items have a log-likelihood or logit that is NaN or "
               "infinite in %zu of the units: no prediction, in no mean (first: template %s, doc_id %lld)",
               g->unit->model, g->unit->task, g->unit->k, g->unit->readout, g->n_not_finite, g->n_shared, n_cells,
               first->unit->template_name, (long long)first->first_not_finite);
}

static pl_status say_beyond(pl__remarks *r, pl_arena *arena, const pl__group *g)
{
    size_t n = 0;
    for (size_t s = 0; s < g->n_members; s++) n += pl__member_beyond(&g->members[s]);
    if (n == 0) return PL_OK;
    return add(r, arena,
               "BEYOND RANGE: %s, %s, k = %lld: %zu values of states did not fit the type that they are stored in and "
               "are its largest number there; capture.dtype: float32 keeps them",
               g->unit->model, g->unit->task, g->unit->k, n);
}

static size_t count_draws(const pl__group *g)
{
    size_t n = 0;
    for (size_t s = 0; s < g->n_members; s++) {
        bool known = false;
        for (size_t before = 0; before < s; before++) known = known || g->members[before].draw == g->members[s].draw;
        n += !known;
    }
    return n;
}

pl_status pl__remarks_group(pl__remarks *r, pl_arena *arena, const pl__group *g)
{
    r->layers_not_finite = r->layers_outlying = 0;
    r->one_draw = r->one_draw || (g->unit->k > 0 && count_draws(g) == 1);
    PL_TRY(count_merged(r, g));
    PL_TRY(say_not_finite(r, arena, g));
    return say_beyond(r, arena, g);
}

/* ---- norms ---- */

enum { OUTLYING_NORM = 4 }; /* of the items' median: an item that weighs as much in a variance as 16 others */

static int compare_reals(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* norms [n]: of each item, root mean square over templates. */
static void norms_of(double *norms, const pl__layer *l)
{
    for (size_t i = 0; i < l->n; i++) {
        double sum = 0.0;
        for (size_t t = 0; t < l->t; t++)
            for (size_t d = 0; d < l->width; d++) {
                const double x = (double)l->states[t][i * l->width + d];
                sum += x * x;
            }
        norms[i] = sqrt(sum / (double)l->t);
    }
}

/* The first layer of a group that has such items says it. */
static pl_status say_outlying(pl__remarks *r, pl_arena *arena, const pl__group *g, const pl__layer *l)
{
    double *norms, *sorted;
    size_t n = 0, largest = 0;
    if (r->layers_outlying > 0 || l->n < 3) return PL_OK;
    PL_TRY(pl_new(&norms, 2 * l->n));
    sorted = norms + l->n;
    norms_of(norms, l);
    memcpy(sorted, norms, l->n * sizeof *norms);
    qsort(sorted, l->n, sizeof *sorted, compare_reals);
    const double median = sorted[l->n / 2];
    for (size_t i = 0; i < l->n; i++) {
        n += norms[i] > OUTLYING_NORM * median;
        if (norms[i] > norms[largest]) largest = i;
    }
    const double ratio = norms[largest] / median;
    free(norms);
    if (n == 0 || !(median > 0.0)) return PL_OK;
    r->layers_outlying++;
    return add(r, arena,
               "outlying norm: %s, %s, k = %lld, %s.%s: states of %zu of %zu items have over %d times the median norm "
               "(doc_id %lld %.3g times): variances and similarities are mostly theirs",
               g->unit->model, g->unit->task, g->unit->k, l->position, l->name, n, l->n, OUTLYING_NORM,
               (long long)g->doc_id[l->item[largest]], ratio);
}

/* The first layer of a group says it for all: what is not finite in one block is not finite in the next. */
pl_status pl__remarks_layer(pl__remarks *r, pl_arena *arena, const pl__group *g, const pl__layer *layer)
{
    PL_TRY(say_outlying(r, arena, g, layer));
    if (layer->n_not_finite == 0 || r->layers_not_finite++ > 0) return PL_OK;
    return add(r, arena,
               "NOT FINITE: %s, %s, k = %lld: states that are NaN or infinite: %zu of %zu items in no number about the "
               "layer (first: %s.%s, template %s, doc_id %lld; each layer has its count in stability.csv)",
               g->unit->model, g->unit->task, g->unit->k, layer->n_not_finite, layer->n_captured, layer->position,
               layer->name, layer->first_template, (long long)layer->first_not_finite);
}

pl_status pl__remarks_finish(pl__remarks *r, pl_stability_table *table)
{
    for (size_t i = 0; i < r->n_merged; i++)
        if (r->merged[i].n > 0)
            PL_TRY(add(r, table->arena,
                       "merged: %s, %s: in %zu of %zu prompts the last token of the prompt and the first of an answer "
                       "would be one token",
                       r->merged[i].model, r->merged[i].task, r->merged[i].n, r->merged[i].of));
    if (r->one_draw)
        PL_TRY(add(r, table->arena, "draws: 1: what is said of k > 0 shots holds for this one set of shots"));
    if (r->one_template)
        PL_TRY(add(r, table->arena,
                   "templates: 1: states are not measured where there are no other templates to hold them against"));
    PL_TRY(pl_arena_new(table->arena, &table->remarks, r->n));
    if (r->n > 0) memcpy(table->remarks, r->lines, r->n * sizeof *r->lines);
    table->n_remarks = r->n;
    return PL_OK;
}

void pl__remarks_free(pl__remarks *r)
{
    free(r->lines);
    free(r->merged);
    *r = (pl__remarks){0};
}
