/* Differences between conditions: the primary ones on the screen, all as contrasts.csv and as JSON. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/csv_table.h"
#include "base/file.h"
#include "base/json_build.h"
#include "base/visible.h"
#include "report/report.h"

/* ---- on the screen ---- */

static bool is_primary(const pl_contrast_row *row)
{
    return !strcmp(row->kind, "primary");
}

/* What the interval's variance is made of: more of the largest part narrows it most. */
static void print_parts(FILE *out, const pl_crossed *d)
{
    double all = d->variance[0] + d->variance[1] + d->variance[2];
    if (!(all > 0.0)) return;
    fprintf(out, "    its variance: %.0f %% items", 100.0 * d->variance[0] / all);
    if (d->over_templates) fprintf(out, ", %.0f %% templates", 100.0 * d->variance[1] / all);
    if (d->over_draws) fprintf(out, ", %.0f %% draws", 100.0 * d->variance[2] / all);
    fputc('\n', out);
}

void pl_report_needed(FILE *out, double half_width, const size_t needed[3], const bool parts[3], bool grouped)
{
    const char *const names[] = {grouped ? "groups of items" : "items", "templates", "draws"};
    const char *join = "";
    fprintf(out, "    for a half-width of %g, the others as they are:", half_width);
    for (size_t f = 0; f < 3; f++) {
        if (!parts[f]) continue;
        if (needed[f])
            fprintf(out, "%s %zu %s", join, needed[f], names[f]);
        else
            fprintf(out, "%s no number of %s", join, names[f]);
        join = ", or";
    }
    fputc('\n', out);
}

static void print_primary(FILE *out, const pl_contrast_row *row)
{
    const pl_crossed *d = &row->difference;
    pl_print(out, "  %s, %s, %s: %s k=%lld minus %s k=%lld, %s templates\n", row->model, row->task, row->readout,
             row->arm, row->k, row->minus_arm, row->minus_k, row->role);
    if (isnan(d->value))
        pl_print(out, "    no difference: %s\n", row->why_empty);
    else if (isnan(d->lo))
        pl_print(out, "    %.3f, no interval\n", d->value);
    else
        pl_print(out, "    %.3f [%.3f, %.3f] over %s; p %.3g, Holm over the primary ones %.3g%s%s\n", d->value, d->lo,
                 d->hi, row->generalises, row->p, row->p_adjusted, *row->why_empty ? "; " : "", row->why_empty);
    if (isnan(d->lo)) return;
    print_parts(out, d);
    const bool parts[] = {d->variance_df[0] > 0.0, d->variance_df[1] > 0.0, d->variance_df[2] > 0.0};
    pl_report_needed(out, PL_HALF_WIDTH_PERCENT / 100.0, row->needed, parts, d->n_clusters < row->n_items);
}

pl_status pl_report_contrasts_print(FILE *out, const pl_contrasts_table *table)
{
    size_t n_primary = 0, n_found = 0;
    for (size_t i = 0; i < table->n; i++) {
        const pl_contrast_row *row = &table->rows[i];
        n_primary += is_primary(row);
        n_found += !is_primary(row) && row->p_adjusted <= 0.05;
    }
    if (n_primary) fputs("primary contrasts, as the experiment file names them\n", out);
    for (size_t i = 0; i < table->n; i++)
        if (is_primary(&table->rows[i])) print_primary(out, &table->rows[i]);
    if (table->n > n_primary)
        fprintf(out,
                "contrasts.csv: %zu exploratory differences between arms, shots, models and roles; %zu with p <= .05\n"
                "after adjustment (Benjamini and Hochberg)%s\n",
                table->n - n_primary, n_found,
                n_primary ? "." : ". No primary contrast is named (`primary` in the experiment file).");
    if (table->n) fputc('\n', out);
    return ferror(out) ? pl_fail(PL_E_IO, "the table cannot be written to the output") : PL_OK;
}

/* ---- as data ---- */

enum { TEXTS = 11, INTEGERS = 7, REALS = 16 };
static const char *const text_names[TEXTS] = {"kind",       "task",        "readout",     "model",
                                              "arm",        "role",        "minus_model", "minus_arm",
                                              "minus_role", "generalises", "why_empty"};
static const char *const integer_names[INTEGERS] = {"k",           "minus_k", "n_items",      "n_clusters",
                                                    "n_templates", "n_draws", "n_minus_draws"};
static const char *const real_names[REALS] = {"difference",
                                              "lo",
                                              "hi",
                                              "se",
                                              "df",
                                              "lo_these",
                                              "hi_these",
                                              "p",
                                              "p_adjusted",
                                              "p_mcnemar",
                                              "variance_items",
                                              "variance_templates",
                                              "variance_draws",
                                              "clusters_needed",
                                              "templates_needed",
                                              "draws_needed"};

