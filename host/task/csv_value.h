/* What a text of a CSV file is to pandas (3.1; read_csv as Hugging Face's datasets calls it, without arguments). The
 * kind of a column is the first of integer, real and truth that all its values are, else text. */
#ifndef PLUMB_TASK_CSV_VALUE_H
#define PLUMB_TASK_CSV_VALUE_H

#include <stdbool.h>
#include <stddef.h>

/* One of the texts that stand for a missing value: "", NA, N/A, null, NaN, None, ... */
bool pl__csv_missing(const char *text, size_t size);

/* Digits with a sign before them or none, and white space around: " +007" is 7. *beyond: such a number, but of more
 * than 64 bits; the others are then not set. */
bool pl__csv_integer(const char *text, size_t size, bool *negative, unsigned long long *magnitude, bool *beyond);

/* A decimal number of fewer than a thousand letters, or "inf" and "infinity" with a sign or none: the nearest float64.
 */
bool pl__csv_real(const char *text, size_t size, double *out);

/* true or false, in small or capital letters. */
bool pl__csv_truth(const char *text, size_t size, bool *out);

#endif
