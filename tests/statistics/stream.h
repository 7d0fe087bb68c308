/* What simulated studies are made of: a cheap stream of normals of its own for each (SplitMix64, Box-Muller). */
#ifndef PLUMB_TESTS_STATISTICS_STREAM_H
#define PLUMB_TESTS_STATISTICS_STREAM_H

#include <math.h>
#include <stdint.h>

typedef struct stream {
    uint64_t at;
    double spare;
    int has_spare;
} stream;

static inline double uniform(stream *r)
{
    uint64_t z = r->at += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return ((double)((z ^ z >> 31) >> 11) + 0.5) / 9007199254740992.0;
}

static inline double normal(stream *r)
{
    if (r->has_spare) {
        r->has_spare = 0;
        return r->spare;
    }
    double radius = sqrt(-2.0 * log(uniform(r))), angle = 6.283185307179586 * uniform(r);
    r->has_spare = 1;
    r->spare = radius * sin(angle);
    return radius * cos(angle);
}

static inline double phi(double x)
{
    return 0.5 * erfc(-x / sqrt(2.0));
}

#endif
