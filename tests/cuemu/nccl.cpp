/* Stand-in for NCCL (cuda/nccl_calls.h): ranks are processes of one machine, bytes go through pipes in shared memory,
 * one for each sender and receiver. Nothing blocks but what is on a stream, which without CUEMU_LAZY=1 runs in the call
 * that puts it there; an abort is its own rank's, as NCCL's is, and a rank that has died is waited for.
 *
 * Environment, CUEMU_NCCL: absent (no version can be asked for), old (2.4.8), init (no rank starts), and of rank R
 * alone, at its N-th call on a stream, from 1: kill:R:N (SIGKILL), remote:R:N (a peer's connection fails), delay:R:MS
 * (each call comes so late). */
#include "../../cuda/nccl_calls.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <vector>

#include "cuemu.h"

namespace
{

enum { MOST_RANKS = 16, PIPE_BYTES = 1 << 15 };

struct Pipe {
    std::atomic<uint64_t> written, read; /* bytes, ever */
    char data[PIPE_BYTES];
};

struct Shared {
    uint64_t nonce;
    std::atomic<unsigned> n_here;
    Pipe pipes[MOST_RANKS][MOST_RANKS]; /* from, to */
};

struct Identity {
    int64_t process, file;
    uint64_t nonce;
};

struct Member {
    Shared *shared;
    int rank, size;
    unsigned n_calls = 0;
    std::atomic<bool> aborted{false};
    std::atomic<int> state{ncclSuccess};
    ~Member()
    {
        munmap(shared, sizeof *shared);
    }
};

struct Transfer {
    bool send;
    int peer;
    char *at;
    size_t left;
};

/* What a thread's group holds so far. */
struct Group {
    int depth = 0;
    ncclComm_t comm = nullptr;
    cudaStream_t stream = nullptr;
    std::vector<Transfer> transfers;
};
thread_local Group group;

} // namespace

struct ncclComm {
    std::shared_ptr<Member> member;
};

namespace
{

bool asked_for(const char *what)
{
    const char *value = getenv("CUEMU_NCCL");
    return value && !strcmp(value, what);
}

/* kill:R:N and the like, for this rank: N, else 0. */
unsigned asked_of(const char *what, int rank)
{
    const char *value = getenv("CUEMU_NCCL");
    size_t length = strlen(what);
    int r = -1;
    unsigned n = 0;
    if (!value || strncmp(value, what, length) != 0 || sscanf(value + length, ":%d:%u", &r, &n) != 2) return 0;
    return r == rank ? n : 0;
}

size_t move_bytes(Shared *shared, const Member &m, Transfer &t)
{
    Pipe &pipe = t.send ? shared->pipes[m.rank][t.peer] : shared->pipes[t.peer][m.rank];
    const uint64_t written = pipe.written.load(), read = pipe.read.load();
    size_t n = t.send ? PIPE_BYTES - (size_t)(written - read) : (size_t)(written - read);
    const size_t place = (size_t)((t.send ? written : read) % PIPE_BYTES);
    if (n > PIPE_BYTES - place) n = PIPE_BYTES - place;
    if (n > t.left) n = t.left;
    if (n == 0) return 0;
    if (t.send) {
        memcpy(pipe.data + place, t.at, n);
        pipe.written.store(written + n);
    } else {
        memcpy(t.at, pipe.data + place, n);
        pipe.read.store(read + n);
    }
    t.at += n;
    t.left -= n;
    return n;
}

void run(const std::shared_ptr<Member> &m, std::vector<Transfer> transfers)
{
    const unsigned call = ++m->n_calls;
    if (asked_of("kill", m->rank) == call) raise(SIGKILL);
    if (asked_of("remote", m->rank) == call) m->state = ncclRemoteError;
    if (unsigned ms = asked_of("delay", m->rank)) usleep(ms * 1000);
    for (bool left = true; left && !m->aborted;) {
        size_t moved = 0;
        left = false;
        for (size_t i = 0; i < transfers.size(); i++) {
            bool behind = false; /* another of the same pipe */
            for (size_t k = 0; k < i; k++)
                behind = behind || (transfers[k].left && transfers[k].send == transfers[i].send &&
                                    transfers[k].peer == transfers[i].peer);
            if (!behind && m->state == ncclSuccess) moved += move_bytes(m->shared, *m, transfers[i]);
            left = left || transfers[i].left;
        }
        if (!moved) usleep(50);
    }
}

ncclResult_t add(ncclComm_t comm, cudaStream_t stream, const std::vector<Transfer> &transfers)
{
    if (!comm) return (ncclResult_t)4; /* invalid argument */
    for (const Transfer &t : transfers)
        if (t.peer < 0 || t.peer >= comm->member->size || !t.at) return (ncclResult_t)4;
    if (comm->member->state == ncclInProgress) return (ncclResult_t)5; /* asked before it was ready */
    if (group.depth) {
        if (group.comm && (group.comm != comm || group.stream != stream)) return (ncclResult_t)5;
        group.comm = comm;
        group.stream = stream;
        group.transfers.insert(group.transfers.end(), transfers.begin(), transfers.end());
        return ncclSuccess;
    }
    std::shared_ptr<Member> m = comm->member;
    cuemu_enqueue(stream, [m, transfers] { run(m, transfers); });
    return ncclSuccess;
}

} // namespace

