/* Parameters for the tests of the ops that go over all of them. */
#ifndef TESTS_DEVICE_PARAMETERS_H
#define TESTS_DEVICE_PARAMETERS_H

#include "gradient.h"

enum { MOST_PARAMETERS = 8 };

/* One buffer a kind, tensors one after another with a gap between them, as a model lays them out. */
typedef struct parameter_set {
    size_t n, total, first[MOST_PARAMETERS]; /* tensors; their numbers; the first of each in the packed host arrays */
    pl_parameter list[MOST_PARAMETERS];
    pl_view buffers[4]; /* master, gradient, first, second */
    pl_parameters *made;
} parameter_set;

typedef struct tensor {
    size_t rows, columns;
    bool decay, weight;
} tensor;

/* Where the tensor after one that ends at `end` begins: at an odd place, or 16 bytes apart. */
static inline size_t place_after(const world *w, size_t end)
{
    enum { GAP = 5 };
    return w->aligned ? (end + GAP + 3) / 4 * 4 : end + GAP;
}

/* host[i], packed, or NULL for zeros. */
static inline parameter_set parameters_create(const world *w, const tensor *tensors, size_t n, const float *host[4])
{
    parameter_set p = {.n = n};
    size_t places = place_after(w, 0);
    for (size_t i = 0; i < n; i++) places = place_after(w, places + tensors[i].rows * tensors[i].columns);
    float *zeros = (float *)calloc(places, sizeof *zeros);
    for (int k = 0; k < 4; k++) p.buffers[k] = guarded(w, 1, places, PL_F32, NULL);
    size_t at = place_after(w, 0);
    for (size_t i = 0; i < n; i++) {
        const size_t elements = tensors[i].rows * tensors[i].columns;
        pl_parameter *t = &p.list[i];
        pl_view *views[] = {&t->master, &t->gradient, &t->first, &t->second};
        p.first[i] = p.total;
        for (int k = 0; k < 4; k++) {
            *views[k] = p.buffers[k];
            views[k]->offset += at;
            views[k]->rows = tensors[i].rows;
            views[k]->columns = views[k]->stride = tensors[i].columns;
            send(w, *views[k], host[k] ? host[k] + p.total : zeros);
        }
        t->decay = tensors[i].decay;
        if (tensors[i].weight) {
            must(pl_weight_attach(&w->processor, &t->weight, t->master, w->compute));
            must(pl_weight_refresh(&w->processor, w->stream, t->weight, t->master));
        }
        p.total += elements;
        at = place_after(w, at + elements);
    }
    must(pl_parameters_create(&w->processor, &p.made, p.list, n));
    free(zeros);
    return p;
}

/* All numbers of a kind, packed. */
static inline float *parameters_fetch(const world *w, const parameter_set *p, int kind)
{
    float *out = (float *)malloc(p->total * sizeof *out + 1);
    for (size_t i = 0; i < p->n; i++) {
        const pl_parameter *t = &p->list[i];
        const pl_view v = kind == 0 ? t->master : kind == 1 ? t->gradient : kind == 2 ? t->first : t->second;
        float *got = (float *)fetch(w, v);
        memcpy(out + p->first[i], got, v.rows * v.columns * sizeof *got);
        free(got);
    }
    return out;
}

/* Nothing between the tensors was written. */
static inline void parameters_check_gaps(const world *w, const parameter_set *p)
{
    for (int k = 0; k < 4; k++) {
        unsigned char *got = (unsigned char *)fetch(w, p->buffers[k]);
        size_t at = 0;
        for (size_t i = 0; i <= p->n; i++) {
            const size_t begin = i < p->n ? p->list[i].master.offset - p->buffers[0].offset : p->buffers[0].columns;
            for (; at < 4 * begin; at++) assert_int_equal(got[at], POISON_BYTE);
            if (i < p->n) at += 4 * p->list[i].master.rows * p->list[i].master.columns;
        }
        free(got);
        check_guards(w, p->buffers[k]);
    }
}

static inline void parameters_free(const world *w, parameter_set *p)
{
    settle(w);
    w->processor.ops->parameters_free(p->made);
    for (size_t i = 0; i < p->n; i++) w->processor.ops->weight_free(p->list[i].weight);
    for (int k = 0; k < 4; k++) release(w, &p->buffers[k]);
}

#endif
