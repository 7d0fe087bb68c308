/* One training in several processes: lanes shared out, slices exchanged, added by their owners in lane order, gathered.
 *
 * A gradient of n elements is cut into buckets of [size, SLICE] (the last one smaller), of which row r is rank r's
 * slice. In round k rank r computes lane k * size + r, so that behind a round each owner adds what came, row by row, to
 * its slices' sum: the order of lanes. Sums lie in the gradient buffer, bucket behind bucket, until all are gathered.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json_build.h"
#include "train/run.h"

enum {
    SLICE = 1 << 20 /* elements */,
    ALIGNED = 16,
    COME_S = 600,
    LOOK_MS = 20,
    WATCH_MS = 100,
    ID_FILE_MAX = 1 << 16
};
static const char ID_FILE[] = "ranks.json";

/* ---- Buckets ---- */

typedef struct bucket {
    size_t first, slice; /* in the lane's buffer; elements of one slice */
    size_t sum;          /* where its sum begins in the gradient buffer */
} bucket;

/* The next one, from {0} on; false: none is left. */
static bool next_bucket(bucket *b, size_t n, size_t size)
{
    b->first += b->slice * size;
    b->sum += b->slice;
    if (b->first >= n) return false;
    const size_t left = (n - b->first + size - 1) / size, rounded = (left + ALIGNED - 1) / ALIGNED * ALIGNED;
    b->slice = rounded < SLICE ? rounded : SLICE;
    return true;
}

static size_t padded_elements(size_t n, size_t size)
{
    bucket b = {0};
    while (next_bucket(&b, n, size)) continue;
    return b.first;
}

static size_t largest_slice(size_t n, size_t size)
{
    bucket b = {0};
    (void)next_bucket(&b, n, size);
    return b.slice;
}

static pl_view matrix(pl_view buffer, size_t first, size_t rows, size_t columns)
{
    buffer.offset += first;
    buffer.rows = rows;
    buffer.columns = buffer.stride = columns;
    return buffer;
}

/* ---- Joining and leaving ---- */

/* What a rank says before each step. */
typedef struct word {
    char run[PL_HASH_TEXT];
    uint64_t step, stop;
} word;

static size_t n_rounds(const pl_train *t)
{
    return (t->settings.lanes + t->ranks.size - 1) / t->ranks.size;
}

static size_t message_bytes(const pl_train *t)
{
    const size_t losses = n_rounds(t) * sizeof(double), n = losses > sizeof(word) ? losses : sizeof(word);
    return (n + ALIGNED - 1) / ALIGNED * ALIGNED;
}

typedef struct identity {
    uint8_t comm[PL_COMM_ID_BYTES], presence[PL_COMM_ID_BYTES];
} identity;
enum { IDENTITY_BYTES = sizeof(identity) };

static pl_status write_id(const char *path, const char *group, const identity *id)
{
    char text[2 * IDENTITY_BYTES + 1];
    pl_json_builder b;
    json_t *json;
    for (size_t i = 0; i < IDENTITY_BYTES; i++) snprintf(text + 2 * i, 3, "%02x", ((const uint8_t *)id)[i]);
    pl_json_begin(&b);
    pl_json_put_text(&b, "group", group);
    pl_json_put_text(&b, "id", text);
    PL_TRY(pl_json_end(&b, &json, path));
    pl_status status = pl_json_write(path, json);
    json_decref(json);
    return status;
}

/* *found: rank 0 of this launch has written it. */
static pl_status read_id(identity *id, bool *found, const char *path, const char *group)
{
    json_t *json;
    unsigned byte;
    PL_TRY(pl_file_find(found, path));
    if (!*found) return PL_OK;
    PL_TRY(pl_json_read(&json, path, ID_FILE_MAX));
    const char *its_group = json_string_value(json_object_get(json, "group"));
    const char *text = json_string_value(json_object_get(json, "id"));
    *found = its_group && strcmp(its_group, group) == 0 && text && strlen(text) == 2 * IDENTITY_BYTES;
    for (size_t i = 0; *found && i < IDENTITY_BYTES; i++) {
        *found = sscanf(text + 2 * i, "%2x", &byte) == 1;
        ((uint8_t *)id)[i] = (uint8_t)byte;
    }
    json_decref(json);
    return PL_OK;
}

static pl_status wait_for_id(identity *id, const char *path, const char *group)
{
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000 * 1000};
    const double begun = pl_clock_s();
    for (bool found = false;;) {
        PL_TRY(read_id(id, &found, path, group));
        if (found) return PL_OK;
        if (pl_clock_s() - begun > COME_S)
            return pl_fail(PL_E_RANK, "%s: rank 0 has not written it within %d s", path, (int)COME_S);
        nanosleep(&pause, NULL);
    }
}

static pl_status share_id(pl_train *t, const pl_train_place *place, identity *id)
{
    char path[PL_PATH_MAX];
    PL_TRY(pl_path(path, "%s/%s", t->folder, ID_FILE));
    if (place->rank) return wait_for_id(id, path, place->group);
    PL_TRY(pl_comm_id(&t->processor, id->comm));
    PL_TRY(pl_backend_cpu.comm_id(NULL, id->presence));
    return write_id(path, place->group, id);
}

