/* Ranks over NCCL, one process a GPU. The library is opened at run time, by the first rank that is asked for; bytes
 * move, nothing is added (reduce_lanes does that).
 *
 * No call of NCCL blocks: after each one its state is asked for until it is done, or until an end is made. A thread of
 * the comm's own looks at the state while the program waits for a stream: what fails there (a peer's connection) makes
 * an end, too, after which NCCL's kernels leave the device. A peer that is killed on the same machine may go unnoticed
 * by NCCL: host/train/ranks.c looks for that one, and calls pl__comm_abort. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cuda.h"
#include "nccl_calls.h"

typedef struct calls {
    void *library;
#define X(name, result, parameters) __typeof__(&name) name;
    PL__NCCL_CALLS(X)
#undef X
} calls;

struct pl_comm {
    pl_device *device;
    calls nccl;
    ncclComm_t handle; /* NULL: aborted */
    int rank, size;
    pthread_mutex_t lock; /* of the handle and `why` */
    pthread_t thread;
    bool watched;
    atomic_bool leaving;
    pl_status failed; /* why there is no handle any more */
    char why[256];
};

enum { LOOK_MS = 100, COME_S = 600, LEAVE_S = 5 };

static void nap(long ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000 * 1000};
    (void)nanosleep(&pause, NULL);
}

static double now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- Opening the library ---- */

#ifdef PL_CUDA_EMULATED
static pl_status find_calls(const pl_device *device, calls *nccl)
{
    (void)device;
#define X(name, result, parameters) nccl->name = &name;
    PL__NCCL_CALLS(X)
#undef X
    return PL_OK;
}
#else
#define LIBRARY "libnccl.so.2"

