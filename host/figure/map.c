/* Points in the plane, the same ones in each panel: all as one path for each label, template and trust, so that a map
 * of thousands of points is a small file. Panels have no axes: places of a map have no unit. */
#include <math.h>
#include <stdio.h>

#include "base/csv_table.h"
#include "figure/markup.h"
#include "figure/svg.h"

static const double GAP = 16, LEGEND = 18;

enum { SHAPES = 8 };
/* Relative to where the point is; the second eight templates have the same ones, not filled. */
static const char *const shapes[SHAPES] = {
    "m-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0z",
    "m-1.8-1.8h3.6v3.6h-3.6z",
    "m0-2.6l2.6 2.6-2.6 2.6-2.6-2.6z",
    "m0-2.4l2.3 4.1h-4.6z",
    "m0 2.4l2.3-4.1h-4.6z",
    "m-.8-2.4h1.6v1.6h1.6v1.6h-1.6v1.6h-1.6v-1.6h-1.6v-1.6h1.6z",
    "m1.13-2.26l1.13 1.13-1.13 1.13 1.13 1.13-1.13 1.13-1.13-1.13-1.13 1.13-1.13-1.13 1.13-1.13-1.13-1.13 1.13-1.13 "
    "1.13 1.13z",
    "m0-2.9l.71 1.93 2.05.07-1.62 1.27.56 1.98-1.7-1.15-1.7 1.15.56-1.98-1.62-1.27 2.05-.07z"};

/* Where coordinates go: the same scale both ways. */
typedef struct frame {
    double left, top, size;     /* pixels */
    double middle[2], per_unit; /* of the points; pixels a unit */
} frame;

static frame frame_of(const pl_figure_panel *panel, size_t n, double left, double top, double size)
{
    frame f = {.left = left, .top = top, .size = size};
    double range = 0;
    for (size_t d = 0; d < 2; d++) {
        double low = INFINITY, high = -INFINITY;
        for (size_t i = 0; i < n; i++) {
            low = fmin(low, panel->at[2 * i + d]);
            high = fmax(high, panel->at[2 * i + d]);
        }
        f.middle[d] = low / 2 + high / 2;
        range = fmax(range, high - low);
    }
    f.per_unit = range > 0 ? (size - 12) / range : 0;
    return f;
}

static void put_point(pl__svg *svg, const frame *f, const double at[2], const char *shape)
{
    if (!isfinite(at[0]) || !isfinite(at[1])) return;
    pl__svg_put(svg, "M");
    pl__svg_number(svg, f->left + f->size / 2 + (at[0] - f->middle[0]) * f->per_unit);
    pl__svg_put(svg, " ");
    pl__svg_number(svg, f->top + f->size / 2 - (at[1] - f->middle[1]) * f->per_unit);
    pl__svg_put(svg, "%s", shape);
}

static bool is_filled(size_t template)
{
    return template / SHAPES % 2 == 0;
}

/* Colour, filled or not, trusted or not. */
static void open_path(pl__svg *svg, size_t label, size_t n_labels, bool filled, bool faint)
{
    char colour[16] = "6"; /* grey: no label */
    if (label < n_labels) snprintf(colour, sizeof colour, "%zu", label % PL__COLOURS);
    pl__svg_put(svg, "<path class=\"%s c%s\"%s d=\"", filled ? "o" : "b", colour, faint ? " opacity=\".22\"" : "");
}

static void put_panel(pl__svg *svg, const pl_figure_map *m, const frame *f, const double *at)
{
    for (int faint = 1; faint >= 0; faint--) { /* those that can be trusted on top */
        for (size_t l = 0; l <= m->n_labels; l++) {
            for (size_t k = 0; k < m->n_templates; k++) {
                size_t before = 0;
                for (size_t i = 0; i < m->n_items; i++) {
                    const size_t p = k * m->n_items + i;
                    if (m->label[i] != l || m->faint[p] != (faint == 1)) continue;
                    if (before++ == 0) open_path(svg, l, m->n_labels, is_filled(k), faint);
                    put_point(svg, f, at + 2 * p, shapes[k % SHAPES]);
                }
                if (before) pl__svg_put(svg, "\"/>\n");
            }
        }
    }
}

