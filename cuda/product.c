/* Who makes the products of a weight, forward and backward: the choice for each weight shape, and the way through it.
 *
 * PLUMB_CUDA_PRODUCT=own always takes the own product; =cublas takes cuBLASLt or fails, for finding out and measuring
 * (views that are not aligned go to the own product even then); =free leaves the algorithm of every product to
 * cuBLASLt, so that a row's bits depend on the batch: what pinning costs is measured against it; unset, cuBLASLt is
 * taken where the probe allows it. The choice is made once for a shape, at its first weight. */
#include "product.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe.h"

enum { ALIGNMENT = 16, WHY_BYTES = 160 };

typedef enum wish { AUTOMATIC, OWN, BLAS, FREE } wish;

/* Of the products of one pass. */
typedef struct maker {
    bool chosen, blas;
    char why_own[WHY_BYTES]; /* "" when it is cuBLASLt */
    size_t n_weights;        /* that exist now */
} maker;

/* A weight shape and its makers: cuBLASLt with these plans, or the own product. */
struct pl__shape_product {
    size_t n_out, n_in;
    pl_dtype compute;
    maker forward, backward; /* backward: of weights that are attached */
    pl__blas_plan plans[PL__MODES];
    pl__shape_product *next;
};

struct pl__products {
    wish wish;
    pl__lt *lt; /* NULL: not wanted, or not there */
    char why_no_lt[WHY_BYTES];
    pl__shape_product *shapes;
};

/* ---- What a device's products share ---- */

static pl_status read_wish(const pl_device *device, wish *out)
{
    const char *value = getenv("PLUMB_CUDA_PRODUCT");
    *out = AUTOMATIC;
    if (!value || !*value) return PL_OK;
    if (!strcmp(value, "own"))
        *out = OWN;
    else if (!strcmp(value, "cublas"))
        *out = BLAS;
    else if (!strcmp(value, "free"))
        *out = FREE;
    else
        return device->host->fail(PL_E_USAGE, "PLUMB_CUDA_PRODUCT is '%s': expected own, cublas, free, or nothing",
                                  value);
    return PL_OK;
}

static pl_status products_of(pl_device *device, pl__products **out)
{
    pl_status status;
    pl__products *shared = device->products;
    if (!shared) {
        PL_TRY(pl__handle_create(device, (void **)&shared, sizeof *shared));
        PL_GOTO(status, failed, read_wish(device, &shared->wish));
        if (shared->wish != OWN)
            PL_GOTO(status, failed, pl__lt_open(device, &shared->lt, shared->why_no_lt, sizeof shared->why_no_lt));
        device->products = shared;
    }
    *out = shared;
    return PL_OK;
failed:
    pl__products_free(shared);
    return status;
}

void pl__products_free(pl__products *shared)
{
    if (!shared) return;
    for (pl__shape_product *p = shared->shapes, *next; p; p = next) {
        next = p->next;
        free(p);
    }
    pl__lt_close(shared->lt);
    free(shared);
}

/* ---- The choice ---- */

/* Of the modes that a pass cannot do without and that have no plan the one with the worst flaw; PL__MODES: none. A bias
 * and a GELU plumb can add to a plain product; a shape has one maker of all products of its backward pass. */
static pl__mode missing_mode(const pl__shape_product *p, bool backward)
{
    pl__mode worst = PL__MODES;
    const pl__mode end = backward ? PL__MODES : PL__FORWARD_MODES;
    for (pl__mode mode = backward ? PL__FORWARD_MODES : 0; mode < end; mode++) {
        if (p->plans[mode].usable || pl__mode_has_bias(mode)) continue;
        if (!pl__mode_runs(mode, p->compute, p->n_out, p->n_in)) continue;
        if (worst == PL__MODES || p->plans[mode].flaw > p->plans[worst].flaw) worst = mode;
    }
    return worst;
}

