/* Ranks of one machine over shared memory: a file without a name that rank 0 holds open and the others open through
 * /proc, so that nothing is left behind, whoever is killed.
 *
 * A call goes in pieces: each rank puts its piece into its own place, all meet, and each takes what is for it. Places
 * are double: a piece is written while slower ranks still read the one before. Whoever waits looks every moment whether
 * all that it waits for still live. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/process.h"
#include "device/cpu/cpu.h"

enum { MOST_RANKS = 64, NONCE_BYTES = 16, PLACE_BYTES = 1 << 20, LOOK_MS = 100, COME_S = 600 };

typedef enum presence { ABSENT, HERE, LEFT } presence;

/* What a rank is calling, to be the same on all. */
typedef struct call {
    uint32_t kind, root;
    uint64_t bytes; /* of a row */
} call;
enum { EXCHANGE = 1, GATHER, BROADCAST };

typedef struct member {
    atomic_uint presence;
    char process[PL_PROCESS_NAME_MAX];
    call calls[2];
} member;

typedef struct hub {
    uint8_t nonce[NONCE_BYTES];
    atomic_uint size;          /* 0: not known yet */
    atomic_uint arrived, turn; /* of the meeting at hand; `turn` is what is slept on */
    atomic_uint ended_by;      /* 1 + the rank that made an end; 0: nobody */
    member members[MOST_RANKS];
} hub;
enum { HUB_BYTES = (sizeof(hub) + 4095) / 4096 * 4096 };

struct pl_comm {
    hub *hub;
    int rank, size, file; /* file: of who made the id, else -1 */
    unsigned half;
    size_t bytes;
};

/* ---- The id: process and descriptor of the shared file, and a number that it must hold ---- */

typedef struct identity {
    char kind[8];
    int64_t process, file;
    uint8_t nonce[NONCE_BYTES];
} identity;
static const char KIND[8] = "cpu-mem";

pl_status pl__comm_id(pl_device *device, uint8_t id[PL_COMM_ID_BYTES])
{
    identity made = {.process = getpid()};
    _Static_assert(sizeof made <= PL_COMM_ID_BYTES, "an id's size");
    (void)device;
    memcpy(made.kind, KIND, sizeof KIND);
    if (getrandom(made.nonce, sizeof made.nonce, 0) != (ssize_t)sizeof made.nonce)
        return pl_fail(PL_E_IO, "ranks: no random number from the system: %s", strerror(errno));
    int file = memfd_create("plumb-ranks", MFD_CLOEXEC);
    if (file < 0) return pl_fail(PL_E_IO, "ranks: no shared memory: %s", strerror(errno));
    if (ftruncate(file, HUB_BYTES) != 0 || pwrite(file, made.nonce, NONCE_BYTES, 0) != NONCE_BYTES) {
        pl_status status = pl_fail(PL_E_IO, "ranks: no shared memory: %s", strerror(errno));
        (void)close(file);
        return status;
    }
    made.file = file;
    memset(id, 0, PL_COMM_ID_BYTES);
    memcpy(id, &made, sizeof made);
    return PL_OK;
}

static pl_status open_file(int *file, const identity *id)
{
    char path[64];
    uint8_t nonce[NONCE_BYTES];
    if (memcmp(id->kind, KIND, sizeof KIND) != 0) return pl_fail(PL_E_INPUT, "ranks: this id is not of device cpu");
    (void)snprintf(path, sizeof path, "/proc/%lld/fd/%lld", (long long)id->process, (long long)id->file);
    *file = open(path, O_RDWR | O_CLOEXEC);
    if (*file < 0)
        return pl_fail(PL_E_RANK,
                       "ranks: rank 0 (process %lld) cannot be reached: %s; all ranks of device cpu are on "
                       "one machine",
                       (long long)id->process, strerror(errno));
    if (pread(*file, nonce, NONCE_BYTES, 0) == NONCE_BYTES && memcmp(nonce, id->nonce, NONCE_BYTES) == 0) return PL_OK;
    (void)close(*file);
    return pl_fail(PL_E_RANK, "ranks: process %lld is not rank 0 any more", (long long)id->process);
}

/* ---- Joining and leaving ---- */

