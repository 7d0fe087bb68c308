/* The field by interpolation on a grid (field.h).
 *
 * Charges stand on half the nodes each way, the other half is empty, so that the convolution does not wrap around. A
 * transform goes down the columns, then along the rows, sixteen lines at a time. Rows are transformed, multiplied with
 * the kernel's transform and transformed back while they are in the cache. The nodes' distance follows the map's
 * extent; as long as it stays, so does the kernel's transform. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/lanes.h"
#include "base/memory.h"
#include "tsne/fft.h"
#include "tsne/field_parts.h"

enum { REACH = 4, MARGIN = 6, MOST_WIDTH = 2048 }; /* nodes that a point touches each way; nodes beyond the points */

static const size_t WIDTHS[] = {128, 192, 256, 384, 512, 768, 1024, 1536, MOST_WIDTH};
enum { N_WIDTHS = sizeof WIDTHS / sizeof *WIDTHS };
static const double SPACING = 0.4, HEADROOM = 1.1, SLACK = 0.7;

/* Where a point stands among the nodes: the first that it touches, and its shares in four each way. */
typedef struct place {
    int32_t column, row;
    float across[REACH], down[REACH];
} place;

struct pl__grid {
    size_t n, width; /* width 0: no grid yet */
    double spacing;
    pl__fft fft;
    float *charges;           /* [width / 2, width / 2] */
    float *re, *im;           /* [width, width / 2] */
    float *force_x, *force_y; /* [width / 2, width / 2] */
    /* Transforms, a block of sixteen rows after the other [width / 16, width, 16], scaled: of 1 / (1 + d^2), which is
     * real, and of (dx + i dy) / (1 + d^2)^2. */
    float *decay, *pull_re, *pull_im;
    double *power; /* [width / 16]: shares of Z */
    place *places; /* [n] */
    size_t *first; /* [width / 2 + 1]: points whose first row is r are order[first[r]..first[r + 1]) */
    int32_t *order;
};

static float *floats(size_t n)
{
    return aligned_alloc(64, pl__whole_lanes(n) * sizeof(float));
}

static void drop_width(pl__grid *g)
{
    float **all[] = {&g->charges, &g->re, &g->im, &g->force_x, &g->force_y, &g->decay, &g->pull_re, &g->pull_im};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        free(*all[i]);
        *all[i] = NULL;
    }
    free(g->power);
    free(g->first);
    g->power = NULL;
    g->first = NULL;
    pl__fft_free(&g->fft);
    g->width = 0;
}

static pl_status take_width(pl__grid *g, size_t width)
{
    const size_t half = width / 2;
    drop_width(g);
    PL_TRY(pl__fft_create(&g->fft, width));
    PL_TRY(pl_new(&g->power, width / PL__LANES));
    PL_TRY(pl_new(&g->first, half + 1));
    const struct {
        float **at;
        size_t n;
    } all[] = {{&g->charges, half * half},   {&g->re, width * half},      {&g->im, width * half},
               {&g->force_x, half * half},   {&g->force_y, half * half},  {&g->decay, width * width},
               {&g->pull_re, width * width}, {&g->pull_im, width * width}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!(*all[i].at = floats(all[i].n))) return pl_fail(PL_E_MEMORY, "grid of a map: out of memory");
    g->width = width;
    return PL_OK;
}

pl_status pl__grid_create(pl__grid **out, size_t n)
{
    pl__grid *g;
    *out = NULL;
    PL_TRY(pl_new(&g, 1));
    g->n = n;
    pl_status status = pl_new(&g->places, n);
    if (status == PL_OK) status = pl_new(&g->order, n);
    if (status == PL_OK)
        *out = g;
    else
        pl__grid_free(g);
    return status;
}

void pl__grid_free(pl__grid *grid)
{
    if (!grid) return;
    drop_width(grid);
    free(grid->order);
    free(grid->places);
    free(grid);
}

/* ---- transforms ---- */

/* Sixteen lines in lanes, [width, 16]. */
typedef struct lines {
    float re[MOST_WIDTH * PL__LANES] __attribute__((aligned(64)));
    float im[MOST_WIDTH * PL__LANES] __attribute__((aligned(64)));
} lines;

