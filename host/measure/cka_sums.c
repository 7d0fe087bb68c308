#include "measure/cka_sums.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/tile.h"
#include "device/device.h"
#include "statistics/parallel.h"

enum { PANEL = PL__TILE, SQUARE = PANEL * PANEL, BLOCK = 384, SOME = 64 };

typedef struct making {
    pl__cka_sums *sums;
    const pl_states *states;
    size_t width, block; /* block: items of one, at most BLOCK */
    float *room;         /* [t, SOME, width], for rows that are read */
    double *first;       /* [t, width]: the first row */
    double *mean;        /* [t, width] */
    double *all;         /* [t, width]: sum over items, less their mean */
    double *products;    /* of the rows of two blocks and a lane block's conditions, as they come: [8, block, block] */
    double *gram;        /* of all, in lanes: [lanes, block, block, 8] */
    const pl_processor *on;
    pl_stream *stream;
    pl_pairwise_args pairwise; /* x, y: rows of two blocks [t, block, width] */
} making;

static size_t rows_of(const making *m, size_t at)
{
    return m->sums->n - at < m->block ? m->sums->n - at : m->block;
}

/* A condition's rows at..at + n - 1, n <= SOME: where they are. */
static pl_status read_rows(const making *m, const float **out, size_t c, size_t at, size_t n)
{
    return m->states->rows(m->states->context, out, m->room + c * SOME * m->width, c, at, n);
}

/* The block's rows as sets of x or y. */
static pl_status place(const making *m, pl_view to, size_t at)
{
    const size_t n = rows_of(m, at);
    for (size_t c = 0; c < m->sums->t; c++)
        for (size_t i = 0; i < n; i += SOME) {
            const size_t some = n - i < SOME ? n - i : SOME;
            const float *rows;
            PL_TRY(read_rows(m, &rows, c, at + i, some));
            PL_TRY(pl_upload(m->on, m->stream, pl_view_rows(to, c * n + i, some), rows));
            PL_TRY(m->on->ops->stream_wait(m->stream)); /* the room is free again */
        }
    return PL_OK;
}

/* What is done to a condition's n rows from `at` on, block by block. */
typedef void pass(const making *m, size_t c, const float *x, size_t at, size_t n);

static pl_status go_over(const making *m, pass *of_rows)
{
    const size_t t = m->sums->t;
    const float **rows;
    pl_status status = PL_OK;
    PL_TRY(pl_new(&rows, t));
    for (size_t at = 0; at < m->sums->n; at += SOME) {
        const size_t n = m->sums->n - at < SOME ? m->sums->n - at : SOME;
        for (size_t c = 0; c < t; c++) PL_GOTO(status, done, read_rows(m, &rows[c], c, at, n));
#pragma omp parallel for schedule(static) if (t * n * m->width >= PL__PARALLEL_MIN)
        for (size_t c = 0; c < t; c++) of_rows(m, c, rows[c], at, n);
    }
done:
    free(rows);
    return status;
}

/* As pl__column_means has them: first value + mean difference. */
static void add_differences(const making *m, size_t c, const float *x, size_t at, size_t n)
{
    double *first = m->first + c * m->width, *mean = m->mean + c * m->width;
    for (size_t d = 0; d < m->width && at == 0; d++) first[d] = (double)x[d];
    for (size_t i = at == 0; i < n; i++)
        for (size_t d = 0; d < m->width; d++) mean[d] += (double)x[i * m->width + d] - first[d];
}

static void add_deviations(const making *m, size_t c, const float *x, size_t at, size_t n)
{
    double *all = m->all + c * m->width;
    const double *mean = m->mean + c * m->width;
    (void)at;
    for (size_t i = 0; i < n; i++)
        for (size_t d = 0; d < m->width; d++) all[d] += (double)x[i * m->width + d] - mean[d];
}

/* r_i = x_i . (sum of all - x_i), of centred states: the sum is 0 but for rounding. */
static void put_row_sums(const making *m, size_t c, const float *x, size_t at, size_t n)
{
    const double *all = m->all + c * m->width, *mean = m->mean + c * m->width;
    double *row = m->sums->row + (c / PANEL * m->sums->n + at) * PANEL + c % PANEL;
    for (size_t i = 0; i < n; i++) {
        double sum = 0.0;
        for (size_t d = 0; d < m->width; d++) {
            double own = (double)x[i * m->width + d] - mean[d];
            sum += own * (all[d] - own);
        }
        row[i * PANEL] = sum;
    }
}

static pl_status sum_rows(const making *m)
{
    PL_TRY(go_over(m, add_differences));
    for (size_t i = 0; i < m->sums->t * m->width; i++) m->mean[i] = m->first[i] + m->mean[i] / (double)m->sums->n;
    PL_TRY(go_over(m, add_deviations));
    return go_over(m, put_row_sums);
}

