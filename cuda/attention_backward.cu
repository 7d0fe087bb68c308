/* The gradients of attention over whole sequences: picks the kernels and their tiles.
 *
 * Three launches: rowsum(dy y) with the list of tiles (attention_backward.cuh), then dq, then dk and dv. Grids are
 * sized by capacities: the tiles that so many rows of so many sequences can fill, times heads. */
#include "attention_backward.cuh"
#include "attention_backward_mma.cuh"
#include "attention_backward_simt.cuh"

/* The workspace: the number of tiles, the tiles, rowsums. */
static const size_t HEAD_BYTES = 16;

extern "C" size_t pl__attention_backward_workspace_bytes(size_t n_rows, size_t H, size_t G, size_t D)
{
    (void)G, (void)D;
    size_t row, bytes;
    if (__builtin_mul_overflow(H, sizeof(float), &row) || __builtin_add_overflow(row, sizeof(backward_tile), &row) ||
        __builtin_mul_overflow(n_rows, row, &bytes) || __builtin_add_overflow(bytes, HEAD_BYTES, &bytes))
        return SIZE_MAX;
    return bytes;
}

/* Rows n, of at most S sequences: never more tiles than rows, since a tile has one at least. */
static size_t tiles_of(const backward_params &p)
{
    const size_t rows = (size_t)p.row_capacity, most = rows / (size_t)p.tile_rows + (size_t)p.sequence_capacity;
    return most < rows ? most : rows;
}

template <class T> static pl_status multiply(pl_stream *stream, const backward_params &p)
{
    const size_t heads = (size_t)p.row_capacity * (size_t)p.n_heads;
    const unsigned blocks = (unsigned)(1 + pl__ceil_div(heads * INNER_LANES, INNER_THREADS));
    if (p.packed)
        CU_LAUNCH((multiply_rows<T, true>), blocks, (unsigned)INNER_THREADS, 0, stream->handle, p);
    else
        CU_LAUNCH((multiply_rows<T, false>), blocks, (unsigned)INNER_THREADS, 0, stream->handle, p);
    PL_LAUNCHED(stream, "attention_backward");
    return PL_OK;
}

/* Dynamic shared memory above 48 KiB is asked for once a launch: the call only sets a word of the function. */
template <class K> static pl_status allow_shared(const pl_device *device, K *kernel, size_t bytes)
{
    if (bytes > 48 * 1024)
        PL_CUDA_TRY(device, cudaFuncSetAttribute((const void *)kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                                 (int)bytes));
    return PL_OK;
}

static unsigned blocks_of(const backward_params &p, bool keys)
{
    return (unsigned)(tiles_of(p) * (size_t)(keys ? p.n_kv_heads : p.n_heads));
}

template <class T, int DP, bool KEYS, backward_kind KIND>
static pl_status pass_mma(pl_stream *stream, const backward_params &p, int n_warps)
{
    const size_t bytes = backward_shape<DP>::shared_bytes(n_warps);
    PL_TRY(allow_shared(stream->device, go_back_mma<T, DP, KEYS, KIND>, bytes));
    CU_LAUNCH((go_back_mma<T, DP, KEYS, KIND>), blocks_of(p, KEYS), (unsigned)(n_warps * PL__WARP), bytes,
              stream->handle, p);
    PL_LAUNCHED(stream, "attention_backward");
    return PL_OK;
}

/* Blocks of half the warps where there would be few of them: the same sums. */
template <class T, int DP, backward_kind KIND> static pl_status launch_mma(pl_stream *stream, backward_params &p)
{
    int n_warps = BACKWARD_WARPS;
    p.tile_rows = n_warps * backward_shape<DP>::own_rows;
    if (blocks_of(p, true) < 2 * (unsigned)stream->device->n_processors) {
        n_warps /= 2;
        p.tile_rows /= 2;
    }
    PL_TRY(multiply<T>(stream, p));
    PL_TRY((pass_mma<T, DP, false, KIND>(stream, p, n_warps)));
    return pass_mma<T, DP, true, KIND>(stream, p, n_warps);
}

template <class T, int DP> static pl_status pick_mma(pl_stream *stream, backward_params &p)
{
    const bool bent = p.softcap > 0.0f || p.alibi;
    p.log_scale = (bent ? 1.0f : p.scale) * LOG2_E;
    if (bent) return launch_mma<T, DP, BACKWARD_ALL>(stream, p);
    if (p.mask.key) return launch_mma<T, DP, BACKWARD_DROPS>(stream, p);
    return launch_mma<T, DP, BACKWARD_PLAIN>(stream, p);
}

