#include "task/csv_value.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool pl__csv_missing(const char *text, size_t size)
{
    static const char *const missing[] = {"",     "#N/A",   "#N/A N/A", "#NA",  "-1.#IND", "-1.#QNAN", "-NaN",
                                          "-nan", "1.#IND", "1.#QNAN",  "<NA>", "N/A",     "NA",       "NULL",
                                          "NaN",  "None",   "n/a",      "nan",  "null"};
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++)
        if (strlen(missing[i]) == size && memcmp(missing[i], text, size) == 0) return true;
    return false;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The text without white space around it. */
static void trim(const char **text, size_t *size)
{
    while (*size > 0 && is_space(**text)) ++*text, --*size;
    while (*size > 0 && is_space((*text)[*size - 1])) --*size;
}

/* Takes a sign. */
static bool take_minus(const char **text, size_t *size)
{
    if (*size == 0 || (**text != '-' && **text != '+')) return false;
    bool minus = **text == '-';
    ++*text, --*size;
    return minus;
}

bool pl__csv_integer(const char *text, size_t size, bool *negative, unsigned long long *magnitude, bool *beyond)
{
    unsigned long long value = 0;
    trim(&text, &size);
    *negative = take_minus(&text, &size);
    *beyond = false;
    if (size == 0) return false;
    for (size_t i = 0; i < size; i++) {
        if (!is_digit(text[i])) return false;
        unsigned digit = (unsigned)(text[i] - '0');
        *beyond = *beyond || value > (UINT64_MAX - digit) / 10;
        value = value * 10 + digit;
    }
    *beyond = *beyond || (*negative && value > 1ull + INT64_MAX);
    *magnitude = value;
    return true;
}

static size_t n_digits(const char *text, size_t size)
{
    size_t n = 0;
    while (n < size && is_digit(text[n])) n++;
    return n;
}

/* Digits with a point among them or none, and an exponent or none; no sign. */
static bool is_decimal(const char *text, size_t size)
{
    size_t at = n_digits(text, size), digits = at;
    if (at < size && text[at] == '.') {
        size_t behind = n_digits(text + at + 1, size - at - 1);
        at += 1 + behind;
        digits += behind;
    }
    if (digits > 0 && at < size && (text[at] == 'e' || text[at] == 'E')) {
        at++;
        at += at < size && (text[at] == '-' || text[at] == '+');
        size_t exponent = n_digits(text + at, size - at);
        at += exponent;
        if (exponent == 0) return false;
    }
    return digits > 0 && at == size;
}

static bool is_infinite(const char *text, size_t size)
{
    return (size == 3 && strncasecmp(text, "inf", 3) == 0) || (size == 8 && strncasecmp(text, "infinity", 8) == 0);
}

bool pl__csv_real(const char *text, size_t size, double *out)
{
    char copy[1000];
    trim(&text, &size);
    bool minus = take_minus(&text, &size);
    if (size >= sizeof copy || !(is_infinite(text, size) || is_decimal(text, size))) return false;
    memcpy(copy, text, size);
    copy[size] = 0;
    *out = strtod(copy, NULL);
    if (minus) *out = -*out;
    return true;
}

bool pl__csv_truth(const char *text, size_t size, bool *out)
{
    *out = size == 4;
    return (size == 4 && strncasecmp(text, "true", 4) == 0) || (size == 5 && strncasecmp(text, "false", 5) == 0);
}
