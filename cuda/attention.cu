/* Causal grouped-query attention over pages of keys and values: picks the kernel and its tile.
 *
 * 16-bit types run on tensor cores (attention_mma.cuh), float32 on ordinary cores (attention_simt.cuh). Grids are sized
 * by capacities: runs, key/value heads, tiles of queries that a run of PL_RUN_ROWS rows can fill. */
#include "attention.cuh"
#include "attention_mma.cuh"
#include "attention_simt.cuh"

/* Dynamic shared memory above 48 KiB is asked for once a launch: the call only sets a word of the function. */
template <class K> static pl_status allow_shared(const pl_device *device, K *kernel, size_t bytes)
{
    if (bytes > device->shared_bytes) {
        return device->host->fail(PL_E_UNSUPPORTED,
                                  "attention: heads this wide need %zu bytes of shared memory a block, %s has %zu",
                                  bytes, device->name, device->shared_bytes);
    }
    if (bytes > 48 * 1024) {
        PL_CUDA_TRY(device, cudaFuncSetAttribute((const void *)kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                                 (int)bytes));
    }
    return PL_OK;
}

static unsigned tiles_of(int group, int tile_queries)
{
    return (unsigned)((PL_RUN_ROWS * group + tile_queries - 1) / tile_queries);
}

template <class T, int DP, bool BENT, bool DROPS>
static pl_status launch_mma(pl_stream *stream, const pl_kv *kv, const attention_params &p)
{
    using shape = mma_shape<DP>;
    const int warp_queries = shape::m_tiles * MMA_ROWS,
              wanted = (PL_RUN_ROWS * p.group + warp_queries - 1) / warp_queries;
    const int n_warps = wanted < MAX_WARPS ? wanted : (int)MAX_WARPS;
    const size_t bytes = shape::shared_bytes(n_warps);
    PL_TRY(allow_shared(stream->device, attend_mma<T, DP, BENT, DROPS>, bytes));
    dim3 grid((unsigned)p.run_capacity, (unsigned)kv->n_kv_heads, tiles_of(p.group, n_warps * warp_queries));
    CU_LAUNCH((attend_mma<T, DP, BENT, DROPS>), grid, (unsigned)(n_warps * PL__WARP), bytes, stream->handle, p);
    PL_LAUNCHED(stream, "attention");
    return PL_OK;
}

template <class T, bool BENT, bool DROPS>
static pl_status pick_mma(pl_stream *stream, const pl_kv *kv, const attention_params &p)
{
    if (p.width <= 32) return launch_mma<T, 32, BENT, DROPS>(stream, kv, p);
    if (p.width <= 64) return launch_mma<T, 64, BENT, DROPS>(stream, kv, p);
    if (p.width <= 96) return launch_mma<T, 96, BENT, DROPS>(stream, kv, p);
    if (p.width <= 128) return launch_mma<T, 128, BENT, DROPS>(stream, kv, p);
    return launch_mma<T, 256, BENT, DROPS>(stream, kv, p);
}

/* Dropout has kernels of its own, so that inference pays nothing for it; for 16 bits they bend scores as well. */
template <class T> static pl_status pick_kind(pl_stream *stream, const pl_kv *kv, const attention_params &p, bool bent)
{
    if (p.mask.key) return pick_mma<T, true, true>(stream, kv, p);
    return bent ? pick_mma<T, true, false>(stream, kv, p) : pick_mma<T, false, false>(stream, kv, p);
}

template <int COLUMNS, int QUERIES, bool DROPS>
static pl_status launch_simt(pl_stream *stream, const pl_kv *kv, const attention_params &p)
{
    simt_layout layout = simt_layout_of(p.width, QUERIES, 2, DROPS);
    if (layout.bytes > stream->device->shared_bytes) layout = simt_layout_of(p.width, QUERIES, 1, DROPS);
    PL_TRY(allow_shared(stream->device, attend_simt<COLUMNS, QUERIES, DROPS>, layout.bytes));
    dim3 grid((unsigned)p.run_capacity, (unsigned)kv->n_kv_heads, tiles_of(p.group, MAX_WARPS * QUERIES));
    CU_LAUNCH((attend_simt<COLUMNS, QUERIES, DROPS>), grid, (unsigned)(MAX_WARPS * PL__WARP), layout.bytes,
              stream->handle, p, layout);
    PL_LAUNCHED(stream, "attention");
    return PL_OK;
}

template <bool DROPS> static pl_status pick_simt(pl_stream *stream, const pl_kv *kv, const attention_params &p)
{
    if (p.width <= 32) return launch_simt<1, 16, DROPS>(stream, kv, p);
    if (p.width <= 64) return launch_simt<2, 16, DROPS>(stream, kv, p);
    if (p.width <= 128) return launch_simt<4, 8, DROPS>(stream, kv, p);
    return launch_simt<8, 4, DROPS>(stream, kv, p);
}

static bool even(pl_view v)
{
    return v.offset % 2 == 0 && v.stride % 2 == 0;
}

extern "C" pl_status pl__attention(pl_stream *stream, const pl_attention_args *args)
{
    const pl_batch *batch = args->batch;
    const pl_kv *kv = args->kv;
    if (!args->qkv.rows || !args->y.rows || !batch->positions.columns || !batch->runs.rows) return PL_OK;
    attention_params p = {};
    p.n_runs = pl__count_at(batch->counts, PL_COUNT_RUNS);
    p.run_capacity = (int)batch->runs.rows;
    p.runs = (const int32_t *)pl__at(batch->runs, 0);
    p.run_stride = batch->runs.stride;
    p.positions = (const int32_t *)pl__at(batch->positions, 0);
    p.paths = (const int32_t *)pl__at(batch->paths, 0);
    p.table = (const int32_t *)pl__at(batch->page_table, 0);
    p.table_stride = batch->page_table.stride;
    p.kv = (const char *)kv->data + pl__kv_offset(kv, args->layer, 0, 0) * pl_dtype_bytes(kv->dtype);
    p.page_elements = kv->n_kv_heads * 2 * PL_PAGE * kv->head_width;
    p.q = pl__at(args->qkv, 0);
    p.q_stride = args->qkv.stride;
    p.y = pl__at(args->y, 0);
    p.y_stride = args->y.stride;
    p.lse = (float *)pl__at(args->lse, 0);
    p.lse_stride = args->lse.stride;
    p.alibi = (const float *)pl__at(args->alibi, 0);
    p.alibi_scale = args->alibi_scale;
    p.n_heads = (int)args->n_heads;
    p.group = (int)(args->n_heads / kv->n_kv_heads);
    p.width = (int)kv->head_width;
    p.window = args->window && args->window < INT_MAX ? (int)args->window : INT_MAX;
    p.scale = args->scale;
    p.softcap = args->softcap;
    p.mask = pl__mask_source_of(&args->dropout);
    const bool bent = p.softcap > 0.0f || p.alibi || p.mask.key;
    p.log_scale = (bent ? 1.0f : p.scale) * LOG2_E;
    p.by_words = even(args->qkv) && even(args->y) && p.width % 2 == 0;
    switch (kv->dtype) {
    case PL_BF16:
        return pick_kind<__nv_bfloat16>(stream, kv, p, bent);
    case PL_F16:
        return pick_kind<__half>(stream, kv, p, bent);
    case PL_F32:
        return p.mask.key ? pick_simt<true>(stream, kv, p) : pick_simt<false>(stream, kv, p);
    default:
        return stream->device->host->fail(PL_E_UNSUPPORTED, "attention: pages of %s", pl_dtype_name(kv->dtype));
    }
}
