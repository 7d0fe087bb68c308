/* Linear probes of a label between conditions of the same items: does what a probe learns from the states under one
 * template hold under another (stability.md B.2-9)?
 *
 * Items are in folds, those of a cluster together (logistic.h: pl_folds). For each condition a and fold an L2 logistic
 * probe (logistic.h), features standardised over its rows, learns from the states of condition a outside the fold, and
 * says the label of the fold's items under every condition b. Its control learns from permuted labels, and is right
 * where it says the permuted label of a held-out item. */
#ifndef PLUMB_MEASURE_PROBE_H
#define PLUMB_MEASURE_PROBE_H

#include <stdint.h>

#include "measure/logistic.h"

enum { PL_PROBE_FOLDS = 5 };

typedef struct pl_probe_items {
    size_t n, t, width, n_classes;
    const float *const *states; /* t of [n, width] */
    const size_t *classes;      /* [n], each < n_classes */
    const size_t *permuted;     /* [n]: classes in another order, for the control */
    const size_t *fold;         /* [n], each < n_folds */
    size_t n_folds;
    double strength; /* C of the penalty; 0: PL_PROBE_STRENGTH over the width */
} pl_probe_items;

typedef struct pl_probe {
    size_t n, t;
    uint8_t *correct; /* [t, t, n]: learned under the first, asked under the second */
    uint8_t *control; /* [t, n]: learned and asked under one condition, permuted labels */
} pl_probe;

/* C = this / width: logits of standardised features have about this prior variance, whatever the width. */
#define PL_PROBE_STRENGTH 10.0

/* Whether every fold leaves rows of all classes to learn from, and holds some itself. */
bool pl_probe_can(const pl_probe_items *items);
/* The same bits for any number of threads. Free the result. */
pl_status pl_probe_of(pl_probe *out, const pl_probe_items *items);
void pl_probe_free(pl_probe *probe); /* takes {0} */

#endif
