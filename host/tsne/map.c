#include "tsne/map.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "measure/pca.h"
#include "tsne/field.h"

/* SD of the noise in the starts of all seeds but the first, relative to the start's. */
static const double JITTER = 0.1;

/* What the maps of one set of states are made of. */
typedef struct making {
    const pl_map_settings *settings;
    pl_points points; /* principal components */
    size_t k;
    int32_t *near; /* [n, k] */
    pl_affinity affinity;
} making;

size_t pl_map_iterations(size_t seeds)
{
    return PL_TSNE_EARLY + 2 * PL_TSNE_MAIN + (seeds - 1) * (PL_TSNE_EARLY + PL_TSNE_MAIN);
}

pl_status pl_map_seconds(double *seconds, size_t n, const pl_map_settings *settings)
{
    enum { TRIES = 3 };
    static const double ALL_OF_IT = 1.5; /* attraction, steps and what stands beside, of repulsion's time */
    const pl_processor *on = settings->processor;
    pl_stream *stream = NULL;
    pl__field field = {0};
    pl_view y = {0};
    float *map = NULL;
    double least = INFINITY;
    const double extent = sqrt((double)n); /* of a map, roughly */
    pl_status status;
    if (settings->threads > 0) omp_set_num_threads((int)settings->threads);
    PL_GOTO(status, done, on->ops->stream_create(on->device, &stream));
    PL_GOTO(status, done, pl__field_create(&field, on, stream, n));
    PL_GOTO(status, done, pl_view_create(on, &y, 1, 2 * n, PL_F32));
    PL_GOTO(status, done, pl_new(&map, 2 * n));
    for (size_t i = 0; i < 2 * n; i++) map[i] = (float)(extent * pl_random_uniform(0, PL_RANDOM_MAP, 4 + i % 2, i / 2));
    PL_GOTO(status, done, pl_upload(on, stream, y, map));
    PL_GOTO(status, done, on->ops->stream_wait(stream));
    for (int i = 0; i < TRIES; i++) {
        const double start = pl_clock_s();
        PL_GOTO(status, done, pl__field_of(&field, y));
        PL_GOTO(status, done, on->ops->stream_wait(stream));
        least = fmin(least, pl_clock_s() - start);
    }
    *seconds = ALL_OF_IT * least * (double)pl_map_iterations(settings->seeds);
done:
    free(map);
    pl_view_free(on, &y);
    pl__field_free(&field);
    if (stream) on->ops->stream_free(stream);
    return status;
}

/* The divergence and the quality of c->at; its neighbours are kept in map_near [n, 12]. */
static pl_status judge(pl_chart *c, int32_t *map_near, const making *m)
{
    const pl_points placed = {c->at, m->points.n, 2};
    PL_TRY(pl_tsne_divergence(&c->kl, NULL, m->settings->processor, &m->affinity, c->at));
    PL_TRY(pl_neighbours(map_near, &placed, PL_QUALITY_RANKS));
    return pl_quality_of(&c->quality, &m->points, m->near, m->k, c->at, map_near);
}

static pl_status finish(pl_chart *c, pl_tsne *t, double exaggeration, int32_t *map_near, const making *m)
{
    PL_TRY(pl_tsne_optimise(t, exaggeration, PL_TSNE_MAIN, m->settings->step, m->settings->context));
    PL_TRY(pl_new(&c->at, 2 * m->points.n));
    PL_TRY(pl_tsne_layout(c->at, t));
    return judge(c, map_near, m);
}

static pl_status begin(pl_tsne **t, const making *m, const float *start)
{
    PL_TRY(pl_tsne_create(t, m->settings->processor, &m->affinity, start));
    return pl_tsne_optimise(*t, PL_TSNE_EARLY_EXAGGERATION, PL_TSNE_EARLY, m->settings->step, m->settings->context);
}

static void make_start(float *start, const making *m, double jitter, uint64_t seed)
{
    const pl_points *p = &m->points;
    if (m->settings->start)
        pl_tsne_start(start, m->settings->start, p->n, 2, jitter, seed);
    else
        pl_tsne_start(start, p->x, p->n, p->width, jitter, seed);
}

/* Both maps from one start: what comes after the early iterations forks. */
static pl_status make_first(pl_state_map *out, const making *m, float *start, int32_t *map_near)
{
    pl_tsne *plain = NULL, *exaggerated = NULL;
    pl_status status;
    make_start(start, m, 0.0, 0);
    PL_GOTO(status, done, begin(&plain, m, start));
    PL_GOTO(status, done, pl_tsne_copy(&exaggerated, plain));
    PL_GOTO(status, done, finish(&out->exaggerated, exaggerated, PL_MAP_EXAGGERATED, map_near, m));
    PL_GOTO(status, done, finish(&out->plain, plain, 1.0, map_near, m));
    status =
        pl_reliability_of(&out->reliability, &m->affinity, m->near, m->k, out->plain.at, map_near, PL_QUALITY_RANKS);
done:
    pl_tsne_free(exaggerated);
    pl_tsne_free(plain);
    return status;
}