/* "" when cuBLASLt may make the shape's products of this pass; otherwise why not. */
static pl_status reason_against(pl__products *shared, pl_weight *weight, pl__shape_product *product, bool backward,
                                char reason[WHY_BYTES])
{
    static const char *const flaws[] = {[PL__NOT_PROPOSED] = "no algorithm is proposed",
                                        [PL__REFUSED] = "algorithms are refused",
                                        [PL__OTHER_BITS] = "bits differ",
                                        [PL__WRONG_VALUES] = "values differ"}; /* tests/gpu/run.sh looks for it */
    *reason = '\0';
    if (shared->wish == OWN) {
        (void)snprintf(reason, WHY_BYTES, "PLUMB_CUDA_PRODUCT=own");
    } else if (!shared->lt) {
        (void)snprintf(reason, WHY_BYTES, "%s", shared->why_no_lt);
    } else if (weight->n_in * pl_dtype_bytes(weight->compute) % ALIGNMENT) {
        (void)snprintf(reason, WHY_BYTES, "its rows are no multiple of 16 bytes");
    } else {
        PL_TRY(pl__probe(shared->lt, weight, shared->wish == FREE, backward, product->plans));
        const pl__mode missing = missing_mode(product, backward);
        if (missing != PL__MODES)
            (void)snprintf(reason, WHY_BYTES, "%s: %s", pl__mode_name(missing), flaws[product->plans[missing].flaw]);
    }
    return PL_OK;
}

static pl_status make_choice(pl__products *shared, pl_weight *weight, pl__shape_product *product, bool backward)
{
    maker *m = backward ? &product->backward : &product->forward;
    PL_TRY(reason_against(shared, weight, product, backward, m->why_own));
    m->blas = !*m->why_own;
    if (!m->blas && (shared->wish == BLAS || shared->wish == FREE)) {
        return weight->device->host->fail(
            PL_E_UNSUPPORTED,
            "PLUMB_CUDA_PRODUCT=%s: %sproducts with a weight [%zu, %zu] in %s cannot be cuBLASLt's: %s; "
            "without the variable plumb makes them itself",
            shared->wish == FREE ? "free" : "cublas", backward ? "backward " : "", weight->n_out, weight->n_in,
            pl_dtype_name(weight->compute), m->why_own);
    }
    m->chosen = true;
    return PL_OK;
}

pl_status pl__product_choose(pl_weight *weight)
{
    pl_device *device = weight->device;
    pl__products *shared;
    pl__shape_product *product = NULL;
    PL_TRY(products_of(device, &shared));
    for (pl__shape_product *p = shared->shapes; p; p = p->next) {
        if (p->n_out == weight->n_out && p->n_in == weight->n_in && p->compute == weight->compute) {
            weight->product = p;
            p->forward.n_weights++;
            return PL_OK;
        }
    }
    PL_TRY(pl__handle_create(device, (void **)&product, sizeof *product));
    product->n_out = weight->n_out;
    product->n_in = weight->n_in;
    product->compute = weight->compute;
    pl_status status = pl__gemm_prepare(device, weight->compute);
    if (status == PL_OK) status = make_choice(shared, weight, product, false);
    if (status != PL_OK) {
        free(product);
        return status;
    }
    product->next = shared->shapes;
    shared->shapes = product;
    product->forward.n_weights = 1;
    weight->product = product;
    return PL_OK;
}

pl_status pl__product_attach(pl_weight *weight, pl_view master)
{
    pl__shape_product *product = weight->product;
    if (!product->backward.chosen) PL_TRY(make_choice(weight->device->products, weight, product, true));
    product->backward.n_weights++;
    weight->master = master;
    return PL_OK;
}

void pl__product_release(pl_weight *weight)
{
    if (!weight->product) return;
    weight->product->forward.n_weights--;
    if (weight->master.buffer) weight->product->backward.n_weights--;
    weight->product = NULL;
}

/* ---- Who makes them ---- */

