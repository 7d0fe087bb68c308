/* utf8proc holds the tables, decomposes one character and composes; the reordering of marks is ours, because utf8proc's
 * is quadratic in the length of a run of marks. */
#include "tokenizer/unicode_form.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <utf8proc.h>

#include "tokenizer/unicode.h"

/* No character below is changed, alone or beside another, by the form. */
static uint32_t first_that_may_change(pl__form form)
{
    return form == PL__NFC ? 0x300 : form == PL__NFKC ? 0xA0 : form == PL__NFKD ? 0xA0 : 0xC0;
}

static size_t unchanged(const char *text, size_t size, uint32_t limit)
{
    uint32_t c;
    for (size_t at = 0, n; at < size; at += n) {
        n = pl_utf8_get(&c, text + at);
        if (c >= limit) return at;
    }
    return size;
}

struct letters {
    int32_t *items;
    size_t n, capacity;
};

static pl_status decompose(struct letters *out, const char *text, size_t size, bool compatible)
{
    int option = UTF8PROC_DECOMPOSE | (compatible ? UTF8PROC_COMPAT : 0);
    uint32_t c;
    for (size_t at = 0; at < size;) {
        at += pl_utf8_get(&c, text + at);
        int boundary = 0;
        /* The longest decomposition has 18 characters. */
        PL_TRY(pl_grow(&out->items, &out->capacity, out->n + 32));
        utf8proc_ssize_t n =
            utf8proc_decompose_char((utf8proc_int32_t)c, out->items + out->n, 32, (utf8proc_option_t)option, &boundary);
        if (n < 0 || n > 32) return pl_fail(PL_E_INTERNAL, "U+%04X does not decompose: %s", c, utf8proc_errmsg(n));
        out->n += (size_t)n;
    }
    return PL_OK;
}

static unsigned rank(int32_t c)
{
    return c < 0x300 ? 0 : (unsigned)utf8proc_get_property(c)->combining_class;
}

/* Stable sort of one run of marks by combining class: insertion for the usual two or three, counting for more. */
static pl_status order_run(int32_t *marks, size_t n)
{
    enum { FEW = 32 };
    if (n <= FEW) {
        for (size_t i = 1; i < n; i++)
            for (size_t j = i; j > 0 && rank(marks[j - 1]) > rank(marks[j]); j--) {
                int32_t swap = marks[j];
                marks[j] = marks[j - 1];
                marks[j - 1] = swap;
            }
        return PL_OK;
    }
    size_t starts[257] = {0};
    int32_t *sorted;
    PL_TRY(pl_new(&sorted, n));
    for (size_t i = 0; i < n; i++) starts[rank(marks[i]) + 1]++;
    for (size_t i = 1; i < 257; i++) starts[i] += starts[i - 1];
    for (size_t i = 0; i < n; i++) sorted[starts[rank(marks[i])]++] = marks[i];
    for (size_t i = 0; i < n; i++) marks[i] = sorted[i];
    free(sorted);
    return PL_OK;
}

static pl_status order(struct letters *letters)
{
    for (size_t at = 0; at < letters->n;) {
        size_t end = at;
        while (end < letters->n && rank(letters->items[end]) > 0) end++;
        PL_TRY(order_run(letters->items + at, end - at));
        at = end + (end == at);
    }
    return PL_OK;
}

static pl_status compose(struct letters *letters)
{
    utf8proc_ssize_t n = utf8proc_normalize_utf32(letters->items, (utf8proc_ssize_t)letters->n,
                                                  (utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
    if (n < 0)
        return pl_fail(n == UTF8PROC_ERROR_NOMEM ? PL_E_MEMORY : PL_E_INTERNAL, "a text does not compose: %s",
                       utf8proc_errmsg(n));
    letters->n = (size_t)n;
    return PL_OK;
}

pl_status pl__unicode_form(pl_bytes *out, const char *text, size_t size, pl__form form)
{
    size_t same = unchanged(text, size, first_that_may_change(form));
    if (same == size) return pl_bytes_append(out, text, size);
    /* A mark changes the character before it: that one goes through the slow path too. */
    if (same > 0) same = pl_utf8_before(text, same);
    struct letters letters = {0};
    pl_status status;
    PL_GOTO(status, done, pl_bytes_append(out, text, same));
    PL_GOTO(status, done, decompose(&letters, text + same, size - same, form == PL__NFKC || form == PL__NFKD));
    PL_GOTO(status, done, order(&letters));
    if (form == PL__NFC || form == PL__NFKC) PL_GOTO(status, done, compose(&letters));
    for (size_t i = 0; i < letters.n; i++) {
        char bytes[4];
        PL_GOTO(status, done, pl_bytes_append(out, bytes, pl_utf8_put(bytes, (uint32_t)letters.items[i])));
    }
done:
    free(letters.items);
    return status;
}
