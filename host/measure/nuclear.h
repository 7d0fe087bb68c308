/* Nuclear norms, the sums of singular values, of small square matrices in double.
 *
 * Householder's bidiagonal form of eight matrices side by side, then the implicitly shifted QR method of each (Golub &
 * Kahan 1965; Golub & Van Loan, Matrix Computations, 5.4.8 and 8.6.2; LINPACK's dsvdc). The same bits on any processor.
 */
#ifndef PLUMB_MEASURE_NUCLEAR_H
#define PLUMB_MEASURE_NUCLEAR_H

#include <stddef.h>

#include "base/tile.h"

/* norms[8] of matrices [r, r, 8], element (i, j) of matrix l at [i][j][l], which are destroyed; aligned as panels are
 * (tile.h). r >= 1, elements at most 1 or so: below 1e-154 a square is 0. NaN where a matrix is not finite. work
 * [pl__nuclear_work(r)], aligned too. */
void pl__nuclear_norms(double norms[PL__TILE], double *matrices, size_t r, double *work);
size_t pl__nuclear_work(size_t r); /* doubles */

#endif
