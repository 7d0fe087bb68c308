/* What the hidden states say, layer by layer, and wordings against each other. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "page/section.h"

/* Layers as the table names them: numbers, then final_norm. */
static int by_layer(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    bool number_x = *x >= '0' && *x <= '9', number_y = *y >= '0' && *y <= '9';
    if (number_x != number_y) return number_x ? -1 : 1;
    if (number_x && atoi(x) != atoi(y)) return atoi(x) < atoi(y) ? -1 : 1;
    return strcmp(x, y);
}

static bool is_curve(const pl__row *r)
{
    return *r->layer && !*r->template_name && (!strcmp(r->contrast, "templates") || !strcmp(r->contrast, "base"));
}

/* The preprocessing that a metric is drawn with: the first that it has. */
static bool is_first_preproc(const pl__row *r)
{
    const pl_metric *m = pl__metric_named(r->metric);
    return !m || !*m->preprocessing || *m->preprocessing == *r->preproc;
}

static const char *meaning_of(const char *metric)
{
    const pl_metric *m = pl__metric_named(metric);
    return m ? m->meaning : metric;
}

/* A metric at a position through the layers, a line an arm. */
static void put_curve(pl__build *b, const pl__subject *s, const pl__texts *layers, const char *metric,
                      const char *contrast, const char *position)
{
    pl__draft d;
    const char *base = strcmp(contrast, "base") ? "" : " to the untuned model";
    pl__draft_begin(&d, b, PL_FIGURE_CURVE, pl__say(b, "%s%s, position %s: %s", metric, base, position, s->label),
                    "arm", "layer", metric);
    for (size_t l = 0; l < layers->n; l++) pl__draft_category(&d, layers->at[l]);
    for (size_t c = 0; c < s->n; c++)
        pl__draft_series(&d, s->conditions[c].label); /* one colour an arm in all of them */
    for (size_t c = 0; c < s->n; c++) {
        const pl__condition *at = &s->conditions[c];
        for (size_t l = 0; l < layers->n; l++) {
            for (size_t i = 0; i < at->n_rows; i++) {
                const pl__row *r = at->rows[i];
                if (is_curve(r) && is_first_preproc(r) && !strcmp(r->metric, metric) &&
                    !strcmp(r->contrast, contrast) && !strcmp(r->position, position) &&
                    !strcmp(r->layer, layers->at[l]))
                    pl__draft_row(&d, at->label, (double)l, r);
            }
        }
    }
    const char *stem = pl__say(b, "%s%s%s-%s", metric, *base ? "-base-" : "-", position, s->stem);
    const char *description = pl__say(b,
                                      "%s. Bands: 95 %% intervals; dashed: what it is by chance (the null's 95 %% "
                                      "quantile where it has one, else its mean).",
                                      meaning_of(metric));
    if (pl__draft_put(&d, stem, description)) pl__put_metric(b, metric);
}

static void put_curves(pl__build *b, const pl__subject *s)
{
    pl__texts layers = {0}, metrics = {0}, positions = {0};
    bool base = false;
    for (size_t c = 0; c < s->n; c++) {
        for (size_t i = 0; i < s->conditions[c].n_rows; i++) {
            const pl__row *r = s->conditions[c].rows[i];
            if (!is_curve(r)) continue;
            pl__texts_add(b, &layers, r->layer);
            pl__texts_add(b, &metrics, r->metric);
            pl__texts_add(b, &positions, r->position);
            base = base || !strcmp(r->contrast, "base");
        }
    }
    if (layers.n) qsort(layers.at, layers.n, sizeof *layers.at, by_layer);
    for (size_t p = 0; p < positions.n; p++) {
        for (size_t m = 0; m < metrics.n; m++) {
            put_curve(b, s, &layers, metrics.at[m], "templates", positions.at[p]);
            if (base) put_curve(b, s, &layers, metrics.at[m], "base", positions.at[p]);
        }
    }
    pl__texts_free(&layers);
    pl__texts_free(&metrics);
    pl__texts_free(&positions);
}

