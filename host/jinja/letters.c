#include "jinja/letters.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/utf8.h"

int32_t pl_letter(const char *text, size_t *width)
{
    uint32_t letter;
    *width = pl_utf8_get(&letter, text);
    return (int32_t)letter;
}

pl_status pl_letter_append(pl_bytes *out, int32_t letter)
{
    char bytes[4];
    return pl_bytes_append(out, bytes, pl_utf8_put(bytes, (uint32_t)letter));
}

static bool begins_letter(char byte)
{
    return ((unsigned char)byte & 0xC0) != 0x80;
}

const char *pl_find(const char *text, size_t size, const char *what, size_t n)
{
    return n == 1 ? memchr(text, *what, size) : memmem(text, size, what, n);
}

size_t pl_letters_offset(const char *text, size_t size, size_t n)
{
    for (size_t i = 0; i < size; i++)
        if (begins_letter(text[i]) && n-- == 0) return i;
    return size;
}

bool pl_is_space(int32_t letter)
{
    return pl_utf8_is_space((uint32_t)letter);
}

const char *pl_strip(const char *text, size_t *size, bool left, bool right)
{
    size_t n = *size, width;
    while (left && n > 0 && pl_is_space(pl_letter(text, &width))) {
        text += width;
        n -= width;
    }
    *size = right ? pl_utf8_rstrip(text, n) : n;
    return text;
}

/* ---- case ---- */

/* Letters whose upper or title case is several letters (SpecialCasing.txt, the unconditional rows; lower case has only
 * U+0130). utf8proc knows the one-letter mappings. Sorted. */
