/* The probe: a product of many rows is the reference; products of some of these rows, from several places on, must have
 * its bits; and its values must be those of the own product, so that a wrong bias type or a rough GELU is found, too.
 * Row numbers are below, at and above the sizes of tiles; the reference fills the device more than once where memory
 * allows, because an algorithm may treat its last wave differently. A weight's gradient is a sum over the rows: for
 * several numbers of them it must have the same bits twice, and the own product's values. */
#include "probe.h"

#include <math.h>

#include "product.h"

/* Rows of results, and rows that a weight's gradient sums over. */
#ifdef PL_CUDA_EMULATED
enum { LEAST_ROWS = 72, MOST_ROWS = 72 }; /* the emulator runs half a million threads a second */
static const size_t sums[] = {17, 520, 528};
#else
enum { LEAST_ROWS = 144, MOST_ROWS = 8192 };
static const size_t sums[] = {1, 17, 136, 1000, 1100, 2048, 2559, 8192};
#endif
enum { CANONICAL_ROWS = 2048, VALUE_ROWS = 32, SUMS = sizeof sums / sizeof *sums };
static const size_t buffer_bytes = (size_t)256 << 20, fewer_bytes = (size_t)64 << 20; /* where memory is short */

enum { BITS, VALUES, FINDINGS }; /* each an int on the device: where differences were found */

typedef struct probe {
    pl_stream stream;
    pl__lt *lt;
    pl_weight *weight;
    bool free, backward;
    size_t rows, most_sum; /* the most rows of a result, and of a sum */
    pl_buffer x, y, bias, result, reference, found;
} probe;

static size_t padded(size_t n, size_t element_bytes)
{
    size_t step = 16 / element_bytes;
    return (n + step - 1) / step * step;
}

static bool is_weight(pl__mode mode)
{
    return mode == PL__WEIGHT_ADD || mode == PL__WEIGHT_PARTS;
}

/* ---- What a mode writes ---- */

/* n matrices, one after another. */
typedef struct shape {
    pl_dtype type;
    size_t n, rows, columns, stride;
} shape;

static pl__cut cut_of(const pl_weight *w, pl__mode mode, size_t rows)
{
    if (mode == PL__INPUT_PARTS) return pl__cut_outputs(w->n_out);
    if (mode == PL__WEIGHT_PARTS) return pl__cut_rows(rows, w->n_out, w->n_in);
    return (pl__cut){1, is_weight(mode) ? rows : w->n_out};
}

static shape shape_of(const pl_weight *w, pl__mode mode, size_t rows)
{
    shape s = {.type = pl__mode_type(mode, w->compute),
               .n = cut_of(w, mode, rows).parts,
               .rows = is_weight(mode) ? w->n_out : rows,
               .columns = mode < PL__FORWARD_MODES ? w->n_out : w->n_in};
    s.stride = padded(s.columns, pl_dtype_bytes(s.type));
    return s;
}

static size_t row_bytes(const shape *s)
{
    return s->stride * pl_dtype_bytes(s->type);
}

/* Matrix `i` of a result from row `row` on. */
static void *at(const pl_buffer *result, const shape *s, size_t i, size_t row)
{
    return (char *)result->data + (i * s->rows + row) * row_bytes(s);
}

/* ---- Memory ---- */

static pl_status buffer(pl_device *device, pl_buffer *out, size_t bytes)
{
    out->device = device;
    out->bytes = bytes;
    return pl__memory_create(device, &out->data, bytes, "the probe of a product");
}

/* Whether the mode is one that the weight's products have in this pass. */
static bool is_tried(const probe *p, pl__mode mode)
{
    return p->backward == (mode >= PL__FORWARD_MODES) &&
           pl__mode_runs(mode, p->weight->compute, p->weight->n_out, p->weight->n_in);
}

/* The largest result of the modes that are tried. */
static size_t result_bytes(const probe *p)
{
    size_t most = 0;
    for (pl__mode mode = 0; mode < PL__MODES; mode++) {
        if (!is_tried(p, mode)) continue;
        for (size_t i = 0; i < (is_weight(mode) ? SUMS : 1); i++) {
            const shape s = shape_of(p->weight, mode, is_weight(mode) ? sums[i] : p->rows);
            const size_t bytes = s.n * s.rows * row_bytes(&s);
            if (bytes > most) most = bytes;
        }
    }
    return most;
}