/* out[c][r] = in[r][c] of sixteen rows, `stride` apart */
static void turn_in(float *out, const float *in, size_t stride)
{
    for (size_t c = 0; c < PL__LANES; c++)
        for (size_t r = 0; r < PL__LANES; r++) out[c * PL__LANES + r] = in[r * stride + c];
}

static void turn_out(float *out, const float *in, size_t stride)
{
    for (size_t r = 0; r < PL__LANES; r++)
        for (size_t c = 0; c < PL__LANES; c++) out[r * stride + c] = in[c * PL__LANES + r];
}

/* Down the columns of in [rows, columns], empty below: out [width, columns]. in_im NULL: real. */
static void transform_columns(float *out_re, float *out_im, const float *in_re, const float *in_im, size_t rows,
                              size_t columns, const pl__fft *fft)
{
#pragma omp parallel for schedule(static)
    for (size_t c = 0; c < columns; c += PL__LANES) {
        lines l;
        for (size_t r = 0; r < fft->m; r++) {
            const size_t at = r * PL__LANES, from = r * columns + c, bytes = PL__LANES * sizeof(float);
            if (r < rows)
                memcpy(l.re + at, in_re + from, bytes);
            else
                memset(l.re + at, 0, bytes);
            if (r < rows && in_im)
                memcpy(l.im + at, in_im + from, bytes);
            else
                memset(l.im + at, 0, bytes);
        }
        pl__fft_forward(fft, l.re, l.im);
        for (size_t r = 0; r < fft->m; r++) {
            memcpy(out_re + r * columns + c, l.re + r * PL__LANES, PL__LANES * sizeof(float));
            memcpy(out_im + r * columns + c, l.im + r * PL__LANES, PL__LANES * sizeof(float));
        }
    }
}

static void load_rows(lines *l, const float *re, const float *im, size_t row, size_t columns, size_t width)
{
    for (size_t c = 0; c < columns; c += PL__LANES) {
        turn_in(l->re + c * PL__LANES, re + row * columns + c, columns);
        turn_in(l->im + c * PL__LANES, im + row * columns + c, columns);
    }
    memset(l->re + columns * PL__LANES, 0, (width - columns) * PL__LANES * sizeof(float));
    memset(l->im + columns * PL__LANES, 0, (width - columns) * PL__LANES * sizeof(float));
}

/* Multiplies sixteen rows of the charges' transform with the kernel's; the share of Z comes back. */
PL__INLINED void multiply_body(double *power, lines *l, const float *decay, const float *pull_re, const float *pull_im,
                               size_t width)
{
    pl__lanes sum = {0};
    for (size_t c = 0; c < width * PL__LANES; c += PL__LANES) {
        const pl__lanes re = PL__FROM(l->re + c), im = PL__FROM(l->im + c), kr = PL__FROM(pull_re + c),
                        ki = PL__FROM(pull_im + c);
        sum += (re * re + im * im) * PL__FROM(decay + c);
        PL__AT(l->re + c) = re * kr - im * ki;
        PL__AT(l->im + c) = re * ki + im * kr;
    }
    float lanes[PL__LANES];
    memcpy(lanes, &sum, sizeof lanes);
    *power = (double)pl__lane_sum(lanes);
}
PL__CLONES(multiply,
           (double *power, lines *l, const float *decay, const float *pull_re, const float *pull_im, size_t width),
           (power, l, decay, pull_re, pull_im, width))

