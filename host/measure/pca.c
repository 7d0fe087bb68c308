#include "measure/pca.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/vector.h"
#include "measure/eigen.h"
#include "measure/gram.h"
#include "statistics/parallel.h"

/* A component whose variance is below this share of the first one's is rounding. */
static const double NEGLIGIBLE = 1e-12;

/* loadings[k, width] of the scores' directions u[k, n] of the rows' Gram matrix: X' u / |X' u|. */
static void loadings_of_rows(double *loadings, const double *u, size_t k, const double *mean, const float *x, size_t n,
                             size_t width)
{
#pragma omp parallel for schedule(static) if (n * width * k >= PL__PARALLEL_MIN)
    for (size_t c = 0; c < k; c++) {
        double *out = loadings + c * width;
        for (size_t d = 0; d < width; d++) out[d] = 0.0;
        for (size_t i = 0; i < n; i++)
            for (size_t d = 0; d < width; d++) out[d] += u[c * n + i] * ((double)x[i * width + d] - mean[d]);
        const double norm = sqrt(pl__dot(out, out, width));
        for (size_t d = 0; d < width && norm > 0.0; d++) out[d] /= norm;
    }
}

static void fix_sign(double *loading, size_t width)
{
    size_t most = 0;
    for (size_t d = 1; d < width; d++)
        if (fabs(loading[d]) > fabs(loading[most])) most = d;
    if (loading[most] >= 0.0) return;
    for (size_t d = 0; d < width; d++) loading[d] = -loading[d];
}

static pl_status put_scores(pl_pca *pca, const double *loadings, const double *mean, const float *x, size_t width)
{
    pl_status status = PL_OK;
#pragma omp parallel if (pca->n * width * pca->dims >= PL__PARALLEL_MIN)
    {
        double *row = malloc(width * sizeof *row), *scores = malloc(pca->dims * sizeof *scores);
#pragma omp for schedule(static)
        for (size_t i = 0; i < pca->n; i++) {
            if (!row || !scores) continue;
            for (size_t d = 0; d < width; d++) row[d] = (double)x[i * width + d] - mean[d];
            pl__dots(scores, row, 1, loadings, pca->dims, width);
            for (size_t c = 0; c < pca->dims; c++) pca->scores[i * pca->dims + c] = (float)scores[c];
        }
#pragma omp critical(pl_pca_memory)
        if (!row || !scores) status = PL_E_MEMORY;
        free(scores);
        free(row);
    }
    return status == PL_OK ? PL_OK : pl_fail(PL_E_MEMORY, "principal components: out of memory");
}

pl_status pl_pca_of(pl_pca *out, const float *x, size_t n, size_t width, size_t most_dims, const pl_processor *on)
{
    const pl_gram_of of = n < width ? PL_GRAM_OF_ROWS : PL_GRAM_OF_COLUMNS;
    const size_t m = n < width ? n : width;
    size_t k = most_dims < m ? most_dims : m, size;
    double *gram = NULL, *mean = NULL, *vectors = NULL, *loadings = NULL;
    pl_status status;
    *out = (pl_pca){.n = n};
    PL_GOTO(status, done, pl_mul_size(&size, m, m, "Gram matrix"));
    PL_GOTO(status, done, pl_new(&gram, size));
    PL_GOTO(status, done, pl_new(&mean, width));
    PL_GOTO(status, done, pl_new(&vectors, k * m));
    PL_GOTO(status, done, pl_new(&out->variance, k));
    PL_GOTO(status, done, pl_gram_whole(gram, mean, x, n, width, of, on));
    for (size_t i = 0; i < m; i++) out->total += gram[i * m + i] / (double)(n - 1);
    PL_GOTO(status, done, pl__largest_eigen(out->variance, vectors, k, gram, m));
    while (out->dims < k && out->variance[out->dims] > NEGLIGIBLE * out->variance[0]) out->dims++;
    if (out->dims == 0 || !(out->total > 0.0)) {
        status = pl_fail(PL_E_INPUT, "all %zu rows have the same values: expected rows that differ", n);
        goto done;
    }
    for (size_t c = 0; c < out->dims; c++) out->variance[c] /= (double)(n - 1);
    PL_GOTO(status, done, pl_new(&out->scores, n * out->dims));
    loadings = vectors;
    if (of == PL_GRAM_OF_ROWS) {
        PL_GOTO(status, done, pl_new(&loadings, out->dims * width));
        loadings_of_rows(loadings, vectors, out->dims, mean, x, n, width);
    }
    for (size_t c = 0; c < out->dims; c++) fix_sign(loadings + c * width, width);
    status = put_scores(out, loadings, mean, x, width);
done:
    if (loadings != vectors) free(loadings);
    free(vectors);
    free(mean);
    free(gram);
    if (status != PL_OK) pl_pca_free(out);
    return status;
}

void pl_pca_free(pl_pca *pca)
{
    free(pca->scores);
    free(pca->variance);
    *pca = (pl_pca){0};
}
