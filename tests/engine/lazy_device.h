/* A device that does nothing until it must: the CPU's ops behind queues, for tests of what an asynchronous device asks
 * of the engine. Work waits in its stream until the host waits for the stream or for an event; uploads read and
 * downloads write host memory only then, so a missing wait shows as a wrong result (or to the address sanitizer). Steps
 * can be recorded and replayed. Buffers are named as the CPU's. */
#ifndef PLUMB_TESTS_ENGINE_LAZY_DEVICE_H
#define PLUMB_TESTS_ENGINE_LAZY_DEVICE_H

#include <pthread.h>

#include "engine/random_model.h"

#define LAZY_BATCH_OPS(X) X(embed) X(head_norm) X(gate) X(rotary) X(kv_copy) X(kv_write) X(attention)
#define LAZY_PLAIN_OPS(X) X(norm) X(linear) X(gather) X(pool) X(score) X(copy) X(convert)

typedef enum lazy_kind {
#define X(op) LAZY_##op,
    LAZY_BATCH_OPS(X) LAZY_PLAIN_OPS(X)
#undef X
        LAZY_UPLOAD,
    LAZY_DOWNLOAD,
    LAZY_ZERO,
    LAZY_WAIT
} lazy_kind;

typedef struct lazy_task {
    lazy_kind kind;
    union {
#define X(op) pl_##op##_args op;
        LAZY_BATCH_OPS(X) LAZY_PLAIN_OPS(X)
#undef X
    } args;
    pl_batch batch;
    pl_view view;
    void *host;
    struct pl_stream *other; /* to wait for, up to `mark` */
    size_t mark;
} lazy_task;

struct pl_graph {
    lazy_task *tasks;
    size_t n, capacity;
};

struct pl_stream {
    struct pl_stream *real;
    lazy_task *tasks; /* tasks[i] is number base + i */
    size_t capacity, base, n_queued, n_done;
    struct pl_graph *recording;
};

struct pl_event {
    struct pl_stream *stream;
    size_t mark;
};

static pthread_mutex_t lazy_lock = PTHREAD_MUTEX_INITIALIZER;
static size_t lazy_free_bytes = (size_t)1 << 34; /* what facts() tells */

/* Threads of the engine come here too, where cmocka must not be called. */
static inline void lazy_must(pl_status status, const char *what)
{
    if (status == PL_OK) return;
    fprintf(stderr, "lazy device: %s: %s\n", what, pl_error_text());
    abort();
}

static void lazy_run_to(struct pl_stream *s, size_t mark);

