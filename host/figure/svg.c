#include "figure/svg.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "figure/markup.h"
#include "figure/style.h"

static const double MARGIN = 10, LINE = 18;

/* Keeps the first error. */
static void keep(pl__svg *svg, pl_status status)
{
    if (svg->status == PL_OK) svg->status = status;
}

void pl__svg_put(pl__svg *svg, const char *format, ...)
{
    char text[512];
    va_list list;
    if (svg->status != PL_OK) return;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    keep(svg, pl_bytes_text(&svg->body, text));
}

void pl__svg_number(pl__svg *svg, double value)
{
    char text[40];
    snprintf(text, sizeof text, "%.1f", value + 0.0);
    size_t n = strlen(text);
    if (n > 2 && !strcmp(text + n - 2, ".0")) text[n - 2] = 0;
    pl__svg_put(svg, "%s", strcmp(text, "-0") ? text : "0");
}

/* name="value" with a blank in front. */
static void put_attribute(pl__svg *svg, const char *name, double value)
{
    pl__svg_put(svg, " %s=\"", name);
    pl__svg_number(svg, value);
    pl__svg_put(svg, "\"");
}

void pl__svg_text(pl__svg *svg, double x, double y, const char *classes, const char *text, double width)
{
    pl__svg_put(svg, "<text");
    put_attribute(svg, "x", x);
    put_attribute(svg, "y", y);
    if (*classes) pl__svg_put(svg, " class=\"%s\"", classes);
    pl__svg_put(svg, ">");
    if (svg->status == PL_OK) keep(svg, pl_markup_cut(&svg->body, text, width));
    pl__svg_put(svg, "</text>\n");
}

void pl__svg_line(pl__svg *svg, double x1, double y1, double x2, double y2, const char *classes)
{
    pl__svg_put(svg, "<path class=\"%s\" d=\"M", classes);
    pl__svg_number(svg, x1);
    pl__svg_put(svg, " ");
    pl__svg_number(svg, y1);
    pl__svg_put(svg, x1 == x2 ? "V" : y1 == y2 ? "H" : "L");
    pl__svg_number(svg, x1 == x2 ? y2 : x2);
    if (x1 != x2 && y1 != y2) {
        pl__svg_put(svg, " ");
        pl__svg_number(svg, y2);
    }
    pl__svg_put(svg, "\"/>");
}

void pl__svg_hint(pl__svg *svg, size_t series, const pl_figure_point *p)
{
    const pl_figure *f = svg->figure;
    char value[PL_MARKUP_INTERVAL], number[PL_MARKUP_NUMBER];
    pl_markup_interval(value, p->value, p->lo, p->hi);
    pl__svg_put(svg, "<title>");
    if (svg->status == PL_OK) keep(svg, pl_markup_text(&svg->body, f->series[series].name));
    pl__svg_put(svg, ", ");
    if (f->categories) {
        if (svg->status == PL_OK) keep(svg, pl_markup_text(&svg->body, f->categories[(size_t)p->x]));
    } else {
        if (svg->status == PL_OK) keep(svg, pl_markup_text(&svg->body, f->x_name));
        pl__svg_put(svg, " %g", p->x);
    }
    pl__svg_put(svg, ": %s", value);
    pl_markup_number(number, p->null);
    if (*number) pl__svg_put(svg, "; by chance %s", number);
    pl__svg_put(svg, "</title>");
}

void pl__svg_marker(pl__svg *svg, size_t series, double x, double y)
{
    static const struct {
        double x, y; /* where the path begins */
        const char *rest;
    } shapes[] = {{-3.8, 0, "a3.8 3.8 0 1 0 7.6 0a3.8 3.8 0 1 0-7.6 0z"},
                  {-3.5, -3.5, "h7v7h-7z"},
                  {0, -4.8, "l4.8 4.8-4.8 4.8-4.8-4.8z"},
                  {0, -4.6, "l4.4 7.8h-8.8z"}};
    size_t shape = (series + series / PL__COLOURS) % (sizeof shapes / sizeof *shapes);
    pl__svg_put(svg, "<path class=\"p\" d=\"M");
    pl__svg_number(svg, x + shapes[shape].x);
    pl__svg_put(svg, " ");
    pl__svg_number(svg, y + shapes[shape].y);
    pl__svg_put(svg, "%s\"/>", shapes[shape].rest);
}