static size_t between(size_t n, size_t least, size_t most)
{
    return n < least ? least : n > most ? most : n;
}

static pl_status prepare(probe *p, size_t most_bytes)
{
    const pl_weight *w = p->weight;
    pl_device *device = w->device;
    const pl_dtype storage = pl_dtype_storage(w->compute);
    const size_t size = pl_dtype_bytes(storage), in = padded(w->n_in, size), out = padded(w->n_out, size);
    const size_t rows = most_bytes / ((in > out ? in : out) * sizeof(float));
    p->rows = between(rows, LEAST_ROWS, MOST_ROWS);
    p->most_sum = between(rows, LEAST_ROWS, sums[SUMS - 1]);
    const size_t given = p->backward && p->most_sum > p->rows ? p->most_sum : p->rows, result = result_bytes(p);
    /* The variance of the outputs becomes 1, also that of the backward pass. */
    const float y_scale = sqrtf((float)w->n_in / (float)w->n_out);
    const float x_scale = p->backward ? 3.0f / (y_scale * sqrtf((float)p->most_sum)) : 1.0f;
    PL_TRY(buffer(device, &p->x, given * in * size));
    if (p->backward) PL_TRY(buffer(device, &p->y, given * out * size));
    PL_TRY(buffer(device, &p->bias, out * sizeof(float)));
    PL_TRY(buffer(device, &p->result, result));
    PL_TRY(buffer(device, &p->reference, result));
    PL_TRY(buffer(device, &p->found, FINDINGS * sizeof(int)));
    PL_TRY(pl__probe_fill(&p->stream, p->x.data, storage, 0, given * in, x_scale, 1));
    if (p->backward) PL_TRY(pl__probe_fill(&p->stream, p->y.data, storage, 0, given * out, y_scale, 2));
    PL_TRY(pl__probe_fill(&p->stream, p->bias.data, PL_F32, 0, w->n_out, 1.0f, 3));
    return pl__probe_fill(&p->stream, w->data, storage, 0, w->n_out * w->stride, 3.0f / sqrtf((float)w->n_in), 4);
}

static void release(probe *p)
{
    pl_buffer *buffers[] = {&p->x, &p->y, &p->bias, &p->result, &p->reference, &p->found};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) {
        pl__memory_free(p->weight->device, buffers[i]->data);
        buffers[i]->data = NULL;
    }
}

/* ---- Products ---- */

/* Of rows `first`.. of x or y; the result goes to the same rows. */
static pl__call call_of(const probe *p, pl__mode mode, size_t rows, size_t first, const pl_buffer *result)
{
    const pl_weight *w = p->weight;
    const size_t size = pl_dtype_bytes(pl_dtype_storage(w->compute));
    const shape s = shape_of(w, mode, rows);
    void *to = at(result, &s, 0, first);
    pl__call c = {.compute = w->compute,
                  .mode = mode,
                  .rows = rows,
                  .n_out = w->n_out,
                  .n_in = w->n_in,
                  .w = w->data,
                  .bias = p->bias.data,
                  .x_stride = padded(w->n_in, size),
                  .w_stride = w->stride,
                  .y_stride = padded(w->n_out, size)};
    c.x = (char *)p->x.data + first * c.x_stride * size;
    if (mode < PL__FORWARD_MODES) {
        c.y = to;
        c.y_stride = s.stride;
        return c;
    }
    c.y = (char *)p->y.data + first * c.y_stride * size;
    if (is_weight(mode)) {
        c.w = to;
        c.w_stride = s.stride;
    } else {
        c.x = to;
        c.x_stride = s.stride;
    }
    return c;
}

/* A result's rows from `first` on start as the numbers that are added to, or as zeros. */
static pl_status start_rows(probe *p, pl__mode mode, size_t rows, size_t first, const pl_buffer *result)
{
    const shape s = shape_of(p->weight, mode, rows);
    void *to = at(result, &s, 0, first);
    if (pl__mode_adds(mode))
        return pl__probe_fill(&p->stream, to, s.type, first * s.stride, s.rows * s.stride, 1.0f, 5);
    PL_CUDA_TRY(p->weight->device, cudaMemsetAsync(to, 0, s.n * s.rows * row_bytes(&s), p->stream.handle));
    return PL_OK;
}

