/* The figure's numbers: as CSV, and as a table of HTML. */
#include <math.h>
#include <stdlib.h>

#include "base/csv_table.h"
#include "figure/figure.h"
#include "figure/markup.h"

static pl_status put_csv_point(pl_bytes *out, const pl_figure *f, const pl_figure_series *s, const pl_figure_point *p)
{
    const double numbers[] = {p->value, p->lo, p->hi, p->null};
    PL_TRY(pl_csv_text(out, s->name));
    PL_TRY(pl_bytes_text(out, ","));
    PL_TRY(f->categories ? pl_csv_text(out, f->categories[(size_t)p->x]) : pl_csv_real(out, p->x));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
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

static pl_status put_points(pl_bytes *out, const pl_figure *f)
{
    const char *const names[] = {f->series_name, f->x_name, f->value_name, "lo", "hi", "by chance"};
    PL_TRY(pl_bytes_text(out, "<table><thead><tr>"));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) PL_TRY(put_cell(out, "th scope=col", names[i]));
    PL_TRY(pl_bytes_text(out, "</tr></thead><tbody>\n"));
    for (size_t s = 0; s < f->n_series; s++) {
        for (size_t i = 0; i < f->series[s].n; i++) {
            const pl_figure_point *p = &f->series[s].points[i];
            const double numbers[] = {p->value, p->lo, p->hi, p->null};
            PL_TRY(pl_bytes_text(out, "<tr>"));
            PL_TRY(put_cell(out, "td", f->series[s].name));
            PL_TRY(put_place(out, f, p));
            for (size_t c = 0; c < sizeof numbers / sizeof *numbers; c++) PL_TRY(put_number(out, numbers[c]));
            PL_TRY(pl_bytes_text(out, "</tr>\n"));
        }
    }
    for (size_t i = 0; i < f->n_floors; i++) {
        PL_TRY(pl_bytes_text(out, "<tr>"));
        PL_TRY(put_cell(out, "td", f->floors[i].name));
        PL_TRY(put_cell(out, "td", ""));
        PL_TRY(put_number(out, f->floors[i].value));
        PL_TRY(pl_bytes_text(out, "<td></td><td></td><td></td></tr>\n"));
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
