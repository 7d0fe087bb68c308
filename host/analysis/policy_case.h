/* Cells of the offline validation of policies (stability.md E.5): what one half of a finished run says of a model, task
 * and readout, and what each choice between prompting and tuning is worth on the other half (run_part.h).
 *
 * Each run gives every cell twice, with its halves exchanged. Nothing of the half that scores enters what is decided:
 * arms, their requirement, verdict, wobble and flips are made from the half that decides, by the same functions that
 * make a run's tables. */
#ifndef PLUMB_ANALYSIS_POLICY_CASE_H
#define PLUMB_ANALYSIS_POLICY_CASE_H

#include "analysis/run_view.h"
#include "analysis/verdict_rule.h"
#include "base/memory.h"

/* What could tell beforehand, of the best prompting arm: behaviour first, then representations. */
#define PL_SIGNAL_TABLE(X)                                                                                             \
    X(ACCURACY, "accuracy")                                                                                            \
    X(ENTROPY, "prediction_entropy")                                                                                   \
    X(FLIPS, "flip_rate")                                                                                              \
    X(WOBBLE_MARGIN, "wobble_margin")                                                                                  \
    X(WOBBLE, "wobble")                                                                                                \
    X(SHIFT, "shift")                                                                                                  \
    X(CKA, "cka_debiased")                                                                                             \
    X(PROBE_GAP, "probe_gap")
typedef enum pl_signal {
#define X(id, name) PL_SIGNAL_##id,
    PL_SIGNAL_TABLE(X)
#undef X
        PL_SIGNALS
} pl_signal;
enum { PL_SIGNALS_BEHAVIOUR = PL_SIGNAL_WOBBLE_MARGIN };
extern const char *const pl_signal_names[PL_SIGNALS];

typedef struct pl_policy_case {
    const char *run, *model, *task, *readout;
    bool swapped;
    /* From the half that decides; NaN: nothing tells. */
    double signals[PL_SIGNALS]; /* ACCURACY: under dev templates; states: at the middle layer of the last token */
    double wobble_lo;           /* lower bound of wobble_margin */
    double require;
    pl_verdict verdict;
    const char *why; /* why it is UNDECIDED whatever the numbers; "" */
    bool has_looks;  /* a staged run could be replayed: verdict.template_sd_max is given, two kinds of arms are there */
    bool is_enough;  /* then: a look before tuning would have stopped it */
    const char *arm, *repaired_arm,
        *tuned_arm; /* the best single prompt, the best of the prompt side, the best tuned */
    /* From the half that scores: accuracy under its ood templates. */
    double prompted, repaired, tuned;
    double ood_flips; /* of the best single prompt */
    /* Tokens: all that the prompt side's cells ran, and what learning the tuned arm took (forward and backward, dev
     * items, every draw); NaN: not told. */
    double prompt_tokens, tune_tokens;
} pl_policy_case;

typedef struct pl_policy_cases {
    pl_policy_case *list;
    size_t n, capacity;
    size_t n_without; /* models x tasks x readouts that have no tuned or no prompting arm under both halves */
    pl_arena *arena;  /* owns the texts */
} pl_policy_cases;

/* Adds the cells of a run. PL_E_INPUT: a run that a look has stopped somewhere, or that lacks units: policies are
 * replayed on whole grids. Start from {0}. */
pl_status pl_policy_cases_add(pl_policy_cases *cases, const pl_run_folder *run);
void pl_policy_cases_free(pl_policy_cases *cases); /* takes {0} */

#endif
