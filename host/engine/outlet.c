/* Buffers, threads and jobs of an outlet. The order of jobs does not matter to the result: every row has its own place
 * in the whole. */
#include "engine/outlet.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/results.h"

bool pl__outlet_wanted(const pl_capture *capture)
{
    return capture && capture->sink &&
           ((capture->n_layers && capture->positions & PL_POSITION_ALL) || capture->logits_last || capture->logits_all);
}

size_t pl__outlet_row_bytes(const pl_capture *capture, const pl_config *config)
{
    if (!pl__outlet_wanted(capture) || !(capture->positions & PL_POSITION_ALL)) return 0;
    return PL__OUTLET_BUFFERS * pl__states_width(capture, config, capture->n_layers) *
           pl_dtype_bytes(capture->sink->dtype);
}

/* ---- Memory ---- */

static size_t width_of(const pl__outlet *o, size_t layer)
{
    return pl_config_state_width(o->config, o->capture->layers[layer]);
}

/* Where a part begins in a buffer of the host: layer after layer, then logits. */
static size_t part_offset(const pl__outlet *o, size_t part)
{
    return o->rows * pl__states_width(o->capture, o->config, part) * pl_dtype_bytes(o->sink->dtype);
}

static void free_buffers(pl__outlet *o)
{
    for (size_t p = 0; p < PL__OUTLET_BUFFERS; p++) {
        pl__outlet_buffer *buffer = &o->buffers[p];
        for (size_t l = 0; buffer->states && l < o->room_layers; l++) pl_view_free(o->processor, &buffer->states[l]);
        free(buffer->states);
        buffer->states = NULL;
        if (buffer->host) o->processor->ops->host_memory_free(o->processor->device, buffer->host);
        buffer->host = NULL;
    }
    o->room_layers = o->room_bytes = 0;
}

void pl__outlet_held(const pl__outlet *o, size_t *device, size_t *host)
{
    *device = 0;
    *host = PL__OUTLET_BUFFERS * o->room_bytes;
    for (size_t l = 0; o->buffers[0].states && l < o->room_layers; l++) {
        pl_view v = o->buffers[0].states[l];
        *device += PL__OUTLET_BUFFERS * v.rows * v.columns * pl_dtype_bytes(v.dtype);
    }
}

void pl__outlet_release(pl__outlet *o)
{
    if (!o->processor) return;
    free_buffers(o);
    o->n_moved++;
}

static bool fits(const pl__outlet *o, size_t bytes)
{
    if (!o->buffers[0].host || o->room_bytes < bytes || o->room_layers < o->n_layers) return false;
    for (size_t l = 0; l < o->n_layers; l++) {
        pl_view have = o->buffers[0].states[l];
        if (have.rows < o->rows || have.columns != width_of(o, l) || have.dtype != o->sink->dtype) return false;
    }
    return true;
}

static pl_status make_buffers(pl__outlet *o)
{
    const pl_backend *ops = o->processor->ops;
    size_t bytes = part_offset(o, o->n_layers) + (o->logits ? o->rows * o->V * sizeof(float) : 0);
    if (!o->copies) PL_TRY(ops->stream_create(o->processor->device, &o->copies));
    for (size_t p = 0; p < PL__OUTLET_BUFFERS; p++) {
        if (!o->buffers[p].passed) PL_TRY(ops->event_create(o->processor->device, &o->buffers[p].passed));
        if (!o->buffers[p].copied) PL_TRY(ops->event_create(o->processor->device, &o->buffers[p].copied));
    }
    if (fits(o, bytes)) return PL_OK;
    free_buffers(o); /* the call before has ended: nothing is under way */
    o->n_moved++;
    o->room_layers = o->n_layers;
    for (size_t p = 0; p < PL__OUTLET_BUFFERS; p++) {
        pl__outlet_buffer *buffer = &o->buffers[p];
        PL_TRY(pl_new(&buffer->states, o->n_layers));
        for (size_t l = 0; l < o->n_layers; l++)
            PL_TRY(pl_view_create(o->processor, &buffer->states[l], o->rows, width_of(o, l), o->sink->dtype));
        PL_TRY(ops->host_memory_create(o->processor->device, &buffer->host, bytes));
    }
    o->room_bytes = bytes;
    return PL_OK;
}

/* ---- Threads ---- */

