#include "figure/markup.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "base/visible.h"

static const char *reference(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

/* The first character of the text, size > 0; the bytes that it takes come back. */
static pl_status put_character(pl_bytes *out, const char *text, size_t size, size_t *taken)
{
    char form[PL_VISIBLE];
    const char *as = reference(*text);
    *taken = as ? 1 : pl_visible(form, text, size);
    return pl_bytes_text(out, as ? as : form);
}

pl_status pl_markup_bytes(pl_bytes *out, const char *text, size_t size)
{
    for (size_t n; size; text += n, size -= n) {
        for (n = 0; n < size && text[n] >= ' ' && text[n] <= '~' && !reference(text[n]); n++) continue;
        if (n)
            PL_TRY(pl_bytes_append(out, text, n));
        else
            PL_TRY(put_character(out, text, size, &n));
    }
    return PL_OK;
}

pl_status pl_markup_text(pl_bytes *out, const char *text)
{
    return pl_markup_bytes(out, text, strlen(text));
}

/* ---- width ---- */

/* Of a character in a font of 12 pixels without serifs, one of the wider ones: classes are enough for a margin. */
static double character_width(uint32_t c)
{
    if (c >= 0x1100) return 12.5; /* letters of East Asia, symbols */
    if (c > 0x7E) return 8;
    if (strchr("ijl.,:;|!'`", (int)c)) return 3.7;
    if (strchr("frtI()[]{} -", (int)c)) return 4.9;
    if (strchr("mwMW%@", (int)c)) return 11.3;
    return c >= 'A' && c <= 'Z' ? 8.6 : 7.4;
}

/* The width of the first character as it is shown, and its bytes. */
static double first_width(const char *text, size_t size, size_t *bytes)
{
    char form[PL_VISIBLE];
    uint32_t c;
    double width = 0;
    *bytes = pl_visible(form, text, size);
    for (const char *f = form; *f; f += pl_utf8_get(&c, f)) {
        pl_utf8_get(&c, f);
        width += character_width(c);
    }
    return width;
}

double pl_markup_width(const char *text)
{
    double width = 0;
    for (size_t left = strlen(text), n; left; text += n, left -= n) width += first_width(text, left, &n);
    return width;
}

pl_status pl_markup_cut(pl_bytes *out, const char *text, double width)
{
    double used = 12;
    if (pl_markup_width(text) <= width) return pl_markup_text(out, text);
    for (size_t left = strlen(text), n; left; text += n, left -= n) {
        used += first_width(text, left, &n);
        if (used > width) break;
        PL_TRY(put_character(out, text, left, &n));
    }
    return pl_bytes_text(out, "\xE2\x80\xA6");
}

/* ---- numbers ---- */

void pl_markup_number(char out[PL_MARKUP_NUMBER], double value)
{
    double size = fabs(value);
    if (!isfinite(value))
        snprintf(out, PL_MARKUP_NUMBER, "%s", isnan(value) ? "" : value > 0 ? "infinite" : "-infinite");
    else if (size >= 1e6 || (size > 0 && size < 5e-4))
        snprintf(out, PL_MARKUP_NUMBER, "%.2g", value);
    else
        snprintf(out, PL_MARKUP_NUMBER, "%.*f", size >= 1000 ? 0 : size >= 100 ? 1 : 3, value + 0.0);
}

void pl_markup_interval(char out[PL_MARKUP_INTERVAL], double value, double lo, double hi)
{
    char v[PL_MARKUP_NUMBER], l[PL_MARKUP_NUMBER], h[PL_MARKUP_NUMBER];
    pl_markup_number(v, value);
    pl_markup_number(l, lo);
    pl_markup_number(h, hi);
    if (isnan(value))
        snprintf(out, PL_MARKUP_INTERVAL, "not defined");
    else if (isnan(lo) || isnan(hi))
        snprintf(out, PL_MARKUP_INTERVAL, "%s", v);
    else
        snprintf(out, PL_MARKUP_INTERVAL, "%s [%s, %s]", v, l, h);
}