/* Gram matrices of lane block p, rows i.. and columns j... */
static pl_status multiply(const making *m, size_t p, size_t i, size_t j)
{
    const size_t rows = rows_of(m, i), columns = rows_of(m, j), block = m->block, first = p * PANEL,
                 n = m->sums->t - first < PANEL ? m->sums->t - first : PANEL;
    double *gram = m->gram + p * block * block * PANEL;
    pl_pairwise_args a = m->pairwise;
    if (i == j) a.y = a.x;
    a.x = pl_view_rows(a.x, first * rows, n * rows);
    a.y = pl_view_rows(a.y, first * columns, n * columns);
    a.mean = pl_view_rows(a.mean, first, n);
    a.products = pl_view_rows(a.products, 0, n * rows);
    a.products.columns = a.products.stride = columns;
    PL_TRY(pl_op_pairwise(m->on, m->stream, &a));
    PL_TRY(pl_download(m->on, m->stream, m->products, a.products));
    PL_TRY(m->on->ops->stream_wait(m->stream));
#pragma omp parallel for schedule(static) if (n * rows * columns >= PL__PARALLEL_MIN)
    for (size_t r = 0; r < rows; r++) {
        double *lanes = gram + r * block * PANEL;
        for (size_t k = 0; k < columns; k++)
            for (size_t c = 0; c < n; c++) lanes[k * PANEL + c] = m->products[(c * rows + r) * columns + k];
        for (size_t c = 0; c < n && i == j; c++) lanes[r * PANEL + c] = 0.0;
    }
    return PL_OK;
}

static void add_tiles(double *to, const double *a, const double *b, size_t n, size_t stride, size_t depth,
                      pl__tiles_function tiles_of)
{
    double tiles[PL__TILES_MAX * SQUARE];
    for (size_t q = 0; q < n; q += PL__TILES_MAX) {
        size_t some = n - q < PL__TILES_MAX ? n - q : PL__TILES_MAX;
        tiles_of(tiles, a, b + q * stride, some, stride, depth);
        for (size_t k = 0; k < some * SQUARE; k++) to[q * SQUARE + k] += tiles[k];
    }
}

/* Adds what item i has with the items from..from+depth; its elements are row + p * stride, [depth, 8]. */
static void add_item(const pl__cka_sums *s, size_t i, size_t from, size_t depth, const double *row, size_t stride)
{
    const pl__tiles_function tiles_of = pl__pick_tiles();
    for (size_t p = 0; p < s->lanes; p++) {
        size_t at = (i * s->lanes + p) * s->lanes;
        const double *own = row + p * stride;
        add_tiles(s->product + (at + p) * SQUARE, own, own, s->lanes - p, stride, depth, tiles_of);
        add_tiles(s->row_sum + at * SQUARE, own, s->row + from * PANEL, s->lanes, s->n * PANEL, depth, tiles_of);
    }
}

/* Column j of the block, as a row. */
static void transpose(double *to, const making *m, size_t j, size_t depth)
{
    for (size_t p = 0; p < m->sums->lanes; p++)
        for (size_t i = 0; i < depth; i++)
            for (size_t lane = 0; lane < PANEL; lane++)
                to[(p * m->block + i) * PANEL + lane] = m->gram[((p * m->block + i) * m->block + j) * PANEL + lane];
}

static pl_status add_block(const making *m, size_t i, size_t j)
{
    size_t rows = rows_of(m, i), columns = rows_of(m, j), lanes = m->sums->lanes,
           steps = rows * columns * lanes * SQUARE;
    pl_status status = PL_OK;
#pragma omp parallel for schedule(static) if (steps >= PL__PARALLEL_MIN)
    for (size_t r = 0; r < rows; r++)
        add_item(m->sums, i + r, j, columns, m->gram + r * m->block * PANEL, m->block * m->block * PANEL);
    if (i == j) return PL_OK;
#pragma omp parallel if (steps >= PL__PARALLEL_MIN)
    {
        double *row;
        pl_status own = pl__new_panels(&row, lanes * m->block * PANEL, "columns of Gram matrices");
#pragma omp for schedule(static)
        for (size_t c = 0; c < columns; c++) {
            if (own != PL_OK) continue;
            transpose(row, m, c, rows);
            add_item(m->sums, j + c, i, rows, row, m->block * PANEL);
        }
        free(own == PL_OK ? row : NULL);
#pragma omp critical
        if (own != PL_OK) status = own;
    }
    return status == PL_OK ? PL_OK : pl_fail(status, "columns of Gram matrices do not fit in memory");
}

