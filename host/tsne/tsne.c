#include "tsne/tsne.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"
#include "tsne/field.h"

static const double START_SD = 1e-4;
/* Iterations between two looks at whether the map is finite: a device is waited for then. */
enum { LOOK = 50 };

struct pl_tsne {
    const pl_affinity *affinity;
    const pl_processor *processor;
    pl_stream *stream;
    pl_view start, column, value; /* of the affinities */
    pl_view y, update, gain, mean, workspace;
    pl__field field;
};

void pl_tsne_free(pl_tsne *t)
{
    if (!t) return;
    pl_view *views[] = {&t->start, &t->column, &t->value, &t->y, &t->update, &t->gain, &t->mean, &t->workspace};
    if (t->stream) (void)t->processor->ops->stream_wait(t->stream);
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) pl_view_free(t->processor, views[i]);
    pl__field_free(&t->field);
    if (t->stream) t->processor->ops->stream_free(t->stream);
    free(t);
}

static pl_status create_views(pl_tsne *t)
{
    const pl_processor *on = t->processor;
    const size_t n = t->affinity->n, entries = t->affinity->n_values;
    if (n > PL_MAP_POINTS_MOST || entries > INT32_MAX)
        return pl_fail(PL_E_INPUT, "t-SNE of %zu points with %zu affinities: expected at most %d and %d", n, entries,
                       (int)PL_MAP_POINTS_MOST, INT32_MAX);
    PL_TRY(on->ops->stream_create(on->device, &t->stream));
    PL_TRY(pl_view_create(on, &t->start, 1, n + 1, PL_I32));
    PL_TRY(pl_view_create(on, &t->column, 1, entries, PL_I32));
    PL_TRY(pl_view_create(on, &t->value, 1, entries, PL_F32));
    PL_TRY(pl_view_create(on, &t->y, 1, 2 * n, PL_F32));
    PL_TRY(pl_view_create(on, &t->update, 1, 2 * n, PL_F32));
    PL_TRY(pl_view_create(on, &t->gain, 1, 2 * n, PL_F32));
    PL_TRY(pl_view_create(on, &t->mean, 1, 2, PL_F64));
    PL_TRY(pl_view_create(on, &t->workspace, 1, on->ops->map_step_workspace_bytes(n), PL_U8));
    return pl__field_create(&t->field, on, t->stream, n);
}

static pl_status send_affinities(const pl_tsne *t)
{
    const pl_affinity *a = t->affinity;
    int32_t *start;
    PL_TRY(pl_new(&start, a->n + 1));
    for (size_t i = 0; i <= a->n; i++) start[i] = (int32_t)a->start[i];
    pl_status status = pl_upload(t->processor, t->stream, t->start, start);
    if (status == PL_OK) status = pl_upload(t->processor, t->stream, t->column, a->column);
    if (status == PL_OK) status = pl_upload(t->processor, t->stream, t->value, a->value);
    if (status == PL_OK) status = t->processor->ops->stream_wait(t->stream);
    free(start);
    return status;
}

static pl_status send(const pl_tsne *t, pl_view to, const float *numbers)
{
    PL_TRY(pl_upload(t->processor, t->stream, to, numbers));
    return t->processor->ops->stream_wait(t->stream);
}

/* Without a map yet. */
static pl_status create(pl_tsne **out, const pl_processor *processor, const pl_affinity *affinity)
{
    PL_TRY(pl_new(out, 1));
    (*out)->affinity = affinity;
    (*out)->processor = processor;
    pl_status status = create_views(*out);
    if (status == PL_OK) status = send_affinities(*out);
    if (status == PL_OK) return PL_OK;
    pl_tsne_free(*out);
    *out = NULL;
    return status;
}

pl_status pl_tsne_create(pl_tsne **out, const pl_processor *processor, const pl_affinity *affinity, const float *start)
{
    const size_t numbers = 2 * affinity->n;
    float *ones = NULL;
    pl_status status;
    PL_TRY(create(out, processor, affinity));
    PL_GOTO(status, failed, pl_new(&ones, numbers));
    for (size_t i = 0; i < numbers; i++) ones[i] = 1.0f;
    PL_GOTO(status, failed, send(*out, (*out)->gain, ones));
    PL_GOTO(status, failed, send(*out, (*out)->y, start));
    free(ones);
    return PL_OK;
failed:
    free(ones);
    pl_tsne_free(*out);
    *out = NULL;
    return status;
}

pl_status pl_tsne_copy(pl_tsne **out, const pl_tsne *of)
{
    float *numbers = NULL;
    pl_status status;
    PL_TRY(create(out, of->processor, of->affinity));
    const struct {
        pl_view to, from;
    } views[] = {{(*out)->y, of->y}, {(*out)->update, of->update}, {(*out)->gain, of->gain}};
    PL_GOTO(status, failed, pl_new(&numbers, 2 * of->affinity->n));
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) {
        PL_GOTO(status, failed, pl_download(of->processor, of->stream, numbers, views[i].from));
        PL_GOTO(status, failed, of->processor->ops->stream_wait(of->stream));
        PL_GOTO(status, failed, send(*out, views[i].to, numbers));
    }
    free(numbers);
    return PL_OK;
