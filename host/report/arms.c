/* Arms side by side: on the screen, as arms.csv and as JSON. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/csv_table.h"
#include "base/file.h"
#include "base/json_build.h"
#include "base/visible.h"
#include "report/report.h"
#include "report/text.h"
#include "statistics/power.h"

/* ---- on the screen ---- */

static bool same_subject(const pl_arm_row *a, const pl_arm_row *b)
{
    return !strcmp(a->model, b->model) && !strcmp(a->task, b->task) && !strcmp(a->readout, b->readout);
}

/* Share with its interval: "0.650 [0.540, 0.760]"; "-" where not defined. */
static void share_text(char *out, size_t size, const pl_crossed *e)
{
    if (isnan(e->value))
        snprintf(out, size, "-");
    else if (isnan(e->lo))
        snprintf(out, size, "%.3f", e->value);
    else
        snprintf(out, size, "%.3f [%.3f, %.3f]", e->value, e->lo, e->hi);
}

static void number_text(char *out, size_t size, double value)
{
    if (isnan(value))
        snprintf(out, size, "-");
    else
        snprintf(out, size, value < 1000 ? "%.3g" : "%.0f", value);
}

static void print_row(FILE *out, const pl_arm_row *row)
{
    char arm[PL__ARM_TEXT + 2], accuracy[64], difference[64], tokens[32], seconds[32], item[32], failed[48] = "-";
    pl__arm_text(arm, row->arm, row->k);
    if (row->best) strcat(arm, " *");
    share_text(accuracy, sizeof accuracy, &row->accuracy);
    share_text(difference, sizeof difference, &row->difference);
    number_text(tokens, sizeof tokens, row->learn_tokens);
    number_text(seconds, sizeof seconds, row->learn_seconds);
    number_text(item, sizeof item, row->item_tokens);
    if (row->learns) snprintf(failed, sizeof failed, "%zu of %zu", row->n_failed, row->n_draws);
    pl_print(out, "  %-36s %9zu %6zu  %-21s  %-23s %10s %9s %9s  %s\n", arm, row->n_templates, row->n_draws, accuracy,
             difference, tokens, seconds, item, failed);
}

pl_status pl_report_arms_print(FILE *out, const pl_arms_table *arms)
{
    for (size_t i = 0; i < arms->n; i++) {
        const pl_arm_row *row = &arms->rows[i];
        if (i == 0 || !same_subject(row, row - 1))
            pl_print(out, "%s, %s: arms side by side, %s, %zu items\n", row->model, row->task, row->readout,
                     row->n_items);
        if (i == 0 || !same_subject(row, row - 1) || strcmp(row->role, row[-1].role))
            fprintf(out, "  %-36s %9s %6s  %-21s  %-23s %10s %9s %9s  %s\n", row->role, "templates", "draws",
                    "accuracy", "minus best prompt", "learn tok", "learn s", "tok/item", "failed");
        print_row(out, row);
        if (i + 1 == arms->n || !same_subject(row, row + 1)) fputc('\n', out);
    }
    if (arms->n)
        fputs(
            "*: the prompting arm that is best on these items under dev templates (id where none is dev).\n"
            "Intervals, 95 %: for other items, templates (from two on) and draws (from three on). Orders of a draw\n"
            "are one; so are templates of one wording, and those with equal prompts of arms that see no label words.\n"
            "Learning: mean of a draw, all learning rates. tok/item: tokens that ran, shared ones once.\n"
            "failed: draws that stay at the commonest label or below; they are in the mean. constant: that label.\n",
            out);
    return ferror(out) ? pl_fail(PL_E_IO, "the table cannot be written to the output") : PL_OK;
}

/* ---- as data ---- */

static const char *const names[] = {"accuracy",
                                    "se",
                                    "lo",
                                    "hi",
                                    "difference",
                                    "difference_se",
                                    "difference_lo",
                                    "difference_hi",
                                    "learn_tokens",
                                    "learn_seconds",
                                    "item_tokens",
                                    "templates_needed"};
enum { REALS = sizeof names / sizeof *names };