static void open_group(pl__svg *svg, const char *kind, size_t series)
{
    pl__svg_put(svg, "<g class=\"%s c%zu\" data-s=\"", kind, series % PL__COLOURS);
    if (svg->status == PL_OK) keep(svg, pl_markup_text(&svg->body, svg->figure->series[series].name));
    pl__svg_put(svg, "\">");
}

void pl__svg_series(pl__svg *svg, size_t series)
{
    open_group(svg, "s", series);
    pl__svg_put(svg, "\n");
}

/* ---- legend ---- */

/* Places an entry of this width; its x comes back. */
static double next_entry(pl__svg *svg, double *x, double width)
{
    if (*x > MARGIN && *x + width > svg->width - MARGIN) {
        *x = MARGIN;
        svg->y += LINE;
    }
    double at = *x;
    *x += width;
    return at;
}

static void put_sample(pl__svg *svg, size_t series, double x)
{
    double y = svg->y + LINE / 2;
    if (svg->figure->kind == PL_FIGURE_STACK) {
        pl__svg_put(svg, "<rect class=\"o\"");
        put_attribute(svg, "x", x);
        put_attribute(svg, "y", y - 5);
        pl__svg_put(svg, " width=\"16\" height=\"10\"/>");
        return;
    }
    pl__svg_line(svg, x, y, x + 16, y, svg->figure->kind == PL_FIGURE_CURVE ? "l" : "b");
    pl__svg_marker(svg, series, x + 8, y);
}

void pl__svg_legend(pl__svg *svg)
{
    const pl_figure *f = svg->figure;
    const double limit = 300, sample = 22, gap = 16;
    double x = MARGIN;
    if (f->n_series < 2 && !f->n_floors) return;
    for (size_t s = 0; s < f->n_series && f->n_series > 1; s++) {
        if (!f->series[s].n) continue;
        double text = fmin(pl_markup_width(f->series[s].name), limit);
        double at = next_entry(svg, &x, sample + text + gap);
        open_group(svg, "k", s);
        put_sample(svg, s, at);
        pl__svg_text(svg, at + sample, svg->y + LINE / 2 + 4, "", f->series[s].name, limit);
        pl__svg_put(svg, "</g>\n");
    }
    for (size_t i = 0; i < f->n_floors; i++) {
        char number[PL_MARKUP_NUMBER], text[256];
        pl_markup_number(number, f->floors[i].value);
        if (!*number) continue;
        snprintf(text, sizeof text, "%s %s", f->floors[i].name, number);
        double at = next_entry(svg, &x, sample + pl_markup_width(text) + gap);
        pl__svg_floor(svg, i, at, svg->y + LINE / 2, at + 16, svg->y + LINE / 2);
        pl__svg_text(svg, at + sample, svg->y + LINE / 2 + 4, "q", text, limit);
    }
    svg->y += LINE + 4;
}

/* ---- axes ---- */

static void widen(double *low, double *high, double value)
{
    if (!isfinite(value)) return;
    if (isnan(*low) || value < *low) *low = value;
    if (isnan(*high) || value > *high) *high = value;
}

void pl__svg_range(const pl_figure *f, double *low, double *high)
{
    *low = *high = NAN;
    for (size_t s = 0; s < f->n_series; s++) {
        for (size_t i = 0; i < f->series[s].n; i++) {
            const pl_figure_point *p = &f->series[s].points[i];
            if (!isfinite(p->value)) continue;
            widen(low, high, p->value);
            widen(low, high, p->lo);
            widen(low, high, p->hi);
            widen(low, high, p->null);
        }
    }
    for (size_t i = 0; i < f->n_floors; i++) widen(low, high, f->floors[i].value);
    if (f->bounded) {
        *low = f->low;
        *high = f->high;
    }
}