/* PL_E_UNSUPPORTED, without a text: cuBLASLt refuses to, whatever its status; what fails on the stream shows later. */
static pl_status multiply(probe *p, const pl__blas_plan *plan, pl__mode mode, size_t rows, size_t first,
                          const pl_buffer *result)
{
    const pl__call c = call_of(p, mode, rows, first, result);
    PL_TRY(start_rows(p, mode, rows, first, result));
    if (pl__lt_try(&p->stream, p->lt, &c, plan) == CUBLAS_STATUS_SUCCESS) return PL_OK;
    (void)cudaGetLastError(); /* a launch that it tried is not the next kernel's */
    return PL_E_UNSUPPORTED;
}

static pl_view view_of(pl_buffer *buffer, size_t rows, size_t columns, size_t stride, pl_dtype dtype)
{
    return (pl_view){.buffer = buffer, .rows = rows, .columns = columns, .stride = stride, .dtype = dtype};
}

/* The own product's result for the first rows. */
static pl_status multiply_own(probe *p, pl__mode mode, size_t rows)
{
    const pl_weight *w = p->weight;
    const pl_dtype storage = pl_dtype_storage(w->compute);
    const size_t size = pl_dtype_bytes(storage);
    const shape s = shape_of(w, mode, rows);
    const pl__cut cut = cut_of(w, mode, rows);
    const pl_view x = view_of(&p->x, rows, w->n_in, padded(w->n_in, size), storage),
                  y = view_of(&p->y, rows, w->n_out, padded(w->n_out, size), storage),
                  to = view_of(&p->result, s.rows, s.columns, s.stride, s.type);
    const bool adds = pl__mode_adds(mode);
    const pl__epilogue epilogue = {.bias = pl__mode_has_bias(mode) ? p->bias.data : NULL,
                                   .activation = mode == PL__STORE_GELU ? PL_ACT_GELU_TANH : PL_ACT_NONE,
                                   .accumulate = adds};
    PL_TRY(start_rows(p, mode, rows, 0, &p->result));
    if (mode < PL__FORWARD_MODES) return pl__gemm(&p->stream, w, x, to, rows, NULL, &epilogue);
    if (is_weight(mode)) return pl__gemm_weight(&p->stream, w, y, x, to, rows, NULL, cut, adds);
    return pl__gemm_input(&p->stream, w, y, to, rows, NULL, cut, adds);
}

/* ---- Comparisons ---- */

/* What two right products may differ by: outputs are about 1 in size and below 8. float32: the rounding errors of two
 * orders of summation; tf32: of inputs rounded in two ways; 16-bit results: one last bit; 16-bit inputs with float32
 * sums: tensor cores cut addends off at differing places. */
static float tolerance(const pl_weight *w, pl__mode mode)
{
    const size_t terms = mode < PL__FORWARD_MODES ? w->n_in : is_weight(mode) ? sums[SUMS - 1] : w->n_out;
    if (w->compute == PL_TF32) return 2e-2f;
    if (w->compute == PL_F32) return 2e-5f + 4e-7f * sqrtf((float)terms);
    return pl__mode_type(mode, w->compute) == PL_F32 ? 2e-3f : w->compute == PL_BF16 ? 7e-2f : 1e-2f;
}

static int *finding(const probe *p, size_t which)
{
    return (int *)p->found.data + which;
}

/* The first rows of a result against those of the reference, which was made of `reference_rows`. */
static pl_status compare_values(probe *p, pl__mode mode, size_t rows, size_t reference_rows)
{
    const shape s = shape_of(p->weight, mode, rows), whole = shape_of(p->weight, mode, reference_rows);
    PL_TRY(multiply_own(p, mode, rows));
    for (size_t i = 0; i < s.n; i++)
        PL_TRY(pl__probe_values(&p->stream, at(&p->result, &s, i, 0), at(&p->reference, &whole, i, 0), s.type,
                                s.rows * s.stride, tolerance(p->weight, mode), finding(p, VALUES)));
    return PL_OK;
}

