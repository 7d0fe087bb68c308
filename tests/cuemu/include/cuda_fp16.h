/* Stand-in for CUDA's cuda_fp16.h: the type, and conversions that round to nearest even. Bits 1-5-10. No arithmetic and
 * no implicit conversion, so that a kernel which compiles here computes in float32 under nvcc as well. */
#ifndef CUEMU_CUDA_FP16_H
#define CUEMU_CUDA_FP16_H

#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
#include "cuemu_types.h"
#endif

#ifdef __cplusplus
struct __half {
    uint16_t bits;
};
#else
typedef struct {
    uint16_t bits;
} __half;
#endif

#ifdef __cplusplus
struct alignas(4) __half2 {
    __half x, y;
};
typedef __half half;
typedef __half2 half2;

inline float __half2float(__half h)
{
    uint32_t sign = (uint32_t)(h.bits & 0x8000u) << 16, exponent = h.bits >> 10 & 31, fraction = h.bits & 0x3ffu, bits;
    if (exponent == 31) {
        bits = sign | 0x7f800000u | fraction << 13;
    } else if (exponent) {
        bits = sign | (exponent + 112) << 23 | fraction << 13;
    } else {
        float magnitude = (float)fraction * 0x1p-24f; /* exact: zero and subnormals */
        memcpy(&bits, &magnitude, sizeof bits);
        bits |= sign;
    }
    float result;
    memcpy(&result, &bits, sizeof result);
    return result;
}

inline __half __float2half_rn(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu, result;
    if (magnitude > 0x7f800000u) {
        return {0x7fff}; /* the NaN that the hardware gives */
    } else if (magnitude >= 0x477ff000u) {
        result = 0x7c00; /* 65520 and more round to infinity */
    } else if (magnitude >= 0x38800000u) {
        uint32_t shifted = magnitude - (112u << 23);
        result = (shifted + 0xfffu + (shifted >> 13 & 1)) >> 13;
    } else if (magnitude < 0x33000000u) {
        result = 0; /* below half of the smallest subnormal */
    } else {
        /* fraction of 24 bits, worth 2^(exponent - 150); the result counts 2^-24 */
        uint32_t fraction = (magnitude & 0x7fffffu) | 0x800000u, shift = 126 - (magnitude >> 23);
        uint32_t whole = fraction >> shift, rest = fraction & ((1u << shift) - 1), half = 1u << (shift - 1);
        result = whole + (rest > half || (rest == half && (whole & 1)));
    }
    return {(uint16_t)(sign | result)};
}

inline __half __float2half(float x)
{
    return __float2half_rn(x);
}
inline __half2 __floats2half2_rn(float x, float y)
{
    return {__float2half_rn(x), __float2half_rn(y)};
}
inline __half2 __float22half2_rn(float2 v)
{
    return __floats2half2_rn(v.x, v.y);
}
inline __half2 __halves2half2(__half x, __half y)
{
    return {x, y};
}
inline float2 __half22float2(__half2 v)
{
    return {__half2float(v.x), __half2float(v.y)};
}
inline float __low2float(__half2 v)
{
    return __half2float(v.x);
}
inline float __high2float(__half2 v)
{
    return __half2float(v.y);
}
inline __half __low2half(__half2 v)
{
    return v.x;
}
inline __half __high2half(__half2 v)
{
    return v.y;
}
inline unsigned short __half_as_ushort(__half h)
{
    return h.bits;
}
inline __half __ushort_as_half(unsigned short bits)
{
    return {bits};
}
inline bool __hisnan(__half h)
{
    return (h.bits & 0x7fffu) > 0x7c00u;
}
inline int __hisinf(__half h)
{
    return (h.bits & 0x7fffu) != 0x7c00u ? 0 : h.bits & 0x8000u ? -1 : 1;
}
#endif

#endif