/* One part of a step's rows to the sink. */
static pl_status hand_over(const pl__outlet *o, const pl__job *job)
{
    const pl__outlet_buffer *buffer = &o->buffers[job->buffer];
    bool logits = job->part == o->n_layers;
    const pl__row_ranges *list = logits ? &buffer->heads : &buffer->whole;
    size_t row_bytes = logits ? o->V * sizeof(float) : width_of(o, job->part) * pl_dtype_bytes(o->sink->dtype);
    char *data = (char *)buffer->host + part_offset(o, job->part);
    PL_TRY(o->processor->ops->event_wait_host(buffer->copied));
    for (size_t i = 0; i < list->n; i++) {
        const pl__row_range *s = &list->data[i];
        PL_TRY(o->sink->rows(o->sink->context, logits ? o->logits_layer : job->part, s->slot, s->n,
                             data + s->row * row_bytes));
    }
    return PL_OK;
}

static void *serve(void *outlet)
{
    pl__outlet *o = outlet;
    pthread_mutex_lock(&o->lock);
    for (;;) {
        while (!o->n_jobs && !o->ended) pthread_cond_wait(&o->work, &o->lock);
        if (!o->n_jobs) break;
        pl__job job = o->jobs[o->first_job];
        o->first_job = (o->first_job + 1) % o->job_room;
        o->n_jobs--;
        if (o->status == PL_OK) {
            pthread_mutex_unlock(&o->lock);
            pl_status status = hand_over(o, &job);
            pthread_mutex_lock(&o->lock);
            if (status != PL_OK && o->status == PL_OK) { /* the text is this thread's own */
                o->status = status;
                snprintf(o->text, sizeof o->text, "%s", pl_error_text());
            }
        }
        o->buffers[job.buffer].n_left--;
        pthread_cond_broadcast(&o->idle);
    }
    pthread_mutex_unlock(&o->lock);
    return NULL;
}

static pl_status start_threads(pl__outlet *o)
{
    cpu_set_t set;
    /* Buffered writes to one file wait for one another (tmpfs, ext4, xfs): what runs beside them is the work on rows.
     */
    size_t n = sched_getaffinity(0, sizeof set, &set) == 0 ? (size_t)CPU_COUNT(&set) : 1;
    if (n > PL__OUTLET_THREADS) n = PL__OUTLET_THREADS;
    o->job_room = PL__OUTLET_BUFFERS * (o->n_layers + 1);
    free(o->jobs);
    PL_TRY(pl_new(&o->jobs, o->job_room));
    o->n_jobs = o->first_job = 0;
    o->ended = false;
    if (pthread_mutex_init(&o->lock, NULL) != 0) return pl_fail(PL_E_MEMORY, "no lock for the threads that write");
    if (pthread_cond_init(&o->work, NULL) != 0 || pthread_cond_init(&o->idle, NULL) != 0)
        return pl_fail(PL_E_MEMORY, "no conditions for the threads that write");
    while (o->n_threads < n) {
        if (pthread_create(&o->threads[o->n_threads], NULL, serve, o) != 0) break;
        o->n_threads++;
    }
    return o->n_threads ? PL_OK : pl_fail(PL_E_MEMORY, "no thread can be started to write states");
}

/* ---- The call ---- */

pl_status pl__outlet_open(pl__outlet *o, const pl_processor *processor, const pl_capture *capture,
                          const pl_config *config, size_t rows, size_t n_all)
{
    o->processor = processor;
    o->sink = capture->sink;
    o->capture = capture;
    o->config = config;
    o->V = pl_config_outputs(config);
    o->rows = rows;
    o->n_layers = capture->positions & PL_POSITION_ALL ? capture->n_layers : 0;
    o->logits_layer = capture->n_layers;
    o->logits = capture->logits_last || capture->logits_all;
    o->turn = 0;
    o->status = PL_OK;
    for (size_t p = 0; p < PL__OUTLET_BUFFERS; p++) o->buffers[p].n_left = 0;
    PL_TRY(make_buffers(o));
    PL_TRY(o->sink->begin(o->sink->context, n_all));
    return start_threads(o);
}

static pl_status failure(const pl__outlet *o)
{
    return o->status == PL_OK ? PL_OK : pl_fail(o->status, "%s", o->text);
}

static pl_status wait_for(pl__outlet *o, const pl__outlet_buffer *buffer)
{
    pthread_mutex_lock(&o->lock);
    while (buffer->n_left) pthread_cond_wait(&o->idle, &o->lock);
    pl_status status = failure(o);
    pthread_mutex_unlock(&o->lock);
    return status;
}

pl_status pl__outlet_take(pl__outlet *o, pl_stream *stream, const pl_view **states)
{
    pl__outlet_buffer *buffer = &o->buffers[o->turn], *before = &o->buffers[(o->turn + 1) % PL__OUTLET_BUFFERS];
    PL_TRY(wait_for(o, buffer));
    *states = buffer->states;
    /* Its rows were handed over, so its download is done. There is one matrix of logits: it must have left. */
    return o->logits && before->heads.n ? o->processor->ops->event_wait(before->copied, stream) : PL_OK;
}

