/* Hidden states over templates (stability.md B.2-1 and B.2-3). One /obsm matrix a template is in memory at a time: T x
 * n x C floats, and T n^2 doubles for CKA, whose items are cut to what memory and a quadratic cost allow (the row says
 * so). */
#include "analysis/representation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "measure/cka.h"
#include "statistics/template_variance.h"
#include "statistics/variance_components.h"

enum { CKA_ITEMS_MAX = 2048 };
static const double CKA_BYTES_MAX = 1024.0 * 1024.0 * 1024.0;

/* The states of one position and layer. */
typedef struct layer {
    pl__rows *rows;
    const pl__member *member;
    const char *position, *layer;
    size_t n, t, width;
    float **states; /* t of [n, width], rows in item order */
} layer;

static pl_stability_row new_row(const layer *l, const char *metric, const char *contrast, const char *preproc)
{
    pl_stability_row row = pl__row(l->rows, metric, contrast);
    row.position = l->position;
    row.layer = l->layer;
    row.preproc = preproc;
    row.n = l->n;
    row.n_templates = l->t;
    return row;
}

/* Reads a matrix and brings its rows into item order. */
static pl_status read_states(float **out, size_t *width, const pl_unit_reader *reader, const pl__cell *cell,
                             const char *name, size_t n)
{
    float *all;
    size_t rows, size;
    PL_TRY(pl_unit_get_states(reader, name, &all, &rows, width));
    pl_status status;
    PL_GOTO(status, done, pl_mul_size(&size, n, *width, "states"));
    PL_GOTO(status, done, pl_new(out, size));
    for (size_t i = 0; i < n; i++) {
        if (cell->row[i] >= rows) {
            status = pl_fail(PL_E_INPUT, "%s: /obsm/%s: %zu rows, expected one for each row of /obs", cell->path, name,
                             rows);
            goto done;
        }
        memcpy(*out + i * *width, all + cell->row[i] * *width, *width * sizeof **out);
    }
done:
    free(all);
    return status;
}

/* Rows that were not captured (capture.items) are NaN all over. */
static bool is_captured(const float *row, size_t width)
{
    for (size_t d = 0; d < width; d++)
        if (!isnan(row[d])) return true;
    return false;
}

/* Keeps the items that were captured under every template, in place; *finite says whether all that is left is. */
static void keep_captured(layer *l, bool *finite)
{
    size_t kept = 0;
    *finite = true;
    for (size_t i = 0; i < l->n; i++) {
        bool captured = true;
        for (size_t k = 0; k < l->t && captured; k++) captured = is_captured(l->states[k] + i * l->width, l->width);
        if (!captured) continue;
        for (size_t k = 0; k < l->t; k++) {
            memmove(l->states[k] + kept * l->width, l->states[k] + i * l->width, l->width * sizeof(float));
            for (size_t d = 0; d < l->width; d++) *finite = *finite && isfinite(l->states[k][kept * l->width + d]);
        }
        kept++;
    }
    l->n = kept;
}

/* Wobble, shift and ICC: which of the three, for the loops below. */
static const char *const COMPONENTS[] = {"wobble", "shift", "icc"};
static const char *const COMPONENT_NULLS[] = {"identical templates", "identical templates", "unrelated items"};

static double component(const pl_variance_components *v, size_t which)
{
    return which == 0 ? v->wobble : which == 1 ? v->shift : v->icc;
}

