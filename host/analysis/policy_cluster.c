/* Resampling of tasks and models (policy.h). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/policy.h"
#include "base/random.h"

static bool same_task(const pl_policy_case *a, const pl_policy_case *b)
{
    return !strcmp(a->task, b->task);
}

static bool same_model(const pl_policy_case *a, const pl_policy_case *b)
{
    return !strcmp(a->model, b->model);
}

static size_t number(size_t *of, const pl_policy_cases *cases,
                     bool (*same)(const pl_policy_case *, const pl_policy_case *))
{
    size_t n = 0;
    for (size_t i = 0; i < cases->n; i++) {
        size_t first = 0;
        while (!same(&cases->list[first], &cases->list[i])) first++;
        of[i] = first == i ? n++ : of[first];
    }
    return n;
}

pl_status pl_policy_clusters_of(pl_policy_clusters *out, const pl_policy_cases *cases)
{
    *out = (pl_policy_clusters){0};
    PL_TRY(pl_new(&out->task_of, cases->n));
    pl_status status = pl_new(&out->model_of, cases->n);
    if (status != PL_OK) {
        pl_policy_clusters_free(out);
        return status;
    }
    out->n_tasks = number(out->task_of, cases, same_task);
    out->n_models = number(out->model_of, cases, same_model);
    return PL_OK;
}

void pl_policy_clusters_free(pl_policy_clusters *clusters)
{
    free(clusters->task_of);
    free(clusters->model_of);
    *clusters = (pl_policy_clusters){0};
}

static void draw(double *times, size_t n, uint32_t stream)
{
    memset(times, 0, n * sizeof *times);
    for (size_t i = 0; i < n; i++) times[pl_random_below(0, PL_RANDOM_BOOTSTRAP, stream, i, (uint32_t)n)] += 1;
}

void pl_policy_resample(double *weight, double *scratch, const pl_policy_clusters *clusters, size_t n,
                        uint32_t replicate)
{
    double *tasks = scratch, *models = scratch + clusters->n_tasks;
    bool both = clusters->n_models >= PL_POLICY_MODELS_MIN;
    draw(tasks, clusters->n_tasks, 2 * replicate);
    if (both) draw(models, clusters->n_models, 2 * replicate + 1);
    for (size_t i = 0; i < n; i++) weight[i] = tasks[clusters->task_of[i]] * (both ? models[clusters->model_of[i]] : 1);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void pl_policy_bounds(double bounds[2], double *values, size_t n)
{
    bounds[0] = bounds[1] = NAN;
    if (n < 40) return;
    qsort(values, n, sizeof *values, ascending);
    bounds[0] = values[(size_t)(0.025 * (double)(n - 1))];
    bounds[1] = values[(size_t)ceil(0.975 * (double)(n - 1))];
}
