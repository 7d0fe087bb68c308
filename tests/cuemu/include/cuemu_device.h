/* Keywords, built-in variables and device functions of CUDA C++. */
#ifndef CUEMU_DEVICE_H
#define CUEMU_DEVICE_H

/* ---- Keywords ---- */

#define __global__ /* kernels are static themselves, see cuemu.h */
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))

/* Filled with 0xFF bytes (NaN) before each block: see shared.ld. */
#define __shared__ static

#define threadIdx (cuemu::thread->index)
#define blockIdx  (cuemu::block->index)
#define blockDim  (cuemu::block->size)
#define gridDim   (cuemu::block->grid)
#define warpSize  32

#define CU_LAUNCH(kernel, grid, block, shared_bytes, stream, ...)                                                      \
    cuemu::launch_kernel(#kernel, kernel, (grid), (block), (shared_bytes), (stream), __VA_ARGS__)
#define CU_DYN_SHARED(T, name) T *name = reinterpret_cast<T *>(cuemu::block->dynamic_shared)

/* ---- Barriers, votes, shuffles ---- */

/* A macro, as two barriers of one line are two places. */
#define __syncthreads() cuemu::barrier(__LINE__, __FILE__, __COUNTER__)

inline void __syncwarp(unsigned mask = 0xffffffffu, CUEMU_PLACE)
{
    cuemu::exchange(mask, nullptr, 0, true, line, file);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, CUEMU_PLACE)
{
    return cuemu::ballot(mask, predicate != 0, line, file);
}
inline int __any_sync(unsigned mask, int predicate, CUEMU_PLACE)
{
    return cuemu::ballot(mask, predicate != 0, line, file) != 0;
}
inline int __all_sync(unsigned mask, int predicate, CUEMU_PLACE)
{
    return cuemu::ballot(mask, predicate == 0, line, file) == 0;
}

template <class V> inline V __shfl_sync(unsigned mask, V value, int source, int width = 32, CUEMU_PLACE)
{
    int first = cuemu::segment(cuemu::thread->lane, width);
    return cuemu::pick(mask, value, first + (source & (width - 1)), first, first + width, line, file);
}
template <class V> inline V __shfl_xor_sync(unsigned mask, V value, int bits, int width = 32, CUEMU_PLACE)
{
    int lane = cuemu::thread->lane;
    return cuemu::pick(mask, value, lane ^ bits, 0, cuemu::segment(lane, width) + width, line, file);
}
template <class V> inline V __shfl_down_sync(unsigned mask, V value, unsigned delta, int width = 32, CUEMU_PLACE)
{
    int lane = cuemu::thread->lane, first = cuemu::segment(lane, width);
    return cuemu::pick(mask, value, lane + (int)delta, first, first + width, line, file);
}
template <class V> inline V __shfl_up_sync(unsigned mask, V value, unsigned delta, int width = 32, CUEMU_PLACE)
{
    int lane = cuemu::thread->lane, first = cuemu::segment(lane, width);
    return cuemu::pick(mask, value, lane - (int)delta, first, first + width, line, file);
}

inline void __threadfence()
{
}
inline void __threadfence_block()
{
}

/* ---- Atomics: only between the threads of one block do they meet, and fibres do not preempt each other ---- */

namespace cuemu
{
template <class V, class F> CUEMU_UNSEEN V atomic_change(V *place, F change)
{
    V old;
#if defined(CUEMU_TSAN)
    /* TSan sees an atomic access, not a plain one. */
    using Bits = std::conditional_t<sizeof(V) == 8, uint64_t, uint32_t>;
    Bits *bits = reinterpret_cast<Bits *>(place), before = __atomic_load_n(bits, __ATOMIC_RELAXED), after;
    do {
        memcpy(&old, &before, sizeof old);
        V changed = change(old);
        memcpy(&after, &changed, sizeof after);
    } while (!__atomic_compare_exchange_n(bits, &before, after, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
#else
    old = *place;
    *place = change(old);
#endif
    return old;
}
} // namespace cuemu

template <class V, class W> inline V atomicAdd(V *place, W value)
{
    return cuemu::atomic_change(place, [value](V old) { return (V)(old + (V)value); });
}
template <class V, class W> inline V atomicMax(V *place, W value)
{
    return cuemu::atomic_change(place, [value](V old) { return old < (V)value ? (V)value : old; });
}
template <class V, class W> inline V atomicMin(V *place, W value)
{
    return cuemu::atomic_change(place, [value](V old) { return (V)value < old ? (V)value : old; });
}
template <class V, class W> inline V atomicExch(V *place, W value)
{
    return cuemu::atomic_change(place, [value](V) { return (V)value; });
}
template <class V, class W> inline V atomicCAS(V *place, W expected, W value)
{
    return cuemu::atomic_change(place, [expected, value](V old) { return old == (V)expected ? (V)value : old; });
}
template <class V, class W> inline V atomicOr(V *place, W value)
{
    return cuemu::atomic_change(place, [value](V old) { return (V)(old | (V)value); });
}

/* ---- Loads, bits, arithmetic ---- */

template <class V> inline V __ldg(const V *p)
{
    return *p;
}

namespace cuemu
{
template <class To, class From> inline To bits_of(From from)
{
    static_assert(sizeof(To) == sizeof(From), "sizes differ");
    To to;
    memcpy(&to, &from, sizeof to);
    return to;
}
} // namespace cuemu
inline int __float_as_int(float x)
{
    return cuemu::bits_of<int>(x);
}
inline unsigned __float_as_uint(float x)
{
    return cuemu::bits_of<unsigned>(x);
}
inline float __int_as_float(int x)
{
    return cuemu::bits_of<float>(x);
}
inline float __uint_as_float(unsigned x)
{
    return cuemu::bits_of<float>(x);
}
inline int __popc(unsigned x)
{
    return __builtin_popcount(x);
}
inline int __ffs(int x)
{
    return __builtin_ffs(x);
}
inline int __clz(int x)
{
    return x ? __builtin_clz((unsigned)x) : 32;
}

/* Built with -ffp-contract=off, so the rounded forms are the plain ones. */
inline float __fadd_rn(float a, float b)
{
    return a + b;
}
inline float __fsub_rn(float a, float b)
{
    return a - b;
}
inline float __fmul_rn(float a, float b)
{
    return a * b;
}
inline float __fdiv_rn(float a, float b)
{
    return a / b;
}
inline float __fmaf_rn(float a, float b, float c)
{
    return fmaf(a, b, c);
}
inline float __fsqrt_rn(float a)
{
    return sqrtf(a);
}
inline float __frcp_rn(float a)
{
    return 1.0f / a;
}
inline float __fdividef(float a, float b)
{
    return a / b;
}
inline float __expf(float x)
{
    return expf(x);
}
inline float __logf(float x)
{
    return logf(x);
}
inline float __saturatef(float x)
{
    return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f;
}
inline float __int2float_rn(int x)
{
    return (float)x;
}
inline int __float2int_rn(float x)
{
    return (int)lrintf(x);
}
/* A macro, as some C libraries have a function of that name. */
#define rsqrtf(x) (1.0f / sqrtf(x))
#define rsqrt(x)  (1.0 / sqrt(x))

#define CUEMU_MIN_MAX(A, B, R)                                                                                         \
    inline R min(A a, B b)                                                                                             \
    {                                                                                                                  \
        return (R)a < (R)b ? (R)a : (R)b;                                                                              \
    }                                                                                                                  \
    inline R max(A a, B b)                                                                                             \
    {                                                                                                                  \
        return (R)a > (R)b ? (R)a : (R)b;                                                                              \
    }
#define CUEMU_MIN_MAX_SIGNS(T)                                                                                         \
    CUEMU_MIN_MAX(T, T, T)                                                                                             \
    CUEMU_MIN_MAX(unsigned T, unsigned T, unsigned T)                                                                  \
    CUEMU_MIN_MAX(T, unsigned T, unsigned T)                                                                           \
    CUEMU_MIN_MAX(unsigned T, T, unsigned T)
CUEMU_MIN_MAX_SIGNS(int)
CUEMU_MIN_MAX_SIGNS(long)
CUEMU_MIN_MAX_SIGNS(long long)
CUEMU_MIN_MAX(double, double, double)
#undef CUEMU_MIN_MAX_SIGNS
#undef CUEMU_MIN_MAX
inline float min(float a, float b)
{
    return fminf(a, b);
}
inline float max(float a, float b)
{
    return fmaxf(a, b);
}

#endif