/* The row of templates fixed, and with 8 templates or more the row that takes them as a sample of templates. */
static pl_status component_rows(const layer *l, const pl_variance_sums *sums, size_t which, const char *preproc,
                                double *left)
{
    pl_variance_components v = pl_variance_of(sums);
    pl_stability_row row = new_row(l, COMPONENTS[which], "templates", preproc);
    pl__row_null(&row, COMPONENT_NULLS[which], 0.0, NAN);
    if (isnan(component(&v, which))) PL_TRY(pl__row_note(l->rows, &row, "no variance"));
    for (size_t i = 0; i < l->n; i++) {
        pl_variance_components w = l->n > 2 ? pl_variance_without_item(sums, i) : (pl_variance_components){0};
        left[i] = l->n > 2 ? component(&w, which) : NAN;
    }
    PL_TRY(pl__rows_jackknife(l->rows, &row, component(&v, which), left, l->n));
    if (l->t < PL_TEMPLATE_JACKKNIFE_MIN) return PL_OK;
    double *without;
    PL_TRY(pl_new(&without, l->t));
    for (size_t k = 0; k < l->t; k++) {
        pl_variance_components w = pl_variance_without_template(sums, k);
        without[k] = component(&w, which);
    }
    pl_estimate e = pl_jackknife(component(&v, which), without, l->t);
    free(without);
    return pl__rows_add(l->rows, &row, e, "template jackknife");
}

/* preproc "c": centred, which the ANOVA does by itself; "z": each dimension divided by its pooled SD, which stays fixed
 * when an item is left out. */
static pl_status variance_rows(const layer *l)
{
    pl_status status = PL_OK;
    double *weights = NULL, *left = NULL;
    const float *const *states = (const float *const *)l->states;
    PL_GOTO(status, done, pl_new(&weights, l->width));
    PL_GOTO(status, done, pl_new(&left, l->n));
    PL_GOTO(status, done, pl_pooled_weights(weights, states, l->n, l->t, l->width));
    for (int scaled = 0; scaled <= 1; scaled++) {
        pl_variance_sums sums;
        PL_GOTO(status, done, pl_variance_sums_of(&sums, states, l->n, l->t, l->width, scaled ? weights : NULL));
        for (size_t which = 0; which < 3 && status == PL_OK; which++)
            status = component_rows(l, &sums, which, scaled ? "z" : "c", left);
        pl_variance_sums_free(&sums);
        if (status != PL_OK) goto done;
    }
done:
    free(left);
    free(weights);
    return status;
}

static size_t cka_items(const layer *l)
{
    size_t fits = (size_t)sqrt(CKA_BYTES_MAX / (8.0 * (double)l->t)), n = l->n < CKA_ITEMS_MAX ? l->n : CKA_ITEMS_MAX;
    return n < fits ? n : fits;
}

static pl_status pair_rows(const layer *l, const pl_cka *cka, pl_stability_row base, double null_sd)
{
    for (size_t a = 0; a < l->t; a++) {
        for (size_t b = a + 1; b < l->t; b++) {
            pl_stability_row row = base;
            char *pair;
            size_t p = pl_cka_pair(cka, a, b);
            PL_TRY(pl_arena_format(l->rows->arena, &pair, "%s|%s", l->member->cells[a].entry->template_name,
                                   l->member->cells[b].entry->template_name));
            row.contrast = pair;
            row.n_templates = 2;
            pl__row_null(&row, "independence", 0.0, null_sd);
            if (isnan(cka->value[p])) PL_TRY(pl__row_note(l->rows, &row, "no variance"));
            PL_TRY(pl__rows_add(l->rows, &row, pl_jackknife(cka->value[p], cka->left_out + p * cka->n, cka->n),
                                "item jackknife"));
        }
    }
    return PL_OK;
}

static pl_status cka_rows(const layer *l)
{
    size_t n = cka_items(l);
    if (n < 4) return PL_OK;
    pl_cka cka;
    PL_TRY(pl_cka_of(&cka, (const float *const *)l->states, n, l->t, l->width));
    pl_status status;
    double null_sd = pl_cka_null_sd(n);
    pl_stability_row row = new_row(l, "cka_debiased", "templates", "c");
    row.n = n;
    if (n < l->n) PL_GOTO(status, done, pl__row_note(l->rows, &row, "first %zu of %zu items", n, l->n));
    PL_GOTO(status, done, pair_rows(l, &cka, row, null_sd));
    /* Pairs of templates whose rows are permuted independently are uncorrelated: the variance of their mean is 1/pairs.
     */
    pl__row_null(&row, "independence", 0.0, null_sd / sqrt((double)cka.n_pairs));
    if (isnan(cka.mean)) PL_GOTO(status, done, pl__row_note(l->rows, &row, "no variance"));
    PL_GOTO(status, done, pl__rows_jackknife(l->rows, &row, cka.mean, cka.mean_left_out, n));
done:
    pl_cka_free(&cka);
    return status;
}

