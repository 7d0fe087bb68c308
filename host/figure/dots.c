/* Categories down, values across; the series of a category one below the other, each with its interval and, as a dashed
 * mark, what it is by chance. */
#include "figure/svg.h"

#include <math.h>

static void put_point(pl__svg *svg, const pl__axis *axis, size_t series, const pl_figure_point *p, double y)
{
    double x = pl__axis_at(axis, p->value);
    pl__svg_put(svg, "<g data-r=\"%zu\">", (size_t)p->x);
    pl__svg_hint(svg, series, p);
    if (isfinite(p->lo) && isfinite(p->hi)) {
        double from = pl__axis_at(axis, p->lo), to = pl__axis_at(axis, p->hi);
        pl__svg_line(svg, from, y, to, y, "b");
    }
    if (isfinite(p->null)) {
        double at = pl__axis_at(axis, p->null);
        pl__svg_line(svg, at, y - 6, at, y + 6, "n");
    }
    pl__svg_marker(svg, series, x, y);
    pl__svg_put(svg, "</g>\n");
}

static bool has_point(const pl_figure_series *s, size_t category)
{
    for (size_t i = 0; i < s->n; i++)
        if ((size_t)s->points[i].x == category && isfinite(s->points[i].value)) return true;
    return false;
}

/* How many of the first n series have a point in a category: they share its room, and no others. */
static size_t count_series(const pl_figure *f, size_t n, size_t category)
{
    size_t count = 0;
    for (size_t s = 0; s < n; s++) count += has_point(&f->series[s], category);
    return count;
}

static size_t most_series(const pl_figure *f)
{
    size_t most = 1;
    for (size_t c = 0; c < f->n_categories; c++) {
        size_t count = count_series(f, f->n_series, c);
        most = count > most ? count : most;
    }
    return most;
}

void pl__draw_dots(pl__svg *svg)
{
    const pl_figure *f = svg->figure;
    const double between = 11, names = pl__svg_category_width(f, 250);
    const double row = fmax(20, between * (double)most_series(f) + 8);
    pl__axis axis = {0};
    double low, high;
    pl__svg_legend(svg);
    pl__svg_range(f, &low, &high);
    pl__axis_fit(&axis, low, high, 6, f->bounded);
    axis.from = names + 24;
    axis.to = svg->width - 20;
    double top = svg->y, bottom = top + row * (double)f->n_categories;
    pl__svg_value_axis(svg, &axis, top, bottom, f->value_name);
    for (size_t c = 0; c < f->n_categories; c++) {
        double y = top + row * (double)c;
        if (c) pl__svg_line(svg, 10, y, axis.to, y, "g");
        pl__svg_put(svg, "<g data-r=\"%zu\" class=\"d\">", c);
        pl__svg_text(svg, names + 14, y + row / 2 + 4, "e", f->categories[c], names + 1);
        pl__svg_put(svg, "</g>");
    }
    for (size_t i = 0; i < f->n_floors; i++) {
        double x = pl__axis_at(&axis, f->floors[i].value);
        if (isfinite(f->floors[i].value)) pl__svg_floor(svg, i, x, top, x, bottom);
    }
    for (size_t s = 0; s < f->n_series; s++) {
        pl__svg_series(svg, s);
        for (size_t i = 0; i < f->series[s].n; i++) {
            const pl_figure_point *p = &f->series[s].points[i];
            if (!isfinite(p->value)) continue;
            double before = (double)count_series(f, s, (size_t)p->x),
                   all = (double)count_series(f, f->n_series, (size_t)p->x);
            put_point(svg, &axis, s, p, top + row * (p->x + 0.5) + between * (before - (all - 1) / 2));
        }
        pl__svg_put(svg, "</g>\n");
    }
}
