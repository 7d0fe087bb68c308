/* Policies replayed, as CSV files and as JSON: three tables, each a list of fields a row. */
#include "report/policies.h"

#include <math.h>
#include <string.h>

#include "base/csv_table.h"
#include "base/file.h"
#include "base/json_build.h"

enum { TEXTS_MAX = 9, INTEGERS_MAX = 3, REALS_MAX = 8 + PL_SIGNALS };

typedef struct fields {
    const char *texts[TEXTS_MAX];
    long long integers[INTEGERS_MAX];
    double reals[REALS_MAX];
} fields;

typedef struct form {
    const char *file, *list; /* policies.csv, "policies" */
    size_t n_texts, n_integers, n_reals;
    const char *names[TEXTS_MAX + INTEGERS_MAX + REALS_MAX]; /* texts, integers, reals */
    void (*fill)(fields *out, const void *table, size_t row);
} form;

static void fill_policy(fields *out, const void *table, size_t row)
{
    const pl_policy_row *r = &((const pl_policy_table *)table)->rows[row];
    *out = (fields){{pl_policy_names[r->policy], pl_held_out_names[r->held_out], pl_policy_score_names[r->score],
                     r->generalises, r->why_empty},
                    {(long long)r->n_cells, (long long)r->n_tasks, (long long)r->n_models},
                    {r->value, r->lo, r->hi, r->p, r->p_adjusted}};
}

static void fill_signal(fields *out, const void *table, size_t row)
{
    const pl_signal_row *r = &((const pl_signal_table *)table)->rows[row];
    *out = (fields){{pl_outcome_names[r->outcome], r->statistic, r->of, pl_held_out_names[r->held_out], r->why_empty},
                    {(long long)r->n_cells, (long long)r->n_tasks, (long long)r->n_models},
                    {r->value, r->lo, r->hi}};
}

static void fill_case(fields *out, const void *table, size_t row)
{
    const pl_policy_case *c = &((const pl_policy_cases *)table)->list[row];
    *out = (fields){
        {c->run, c->model, c->task, c->readout, c->arm, c->repaired_arm, c->tuned_arm, pl_verdict_name(c->verdict),
         c->why},
        {c->swapped ? 2 : 1, c->has_looks, c->is_enough},
        {c->prompted, c->repaired, c->tuned, c->ood_flips, c->require, c->wobble_lo, c->prompt_tokens, c->tune_tokens}};
    memcpy(out->reals + 8, c->signals, sizeof c->signals);
}

static const form policy_form = {"policies.csv",
                                 "policies",
                                 5,
                                 3,
                                 5,
                                 {"policy", "held_out", "score", "generalises", "why_empty", "n_cells", "n_tasks",
                                  "n_models", "value", "lo", "hi", "p", "p_adjusted"},
                                 fill_policy};
static const form signal_form = {
    "policy_signals.csv",
    "signals",
    5,
    3,
    3,
    {"outcome", "statistic", "of", "held_out", "why_empty", "n_cells", "n_tasks", "n_models", "value", "lo", "hi"},
    fill_signal};
static const form case_form = {"policy_cells.csv",
                               "cells",
                               9,
                               3,
                               REALS_MAX,
                               {"run",
                                "model",
                                "task",
                                "readout",
                                "prompt_arm",
                                "repaired_arm",
                                "tuned_arm",
                                "verdict",
                                "why",
                                "half",
                                "has_looks",
                                "is_enough",
                                "prompted",
                                "repaired",
                                "tuned",
                                "ood_flips",
                                "require",
                                "wobble_lo",
                                "prompt_tokens",
                                "tune_tokens",
#define X(id, name) name,
                                PL_SIGNAL_TABLE(X)
#undef X
                               },
                               fill_case};

static pl_status put_csv(pl_bytes *out, const form *f, const void *table, size_t n)
{
    size_t n_names = f->n_texts + f->n_integers + f->n_reals;
    for (size_t i = 0; i < n_names; i++) PL_TRY(pl_bytes_format(out, "%s%s", i ? "," : "", f->names[i]));
    PL_TRY(pl_bytes_text(out, "\n"));
    for (size_t row = 0; row < n; row++) {
        fields x;
        f->fill(&x, table, row);
        for (size_t i = 0; i < f->n_texts; i++) {
            if (i) PL_TRY(pl_bytes_text(out, ","));
            PL_TRY(pl_csv_text(out, x.texts[i]));
        }
        for (size_t i = 0; i < f->n_integers; i++) PL_TRY(pl_bytes_format(out, ",%lld", x.integers[i]));
        for (size_t i = 0; i < f->n_reals; i++) {
            PL_TRY(pl_bytes_text(out, ","));
            PL_TRY(pl_csv_real(out, x.reals[i]));
        }
        PL_TRY(pl_bytes_text(out, "\n"));
    }
    return PL_OK;
}

static pl_status write_csv(const char *folder, const form *f, const void *table, size_t n)
{
    char path[PL_PATH_MAX];
    pl_bytes text = {0};
    PL_TRY(pl_path(path, "%s/%s", folder, f->file));
    pl_status status = put_csv(&text, f, table, n);
    if (status == PL_OK) status = pl_file_replace(path, text.data, text.size);
    pl_bytes_free(&text);
    return status;
}

pl_status pl_report_policies_csv(const char *folder, const pl_policy_cases *cases, const pl_policy_table *table,
                                 const pl_signal_table *signals)
{
    PL_TRY(write_csv(folder, &case_form, cases, cases->n));
    PL_TRY(write_csv(folder, &signal_form, signals, signals->n));
    return write_csv(folder, &policy_form, table, table->n);
}

static void put_json(pl_json_builder *b, const form *f, const void *table, size_t n)
{
    pl_json_open_list(b, f->list);
    for (size_t row = 0; row < n; row++) {
        const char *const *name = f->names;
        fields x;
        f->fill(&x, table, row);
        pl_json_open(b, NULL);
        for (size_t i = 0; i < f->n_texts; i++) pl_json_put_text(b, *name++, x.texts[i]);
        for (size_t i = 0; i < f->n_integers; i++) pl_json_put_integer(b, *name++, x.integers[i]);
        for (size_t i = 0; i < f->n_reals; i++) pl_json_put_real(b, *name++, x.reals[i]);
        pl_json_close(b);
    }
    pl_json_close(b);
}

pl_status pl_report_policies_json(json_t **out, const pl_policy_cases *cases, const pl_policy_table *table,
                                  const pl_signal_table *signals)
{
    pl_json_builder b;
    pl_json_begin(&b);
    put_json(&b, &policy_form, table, table->n);
    put_json(&b, &signal_form, signals, signals->n);
    put_json(&b, &case_form, cases, cases->n);
    return pl_json_end(&b, out, "policies as JSON");
}
