/* The best of several arms, and its answers without the luck of the choice.
 *
 * Arms are compared by their accuracy under dev templates (id where none is dev): on dev items of their own draws where
 * all of them have such results, else on the items that are judged. The best of several looks better than it is where
 * it was chosen by what it is judged on, be it the items or only the draws. So every answer that is judged is one of
 * the arm that was chosen without it: without its draw, and without the fifth of the items' clusters that it is in (dev
 * items are other items: there without its draw alone). Where one arm is clearly the best these are its own answers.
 * Draws are told by their names: in a run that is not finished arms may lack some. What is judged are the draws that
 * all arms have that were chosen somewhere and are sampled; where there is none, the mean over each one's own, as one
 * draw. */
#ifndef PLUMB_ANALYSIS_CHOICE_H
#define PLUMB_ANALYSIS_CHOICE_H

#include "analysis/condition.h"

typedef bool pl__is_candidate(const pl__condition *c);

typedef struct pl__choice {
    const pl__condition *best; /* by everything; NULL: there is no candidate */
    pl__condition judged; /* answers, each of the arm that was chosen without it; templates and `same` of the best */
    size_t n_candidates;
    double share; /* of the answers that are the best one's own */
    bool by_dev_items;
    pl_role role; /* of the templates that it was chosen under */
} pl__choice;

/* Of conditions of one model that share their items and have the same templates. dev_accuracy[c]: [n_draws] of
 * condition c on its draws' dev items; NULL: not told. Of equals the one with fewer shots. Texts are borrowed; the rest
 * is the conditions' arena's. */
pl_status pl__choose(pl__choice *out, const pl__conditions *of, pl__is_candidate *is_candidate,
                     const double *const *dev_accuracy);

#endif
