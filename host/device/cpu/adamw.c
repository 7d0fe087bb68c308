/* AdamW over all parameters in one pass: master, both moments and gradient are read and written once. Products read the
 * masters, so no copy has to follow. Every element is by itself, so how the work is cut changes no bit. */
#include <math.h>
#include <string.h>

#include "device/cpu/parameters.h"

/* The numbers of one step, worked out in double precision once. */
typedef struct step {
    float clip, first, second, keep; /* 1 - beta1, 1 - beta2, beta2 */
    float rate, root, eps;           /* rate / FIRST, sqrt(SECOND) */
} step;

static void update(float *restrict w, float *restrict g, float *restrict m, float *restrict v, size_t n, const step *s,
                   float decay)
{
    const float clip = s->clip, first = s->first, second = s->second, keep = s->keep;
    const float rate = s->rate, root = s->root, eps = s->eps;
    for (size_t i = 0; i < n; i++) {
        float d = g[i] * clip, x = w[i] - decay * w[i];
        float mean = m[i] + first * (d - m[i]), square = keep * v[i] + second * (d * d);
        m[i] = mean;
        v[i] = square;
        w[i] = x - rate * (mean / (sqrtf(square) / root + eps));
        g[i] = 0.0f;
    }
}

pl_status PL__WIDE(adamw)(pl_stream *stream, const pl_adamw_args *args)
{
    const pl_parameters *p = args->parameters;
    const float *factors = pl__f32(args->factors, 0);
    const double rate = (double)factors[PL_FACTOR_RATE];
    const bool finite = factors[PL_FACTOR_FINITE] != 0.0f;
    const step s = {.clip = factors[PL_FACTOR_CLIP],
                    .first = (float)(1.0 - args->beta1),
                    .second = (float)(1.0 - args->beta2),
                    .keep = (float)args->beta2,
                    .rate = (float)(rate / (double)factors[PL_FACTOR_FIRST]),
                    .root = (float)sqrt((double)factors[PL_FACTOR_SECOND]),
                    .eps = (float)args->eps};
#pragma omp parallel for num_threads(pl__threads(stream, p->n_chunks *PL_OPTIMIZER_CHUNK)) schedule(static)
    for (size_t i = 0; i < p->n_chunks; i++) {
        const pl__chunk *chunk = &p->chunks[i];
        const pl_parameter *t = &p->list[chunk->parameter];
        float *gradient = pl__f32(t->gradient, 0) + chunk->first;
        if (!finite) {
            memset(gradient, 0, chunk->n * sizeof *gradient);
            continue;
        }
        update(pl__f32(t->master, 0) + chunk->first, gradient, pl__f32(t->first, 0) + chunk->first,
               pl__f32(t->second, 0) + chunk->first, chunk->n, &s,
               t->decay ? (float)(rate * args->weight_decay) : 0.0f);
    }
    return PL_OK;
}