static pl_status allocate(making *m)
{
    pl__cka_sums *s = m->sums;
    size_t squares, tiles, values;
    PL_TRY(pl_mul_size(&squares, s->lanes * s->lanes, SQUARE, "CKA sums"));
    PL_TRY(pl_mul_size(&tiles, squares, s->n, "CKA sums"));
    PL_TRY(pl_mul_size(&values, SOME * s->t, m->width, "states"));
    PL_TRY(pl__new_panels(&s->row, s->lanes * s->n * PANEL, "Gram row sums"));
    PL_TRY(pl_new(&s->product, tiles));
    PL_TRY(pl_new(&s->row_sum, tiles));
    PL_TRY(pl_new(&m->room, values));
    PL_TRY(pl_new(&m->first, s->t * m->width));
    PL_TRY(pl_new(&m->mean, s->t * m->width));
    PL_TRY(pl_new(&m->all, s->t * m->width));
    PL_TRY(pl_new(&m->products, PANEL * m->block * m->block));
    return pl__new_panels(&m->gram, s->lanes * m->block * m->block * PANEL, "Gram matrices");
}

static pl_status open_device(making *m)
{
    const pl_processor *on = m->on;
    const size_t t = m->sums->t, rows = t * m->block, some = t < PANEL ? t : PANEL;
    pl_pairwise_args *a = &m->pairwise;
    PL_TRY(on->ops->stream_create(on->device, &m->stream));
    PL_TRY(pl_view_create(on, &a->x, rows, m->width, PL_F32));
    PL_TRY(pl_view_create(on, &a->y, rows, m->width, PL_F32));
    PL_TRY(pl_view_create(on, &a->mean, t, m->width, PL_F64));
    PL_TRY(pl_view_create(on, &a->products, some * m->block, m->block, PL_F64));
    const size_t bytes = on->ops->pairwise_workspace_bytes(some, m->block, m->block, m->width);
    return pl_view_create(on, &a->workspace, 1, bytes, PL_U8);
}

static void close_device(making *m)
{
    pl_pairwise_args *a = &m->pairwise;
    pl_view *views[] = {&a->x, &a->y, &a->mean, &a->products, &a->workspace};
    if (m->stream) (void)m->on->ops->stream_wait(m->stream);
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) pl_view_free(m->on, views[i]);
    if (m->stream) m->on->ops->stream_free(m->stream);
}

static pl_status add_blocks(const making *m)
{
    PL_TRY(pl_upload(m->on, m->stream, m->pairwise.mean, m->mean));
    for (size_t i = 0; i < m->sums->n; i += m->block) {
        PL_TRY(place(m, m->pairwise.x, i));
        for (size_t j = i; j < m->sums->n; j += m->block) {
            if (j > i) PL_TRY(place(m, m->pairwise.y, j));
            for (size_t p = 0; p < m->sums->lanes; p++) PL_TRY(multiply(m, p, i, j));
            PL_TRY(add_block(m, i, j));
        }
    }
    return PL_OK;
}

static pl_status sums_of(pl__cka_sums *out, const pl_states *states, size_t n, size_t t, size_t width,
                         const pl_processor *on)
{
    making m = {.sums = out, .states = states, .width = width, .on = on};
    pl_status status;
    *out = (pl__cka_sums){.n = n, .t = t, .lanes = (t + PANEL - 1) / PANEL};
    m.block = n < BLOCK ? (n + PANEL - 1) / PANEL * PANEL : BLOCK;
    PL_GOTO(status, done, allocate(&m));
    PL_GOTO(status, done, open_device(&m));
    PL_GOTO(status, done, sum_rows(&m));
    status = add_blocks(&m);
done:
    close_device(&m);
    free(m.gram);
    free(m.products);
    free(m.all);
    free(m.mean);
    free(m.first);
    free(m.room);
    if (status != PL_OK) pl__cka_sums_free(out);
    return status;
}

pl_status pl__cka_sums_of(pl__cka_sums *out, const pl_states *states, size_t n, size_t t, size_t width,
                          const pl_processor *on)
{
    pl_processor cpu;
    if (on) return sums_of(out, states, n, t, width, on);
    *out = (pl__cka_sums){0};
    PL_TRY(pl_processor_open(&cpu, "cpu", 0));
    pl_status status = sums_of(out, states, n, t, width, &cpu);
    pl_processor_close(&cpu);
    return status;
}

void pl__cka_sums_free(pl__cka_sums *sums)
{
    free(sums->row);
    free(sums->product);
    free(sums->row_sum);
    *sums = (pl__cka_sums){0};
}

double pl__cka_row(const pl__cka_sums *s, size_t c, size_t i)
{
    return s->row[(c / PANEL * s->n + i) * PANEL + c % PANEL];
}

static size_t place_of(const pl__cka_sums *s, size_t a, size_t b, size_t i)
{
    return ((i * s->lanes + a / PANEL) * s->lanes + b / PANEL) * SQUARE + a % PANEL * PANEL + b % PANEL;
}

double pl__cka_product(const pl__cka_sums *s, size_t a, size_t b, size_t i)
{
    return s->product[place_of(s, a, b, i)];
}

double pl__cka_row_sum(const pl__cka_sums *s, size_t a, size_t b, size_t i)
{
    return s->row_sum[place_of(s, a, b, i)];
}