/* templates_needed: for a half-width of the accuracy of PL_HALF_WIDTH_PERCENT; draws and items as they are. */
static void reals_of(double out[REALS], const pl_arm_row *row)
{
    const pl_crossed *a = &row->accuracy, *d = &row->difference;
    size_t needed = pl_levels_needed(a, 1, PL_HALF_WIDTH_PERCENT / 100.0);
    const double values[REALS] = {a->value,
                                  a->se,
                                  a->lo,
                                  a->hi,
                                  d->value,
                                  d->se,
                                  d->lo,
                                  d->hi,
                                  row->learn_tokens,
                                  row->learn_seconds,
                                  row->item_tokens,
                                  needed ? (double)needed : NAN};
    memcpy(out, values, sizeof values);
}

static pl_status put_csv_row(pl_bytes *out, const pl_arm_row *row)
{
    const char *const texts[] = {row->model, row->task, row->readout, row->arm};
    double values[REALS];
    reals_of(values, row);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        PL_TRY(pl_csv_text(out, texts[i]));
        PL_TRY(pl_bytes_text(out, ","));
    }
    PL_TRY(pl_bytes_format(out, "%lld,%s,%d,%zu,%zu,%zu,", row->k, row->role, row->best, row->n_items, row->n_templates,
                           row->n_draws));
    if (row->learns) PL_TRY(pl_bytes_format(out, "%zu", row->n_failed));
    for (size_t i = 0; i < REALS; i++) {
        PL_TRY(pl_bytes_text(out, ","));
        PL_TRY(pl_csv_real(out, values[i]));
    }
    return pl_bytes_text(out, "\n");
}

static pl_status put_csv(pl_bytes *out, const pl_arms_table *arms)
{
    PL_TRY(pl_bytes_text(out, "model,task,readout,arm,k,role,best_prompt,n_items,n_templates,n_draws,failed"));
    for (size_t i = 0; i < REALS; i++) PL_TRY(pl_bytes_format(out, ",%s", names[i]));
    PL_TRY(pl_bytes_text(out, "\n"));
    for (size_t i = 0; i < arms->n; i++) PL_TRY(put_csv_row(out, &arms->rows[i]));
    return PL_OK;
}

pl_status pl_report_arms_csv(const pl_run_folder *run, const pl_arms_table *arms)
{
    char path[PL_PATH_MAX];
    pl_bytes text = {0};
    pl_status status;
    if (!arms->n) return PL_OK;
    PL_TRY(pl_path(path, "%s/arms.csv", run->path));
    PL_GOTO(status, done, put_csv(&text, arms));
    status = pl_file_replace(path, text.data, text.size);
done:
    pl_bytes_free(&text);
    return status;
}

static void put_json_row(pl_json_builder *b, const pl_arm_row *row)
{
    double values[REALS];
    reals_of(values, row);
    pl_json_open(b, NULL);
    pl_json_put_text(b, "model", row->model);
    pl_json_put_text(b, "task", row->task);
    pl_json_put_text(b, "readout", row->readout);
    pl_json_put_text(b, "arm", row->arm);
    pl_json_put_integer(b, "k", row->k);
    pl_json_put_text(b, "role", row->role);
    pl_json_put_bool(b, "best_prompt", row->best);
    pl_json_put_size(b, "n_items", row->n_items);
    pl_json_put_size(b, "n_templates", row->n_templates);
    pl_json_put_size(b, "n_draws", row->n_draws);
    if (row->learns)
        pl_json_put_size(b, "failed", row->n_failed);
    else
        pl_json_put_null(b, "failed");
    for (size_t i = 0; i < REALS; i++) pl_json_put_real(b, names[i], values[i]);
    pl_json_close(b);
}

pl_status pl_report_arms_json(json_t *object, const pl_arms_table *arms)
{
    pl_json_builder b;
    json_t *made;
    if (!arms->n) return PL_OK;
    pl_json_begin(&b);
    pl_json_open_list(&b, "arms");
    for (size_t i = 0; i < arms->n; i++) put_json_row(&b, &arms->rows[i]);
    pl_json_close(&b);
    PL_TRY(pl_json_end(&b, &made, "arms as JSON"));
    bool ok = json_object_update(object, made) == 0;
    json_decref(made);
    return ok ? PL_OK : pl_fail(PL_E_MEMORY, "out of memory while writing arms as JSON");
}