static void convolve(pl__grid *g)
{
    const size_t width = g->width, half = width / 2;
    transform_columns(g->re, g->im, g->charges, NULL, half, half, &g->fft);
#pragma omp parallel for schedule(static)
    for (size_t row = 0; row < width; row += PL__LANES) {
        const size_t at = row * width;
        lines l;
        load_rows(&l, g->re, g->im, row, half, width);
        pl__fft_forward(&g->fft, l.re, l.im);
        multiply(&g->power[row / PL__LANES], &l, g->decay + at, g->pull_re + at, g->pull_im + at, width);
        pl__fft_inverse(&g->fft, l.re, l.im);
        for (size_t c = 0; c < half; c += PL__LANES) {
            turn_out(g->re + row * half + c, l.re + c * PL__LANES, half);
            turn_out(g->im + row * half + c, l.im + c * PL__LANES, half);
        }
    }
#pragma omp parallel for schedule(static)
    for (size_t c = 0; c < half; c += PL__LANES) {
        lines l;
        for (size_t r = 0; r < width; r++) {
            memcpy(l.re + r * PL__LANES, g->re + r * half + c, PL__LANES * sizeof(float));
            memcpy(l.im + r * PL__LANES, g->im + r * half + c, PL__LANES * sizeof(float));
        }
        pl__fft_inverse(&g->fft, l.re, l.im);
        for (size_t r = 0; r < half; r++) {
            memcpy(g->force_x + r * half + c, l.re + r * PL__LANES, PL__LANES * sizeof(float));
            memcpy(g->force_y + r * half + c, l.im + r * PL__LANES, PL__LANES * sizeof(float));
        }
    }
}

/* ---- the kernel ---- */

/* The kernels on the nodes, offsets of width / 2 and more being negative. */
static void sample(float *decay, float *pull_x, float *pull_y, size_t width, double spacing)
{
    const double scale = 1.0 / ((double)width * (double)width);
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < width; r++) {
        const double dy = spacing * (r < width / 2 ? (double)r : (double)r - (double)width);
        for (size_t c = 0; c < width; c++) {
            const double dx = spacing * (c < width / 2 ? (double)c : (double)c - (double)width);
            const double q = 1.0 / (1.0 + dx * dx + dy * dy);
            decay[r * width + c] = (float)(scale * q);
            pull_x[r * width + c] = (float)(scale * q * q * dx);
            pull_y[r * width + c] = (float)(scale * q * q * dy);
        }
    }
}

/* Both ways; out_im NULL: the transform is real. */
static void transform_kernel(float *out_re, float *out_im, float *re, float *im, const float *in_re, const float *in_im,
                             const pl__fft *fft)
{
    const size_t width = fft->m;
    transform_columns(re, im, in_re, in_im, width, width, fft);
#pragma omp parallel for schedule(static)
    for (size_t row = 0; row < width; row += PL__LANES) {
        lines l;
        load_rows(&l, re, im, row, width, width);
        pl__fft_forward(fft, l.re, l.im);
        memcpy(out_re + row * width, l.re, width * PL__LANES * sizeof(float));
        if (out_im) memcpy(out_im + row * width, l.im, width * PL__LANES * sizeof(float));
    }
}

static pl_status make_kernels(pl__grid *g)
{
    const size_t size = g->width * g->width;
    float *parts = floats(5 * size);
    if (!parts) return pl_fail(PL_E_MEMORY, "kernel of a map: out of memory");
    float *decay = parts, *pull_x = parts + size, *pull_y = parts + 2 * size, *re = parts + 3 * size,
          *im = parts + 4 * size;
    sample(decay, pull_x, pull_y, g->width, g->spacing);
    transform_kernel(g->decay, NULL, re, im, decay, NULL, &g->fft);
    transform_kernel(g->pull_re, g->pull_im, re, im, pull_x, pull_y, &g->fft);
    free(parts);
    return PL_OK;
}

/* ---- points on the grid ---- */

typedef struct box {
    float x, y;    /* the corner */
    double extent; /* of the longer side */
} box;

/* Of a map with a point that is not finite the extent is NaN: no width is enough. */
static box box_of(const float *y, size_t n)
{
    float low[2] = {y[0], y[1]}, high[2] = {y[0], y[1]};
    double sum = 0.0;
    for (size_t i = 0; i < 2 * n; i++) {
        low[i % 2] = y[i] < low[i % 2] ? y[i] : low[i % 2];
        high[i % 2] = y[i] > high[i % 2] ? y[i] : high[i % 2];
        sum += (double)y[i];
    }
    const double across = (double)high[0] - (double)low[0], down = (double)high[1] - (double)low[1];
    return (box){low[0], low[1], isfinite(sum) ? fmax(across, down) : (double)NAN};
}

static size_t width_for(double extent)
{
    for (size_t i = 0; i < N_WIDTHS; i++)
        if (HEADROOM * extent / SPACING <= (double)(WIDTHS[i] / 2 - MARGIN)) return WIDTHS[i];
    return 0;
}