template <class T, int COLUMNS, int ROWS, bool KEYS>
static pl_status pass_simt(pl_stream *stream, const backward_params &p, int n_warps)
{
    const backward_layout layout = backward_layout_of(p.width, n_warps * ROWS, KEYS ? 2 : 1);
    PL_TRY(allow_shared(stream->device, go_back_simt<T, COLUMNS, ROWS, KEYS>, layout.bytes));
    CU_LAUNCH((go_back_simt<T, COLUMNS, ROWS, KEYS>), blocks_of(p, KEYS), (unsigned)(n_warps * PL__WARP), layout.bytes,
              stream->handle, p, layout);
    PL_LAUNCHED(stream, "attention_backward");
    return PL_OK;
}

/* As many warps as shared memory has room for: the same sums. */
template <class T, int COLUMNS, int ROWS> static pl_status launch_simt(pl_stream *stream, backward_params &p)
{
    int n_warps = BACKWARD_WARPS;
    while (n_warps > 1 && backward_layout_of(p.width, n_warps * ROWS, 2).bytes > stream->device->shared_bytes)
        n_warps--;
    p.tile_rows = n_warps * ROWS;
    PL_TRY(multiply<T>(stream, p));
    PL_TRY((pass_simt<T, COLUMNS, ROWS, false>(stream, p, n_warps)));
    return pass_simt<T, COLUMNS, ROWS, true>(stream, p, n_warps);
}

template <class T> static pl_status pick_halves(pl_stream *stream, backward_params &p)
{
    if (p.width <= 64) return pick_mma<T, 64>(stream, p);
    if (p.width <= 128) return pick_mma<T, 128>(stream, p);
    return launch_simt<T, 8, 4>(stream, p);
}

static pl_status pick_floats(pl_stream *stream, backward_params &p)
{
    if (p.width <= 64) return launch_simt<float, 2, 8>(stream, p);
    if (p.width <= 128) return launch_simt<float, 4, 8>(stream, p);
    return launch_simt<float, 8, 4>(stream, p);
}

extern "C" pl_status pl__attention_backward(pl_stream *stream, const pl_attention_backward_args *args)
{
    const pl_batch *batch = args->batch;
    const pl_dtype type = args->qkv.dtype;
    const size_t unit = 16 / pl_dtype_bytes(type), H = args->n_heads, D = args->head_width;
    size_t rows = batch->positions.columns;
    const pl_view views[] = {args->qkv, args->y, args->dy, args->dqkv};
    bool packed = true;
    for (const pl_view &v : views) {
        rows = v.rows < rows ? v.rows : rows;
        packed = packed && pl__packs(v, D, unit);
    }
    if (!D || D > PL__MAX_HEAD_WIDTH)
        return stream->device->host->fail(PL_E_UNSUPPORTED, "attention_backward: heads of width %zu: CUDA has 1 to %d",
                                          D, (int)PL__MAX_HEAD_WIDTH);
    if (!rows || !args->sequences.rows) return PL_OK;
    backward_params p = {};
    char *workspace = (char *)pl__at(args->workspace, 0);
    p.n_tiles = (int *)workspace;
    p.tiles = (backward_tile *)(workspace + HEAD_BYTES);
    p.inner = (float *)(p.tiles + rows);
    p.n_rows = pl__count_at(batch->counts, PL_COUNT_TOKENS);
    p.n_sequences = (const int32_t *)pl__at(args->n_sequences, 0);
    p.sequences = (const int32_t *)pl__at(args->sequences, 0);
    p.sequence_stride = args->sequences.stride;
    p.row_capacity = (int)rows;
    p.sequence_capacity = (int)args->sequences.rows;
    p.qkv = pl__at(args->qkv, 0);
    p.qkv_stride = args->qkv.stride;
    p.y = pl__at(args->y, 0);
    p.y_stride = args->y.stride;
    p.dy = pl__at(args->dy, 0);
    p.dy_stride = args->dy.stride;
    p.dqkv = pl__at(args->dqkv, 0);
    p.dqkv_stride = args->dqkv.stride;
    p.lse = (const float *)pl__at(args->lse, 0);
    p.lse_stride = args->lse.stride;
    p.alibi = (const float *)pl__at(args->alibi, 0);
    p.alibi_scale = args->alibi_scale;
    p.n_heads = (int)H;
    p.n_kv_heads = (int)args->n_kv_heads;
    p.group = p.n_heads / p.n_kv_heads;
    p.width = (int)D;
    p.window = args->window && args->window < INT_MAX ? (int)args->window : INT_MAX;
    p.scale = args->scale;
    p.softcap = args->softcap;
    p.mask = pl__mask_source_of(&args->dropout);
    p.packed = packed;
    switch (type) {
    case PL_BF16:
        return pick_halves<__nv_bfloat16>(stream, p);
    case PL_F16:
        return pick_halves<__half>(stream, p);
    case PL_F32:
        return pick_floats(stream, p);
    default:
        return stream->device->host->fail(PL_E_UNSUPPORTED, "attention_backward: activations of %s",
                                          pl_dtype_name(type));
    }
}