static void *watch(void *context)
{
    pl_train *t = context;
    const struct timespec pause = {.tv_nsec = WATCH_MS * 1000 * 1000};
    while (!atomic_load(&t->ranks.leaving)) {
        nanosleep(&pause, NULL);
        if (pl_backend_cpu.comm_check(t->ranks.presence) == PL_OK) continue;
        t->processor.ops->comm_abort(t->ranks.comm);
        break;
    }
    return NULL;
}

/* On several machines there is no presence: the launcher ends what has lost a rank (srun --kill-on-bad-exit). */
static pl_status show_presence(pl_train *t, const pl_train_place *place, const identity *id)
{
    pl_status status =
        pl_backend_cpu.comm_create(NULL, &t->ranks.presence, id->presence, (int)place->rank, (int)place->size);
    if (status != PL_OK) return status == PL_E_RANK || status == PL_E_UNSUPPORTED ? PL_OK : status;
    const int error = pthread_create(&t->ranks.thread, NULL, watch, t);
    t->ranks.watched = error == 0;
    return error ? pl_fail(PL_E_IO, "no thread to watch other ranks: %s", strerror(error)) : PL_OK;
}

pl_status pl_train_join(pl_train *t, const pl_train_place *place)
{
    identity id;
    const size_t n = pl_trainable_views(t->trainable).gradient.columns;
    if (place->size == 1) return PL_OK;
    if (place->size > t->settings.lanes)
        return pl_fail(
            PL_E_USAGE,
            "%zu ranks share the lanes of a step, but lanes is %zu: set lanes=%zu, the same for every number "
            "of ranks (it is part of the result), or ask for fewer ranks",
            place->size, t->settings.lanes, place->size);
    if (!t->folder) return pl_fail(PL_E_USAGE, "%zu ranks need a folder for the training's state", place->size);
    t->ranks.rank = place->rank;
    t->ranks.size = place->size;
    const size_t bytes = message_bytes(t), slice = largest_slice(n, place->size);
    pl_view_free(&t->processor, &t->lane);
    PL_TRY(pl_view_create(&t->processor, &t->lane, 1, padded_elements(n, place->size), PL_F32));
    PL_TRY(pl_view_create(&t->processor, &t->ranks.received, place->size, slice, PL_F32));
    PL_TRY(pl_view_create(&t->processor, &t->ranks.message, 1, bytes, PL_U8));
    PL_TRY(pl_view_create(&t->processor, &t->ranks.heard, place->size, bytes, PL_U8));
    PL_TRY(pl_new(&t->ranks.messages, place->size * bytes));
    PL_TRY(share_id(t, place, &id));
    PL_TRY(pl_comm_create(&t->processor, &t->ranks.comm, id.comm, (int)place->rank, (int)place->size));
    return show_presence(t, place, &id);
}

void pl_train_abort(pl_train *t)
{
    if (t->ranks.presence) pl_backend_cpu.comm_abort(t->ranks.presence);
    if (t->ranks.comm) t->processor.ops->comm_abort(t->ranks.comm);
}

void pl__ranks_leave(pl_train *t)
{
    char why[1024]; /* the run's own error: leaving, when the others have left already, may have one too */
    snprintf(why, sizeof why, "%s", pl_error_text());
    atomic_store(&t->ranks.leaving, true);
    if (t->ranks.watched) pthread_join(t->ranks.thread, NULL);
    if (t->ranks.presence) pl_backend_cpu.comm_free(t->ranks.presence);
    if (t->ranks.comm) t->processor.ops->comm_free(t->ranks.comm);
    if (*why) (void)pl_fail(PL_E_INTERNAL, "%s", why);
    pl_view_free(&t->processor, &t->ranks.received);
    pl_view_free(&t->processor, &t->ranks.message);
    pl_view_free(&t->processor, &t->ranks.heard);
    free(t->ranks.messages);
    t->ranks.comm = t->ranks.presence = NULL;
    t->ranks.messages = NULL;
    t->ranks.watched = false;
    t->ranks.rank = 0;
    t->ranks.size = 1;
}

/* ---- What ranks say to one another ---- */

/* messages[r] = what rank r said; waits for it. What came before has arrived, too. */
static pl_status say(pl_train *t, const void *said, size_t size)
{
    pl__ranks *r = &t->ranks;
    const size_t bytes = r->message.columns;
    memset(r->messages, 0, bytes);
    memcpy(r->messages, said, size);
    PL_TRY(pl_upload(&t->processor, t->stream, r->message, r->messages));
    PL_TRY(pl_comm_gather(&t->processor, t->stream, r->comm, r->message, r->heard));
    PL_TRY(t->processor.ops->stream_wait(t->stream)); /* the upload's source is the download's target */
    PL_TRY(pl_download(&t->processor, t->stream, r->messages, r->heard));
    PL_TRY(t->processor.ops->stream_wait(t->stream));
    return t->processor.ops->comm_check(r->comm);
}

