#include "page/build.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "figure/markup.h"

static void keep(pl__build *b, pl_status status)
{
    if (b->status == PL_OK) b->status = status;
}

void pl__put(pl__build *b, const char *html)
{
    if (b->status == PL_OK) keep(b, pl_bytes_text(&b->html, html));
}

pl__part pl__open(pl__build *b, const char *html)
{
    pl__part part = {.before = b->html.size};
    pl__put(b, html);
    part.after = b->html.size;
    return part;
}

void pl__close(pl__build *b, pl__part part, const char *html)
{
    if (b->html.size > part.after) {
        pl__put(b, html);
    } else if (b->status == PL_OK && b->html.data) {
        b->html.size = part.before;
        b->html.data[part.before] = 0;
    }
}

void pl__put_text(pl__build *b, const char *text)
{
    if (b->status == PL_OK) keep(b, pl_markup_text(&b->html, text));
}

static void put_list(pl__build *b, const char *format, va_list list)
{
    char text[4096];
    vsnprintf(text, sizeof text, format, list);
    pl__put_text(b, text);
}

void pl__put_format(pl__build *b, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    put_list(b, format, list);
    va_end(list);
}

void pl__put_fact(pl__build *b, const char *term, const char *format, ...)
{
    va_list list;
    pl__put(b, "<dt>");
    pl__put_text(b, term);
    pl__put(b, "</dt><dd>");
    va_start(list, format);
    put_list(b, format, list);
    va_end(list);
    pl__put(b, "</dd>\n");
}

const char *pl__say(pl__build *b, const char *format, ...)
{
    char text[4096], *kept = "";
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (b->status == PL_OK) keep(b, pl_arena_text(b->tables->arena, &kept, text, strlen(text)));
    return kept;
}

const pl_metric *pl__metric_named(const char *name)
{
    for (int id = 0; id < PL_METRICS; id++)
        if (!strcmp(pl_metric_of((pl_metric_id)id)->name, name)) return pl_metric_of((pl_metric_id)id);
    return NULL;
}

void pl__put_metric(pl__build *b, const char *metric)
{
    const pl_metric *found = pl__metric_named(metric);
    if (found) b->metrics[found - pl_metric_of(0)] = true;
}

void pl__texts_add(pl__build *b, pl__texts *list, const char *text)
{
    for (size_t i = 0; i < list->n; i++)
        if (!strcmp(list->at[i], text)) return;
    if (b->status == PL_OK) keep(b, pl_grow(&list->at, &list->capacity, list->n + 1));
    if (b->status == PL_OK) list->at[list->n++] = text;
}

void pl__texts_free(pl__texts *list)
{
    free((void *)list->at);
}

/* ---- figures ---- */

void pl__draft_begin(pl__draft *d, pl__build *b, pl_figure_kind kind, const char *title, const char *series_name,
                     const char *x_name, const char *value_name)
{
    *d = (pl__draft){
        .build = b,
        .figure = {
            .kind = kind, .title = title, .series_name = series_name, .x_name = x_name, .value_name = value_name}};
}

void pl__draft_bounds(pl__draft *d, double low, double high)
{
    d->figure.bounded = true;
    d->figure.low = low;
    d->figure.high = high;
}

double pl__draft_category(pl__draft *d, const char *name)
{
    pl_figure *f = &d->figure;
    for (size_t c = 0; c < f->n_categories; c++)
        if (!strcmp(d->categories[c], name)) return (double)c;
    if (d->build->status == PL_OK)
        keep(d->build, pl_grow(&d->categories, &d->categories_capacity, f->n_categories + 1));
    if (d->build->status != PL_OK) return 0;
    d->categories[f->n_categories] = name;
    return (double)f->n_categories++;
}

size_t pl__draft_series(pl__draft *d, const char *name)
{
    pl__build *b = d->build;
    size_t n = d->figure.n_series;
    for (size_t s = 0; s < n; s++)
        if (!strcmp(d->series[s].name, name)) return s;
    if (b->status == PL_OK) keep(b, pl_grow(&d->series, &d->series_capacity, n + 1));
    if (b->status == PL_OK) keep(b, pl_grow(&d->points, &d->points_capacity, n + 1));
    if (b->status == PL_OK) keep(b, pl_grow(&d->capacity, &d->counts_capacity, n + 1));
    if (b->status != PL_OK) return 0;
    d->series[n] = (pl_figure_series){.name = name};
    d->points[n] = NULL;
    d->capacity[n] = 0;
    return d->figure.n_series++;
}

void pl__draft_point(pl__draft *d, const char *series, double x, double value, double lo, double hi, double null)
{
    pl__build *b = d->build;
    size_t s = pl__draft_series(d, series);
    if (b->status == PL_OK) keep(b, pl_grow(&d->points[s], &d->capacity[s], d->series[s].n + 1));
    if (b->status != PL_OK) return;
    d->points[s][d->series[s].n++] = (pl_figure_point){.x = x, .value = value, .lo = lo, .hi = hi, .null = null};
}

