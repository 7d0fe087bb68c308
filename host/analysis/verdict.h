/* Prompt or tune, for each model, task and readout whose arms stand side by side (arms.h; stability.md E.4).
 *
 * The prompt side is prompting (plain, with contextual calibration, or so the templates of a role together: ensemble.h)
 * and linear readouts of the frozen model; tuned are arms of kind finetune. Arms with shuffled labels are controls and
 * no candidates. The best arm of each side is chosen under dev templates and judged under ood ones, as choice.h says.
 */
#ifndef PLUMB_ANALYSIS_VERDICT_H
#define PLUMB_ANALYSIS_VERDICT_H

#include "analysis/choice.h"
#include "analysis/verdict_rule.h"

enum { PL_SENSITIVITIES = 4 }; /* margin halved, doubled; requirement halved, doubled */

/* The best arm of a side. */
typedef struct pl_verdict_side {
    const char *arm;  /* "": there is none */
    const char *row;  /* the arm of the table's row that has its costs: of an ensemble "calibrated" */
    size_t n_prompts; /* that an item takes: of an ensemble one a template */
    long long k;
    const char *chosen_by; /* "dev items", "dev templates", "id templates"; "" for one candidate */
    double chosen_share;   /* of the judged answers that are this arm's own */
    size_t n_candidates, n_draws;
    pl_crossed accuracy;                                               /* under ood templates */
    double learn_tokens, learn_dev_tokens, learn_seconds, item_tokens; /* arms.h */
} pl_verdict_side;

/* How the verdict is to be given. */
typedef struct pl__verdict_rules {
    double require, margin; /* require: NaN: the baseline + .10 */
    /* Of a staged run (stages.h); else 1, 1, NULL, NaN. */
    size_t n_looks, n_rows; /* that the error is split over: looks of this row, and rows that look */
    const char *stopped;    /* the stage whose look was, or is to be, the last; NULL: none was */
    double template_sd_max;
} pl__verdict_rules;

/* What a look goes by: the template SD of the prompt side's arm, and bounds with `tail` outside each. */
typedef struct pl_verdict_look {
    const char *stage;        /* "": the run was not staged, or no look stopped it */
    double tail, accuracy_lo; /* NaN: not known */
    double template_sd, template_sd_hi;
    double template_sd_max, template_sd_p; /* p: of the hypothesis that the SD is the most allowed, or more */
} pl_verdict_look;

typedef struct pl_verdict_row {
    const char *model, *task, *readout;
    pl_verdict verdict;
    bool clearly;    /* FINE-TUNE by more than the margin, also beside the arm of hindsight */
    const char *why; /* "", or why nothing can be concluded */
    pl_verdict_side prompt, tuned;
    pl_crossed difference; /* tuned - prompt */
    /* The prompt side's best arm by the judged templates themselves, and tuned - it: not what the verdict goes by. */
    const char *hindsight; /* "": the chosen one */
    long long hindsight_k;
    pl_crossed hindsight_difference;
    const char *baseline_of; /* "commonest label", "chance"; "": there is no baseline (condition.h) */
    double baseline, require, margin;
    double p, p_adjusted; /* Holm's over all rows */
    size_t n_items, n_templates;
    pl__outlook outlook;                      /* of one that is UNDECIDED and sound */
    pl_verdict sensitivity[PL_SENSITIVITIES]; /* what requirement is halved and doubled: its distance to `baseline` */
    double break_even;                        /* items from which tuning pays by tokens; NaN: it never does */
    /* Of the naive policy (wobble_first.h): its verdict, "" where nothing tells, and what it goes by. */
    const char *wobble_first;
    double wobble, wobble_lo, wobble_hi;
    size_t n_looks; /* 1: the run was not staged; else p is that many times as large */
    pl_verdict_look look;
    const char *not_tried; /* of the prompt side: "few shots, linear readout"; "" */
} pl_verdict_row;

/* One row, without what pl__verdicts_decide says: of conditions of one model that share their items. dev_accuracy: as
 * pl__choose takes it. Where the default of what is required cannot be (1 or more, no baseline) nothing is concluded.
 */
pl_status pl__verdict_row(pl_verdict_row *out, const pl__conditions *of, const double *const *dev_accuracy,
                          const pl__verdict_rules *rules);
/* Of a row with a look: whether it is enough. */
bool pl__verdict_is_enough(const pl_verdict_row *row);
/* Verdicts, p-values, outlooks and sensitivities of all rows [n] together. */
pl_status pl__verdicts_decide(pl_verdict_row *rows, size_t n);
/* Accuracies on dev items by draw, of conditions that tune, from the files of what adapted them; NULL where a draw's
 * file does not tell. */
pl_status pl__verdict_dev_accuracy(const double **out, const pl__conditions *of); /* [of->n] */

#endif