static const struct special {
    int32_t letter, upper[3], title[3];
} SPECIAL[] = {
    /* clang-format off */
    {0x00df, {0x0053, 0x0053, 0}, {0x0053, 0x0073, 0}}, {0x0149, {0x02bc, 0x004e, 0}, {0x02bc, 0x004e, 0}},
    {0x01f0, {0x004a, 0x030c, 0}, {0x004a, 0x030c, 0}}, {0x0390, {0x0399, 0x0308, 0x0301}, {0x0399, 0x0308, 0x0301}},
    {0x03b0, {0x03a5, 0x0308, 0x0301}, {0x03a5, 0x0308, 0x0301}}, {0x0587, {0x0535, 0x0552, 0}, {0x0535, 0x0582, 0}},
    {0x1e96, {0x0048, 0x0331, 0}, {0x0048, 0x0331, 0}}, {0x1e97, {0x0054, 0x0308, 0}, {0x0054, 0x0308, 0}},
    {0x1e98, {0x0057, 0x030a, 0}, {0x0057, 0x030a, 0}}, {0x1e99, {0x0059, 0x030a, 0}, {0x0059, 0x030a, 0}},
    {0x1e9a, {0x0041, 0x02be, 0}, {0x0041, 0x02be, 0}}, {0x1f50, {0x03a5, 0x0313, 0}, {0x03a5, 0x0313, 0}},
    {0x1f52, {0x03a5, 0x0313, 0x0300}, {0x03a5, 0x0313, 0x0300}},
    {0x1f54, {0x03a5, 0x0313, 0x0301}, {0x03a5, 0x0313, 0x0301}},
    {0x1f56, {0x03a5, 0x0313, 0x0342}, {0x03a5, 0x0313, 0x0342}}, {0x1f80, {0x1f08, 0x0399, 0}, {0x1f88, 0, 0}},
    {0x1f81, {0x1f09, 0x0399, 0}, {0x1f89, 0, 0}}, {0x1f82, {0x1f0a, 0x0399, 0}, {0x1f8a, 0, 0}},
    {0x1f83, {0x1f0b, 0x0399, 0}, {0x1f8b, 0, 0}}, {0x1f84, {0x1f0c, 0x0399, 0}, {0x1f8c, 0, 0}},
    {0x1f85, {0x1f0d, 0x0399, 0}, {0x1f8d, 0, 0}}, {0x1f86, {0x1f0e, 0x0399, 0}, {0x1f8e, 0, 0}},
    {0x1f87, {0x1f0f, 0x0399, 0}, {0x1f8f, 0, 0}}, {0x1f88, {0x1f08, 0x0399, 0}, {0x1f88, 0, 0}},
    {0x1f89, {0x1f09, 0x0399, 0}, {0x1f89, 0, 0}}, {0x1f8a, {0x1f0a, 0x0399, 0}, {0x1f8a, 0, 0}},
    {0x1f8b, {0x1f0b, 0x0399, 0}, {0x1f8b, 0, 0}}, {0x1f8c, {0x1f0c, 0x0399, 0}, {0x1f8c, 0, 0}},
    {0x1f8d, {0x1f0d, 0x0399, 0}, {0x1f8d, 0, 0}}, {0x1f8e, {0x1f0e, 0x0399, 0}, {0x1f8e, 0, 0}},
    {0x1f8f, {0x1f0f, 0x0399, 0}, {0x1f8f, 0, 0}}, {0x1f90, {0x1f28, 0x0399, 0}, {0x1f98, 0, 0}},
    {0x1f91, {0x1f29, 0x0399, 0}, {0x1f99, 0, 0}}, {0x1f92, {0x1f2a, 0x0399, 0}, {0x1f9a, 0, 0}},
    {0x1f93, {0x1f2b, 0x0399, 0}, {0x1f9b, 0, 0}}, {0x1f94, {0x1f2c, 0x0399, 0}, {0x1f9c, 0, 0}},
    {0x1f95, {0x1f2d, 0x0399, 0}, {0x1f9d, 0, 0}}, {0x1f96, {0x1f2e, 0x0399, 0}, {0x1f9e, 0, 0}},
    {0x1f97, {0x1f2f, 0x0399, 0}, {0x1f9f, 0, 0}}, {0x1f98, {0x1f28, 0x0399, 0}, {0x1f98, 0, 0}},
    {0x1f99, {0x1f29, 0x0399, 0}, {0x1f99, 0, 0}}, {0x1f9a, {0x1f2a, 0x0399, 0}, {0x1f9a, 0, 0}},
    {0x1f9b, {0x1f2b, 0x0399, 0}, {0x1f9b, 0, 0}}, {0x1f9c, {0x1f2c, 0x0399, 0}, {0x1f9c, 0, 0}},
    {0x1f9d, {0x1f2d, 0x0399, 0}, {0x1f9d, 0, 0}}, {0x1f9e, {0x1f2e, 0x0399, 0}, {0x1f9e, 0, 0}},
    {0x1f9f, {0x1f2f, 0x0399, 0}, {0x1f9f, 0, 0}}, {0x1fa0, {0x1f68, 0x0399, 0}, {0x1fa8, 0, 0}},
    {0x1fa1, {0x1f69, 0x0399, 0}, {0x1fa9, 0, 0}}, {0x1fa2, {0x1f6a, 0x0399, 0}, {0x1faa, 0, 0}},
    {0x1fa3, {0x1f6b, 0x0399, 0}, {0x1fab, 0, 0}}, {0x1fa4, {0x1f6c, 0x0399, 0}, {0x1fac, 0, 0}},
    {0x1fa5, {0x1f6d, 0x0399, 0}, {0x1fad, 0, 0}}, {0x1fa6, {0x1f6e, 0x0399, 0}, {0x1fae, 0, 0}},
    {0x1fa7, {0x1f6f, 0x0399, 0}, {0x1faf, 0, 0}}, {0x1fa8, {0x1f68, 0x0399, 0}, {0x1fa8, 0, 0}},
    {0x1fa9, {0x1f69, 0x0399, 0}, {0x1fa9, 0, 0}}, {0x1faa, {0x1f6a, 0x0399, 0}, {0x1faa, 0, 0}},
    {0x1fab, {0x1f6b, 0x0399, 0}, {0x1fab, 0, 0}}, {0x1fac, {0x1f6c, 0x0399, 0}, {0x1fac, 0, 0}},
    {0x1fad, {0x1f6d, 0x0399, 0}, {0x1fad, 0, 0}}, {0x1fae, {0x1f6e, 0x0399, 0}, {0x1fae, 0, 0}},
    {0x1faf, {0x1f6f, 0x0399, 0}, {0x1faf, 0, 0}}, {0x1fb2, {0x1fba, 0x0399, 0}, {0x1fba, 0x0345, 0}},
    {0x1fb3, {0x0391, 0x0399, 0}, {0x1fbc, 0, 0}}, {0x1fb4, {0x0386, 0x0399, 0}, {0x0386, 0x0345, 0}},
    {0x1fb6, {0x0391, 0x0342, 0}, {0x0391, 0x0342, 0}}, {0x1fb7, {0x0391, 0x0342, 0x0399}, {0x0391, 0x0342, 0x0345}},
    {0x1fbc, {0x0391, 0x0399, 0}, {0x1fbc, 0, 0}}, {0x1fc2, {0x1fca, 0x0399, 0}, {0x1fca, 0x0345, 0}},
    {0x1fc3, {0x0397, 0x0399, 0}, {0x1fcc, 0, 0}}, {0x1fc4, {0x0389, 0x0399, 0}, {0x0389, 0x0345, 0}},
    {0x1fc6, {0x0397, 0x0342, 0}, {0x0397, 0x0342, 0}}, {0x1fc7, {0x0397, 0x0342, 0x0399}, {0x0397, 0x0342, 0x0345}},
    {0x1fcc, {0x0397, 0x0399, 0}, {0x1fcc, 0, 0}}, {0x1fd2, {0x0399, 0x0308, 0x0300}, {0x0399, 0x0308, 0x0300}},
    {0x1fd3, {0x0399, 0x0308, 0x0301}, {0x0399, 0x0308, 0x0301}}, {0x1fd6, {0x0399, 0x0342, 0}, {0x0399, 0x0342, 0}},
    {0x1fd7, {0x0399, 0x0308, 0x0342}, {0x0399, 0x0308, 0x0342}},
    {0x1fe2, {0x03a5, 0x0308, 0x0300}, {0x03a5, 0x0308, 0x0300}},
    {0x1fe3, {0x03a5, 0x0308, 0x0301}, {0x03a5, 0x0308, 0x0301}}, {0x1fe4, {0x03a1, 0x0313, 0}, {0x03a1, 0x0313, 0}},
    {0x1fe6, {0x03a5, 0x0342, 0}, {0x03a5, 0x0342, 0}}, {0x1fe7, {0x03a5, 0x0308, 0x0342}, {0x03a5, 0x0308, 0x0342}},
    {0x1ff2, {0x1ffa, 0x0399, 0}, {0x1ffa, 0x0345, 0}}, {0x1ff3, {0x03a9, 0x0399, 0}, {0x1ffc, 0, 0}},
    {0x1ff4, {0x038f, 0x0399, 0}, {0x038f, 0x0345, 0}}, {0x1ff6, {0x03a9, 0x0342, 0}, {0x03a9, 0x0342, 0}},
    {0x1ff7, {0x03a9, 0x0342, 0x0399}, {0x03a9, 0x0342, 0x0345}}, {0x1ffc, {0x03a9, 0x0399, 0}, {0x1ffc, 0, 0}},
    {0xfb00, {0x0046, 0x0046, 0}, {0x0046, 0x0066, 0}}, {0xfb01, {0x0046, 0x0049, 0}, {0x0046, 0x0069, 0}},
    {0xfb02, {0x0046, 0x004c, 0}, {0x0046, 0x006c, 0}}, {0xfb03, {0x0046, 0x0046, 0x0049}, {0x0046, 0x0066, 0x0069}},
    {0xfb04, {0x0046, 0x0046, 0x004c}, {0x0046, 0x0066, 0x006c}}, {0xfb05, {0x0053, 0x0054, 0}, {0x0053, 0x0074, 0}},
    {0xfb06, {0x0053, 0x0054, 0}, {0x0053, 0x0074, 0}}, {0xfb13, {0x0544, 0x0546, 0}, {0x0544, 0x0576, 0}},
    {0xfb14, {0x0544, 0x0535, 0}, {0x0544, 0x0565, 0}}, {0xfb15, {0x0544, 0x053b, 0}, {0x0544, 0x056b, 0}},
    {0xfb16, {0x054e, 0x0546, 0}, {0x054e, 0x0576, 0}}, {0xfb17, {0x0544, 0x053d, 0}, {0x0544, 0x056d, 0}},
    /* clang-format on */
};

