/* A figure: numbers under names, drawn as an SVG and written as CSV and as an HTML table, all three the same numbers.
 *
 * The SVG needs nothing beside itself: its style is in it, light, dark where the reader's screen is, light in print.
 * Colours tell series apart for colour-blind readers too (Okabe and Ito, Color Universal Design, 2008), and so do
 * markers. Marks carry their numbers as <title>. Equal figures have equal bytes. Texts are anybody's: they are escaped.
 */
#ifndef PLUMB_FIGURE_FIGURE_H
#define PLUMB_FIGURE_FIGURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"

typedef enum pl_figure_kind {
    PL_FIGURE_CURVE, /* x across, a line a series, a band for its interval */
    PL_FIGURE_DOTS,  /* a line a category, a point a series with its interval */
    PL_FIGURE_STACK, /* a bar a category: the series' shares of what is above 0 */
    PL_FIGURE_HEAT,  /* a row a series, a column a category, the value as shade */
    PL_FIGURE_MAP    /* points in the plane, the same ones in several panels; has a CSV, but no table of HTML */
} pl_figure_kind;

typedef struct pl_figure_point {
    double x;             /* a number, or where the figure has categories the index of one */
    double value, lo, hi; /* NaN: not defined; a point without a value is not drawn */
    double null;          /* what the value is by chance; NaN: nothing to draw */
} pl_figure_point;

/* One without points keeps its colour from others, and is not shown. */
typedef struct pl_figure_series {
    const char *name;
    size_t n;
    const pl_figure_point *points; /* [n]; of a curve in ascending x */
} pl_figure_series;

/* A value that others are held against, drawn as a line through the figure. */
typedef struct pl_figure_floor {
    const char *name;
    double value;
} pl_figure_floor;

typedef struct pl_figure_panel {
    const char *name;
    const double *at; /* [n, 2] */
} pl_figure_panel;

/* The points of a map: item i of n_items under template k is point k n_items + i. Colour is the item's label, the
 * marker its template; colours repeat after 8, markers after 16. */
typedef struct pl_figure_map {
    size_t n_items, n_templates, n_panels, n_labels;
    const int64_t *item;           /* [n_items]: its name */
    const char *const *templates;  /* [n_templates] */
    const pl_figure_panel *panels; /* [n_panels] */
    const char *const *labels;     /* [n_labels] */
    const size_t *label;           /* [n_items]: its label, n_labels: it has none */
    const bool *faint;             /* [n_templates n_items]: not to be trusted */
} pl_figure_map;

/* Everything is borrowed. */
typedef struct pl_figure {
    pl_figure_kind kind;
    const char *title;
    const char *description; /* what is shown and how to read it, in sentences */
    const char *x_name;      /* of categories or of the number x; names the column of the CSV */
    const char *value_name;  /* with its unit */
    const char *series_name; /* what a series is: "arm" */
    size_t n_categories;
    const char *const *categories; /* [n_categories]; NULL: x is a number (curves only) */
    size_t n_series;
    const pl_figure_series *series; /* [n_series] */
    size_t n_floors;
    const pl_figure_floor *floors; /* [n_floors]; of curves and dots */
    bool bounded;                  /* the axis of values is low to high; else it is as wide as what is drawn */
    double low, high;
    const pl_figure_map *map; /* of a map, which has nothing else but title and description */
} pl_figure;

/* Appends a whole SVG element, with its namespace: as good as a file as inside HTML. */
pl_status pl_figure_svg(pl_bytes *out, const pl_figure *figure);
/* series, x, value, lo, hi, null: a line a point; values are the figure's, with all digits. Of a map: item, template,
 * label, trusted, then the two coordinates of each panel. */
pl_status pl_figure_csv(pl_bytes *out, const pl_figure *figure);
/* A <table> of the same; of a heat map the matrix. */
pl_status pl_figure_html(pl_bytes *out, const pl_figure *figure);
/* Whether anything has a value. */
bool pl_figure_has_values(const pl_figure *figure);

#endif
