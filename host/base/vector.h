/* Products of vectors in double, in an order that no thread count, vector width or processor changes. */
#ifndef PLUMB_BASE_VECTOR_H
#define PLUMB_BASE_VECTOR_H

#include <stddef.h>

/* a . b */
double pl__dot(const double *a, const double *b, size_t n);
/* out[i, k] = z_i . v_k: z [n, width], v [rows, width] */
void pl__dots(double *out, const double *z, size_t n, const double *v, size_t rows, size_t width);
/* out_k += factor sum_i values[i, k] z_i, i in order: out [rows, width], values [n, rows], z [n, width] */
void pl__add_rows(double *out, double factor, const double *values, size_t rows, const double *z, size_t n,
                  size_t width);

#endif
