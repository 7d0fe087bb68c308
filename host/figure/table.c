/* The figure's numbers: as CSV, and as a table of HTML. */
#include <math.h>
#include <stdlib.h>

#include "base/csv_table.h"
#include "figure/figure.h"
#include "figure/markup.h"
#include "figure/svg.h"

/* A point's numbers; columns that have none in the whole figure are left out of the table. */
enum { NUMBERS = 4 };
static const char *const number_names[NUMBERS - 1] = {"lo", "hi", "by chance"};

static void numbers_of(double out[NUMBERS], const pl_figure_point *p)
{
    out[0] = p->value;
    out[1] = p->lo;
    out[2] = p->hi;
    out[3] = p->null;
}

static pl_status put_csv_point(pl_bytes *out, const pl_figure *f, const pl_figure_series *s, const pl_figure_point *p)
{
    double numbers[NUMBERS];
    numbers_of(numbers, p);
    PL_TRY(pl_csv_text(out, s->name));
    PL_TRY(pl_bytes_text(out, ","));
    PL_TRY(f->categories ? pl_csv_text(out, f->categories[(size_t)p->x]) : pl_csv_real(out, p->x));
    for (size_t i = 0; i < NUMBERS; i++) {
        PL_TRY(pl_bytes_text(out, ","));
        PL_TRY(pl_csv_real(out, numbers[i]));
    }
    return pl_bytes_text(out, "\n");
}

static pl_status put_csv_floor(pl_bytes *out, const pl_figure_floor *floor)
{
    PL_TRY(pl_csv_text(out, floor->name));
    PL_TRY(pl_bytes_text(out, ",,"));
    PL_TRY(pl_csv_real(out, floor->value));
    return pl_bytes_text(out, ",,,\n");
}

pl_status pl_figure_csv(pl_bytes *out, const pl_figure *f)
{
    if (f->kind == PL_FIGURE_MAP) return pl__map_csv(out, f->map);
    PL_TRY(pl_csv_text(out, f->series_name));
    PL_TRY(pl_bytes_text(out, ","));
    PL_TRY(pl_csv_text(out, f->x_name));
    PL_TRY(pl_bytes_text(out, ","));
    PL_TRY(pl_csv_text(out, f->value_name));
    PL_TRY(pl_bytes_text(out, ",lo,hi,by chance\n"));
    for (size_t s = 0; s < f->n_series; s++)
        for (size_t i = 0; i < f->series[s].n; i++)
            PL_TRY(put_csv_point(out, f, &f->series[s], &f->series[s].points[i]));
    for (size_t i = 0; i < f->n_floors; i++) PL_TRY(put_csv_floor(out, &f->floors[i]));
    return PL_OK;
}

/* ---- HTML ---- */

static pl_status put_cell(pl_bytes *out, const char *tag, const char *text)
{
    PL_TRY(pl_bytes_format(out, "<%s>", tag));
    PL_TRY(pl_markup_text(out, text));
    return pl_bytes_format(out, "</%s>", *tag == 't' && tag[1] == 'h' ? "th" : "td");
}

/* Where the text is not the whole number, the number stands beside it: for export. */
static pl_status put_number(pl_bytes *out, double value)
{
    char text[PL_MARKUP_NUMBER];
    pl_markup_number(text, value);
    if (!isfinite(value) || strtod(text, NULL) == value) return put_cell(out, "td", text);
    PL_TRY(pl_bytes_text(out, "<td data-v=\""));
    PL_TRY(pl_csv_real(out, value));
    return pl_bytes_format(out, "\">%s</td>", text);
}

static pl_status put_place(pl_bytes *out, const pl_figure *f, const pl_figure_point *p)
{
    if (f->categories) return put_cell(out, "td", f->categories[(size_t)p->x]);
    return pl_bytes_format(out, "<td>%g</td>", p->x);
}

static void find_columns(bool out[NUMBERS], const pl_figure *f)
{
    double numbers[NUMBERS];
    out[0] = true;
    for (size_t s = 0; s < f->n_series; s++) {
        for (size_t i = 0; i < f->series[s].n; i++) {
            numbers_of(numbers, &f->series[s].points[i]);
            for (size_t c = 1; c < NUMBERS; c++) out[c] = out[c] || !isnan(numbers[c]);
        }
    }
}

static pl_status put_row(pl_bytes *out, const pl_figure *f, const pl_figure_series *s, const pl_figure_point *p,
                         const bool has[NUMBERS])
{
    double numbers[NUMBERS];
    numbers_of(numbers, p);
    PL_TRY(pl_bytes_text(out, "<tr>"));
    PL_TRY(put_cell(out, "td", s->name));
    PL_TRY(put_place(out, f, p));
    for (size_t c = 0; c < NUMBERS; c++)
        if (has[c]) PL_TRY(put_number(out, numbers[c]));
    return pl_bytes_text(out, "</tr>\n");
}

static pl_status put_points(pl_bytes *out, const pl_figure *f)
{
    bool has[NUMBERS] = {false};
    find_columns(has, f);
    PL_TRY(pl_bytes_text(out, "<table><thead><tr>"));
    PL_TRY(put_cell(out, "th scope=col", f->series_name));
    PL_TRY(put_cell(out, "th scope=col", f->x_name));
    PL_TRY(put_cell(out, "th scope=col", f->value_name));
    for (size_t c = 1; c < NUMBERS; c++)
        if (has[c]) PL_TRY(put_cell(out, "th scope=col", number_names[c - 1]));
    PL_TRY(pl_bytes_text(out, "</tr></thead><tbody>\n"));
    for (size_t s = 0; s < f->n_series; s++)
        for (size_t i = 0; i < f->series[s].n; i++)
            PL_TRY(put_row(out, f, &f->series[s], &f->series[s].points[i], has));
    for (size_t i = 0; i < f->n_floors; i++) {
        PL_TRY(pl_bytes_text(out, "<tr>"));
        PL_TRY(put_cell(out, "td", f->floors[i].name));
        PL_TRY(put_cell(out, "td", ""));
        PL_TRY(put_number(out, f->floors[i].value));
        PL_TRY(pl_bytes_text(out, "</tr>\n"));
    }
    return pl_bytes_text(out, "</tbody></table>\n");
}

static pl_status put_matrix(pl_bytes *out, const pl_figure *f)
{
    PL_TRY(pl_bytes_text(out, "<table><thead><tr>"));
    PL_TRY(put_cell(out, "th", ""));
    for (size_t c = 0; c < f->n_categories; c++) PL_TRY(put_cell(out, "th scope=col", f->categories[c]));
    PL_TRY(pl_bytes_text(out, "</tr></thead><tbody>\n"));
    for (size_t s = 0; s < f->n_series; s++) {
        PL_TRY(pl_bytes_text(out, "<tr>"));
        PL_TRY(put_cell(out, "th scope=row", f->series[s].name));
        for (size_t c = 0; c < f->n_categories; c++) {
            double value = NAN;
            for (size_t i = 0; i < f->series[s].n && isnan(value); i++)
                if ((size_t)f->series[s].points[i].x == c) value = f->series[s].points[i].value;
            PL_TRY(put_number(out, value));
        }
        PL_TRY(pl_bytes_text(out, "</tr>\n"));
    }
    return pl_bytes_text(out, "</tbody></table>\n");
}

pl_status pl_figure_html(pl_bytes *out, const pl_figure *f)
{
    return f->kind == PL_FIGURE_HEAT ? put_matrix(out, f) : put_points(out, f);
}