static uint64_t hash(uint64_t h, const void *data, size_t n) /* FNV-1a */
{
    const unsigned char *byte = data;
    for (size_t i = 0; i < n; i++) h = (h ^ byte[i]) * 0x100000001b3u;
    return h;
}

/* What decides the bits of a pass: its maker, and the algorithms of modes first .. end - 1. cuBLASLt's algorithm may be
 * stored and read again by the same version of the library, so its bytes name it. */
static uint64_t pass_hash(uint64_t h, const pl__shape_product *p, const maker *m, uint64_t first, uint64_t end)
{
    const uint64_t blas = m->blas;
    h = hash(h, &blas, sizeof blas);
    for (uint64_t mode = first; m->blas && mode < end; mode++) {
        const pl__blas_plan *plan = &p->plans[mode];
        if (!plan->usable) continue;
        h = hash(h, &mode, sizeof mode);
        if (!plan->free) h = hash(h, &plan->algorithm, sizeof plan->algorithm);
    }
    return h;
}

static uint64_t shape_hash(const pl__shape_product *p)
{
    const uint64_t shape[] = {p->n_out, p->n_in, (uint64_t)p->compute};
    uint64_t h = hash(0xcbf29ce484222325u, shape, sizeof shape);
    h = pass_hash(h, p, &p->forward, 0, PL__FORWARD_MODES);
    return p->backward.n_weights ? pass_hash(h, p, &p->backward, PL__FORWARD_MODES, PL__MODES) : h;
}

static void count(pl__shares *shares, const maker *m)
{
    if (!m->n_weights) return;
    *(m->blas ? &shares->n_blas : &shares->n_own) += 1;
    if (*m->why_own) shares->why_own = m->why_own;
}

void pl__product_makers(const pl_device *device, pl__makers *out)
{
    const pl__products *shared = device->products;
    *out = (pl__makers){.forward.why_own = "", .backward.why_own = ""};
    if (!shared) return;
    if (shared->lt) out->blas_version = pl__lt_version(shared->lt);
    out->free = shared->wish == FREE;
    for (const pl__shape_product *p = shared->shapes; p; p = p->next) {
        count(&out->forward, &p->forward);
        count(&out->backward, &p->backward);
        if (p->forward.n_weights) out->algorithms += shape_hash(p); /* whatever the order in which shapes came */
    }
}

/* ---- Products ---- */

/* From one row to the next; a view of one row may leave it open. */
static size_t row_stride(pl_view v)
{
    return v.stride > v.columns ? v.stride : v.columns;
}

/* Asked of one row, too, or the maker would depend on the number of rows. */
static bool aligned(pl_view v)
{
    return (uintptr_t)pl__at(v, 0) % ALIGNMENT == 0 && row_stride(v) * pl_dtype_bytes(v.dtype) % ALIGNMENT == 0;
}

/* The mode for an epilogue; what it leaves to be done stays in *rest. The choice depends on the weight, the types and
 * the epilogue alone. */
static pl__mode choose_mode(const pl__shape_product *p, pl_view y, pl__epilogue *rest)
{
    const bool bias = rest->bias && (uintptr_t)rest->bias % ALIGNMENT == 0,
               own_type = y.dtype == pl_dtype_storage(p->compute);
    pl__mode mode = PL__STORE, with_bias = PL__MODES;
    if (rest->accumulate) {
        mode = PL__ADD;
        with_bias = PL__ADD_BIAS;
    } else if (!own_type) {
        mode = PL__FLOAT;
    } else if (rest->activation == PL_ACT_GELU_TANH && p->plans[PL__STORE_GELU].usable) {
        with_bias = PL__STORE_GELU;
    } else if (rest->activation == PL_ACT_NONE || y.dtype == PL_F32) { /* a 16-bit result is not rounded once more */
        with_bias = PL__STORE_BIAS;
    }
    if (bias && with_bias != PL__MODES && p->plans[with_bias].usable) {
        mode = with_bias;
        rest->bias = NULL;
        if (mode == PL__STORE_GELU) rest->activation = PL_ACT_NONE;
    }
    rest->accumulate = false;
    return mode;
}

