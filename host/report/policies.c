/* Policies replayed, on the screen. */
#include "report/policies.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/visible.h"

/* ---- on the screen ---- */

static const pl_policy_row *find(const pl_policy_table *table, const pl_policy_row *first, pl_policy_score score)
{
    const pl_policy_row *row = first;
    while (row < table->rows + table->n &&
           (row->policy != first->policy || row->held_out != first->held_out || row->score != score))
        row++;
    return row;
}

static void print_number(FILE *out, double value, double lo, double hi)
{
    if (isnan(value))
        fprintf(out, "  %-22s", "-");
    else if (isnan(lo))
        fprintf(out, "  %-22.3f", value);
    else {
        char text[48];
        (void)snprintf(text, sizeof text, "%.3f [%.3f, %.3f]", value, lo, hi);
        fprintf(out, "  %-22s", text);
    }
}

static void print_policy(FILE *out, const pl_policy_table *table, const pl_policy_row *first)
{
    static const pl_policy_score wide[] = {PL_POLICY_UTILITY, PL_POLICY_DIFFERENCE},
                                 narrow[] = {PL_POLICY_REGRET, PL_POLICY_TUNED, PL_POLICY_SPENT, PL_POLICY_WRONG};
    char name[64];
    (void)snprintf(name, sizeof name, "%s%s%s%s", pl_policy_names[first->policy], first->held_out ? " (other " : "",
                   pl_held_out_names[first->held_out], first->held_out ? "s)" : "");
    fprintf(out, "%-29s", name);
    if (*first->why_empty && isnan(first->value)) {
        pl_print(out, "  %s\n", first->why_empty);
        return;
    }
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) {
        const pl_policy_row *row = find(table, first, wide[i]);
        print_number(out, row->value, row->lo, row->hi);
    }
    for (size_t i = 0; i < sizeof narrow / sizeof *narrow; i++) {
        const pl_policy_row *row = find(table, first, narrow[i]);
        if (isnan(row->value))
            fprintf(out, "  %6s", "-");
        else
            fprintf(out, "  %6.2f", row->value);
    }
    fputc('\n', out);
}

static void print_signals(FILE *out, const pl_signal_table *signals)
{
    fprintf(out, "\ndo representations tell more than behaviour? (%zu signals of behaviour, %zu of representations)\n",
            signals->n_signals[0], signals->n_signals[1]);
    if (isnan(signals->rows[0].value)) {
        pl_print(out, "not asked: %s\n", signals->rows[0].why_empty);
        return;
    }
    for (size_t i = 0; i < signals->n; i++) {
        const pl_signal_row *row = &signals->rows[i];
        if (strcmp(row->of, "increment") && strcmp(row->statistic, "spearman")) continue;
        if (*row->why_empty && strcmp(row->of, "increment")) continue;
        char name[96];
        (void)snprintf(name, sizeof name, "%s, %s of %s%s%s%s", pl_outcome_names[row->outcome], row->statistic, row->of,
                       row->held_out ? ", unseen " : "", pl_held_out_names[row->held_out], row->held_out ? "s" : "");
        fprintf(out, "%-54s", name);
        if (isnan(row->value))
            pl_print(out, "  %s\n", row->why_empty);
        else {
            print_number(out, row->value, row->lo, row->hi);
            fputc('\n', out);
        }
    }
    for (int o = 0; o < PL_OUTCOMES; o++)
        fprintf(out, "%s: representations %s\n", pl_outcome_names[o],
                signals->promotes[o] ? "add to behaviour, for unseen tasks and for unseen models"
                                     : "are not shown to add to behaviour: no gate is to be built on them");
}

pl_status pl_report_policies_print(FILE *out, const pl_policy_cases *cases, const pl_policy_table *table,
                                   const pl_signal_table *signals)
{
    const pl_policy_row *any = &table->rows[0];
    fprintf(
        out,
        "%zu cells (models x tasks x readouts) of %zu tasks and %zu models, each twice: decided by one half of its\n"
        "items and ood wordings, scored on the other. Tuning is needed where it gains more than %g.\n",
        any->n_cells, any->n_tasks, any->n_models, table->margin);
    if (cases->n_without)
        fprintf(out, "%zu cells are left out: no prompting or no tuned arm under ood wordings in both halves.\n",
                cases->n_without);
    fprintf(out, "\n%-29s  %-22s  %-22s  %6s  %6s  %6s  %6s\n", "policy", "utility (accuracy)", "minus the verdict's",
            "regret", "tuned", "spent", "wrong");
    for (size_t i = 0; i < table->n; i++)
        if (table->rows[i].score == PL_POLICY_UTILITY) print_policy(out, table, &table->rows[i]);
    fprintf(
        out,
        "\n[95 %%: %s]\nregret: the oracle's utility minus it; tuned: share of cells; spent: of the tokens of tuning\n"
        "everywhere; wrong: share of its claims that the scoring half contradicts, noise included\n",
        *any->generalises ? any->generalises : any->why_empty);
    print_signals(out, signals);
    return PL_OK;
}