/* A sample and its name, on another line where it does not fit. */
static void put_entry(pl__svg *svg, double *x, const char *name, const char *shape, size_t label, size_t n_labels,
                      bool filled)
{
    const double limit = 300, width = 14 + fmin(pl_markup_width(name), limit) + GAP;
    if (*x > 10 && *x + width > svg->width - 10) {
        *x = 10;
        svg->y += LEGEND;
    }
    open_path(svg, label, n_labels, filled, false);
    pl__svg_put(svg, "M%.1f %.1f%s\"/>", *x + 4, svg->y + LEGEND / 2, shape);
    pl__svg_text(svg, *x + 14, svg->y + LEGEND / 2 + 4, "", name, limit);
    *x += width;
}

static void put_legend(pl__svg *svg, const pl_figure_map *m)
{
    double x = 10;
    for (size_t l = 0; l < m->n_labels; l++) put_entry(svg, &x, m->labels[l], "m-4-4h8v8h-8z", l, m->n_labels, true);
    x = 10;
    svg->y += LEGEND;
    for (size_t k = 0; k < m->n_templates; k++)
        put_entry(svg, &x, m->templates[k], shapes[k % SHAPES], m->n_labels, m->n_labels, is_filled(k));
    svg->y += LEGEND + 4;
}

void pl__draw_map(pl__svg *svg)
{
    const pl_figure_map *m = svg->figure->map;
    const double size = 380;
    svg->width = fmax(svg->width, 10 + (double)m->n_panels * (size + GAP));
    put_legend(svg, m);
    for (size_t p = 0; p < m->n_panels; p++) {
        const double left = 10 + (double)p * (size + GAP), top = svg->y + 20;
        const frame f = frame_of(&m->panels[p], m->n_templates * m->n_items, left, top, size);
        pl__svg_text(svg, left, svg->y + 14, "", m->panels[p].name, size);
        pl__svg_put(svg, "<path class=\"g\" d=\"M%.1f %.1fh%.1fv%.1fh-%.1fz\"/>\n", left, top, size, size, size);
        put_panel(svg, m, &f, m->panels[p].at);
    }
    svg->y += size + 30;
}

pl_status pl__map_csv(pl_bytes *out, const pl_figure_map *m)
{
    PL_TRY(pl_bytes_text(out, "item,template,label,trusted"));
    for (size_t p = 0; p < m->n_panels; p++) {
        for (int d = 1; d <= 2; d++) {
            char name[128];
            snprintf(name, sizeof name, "%s %d", m->panels[p].name, d);
            PL_TRY(pl_bytes_text(out, ","));
            PL_TRY(pl_csv_text(out, name));
        }
    }
    PL_TRY(pl_bytes_text(out, "\n"));
    for (size_t at = 0; at < m->n_templates * m->n_items; at++) {
        const size_t i = at % m->n_items;
        PL_TRY(pl_bytes_format(out, "%lld,", (long long)m->item[i]));
        PL_TRY(pl_csv_text(out, m->templates[at / m->n_items]));
        PL_TRY(pl_bytes_text(out, ","));
        if (m->label[i] < m->n_labels) PL_TRY(pl_csv_text(out, m->labels[m->label[i]]));
        PL_TRY(pl_bytes_text(out, m->faint[at] ? ",no" : ",yes"));
        for (size_t p = 0; p < 2 * m->n_panels; p++) {
            PL_TRY(pl_bytes_text(out, ","));
            PL_TRY(pl_csv_real(out, m->panels[p / 2].at[2 * at + p % 2]));
        }
        PL_TRY(pl_bytes_text(out, "\n"));
    }
    return PL_OK;
}