/* Stretches that touch become one: depth-first order makes most of them long. */
static pl_status add_range(pl__row_ranges *list, size_t row, size_t slot, size_t n)
{
    pl__row_range *last = list->n ? &list->data[list->n - 1] : NULL;
    if (last && last->row + last->n == row && last->slot + last->n == slot) {
        last->n += n;
        return PL_OK;
    }
    PL_TRY(pl_grow(&list->data, &list->capacity, list->n + 1));
    list->data[list->n++] = (pl__row_range){row, slot, n};
    return PL_OK;
}

static pl_status note_rows(pl__outlet_buffer *buffer, const pl__packed *batch)
{
    buffer->whole.n = buffer->heads.n = 0;
    for (size_t i = 0; i < batch->whole.n; i += 3) {
        const int32_t *t = batch->whole.data + i;
        PL_TRY(add_range(&buffer->whole, (size_t)t[0], (size_t)t[1], (size_t)t[2]));
    }
    for (size_t i = 0; i < batch->heads.n; i += 2) {
        const int32_t *t = batch->heads.data + i;
        PL_TRY(add_range(&buffer->heads, (size_t)t[0], (size_t)t[1], 1));
    }
    return PL_OK;
}

pl_status pl__outlet_send(pl__outlet *o, pl_stream *stream, const pl__packed *batch, pl_view logits)
{
    const pl_backend *ops = o->processor->ops;
    pl__outlet_buffer *buffer = &o->buffers[o->turn];
    size_t n_rows = batch->lists[PL__TOKENS].n, n_heads = batch->lists[PL__HEAD_ROWS].n;
    PL_TRY(note_rows(buffer, batch));
    PL_TRY(ops->event_record(buffer->passed, stream));
    PL_TRY(ops->event_wait(buffer->passed, o->copies));
    for (size_t l = 0; buffer->whole.n && l < o->n_layers; l++)
        PL_TRY(pl_download(o->processor, o->copies, (char *)buffer->host + part_offset(o, l),
                           pl_view_rows(buffer->states[l], 0, n_rows)));
    bool heads = o->logits && buffer->heads.n;
    if (heads)
        PL_TRY(pl_download(o->processor, o->copies, (char *)buffer->host + part_offset(o, o->n_layers),
                           pl_view_rows(logits, 0, n_heads)));
    PL_TRY(ops->event_record(buffer->copied, o->copies));
    pthread_mutex_lock(&o->lock);
    for (size_t part = 0; part < o->n_layers + heads; part++) {
        if (part < o->n_layers && !buffer->whole.n) continue;
        o->jobs[(o->first_job + o->n_jobs++) % o->job_room] = (pl__job){o->turn, part};
        buffer->n_left++;
    }
    pthread_cond_broadcast(&o->work);
    pthread_mutex_unlock(&o->lock);
    o->turn = (o->turn + 1) % PL__OUTLET_BUFFERS;
    return PL_OK;
}

pl_status pl__outlet_finish(pl__outlet *o)
{
    if (!o->sink) return PL_OK;
    if (o->n_threads) {
        pthread_mutex_lock(&o->lock);
        o->ended = true;
        pthread_cond_broadcast(&o->work);
        pthread_mutex_unlock(&o->lock);
        for (size_t i = 0; i < o->n_threads; i++) pthread_join(o->threads[i], NULL);
        o->n_threads = 0;
        pthread_cond_destroy(&o->idle);
        pthread_cond_destroy(&o->work);
        pthread_mutex_destroy(&o->lock);
    }
    o->sink = NULL;
    pl_status status = failure(o);
    if (o->copies) PL_KEEP(status, o->processor->ops->stream_wait(o->copies)); /* dropped rows may be on their way */
    return status;
}

void pl__outlet_close(pl__outlet *o)
{
    if (!o->processor) return;
    const pl_backend *ops = o->processor->ops;
    if (o->copies) {
        (void)ops->stream_wait(o->copies);
        ops->stream_free(o->copies);
    }
    free_buffers(o);
    for (size_t p = 0; p < PL__OUTLET_BUFFERS; p++) {
        if (o->buffers[p].passed) ops->event_free(o->buffers[p].passed);
        if (o->buffers[p].copied) ops->event_free(o->buffers[p].copied);
        free(o->buffers[p].whole.data);
        free(o->buffers[p].heads.data);
    }
    free(o->jobs);
    *o = (pl__outlet){0};
}
