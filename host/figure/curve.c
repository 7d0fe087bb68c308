/* x across, values up; a line a series with its band, dashed what the values are by chance. */
#include "figure/svg.h"

#include <math.h>

#include "figure/markup.h"

typedef struct plane {
    const pl_figure *figure;
    pl__axis x, y; /* x: of numbers; of categories their indices */
} plane;

static double at_x(const plane *p, const pl_figure_point *point)
{
    return pl__axis_at(&p->x, point->x);
}

static void put_place(pl__svg *svg, bool first, double x, double y)
{
    pl__svg_put(svg, first ? "M" : "L");
    pl__svg_number(svg, x);
    pl__svg_put(svg, " ");
    pl__svg_number(svg, y);
}

/* The points of a series that have a value, from `at` on without a gap: how many. */
static size_t run_length(const pl_figure_series *s, size_t at)
{
    size_t n = 0;
    while (at + n < s->n && isfinite(s->points[at + n].value)) n++;
    return n;
}

static bool has_band(const pl_figure_point *p)
{
    return isfinite(p->value) && isfinite(p->lo) && isfinite(p->hi);
}

/* Forth along the upper ends, back along the lower ones; a point alone has a bar. */
static void put_bands(pl__svg *svg, const plane *p, const pl_figure_series *s)
{
    for (size_t from = 0, n; from < s->n; from += n ? n : 1) {
        for (n = 0; from + n < s->n && has_band(&s->points[from + n]); n++) continue;
        if (n == 1) {
            const pl_figure_point *one = &s->points[from];
            double x = at_x(p, one);
            pl__svg_line(svg, x, pl__axis_at(&p->y, one->lo), x, pl__axis_at(&p->y, one->hi), "b");
        }
        if (n < 2) continue;
        pl__svg_put(svg, "<path class=\"r\" d=\"");
        for (size_t i = 0; i < n; i++)
            put_place(svg, i == 0, at_x(p, &s->points[from + i]), pl__axis_at(&p->y, s->points[from + i].hi));
        for (size_t i = n; i-- > 0;)
            put_place(svg, false, at_x(p, &s->points[from + i]), pl__axis_at(&p->y, s->points[from + i].lo));
        pl__svg_put(svg, "z\"/>\n");
    }
}

static void put_line(pl__svg *svg, const plane *p, const pl_figure_series *s)
{
    for (size_t from = 0, n; from < s->n; from += n ? n : 1) {
        n = run_length(s, from);
        if (n < 2) continue;
        pl__svg_put(svg, "<path class=\"l\" d=\"");
        for (size_t i = 0; i < n; i++)
            put_place(svg, i == 0, at_x(p, &s->points[from + i]), pl__axis_at(&p->y, s->points[from + i].value));
        pl__svg_put(svg, "\"/>\n");
    }
}

static void put_null(pl__svg *svg, const plane *p, const pl_figure_series *s)
{
    bool open = false;
    for (size_t i = 0; i < s->n; i++) {
        if (!isfinite(s->points[i].null) || !isfinite(s->points[i].value)) continue;
        if (!open) pl__svg_put(svg, "<path class=\"n\" d=\"");
        put_place(svg, !open, at_x(p, &s->points[i]), pl__axis_at(&p->y, s->points[i].null));
        if (s->n == 1) pl__svg_put(svg, "h8");
        open = true;
    }
    if (open) pl__svg_put(svg, "\"/>\n");
}

/* Beyond so many points of a series a line says it all. */
enum { MARKED = 60 };

static void put_points(pl__svg *svg, const plane *p, size_t series)
{
    const pl_figure_series *s = &p->figure->series[series];
    for (size_t i = 0; i < s->n; i++) {
        if (!isfinite(s->points[i].value)) continue;
        if (s->n > MARKED && run_length(s, i) > 1) continue;
        pl__svg_put(svg, "<g>");
        pl__svg_hint(svg, series, &s->points[i]);
        pl__svg_marker(svg, series, at_x(p, &s->points[i]), pl__axis_at(&p->y, s->points[i].value));
        pl__svg_put(svg, "</g>\n");
    }
}

