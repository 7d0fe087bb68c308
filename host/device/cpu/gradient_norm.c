/* The norm of all gradients: the squares of each chunk are summed in double precision over 16 lanes (element i in lane
 * i % 16) and a fixed tree, the chunks' sums then one after another. */
#include <math.h>

#include "device/cpu/norm.h"
#include "device/cpu/parameters.h"

pl_status PL__WIDE(gradient_norm)(pl_stream *stream, const pl_gradient_norm_args *args)
{
    const pl_parameters *p = args->parameters;
    double *squares = p->n_chunks ? (double *)pl__at(args->workspace, 0) : NULL, sum = 0.0;
#pragma omp parallel for num_threads(pl__threads(stream, p->n_chunks *PL_OPTIMIZER_CHUNK)) schedule(static)
    for (size_t i = 0; i < p->n_chunks; i++) {
        const pl__chunk *chunk = &p->chunks[i];
        squares[i] = pl__row_sum(pl__f32(p->list[chunk->parameter].gradient, 0) + chunk->first, chunk->n, 0.0, 2);
    }
    for (size_t i = 0; i < p->n_chunks; i++) sum += squares[i];
    float *factors = pl__f32(args->factors, 0);
    const double norm = sqrt(sum), clip = (double)args->max_norm / (norm + 1e-6);
    factors[PL_FACTOR_NORM] = (float)norm;
    factors[PL_FACTOR_FINITE] = isfinite(factors[PL_FACTOR_NORM]) ? 1.0f : 0.0f;
    factors[PL_FACTOR_CLIP] = args->max_norm > 0.0f && clip < 1.0 ? (float)clip : 1.0f;
    return PL_OK;
}
