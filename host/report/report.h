/* What a finished run prints and writes: stability.csv, the table on the terminal, lm-evaluation-harness JSON. */
#ifndef PLUMB_REPORT_REPORT_H
#define PLUMB_REPORT_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "analysis/arms.h"
#include "analysis/contrasts.h"
#include "analysis/scorers.h"
#include "analysis/stability.h"

/* What the analysis of a run came to. */
typedef struct pl_report_tables {
    pl_stability_table *table;
    pl_arms_table *arms;
    pl_contrasts_table *contrasts;
    pl_scorers_table *scorers;
} pl_report_tables;

/* The screen that a run ends with (screen.h): made once, laid out whenever it is shown. At most 24 lines a model and
 * task; numbers are never cut: columns that do not fit are left out, and rows, with their count. */
pl_status pl_report_screen(pl_bytes *out, const pl_report_tables *of);
pl_status pl_report_screen_print(FILE *out, const char *screen, size_t width, bool colour);
/* stability.csv, in the run folder: every row of the table, all digits; byte-identical for equal units. */
pl_status pl_report_csv(const pl_run_folder *run, const pl_stability_table *table);
/* analysis.h5 with the table's maps; without any there is none. */
pl_status pl_report_maps(const pl_run_folder *run, const pl_stability_table *table);
/* Every group's block: accuracy beside chance and majority, flips, template SD, wobble, shift and CKA by
 * layer, each with its interval; then the table's remarks. */
pl_status pl_report_print(FILE *out, const pl_stability_table *table);
/* The whole printed text with the states' lines of these layers alone ("05,final_norm"; all where it is NULL). A layer
 * that it has no line of is PL_E_USAGE. */
pl_status pl_report_print_layers(FILE *out, const char *text, const char *layers);
/* Controls beside the values that they are controls of: content-free inputs, another draw, layer 0, random weights. */
pl_status pl_report_controls_print(FILE *out, const pl_stability_table *table);
/* The table as one JSON object (a new reference), for --json. */
pl_status pl_report_json(json_t **out, const pl_stability_table *table, const char *run, size_t units_missing);
/* Arms side by side, a table a model, task and readout; nothing where no arm learns. Seconds are in it: equal units
 * need not give equal bytes. */
pl_status pl_report_arms_csv(const pl_run_folder *run, const pl_arms_table *arms); /* arms.csv */
pl_status pl_report_arms_print(FILE *out, const pl_arms_table *arms);
pl_status pl_report_arms_json(json_t *object, const pl_arms_table *arms); /* its member "arms" */
/* Prompt or tune, of the same arms: verdict.csv and its printed and JSON ("verdicts") forms. */
pl_status pl_report_verdict_csv(const pl_run_folder *run, const pl_arms_table *arms);
pl_status pl_report_verdict_print(FILE *out, const pl_arms_table *arms);
pl_status pl_report_verdict_json(json_t *object, const pl_arms_table *arms);
/* Differences between conditions: contrasts.csv and its printed and JSON ("contrasts") forms; nothing where there is
 * one condition. On the screen stand the primary ones. */
pl_status pl_report_contrasts_csv(const pl_run_folder *run, const pl_contrasts_table *table);
pl_status pl_report_contrasts_print(FILE *out, const pl_contrasts_table *table);
pl_status pl_report_contrasts_json(json_t *object, const pl_contrasts_table *table);
/* Readouts of the stored log-probabilities: scorers.csv, the table of `plumb rescore` and its JSON; and, for the end of
 * every table, which groups are sensitive to wording by more than one of them. */
pl_status pl_report_scorers_csv(const pl_run_folder *run, const pl_scorers_table *table);
pl_status pl_report_scorers_print(FILE *out, const pl_scorers_table *table);
pl_status pl_report_scorers_json(json_t *object, const pl_scorers_table *table); /* its member "scorers" */
pl_status pl_report_scorer_claims_print(FILE *out, const pl_scorers_table *table);
/* A line: how many clusters of items, templates or draws would bring an interval to this half-width, each alone; 0: no
 * number of them. parts: those that the interval is over. */
void pl_report_needed(FILE *out, double half_width, const size_t needed[3], const bool parts[3], bool grouped);
/* results.json and samples_<task>.jsonl in lm-evaluation-harness' schema. */
pl_status pl_report_lm_eval(pl_run_view *view);
/* The run as lm-evaluation-harness itself would have left it: <folder>/<model>/results_<date>.json and
 * samples_<task>_<date>.jsonl, a task a cell (lm_eval_export.c). *n_files: how many were written. */
pl_status pl_report_lm_eval_export(pl_run_view *view, const char *folder, size_t *n_files);

#endif