static int by_letter(const void *key, const void *row)
{
    int32_t a = *(const int32_t *)key, b = ((const struct special *)row)->letter;
    return (a > b) - (a < b);
}

static pl_status append_mapped(pl_bytes *out, int32_t letter, bool title)
{
    const struct special *row = bsearch(&letter, SPECIAL, sizeof SPECIAL / sizeof *SPECIAL, sizeof *SPECIAL, by_letter);
    if (!row) return pl_letter_append(out, title ? utf8proc_totitle(letter) : utf8proc_toupper(letter));
    const int32_t *to = title ? row->title : row->upper;
    for (int i = 0; i < 3 && to[i]; i++) PL_TRY(pl_letter_append(out, to[i]));
    return PL_OK;
}

pl_status pl_upper(pl_bytes *out, const char *text, size_t size)
{
    for (size_t i = 0, width; i < size; i += width) PL_TRY(append_mapped(out, pl_letter(text + i, &width), false));
    return PL_OK;
}

/* Unicode's Case_Ignorable: marks, format characters, modifiers and the punctuation found inside words. */
static bool is_case_ignorable(int32_t c)
{
    static const int32_t inside_words[] = {0x27,   0x2E,   0x3A,   0xB7,   0x387,  0x55F,  0x5F4,  0x2018, 0x2019,
                                           0x2024, 0x2027, 0xFE13, 0xFE52, 0xFE55, 0xFF07, 0xFF0E, 0xFF1A};
    for (size_t i = 0; i < sizeof inside_words / sizeof *inside_words; i++)
        if (c == inside_words[i]) return true;
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
        return true;
    default:
        return false;
    }
}