pl_status pl__ranks_agree(pl_train *t, bool *stop)
{
    word own = {.step = t->step, .stop = *stop};
    if (t->ranks.size == 1) return PL_OK;
    memcpy(own.run, t->run, sizeof own.run);
    PL_TRY(say(t, &own, sizeof own));
    for (size_t r = 0; r < t->ranks.size; r++) {
        word other;
        memcpy(&other, t->ranks.messages + r * t->ranks.message.columns, sizeof other);
        if (memcmp(other.run, own.run, sizeof own.run) != 0)
            return pl_fail(PL_E_INPUT,
                           "rank %zu has other settings, examples, model or products than rank %zu: all ranks need the "
                           "same files, program and kind of device",
                           r, t->ranks.rank);
        if (other.step != own.step)
            return pl_fail(PL_E_INPUT, "rank %zu begins at step %zu, rank %zu at step %zu: do they have one folder %s?",
                           r, (size_t)other.step, t->ranks.rank, t->step, t->folder);
        *stop = *stop || other.stop;
    }
    return PL_OK;
}

/* ---- The gradient ---- */

static bool is_empty(const pl_train *t, size_t n, size_t lane)
{
    size_t first, size;
    if (lane >= t->settings.lanes) return true;
    pl__lane_part(&first, &size, n, t->settings.lanes, lane);
    return size == 0;
}

/* Adds the slices of the lanes first, first + 1, ... that came, in this order, to the sum; *begun: it has one already.
 */
static pl_status add_slices(pl_train *t, size_t n, size_t first, pl_view received, pl_view sum, bool begun)
{
    for (size_t r = 0; r < t->ranks.size; r++) {
        if (is_empty(t, n, first + r)) continue;
        const pl_reduce_lanes_args args = {.accumulate = begun, .lanes = pl_view_rows(received, r, 1), .sum = sum};
        PL_TRY(pl_op_reduce_lanes(&t->processor, t->stream, &args));
        begun = true;
    }
    return PL_OK;
}

/* The lanes first..first + size - 1, this rank's in its lane buffer, which is zero after. */
static pl_status exchange(pl_train *t, size_t n, size_t first, bool begun)
{
    const pl__ranks *r = &t->ranks;
    const pl_view gradient = pl_trainable_views(t->trainable).gradient;
    for (bucket b = {0}; next_bucket(&b, gradient.columns, r->size);) {
        const pl_view received = matrix(r->received, 0, r->size, b.slice);
        PL_TRY(
            pl_comm_exchange(&t->processor, t->stream, r->comm, matrix(t->lane, b.first, r->size, b.slice), received));
        PL_TRY(add_slices(t, n, first, received, matrix(gradient, b.sum, 1, b.slice), begun));
    }
    return pl_fill_zero(&t->processor, t->stream, t->lane);
}

/* All slices' sums become the gradient of every rank. */
static pl_status gather(pl_train *t)
{
    const pl__ranks *r = &t->ranks;
    const pl_view gradient = pl_trainable_views(t->trainable).gradient;
    for (bucket b = {0}; next_bucket(&b, gradient.columns, r->size);)
        PL_TRY(pl_comm_gather(&t->processor, t->stream, r->comm, matrix(gradient, b.sum, 1, b.slice),
                              matrix(t->lane, b.first, r->size, b.slice)));
    const pl_copy_args copy = {.from = matrix(t->lane, 0, 1, gradient.columns), .to = gradient};
    PL_TRY(pl_op_copy(&t->processor, t->stream, &copy));
    return pl_fill_zero(&t->processor, t->stream, t->lane);
}

/* In lane order, as in one process. */
static pl_status add_losses(pl_train *t, size_t n, const double *own, double *loss)
{
    const pl__ranks *r = &t->ranks;
    PL_TRY(say(t, own, n_rounds(t) * sizeof *own));
    for (size_t lane = 0; lane < t->settings.lanes; lane++) {
        double one;
        if (is_empty(t, n, lane)) continue;
        memcpy(&one, r->messages + lane % r->size * r->message.columns + lane / r->size * sizeof one, sizeof one);
        *loss += one;
    }
    return PL_OK;
}

pl_status pl__ranks_gradient(pl_train *t, const size_t *members, size_t n, double *loss)
{
    const pl_view into = matrix(t->lane, 0, 1, pl_trainable_views(t->trainable).gradient.columns);
    double *losses;
    bool begun = false;
    PL_TRY(pl_new(&losses, n_rounds(t)));
    pl_status status = PL_OK;
    for (size_t k = 0; k < n_rounds(t) && status == PL_OK; k++) {
        const size_t first = k * t->ranks.size, own = first + t->ranks.rank;
        bool any = false;
        for (size_t r = 0; r < t->ranks.size; r++) any = any || !is_empty(t, n, first + r);
        if (!any) continue;
        if (own < t->settings.lanes) status = pl__train_lane(t, members, n, own, into, &losses[k]);
        if (status == PL_OK) status = exchange(t, n, first, begun);
        begun = true;
    }
    if (status == PL_OK) status = gather(t);
    if (status == PL_OK) status = add_losses(t, n, losses, loss);
    free(losses);
    return status;
}