static pl_status run_blas(pl_stream *stream, const pl_weight *weight, pl_view x, pl_view y, size_t rows,
                          const int32_t *count, const pl__epilogue *epilogue)
{
    pl__epilogue rest = *epilogue;
    const pl__mode mode = choose_mode(weight->product, y, &rest);
    const pl__call call = {.compute = weight->compute,
                           .mode = mode,
                           .rows = rows,
                           .n_out = weight->n_out,
                           .n_in = weight->n_in,
                           .x = pl__at(x, 0),
                           .w = weight->data,
                           .y = pl__at(y, 0),
                           .bias = epilogue->bias,
                           .x_stride = row_stride(x),
                           .w_stride = weight->stride,
                           .y_stride = row_stride(y)};
    PL_TRY(pl__lt_run(stream, stream->device->products->lt, &call, &weight->product->plans[mode]));
    if (!rest.bias && rest.activation == PL_ACT_NONE) return PL_OK;
    return pl__epilogue_run(stream, y, y, rows, weight->n_out, count, &rest);
}

pl_status pl__product_run(pl_stream *stream, const pl_weight *weight, pl_view x, pl_view y, size_t rows,
                          const int32_t *count, const pl__epilogue *epilogue)
{
    if (!rows) return PL_OK;
    if (weight->product->forward.blas && aligned(x) && aligned(y))
        return run_blas(stream, weight, x, y, rows, count, epilogue);
    return pl__gemm(stream, weight, x, y, rows, count, epilogue);
}

pl_status pl__matmul(pl_stream *stream, const pl_weight *weight, pl_view x, pl_view y, size_t rows, bool accumulate)
{
    const pl__epilogue epilogue = {.accumulate = accumulate};
    return pl__product_run(stream, weight, x, y, rows, NULL, &epilogue);
}

/* ---- Products of a backward pass ---- */

#ifdef PL_CUDA_EMULATED
enum { LEAST_ROWS = 250, LONG_SUM = 400, STEP = 8 }; /* parts are longer than the stages of a tile */
#else
enum { LEAST_ROWS = 512, LONG_SUM = 8192, STEP = 64 };
#endif
enum { TILE = 128, ENOUGH_TILES = 256, MOST_PARTS = 8 };

static size_t tiles(size_t n)
{
    return n / TILE + (n % TILE != 0);
}

/* About so many parts, each a multiple of STEP long but the last. */
static pl__cut cut_into(size_t k, size_t parts)
{
    if (parts > MOST_PARTS) parts = MOST_PARTS;
    if (parts <= 1) return (pl__cut){1, k};
    const size_t length = (k + parts * STEP - 1) / (parts * STEP) * STEP;
    return (pl__cut){(k + length - 1) / length, length};
}

pl__cut pl__cut_rows(size_t rows, size_t n_out, size_t n_in)
{
    const size_t wanted = ENOUGH_TILES / tiles(n_out) / tiles(n_in), most = rows / LEAST_ROWS;
    size_t parts = wanted < most ? wanted : most;
    while (parts & (parts - 1)) parts &= parts - 1; /* a power of two: capacities are cut evenly, into one batch */
    return cut_into(rows, parts);
}

pl__cut pl__cut_outputs(size_t n_out)
{
    return cut_into(n_out, n_out / LONG_SUM);
}

static size_t part_stride(size_t n_in)
{
    return (n_in + 3) / 4 * 4;
}

size_t pl__gradient_floats(size_t rows, size_t n_out, size_t n_in)
{
    const size_t of_weight = pl__cut_rows(rows, n_out, n_in).parts, of_input = pl__cut_outputs(n_out).parts;
    const size_t a = of_weight > 1 ? of_weight * n_out : 0, b = of_input > 1 ? of_input * rows : 0;
    return (a > b ? a : b) * part_stride(n_in);
}

