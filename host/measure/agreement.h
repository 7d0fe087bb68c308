/* Do predictions stay the same over templates? (stability.md B.4)
 *
 * With n_ij templates of T giving item i category j, P_i = (sum_j n_ij^2 - T)/(T(T-1)), P = mean P_i, p_j the share of
 * category j over items and templates, q the number of categories:
 *   flip_rate = 1 - P,  unanimity = share of items with one answer in all templates,
 *   fleiss_kappa = (P - P_e)/(1 - P_e), P_e = sum p_j^2            (Fleiss 1971),
 *   gwet_ac1     = (P - P_g)/(1 - P_g), P_g = sum p_j(1 - p_j)/(q-1) (Gwet 2008).
 * Left-out values are with one item gone, in closed form. */
#ifndef PLUMB_MEASURE_AGREEMENT_H
#define PLUMB_MEASURE_AGREEMENT_H

#include <stddef.h>

#include "base/status.h"
#include "statistics/interval.h"

typedef struct pl_agreement {
    size_t n, t;
    double *flip; /* [n]: 1 - P_i; their mean is the flip rate */
    double flip_rate;
    pl_estimate unanimity;
    double fleiss_kappa, gwet_ac1;                     /* kappa: NaN for a constant predictor */
    double *fleiss_kappa_left_out, *gwet_ac1_left_out; /* [n]; NaN when n < 2 */
    double chance_flip;                                /* 1 - P_e: independent predictions with the same shares */
    double chance_unanimity;                           /* sum_j p_j^T */
    size_t *differ;                                    /* [t, t]: items on which two templates differ */
} pl_agreement;

/* codes[i * t + k]: category of item i under template k, in [0, n_categories). n >= 1, t >= 2. Free the result. */
pl_status pl_agreement_of(pl_agreement *out, const int *codes, size_t n, size_t t, size_t n_categories);
void pl_agreement_free(pl_agreement *agreement); /* takes {0} */

#endif