static bool is_cased(int32_t c)
{
    utf8proc_category_t category = utf8proc_category(c);
    return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL || category == UTF8PROC_CATEGORY_LT ||
           utf8proc_isupper(c) || utf8proc_islower(c);
}

/* A capital sigma ends a word when a cased letter stands before it and none behind it, ignorable ones not counted. */
static bool is_final_sigma(const char *text, size_t size, size_t at)
{
    size_t width, i = at;
    bool before = false;
    while (i > 0 && !before) {
        i = pl_utf8_before(text, i);
        int32_t c = pl_letter(text + i, &width);
        if (is_case_ignorable(c)) continue;
        if (!is_cased(c)) return false;
        before = true;
    }
    if (!before) return false;
    for (i = at + 2; i < size; i += width) {
        int32_t c = pl_letter(text + i, &width);
        if (!is_case_ignorable(c)) return !is_cased(c);
    }
    return true;
}

/* Lower-cases the letter at byte `at`, which is c; the whole text is the context of a sigma. */
static pl_status append_lower(pl_bytes *out, const char *text, size_t size, size_t at, int32_t c)
{
    enum { CAPITAL_SIGMA = 0x3A3, SIGMA = 0x3C3, FINAL_SIGMA = 0x3C2, CAPITAL_I_DOT = 0x130, DOT_ABOVE = 0x307 };
    if (c == CAPITAL_SIGMA) return pl_letter_append(out, is_final_sigma(text, size, at) ? FINAL_SIGMA : SIGMA);
    if (c != CAPITAL_I_DOT) return pl_letter_append(out, utf8proc_tolower(c));
    PL_TRY(pl_letter_append(out, 'i'));
    return pl_letter_append(out, DOT_ABOVE);
}

static pl_status lower_from(pl_bytes *out, const char *text, size_t size, size_t from)
{
    for (size_t i = from, width; i < size; i += width) {
        int32_t c = pl_letter(text + i, &width);
        PL_TRY(append_lower(out, text, size, i, c));
    }
    return PL_OK;
}

pl_status pl_lower(pl_bytes *out, const char *text, size_t size)
{
    return lower_from(out, text, size, 0);
}

pl_status pl_capitalize(pl_bytes *out, const char *text, size_t size)
{
    if (size == 0) return PL_OK;
    size_t width;
    PL_TRY(append_mapped(out, pl_letter(text, &width), true));
    return lower_from(out, text, size, width);
}

pl_status pl_title(pl_bytes *out, const char *text, size_t size)
{
    bool inside = false;
    for (size_t i = 0, width; i < size; i += width) {
        int32_t c = pl_letter(text + i, &width);
        PL_TRY(inside ? append_lower(out, text, size, i, c) : append_mapped(out, c, true));
        inside = is_cased(c);
    }
    return PL_OK;
}

bool pl_is_alpha(int32_t c)
{
    utf8proc_category_t k = utf8proc_category(c);
    return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO;
}

bool pl_is_word(int32_t c)
{
    utf8proc_category_t k = utf8proc_category(c);
    return pl_is_alpha(c) || c == '_' || (k >= UTF8PROC_CATEGORY_ND && k <= UTF8PROC_CATEGORY_NO);
}
