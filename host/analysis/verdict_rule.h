/* Prompt or tune: the rule, from three intervals of one model and task (stability.md E.4).
 *
 * p_tuned = max(p[tuned < required], p[difference <= 0]), p_prompt = max(p[prompted < required], p[difference >=
 * margin]), one-sided; p = min(1, 2 min(p_tuned, p_prompt)), Holm at .05 over all cases. A case that is rejected is
 * PROMPT where that side's p is small enough as well, else FINE-TUNE. NEITHER: the upper bounds of both accuracies are
 * below what is required. All else is UNDECIDED.
 *
 * Staged (E.4): a run that looked L times has L times these p. Where a look stopped it there is the prompt side alone:
 * p = min(1, L max(p[prompted < required], p[template SD >= limit])), and it is PROMPT or UNDECIDED. */
#ifndef PLUMB_ANALYSIS_VERDICT_RULE_H
#define PLUMB_ANALYSIS_VERDICT_RULE_H

#include <stdbool.h>

#include "base/status.h"
#include "statistics/crossed.h"

typedef enum pl_verdict { PL_UNDECIDED, PL_PROMPT, PL_FINETUNE, PL_NEITHER, PL_VERDICTS } pl_verdict;
const char *pl_verdict_name(pl_verdict verdict); /* "UNDECIDED", "PROMPT", "FINE-TUNE", "NEITHER" */

/* What bounds are of. */
typedef enum pl__bound { PL__PROMPTED, PL__TUNED, PL__DIFFERENCE, PL__BOUNDS } pl__bound;

typedef struct pl__case {
    pl_crossed of[PL__BOUNDS]; /* accuracy prompted, accuracy tuned, tuned minus prompted */
    double require, margin;
    double n_looks; /* that the error is split over; 1: the run was not staged */
    bool stopped;   /* by a look */
    double sd_p;    /* then: of the hypothesis that the template SD of `prompted` is the limit or more */
    bool sound;     /* false: nothing may be concluded, it is UNDECIDED and no hypothesis */
} pl__case;

/* The p of a case that is stopped. A look stops where it is at most .05 over the rows of the run: Holm then rejects. */
double pl__p_enough(const pl__case *c);

/* verdicts[n] of the cases[n] together; p[n] and p_adjusted[n] NaN where a case is no hypothesis. */
pl_status pl__verdicts(pl_verdict *verdicts, double *p, double *p_adjusted, const pl__case *cases, size_t n);

/* How a larger study of the same values would come to a verdict. */
typedef struct pl__outlook {
    pl_verdict towards; /* the one that needs the least; PL_UNDECIDED: none within OUTLOOK_MOST times the study */
    pl__bound bound;    /* what is too wide for it */
    size_t component;   /* the largest part of that one's variance: clusters, templates, draws */
    double share;       /* of the variance */
    double alone;       /* how many times as many of these alone; NaN: no number of them */
    double together;    /* how many times as many of all three */
} pl__outlook;

/* Of a sound case; `tail`: outside each bound, but for NEITHER, whose bounds are always those of 97.5 %. */
pl__outlook pl__outlook_of(const pl__case *c, double tail);

#endif