size_t pl__grid_width(const float *y, size_t n)
{
    return width_for(box_of(y, n).extent);
}

/* Keeps the grid while the map fits it and is not much smaller. */
static pl_status fit(pl__grid *g, double extent)
{
    const size_t width = width_for(extent);
    if (width == 0) return pl_fail(PL_E_NOT_FINITE, "a map of extent %g is too wide for a grid", extent);
    const double nodes = (double)(width / 2 - MARGIN), used = extent / g->spacing;
    if (width == g->width && used <= nodes && used >= SLACK * nodes) return PL_OK;
    if (width != g->width) PL_TRY(take_width(g, width));
    g->spacing = fmax(HEADROOM * extent / nodes, 1e-30);
    return make_kernels(g);
}

/* Shares of nodes -1, 0, 1, 2 in a point at `at` between 0 and 1: Lagrange's cubic polynomials. */
static void shares(float out[REACH], float at)
{
    const float a = at + 1.0f, b = at - 1.0f, c = at - 2.0f;
    out[0] = at * b * c * (-1.0f / 6.0f);
    out[1] = a * b * c * 0.5f;
    out[2] = a * at * c * -0.5f;
    out[3] = a * at * b * (1.0f / 6.0f);
}

static void put_places(pl__grid *g, const float *y, const box *b)
{
    const float per = (float)(1.0 / g->spacing);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < g->n; i++) {
        const float x = (y[2 * i] - b->x) * per + 1.0f, down = (y[2 * i + 1] - b->y) * per + 1.0f;
        place *p = &g->places[i];
        p->column = (int32_t)x;
        p->row = (int32_t)down;
        shares(p->across, x - (float)p->column);
        shares(p->down, down - (float)p->row);
        p->column -= 1;
        p->row -= 1;
    }
    memset(g->first, 0, (g->width / 2 + 1) * sizeof *g->first);
    for (size_t i = 0; i < g->n; i++) g->first[g->places[i].row + 1]++;
    for (size_t r = 0; r < g->width / 2; r++) g->first[r + 1] += g->first[r];
    for (size_t i = 0; i < g->n; i++) g->order[g->first[g->places[i].row]++] = (int32_t)i;
    for (size_t r = g->width / 2; r > 0; r--) g->first[r] = g->first[r - 1];
    g->first[0] = 0;
}

/* Row by row, each from the points that touch it in one order. */
static void spread(pl__grid *g)
{
    const size_t half = g->width / 2;
#pragma omp parallel for schedule(dynamic, 4)
    for (size_t r = 0; r < half; r++) {
        float *row = g->charges + r * half;
        memset(row, 0, half * sizeof *row);
        for (size_t k = 0; k < REACH && k <= r; k++) {
            for (size_t o = g->first[r - k]; o < g->first[r - k + 1]; o++) {
                const place *p = &g->places[g->order[o]];
                for (size_t c = 0; c < REACH; c++) row[(size_t)p->column + c] += p->down[k] * p->across[c];
            }
        }
    }
}

static void gather(const pl__grid *g, float *force)
{
    const size_t half = g->width / 2;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < g->n; i++) {
        const place *p = &g->places[i];
        float x = 0.0f, y = 0.0f;
        for (size_t k = 0; k < REACH; k++) {
            const size_t at = ((size_t)p->row + k) * half + (size_t)p->column;
            for (size_t c = 0; c < REACH; c++) {
                const float share = p->down[k] * p->across[c];
                x += share * g->force_x[at + c];
                y += share * g->force_y[at + c];
            }
        }
        force[2 * i] = x;
        force[2 * i + 1] = y;
    }
}

pl_status pl__grid_sum(pl__grid *g, double *z, float *force, const float *y)
{
    const box b = box_of(y, g->n);
    PL_TRY(fit(g, b.extent));
    put_places(g, y, &b);
    spread(g);
    convolve(g);
    gather(g, force);
    *z = -(double)g->n; /* each with itself */
    for (size_t i = 0; i < g->width / PL__LANES; i++) *z += g->power[i];
    return PL_OK;
}
