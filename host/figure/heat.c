/* A row a series, a column a category; the darker (on a dark screen the brighter), the larger. Empty: not defined. */
#include "figure/svg.h"

#include <math.h>
#include <stdio.h>

#include "figure/markup.h"

typedef struct grid {
    const pl_figure *figure;
    double cell, left, top; /* pixels */
    double low, high;
} grid;

static double share_of(const grid *g, double value)
{
    double range = g->high / 2 - g->low / 2; /* halves do not overflow */
    return range > 0 ? fmin(fmax((value / 2 - g->low / 2) / range, 0), 1) : 1;
}

static void put_cell(pl__svg *svg, const grid *g, size_t series, const pl_figure_point *p)
{
    double x = g->left + g->cell * p->x, y = g->top + g->cell * (double)series, share = share_of(g, p->value);
    pl__svg_put(svg, "<g data-r=\"%zu\">", (size_t)p->x);
    pl__svg_hint(svg, series, p);
    pl__svg_put(svg, "<path class=\"h\" fill-opacity=\"%.2f\" d=\"M", 0.04 + 0.96 * share);
    pl__svg_number(svg, x);
    pl__svg_put(svg, " ");
    pl__svg_number(svg, y);
    pl__svg_put(svg, "h%.0fv%.0fh-%.0fz\"/>", g->cell - 1, g->cell - 1, g->cell - 1);
    if (g->cell >= 28 && fabs(p->value) < 99.5) {
        char text[PL_MARKUP_NUMBER];
        snprintf(text, sizeof text, fabs(p->value) < 9.95 ? "%.2f" : "%.0f", p->value + 0.0);
        pl__svg_text(svg, x + g->cell / 2, y + g->cell / 2 + 3, share > 0.5 ? "v on" : "v", text, g->cell + 20);
    }
    pl__svg_put(svg, "</g>");
}

/* From the least to the largest shade, with their values. */
static void put_scale(pl__svg *svg, const grid *g, double y)
{
    enum { STEPS = 8 };
    char low[PL_MARKUP_NUMBER], high[PL_MARKUP_NUMBER];
    pl_markup_number(low, g->low);
    pl_markup_number(high, g->high);
    double x = g->left + pl_markup_width(low) + 6;
    pl__svg_text(svg, g->left, y + 10, "q", low, svg->width);
    for (int i = 0; i < STEPS; i++)
        pl__svg_put(svg, "<path class=\"h\" fill-opacity=\"%.2f\" d=\"M%.1f %.1fh14v12h-14z\"/>",
                    0.04 + 0.96 * i / (STEPS - 1), x + 14 * i, y);
    x += 14 * STEPS + 6;
    pl__svg_text(svg, x, y + 10, "q", high, svg->width);
    pl__svg_text(svg, x + pl_markup_width(high) + 14, y + 10, "", g->figure->value_name, svg->width);
}

void pl__draw_heat(pl__svg *svg)
{
    const pl_figure *f = svg->figure;
    double n = fmax((double)f->n_categories, (double)f->n_series), names = 0;
    double head = pl__svg_category_width(f, 110);
    for (size_t s = 0; s < f->n_series; s++) names = fmax(names, pl_markup_width(f->series[s].name));
    names = fmin(names, 150);
    grid g = {.figure = f, .cell = n <= 14 ? 30 : n <= 24 ? 20 : 12, .left = names + 20, .top = svg->y + 20 + head};
    pl__svg_range(f, &g.low, &g.high);
    double least = g.left + 420, wanted = g.left + g.cell * (double)f->n_categories + 20;
    svg->width = fmax(svg->width, fmax(least, wanted));
    pl__svg_text(svg, g.left, svg->y + 12, "q", f->x_name, svg->width);
    for (size_t c = 0; c < f->n_categories; c++) {
        double x = g.left + g.cell * ((double)c + 0.5) + 4;
        pl__svg_put(svg, "<g data-r=\"%zu\" class=\"d\" transform=\"translate(%.1f %.1f) rotate(-90)\">", c, x,
                    g.top - 6);
        pl__svg_text(svg, 0, 0, "", f->categories[c], head + 1);
        pl__svg_put(svg, "</g>");
    }
    for (size_t s = 0; s < f->n_series; s++) {
        pl__svg_series(svg, s);
        pl__svg_text(svg, g.left - 6, g.top + g.cell * ((double)s + 0.5) + 4, "e", f->series[s].name, names + 1);
        for (size_t i = 0; i < f->series[s].n; i++)
            if (isfinite(f->series[s].points[i].value)) put_cell(svg, &g, s, &f->series[s].points[i]);
        pl__svg_put(svg, "</g>\n");
    }
    svg->y = g.top + g.cell * (double)f->n_series + 12;
    put_scale(svg, &g, svg->y);
    svg->y += 24;
}