failed:
    free(numbers);
    pl_tsne_free(*out);
    *out = NULL;
    return status;
}

static pl_status check_finite(const pl_tsne *t)
{
    double mean[2];
    PL_TRY(pl_download(t->processor, t->stream, mean, t->mean));
    PL_TRY(t->processor->ops->stream_wait(t->stream));
    if (isfinite(mean[0]) && isfinite(mean[1])) return PL_OK;
    return pl_fail(PL_E_NOT_FINITE, "t-SNE: the map is not finite any more");
}

pl_status pl_tsne_optimise(pl_tsne *t, double exaggeration, size_t iterations, pl_tsne_step *step, void *context)
{
    const pl_map_step_args args = {.start = t->start,
                                   .column = t->column,
                                   .value = t->value,
                                   .force = t->field.force,
                                   .z = t->field.z,
                                   .exaggeration = exaggeration,
                                   .y = t->y,
                                   .update = t->update,
                                   .gain = t->gain,
                                   .mean = t->mean,
                                   .workspace = t->workspace};
    for (size_t k = 1; k <= iterations; k++) {
        PL_TRY(pl__field_of(&t->field, t->y));
        PL_TRY(pl_op_map_step(t->processor, t->stream, &args));
        if (k % LOOK == 0 || k == iterations) PL_TRY(check_finite(t));
        if (step) step(context);
    }
    return PL_OK;
}

pl_status pl_tsne_layout(float *out, const pl_tsne *t)
{
    PL_TRY(pl_download(t->processor, t->stream, out, t->y));
    return t->processor->ops->stream_wait(t->stream);
}

/* ---- how good a map is ---- */

/* Point i with its neighbours: sum p ln p + sum p ln(1 + d^2), sum p and, into pull[2], sum p (y_i - y_j) / (1 + d^2).
 */
static double row_divergence(double pull[2], double *sum_p, const pl_affinity *p, const float *y, size_t i)
{
    double sum = 0.0;
    pull[0] = pull[1] = 0.0;
    for (size_t at = p->start[i]; at < p->start[i + 1]; at++) {
        const double value = (double)p->value[at];
        if (!(value > 0.0)) continue;
        const size_t j = (size_t)p->column[at];
        const double dx = (double)y[2 * i] - (double)y[2 * j], dy = (double)y[2 * i + 1] - (double)y[2 * j + 1];
        const double squared = dx * dx + dy * dy;
        sum += value * (log(value) + log1p(squared));
        *sum_p += value;
        pull[0] += value * dx / (1.0 + squared);
        pull[1] += value * dy / (1.0 + squared);
    }
    return sum;
}

/* force [n, 2] and z of a map. */
static pl_status sum_field(float *force, double *z, const pl_processor *processor, const float *map, size_t n)
{
    pl_stream *stream = NULL;
    pl_view y = {0};
    pl__field field = {0};
    pl_status status;
    PL_GOTO(status, done, processor->ops->stream_create(processor->device, &stream));
    PL_GOTO(status, done, pl_view_create(processor, &y, 1, 2 * n, PL_F32));
    PL_GOTO(status, done, pl__field_create(&field, processor, stream, n));
    PL_GOTO(status, done, pl_upload(processor, stream, y, map));
    PL_GOTO(status, done, pl__field_exact(&field, y));
    PL_GOTO(status, done, pl_download(processor, stream, force, field.force));
    PL_GOTO(status, done, pl_download(processor, stream, z, field.z));
    status = processor->ops->stream_wait(stream);
done:
    if (status != PL_OK && stream) (void)processor->ops->stream_wait(stream);
    pl__field_free(&field);
    pl_view_free(processor, &y);
    if (stream) processor->ops->stream_free(stream);
    return status;
}

pl_status pl_tsne_divergence(double *divergence, float *gradient, const pl_processor *processor,
                             const pl_affinity *affinity, const float *map)
{
    const size_t n = affinity->n;
    double z, sum = 0.0, sum_p = 0.0, pull[2];
    float *force;
    PL_TRY(pl_new(&force, 2 * n));
    pl_status status = sum_field(force, &z, processor, map, n);
    for (size_t i = 0; i < n && status == PL_OK; i++) {
        sum += row_divergence(pull, &sum_p, affinity, map, i);
        for (size_t c = 0; c < 2 && gradient; c++)
            gradient[2 * i + c] = (float)(pull[c] - (double)force[2 * i + c] / z);
    }
    if (status == PL_OK) *divergence = sum + sum_p * log(z);
    free(force);
    return status;
}

void pl_tsne_start(float *start, const float *scores, size_t n, size_t dims, double jitter, uint64_t seed)
{
    double square = 0.0;
    for (size_t i = 0; i < n; i++) square += (double)scores[i * dims] * (double)scores[i * dims];
    const double scale = START_SD / sqrt(square / (double)n);
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < 2; c++) {
            double at = c < dims ? scale * (double)scores[i * dims + c] : 0.0;
            if (jitter > 0.0) at += jitter * START_SD * pl_random_normal(seed, PL_RANDOM_MAP, (uint32_t)c, i);
            start[2 * i + c] = (float)at;
        }
    }
}
