#include "measure/similarity.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/tile.h"
#include "measure/similarity_parts.h"
#include "statistics/parallel.h"

static const pl__similar_kind *kind_of(pl_similarity similarity)
{
    static const pl__similar_kind *const kinds[] = {[PL_SIMILAR_CKA] = &pl__similar_cka,
                                                    [PL_SIMILAR_MKNN] = &pl__similar_mknn,
                                                    [PL_SIMILAR_PROCRUSTES] = &pl__similar_procrustes};
    return kinds[similarity];
}

size_t pl_side_bytes(pl_similarity similarity, size_t n, size_t capacity)
{
    return kind_of(similarity)->bytes(n, capacity);
}

pl_status pl_side_open(pl_side *out, pl_similarity similarity, size_t n, size_t capacity, const pl_processor *on)
{
    *out = (pl_side){.similarity = similarity, .n = n, .capacity = capacity, .on = on};
    if (n < 4) return pl_fail(PL_E_INPUT, "similarity of states: %zu items, expected at least 4", n);
    pl_status status = pl_new(&out->varies, capacity);
    if (status == PL_OK) status = kind_of(similarity)->open(out);
    if (status != PL_OK) pl_side_free(out);
    return status;
}

pl_status pl_side_add(pl_side *side, const float *states, size_t width)
{
    PL_TRY(kind_of(side->similarity)->add(side, states, width));
    side->m++;
    return PL_OK;
}

void pl_side_free(pl_side *side)
{
    free(side->varies);
    free(side->grams);
    free(side->neighbours);
    free(side->near);
    free(side->scores);
    *side = (pl_side){0};
}

static void one_grid(double *grid, const pl_side *x, const pl_side *y, const size_t *order, void *work)
{
    kind_of(x->similarity)->grid(grid, x, y, order, work);
    for (size_t a = 0; a < x->m; a++)
        for (size_t b = 0; b < y->m; b++)
            if ((x == y && b <= a) || !x->varies[a] || !y->varies[b]) grid[a * y->m + b] = NAN;
}

pl_status pl_similar_grids(double *grids, const pl_side *x, const pl_side *y, const size_t *orders, size_t n_orders)
{
    size_t n = x->n, size = x->m * y->m, doubles = kind_of(x->similarity)->work_size(x, y), *as_is;
    pl_status status = PL_OK;
    PL_TRY(pl_new(&as_is, n));
    for (size_t i = 0; i < n; i++) as_is[i] = i;
#pragma omp parallel if (n * n * size >= PL__PARALLEL_MIN / (n_orders + 1))
    {
        double *work;
        pl_status own = pl__new_panels(&work, doubles, "a permuted table");
#pragma omp for schedule(dynamic)
        for (size_t k = 0; k < n_orders + 1; k++)
            if (own == PL_OK) one_grid(grids + k * size, x, y, k ? orders + (k - 1) * n : as_is, work);
        free(own == PL_OK ? work : NULL);
#pragma omp critical
        if (own != PL_OK) status = own;
    }
    free(as_is);
    return status == PL_OK ? PL_OK : pl_fail(status, "a permuted table: %zu doubles do not fit in memory", doubles);
}