static pl_status make_seeds(pl_state_map *out, const making *m, float *start, int32_t *map_near)
{
    double sum = 0.0;
    size_t pairs = 0;
    PL_TRY(pl_new(&out->seeds, out->n_seeds));
    out->seeds[0] = (pl_chart){NULL, out->plain.kl, out->plain.quality};
    for (size_t s = 1; s < out->n_seeds; s++) {
        pl_tsne *t = NULL;
        make_start(start, m, JITTER, s);
        pl_status status = begin(&t, m, start);
        if (status == PL_OK) status = finish(&out->seeds[s], t, 1.0, map_near, m);
        pl_tsne_free(t);
        PL_TRY(status);
        for (size_t other = 0; other < s; other++, pairs++)
            sum += pl_map_disparity(other == 0 ? out->plain.at : out->seeds[other].at, out->seeds[s].at, out->n);
    }
    out->disparity = pairs > 0 ? sum / (double)pairs : NAN;
    return PL_OK;
}

static pl_status note_device(pl_state_map *out, const pl_processor *processor)
{
    pl_device_facts facts;
    PL_TRY(processor->ops->facts(processor->device, &facts));
    snprintf(out->device, sizeof out->device, "%s", facts.device_class);
    return PL_OK;
}

static pl_status make_maps(pl_state_map *out, making *m)
{
    const size_t n = m->points.n;
    float *start = NULL;
    int32_t *map_near = NULL;
    pl_status status;
    PL_GOTO(status, done, pl_new(&start, 2 * n));
    PL_GOTO(status, done, pl_new(&map_near, n * PL_QUALITY_RANKS));
    PL_GOTO(status, done, pl_new(&m->near, n * m->k));
    PL_GOTO(status, done, pl_neighbours(m->near, &m->points, m->k));
    PL_GOTO(status, done, pl_affinity_of(&m->affinity, &m->points, m->near, m->k, m->settings->perplexity));
    PL_GOTO(status, done, make_first(out, m, start, map_near));
    PL_GOTO(status, done, make_seeds(out, m, start, map_near));
    PL_GOTO(status, done, note_device(out, m->settings->processor));
    out->has_map = true;
done:
    free(map_near);
    free(start);
    return status;
}

static pl_status put_pca(pl_state_map *out, const pl_pca *pca)
{
    PL_TRY(pl_new(&out->pca, 2 * pca->n));
    for (size_t i = 0; i < pca->n; i++)
        for (size_t c = 0; c < 2 && c < pca->dims; c++) out->pca[2 * i + c] = pca->scores[i * pca->dims + c];
    for (size_t c = 0; c < 2 && c < pca->dims; c++) out->explained[c] = pca->variance[c] / pca->total;
    out->dims = pca->dims;
    return PL_OK;
}

pl_status pl_state_map_of(pl_state_map *out, const float *x, size_t n, size_t width, const pl_map_settings *settings)
{
    pl_pca pca = {0};
    making m = {.settings = settings, .k = (size_t)(3.0 * settings->perplexity)};
    pl_status status;
    if (settings->threads > 0) omp_set_num_threads((int)settings->threads);
    *out = (pl_state_map){.n = n, .n_seeds = settings->seeds, .perplexity = settings->perplexity, .disparity = NAN};
    if (n < 2 || width == 0) return pl_fail(PL_E_INPUT, "%zu rows of %zu values: expected at least 2 rows", n, width);
    if (n >= PL_MAP_LEAST && (m.k > n - 1 || m.k < PL_QUALITY_RANKS || !(settings->perplexity > 1.0)))
        return pl_fail(
            PL_E_INPUT,
            "perplexity %g needs %zu neighbours of each point, of %zu points each has %zu: expected %d to %zu",
            settings->perplexity, m.k, n, n - 1, (PL_QUALITY_RANKS + 2) / 3, (n - 1) / 3);
    PL_GOTO(status, done, pl_pca_of(&pca, x, n, width, settings->dims, settings->processor));
    PL_GOTO(status, done, put_pca(out, &pca));
    m.points = (pl_points){pca.scores, n, pca.dims};
    if (n >= PL_MAP_LEAST) status = make_maps(out, &m);
done:
    pl_affinity_free(&m.affinity);
    free(m.near);
    pl_pca_free(&pca);
    if (status != PL_OK) pl_state_map_free(out);
    return status;
}

void pl_state_map_free(pl_state_map *map)
{
    for (size_t s = 1; map->seeds && s < map->n_seeds; s++) free(map->seeds[s].at);
    free(map->seeds);
    pl_reliability_free(&map->reliability);
    free(map->exaggerated.at);
    free(map->plain.at);
    free(map->pca);
    *map = (pl_state_map){0};
}
