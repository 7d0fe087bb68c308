#include "measure/logistic_solve.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/memory.h"
#include "device/logistic.h"

/* The problems on the device, and what they hold in all. */
typedef struct placed {
    const pl_processor *processor;
    pl_stream *stream;
    pl_logistic_args args;
    size_t z, labels, theta; /* elements */
    int32_t *facts;          /* [n, PL_LOGISTIC_FACTS] */
    int32_t *classes;        /* [labels] */
    double *distance;        /* [n, strengths] */
} placed;

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Where each problem stands: places are 32 bits wide. */
static pl_status lay_out(placed *p, const pl__logistic_problem *problems, size_t n, size_t n_strengths)
{
    PL_TRY(pl_new(&p->facts, n * PL_LOGISTIC_FACTS));
    for (size_t i = 0; i < n; i++) {
        const pl__logistic_problem *q = &problems[i];
        size_t z = 0, theta = 0;
        PL_TRY(pl_mul_size(&z, q->n, q->width, "features"));
        PL_TRY(pl_mul_size(&theta, pl_logistic_outputs(q->n_classes) * n_strengths, q->width, "coefficients"));
        const size_t facts[PL_LOGISTIC_FACTS] = {q->n, q->width, q->n_classes, p->z, p->labels, p->theta};
        for (size_t k = 0; k < PL_LOGISTIC_FACTS; k++) p->facts[i * PL_LOGISTIC_FACTS + k] = (int32_t)facts[k];
        p->args.most_rows = larger(p->args.most_rows, q->n);
        p->args.most_width = larger(p->args.most_width, q->width);
        p->args.most_classes = larger(p->args.most_classes, q->n_classes);
        p->z += z;
        p->labels += q->n;
        p->theta += theta;
        if (p->z > INT32_MAX || p->theta > INT32_MAX || p->labels > INT32_MAX)
            return pl_fail(PL_E_INPUT, "logistic regression of %zu rows and %zu features: too large", q->n, q->width);
    }
    PL_TRY(pl_new(&p->classes, p->labels));
    for (size_t i = 0, at = 0; i < n; i++)
        for (size_t k = 0; k < problems[i].n; k++) p->classes[at++] = (int32_t)problems[i].classes[k];
    return PL_OK;
}

static pl_status create_views(placed *p, size_t n, size_t n_strengths)
{
    const pl_processor *on = p->processor;
    pl_logistic_args *a = &p->args;
    const size_t bytes = on->ops->logistic_workspace_bytes(n, a->most_rows, a->most_width, a->most_classes);
    PL_TRY(on->ops->stream_create(on->device, &p->stream));
    PL_TRY(pl_view_create(on, &a->problems, n, PL_LOGISTIC_FACTS, PL_I32));
    PL_TRY(pl_view_create(on, &a->strengths, 1, n_strengths, PL_F64));
    PL_TRY(pl_view_create(on, &a->z, 1, p->z, PL_F64));
    PL_TRY(pl_view_create(on, &a->labels, 1, p->labels, PL_I32));
    PL_TRY(pl_view_create(on, &a->theta, 1, p->theta, PL_F64));
    PL_TRY(pl_view_create(on, &a->distance, n, n_strengths, PL_F64));
    return pl_view_create(on, &a->workspace, 1, bytes, PL_U8);
}

static pl_status upload(const placed *p, const pl__logistic_problem *problems, size_t n, const double *strengths)
{
    const pl_logistic_args *a = &p->args;
    PL_TRY(pl_upload(p->processor, p->stream, a->problems, p->facts));
    PL_TRY(pl_upload(p->processor, p->stream, a->strengths, strengths));
    PL_TRY(pl_upload(p->processor, p->stream, a->labels, p->classes));
    for (size_t i = 0, at = 0; i < n; at += problems[i].n * problems[i].width, i++)
        PL_TRY(pl_upload(p->processor, p->stream, pl_view_columns(a->z, at, problems[i].n * problems[i].width),
                         problems[i].z));
    return PL_OK;
}

static pl_status download(placed *p, const pl__logistic_problem *problems, size_t n, size_t n_strengths)
{
    const pl_logistic_args *a = &p->args;
    PL_TRY(pl_new(&p->distance, n * n_strengths));
    PL_TRY(pl_download(p->processor, p->stream, p->distance, a->distance));
    for (size_t i = 0; i < n; i++) {
        const size_t values = n_strengths * pl_logistic_outputs(problems[i].n_classes) * problems[i].width;
        const size_t at = (size_t)p->facts[i * PL_LOGISTIC_FACTS + PL_LOGISTIC_THETA];
        PL_TRY(pl_download(p->processor, p->stream, problems[i].theta, pl_view_columns(a->theta, at, values)));
    }
    return p->processor->ops->stream_wait(p->stream);
}

static pl_status check(const placed *p, const pl__logistic_problem *problems, size_t n, const double *strengths,
                       size_t n_strengths)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t s = 0; s < n_strengths; s++) {
            const double distance = p->distance[i * n_strengths + s];
            if (distance <= PL_LOGISTIC_ACCEPTABLE) continue;
            return pl_fail(PL_E_NOT_FINITE,
                           "logistic regression of %zu rows with strength %g did not converge (the last step is %g of "
                           "the coefficients): standardise the features, or take a smaller strength",
                           problems[i].n, strengths[s], distance);
        }
    }
    return PL_OK;
}

pl_status pl__logistic_solve(const pl__logistic_problem *problems, size_t n, const pl_processor *processor,
                             const double *strengths, size_t n_strengths)
{
    placed p = {.processor = processor};
    pl_logistic_args *a = &p.args;
    pl_status status = PL_OK;
    PL_GOTO(status, done, lay_out(&p, problems, n, n_strengths));
    PL_GOTO(status, done, create_views(&p, n, n_strengths));
    PL_GOTO(status, done, upload(&p, problems, n, strengths));
    PL_GOTO(status, done, pl_op_logistic(processor, p.stream, a));
    PL_GOTO(status, done, download(&p, problems, n, n_strengths));
    status = check(&p, problems, n, strengths, n_strengths);
done:;
    pl_view *views[] = {&a->problems, &a->strengths, &a->z, &a->labels, &a->theta, &a->distance, &a->workspace};
    if (status != PL_OK && p.stream) (void)processor->ops->stream_wait(p.stream);
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) pl_view_free(processor, views[i]);
    if (p.stream) processor->ops->stream_free(p.stream);
    free(p.distance);
    free(p.classes);
    free(p.facts);
    return status;
}