/* Where the parts of a [rows, n_in] go. */
static pl_view parts_of(pl_view floats, size_t rows, size_t n_in)
{
    floats.rows = rows;
    floats.columns = n_in;
    floats.stride = part_stride(n_in);
    return floats;
}

/* The rest of the call is the caller's. */
static pl__call backward_call(const pl_weight *weight, pl__mode mode, size_t rows, pl_view z)
{
    return (pl__call){.compute = weight->compute,
                      .mode = mode,
                      .rows = rows,
                      .n_out = weight->n_out,
                      .n_in = weight->n_in,
                      .y = pl__at(z, 0),
                      .y_stride = row_stride(z)};
}

static bool is_blas(const pl_weight *weight, pl_view z, pl_view x)
{
    return weight->master.buffer && weight->product->backward.blas && aligned(z) && aligned(x);
}

/* dx, or the parts of its sum. */
static pl_status multiply_input(pl_stream *stream, const pl_weight *weight, pl_view z, pl_view dx, size_t rows,
                                const int32_t *count, pl__cut cut, bool accumulate)
{
    const pl__mode mode = cut.parts > 1 ? PL__INPUT_PARTS : accumulate ? PL__INPUT_ADD : PL__INPUT;
    if (!is_blas(weight, z, dx)) return pl__gemm_input(stream, weight, z, dx, rows, count, cut, accumulate);
    pl__call call = backward_call(weight, mode, rows, z);
    call.w = weight->data;
    call.w_stride = weight->stride;
    call.x = pl__at(dx, 0);
    call.x_stride = row_stride(dx);
    return pl__lt_run(stream, stream->device->products->lt, &call, &weight->product->plans[mode]);
}

/* dweight is added to; where the sum is cut its parts are written. */
static pl_status multiply_weight(pl_stream *stream, const pl_weight *weight, pl_view z, pl_view x, pl_view dweight,
                                 size_t rows, const int32_t *count, pl__cut cut)
{
    const pl__mode mode = cut.parts > 1 ? PL__WEIGHT_PARTS : PL__WEIGHT_ADD;
    if (!is_blas(weight, z, x) || !aligned(dweight))
        return pl__gemm_weight(stream, weight, z, x, dweight, rows, count, cut, cut.parts == 1);
    pl__call call = backward_call(weight, mode, rows, z);
    call.w = pl__at(dweight, 0);
    call.w_stride = row_stride(dweight);
    call.x = pl__at(x, 0);
    call.x_stride = row_stride(x);
    return pl__lt_run(stream, stream->device->products->lt, &call, &weight->product->plans[mode]);
}

pl_status pl__gradient_input(pl_stream *stream, const pl_weight *weight, pl_view z, pl_view dx, size_t rows,
                             const int32_t *count, bool accumulate, pl_view floats)
{
    const pl__cut cut = pl__cut_outputs(weight->n_out);
    if (cut.parts == 1) return multiply_input(stream, weight, z, dx, rows, count, cut, accumulate);
    const pl_view parts = parts_of(floats, rows, weight->n_in);
    PL_TRY(multiply_input(stream, weight, z, parts, rows, count, cut, false));
    return pl__parts_run(stream, parts, cut.parts, dx, rows, weight->n_in, count, accumulate);
}

pl_status pl__gradient_weight(pl_stream *stream, const pl_weight *weight, pl_view z, pl_view x, pl_view dweight,
                              size_t rows, const int32_t *count, pl_view floats)
{
    const pl__cut cut = pl__cut_rows(rows, weight->n_out, weight->n_in);
    if (cut.parts == 1) return multiply_weight(stream, weight, z, x, dweight, rows, count, cut);
    const pl_view parts = parts_of(floats, weight->n_out, weight->n_in);
    PL_TRY(multiply_weight(stream, weight, z, x, parts, rows, count, cut));
    return pl__parts_run(stream, parts, cut.parts, dweight, weight->n_out, weight->n_in, NULL, true);
}
