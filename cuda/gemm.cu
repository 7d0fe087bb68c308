/* The own product of each form (gemm.cuh): which tile, and the launch.
 *
 * Promise 1 rests on these kernels where cuBLASLt does not. For TF32 they are exact products of rounded numbers,
 * without tensor cores; a path for devices where cuBLASLt cannot be used. */
#include "product.h"

#include "gemm.cuh"

namespace
{

/* ---- Which tile ---- */

typedef mma_tile<128, 256, 64, 64, 4> wide16;
typedef mma_tile<128, 128, 64, 64, 3> square16;
typedef mma_tile<32, 64, 16, 32, 6> small16;
typedef mma_tile<16, 32, 16, 16, 12> least16;
typedef fma_tile<128, 128, 8, 8> square32;
typedef fma_tile<32, 64, 4, 4> small32;
typedef fma_tile<16, 32, 2, 2> least32;

/* Each tile of a type: its kernel, its shape, how much of the arithmetic it can use. The first is the widest. */
struct choice {
    void (*kernel)(problem);
    int rows, columns, threads, shared, percent;
};
enum { MOST_CHOICES = 4 };

template <class S> choice choice_of(void (*kernel)(problem), int percent)
{
    return {kernel, S::ROWS, S::COLUMNS, S::THREADS, S::SHARED, percent};
}

template <class T, form F> int choices16(choice (&c)[MOST_CHOICES])
{
    c[0] = choice_of<wide16>(mma_kernel<T, wide16, F, 1>, 100);
    c[1] = choice_of<square16>(mma_kernel<T, square16, F, 2>, 85);
    c[2] = choice_of<small16>(mma_kernel<T, small16, F, 4>, 40);
    if (F != FORWARD) return 3; /* training has many rows */
    c[3] = choice_of<least16>(mma_kernel<T, least16, FORWARD, 4>, 20);
    return 4;
}

template <bool TF32, form F> int choices32(choice (&c)[MOST_CHOICES])
{
    c[0] = choice_of<square32>(fma_kernel<square32, TF32, F>, 100);
    c[1] = choice_of<small32>(fma_kernel<small32, TF32, F>, 50);
    if (F != FORWARD) return 2;
    c[2] = choice_of<least32>(fma_kernel<least32, TF32, FORWARD>, 25);
    return 3;
}

template <form F> int choices_of(pl_dtype compute, choice (&c)[MOST_CHOICES])
{
    return compute == PL_BF16   ? choices16<__nv_bfloat16, F>(c)
           : compute == PL_F16  ? choices16<__half, F>(c)
           : compute == PL_TF32 ? choices32<true, F>(c)
                                : choices32<false, F>(c);
}

/* The time a tile takes, in units of an element of a perfect one: full waves over the processors. */
size_t cost(const pl_device *device, const problem &p, size_t parts, const choice &c)
{
    const size_t rows = (size_t)c.rows, columns = (size_t)c.columns, processors = (size_t)device->n_processors;
    const size_t tiles = pl__ceil_div((size_t)p.m, rows) * pl__ceil_div((size_t)p.n, columns) * parts;
    return pl__ceil_div(tiles, processors) * rows * columns * 100 / (size_t)c.percent;
}

bool aligned(pl_view v, size_t bytes)
{
    const size_t size = pl_dtype_bytes(v.dtype);
    return (uintptr_t)pl__at(v, 0) % bytes == 0 && (v.rows <= 1 || v.stride * size % bytes == 0);
}

operand operand_of(pl_view v)
{
    return {pl__at(v, 0), v.stride, aligned(v, CHUNK)};
}

operand operand_of(const pl_weight *weight)
{
    return {weight->data, weight->stride, true};
}

void set_result(problem &p, pl_view y)
{
    p.y = pl__at(y, 0);
    p.y_stride = y.stride;
    p.y_aligned = aligned(y, 4 * pl_dtype_bytes(y.dtype));
    p.y_float = y.dtype == PL_F32;
}

enum { MOST = 1 << 30 }; /* rows, inputs, outputs, least tiles: a grid has fewer than 2^31 blocks */

pl_status check_size(const pl_stream *stream, const pl_weight *weight, size_t rows)
{
    const size_t out = weight->n_out, in = weight->n_in;
    const size_t wide = in > out ? in : out;
    if (rows <= MOST / 16 && wide <= MOST && rows / 16 * (wide / 32) <= MOST && out / 16 * (in / 32) <= MOST)
        return PL_OK;
    return stream->device->host->fail(PL_E_UNSUPPORTED, "a product of %zu rows with a weight [%zu, %zu] is too large",
                                      rows, out, in);
}

/* Sizes and operands are set. */
template <form F> pl_status launch(pl_stream *stream, pl_dtype compute, problem &p, size_t parts)
{
    choice choices[MOST_CHOICES];
    int best = 0;
    for (int i = 1, n = choices_of<F>(compute, choices); i < n; i++) {
        if (cost(stream->device, p, parts, choices[i]) < cost(stream->device, p, parts, choices[best])) best = i;
    }
    const choice &c = choices[best];
    p.row_tiles = (p.m + c.rows - 1) / c.rows;
    p.column_tiles = (p.n + c.columns - 1) / c.columns;
    CU_LAUNCH(c.kernel, dim3((unsigned)p.row_tiles * (unsigned)p.column_tiles, (unsigned)parts),
              dim3((unsigned)c.threads), (size_t)c.shared, stream->handle, p);
    PL_LAUNCHED(stream, "a product");
    return PL_OK;
}

template <form F> pl_status prepare(const pl_device *device, pl_dtype compute)
{
    choice choices[MOST_CHOICES];
    const int n = choices_of<F>(compute, choices);
    for (int i = 0; i < n; i++) {
        PL_CUDA_TRY(device, cudaFuncSetAttribute(choices[i].kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                                 choices[i].shared));
    }
    return PL_OK;
}

} // namespace

