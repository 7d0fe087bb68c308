/* Golden numbers in JSON, and how near a number must be to one. */
#ifndef PLUMB_TESTS_NUMBERS_H
#define PLUMB_TESTS_NUMBERS_H

#include "tests.h"

#include <math.h>

#include "base/json.h"

static inline json_t *member(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    assert_non_null(value);
    return value;
}

static inline double number(const json_t *value)
{
    assert_true(json_is_number(value));
    return json_number_value(value);
}

static inline double element(const json_t *array, size_t i)
{
    return number(json_array_get(array, i));
}

/* |a - b| <= tolerance * max(1, |b|); NaN never passes. */
static inline void assert_close(double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance * fmax(1.0, fabs(b)))) fail_msg("%.17g is not %.17g within %g", a, b, tolerance);
}

#endif
