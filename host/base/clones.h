/* Functions that exist once for each width of the CPU's vectors, picked at run time. Their bodies know +, -, *, / and
 * comparisons of vectors only, never a fused form, so that all give the same bits. */
#ifndef PLUMB_BASE_CLONES_H
#define PLUMB_BASE_CLONES_H

/* PL__CLONES(name, (int a), (a)) makes `name` of the always inlined `name_body`. */
#define PL__INLINED static inline __attribute__((always_inline))
#if defined(__x86_64__)
#define PL__CLONES(name, parameters, arguments)                                                                        \
    __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw"))) static void name##_avx512 parameters                 \
    {                                                                                                                  \
        name##_body arguments;                                                                                         \
    }                                                                                                                  \
    __attribute__((target("avx2"))) static void name##_avx2 parameters                                                 \
    {                                                                                                                  \
        name##_body arguments;                                                                                         \
    }                                                                                                                  \
    static void name parameters                                                                                        \
    {                                                                                                                  \
        if (__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&                                \
            __builtin_cpu_supports("avx512bw"))                                                                        \
            name##_avx512 arguments;                                                                                   \
        else if (__builtin_cpu_supports("avx2"))                                                                       \
            name##_avx2 arguments;                                                                                     \
        else                                                                                                           \
            name##_body arguments;                                                                                     \
    }
#else
#define PL__CLONES(name, parameters, arguments)                                                                        \
    static void name parameters                                                                                        \
    {                                                                                                                  \
        name##_body arguments;                                                                                         \
    }
#endif

#endif