static pl_status find_calls(const pl_device *device, calls *nccl)
{
    static const char *const places[] = {LIBRARY, "/usr/local/cuda/lib64/" LIBRARY};
    const char *named = getenv("PLUMB_NCCL"), *name = named && *named ? named : LIBRARY;
    if (named && *named) nccl->library = dlopen(named, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    for (size_t i = 0; !nccl->library && name != named && i < sizeof places / sizeof *places; i++)
        nccl->library = dlopen(places[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!nccl->library)
        return device->host->fail(PL_E_UNSUPPORTED,
                                  "several ranks on GPUs need NCCL: %s was not found; install it, add its folder to "
                                  "LD_LIBRARY_PATH or name the file with PLUMB_NCCL",
                                  name);
#define X(call, result, parameters)                                                                                    \
    {                                                                                                                  \
        void *address = dlsym(nccl->library, #call);                                                                   \
        if (!address)                                                                                                  \
            return device->host->fail(PL_E_UNSUPPORTED, "NCCL: %s lacks %s; use 2.18 or newer", name, #call);          \
        memcpy(&nccl->call, &address, sizeof address);                                                                 \
    }
    PL__NCCL_CALLS(X)
#undef X
    return PL_OK;
}
#endif

static void close_library(calls *nccl)
{
    if (nccl->library) (void)dlclose(nccl->library);
    *nccl = (calls){0};
}

static pl_status open_library(const pl_device *device, calls *nccl)
{
    int version = 0;
    *nccl = (calls){0};
    pl_status status = find_calls(device, nccl);
    if (status == PL_OK && nccl->ncclGetVersion(&version) != ncclSuccess) version = 0;
    if (status == PL_OK && (version < PL__NCCL_LEAST || version >= PL__NCCL_END))
        status =
            device->host->fail(PL_E_UNSUPPORTED,
                               "NCCL %d.%d was found, plumb needs 2.%d or a newer 2: install that, or name it with "
                               "PLUMB_NCCL",
                               version / 10000, version % 10000 / 100, PL__NCCL_LEAST % 10000 / 100);
    if (status != PL_OK) close_library(nccl);
    return status;
}

pl_status pl__comm_id(pl_device *device, uint8_t id[PL_COMM_ID_BYTES])
{
    calls nccl;
    ncclUniqueId made;
    _Static_assert(sizeof made == PL_COMM_ID_BYTES, "NCCL's id is what travels");
    PL_TRY(pl__enter(device));
    PL_TRY(open_library(device, &nccl));
    const ncclResult_t result = nccl.ncclGetUniqueId(&made);
    pl_status status = PL_OK;
    if (result != ncclSuccess)
        status = device->host->fail(PL_E_DEVICE, "NCCL makes no id for the ranks: %s; NCCL_DEBUG=WARN says more",
                                    nccl.ncclGetErrorString(result));
    memcpy(id, &made, sizeof made);
    close_library(&nccl);
    return status;
}

/* ---- Ends ---- */

/* With the lock held. NCCL's kernels leave the device, and calls of NCCL end. */
static void end(pl_comm *c, pl_status status, const char *why)
{
    if (!c->handle) return;
    (void)snprintf(c->why, sizeof c->why, "%s", why);
    c->failed = status;
    (void)c->nccl.ncclCommAbort(c->handle);
    c->handle = NULL;
}

static pl_status say_end(pl_comm *c)
{
    return c->device->host->fail(c->failed, "rank %d of %d on %s: %s", c->rank, c->size, c->device->name, c->why);
}

/* With the lock held: looks at the state. *busy: what was asked for is not done yet. */
static pl_status look(pl_comm *c, bool *busy)
{
    char text[sizeof c->why];
    ncclResult_t state = ncclSuccess;
    *busy = false;
    if (!c->handle) return say_end(c);
    const ncclResult_t result = c->nccl.ncclCommGetAsyncError(c->handle, &state);
    if (result != ncclSuccess) state = result;
    *busy = state == ncclInProgress;
    if (state == ncclSuccess || *busy) return PL_OK;
    const bool peer = state == ncclRemoteError;
    (void)snprintf(text, sizeof text, "NCCL: %.150s; NCCL_DEBUG=WARN says more", c->nccl.ncclGetErrorString(state));
    end(c, peer ? PL_E_RANK : PL_E_DEVICE, text);
    return say_end(c);
}

pl_status pl__comm_check(pl_comm *c)
{
    bool busy;
    (void)pthread_mutex_lock(&c->lock);
    pl_status status = look(c, &busy);
    (void)pthread_mutex_unlock(&c->lock);
    return status;
}

void pl__comm_abort(pl_comm *c)
{
    (void)pthread_mutex_lock(&c->lock);
    end(c, PL_E_RANK, "stopped, because another rank has ended");
    (void)pthread_mutex_unlock(&c->lock);
}

static void *watch(void *context)
{
    pl_comm *c = context;
    while (!atomic_load(&c->leaving)) {
        bool busy;
        nap(LOOK_MS);
        (void)pthread_mutex_lock(&c->lock);
        if (c->handle) (void)look(c, &busy);
        (void)pthread_mutex_unlock(&c->lock);
    }
    return NULL;
}

/* Until what was asked for is done. The lock is free meanwhile. */
static pl_status settle(pl_comm *c, double limit_s, const char *what)
{
    const double begun = now_s();
    for (bool busy = true;;) {
        (void)pthread_mutex_lock(&c->lock);
        pl_status status = look(c, &busy);
        if (status == PL_OK && busy && now_s() - begun > limit_s) {
            char text[sizeof c->why];
            (void)snprintf(text, sizeof text, "NCCL did not finish %s within %.0f s: did all ranks start?", what,
                           limit_s);
            end(c, PL_E_RANK, text);
            status = say_end(c);
        }
        (void)pthread_mutex_unlock(&c->lock);
        if (status != PL_OK || !busy) return status;
        nap(1);
    }
}

/* ---- Joining and leaving ---- */

static pl_status start(pl_comm *c, const uint8_t id[PL_COMM_ID_BYTES])
{
    ncclUniqueId made;
    struct pl__nccl_config config = {
        .size = sizeof config, .magic = PL__NCCL_CONFIG_MAGIC, .version = PL__NCCL_CONFIG_VERSION, .blocking = 0};
    memcpy(&made, id, sizeof made);
    const ncclResult_t result = c->nccl.ncclCommInitRankConfig(&c->handle, c->size, made, c->rank, &config);
    if (result != ncclSuccess && result != ncclInProgress)
        return c->device->host->fail(PL_E_DEVICE,
                                     "NCCL does not start rank %d of %d on %s: %s; NCCL_DEBUG=WARN says more", c->rank,
                                     c->size, c->device->name, c->nccl.ncclGetErrorString(result));
    if (pthread_create(&c->thread, NULL, watch, c) != 0)
        return c->device->host->fail(PL_E_IO, "rank %d of %d: no thread to watch the others", c->rank, c->size);
    c->watched = true;
    return PL_OK;
}

pl_status pl__comm_create(pl_device *device, pl_comm **out, const uint8_t id[PL_COMM_ID_BYTES], int rank, int size)
{
    pl_comm *c = NULL;
    *out = NULL;
    PL_TRY(pl__enter(device));
    PL_TRY(pl__handle_create(device, (void **)&c, sizeof *c));
    c->device = device;
    c->rank = rank;
    c->size = size;
    c->failed = PL_E_DEVICE;
    (void)pthread_mutex_init(&c->lock, NULL);
    pl_status status = open_library(device, &c->nccl);
    if (status == PL_OK) status = start(c, id);
    if (status != PL_OK) {
        pl__comm_abort(c);
        pl__comm_free(c);
        return status;
    }
    *out = c;
    return PL_OK;
}

void pl__comm_free(pl_comm *c)
{
    if (!c) return;
    atomic_store(&c->leaving, true);
    if (c->watched) (void)pthread_join(c->thread, NULL);
    pl__forget(cudaSetDevice(c->device->index));
    if (c->handle) {
        /* All that was sent has arrived before the handle goes; peers may still read from here. */
        const ncclResult_t result = c->nccl.ncclCommFinalize(c->handle);
        const bool whole = result == ncclSuccess || result == ncclInProgress;
        if (whole && settle(c, LEAVE_S, "leaving") == PL_OK) {
            (void)c->nccl.ncclCommDestroy(c->handle);
            c->handle = NULL;
        }
        pl__comm_abort(c);
    }
    close_library(&c->nccl);
    (void)pthread_mutex_destroy(&c->lock);
    free(c);
}

/* ---- Moving bytes ---- */

static size_t row_bytes(pl_view v)
{
    return v.columns * pl_dtype_bytes(v.dtype);
}

static pl_status need_rows(const pl_comm *c, const char *what, pl_view v)
{
    if (v.rows == (size_t)c->size) return PL_OK;
    return c->device->host->fail(PL_E_INTERNAL, "%s: %zu rows for %d ranks", what, v.rows, c->size);
}

typedef struct move {
    const char *name; /* of NCCL's call */
    pl_view from, to;
    int root;
} move;

/* With the lock held, and a handle. */
static ncclResult_t exchange(pl_comm *c, const move *m, cudaStream_t stream)
{
    const size_t bytes = row_bytes(m->from);
    ncclResult_t result = c->nccl.ncclGroupStart();
    if (result != ncclSuccess) return result;
    for (int r = 0; r < c->size && result == ncclSuccess; r++) {
        result = c->nccl.ncclSend(pl__at(m->from, (size_t)r), bytes, ncclUint8, r, c->handle, stream);
        if (result == ncclSuccess || result == ncclInProgress)
            result = c->nccl.ncclRecv(pl__at(m->to, (size_t)r), bytes, ncclUint8, r, c->handle, stream);
        if (result == ncclInProgress) result = ncclSuccess;
    }
    const ncclResult_t ended = c->nccl.ncclGroupEnd();
    return result == ncclSuccess ? ended : result;
}

static ncclResult_t gather(pl_comm *c, const move *m, cudaStream_t stream)
{
    return c->nccl.ncclAllGather(pl__at(m->from, 0), pl__at(m->to, 0), row_bytes(m->from), ncclUint8, c->handle,
                                 stream);
}

static ncclResult_t broadcast(pl_comm *c, const move *m, cudaStream_t stream)
{
    return c->nccl.ncclBroadcast(pl__at(m->from, 0), pl__at(m->to, 0), row_bytes(m->from), ncclUint8, m->root,
                                 c->handle, stream);
}

/* The first call waits for all ranks: their handles are being made until then. */
static pl_status enqueue(pl_stream *stream, pl_comm *c, const move *m,
                         ncclResult_t (*call)(pl_comm *c, const move *m, cudaStream_t stream))
{
    char text[sizeof c->why];
    if (row_bytes(m->from) == 0) return PL_OK;
    PL_TRY(pl__enter(stream->device));
    PL_TRY(settle(c, COME_S, "starting"));
    (void)pthread_mutex_lock(&c->lock);
    pl_status status = PL_OK;
    const ncclResult_t result = c->handle ? call(c, m, stream->handle) : ncclSuccess;
    if (result != ncclSuccess && result != ncclInProgress) {
        (void)snprintf(text, sizeof text, "%s: %.150s; NCCL_DEBUG=WARN says more", m->name,
                       c->nccl.ncclGetErrorString(result));
        end(c, result == ncclRemoteError ? PL_E_RANK : PL_E_DEVICE, text);
    }
    if (!c->handle) status = say_end(c);
    (void)pthread_mutex_unlock(&c->lock);
    return status == PL_OK ? settle(c, COME_S, m->name) : status;
}

pl_status pl__comm_exchange(pl_stream *stream, pl_comm *c, pl_view from, pl_view to)
{
    const move m = {"ncclSend and ncclRecv", from, to, 0};
    PL_TRY(need_rows(c, "comm_exchange", from));
    return enqueue(stream, c, &m, exchange);
}

pl_status pl__comm_gather(pl_stream *stream, pl_comm *c, pl_view part, pl_view all)
{
    const move m = {"ncclAllGather", part, all, 0};
    PL_TRY(need_rows(c, "comm_gather", all));
    return enqueue(stream, c, &m, gather);
}

pl_status pl__comm_broadcast(pl_stream *stream, pl_comm *c, pl_view x, int root)
{
    const move m = {"ncclBroadcast", x, x, root};
    if (root < 0 || root >= c->size)
        return c->device->host->fail(PL_E_INTERNAL, "comm_broadcast: root %d of %d", root, c->size);
    return enqueue(stream, c, &m, broadcast);
}