void pl__svg_floor(pl__svg *svg, size_t i, double x1, double y1, double x2, double y2)
{
    char classes[16];
    snprintf(classes, sizeof classes, "f f%zu", i % 3);
    pl__svg_line(svg, x1, y1, x2, y2, classes);
}

double pl__svg_category_width(const pl_figure *f, double limit)
{
    double width = 0;
    for (size_t c = 0; c < f->n_categories; c++) width = fmax(width, pl_markup_width(f->categories[c]));
    return fmin(width, limit);
}

void pl__svg_value_axis(pl__svg *svg, const pl__axis *axis, double top, double bottom, const char *name)
{
    char text[PL__TICK_TEXT];
    for (size_t i = 0; i < axis->n_ticks; i++) {
        double x = pl__axis_at(axis, pl__axis_tick(axis, i));
        pl__svg_line(svg, x, top, x, bottom, "g");
        pl__axis_text(text, axis, i);
        pl__svg_text(svg, x, bottom + 15, "q m", text, svg->width);
    }
    pl__svg_line(svg, axis->from, bottom, axis->to, bottom, "a");
    pl__svg_text(svg, (axis->from + axis->to) / 2, bottom + 32, "m", name, svg->width - 2 * MARGIN);
    svg->y = bottom + 40;
}

/* ---- the whole ---- */

static pl_status put_head(pl_bytes *out, const pl__svg *svg)
{
    const pl_figure *f = svg->figure;
    PL_TRY(pl_bytes_format(out,
                           "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plumb\" role=\"img\" width=\"%.0f\" "
                           "height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" aria-label=\"",
                           svg->width, svg->y, svg->width, svg->y));
    PL_TRY(pl_markup_text(out, f->title));
    PL_TRY(pl_bytes_text(out, "\">\n<title>"));
    PL_TRY(pl_markup_text(out, f->title));
    PL_TRY(pl_bytes_text(out, "</title>\n<desc>"));
    PL_TRY(pl_markup_text(out, f->description));
    PL_TRY(pl_bytes_text(out, "</desc>\n<style>"));
    PL_TRY(pl_bytes_text(out, pl__figure_style));
    PL_TRY(pl_bytes_text(out, "</style>\n"));
    return pl_bytes_format(out, "<rect class=\"w\" width=\"%.0f\" height=\"%.0f\"/>\n", svg->width, svg->y);
}

pl_status pl_figure_svg(pl_bytes *out, const pl_figure *f)
{
    static void (*const draw[])(pl__svg * svg) = {
        [PL_FIGURE_CURVE] = pl__draw_curve, [PL_FIGURE_DOTS] = pl__draw_dots, [PL_FIGURE_STACK] = pl__draw_stack,
        [PL_FIGURE_HEAT] = pl__draw_heat,   [PL_FIGURE_MAP] = pl__draw_map,
    };
    pl__svg svg = {.figure = f, .width = 640, .y = 8};
    pl__svg_text(&svg, MARGIN, svg.y + 14, "t", f->title, 0.86 * svg.width); /* it is larger and bold */
    svg.y += LINE + 4;
    if (!pl_figure_has_values(f)) {
        pl__svg_text(&svg, MARGIN, svg.y + 14, "q", "No values.", svg.width);
        svg.y += LINE + 8;
    } else {
        draw[f->kind](&svg);
    }
    keep(&svg, put_head(out, &svg));
    if (svg.status == PL_OK) keep(&svg, pl_bytes_append(out, svg.body.data, svg.body.size));
    if (svg.status == PL_OK) keep(&svg, pl_bytes_text(out, "</svg>\n"));
    pl_bytes_free(&svg.body);
    return svg.status;
}

bool pl_figure_has_values(const pl_figure *f)
{
    if (f->kind == PL_FIGURE_MAP) return f->map->n_panels > 0;
    for (size_t s = 0; s < f->n_series; s++)
        for (size_t i = 0; i < f->series[s].n; i++)
            if (isfinite(f->series[s].points[i].value)) return true;
    return false;
}
