/* The probe: a product of many rows is the reference; products of some of these rows, from several places on, must have
 * its bits; and its values must be those of the own product, so that a wrong bias type or a rough GELU is found, too.
 * Row numbers are below, at and above the sizes of tiles; the reference fills the device more than once where memory
 * allows, because an algorithm may treat its last wave differently. */
#include "probe.h"

#include <math.h>

#include "product.h"

#ifdef PL_CUDA_EMULATED
enum { LEAST_ROWS = 72, MOST_ROWS = 72 }; /* the emulator runs half a million threads a second */
#else
enum { LEAST_ROWS = 144, MOST_ROWS = 8192 };
#endif
enum { CANONICAL_ROWS = 2048, VALUE_ROWS = 32 };
static const size_t buffer_bytes = (size_t)256 << 20, fewer_bytes = (size_t)64 << 20; /* where memory is short */

typedef struct probe {
    pl_stream stream;
    pl__lt *lt;
    pl_weight *weight;
    bool free;
    size_t rows;
    pl_buffer x, old, y, reference, bias, found;
} probe;

static size_t padded(size_t n, size_t element_bytes)
{
    size_t step = 16 / element_bytes;
    return (n + step - 1) / step * step;
}

static bool adds(pl__mode mode)
{
    return mode == PL__ADD || mode == PL__ADD_BIAS;
}

static bool has_bias(pl__mode mode)
{
    return mode == PL__STORE_BIAS || mode == PL__STORE_GELU || mode == PL__ADD_BIAS;
}

static pl_dtype result_type(const pl_weight *w, pl__mode mode)
{
    return adds(mode) || mode == PL__FLOAT ? PL_F32 : pl_dtype_storage(w->compute);
}

/* What two right products may differ by: outputs are about 1 in size and below 8. float32: the rounding errors of two
 * orders of summation; tf32: of inputs rounded in two ways; 16-bit results: one last bit; 16-bit inputs with float32
 * sums: tensor cores cut addends off at differing places. */
static float tolerance(const pl_weight *w, pl__mode mode)
{
    if (w->compute == PL_TF32) return 2e-2f;
    if (w->compute == PL_F32) return 2e-5f + 4e-7f * sqrtf((float)w->n_in);
    return result_type(w, mode) == PL_F32 ? 2e-3f : w->compute == PL_BF16 ? 7e-2f : 1e-2f;
}

static pl_status buffer(pl_device *device, pl_buffer *out, size_t bytes)
{
    out->device = device;
    out->bytes = bytes;
    return pl__memory_create(device, &out->data, bytes, "the probe of a product");
}

static pl_status prepare(probe *p, size_t most_bytes)
{
    const pl_weight *w = p->weight;
    pl_device *device = w->device;
    const pl_dtype storage = pl_dtype_storage(w->compute);
    const size_t in = padded(w->n_in, pl_dtype_bytes(storage)), out = padded(w->n_out, 2);
    const size_t rows = most_bytes / ((in > out ? in : out) * sizeof(float));
    p->rows = rows > MOST_ROWS ? MOST_ROWS : rows < LEAST_ROWS ? LEAST_ROWS : rows;
    PL_TRY(buffer(device, &p->x, p->rows * in * pl_dtype_bytes(storage)));
    PL_TRY(buffer(device, &p->old, p->rows * out * sizeof(float)));
    PL_TRY(buffer(device, &p->y, p->rows * out * sizeof(float)));
    PL_TRY(buffer(device, &p->reference, p->rows * out * sizeof(float)));
    PL_TRY(buffer(device, &p->bias, out * sizeof(float)));
    PL_TRY(buffer(device, &p->found, sizeof(int)));
    PL_TRY(pl__probe_fill(&p->stream, p->x.data, storage, p->rows * in, 1.0f, 1));
    PL_TRY(pl__probe_fill(&p->stream, p->old.data, PL_F32, p->rows * out, 1.0f, 2));
    PL_TRY(pl__probe_fill(&p->stream, p->bias.data, PL_F32, w->n_out, 1.0f, 3));
    /* The outputs' variance becomes 1. */
    return pl__probe_fill(&p->stream, w->data, storage, w->n_out * w->stride, 3.0f / sqrtf((float)w->n_in), 4);
}

static void release(probe *p)
{
    pl_buffer *buffers[] = {&p->x, &p->old, &p->y, &p->reference, &p->bias, &p->found};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) {
        pl__memory_free(p->weight->device, buffers[i]->data);
        buffers[i]->data = NULL;
    }
}

static pl__call call_of(const probe *p, pl__mode mode, size_t rows, size_t first, const pl_buffer *y)
{
    const pl_weight *w = p->weight;
    const size_t in_bytes = pl_dtype_bytes(w->compute), out_bytes = pl_dtype_bytes(result_type(w, mode));
    pl__call c = {.compute = w->compute,
                  .mode = mode,
                  .rows = rows,
                  .n_out = w->n_out,
                  .n_in = w->n_in,
                  .w = w->data,
                  .bias = p->bias.data,
                  .x_stride = padded(w->n_in, in_bytes),
                  .w_stride = w->stride,
                  .y_stride = padded(w->n_out, out_bytes)};
    c.x = (const char *)p->x.data + first * c.x_stride * in_bytes;
    c.y = (char *)y->data + first * c.y_stride * out_bytes;
    return c;
}