ncclResult_t ncclGetVersion(int *version)
{
    if (asked_for("absent")) return ncclSystemError;
    *version = asked_for("old") ? 2408 : 22809;
    return ncclSuccess;
}

const char *ncclGetErrorString(ncclResult_t result)
{
    switch ((int)result) {
    case ncclSuccess:
        return "no error";
    case ncclSystemError:
        return "unhandled system error (run with NCCL_DEBUG=INFO for details)";
    case 4:
        return "invalid argument (run with NCCL_DEBUG=WARN for details)";
    case 5:
        return "invalid usage (run with NCCL_DEBUG=WARN for details)";
    case ncclRemoteError:
        return "remote process exited or there was a network error";
    case ncclInProgress:
        return "NCCL operation in progress";
    }
    return "unknown result code";
}

ncclResult_t ncclGetUniqueId(ncclUniqueId *id)
{
    Identity made = {getpid(), memfd_create("cuemu-nccl", MFD_CLOEXEC), 0};
    if (made.file < 0 || getrandom(&made.nonce, sizeof made.nonce, 0) != (ssize_t)sizeof made.nonce ||
        ftruncate((int)made.file, sizeof(Shared)) != 0 ||
        pwrite((int)made.file, &made.nonce, sizeof made.nonce, 0) != (ssize_t)sizeof made.nonce)
        return ncclSystemError;
    memset(id, 0, sizeof *id);
    memcpy(id, &made, sizeof made);
    return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t *comm, int n_ranks, ncclUniqueId id, int rank, ncclConfig_t *config)
{
    Identity made;
    char path[64];
    if (asked_for("init")) return ncclSystemError;
    if (!config || config->magic != PL__NCCL_CONFIG_MAGIC || config->size != sizeof *config || config->blocking != 0 ||
        n_ranks > MOST_RANKS || rank < 0 || rank >= n_ranks)
        return (ncclResult_t)4;
    memcpy(&made, &id, sizeof made);
    snprintf(path, sizeof path, "/proc/%lld/fd/%lld", (long long)made.process, (long long)made.file);
    int file = open(path, O_RDWR | O_CLOEXEC);
    void *map = file < 0 ? MAP_FAILED : mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (file >= 0) close(file);
    if (map == MAP_FAILED || ((Shared *)map)->nonce != made.nonce) return ncclSystemError;
    *comm = new ncclComm;
    (*comm)->member = std::make_shared<Member>();
    (*comm)->member->shared = (Shared *)map;
    (*comm)->member->rank = rank;
    (*comm)->member->size = n_ranks;
    (*comm)->member->state = ncclInProgress;
    ((Shared *)map)->n_here++;
    return ncclInProgress;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t *error)
{
    Member &m = *comm->member;
    int starting = ncclInProgress;
    if (m.shared->n_here >= (unsigned)m.size) m.state.compare_exchange_strong(starting, ncclSuccess);
    *error = (ncclResult_t)m.state.load();
    return ncclSuccess;
}

ncclResult_t ncclCommFinalize(ncclComm_t comm)
{
    (void)comm;
    return ncclSuccess;
}

ncclResult_t ncclCommDestroy(ncclComm_t comm)
{
    delete comm;
    return ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t comm)
{
    comm->member->aborted = true;
    delete comm;
    return ncclSuccess;
}

ncclResult_t ncclGroupStart(void)
{
    group.depth++;
    return ncclSuccess;
}

ncclResult_t ncclGroupEnd(void)
{
    if (group.depth == 0) return (ncclResult_t)5;
    if (--group.depth) return ncclSuccess;
    Group whole = std::move(group);
    group = Group();
    return whole.comm ? add(whole.comm, whole.stream, whole.transfers) : ncclSuccess;
}

static bool is_bytes(ncclDataType_t type)
{
    return type == ncclUint8;
}

ncclResult_t ncclSend(const void *from, size_t n, ncclDataType_t type, int peer, ncclComm_t comm, cudaStream_t stream)
{
    if (!is_bytes(type)) return (ncclResult_t)4;
    return add(comm, stream, {{true, peer, (char *)from, n}});
}

ncclResult_t ncclRecv(void *to, size_t n, ncclDataType_t type, int peer, ncclComm_t comm, cudaStream_t stream)
{
    if (!is_bytes(type)) return (ncclResult_t)4;
    return add(comm, stream, {{false, peer, (char *)to, n}});
}

ncclResult_t ncclAllGather(const void *from, void *to, size_t n, ncclDataType_t type, ncclComm_t comm,
                           cudaStream_t stream)
{
    std::vector<Transfer> transfers;
    if (!is_bytes(type) || !comm) return (ncclResult_t)4;
    for (int r = 0; r < comm->member->size; r++) {
        transfers.push_back({true, r, (char *)from, n});
        transfers.push_back({false, r, (char *)to + (size_t)r * n, n});
    }
    return add(comm, stream, transfers);
}

ncclResult_t ncclBroadcast(const void *from, void *to, size_t n, ncclDataType_t type, int root, ncclComm_t comm,
                           cudaStream_t stream)
{
    std::vector<Transfer> transfers;
    if (!is_bytes(type) || !comm || from != to) return (ncclResult_t)4;
    for (int r = 0; r < comm->member->size; r++)
        if (comm->member->rank == root && r != root) transfers.push_back({true, r, (char *)from, n});
    if (comm->member->rank != root) transfers.push_back({false, root, (char *)to, n});
    return add(comm, stream, transfers);
}