static void lazy_run(struct pl_stream *s, lazy_task task)
{
    pl_stream *real = (pl_stream *)s->real;
    switch (task.kind) {
#define X(op)                                                                                                          \
    case LAZY_##op:                                                                                                    \
        task.args.op.batch = &task.batch;                                                                              \
        lazy_must(pl_backend_cpu.unchecked.op(real, &task.args.op), #op);                                              \
        break;
        LAZY_BATCH_OPS(X)
#undef X
#define X(op)                                                                                                          \
    case LAZY_##op:                                                                                                    \
        lazy_must(pl_backend_cpu.unchecked.op(real, &task.args.op), #op);                                              \
        break;
        LAZY_PLAIN_OPS(X)
#undef X
    case LAZY_UPLOAD:
        lazy_must(pl_backend_cpu.unchecked.upload(real, task.view, task.host), "upload");
        break;
    case LAZY_DOWNLOAD:
        lazy_must(pl_backend_cpu.unchecked.download(real, task.host, task.view), "download");
        break;
    case LAZY_ZERO:
        lazy_must(pl_backend_cpu.unchecked.fill_zero(real, task.view), "fill_zero");
        break;
    case LAZY_WAIT:
        lazy_run_to(task.other, task.mark);
        break;
    }
}

/* Runs what stands before task number `mark`. */
static void lazy_run_to(struct pl_stream *s, size_t mark)
{
    while (s->n_done < mark) {
        size_t i = s->n_done++ - s->base;
        lazy_run(s, s->tasks[i]);
    }
}

static pl_status lazy_queue(struct pl_stream *s, const lazy_task *task)
{
    pthread_mutex_lock(&lazy_lock);
    if (s->recording) {
        lazy_must(pl_grow(&s->recording->tasks, &s->recording->capacity, s->recording->n + 1), "memory");
        s->recording->tasks[s->recording->n++] = *task;
    } else {
        if (s->n_done == s->n_queued) s->base = s->n_queued;
        lazy_must(pl_grow(&s->tasks, &s->capacity, s->n_queued - s->base + 1), "memory");
        s->tasks[s->n_queued++ - s->base] = *task;
    }
    pthread_mutex_unlock(&lazy_lock);
    return PL_OK;
}

#define X(op)                                                                                                          \
    static pl_status lazy_##op(pl_stream *stream, const pl_##op##_args *args)                                          \
    {                                                                                                                  \
        lazy_task task = {.kind = LAZY_##op, .args.op = *args, .batch = *args->batch};                                 \
        return lazy_queue(stream, &task);                                                                              \
    }
LAZY_BATCH_OPS(X)
#undef X
#define X(op)                                                                                                          \
    static pl_status lazy_##op(pl_stream *stream, const pl_##op##_args *args)                                          \
    {                                                                                                                  \
        lazy_task task = {.kind = LAZY_##op, .args.op = *args};                                                        \
        return lazy_queue(stream, &task);                                                                              \
    }
LAZY_PLAIN_OPS(X)
#undef X

static pl_status lazy_upload(pl_stream *stream, pl_view to, const void *from)
{
    lazy_task task = {.kind = LAZY_UPLOAD, .view = to, .host = (void *)(uintptr_t)from};
    return lazy_queue(stream, &task);
}

static pl_status lazy_download(pl_stream *stream, void *to, pl_view from)
{
    lazy_task task = {.kind = LAZY_DOWNLOAD, .view = from, .host = to};
    return lazy_queue(stream, &task);
}

static pl_status lazy_fill_zero(pl_stream *stream, pl_view view)
{
    lazy_task task = {.kind = LAZY_ZERO, .view = view};
    return lazy_queue(stream, &task);
}

static pl_status lazy_stream_create(pl_device *device, pl_stream **out)
{
    lazy_must(pl_new(out, 1), "memory");
    return pl_backend_cpu.stream_create(device, (pl_stream **)&(*out)->real);
}

static pl_status lazy_stream_wait(pl_stream *stream)
{
    pthread_mutex_lock(&lazy_lock);
    lazy_run_to(stream, stream->n_queued);
    pthread_mutex_unlock(&lazy_lock);
    return PL_OK;
}

static void lazy_stream_free(pl_stream *stream)
{
    (void)lazy_stream_wait(stream);
    pl_backend_cpu.stream_free((pl_stream *)stream->real);
    free(stream->tasks);
    free(stream);
}

static pl_status lazy_event_create(pl_device *device, pl_event **out)
{
    (void)device;
    return pl_new(out, 1);
}

static void lazy_event_free(pl_event *event)
{
    free(event);
}

static pl_status lazy_event_record(pl_event *event, pl_stream *stream)
{
    pthread_mutex_lock(&lazy_lock);
    *event = (struct pl_event){stream, stream->n_queued};
    pthread_mutex_unlock(&lazy_lock);
    return PL_OK;
}

static pl_status lazy_event_wait(pl_event *event, pl_stream *stream)
{
    lazy_task task = {.kind = LAZY_WAIT, .other = event->stream, .mark = event->mark};
    return event->stream ? lazy_queue(stream, &task) : PL_OK;
}

static pl_status lazy_event_wait_host(pl_event *event)
{
    pthread_mutex_lock(&lazy_lock);
    if (event->stream) lazy_run_to(event->stream, event->mark);
    pthread_mutex_unlock(&lazy_lock);
    return PL_OK;
}

static pl_status lazy_record_begin(pl_stream *stream)
{
    return pl_new(&stream->recording, 1);
}

static pl_status lazy_record_end(pl_stream *stream, pl_graph **out)
{
    *out = stream->recording;
    stream->recording = NULL;
    return PL_OK;
}

static pl_status lazy_replay(pl_stream *stream, pl_graph *graph)
{
    for (size_t i = 0; i < graph->n; i++) (void)lazy_queue(stream, &graph->tasks[i]);
    return PL_OK;
}

static void lazy_graph_free(pl_graph *graph)
{
    free(graph->tasks);
    free(graph);
}

static pl_status lazy_weight_set(pl_stream *stream, pl_weight *weight, size_t first_out, size_t n_out, const void *data,
                                 pl_dtype from, pl_layout layout)
{
    return pl_backend_cpu.unchecked.weight_set((pl_stream *)stream->real, weight, first_out, n_out, data, from, layout);
}

static pl_status lazy_facts(pl_device *device, pl_device_facts *out)
{
    OK(pl_backend_cpu.facts(device, out));
    out->free_bytes = lazy_free_bytes;
    snprintf(out->name, sizeof out->name, "a lazy device");
    return PL_OK;
}

/* The CPU's table with everything above in its place. */
static inline const pl_backend *lazy_backend(void)
{
    static pl_backend backend;
    backend = pl_backend_cpu;
    backend.name = "lazy";
    backend.exact = backend.shares_memory = false;
#define X(op) backend.unchecked.op = lazy_##op;
    LAZY_BATCH_OPS(X)
    LAZY_PLAIN_OPS(X)
    X(upload)
    X(download)
    X(fill_zero)
    X(weight_set)
#undef X
#define X(entry) backend.entry = lazy_##entry;
    X(stream_create)
    X(stream_wait)
    X(stream_free)
    X(event_create)
    X(event_free)
    X(event_record)
    X(event_wait)
    X(event_wait_host)
    X(record_begin)
    X(record_end)
    X(replay)
    X(graph_free)
    X(facts)
#undef X
    return &backend;
}

static inline void open_lazy(random_model *m, const char *folder)
{
    pl_checkpoint *checkpoint;
    m->compute = PL_F32;
    OK(pl_processor_open(&m->processor, "cpu", 1));
    m->processor.ops = lazy_backend();
    OK(pl_checkpoint_open(&checkpoint, folder));
    OK(pl_model_load(&m->model, &m->processor, checkpoint, PL_F32));
    pl_checkpoint_close(checkpoint);
}

/* A device that records steps: the chosen one, or where that is the CPU, the lazy one. */
static inline void open_recording(random_model *m, const char *folder, pl_dtype compute)
{
    if (on_cuda())
        open_folder_as(m, folder, 1, compute);
    else
        open_lazy(m, folder);
}

#endif