/* A count, or nothing. */
static double needed(const pl_contrast_row *row, size_t factor)
{
    return row->needed[factor] ? (double)row->needed[factor] : NAN;
}

static void fields_of(const char *texts[TEXTS], long long integers[INTEGERS], double reals[REALS],
                      const pl_contrast_row *r)
{
    const pl_crossed *d = &r->difference;
    const char *const t[TEXTS] = {r->kind,        r->task,      r->readout,    r->model,       r->arm,      r->role,
                                  r->minus_model, r->minus_arm, r->minus_role, r->generalises, r->why_empty};
    const long long i[INTEGERS] = {r->k,
                                   r->minus_k,
                                   (long long)r->n_items,
                                   (long long)(d->n_clusters ? d->n_clusters : r->n_items),
                                   (long long)r->n_templates,
                                   (long long)r->n_draws,
                                   (long long)r->n_minus_draws};
    const double x[REALS] = {d->value,       d->lo,        d->hi,         d->se,        d->df,          d->lo_these,
                             d->hi_these,    r->p,         r->p_adjusted, r->p_mcnemar, d->variance[0], d->variance[1],
                             d->variance[2], needed(r, 0), needed(r, 1),  needed(r, 2)};
    memcpy(texts, t, sizeof t);
    memcpy(integers, i, sizeof i);
    memcpy(reals, x, sizeof x);
}

static pl_status put_csv_row(pl_bytes *out, const pl_contrast_row *row)
{
    const char *texts[TEXTS];
    long long integers[INTEGERS];
    double reals[REALS];
    fields_of(texts, integers, reals, row);
    for (size_t i = 0; i < TEXTS; i++) {
        PL_TRY(pl_csv_text(out, texts[i]));
        PL_TRY(pl_bytes_text(out, ","));
    }
    for (size_t i = 0; i < INTEGERS; i++) PL_TRY(pl_bytes_format(out, "%lld,", integers[i]));
    for (size_t i = 0; i < REALS; i++) {
        PL_TRY(pl_csv_real(out, reals[i]));
        PL_TRY(pl_bytes_text(out, i + 1 < REALS ? "," : "\n"));
    }
    return PL_OK;
}

static pl_status put_csv(pl_bytes *out, const pl_contrasts_table *table)
{
    for (size_t i = 0; i < TEXTS; i++) PL_TRY(pl_bytes_format(out, "%s,", text_names[i]));
    for (size_t i = 0; i < INTEGERS; i++) PL_TRY(pl_bytes_format(out, "%s,", integer_names[i]));
    for (size_t i = 0; i < REALS; i++) PL_TRY(pl_bytes_format(out, "%s%s", real_names[i], i + 1 < REALS ? "," : "\n"));
    for (size_t i = 0; i < table->n; i++) PL_TRY(put_csv_row(out, &table->rows[i]));
    return PL_OK;
}

pl_status pl_report_contrasts_csv(const pl_run_folder *run, const pl_contrasts_table *table)
{
    char path[PL_PATH_MAX];
    pl_bytes text = {0};
    pl_status status;
    if (!table->n) return PL_OK;
    PL_TRY(pl_path(path, "%s/contrasts.csv", run->path));
    PL_GOTO(status, done, put_csv(&text, table));
    status = pl_file_replace(path, text.data, text.size);
done:
    pl_bytes_free(&text);
    return status;
}

pl_status pl_report_contrasts_json(json_t *object, const pl_contrasts_table *table)
{
    pl_json_builder b;
    json_t *made;
    if (!table->n) return PL_OK;
    pl_json_begin(&b);
    pl_json_open_list(&b, "contrasts");
    for (size_t i = 0; i < table->n; i++) {
        const char *texts[TEXTS];
        long long integers[INTEGERS];
        double reals[REALS];
        fields_of(texts, integers, reals, &table->rows[i]);
        pl_json_open(&b, NULL);
        for (size_t k = 0; k < TEXTS; k++) pl_json_put_text(&b, text_names[k], texts[k]);
        for (size_t k = 0; k < INTEGERS; k++) pl_json_put_integer(&b, integer_names[k], integers[k]);
        for (size_t k = 0; k < REALS; k++) pl_json_put_real(&b, real_names[k], reals[k]);
        pl_json_close(&b);
    }
    pl_json_close(&b);
    PL_TRY(pl_json_end(&b, &made, "contrasts as JSON"));
    bool ok = json_object_update(object, made) == 0;
    json_decref(made);
    return ok ? PL_OK : pl_fail(PL_E_MEMORY, "out of memory while writing contrasts as JSON");
}
