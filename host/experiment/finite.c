#include "experiment/finite.h"

#include <math.h>

static bool all_finite(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i])) return false;
    return true;
}

bool pl_state_exists(const pl_request *request, unsigned position)
{
    /* `mean` runs over the tokens from own_first on without position 0. */
    if (position == PL_POSITION_MEAN) return request->n > 1 && request->own_first < request->n;
    if (position == PL_POSITION_LABEL) return request->gold != SIZE_MAX;
    if (position == PL_POSITION_SUFFIX) return request->n_suffixed > 0;
    return true;
}

pl_not_finite pl_states_not_finite(const pl_results *results, const pl_request *requests)
{
    pl_not_finite found = {.first = SIZE_MAX, .layer = SIZE_MAX};
    for (size_t i = 0; i < results->n_requests; i++) {
        size_t layer = 0;
        for (; layer < results->n_layers; layer++) {
            const size_t C = results->widths[layer];
            if (results->last && !all_finite(results->last[layer] + i * C, C)) break;
            if (results->mean && pl_state_exists(&requests[i], PL_POSITION_MEAN) &&
                !all_finite(results->mean[layer] + i * C, C))
                break;
            if (results->suffix && pl_state_exists(&requests[i], PL_POSITION_SUFFIX) &&
                !all_finite(results->suffix[layer] + i * C, C))
                break;
        }
        if (layer == results->n_layers) continue;
        if (found.n++ == 0) found.first = i, found.layer = layer;
    }
    return found;
}