/* Rows first.. of y in bytes; they start as the numbers that are added to, or as zeros. */
static pl_status start_rows(const probe *p, pl__mode mode, size_t rows, size_t first, const pl_buffer *y)
{
    const pl_weight *w = p->weight;
    const size_t bytes = padded(w->n_out, pl_dtype_bytes(result_type(w, mode))) * pl_dtype_bytes(result_type(w, mode));
    char *to = (char *)y->data + first * bytes;
    if (adds(mode))
        PL_CUDA_TRY(w->device, cudaMemcpyAsync(to, (const char *)p->old.data + first * bytes, rows * bytes,
                                               cudaMemcpyDeviceToDevice, p->stream.handle));
    else
        PL_CUDA_TRY(w->device, cudaMemsetAsync(to, 0, rows * bytes, p->stream.handle));
    return PL_OK;
}

static pl_status multiply(probe *p, const pl__blas_plan *plan, pl__mode mode, size_t rows, size_t first,
                          const pl_buffer *y)
{
    const pl__call c = call_of(p, mode, rows, first, y);
    PL_TRY(start_rows(p, mode, rows, first, y));
    return pl__lt_run(&p->stream, p->lt, &c, plan);
}

static pl_status compare_bits(probe *p, const pl__blas_plan *plan, pl__mode mode)
{
    static const struct {
        size_t rows, first;
        bool from_end;
    } parts[] = {{1, 0, false},  {1, 0, true},     {2, 5, false},   {16, 3, false}, {17, 0, true},
                 {64, 1, false}, {64, 0, true},    {136, 0, false}, {136, 0, true}, {512, 0, false},
                 {512, 3, true}, {2048, 1, false}, {4096, 1, false}};
    const size_t element = pl_dtype_bytes(result_type(p->weight, mode));
    const size_t bytes = padded(p->weight->n_out, element) * element;
    PL_TRY(multiply(p, plan, mode, p->rows, 0, &p->reference));
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const size_t rows = parts[i].rows;
        if (rows + parts[i].first > p->rows) continue;
        const size_t first = parts[i].from_end ? p->rows - rows - parts[i].first : parts[i].first;
        PL_TRY(multiply(p, plan, mode, rows, first, &p->y));
        PL_TRY(pl__probe_bits(&p->stream, (const char *)p->y.data + first * bytes,
                              (const char *)p->reference.data + first * bytes, rows * bytes, p->found.data));
    }
    return PL_OK;
}

/* The reference has been made. */
static pl_status compare_values(probe *p, pl__mode mode)
{
    const pl_weight *w = p->weight;
    const pl_dtype type = result_type(w, mode), storage = pl_dtype_storage(w->compute);
    const size_t rows = VALUE_ROWS, stride = padded(w->n_out, pl_dtype_bytes(type));
    const pl_view x = {.buffer = &p->x,
                       .rows = rows,
                       .columns = w->n_in,
                       .stride = padded(w->n_in, pl_dtype_bytes(storage)),
                       .dtype = storage};
    const pl_view y = {.buffer = &p->y, .rows = rows, .columns = w->n_out, .stride = stride, .dtype = type};
    const pl__epilogue epilogue = {.bias = has_bias(mode) ? p->bias.data : NULL,
                                   .activation = mode == PL__STORE_GELU ? PL_ACT_GELU_TANH : PL_ACT_NONE,
                                   .accumulate = adds(mode)};
    PL_TRY(start_rows(p, mode, rows, 0, &p->y));
    PL_TRY(pl__gemm(&p->stream, w, x, y, rows, NULL, &epilogue));
    return pl__probe_values(&p->stream, p->y.data, p->reference.data, type, rows * stride, tolerance(w, mode),
                            p->found.data);
}

static pl_status try_mode(probe *p, pl__mode mode, pl__blas_plan *plan)
{
    pl_device *device = p->weight->device;
    int found = 0;
    const pl__call canonical = call_of(p, mode, CANONICAL_ROWS, 0, &p->reference);
    PL_TRY(pl__lt_plan(device, p->lt, &canonical, plan));
    plan->free = p->free;
    if (!plan->usable || plan->free) return PL_OK;
    PL_CUDA_TRY(device, cudaMemsetAsync(p->found.data, 0, sizeof found, p->stream.handle));
    PL_TRY(compare_bits(p, plan, mode));
    PL_TRY(compare_values(p, mode));
    PL_CUDA_TRY(device, cudaMemcpyAsync(&found, p->found.data, sizeof found, cudaMemcpyDeviceToHost, p->stream.handle));
    PL_CUDA_TRY(device, cudaStreamSynchronize(p->stream.handle));
    plan->usable = found == 0;
    return PL_OK;
}

pl_status pl__probe(pl__lt *lt, pl_weight *weight, bool free, pl__blas_plan plans[PL__MODES])
{
    pl_device *device = weight->device;
    probe p = {.stream = {.device = device, .handle = device->setup}, .lt = lt, .weight = weight, .free = free};
    pl_status status = prepare(&p, buffer_bytes);
    if (status == PL_E_MEMORY) {
        release(&p);
        status = prepare(&p, fewer_bytes);
    }
    for (pl__mode mode = 0; status == PL_OK && mode < PL__MODES; mode++) {
        /* float32 has one way of storing plainly. */
        if (mode == PL__FLOAT && pl_dtype_storage(weight->compute) == PL_F32) continue;
        status = try_mode(&p, mode, &plans[mode]);
    }
    if (status == PL_OK) {
        PL_CUDA_KEEP(status, device, cudaMemsetAsync(weight->data, 0, weight->bytes, p.stream.handle));
        PL_CUDA_KEEP(status, device, cudaStreamSynchronize(p.stream.handle));
    }
    release(&p);
    return status;
}
