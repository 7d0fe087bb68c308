/* The sums over Gram matrices that debiased CKA and its jackknife are made of (cka.c). */
#ifndef PLUMB_MEASURE_CKA_SUMS_H
#define PLUMB_MEASURE_CKA_SUMS_H

#include <stddef.h>

#include "measure/cka.h"

/* Conditions stand in lanes: condition c in lane c % 8 of lane block c / 8. */
typedef struct pl__cka_sums {
    size_t n, t, lanes; /* items, conditions, blocks of 8 of them */
    double *row;        /* [lanes, n, 8]: r_i = sum_j K_ij of each condition */
    double *product;    /* [n, lanes, lanes, 8, 8]: q_i = sum_j K_ij L_ij, of lane blocks p <= q */
    double *row_sum;    /* [n, lanes, lanes, 8, 8]: (K r_L)_i */
} pl__cka_sums;

/* No Gram matrix is kept: blocks of all conditions' are made on the device `on` (op `pairwise`; NULL: the CPU), read
 * and forgotten, so that memory is 2 n (8 lanes)^2 doubles, n t of row sums, and a part that does not grow with n. The
 * same bits for any number of threads and any device. Free the sums. */
pl_status pl__cka_sums_of(pl__cka_sums *out, const pl_states *states, size_t n, size_t t, size_t width,
                          const pl_processor *on);
void pl__cka_sums_free(pl__cka_sums *sums); /* takes {0} */

double pl__cka_row(const pl__cka_sums *sums, size_t c, size_t i);
double pl__cka_product(const pl__cka_sums *sums, size_t a, size_t b, size_t i); /* a <= b */
double pl__cka_row_sum(const pl__cka_sums *sums, size_t a, size_t b, size_t i);

#endif