/* ---- wording against wording ---- */

/* The two sides of "a|b" or "a>b": false where the contrast is none of two wordings. */
static bool split(pl__build *b, const char *contrast, char between, const char **first, const char **second)
{
    const char *at = strchr(contrast, between);
    char *text = NULL;
    if (!at || strchr(at + 1, between)) return false;
    if (b->status == PL_OK) b->status = pl_arena_text(b->tables->arena, &text, contrast, (size_t)(at - contrast));
    *first = text;
    *second = at + 1;
    return b->status == PL_OK;
}

/* between '|': both triangles have the value; '>': rows learned under, columns asked under. */
static void put_matrix(pl__build *b, const pl__subject *s, const pl__condition *c, const char *metric, char between,
                       const char *layer, const char *position)
{
    pl__draft d;
    const char *what = metric, *arm = "", *first, *second;
    if (*layer) what = pl__say(b, "%s, layer %s, %s", metric, layer, position);
    pl__draft_begin(&d, b, PL_FIGURE_HEAT, pl__say(b, "%s: %s, %s", what, c->label, s->label),
                    between == '>' ? "learned under" : "wording", between == '>' ? "asked under" : "wording", metric);
    for (size_t i = 0; i < c->n_rows; i++) {
        const pl__row *r = c->rows[i];
        if (strcmp(r->metric, metric) || strcmp(r->layer, layer) || strcmp(r->position, position) ||
            !split(b, r->contrast, between, &first, &second) || !pl__role_of(s, first) || !pl__role_of(s, second))
            continue;
        double x = pl__draft_category(&d, first), y = pl__draft_category(&d, second);
        pl__draft_point(&d, first, y, r->value, r->lo, r->hi, NAN);
        if (between == '|') pl__draft_point(&d, second, x, r->value, r->lo, r->hi, NAN);
    }
    if (b->status == PL_OK) b->status = pl__stem(b->tables->arena, &arm, pl__say(b, "%s-%s", c->label, layer));
    const char *stem = pl__say(b, "%s-pairs-%s-%s", metric, s->stem, arm);
    if (pl__draft_put(&d, stem,
                      pl__say(b, "%s. Each pair of wordings; intervals stand in the file.", meaning_of(metric))))
        pl__put_metric(b, metric);
}

/* Of the layers that pairs of wordings are told for the last, which is the readout's, and the middle one. */
static void put_matrices(pl__build *b, const pl__subject *s, const pl__condition *c, const char *metric, char between)
{
    pl__texts layers = {0};
    const char *position = NULL;
    for (size_t i = 0; i < c->n_rows; i++) {
        const pl__row *r = c->rows[i];
        if (strcmp(r->metric, metric) || !*r->layer || !strchr(r->contrast, between)) continue;
        if (!position) position = r->position;
        if (!strcmp(r->position, position)) pl__texts_add(b, &layers, r->layer);
    }
    if (layers.n) qsort(layers.at, layers.n, sizeof *layers.at, by_layer);
    size_t half = layers.n / 2;
    for (size_t l = 0; l < layers.n; l++)
        if (l == half || l + 1 == layers.n) put_matrix(b, s, c, metric, between, layers.at[l], position);
    pl__texts_free(&layers);
}

void pl__section_states(pl__build *b, const pl__subject *s)
{
    const pl__condition *chosen[2];
    size_t n = pl__chosen_conditions(s, chosen);
    put_curves(b, s);
    pl__part part = pl__open(b, "<details class=more><summary>Wording against wording</summary><div class=grid>\n");
    for (size_t c = 0; c < n; c++) {
        put_matrix(b, s, chosen[c], "flip_rate", '|', "", "");
        put_matrices(b, s, chosen[c], "cka_debiased", '|');
        put_matrices(b, s, chosen[c], "probe_transfer", '>');
    }
    pl__close(b, part, "</div></details>\n");
}
