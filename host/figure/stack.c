/* A bar a category: the shares that the series' values have of the sum of those above 0. A value below 0, which an
 * unbiased estimate of a variance may be, takes no room. */
#include "figure/svg.h"

#include <math.h>

static const pl_figure_point *point_of(const pl_figure_series *s, size_t category)
{
    for (size_t i = 0; i < s->n; i++)
        if ((size_t)s->points[i].x == category) return &s->points[i];
    return NULL;
}

static double value_of(const pl_figure_series *s, size_t category)
{
    const pl_figure_point *p = point_of(s, category);
    return p && isfinite(p->value) && p->value > 0 ? p->value : 0;
}

/* Of a category, in parts of the largest value, so that no sum overflows. */
static double part_of(const pl_figure *f, size_t series, size_t category)
{
    double largest = 0;
    for (size_t s = 0; s < f->n_series; s++) largest = fmax(largest, value_of(&f->series[s], category));
    return largest > 0 ? value_of(&f->series[series], category) / largest : 0;
}

static double sum_before(const pl_figure *f, size_t series, size_t category)
{
    double sum = 0;
    for (size_t s = 0; s < series; s++) sum += part_of(f, s, category);
    return sum;
}

/* The bar's piece of a series, behind those of the series before it. */
static void put_piece(pl__svg *svg, const pl__axis *axis, size_t series, size_t category, double y)
{
    const pl_figure *f = svg->figure;
    double before = sum_before(f, series, category), part = part_of(f, series, category);
    double whole = sum_before(f, f->n_series, category);
    if (!(part > 0)) return;
    double from = pl__axis_at(axis, 100 * before / whole), to = pl__axis_at(axis, 100 * (before + part) / whole);
    pl__svg_put(svg, "<g data-r=\"%zu\">", category);
    pl__svg_hint(svg, series, point_of(&f->series[series], category));
    pl__svg_put(svg, "<path class=\"o\" d=\"M");
    pl__svg_number(svg, from);
    pl__svg_put(svg, " ");
    pl__svg_number(svg, y);
    pl__svg_put(svg, "H");
    pl__svg_number(svg, to);
    pl__svg_put(svg, "v14H");
    pl__svg_number(svg, from);
    pl__svg_put(svg, "z\"/></g>\n");
}

void pl__draw_stack(pl__svg *svg)
{
    const pl_figure *f = svg->figure;
    const double row = 22, names = pl__svg_category_width(f, 250);
    pl__axis axis;
    pl__svg_legend(svg);
    pl__axis_fit(&axis, 0, 100, 5, true);
    axis.from = names + 24;
    axis.to = svg->width - 20;
    double top = svg->y, bottom = top + row * (double)f->n_categories;
    pl__svg_value_axis(svg, &axis, top, bottom, f->value_name);
    for (size_t c = 0; c < f->n_categories; c++) {
        pl__svg_put(svg, "<g data-r=\"%zu\" class=\"d\">", c);
        pl__svg_text(svg, names + 14, top + row * (double)c + 15, "e", f->categories[c], names + 1);
        pl__svg_put(svg, "</g>");
    }
    for (size_t s = 0; s < f->n_series; s++) {
        pl__svg_series(svg, s);
        for (size_t c = 0; c < f->n_categories; c++) put_piece(svg, &axis, s, c, top + row * (double)c + 4);
        pl__svg_put(svg, "</g>\n");
    }
}
