/* Stand-in for CUDA's cuda_bf16.h: the type, and conversions that round to nearest even. Bits 1-8-7: the upper half of
 * a float32. No arithmetic and no implicit conversion, as in cuda_fp16.h. */
#ifndef CUEMU_CUDA_BF16_H
#define CUEMU_CUDA_BF16_H

#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
#include "cuemu_types.h"
#endif

#ifdef __cplusplus
struct __nv_bfloat16 {
    uint16_t bits;
};
#else
typedef struct {
    uint16_t bits;
} __nv_bfloat16;
#endif

#ifdef __cplusplus
struct alignas(4) __nv_bfloat162 {
    __nv_bfloat16 x, y;
};
typedef __nv_bfloat16 nv_bfloat16;
typedef __nv_bfloat162 nv_bfloat162;

inline float __bfloat162float(__nv_bfloat16 h)
{
    uint32_t bits = (uint32_t)h.bits << 16;
    float result;
    memcpy(&result, &bits, sizeof result);
    return result;
}

inline __nv_bfloat16 __float2bfloat16_rn(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return {0x7fff}; /* the NaN that the hardware gives */
    return {(uint16_t)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16)};
}

inline __nv_bfloat16 __float2bfloat16(float x)
{
    return __float2bfloat16_rn(x);
}
inline __nv_bfloat162 __floats2bfloat162_rn(float x, float y)
{
    return {__float2bfloat16_rn(x), __float2bfloat16_rn(y)};
}
inline __nv_bfloat162 __float22bfloat162_rn(float2 v)
{
    return __floats2bfloat162_rn(v.x, v.y);
}
inline __nv_bfloat162 __halves2bfloat162(__nv_bfloat16 x, __nv_bfloat16 y)
{
    return {x, y};
}
inline float2 __bfloat1622float2(__nv_bfloat162 v)
{
    return {__bfloat162float(v.x), __bfloat162float(v.y)};
}
inline float __low2float(__nv_bfloat162 v)
{
    return __bfloat162float(v.x);
}
inline float __high2float(__nv_bfloat162 v)
{
    return __bfloat162float(v.y);
}
inline unsigned short __bfloat16_as_ushort(__nv_bfloat16 h)
{
    return h.bits;
}
inline __nv_bfloat16 __ushort_as_bfloat16(unsigned short bits)
{
    return {bits};
}
inline bool __hisnan(__nv_bfloat16 h)
{
    return (h.bits & 0x7fffu) > 0x7f80u;
}
inline int __hisinf(__nv_bfloat16 h)
{
    return (h.bits & 0x7fffu) != 0x7f80u ? 0 : h.bits & 0x8000u ? -1 : 1;
}
#endif

#endif
