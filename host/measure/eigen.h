/* Eigenvectors of a symmetric matrix that belong to its largest eigenvalues.
 *
 * Householder's tridiagonal form, its eigenvalues by the implicit QL method, and of those that are wanted the vectors
 * by inverse iteration with orthogonalisation (Golub & Van Loan, Matrix Computations, 8.3; LAPACK's dsyevx). The same
 * bits for any number of threads and any vector width. */
#ifndef PLUMB_MEASURE_EIGEN_H
#define PLUMB_MEASURE_EIGEN_H

#include <stddef.h>

#include "base/status.h"

/* values[k] descending, vectors[k, n] orthonormal rows of either sign; k <= n. `a` [n, n] is destroyed.
 * PL_E_NOT_FINITE when a is not finite. */
pl_status pl__largest_eigen(double *values, double *vectors, size_t k, double *a, size_t n);

#endif
