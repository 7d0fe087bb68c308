/* Agreement of predicted with right labels over all items at once, as scikit-learn (1.9) defines it and
 * lm-evaluation-harness reports it. Labels are indices; what is not defined is 0, as there. */
#ifndef PLUMB_STATISTICS_LABELS_H
#define PLUMB_STATISTICS_LABELS_H

#include <stddef.h>
#include <stdint.h>

/* f1_score: 2 tp / (2 tp + fp + fn) of label 1; NaN where a label is neither 0 nor 1. */
double pl_f1(const int64_t *gold, const int64_t *predicted, size_t n); /* [n] each */
/* matthews_corrcoef: Matthews' correlation, of any number of labels by Gorodkin's R_k (2004,
 * doi:10.1016/j.compbiolchem.2004.09.006). Labels are 0 or more. PL_E_MEMORY is NaN. */
double pl_mcc(const int64_t *gold, const int64_t *predicted, size_t n); /* [n] each */

#endif
