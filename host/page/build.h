/* The page while it is built: its HTML, and figures as they are drawn. Shared inside the folder.
 *
 * The first error stays in `status`, and nothing is written behind it. */
#ifndef PLUMB_PAGE_BUILD_H
#define PLUMB_PAGE_BUILD_H

#include "analysis/metric.h"
#include "figure/figure.h"
#include "page/rows.h"

typedef struct pl__build {
    const pl__tables *tables;
    pl_bytes html;
    char figures[PL_PATH_MAX]; /* the folder that figures are written to */
    char **names;              /* [n_figures]: of the figures' files */
    size_t n_figures, names_capacity;
    size_t maps_left; /* bytes that maps may still take */
    bool *metrics;    /* [PL_METRICS]: drawn, so defined at the end */
    pl_status status;
} pl__build;

void pl__put(pl__build *b, const char *html); /* as it is */
/* A part of the page that is left out, its opening too, where nothing comes into it. */
typedef struct pl__part {
    size_t before, after;
} pl__part;
pl__part pl__open(pl__build *b, const char *html);
void pl__close(pl__build *b, pl__part part, const char *html);
void pl__put_text(pl__build *b, const char *text);                                                /* escaped */
void pl__put_format(pl__build *b, const char *format, ...) __attribute__((format(printf, 2, 3))); /* escaped */
/* A paragraph's term and what stands behind it, escaped: <dt>, <dd>. */
void pl__put_fact(pl__build *b, const char *term, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* A text that stays until the page is written. */
const char *pl__say(pl__build *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The definitions at the page's end have this metric. */
void pl__put_metric(pl__build *b, const char *metric);

const pl_metric *pl__metric_named(const char *name); /* NULL: none of the program's */

/* Distinct texts in the order in which they came; borrowed. Free with pl__texts_free. */
typedef struct pl__texts {
    const char **at; /* [n] */
    size_t n, capacity;
} pl__texts;
void pl__texts_add(pl__build *b, pl__texts *list, const char *text);
void pl__texts_free(pl__texts *list);

/* Writes figures/<stem>.svg and .csv of a figure that the page itself does not hold; the name without its ending. */
const char *pl__put_files(pl__build *b, const pl_figure *figure, const char *stem);

/* A figure as it grows: series and categories come about when they are first named. */
typedef struct pl__draft {
    pl__build *build;
    pl_figure figure;
    pl_figure_series *series;
    pl_figure_point **points; /* [n_series]: owned */
    size_t *capacity;         /* [n_series] */
    const char **categories;
    pl_figure_floor floors[3];
    size_t series_capacity, categories_capacity, points_capacity, counts_capacity;
} pl__draft;

/* Texts are borrowed until the draft is put. */
void pl__draft_begin(pl__draft *d, pl__build *b, pl_figure_kind kind, const char *title, const char *series_name,
                     const char *x_name, const char *value_name);
void pl__draft_bounds(pl__draft *d, double low, double high);
double pl__draft_category(pl__draft *d, const char *name); /* its index */
size_t pl__draft_series(pl__draft *d, const char *name);   /* its index, which decides its colour */
void pl__draft_point(pl__draft *d, const char *series, double x, double value, double lo, double hi, double null);
void pl__draft_row(pl__draft *d, const char *series, double x, const pl__row *row); /* NULL: nothing */
/* At most three; one of that name that is there already stays. */
void pl__draft_floor(pl__draft *d, const char *name, double value);
/* Frees what it holds: a figure that does not pay. Put, it draws nothing. */
void pl__draft_drop(pl__draft *d);
/* Writes figures/<stem>.svg and .csv and puts the figure with its table into the page; nothing where it has no values.
 * Frees the draft. False: nothing was drawn. */
bool pl__draft_put(pl__draft *d, const char *stem, const char *description);

#endif
