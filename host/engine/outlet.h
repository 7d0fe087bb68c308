/* The way of all tokens' states (and logits) to a sink while the call goes on.
 *
 * A step's states are converted on the device into one of two buffers. When the pass is over, a second stream downloads
 * them into pinned memory of the same buffer, and threads hand the rows on, a layer at a time, while the next step
 * runs. A buffer is used again when its rows are handed over. */
#ifndef PLUMB_ENGINE_OUTLET_H
#define PLUMB_ENGINE_OUTLET_H

#include <pthread.h>

#include "engine/batch.h"
#include "engine/engine.h"

enum { PL__OUTLET_BUFFERS = 2, PL__OUTLET_THREADS = 8 };

/* Rows row..row + n - 1 of a step are rows slot..slot + n - 1 of the whole. */
typedef struct pl__row_range {
    size_t row, slot, n;
} pl__row_range;

typedef struct pl__row_ranges {
    pl__row_range *data;
    size_t n, capacity;
} pl__row_ranges;

typedef struct pl__outlet_buffer {
    pl_view *states; /* [n_layers]: [rows, width] of the sink's type, on the device */
    void *host;      /* the same, layer after layer, then logits [rows, V] */
    pl_event *passed, *copied;
    pl__row_ranges whole, heads; /* what the step's rows, and its head rows, are */
    size_t n_left;               /* parts (layers, logits) that are not handed over yet */
} pl__outlet_buffer;

typedef struct pl__job {
    size_t buffer, part;
} pl__job;

typedef struct pl__outlet {
    const pl_processor *processor;
    const pl_sink *sink;       /* of the call; NULL: nothing is streamed */
    const pl_capture *capture; /* of the call, as the config */
    const pl_config *config;
    size_t V, n_layers, rows;
    size_t logits_layer; /* logits, as the sink counts layers */
    bool logits;
    size_t room_layers, room_bytes; /* what the buffers hold */
    size_t n_moved;                 /* how often they have moved */
    pl_stream *copies;
    pl__outlet_buffer buffers[PL__OUTLET_BUFFERS];
    size_t turn;
    /* Threads. What follows is guarded by the lock. */
    pthread_t threads[PL__OUTLET_THREADS];
    size_t n_threads;
    pthread_mutex_t lock;
    pthread_cond_t work, idle; /* a job is there, or the end; a part was handed over */
    pl__job *jobs;             /* a ring of [PL__OUTLET_BUFFERS * (n_layers + 1)] */
    size_t n_jobs, first_job, job_room;
    bool ended;
    pl_status status;
    char text[1024];
} pl__outlet;

/* The capture has something for its sink. */
bool pl__outlet_wanted(const pl_capture *capture);
/* Bytes on the device (and again on the host) for a row of a step; logits stand in the activations. */
size_t pl__outlet_row_bytes(const pl_capture *capture, const pl_config *config);

/* Bytes that the buffers hold on the device, and on the host. */
void pl__outlet_held(const pl__outlet *outlet, size_t *device, size_t *host);
/* Gives them back, between calls. */
void pl__outlet_release(pl__outlet *outlet);

/* For one call whose steps have `rows` tokens at most: memory (kept over calls), sink->begin, threads. */
pl_status pl__outlet_open(pl__outlet *outlet, const pl_processor *processor, const pl_capture *capture,
                          const pl_config *config, size_t rows, size_t n_all);
/* Before a step: waits for a buffer, and makes the stream wait for it. *states: where the pass puts its rows. The first
 * failure of the sink is returned here, and by finish. */
pl_status pl__outlet_take(pl__outlet *outlet, pl_stream *stream, const pl_view **states);
/* After the step's pass: what its rows are, and off they go. logits: [head rows, V], or absent. */
pl_status pl__outlet_send(pl__outlet *outlet, pl_stream *stream, const pl__packed *batch, pl_view logits);
/* Ends the call: waits for all rows, or drops them after a failure. Also when open failed. */
pl_status pl__outlet_finish(pl__outlet *outlet);
void pl__outlet_close(pl__outlet *outlet); /* takes {0}; after finish */

#endif
