/* What the kinds of figures share while they are drawn. Shared inside the folder.
 *
 * The first error stays in `status`, and nothing is drawn behind it. Classes of the style: figure.css. */
#ifndef PLUMB_FIGURE_SVG_H
#define PLUMB_FIGURE_SVG_H

#include "figure/axis.h"
#include "figure/figure.h"

enum { PL__COLOURS = 8 };

typedef struct pl__svg {
    const pl_figure *figure;
    pl_bytes body;
    pl_status status;
    double width, y; /* pixels; y: where the next part begins, at last the height */
} pl__svg;

void pl__svg_put(pl__svg *svg, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The number in pixels, to a tenth, without zeros that say nothing. */
void pl__svg_number(pl__svg *svg, double value);
void pl__svg_text(pl__svg *svg, double x, double y, const char *classes, const char *text, double width);
void pl__svg_line(pl__svg *svg, double x1, double y1, double x2, double y2, const char *classes);
/* <title> of a mark: series, place, value with its interval, null. */
void pl__svg_hint(pl__svg *svg, size_t series, const pl_figure_point *point);
/* A marker of the series at a place. */
void pl__svg_marker(pl__svg *svg, size_t series, double x, double y);
/* <g> of a series: all its marks. Close with </g>. */
void pl__svg_series(pl__svg *svg, size_t series);

/* Series and floors with their samples, as many lines as it takes. */
void pl__svg_legend(pl__svg *svg);
/* The least and greatest value with intervals, nulls and floors; NaN where there is none. */
void pl__svg_range(const pl_figure *figure, double *low, double *high);
void pl__svg_floor(pl__svg *svg, size_t i, double x1, double y1, double x2, double y2);
/* The widest category name, at most `limit`. */
double pl__svg_category_width(const pl_figure *figure, double limit);
/* Values across: ticks, their lines from top to bottom, the name of the values below. */
void pl__svg_value_axis(pl__svg *svg, const pl__axis *axis, double top, double bottom, const char *name);

void pl__draw_curve(pl__svg *svg);
void pl__draw_dots(pl__svg *svg);
void pl__draw_stack(pl__svg *svg);
void pl__draw_heat(pl__svg *svg);
void pl__draw_map(pl__svg *svg);
pl_status pl__map_csv(pl_bytes *out, const pl_figure_map *map);

#endif
