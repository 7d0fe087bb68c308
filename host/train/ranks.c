/* One training in several processes: lanes shared out, slices exchanged, added by their owners in lane order, gathered.
 *
 * A gradient of n elements is cut into buckets of [size, slice] (the last one smaller), of which row r is rank r's
 * slice. In round k rank r computes lane k * size + r, so that behind a round each owner adds what came, row by row, to
 * its slices' sum: the order of lanes. Sums lie in the gradient buffer, bucket behind bucket, until all are gathered.
 *
 * All that moves has a stream of its own. A bucket goes out as soon as the blocks that add to it have gone back in the
 * lane's last micro-batch, and in the last round it is gathered at once, beside the blocks that are still to come. The
 * order of buckets, by their last block, is the same on all ranks. The embedding's gradient (of a tied head, too) is
 * whole at the very end: its buckets are what the pass cannot hide. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json_build.h"
#include "train/run.h"

enum {
    SLICE = 1 << 20 /* elements, the most */,
    LEAST_BUCKETS = 16,
    ALIGNED = 16,
    COME_S = 600,
    LOOK_MS = 20,
    WATCH_MS = 100,
    ID_FILE_MAX = 1 << 16
};
static const char ID_FILE[] = "ranks.json";

/* ---- Buckets ---- */

struct pl__bucket {
    size_t first, slice; /* in the lane's buffer; elements of one slice */
    size_t sum;          /* where its sum begins in the gradient buffer */
    size_t block;        /* behind whose way back it is whole */
};

static size_t rounded_up(size_t n, size_t step)
{
    return (n + step - 1) / step * step;
}

/* Of all buckets but the last. */
static size_t slice_of(size_t n, size_t size)
{
    const size_t some = rounded_up((n + size - 1) / size, ALIGNED * LEAST_BUCKETS) / LEAST_BUCKETS;
    return some < SLICE ? some : SLICE;
}

static int by_block(const void *left, const void *right)
{
    const pl__bucket *a = left, *b = right;
    if (a->block != b->block) return a->block > b->block ? -1 : 1;
    return (a->first > b->first) - (a->first < b->first);
}

