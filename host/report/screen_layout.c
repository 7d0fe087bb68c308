#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "report/report.h"
#include "report/screen.h"

enum { GAP = 2, INDENT = 2, ARM_LEAST = 12, WARNINGS = 6 };

/* The last to be left out where the terminal is narrow, first. */
static const pl__screen_column leave_out[] = {PL__SCREEN_ONE_ANSWER, PL__SCREEN_FLIPS, PL__SCREEN_WORDINGS,
                                              PL__SCREEN_DIFFERENCE};

typedef struct line {
    char kind;
    const char *cells[PL__SCREEN_COLUMNS]; /* "" beyond those that it has */
} line;

typedef struct layout {
    FILE *out;
    size_t width;
    bool colour;
    line *lines; /* [n]: of one screen */
    size_t n;
    size_t columns[PL__SCREEN_COLUMNS]; /* widths; 0: left out */
} layout;

/* Characters of UTF-8. */
static size_t length_of(const char *text)
{
    size_t n = 0;
    for (; *text; text++) n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

static bool is_row(const line *l)
{
    return l->kind == 'K' || l->kind == 'R';
}

/* ---- text ---- */

/* Bytes of the text's next line of at most `width` characters, broken at a blank where there is one. */
static size_t broken_at(const char *text, size_t width)
{
    size_t blank = 0, seen = 0, i = 0;
    for (; text[i]; i++) {
        if (((unsigned char)text[i] & 0xC0) != 0x80 && seen++ == width) break;
        if (text[i] == ' ') blank = i;
    }
    return !text[i] || blank == 0 ? i : blank;
}

/* Prints the text broken into lines, or (print false) only counts them. */
static size_t put_broken(const layout *l, const char *text, size_t indent, bool print)
{
    size_t n = 0;
    do {
        size_t bytes = broken_at(text, l->width - indent);
        if (print) fprintf(l->out, "%*s%.*s\n", (int)indent, "", (int)bytes, text);
        for (text += bytes; *text == ' '; text++) continue;
        if (n++ == 0) indent += INDENT;
    } while (*text);
    return n;
}

static void put_coloured(const layout *l, const char *code, const line *at, size_t indent)
{
    if (l->colour) fprintf(l->out, "\x1b[%sm", code);
    put_broken(l, at->cells[0], indent, true);
    if (l->colour) fputs("\x1b[0m", l->out);
}

/* Bold, and green, yellow or red: a verdict for prompting or tuning, one that is open, and NEITHER. */
static const char *verdict_colour(const char *verdict)
{
    if (!strncmp(verdict, "UNDECIDED", 9)) return "1;33";
    return !strncmp(verdict, "NEITHER", 7) ? "1;31" : "1;32";
}

/* ---- columns ---- */

static size_t total_width(const layout *l)
{
    size_t sum = INDENT;
    for (size_t c = 0; c < PL__SCREEN_COLUMNS; c++)
        if (l->columns[c]) sum += l->columns[c] + (c > 0 ? GAP : 0);
    return sum;
}

/* What does not fit goes: first the arms' names are shortened, then columns are left out. */
static void fit_columns(layout *l)
{
    memset(l->columns, 0, sizeof l->columns);
    for (size_t i = 0; i < l->n; i++)
        for (size_t c = 0; (is_row(&l->lines[i]) || l->lines[i].kind == 'H') && c < PL__SCREEN_COLUMNS; c++) {
            size_t length = length_of(l->lines[i].cells[c]);
            if (length > l->columns[c]) l->columns[c] = length;
        }
    const size_t longest = l->columns[PL__SCREEN_ARM], least = longest < ARM_LEAST ? longest : ARM_LEAST;
    for (size_t c = 0; c < sizeof leave_out / sizeof *leave_out; c++) {
        l->columns[PL__SCREEN_ARM] = least + (longest - least) / 2;
        if (total_width(l) <= l->width) break;
        l->columns[leave_out[c]] = 0;
    }
    l->columns[PL__SCREEN_ARM] = least;
    size_t rest = total_width(l);
    if (rest < l->width) l->columns[PL__SCREEN_ARM] += l->width - rest;
    if (l->columns[PL__SCREEN_ARM] > longest) l->columns[PL__SCREEN_ARM] = longest;
}

/* Names longer than their column lose their middle: what tells arms apart stands at both ends. */
static void put_name(FILE *out, const char *text, size_t width)
{
    size_t length = length_of(text), seen = 0;
    if (length <= width) {
        fprintf(out, "%s%*s", text, (int)(width - length), "");
        return;
    }
    const size_t head = (width - 1) / 2, tail = width - head - 2;
    for (const char *c = text; *c; c++) {
        if (((unsigned char)*c & 0xC0) != 0x80) seen++;
        if (seen == head + 1 && ((unsigned char)*c & 0xC0) != 0x80) fputs("..", out);
        if (seen <= head || seen > length - tail) fputc(*c, out);
    }
}

static void put_columns(const layout *l, const line *at)
{
    fprintf(l->out, "%*s", INDENT, "");
    for (size_t c = 0, blanks = 0; c < PL__SCREEN_COLUMNS; c++) {
        if (!l->columns[c]) continue;
        fprintf(l->out, "%*s", (int)blanks, "");
        if (c == PL__SCREEN_ARM)
            put_name(l->out, at->cells[c], l->columns[c]);
        else
            fputs(at->cells[c], l->out);
        size_t length = c == PL__SCREEN_ARM ? l->columns[c] : length_of(at->cells[c]);
        blanks = l->columns[c] - length + GAP;
    }
    fputc('\n', l->out);
}

/* ---- screens ---- */

/* How many rows fit into the screen beside its other lines. */
static size_t rows_that_fit(const layout *l, size_t n_rows)
{
    size_t others = 1; /* the empty line */
    for (size_t i = 0; i < l->n; i++) {
        const line *at = &l->lines[i];
        if (at->kind == 'H')
            others++;
        else if (!is_row(at))
            others += put_broken(l, at->cells[0], at->kind == 'T' ? 0 : INDENT, false);
    }
    const size_t left = others < PL__SCREEN_LINES ? PL__SCREEN_LINES - others : 0;
    return n_rows <= left ? n_rows : left > 1 ? left - 1 : 1;
}

static void put_screen(layout *l)
{
    size_t n_rows = 0, n_kept = 0, n_shown = 0;
    for (size_t i = 0; i < l->n; i++) {
        n_rows += is_row(&l->lines[i]);
        n_kept += l->lines[i].kind == 'K';
    }
    fit_columns(l);
    const size_t fit = rows_that_fit(l, n_rows);
    size_t others = fit > n_kept ? fit - n_kept : 0; /* rows that may be left out and are shown */
    for (size_t i = 0; i < l->n; i++) {
        const line *at = &l->lines[i];
        if (at->kind == 'T')
            put_coloured(l, "1", at, 0);
        else if (at->kind == 'V')
            put_coloured(l, verdict_colour(at->cells[0]), at, INDENT);
        else if (at->kind == 'H')
            put_columns(l, at);
        else if (!is_row(at))
            put_broken(l, at->cells[0], INDENT, true);
        else if (at->kind == 'K' || others > 0) {
            others -= at->kind == 'R';
            n_shown++;
            put_columns(l, at);
        }
        if (is_row(at) && (i + 1 == l->n || !is_row(&l->lines[i + 1])) && n_shown < n_rows)
            fprintf(l->out, "%*s%zu more arms: --full\n", INDENT, "", n_rows - n_shown);
    }
    fputc('\n', l->out);
    l->n = 0;
}

/* Splits a line of the screen in place; false: its kind is none. */
static bool split(line *out, char *text)
{
    *out = (line){.kind = text[0]};
    for (size_t c = 0; c < PL__SCREEN_COLUMNS; c++) out->cells[c] = "";
    char *cell = strchr(text, '\t');
    for (size_t c = 0; cell && c < PL__SCREEN_COLUMNS; c++) {
        *cell++ = '\0';
        out->cells[c] = cell;
        cell = strchr(cell, '\t');
    }
    return text[0] != '\0' && strchr("TVNHKRW", text[0]);
}

pl_status pl_report_screen_print(FILE *out, const char *screen, size_t width, bool colour)
{
    layout l = {.out = out, .width = width, .colour = colour};
    pl_bytes text = {0};
    size_t capacity = 0, n_warnings = 0;
    pl_status status;
    PL_GOTO(status, done, pl_bytes_text(&text, screen));
    for (char *next, *at = text.data; at && *at; at = next) {
        line parsed;
        next = strchr(at, '\n');
        if (next) *next++ = '\0';
        if (!split(&parsed, at)) continue;
        if (l.n > 0 && (parsed.kind == 'T' || parsed.kind == 'W')) put_screen(&l);
        if (parsed.kind == 'W') {
            if (n_warnings++ < WARNINGS) put_broken(&l, parsed.cells[0], 0, true);
            continue;
        }
        PL_GOTO(status, done, pl_grow(&l.lines, &capacity, l.n + 1));
        l.lines[l.n++] = parsed;
    }
    if (l.n > 0) put_screen(&l);
    if (n_warnings > WARNINGS) fprintf(out, "%zu more warnings: --full\n", n_warnings - WARNINGS);
    if (ferror(out)) status = pl_fail(PL_E_IO, "the screen cannot be written to the output");
done:
    free(l.lines);
    pl_bytes_free(&text);
    return status;
}