static pl_status map_file(pl_comm *c, int file)
{
    struct stat now;
    c->bytes = HUB_BYTES + 2 * (size_t)c->size * PLACE_BYTES;
    /* All ask for the same size; it only grows. */
    if (fstat(file, &now) != 0 || ((size_t)now.st_size < c->bytes && ftruncate(file, (off_t)c->bytes) != 0))
        return pl_fail(PL_E_MEMORY, "ranks: %zu bytes of shared memory: %s", c->bytes, strerror(errno));
    void *map = mmap(NULL, c->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (map == MAP_FAILED)
        return pl_fail(PL_E_MEMORY, "ranks: %zu bytes of shared memory: %s", c->bytes, strerror(errno));
    c->hub = map;
    return PL_OK;
}

static pl_status take_place(pl_comm *c)
{
    member *own = &c->hub->members[c->rank];
    unsigned size = 0, absent = ABSENT;
    if (!atomic_compare_exchange_strong(&c->hub->size, &size, (unsigned)c->size) && size != (unsigned)c->size)
        return pl_fail(PL_E_USAGE, "ranks: rank %d counts %d ranks, another %u", c->rank, c->size, size);
    pl_process_name(own->process);
    if (!atomic_compare_exchange_strong(&own->presence, &absent, HERE))
        return pl_fail(PL_E_USAGE, "ranks: rank %d is there already", c->rank);
    return PL_OK;
}

pl_status pl__comm_create(pl_device *device, pl_comm **out, const uint8_t id[PL_COMM_ID_BYTES], int rank, int size)
{
    identity made;
    pl_comm *c;
    pl_status status;
    int file = -1;
    (void)device;
    *out = NULL;
    memcpy(&made, id, sizeof made);
    if (size > MOST_RANKS)
        return pl_fail(PL_E_UNSUPPORTED, "%d ranks: device cpu has %d at most", size, (int)MOST_RANKS);
    PL_TRY(pl_new(&c, 1));
    *c = (pl_comm){.rank = rank, .size = size, .file = -1};
    PL_GOTO(status, failed, open_file(&file, &made));
    status = map_file(c, file);
    (void)close(file);
    if (status != PL_OK) goto failed;
    PL_GOTO(status, failed, take_place(c));
    if (rank == 0 && made.process == getpid()) c->file = (int)made.file;
    *out = c;
    return PL_OK;
failed:
    if (c->hub) (void)munmap(c->hub, c->bytes);
    free(c);
    return status;
}

static void wake(atomic_uint *word)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void pl__comm_abort(pl_comm *c)
{
    unsigned nobody = 0;
    (void)atomic_compare_exchange_strong(&c->hub->ended_by, &nobody, 1u + (unsigned)c->rank);
    wake(&c->hub->turn);
}

void pl__comm_free(pl_comm *c)
{
    if (!c) return;
    atomic_store(&c->hub->members[c->rank].presence, LEFT);
    wake(&c->hub->turn);
    (void)munmap(c->hub, c->bytes);
    if (c->file >= 0) (void)close(c->file);
    free(c);
}

/* ---- Meeting ---- */

static pl_status ended(const pl_comm *c)
{
    const unsigned by = atomic_load(&c->hub->ended_by);
    if (!by) return PL_OK;
    if (by == 1u + (unsigned)c->rank) return pl_fail(PL_E_RANK, "rank %d of %d: stopped", c->rank, c->size);
    return pl_fail(PL_E_RANK, "rank %u of %d has ended: the others cannot go on", by - 1, c->size);
}

/* A rank that has ended without a word, or left while others wait for it, makes an end for all. waited_s < 0: nobody
 * waits. */
static pl_status look_around(pl_comm *c, double waited_s)
{
    PL_TRY(ended(c));
    for (int r = 0; r < c->size; r++) {
        const member *m = &c->hub->members[r];
        const unsigned presence = atomic_load(&m->presence);
        const bool never = presence == ABSENT && waited_s > COME_S, left = presence == LEFT && waited_s >= 0;
        const bool gone = presence == HERE && pl_process_name_life(m->process, strlen(m->process)) == PL_LIFE_DEAD;
        /* It may have left since. */
        if (!left && !never && !(gone && atomic_load(&m->presence) == HERE)) continue;
        unsigned nobody = 0;
        (void)atomic_compare_exchange_strong(&c->hub->ended_by, &nobody, 1u + (unsigned)r);
        wake(&c->hub->turn);
        if (never) return pl_fail(PL_E_RANK, "rank %d of %d did not come within %d s", r, c->size, (int)COME_S);
        return ended(c);
    }
    return PL_OK;
}

pl_status pl__comm_check(pl_comm *c)
{
    return look_around(c, -1);
}

/* All have come this far when it returns. */
static pl_status meet(pl_comm *c)
{
    hub *h = c->hub;
    PL_TRY(ended(c));
    const unsigned turn = atomic_load(&h->turn);
    if (atomic_fetch_add(&h->arrived, 1) + 1 == (unsigned)c->size) {
        atomic_store(&h->arrived, 0);
        atomic_fetch_add(&h->turn, 1);
        wake(&h->turn);
        return PL_OK;
    }
    const double begun = pl_clock_s();
    double looked = begun;
    while (atomic_load(&h->turn) == turn) {
        const struct timespec pause = {.tv_nsec = LOOK_MS * 1000 * 1000};
        (void)syscall(SYS_futex, &h->turn, FUTEX_WAIT, turn, &pause, NULL, 0);
        const double now = pl_clock_s();
        const bool due = now - looked >= LOOK_MS * 1e-3;
        if (atomic_load(&h->turn) != turn) break;
        PL_TRY(due ? look_around(c, now - begun) : ended(c));
        if (due) looked = now;
    }
    return PL_OK;
}

static char *place_of(const pl_comm *c, int rank)
{
    return (char *)c->hub + HUB_BYTES + (2 * (size_t)rank + c->half) * PLACE_BYTES;
}

/* Meets with what this rank calls, which must be what all call. */
static pl_status meet_calling(pl_comm *c, call own)
{
    c->hub->members[c->rank].calls[c->half] = own;
    PL_TRY(meet(c));
    for (int r = 0; r < c->size; r++) {
        const call *other = &c->hub->members[r].calls[c->half];
        if (other->kind == own.kind && other->root == own.root && other->bytes == own.bytes) continue;
        pl__comm_abort(c);
        return pl_fail(PL_E_INTERNAL, "ranks: rank %d calls %u of %zu bytes, rank %d %u of %zu", c->rank, own.kind,
                       (size_t)own.bytes, r, other->kind, (size_t)other->bytes);
    }
    return PL_OK;
}

/* ---- Moving bytes ---- */

static size_t row_bytes(pl_view v)
{
    return v.columns * pl_dtype_bytes(v.dtype);
}

static pl_status need_rows(const pl_comm *c, const char *what, pl_view v)
{
    if (v.rows == (size_t)c->size) return PL_OK;
    return pl_fail(PL_E_INTERNAL, "%s: %zu rows for %d ranks", what, v.rows, c->size);
}

pl_status pl__comm_exchange(pl_stream *stream, pl_comm *c, pl_view from, pl_view to)
{
    const size_t bytes = row_bytes(from), most = (size_t)PLACE_BYTES / (size_t)c->size / 64 * 64;
    (void)stream;
    PL_TRY(need_rows(c, "comm_exchange", from));
    for (size_t at = 0; at < bytes; at += most) {
        const size_t n = bytes - at < most ? bytes - at : most;
        for (int r = 0; r < c->size; r++)
            memcpy(place_of(c, c->rank) + (size_t)r * most, (const char *)pl__at(from, (size_t)r) + at, n);
        PL_TRY(meet_calling(c, (call){.kind = EXCHANGE, .bytes = bytes}));
        for (int r = 0; r < c->size; r++)
            memcpy((char *)pl__at(to, (size_t)r) + at, place_of(c, r) + (size_t)c->rank * most, n);
        c->half ^= 1;
    }
    return PL_OK;
}

pl_status pl__comm_gather(pl_stream *stream, pl_comm *c, pl_view part, pl_view all)
{
    const size_t bytes = row_bytes(part);
    (void)stream;
    PL_TRY(need_rows(c, "comm_gather", all));
    for (size_t at = 0; at < bytes; at += PLACE_BYTES) {
        const size_t n = bytes - at < PLACE_BYTES ? bytes - at : PLACE_BYTES;
        memcpy(place_of(c, c->rank), (const char *)pl__at(part, 0) + at, n);
        PL_TRY(meet_calling(c, (call){.kind = GATHER, .bytes = bytes}));
        for (int r = 0; r < c->size; r++) memcpy((char *)pl__at(all, (size_t)r) + at, place_of(c, r), n);
        c->half ^= 1;
    }
    return PL_OK;
}

pl_status pl__comm_broadcast(pl_stream *stream, pl_comm *c, pl_view x, int root)
{
    const size_t bytes = row_bytes(x);
    (void)stream;
    if (root < 0 || root >= c->size) return pl_fail(PL_E_INTERNAL, "comm_broadcast: root %d of %d", root, c->size);
    for (size_t at = 0; at < bytes; at += PLACE_BYTES) {
        const size_t n = bytes - at < PLACE_BYTES ? bytes - at : PLACE_BYTES;
        char *own = (char *)pl__at(x, 0) + at;
        if (c->rank == root) memcpy(place_of(c, root), own, n);
        PL_TRY(meet_calling(c, (call){.kind = BROADCAST, .root = (uint32_t)root, .bytes = bytes}));
        if (c->rank != root) memcpy(own, place_of(c, root), n);
        c->half ^= 1;
    }
    return PL_OK;
}