static pl_status compare_rows(probe *p, const pl__blas_plan *plan, pl__mode mode)
{
    static const struct {
        size_t rows, first;
        bool from_end;
    } parts[] = {{1, 0, false},  {1, 0, true},     {2, 5, false},   {16, 3, false}, {17, 0, true},
                 {64, 1, false}, {64, 0, true},    {136, 0, false}, {136, 0, true}, {512, 0, false},
                 {512, 3, true}, {2048, 1, false}, {4096, 1, false}};
    const shape whole = shape_of(p->weight, mode, p->rows);
    PL_TRY(multiply(p, plan, mode, p->rows, 0, &p->reference));
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const size_t rows = parts[i].rows;
        if (rows + parts[i].first > p->rows) continue;
        const size_t first = parts[i].from_end ? p->rows - rows - parts[i].first : parts[i].first;
        const shape s = shape_of(p->weight, mode, rows);
        PL_TRY(multiply(p, plan, mode, rows, first, &p->result));
        for (size_t n = 0; n < s.n; n++)
            PL_TRY(pl__probe_bits(&p->stream, at(&p->result, &s, n, first), at(&p->reference, &whole, n, first),
                                  rows * row_bytes(&s), finding(p, BITS)));
    }
    return compare_values(p, mode, VALUE_ROWS, p->rows);
}

static pl_status compare_sums(probe *p, const pl__blas_plan *plan, pl__mode mode)
{
    for (size_t i = 0; i < SUMS && sums[i] <= p->most_sum; i++) {
        const shape s = shape_of(p->weight, mode, sums[i]);
        PL_TRY(multiply(p, plan, mode, sums[i], 0, &p->reference));
        PL_TRY(multiply(p, plan, mode, sums[i], 0, &p->result));
        PL_TRY(pl__probe_bits(&p->stream, p->result.data, p->reference.data, s.n * s.rows * row_bytes(&s),
                              finding(p, BITS)));
        PL_TRY(compare_values(p, mode, sums[i], sums[i]));
    }
    return PL_OK;
}

/* Runs a plan; it stays usable, or its flaw may rise. */
static pl_status try_plan(probe *p, pl__mode mode, pl__blas_plan *plan)
{
    pl_device *device = p->weight->device;
    int found[FINDINGS] = {0};
    PL_CUDA_TRY(device, cudaMemsetAsync(p->found.data, 0, sizeof found, p->stream.handle));
    const pl_status status = is_weight(mode) ? compare_sums(p, plan, mode) : compare_rows(p, plan, mode);
    if (status != PL_OK && status != PL_E_UNSUPPORTED) return status;
    PL_CUDA_TRY(device, cudaMemcpyAsync(found, p->found.data, sizeof found, cudaMemcpyDeviceToHost, p->stream.handle));
    PL_CUDA_TRY(device, cudaStreamSynchronize(p->stream.handle));
    plan->usable = status == PL_OK && !found[BITS] && !found[VALUES];
    if (plan->usable) return PL_OK;
    const pl__flaw flaw = found[VALUES] ? PL__WRONG_VALUES : found[BITS] ? PL__OTHER_BITS : PL__REFUSED;
    if (flaw > plan->flaw) plan->flaw = flaw;
    return PL_OK;
}

/* One proposal after another; not after wrong values, which may be plumb's own fault and are to be seen. */
static pl_status try_mode(probe *p, pl__mode mode, pl__blas_plan *plan)
{
    const pl__call canonical = call_of(p, mode, CANONICAL_ROWS, 0, &p->reference);
    *plan = (pl__blas_plan){.free = p->free};
    for (size_t next = 0; !plan->usable && plan->flaw != PL__WRONG_VALUES; next = plan->proposal + 1) {
        pl__lt_plan(p->lt, &canonical, next, plan);
        if (!plan->usable || plan->free) return PL_OK;
        PL_TRY(try_plan(p, mode, plan));
    }
    return PL_OK;
}

pl_status pl__probe(pl__lt *lt, pl_weight *weight, bool free, bool backward, pl__blas_plan plans[PL__MODES])
{
    pl_device *device = weight->device;
    probe p = {.stream = {.device = device, .handle = device->setup},
               .lt = lt,
               .weight = weight,
               .free = free,
               .backward = backward};
    pl_status status = prepare(&p, buffer_bytes);
    if (status == PL_E_MEMORY) {
        release(&p);
        status = prepare(&p, fewer_bytes);
    }
    for (pl__mode mode = 0; status == PL_OK && mode < PL__MODES; mode++) {
        if (is_tried(&p, mode)) status = try_mode(&p, mode, &plans[mode]);
    }
    if (status == PL_OK) {
        PL_CUDA_KEEP(status, device, cudaMemsetAsync(weight->data, 0, weight->bytes, p.stream.handle));
        PL_CUDA_KEEP(status, device, cudaStreamSynchronize(p.stream.handle));
    }
    release(&p);
    return status;
}
