/* One view of a run for everybody who reads it: plan.json is read once, a unit's rows are read once.
 *
 * A unit is taken to be read and released after; units that nobody holds stay in memory up to a budget, so that the
 * analysis finds what the report has read, and a run of many units does not fill the memory. Of a unit are kept the
 * columns and scores that numbers are made of, in one piece, and each text once for all units. States are not kept: who
 * needs them opens the unit's file. Files are read by a helper process, so that one that is made to break a reader ends
 * that process only. */
#ifndef PLUMB_ANALYSIS_RUN_VIEW_H
#define PLUMB_ANALYSIS_RUN_VIEW_H

#include <stdbool.h>
#include <stddef.h>

#include "analysis/record.h"
#include "analysis/run_part.h"
#include "base/role.h"
#include "store/stages.h"
#include "store/unit_file.h"

/* One unit of the plan, and what its file holds while it is taken. Texts are borrowed from the view. */
typedef struct pl_run_unit {
    const char *id, *model, *task, *readout, *template_name;
    const char *arm;    /* as tables name it: "prompt", "finetune lm standard n=64", "linear standard n=64 shuffled";
                           one that has a name: "finetune:long lm standard n=64" */
    const char *kind;   /* "prompt", "linear", "finetune" */
    const char *chat;   /* how prompts are asked: "plain", "chat", "chat-multi", .. */
    const char *system; /* the text for the system turn, or NULL */
    /* Of arms that learn; else "", NULL, 0. */
    const char *head, *train_template, *labels;
    const char *learned_by; /* id of the unit that adapted the model */
    size_t n_train;
    const pl_planned_model *model_facts;
    const pl_planned_task *task_facts;
    pl_role role;
    long long k, draw, order, seed;
    double chance;  /* 1/n_labels of the task; NaN when there is none */
    bool generates; /* readout "generate" */
    bool alone;     /* scores the target alone: output_type loglikelihood */
    bool rolls;     /* scores whole texts: output_type loglikelihood_rolling; there are no answers */
    bool done;      /* units/<id>.h5 is there, and not known to be damaged */
    const char *path;
    size_t group;  /* the first unit that is equal in model, task, arm, readout and k: often this one */
    size_t member; /* the first one of the group that is equal in draw, order and seed too */
    size_t next;   /* the next one of the member in plan order; SIZE_MAX: none */
    /* While the unit is taken: */
    const pl_frame *obs; /* the columns that the table is made of */
    pl_loglik loglik;    /* choice_indptr, token_indptr, choice_characters and score; n_rows 0: no label scores */
    size_t n_free;       /* options that content-free inputs scored: a row's or those of all rows; 0: none */
    const double *bias;  /* [n_free]: what calibration takes off each option's score (measure/calibration.h), or NULL */
    const double *unconditional; /* [n_free]: what mutual information takes off it, or NULL */
    uint64_t prompts;            /* tells sets of (item, prompt) apart */
    size_t n_captured;           /* rows from here on have no states (capture.items) */
    size_t n_broken;             /* values of states that are NaN or infinite, rows that have no state not counted */
    size_t n_beyond;             /* values of states that did not fit their storage type: they are its largest number */
} pl_run_unit;

typedef struct pl_run_view pl_run_view;

pl_status pl_run_view_open(pl_run_view **out, const pl_run_folder *run);
/* Its units under the part's templates, and their items that are in it; n_units and n_missing are of these units. */
pl_status pl_run_view_open_part(pl_run_view **out, const pl_run_folder *run, pl_run_part part);
void pl_run_view_close(pl_run_view *view); /* takes NULL */

const pl_run_folder *pl_run_view_folder(const pl_run_view *view);
const pl_plan_file *pl_run_view_plan(const pl_run_view *view);
size_t pl_run_view_n_units(const pl_run_view *view); /* that evaluate; units that adapt a model have no items */
const pl_run_unit *pl_run_view_unit(const pl_run_view *view, size_t index); /* in plan order */
size_t pl_run_view_n_missing(const pl_run_view *view);                      /* of those that are needed */
const pl_stages *pl_run_view_stages(const pl_run_view *view);
/* Whether two units are of one model, task and readout. */
bool pl_run_unit_same_subject(const pl_run_unit *a, const pl_run_unit *b);

/* Reads the unit's rows, or finds them read; what it holds stays until it is released as often as it was taken. A unit
 * whose numbers were made by another device class, maker of products or numerics version than those of the model's
 * first unit is PL_E_INPUT: such units are never pooled or compared. */
pl_status pl_run_view_take(pl_run_view *view, const pl_run_unit *unit);
void pl_run_view_release(pl_run_view *view, const pl_run_unit *unit); /* takes one that is not taken */

/* What a sample is made of beside the unit's rows. */
typedef struct pl_run_samples {
    const char *const *json;        /* [rows]: the unit's own */
    const char *const *prompt_hash; /* [rows] */
    pl__record record;              /* owns them */
} pl_run_samples;
/* Takes the unit order[at] with its samples, which are the caller's: release the unit, free the samples. order[n]: the
 * units that are to be taken one after another; those behind `at` are read meanwhile. A unit whose file cannot be read
 * is damaged: *there is false then, and the unit is as one that is not done. */
pl_status pl_run_view_take_samples(pl_run_view *view, const pl_run_unit *const *order, size_t n, size_t at,
                                   pl_run_samples *out, bool *there);
void pl_run_samples_free(pl_run_samples *samples); /* takes {0} */
/* What is wrong with each damaged unit, in one line that names its file. */
size_t pl_run_view_damaged(const pl_run_view *view, const char *const **reasons);

/* Bytes of rows that may stay in memory when nobody holds them (for tests; 256 MiB). */
void pl_run_view_set_budget(pl_run_view *view, size_t bytes);
/* How often the rows of some unit were read from its file. */
size_t pl_run_view_n_reads(const pl_run_view *view);

/* Numbers for the groups (plumb.group) of items [n] of units that were taken: equal numbers, equal groups. False: the
 * task has no groups. */
bool pl_run_view_groups(const pl_run_view *view, const pl_run_unit *unit, const int64_t *doc_id, size_t n,
                        uint64_t *out); /* [n] */
bool pl_run_view_is_whole(const pl_run_view *view);
/* Whether an item of a unit that was taken is in the part that is seen. */
bool pl_run_view_sees(const pl_run_view *view, const pl_run_unit *unit, int64_t doc_id);

/* Of what a unit was adapted by, as that one's file says; NaN: nothing tells. */
pl_status pl_run_view_learned(pl_run_view *view, const pl_run_unit *unit, pl__learned *out);

/* A text or category column, an integer column, a true/false column; or an error that names the file. */
pl_status pl_run_unit_texts(const char *const **out, const pl_run_unit *unit, const char *name);
pl_status pl_run_unit_integers(const int64_t **out, const pl_run_unit *unit, const char *name);
pl_status pl_run_unit_bools(const uint8_t **out, const pl_run_unit *unit, const char *name);

#endif