void pl__draft_row(pl__draft *d, const char *series, double x, const pl__row *r)
{
    if (r) pl__draft_point(d, series, x, r->value, r->lo, r->hi, isnan(r->null_q95) ? r->null_mean : r->null_q95);
}

void pl__draft_floor(pl__draft *d, const char *name, double value)
{
    size_t n = d->figure.n_floors;
    if (isnan(value) || n == sizeof d->floors / sizeof *d->floors) return;
    for (size_t i = 0; i < n; i++)
        if (!strcmp(d->floors[i].name, name)) return;
    d->floors[d->figure.n_floors++] = (pl_figure_floor){.name = name, .value = value};
}

/* A file of the folder of figures; what it is in is renamed as a whole later. */
static pl_status write_file(const pl__build *b, const char *name, const char *ending, const pl_bytes *bytes)
{
    char path[PL_PATH_MAX];
    PL_TRY(pl_path(path, "%s/%s.%s", b->figures, name, ending));
    FILE *file = fopen(path, "w");
    if (!file && errno == ENOMEM) return pl_fail(PL_E_MEMORY, "out of memory while writing %s", path);
    if (!file) return pl_fail(PL_E_IO, "%s: cannot be made: %s", path, strerror(errno));
    bool whole = fwrite(bytes->data, 1, bytes->size, file) == bytes->size;
    if (fclose(file) != 0 || !whole) return pl_fail(PL_E_IO, "%s: cannot be written: is the disk full?", path);
    return PL_OK;
}

/* A name that no other figure has. */
static pl_status take_name(pl__build *b, const char **out, const char *stem)
{
    char *name = NULL;
    PL_TRY(pl_grow(&b->names, &b->names_capacity, b->n_figures + 1));
    for (size_t again = 1, taken = 1; taken; again++) {
        taken = 0;
        PL_TRY(again == 1 ? pl_arena_format(b->tables->arena, &name, "%s", stem)
                          : pl_arena_format(b->tables->arena, &name, "%s-%zu", stem, again));
        for (size_t i = 0; i < b->n_figures; i++) taken += !strcmp(b->names[i], name);
    }
    *out = b->names[b->n_figures++] = name;
    return PL_OK;
}

static pl_status write_figure(pl__build *b, pl_bytes *svg, const pl_figure *f, const char *stem, const char **name)
{
    pl_bytes csv = {0};
    PL_TRY(take_name(b, name, stem));
    PL_TRY(pl_figure_svg(svg, f));
    PL_TRY(write_file(b, *name, "svg", svg));
    pl_status status = pl_figure_csv(&csv, f);
    if (status == PL_OK) status = write_file(b, *name, "csv", &csv);
    pl_bytes_free(&csv);
    return status;
}

const char *pl__put_files(pl__build *b, const pl_figure *figure, const char *stem)
{
    const char *name = "";
    pl_bytes svg = {0};
    if (b->status == PL_OK) keep(b, write_figure(b, &svg, figure, stem, &name));
    pl_bytes_free(&svg);
    return name;
}

static pl_status put_figure(pl__build *b, const pl_figure *f, const char *stem)
{
    const char *name;
    pl_bytes svg = {0};
    pl_status status;
    PL_GOTO(status, done, write_figure(b, &svg, f, stem, &name));
    PL_GOTO(status, done, pl_bytes_format(&b->html, "<figure id=\"%s\">\n", name));
    PL_GOTO(status, done, pl_bytes_append(&b->html, svg.data, svg.size));
    PL_GOTO(status, done, pl_bytes_text(&b->html, "<figcaption>"));
    PL_GOTO(status, done, pl_markup_text(&b->html, f->description));
    PL_GOTO(status, done, pl_bytes_text(&b->html, "</figcaption>\n<details><summary>Table</summary>"));
    PL_GOTO(status, done, pl_figure_html(&b->html, f));
    status = pl_bytes_format(&b->html, "<p class=files>figures/%s.svg, figures/%s.csv</p></details>\n</figure>\n", name,
                             name);
done:
    pl_bytes_free(&svg);
    return status;
}

void pl__draft_drop(pl__draft *d)
{
    for (size_t s = 0; s < d->figure.n_series; s++) free(d->points[s]);
    free(d->points);
    free(d->capacity);
    free(d->series);
    free((void *)d->categories);
    *d = (pl__draft){.build = d->build};
}

bool pl__draft_put(pl__draft *d, const char *stem, const char *description)
{
    pl__build *b = d->build;
    for (size_t s = 0; s < d->figure.n_series && b->status == PL_OK; s++) d->series[s].points = d->points[s];
    d->figure.description = description;
    d->figure.series = d->series;
    d->figure.categories = d->categories;
    d->figure.floors = d->floors;
    bool drawn = b->status == PL_OK && pl_figure_has_values(&d->figure);
    if (drawn) keep(b, put_figure(b, &d->figure, stem));
    pl__draft_drop(d);
    return drawn && b->status == PL_OK;
}