/* A row without a value, so that a layer that could not be measured does not look like one that was not captured. */
static pl_status broken_row(const layer *l, const char *why)
{
    pl_stability_row row = new_row(l, "wobble", "templates", "c");
    PL_TRY(pl__row_note(l->rows, &row, "%s", why));
    return pl__rows_add(l->rows, &row, (pl_estimate){NAN, NAN, NAN, NAN}, "none");
}

/* "last.05" is position "last", layer "05". */
static pl_status name_layer(layer *l, const char *name)
{
    const char *dot = strchr(name, '.');
    size_t size = dot ? (size_t)(dot - name) : strlen(name);
    PL_TRY(pl_arena_text(l->rows->arena, (char **)&l->position, name, size));
    const char *rest = dot ? dot + 1 : "";
    return pl_arena_text(l->rows->arena, (char **)&l->layer, rest, strlen(rest));
}

static pl_status layer_rows(pl__rows *rows, const pl__group *f, const pl__member *member, pl_unit_reader **readers,
                            const char *name)
{
    layer l = {.rows = rows, .member = member, .n = f->n, .t = member->t};
    bool finite;
    pl_status status;
    PL_TRY(pl_new(&l.states, l.t));
    PL_GOTO(status, done, name_layer(&l, name));
    for (size_t k = 0; k < l.t; k++) {
        size_t width;
        PL_GOTO(status, done, read_states(&l.states[k], &width, readers[k], &member->cells[k], name, l.n));
        if (k > 0 && width != l.width) {
            status = pl_fail(PL_E_INPUT, "%s: /obsm/%s: width %zu, expected %zu as in %s", member->cells[k].path, name,
                             width, l.width, member->cells[0].path);
            goto done;
        }
        l.width = width;
    }
    keep_captured(&l, &finite);
    if (!finite || l.n < 2) {
        status = broken_row(&l, finite ? "fewer than two items with states" : "states are not finite");
        goto done;
    }
    PL_GOTO(status, done, variance_rows(&l));
    PL_GOTO(status, done, cka_rows(&l));
done:
    for (size_t k = 0; k < l.t; k++) free(l.states[k]);
    free(l.states);
    return status;
}

static bool lists(const char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(names[i], name)) return true;
    return false;
}

/* The names of states that every unit has, in the order of the first. */
static pl_status shared_names(const char ***names, size_t *n, pl_unit_reader **readers, size_t t, pl_arena *arena)
{
    PL_TRY(pl_unit_list_states(readers[0], arena, names, n));
    for (size_t k = 1; k < t; k++) {
        const char **here;
        size_t n_here, kept = 0;
        PL_TRY(pl_unit_list_states(readers[k], arena, &here, &n_here));
        for (size_t i = 0; i < *n; i++)
            if (lists(here, n_here, (*names)[i])) (*names)[kept++] = (*names)[i];
        *n = kept;
    }
    return PL_OK;
}

pl_status pl__representation_rows(pl__rows *rows, const pl__group *family, const pl__member *member)
{
    pl_unit_reader **readers = NULL;
    const char **names;
    size_t n_names;
    pl_status status;
    if (member->t < 2 || family->n < 2) return PL_OK;
    PL_TRY(pl_new(&readers, member->t));
    for (size_t k = 0; k < member->t; k++) PL_GOTO(status, done, pl_unit_open(&readers[k], member->cells[k].path));
    PL_GOTO(status, done, shared_names(&names, &n_names, readers, member->t, family->arena));
    for (size_t i = 0; i < n_names; i++) PL_GOTO(status, done, layer_rows(rows, family, member, readers, names[i]));
done:
    for (size_t k = 0; k < member->t; k++) pl_unit_close(readers[k]);
    free(readers);
    return status;
}