/* Sets the buckets, in the order in which they go; *padded: elements of them all. */
static pl_status make_buckets(pl_train *t, size_t n, size_t *padded)
{
    pl__ranks *r = &t->ranks;
    const size_t slice = slice_of(n, r->size), whole = slice * r->size;
    size_t first = 0, sum = 0;
    r->n_buckets = (n + whole - 1) / whole;
    PL_TRY(pl_new(&r->buckets, r->n_buckets));
    for (size_t i = 0; i < r->n_buckets; i++) {
        pl__bucket *b = &r->buckets[i];
        const size_t left = rounded_up((n - first + r->size - 1) / r->size, ALIGNED);
        *b = (pl__bucket){.first = first, .slice = left < slice ? left : slice, .sum = sum};
        b->block = pl_trainable_last_block(t->trainable, first, b->slice * r->size);
        first += b->slice * r->size;
        sum += b->slice;
    }
    *padded = first;
    qsort(r->buckets, r->n_buckets, sizeof *r->buckets, by_block);
    return PL_OK;
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
    const size_t bytes = message_bytes(t);
    size_t padded;
    PL_TRY(make_buckets(t, n, &padded));
    pl_view_free(&t->processor, &t->lane);
    PL_TRY(pl_view_create(&t->processor, &t->lane, 1, padded, PL_F32));
    PL_TRY(pl_view_create(&t->processor, &t->ranks.received, place->size, slice_of(n, place->size), PL_F32));
    PL_TRY(t->processor.ops->stream_create(t->processor.device, &t->ranks.stream));
    PL_TRY(t->processor.ops->event_create(t->processor.device, &t->ranks.reached));
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
    if (t->ranks.reached) t->processor.ops->event_free(t->ranks.reached);
    if (t->ranks.stream) t->processor.ops->stream_free(t->ranks.stream);
    free(t->ranks.buckets);
    free(t->ranks.messages);
    t->ranks.comm = t->ranks.presence = NULL;
    t->ranks.reached = NULL;
    t->ranks.stream = NULL;
    t->ranks.buckets = NULL;
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
    PL_TRY(pl_upload(&t->processor, r->stream, r->message, r->messages));
    PL_TRY(pl_comm_gather(&t->processor, r->stream, r->comm, r->message, r->heard));
    PL_TRY(t->processor.ops->stream_wait(r->stream)); /* the upload's source is the download's target */
    PL_TRY(pl_download(&t->processor, r->stream, r->messages, r->heard));
    PL_TRY(t->processor.ops->stream_wait(r->stream));
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

/* Adds the slices that came, in the order of their lanes, to the sum. */
static pl_status add_slices(pl_train *t, pl_view received, pl_view sum)
{
    const pl__ranks *r = &t->ranks;
    bool begun = r->round.begun;
    for (size_t i = 0; i < r->size; i++) {
        if (is_empty(t, r->round.n, r->round.first_lane + i)) continue;
        const pl_reduce_lanes_args args = {.accumulate = begun, .lanes = pl_view_rows(received, i, 1), .sum = sum};
        PL_TRY(pl_op_reduce_lanes(&t->processor, r->stream, &args));
        begun = true;
    }
    return PL_OK;
}

/* Behind the last round the sums of all slices take the bucket's place in the lane buffer. */
static pl_status send_bucket(pl_train *t, const pl__bucket *b)
{
    const pl__ranks *r = &t->ranks;
    const pl_view own = matrix(t->lane, b->first, r->size, b->slice),
                  received = matrix(r->received, 0, r->size, b->slice);
    const pl_view sum = matrix(pl_trainable_views(t->trainable).gradient, b->sum, 1, b->slice);
    PL_TRY(pl_comm_exchange(&t->processor, r->stream, r->comm, own, received));
    PL_TRY(add_slices(t, received, sum));
    return r->round.last ? pl_comm_gather(&t->processor, r->stream, r->comm, sum, own) : PL_OK;
}

/* What is enqueued on a stream from here on waits for what another has by now. */
static pl_status follow(pl_train *t, pl_stream *stream, pl_stream *other)
{
    PL_TRY(t->processor.ops->event_record(t->ranks.reached, other));
    return t->processor.ops->event_wait(t->ranks.reached, stream);
}

pl_status pl__ranks_send(pl_train *t, pl__part part)
{
    const pl__ranks *r = &t->ranks;
    PL_TRY(follow(t, r->stream, t->stream));
    for (size_t i = 0; i < r->n_buckets; i++) {
        const pl__bucket *b = &r->buckets[i];
        if (b->block >= part.first && b->block < part.end) PL_TRY(send_bucket(t, b));
    }
    return PL_OK;
}

/* The lane buffer is zero again; behind the last round what it held is the gradient. */
static pl_status end_round(pl_train *t)
{
    const pl_view gradient = pl_trainable_views(t->trainable).gradient;
    const pl_copy_args copy = {.from = matrix(t->lane, 0, 1, gradient.columns), .to = gradient};
    PL_TRY(follow(t, t->stream, t->ranks.stream));
    if (t->ranks.round.last) PL_TRY(pl_op_copy(&t->processor, t->stream, &copy));
    return pl_fill_zero(&t->processor, t->stream, t->lane);
}

/* The lanes first_lane .. first_lane + size - 1, of which this rank computes one, if there is one for it. */
static pl_status run_round(pl_train *t, const size_t *members, double *loss)
{
    const pl__round *round = &t->ranks.round;
    const size_t lane = round->first_lane + t->ranks.rank;
    const pl_view into = matrix(t->lane, 0, 1, pl_trainable_views(t->trainable).gradient.columns);
    PL_TRY(is_empty(t, round->n, lane) ? pl__ranks_send(t, (pl__part){0, t->config.L})
                                       : pl__train_lane(t, members, round->n, lane, into, loss));
    return end_round(t);
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

static bool has_lanes(const pl_train *t, size_t n, size_t round)
{
    for (size_t r = 0; r < t->ranks.size; r++)
        if (!is_empty(t, n, round * t->ranks.size + r)) return true;
    return false;
}

pl_status pl__ranks_gradient(pl_train *t, const size_t *members, size_t n, double *loss)
{
    double *losses;
    size_t last = n_rounds(t) - 1;
    bool begun = false;
    PL_TRY(pl_new(&losses, n_rounds(t)));
    pl_status status = PL_OK;
    while (last > 0 && !has_lanes(t, n, last)) last--;
    for (size_t k = 0; k <= last && status == PL_OK; k++) {
        if (!has_lanes(t, n, k)) continue;
        t->ranks.round = (pl__round){n, k * t->ranks.size, begun, k == last};
        status = run_round(t, members, &losses[k]);
        begun = true;
    }
    if (status == PL_OK) status = add_losses(t, n, losses, loss);
    free(losses);
    return status;
}