/* Loads the kernels, which a recording may not do, and lets them have the shared memory that they need. */
extern "C" pl_status pl__gemm_prepare(const pl_device *device, pl_dtype compute)
{
    PL_TRY(prepare<FORWARD>(device, compute));
    PL_TRY(prepare<MASKED>(device, compute));
    PL_TRY(prepare<INPUT>(device, compute));
    return prepare<WEIGHT>(device, compute);
}

/* x W^T */
static problem forward_problem(const pl_weight *weight, pl_view x, pl_view y, size_t rows, const int32_t *count,
                               const float *bias)
{
    problem p = {};
    p.a = operand_of(x);
    p.b = operand_of(weight);
    set_result(p, y);
    p.bias = bias;
    p.count = count;
    p.m = (int)rows;
    p.n = (int)weight->n_out;
    p.k = (int)weight->n_in;
    return p;
}

extern "C" pl_status pl__gemm(pl_stream *stream, const pl_weight *weight, pl_view x, pl_view y, size_t rows,
                              const int32_t *count, const pl__epilogue *epilogue)
{
    PL_TRY(check_size(stream, weight, rows));
    if (!rows) return PL_OK;
    problem p = forward_problem(weight, x, y, rows, count, epilogue->bias);
    p.accumulate = epilogue->accumulate;
    p.activation = epilogue->activation;
    return launch<FORWARD>(stream, weight->compute, p, 1);
}

extern "C" pl_status pl__gemm_masked(pl_stream *stream, const pl_linear_args *args, size_t rows)
{
    PL_TRY(check_size(stream, args->weight, rows));
    if (!rows) return PL_OK;
    problem p = forward_problem(args->weight, args->x, args->y, rows, pl__count_at(args->counts, args->count),
                                (const float *)pl__at(args->bias, 0));
    p.pre = pl__at(args->pre, 0);
    p.pre_stride = args->pre.stride;
    p.mask = pl__mask_source_of(&args->dropout);
    p.positions = (const int32_t *)pl__at(args->positions, 0);
    return launch<MASKED>(stream, args->weight->compute, p, 1);
}

extern "C" pl_status pl__gemm_input(pl_stream *stream, const pl_weight *weight, pl_view z, pl_view dx, size_t rows,
                                    const int32_t *count, pl__cut cut, bool accumulate)
{
    PL_TRY(check_size(stream, weight, rows));
    if (!rows) return PL_OK;
    problem p = {};
    p.a = operand_of(z);
    p.b = operand_of(weight);
    set_result(p, dx);
    p.count = count;
    p.m = (int)rows;
    p.n = (int)weight->n_in;
    p.k = (int)weight->n_out;
    p.part = (int)cut.length;
    p.part_stride = rows * dx.stride;
    p.accumulate = accumulate;
    return launch<INPUT>(stream, weight->compute, p, cut.parts);
}

extern "C" pl_status pl__gemm_weight(pl_stream *stream, const pl_weight *weight, pl_view z, pl_view x, pl_view dweight,
                                     size_t rows, const int32_t *count, pl__cut cut, bool accumulate)
{
    PL_TRY(check_size(stream, weight, rows));
    problem p = {};
    p.a = operand_of(z);
    p.b = operand_of(x);
    set_result(p, dweight);
    p.count = count;
    p.m = (int)weight->n_out;
    p.n = (int)weight->n_in;
    p.k = (int)rows;
    p.part = (int)cut.length;
    p.part_stride = weight->n_out * dweight.stride;
    p.accumulate = accumulate;
    return launch<WEIGHT>(stream, weight->compute, p, cut.parts);
}
