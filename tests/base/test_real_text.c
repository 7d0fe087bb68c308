/* A real as Python's repr() writes it: the fewest digits that read back, whatever way they are found. */
#include "tests.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/real_text.h"

static void test_known(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } known[] = {{0.0, "0.0"},
                 {-0.0, "-0.0"},
                 {1.0, "1.0"},
                 {-3.0, "-3.0"},
                 {0.1, "0.1"},
                 {100.0, "100.0"},
                 {1e15, "1000000000000000.0"},
                 {1e16, "1e+16"},
                 {1e-4, "0.0001"},
                 {1e-5, "1e-05"},
                 {1.5e300, "1.5e+300"},
                 {5e-324, "5e-324"},
                 {2.2250738585072014e-308, "2.2250738585072014e-308"},
                 {1.0 / 3.0, "0.3333333333333333"},
                 {0.1 + 0.2, "0.30000000000000004"},
                 {-12.345, "-12.345"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char text[PL_REAL_TEXT];
        pl_real_text(text, known[i].value);
        assert_string_equal(text, known[i].text);
    }
}

/* The digits of a text without point, exponent, sign and the zeros around them. */
static size_t n_digits(const char *text)
{
    char digits[PL_REAL_TEXT];
    size_t n = 0, first = 0;
    for (; *text && *text != 'e'; text++)
        if (*text >= '0' && *text <= '9') digits[n++] = *text;
    while (first < n && digits[first] == '0') first++;
    while (n > first && digits[n - 1] == '0') n--;
    return n - first;
}

/* Of every kind: few digits, floats as doubles, all bits. */
static void test_fewest(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 20000; i++) {
        uint64_t bits = (i + 1) * 0x9E3779B97F4A7C15u;
        bits ^= bits >> 29;
        double value;
        char text[PL_REAL_TEXT], slow[PL_REAL_TEXT];
        memcpy(&value, &bits, sizeof value);
        if (i % 3 == 1) value = (double)(float)((double)(bits >> 40) * 1e-5);
        if (i % 3 == 2) value = (double)(int64_t)(bits >> 30) * pow(10.0, (double)(bits % 40) - 20.0);
        if (!isfinite(value)) continue;
        pl_real_text(text, value);
        assert_true(strtod(text, NULL) == value);
        int places = 0;
        do snprintf(slow, sizeof slow, "%.*e", places, value);
        while (strtod(slow, NULL) != value && ++places < 17);
        if (n_digits(text) != n_digits(slow)) fail_msg("%a: '%s', expected the digits of '%s'", value, text, slow);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_known), cmocka_unit_test(test_fewest)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
