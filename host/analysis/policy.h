/* Policies that choose between prompting and tuning, replayed on finished grids at no cost and scored (stability.md
 * E.5). Each decides by one half of a run and is scored on the other (policy_case.h). */
#ifndef PLUMB_ANALYSIS_POLICY_H
#define PLUMB_ANALYSIS_POLICY_H

#include "analysis/policy_case.h"

/* id, name, what it does. Where a policy does not tune it takes the prompt side's best arm, but for the first one and
 * the oracle. UNDECIDED and NEITHER do not tune. */
#define PL_POLICY_TABLE(X)                                                                                             \
    X(ALWAYS_PROMPT, "always prompt", "the best single prompt, calibrated or not")                                     \
    X(ALWAYS_REPAIR, "always repair", "the prompt side's best arm: calibrated, ensembled or a linear readout as well") \
    X(ALWAYS_TUNE, "always tune", "the best tuned arm")                                                                \
    X(ACCURACY_ONLY, "accuracy only", "tunes where the best prompt's accuracy on dev wordings is below a threshold")   \
    X(FLIPS_ONLY, "flips only", "tunes where the best prompt's flip rate is above a threshold")                        \
    X(WOBBLE_FIRST, "wobble first", "tunes where the lower bound of wobble_margin is above one half")                  \
    X(VERDICT, "verdict", "tunes where the verdict is FINE-TUNE")                                                      \
    X(STAGED, "verdict, staged", "the same, of a run in stages: where a look is enough tuning is not tried")           \
    X(RANDOM, "random", "tunes as large a share of the cells as the verdict, at random (its expectation)")             \
    X(ORACLE, "oracle", "what scores best on the scoring half itself: more than any policy can know")
typedef enum pl_policy {
#define X(id, name, what) PL_POLICY_##id,
    PL_POLICY_TABLE(X)
#undef X
        PL_POLICIES
} pl_policy;
extern const char *const pl_policy_names[PL_POLICIES];
extern const char *const pl_policy_texts[PL_POLICIES];

/* id, name, unit, definition. Sums over cells: a share of what is summed in both parts. */
#define PL_POLICY_SCORE_TABLE(X)                                                                                       \
    X(UTILITY, "utility", "accuracy of what is taken, under the scoring half's ood wordings")                          \
    X(REGRET, "regret", "the oracle's utility minus it; the oracle profits from noise, so this is an upper bound")     \
    X(CAPTURED, "captured", "of what the oracle gains over always prompting, the share that it gains")                 \
    X(DIFFERENCE, "difference", "its utility minus the verdict's")                                                     \
    X(TUNED, "tuned", "cells that are tuned")                                                                          \
    X(SPENT, "spent", "of the tokens that tuning everywhere takes, the share that it spends on tuning")                \
    X(LOOKED, "looked", "tokens of the prompt side's cells, of those that tuning everywhere takes")                    \
    X(PRECISION, "precision", "of the cells that it tunes, those where tuning gains more than the margin")             \
    X(RECALL, "recall", "of the cells where tuning gains more than the margin, those that it tunes")                   \
    X(WRONG, "wrong",                                                                                                  \
      "of its claims, those that the scoring half contradicts: tuned, and no gain; not tuned, and a "                  \
      "gain of the margin or more. UNDECIDED and NEITHER claim nothing")
typedef enum pl_policy_score {
#define X(id, name, text) PL_POLICY_##id,
    PL_POLICY_SCORE_TABLE(X)
#undef X
        PL_POLICY_SCORES
} pl_policy_score;
extern const char *const pl_policy_score_names[PL_POLICY_SCORES];
extern const char *const pl_policy_score_texts[PL_POLICY_SCORES];

/* Whose cells a threshold is not learned from. */
typedef enum pl_held_out { PL_HELD_NONE, PL_HELD_TASK, PL_HELD_MODEL, PL_HELD_OUTS } pl_held_out;
extern const char *const pl_held_out_names[PL_HELD_OUTS]; /* "", "task", "model" */

typedef struct pl_policy_row {
    pl_policy policy;
    pl_policy_score score;
    pl_held_out held_out; /* of policies with a threshold; else PL_HELD_NONE */
    double value;
    double lo, hi; /* 95 %: bootstrap over tasks (percentiles), and over models from three on */
    /* Of the difference: the tasks' sums with their signs exchanged; Holm over the policies. */
    double p, p_adjusted;
    size_t n_cells, n_tasks, n_models; /* n_cells: models x tasks x readouts */
    const char *generalises;           /* "tasks", "tasks, models", "" */
    const char *why_empty;
} pl_policy_row;

typedef struct pl_policy_table {
    size_t n;
    pl_policy_row *rows;
    double margin;
} pl_policy_table;

/* margin: the gain that counts as needing to tune. */
pl_status pl_policies_score(pl_policy_table *out, const pl_policy_cases *cases, double margin);
void pl_policy_table_free(pl_policy_table *table); /* takes {0} */

/* Weights of resampled tasks and models, for whoever sums over cells: weight[c] of replicate b. Models are resampled
 * from three on. */
enum { PL_POLICY_REPLICATES = 2000, PL_POLICY_TASKS_MIN = 3, PL_POLICY_MODELS_MIN = 3 };
typedef struct pl_policy_clusters {
    size_t n_tasks, n_models, *task_of, *model_of; /* [cases] */
} pl_policy_clusters;
pl_status pl_policy_clusters_of(pl_policy_clusters *out, const pl_policy_cases *cases);
void pl_policy_clusters_free(pl_policy_clusters *clusters); /* takes {0} */
/* scratch [n_tasks + n_models]. */
void pl_policy_resample(double *weight, double *scratch, const pl_policy_clusters *clusters, size_t n,
                        uint32_t replicate);
/* Places of the 2.5 and 97.5 % percentiles; sorts. NaN below 40 values. */
void pl_policy_bounds(double bounds[2], double *values, size_t n);

#endif
