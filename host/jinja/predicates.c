/* The tests of the template language (`x is odd`), each as jinja2 defines it (jinja2/tests.py): one table row each. */
#include <string.h>

#include "jinja/letters.h"
#include "jinja/tree.h"

#define PREDICATE(name)                                                                                                \
    static pl_status name(const pl_jinja *j, size_t at, const json_t *value, const json_t *argument, bool *out)

/* Of the value alone. */
#define KIND(name, condition)                                                                                          \
    PREDICATE(name)                                                                                                    \
    {                                                                                                                  \
        const bool undefined = pl__jinja_is_mark(j, value, PL__J_UNDEFINED);                                           \
        const bool function = pl__jinja_is_mark(j, value, PL__J_FUNCTION);                                             \
        (void)at, (void)argument, (void)undefined, (void)function;                                                     \
        *out = (condition);                                                                                            \
        return PL_OK;                                                                                                  \
    }

KIND(is_none, json_is_null(value))
KIND(is_string, json_is_string(value) && !undefined && !function)
KIND(is_number, json_is_number(value) || json_is_boolean(value))
KIND(is_integer, json_is_integer(value))
KIND(is_float, json_is_real(value))
KIND(is_boolean, json_is_boolean(value))
KIND(is_true, json_is_true(value))
KIND(is_false, json_is_false(value))
KIND(is_mapping, json_is_object(value))
KIND(is_sequence, !function && (json_is_string(value) || json_is_object(value) || pl__jinja_is_sequence(j, value)))
KIND(is_iterable, (json_is_string(value) && !function) || json_is_object(value) ||
                      (json_is_array(value) && !pl__jinja_is_marked(j, value, PL__J_MARK_NAMESPACE)))

KIND(is_callable, function)

/* value % by */
static pl_status rest_of(const pl_jinja *j, size_t at, const json_t *value, const json_t *by, double *rest)
{
    json_t *found = NULL;
    if (!pl__jinja_number(value, rest) || !pl__jinja_number(by, rest))
        return pl_jinja_fail(j, at, "expected a number, found %s", pl__jinja_kind_name(j, value));
    PL_TRY(pl__jinja_reckon(j, at, PL__J_REMAINDER, value, by, &found));
    pl__jinja_number(found, rest);
    json_decref(found);
    return PL_OK;
}

PREDICATE(is_divisible)
{
    double rest = 1;
    pl_status status = rest_of(j, at, value, argument, &rest);
    *out = rest == 0;
    return status;
}

static pl_status parity(const pl_jinja *j, size_t at, const json_t *value, double wanted, bool *out)
{
    double rest = -1;
    json_t *two = json_integer(2);
    pl_status status = two ? rest_of(j, at, value, two, &rest) : pl__jinja_made(&two, NULL);
    json_decref(two);
    *out = rest == wanted;
    return status;
}

PREDICATE(is_odd)
{
    (void)argument;
    return parity(j, at, value, 1, out);
}

PREDICATE(is_even)
{
    (void)argument;
    return parity(j, at, value, 0, out);
}

#define COMPARISON(name, op)                                                                                           \
    PREDICATE(name)                                                                                                    \
    {                                                                                                                  \
        return pl__jinja_compare(j, at, op, value, argument, out);                                                     \
    }

COMPARISON(equals, PL__J_EQ)
COMPARISON(differs, PL__J_NE)
COMPARISON(is_less, PL__J_LT)
COMPARISON(is_at_most, PL__J_LE)
COMPARISON(is_greater, PL__J_GT)
COMPARISON(is_at_least, PL__J_GE)
COMPARISON(is_in, PL__J_IN)

/* apply NULL: whether there is a value at all, which eval.c sees. */
static const pl__jinja_test TESTS[] = {
    {"defined", 0, NULL},
    {"undefined", 0, NULL},
    {"none", 0, is_none},
    {"string", 0, is_string},
    {"number", 0, is_number},
    {"integer", 0, is_integer},
    {"float", 0, is_float},
    {"boolean", 0, is_boolean},
    {"true", 0, is_true},
    {"false", 0, is_false},
    {"mapping", 0, is_mapping},
    {"sequence", 0, is_sequence},
    {"iterable", 0, is_iterable},
    {"callable", 0, is_callable},
    {"odd", 0, is_odd},
    {"even", 0, is_even},
    {"divisibleby", 1, is_divisible},
    {"eq", 1, equals},
    {"equalto", 1, equals},
    {"==", 1, equals},
    {"ne", 1, differs},
    {"!=", 1, differs},
    {"lt", 1, is_less},
    {"lessthan", 1, is_less},
    {"<", 1, is_less},
    {"le", 1, is_at_most},
    {"<=", 1, is_at_most},
    {"gt", 1, is_greater},
    {"greaterthan", 1, is_greater},
    {">", 1, is_greater},
    {"ge", 1, is_at_least},
    {">=", 1, is_at_least},
    {"in", 1, is_in},
};

const pl__jinja_test *pl__jinja_test_find(const char *name, size_t size)
{
    for (size_t i = 0; i < sizeof TESTS / sizeof *TESTS; i++)
        if (strlen(TESTS[i].name) == size && memcmp(TESTS[i].name, name, size) == 0) return &TESTS[i];
    return NULL;
}

const char *pl__jinja_test_names(void)
{
    return "defined, undefined, none, string, number, integer, float, boolean, true, false, mapping, sequence, "
           "iterable, callable, odd, even, divisibleby, eq, equalto, ne, lt, lessthan, le, gt, greaterthan, ge, in";
}