static void fit(plane *p, double width, double top, double bottom)
{
    const pl_figure *f = p->figure;
    double low, high, first = NAN, last = NAN;
    pl__svg_range(f, &low, &high);
    pl__axis_fit(&p->y, low, high, 5, f->bounded);
    p->y.from = bottom;
    p->y.to = top;
    for (size_t s = 0; s < f->n_series; s++) {
        for (size_t i = 0; i < f->series[s].n; i++) {
            double x = f->series[s].points[i].x;
            first = isnan(first) || x < first ? x : first;
            last = isnan(last) || x > last ? x : last;
        }
    }
    if (f->categories)
        p->x = (pl__axis){.low = -0.5, .high = (double)f->n_categories - 0.5, .step = 1};
    else
        pl__axis_fit(&p->x, first, last, 6, false);
    p->x.from = 64;
    p->x.to = width - 20;
}

static void put_values(pl__svg *svg, const plane *p)
{
    char text[PL__TICK_TEXT];
    for (size_t i = 0; i < p->y.n_ticks; i++) {
        double y = pl__axis_at(&p->y, pl__axis_tick(&p->y, i));
        pl__svg_line(svg, p->x.from, y, p->x.to, y, "g");
        pl__axis_text(text, &p->y, i);
        pl__svg_text(svg, p->x.from - 6, y + 4, "q e", text, svg->width);
    }
}

/* Names of categories, as many as there is room for. */
static void put_categories(pl__svg *svg, const plane *p)
{
    const pl_figure *f = p->figure;
    double room = (p->x.to - p->x.from) / (double)f->n_categories, bottom = p->y.from;
    size_t every = (size_t)fmax(1, ceil((pl__svg_category_width(f, 90) + 6) / room));
    for (size_t c = 0; c < f->n_categories; c++) {
        double x = pl__axis_at(&p->x, (double)c);
        pl__svg_line(svg, x, bottom, x, bottom + 4, "a");
        bool last = c + 1 == f->n_categories;
        if (last || (c % every == 0 && c + every <= f->n_categories - (every > 1)))
            pl__svg_text(svg, x, bottom + 16, "q m", f->categories[c], fmax(room * (double)every, 60));
    }
    pl__svg_line(svg, p->x.from, bottom, p->x.to, bottom, "a");
    pl__svg_text(svg, (p->x.from + p->x.to) / 2, bottom + 33, "m", f->x_name, svg->width);
    svg->y = bottom + 41;
}

void pl__draw_curve(pl__svg *svg)
{
    const pl_figure *f = svg->figure;
    plane p = {.figure = f};
    pl__svg_legend(svg);
    pl__svg_text(svg, 10, svg->y + 10, "q", f->value_name, svg->width - 20);
    double top = svg->y + 22;
    fit(&p, svg->width, top, top + 220);
    put_values(svg, &p);
    if (f->categories)
        put_categories(svg, &p);
    else
        pl__svg_value_axis(svg, &p.x, top, p.y.from, f->x_name);
    for (size_t i = 0; i < f->n_floors; i++) {
        double y = pl__axis_at(&p.y, f->floors[i].value);
        if (isfinite(f->floors[i].value)) pl__svg_floor(svg, i, p.x.from, y, p.x.to, y);
    }
    for (size_t s = 0; s < f->n_series; s++) {
        if (!f->series[s].n) continue;
        pl__svg_series(svg, s);
        put_bands(svg, &p, &f->series[s]);
        put_null(svg, &p, &f->series[s]);
        put_line(svg, &p, &f->series[s]);
        put_points(svg, &p, s);
        pl__svg_put(svg, "</g>\n");
    }
}
