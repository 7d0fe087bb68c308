/* Where device memory lies, and that host code cannot touch it: it is accessible only while work of a stream runs, so a
 * launcher that reads a count or writes a buffer by itself fails here as it would on a GPU.
 *
 * Without sanitizers all device memory is one range of addresses that is closed to reading and writing in between.
 * Under ASan it comes from malloc, for the sake of exact ends, and the smaller pieces are poisoned in between. Under
 * TSan nothing is closed. */
#include "runtime.h"

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(CUEMU_ASAN)
#include <sanitizer/asan_interface.h>
#endif

namespace cuemu
{

namespace
{

int n_open = 0; /* pieces of work under way, one inside the other */

#if defined(CUEMU_ASAN)

constexpr size_t LARGEST_GUARDED = 64 * 1024; /* poisoning costs time with the size */

/* By complemented address (see runtime_memory.cpp). */
std::map<uintptr_t, size_t> &guarded()
{
    static std::map<uintptr_t, size_t> pieces;
    return pieces;
}

void open_memory()
{
    for (auto &piece : guarded()) ASAN_UNPOISON_MEMORY_REGION((char *)~piece.first, piece.second);
}

void close_memory()
{
    for (auto &piece : guarded()) ASAN_POISON_MEMORY_REGION((char *)~piece.first, piece.second);
}

#elif defined(CUEMU_TSAN)

void open_memory()
{
}
void close_memory()
{
}

#else

constexpr size_t PAGE_BYTES = 4096, ARENA_BYTES = (size_t)64 << 30;

/* Addresses are reserved once; `used` maps the offset of a piece to its size, both in whole pages. */
struct Arena {
    char *base = nullptr;
    size_t n_touched = 0; /* bytes from the base that were ever given out */
    std::map<size_t, size_t> used;
    struct sigaction previous = {};
    ~Arena()
    {
        if (!base) return;
        munmap(base, ARENA_BYTES);
        sigaction(SIGSEGV, &previous, nullptr);
    }
} arena;

void open_memory()
{
    mprotect(arena.base, arena.n_touched, PROT_READ | PROT_WRITE);
}
void close_memory()
{
    mprotect(arena.base, arena.n_touched, PROT_NONE);
}

void on_fault(int, siginfo_t *info, void *)
{
    static const char text[] = "CUEMU ERROR: host code touches device memory\n";
    const char *at = (const char *)info->si_addr;
    if (at >= arena.base && at < arena.base + ARENA_BYTES) {
        ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
        (void)ignored;
    }
    sigaction(SIGSEGV, &arena.previous, nullptr); /* the access is tried again and ends as it would have */
}

bool reserve()
{
    void *base = mmap(nullptr, ARENA_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) return false;
    arena.base = (char *)base;
    struct sigaction action = {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &action, &arena.previous);
    return true;
}

#endif

} // namespace

DeviceOpen::DeviceOpen()
{
    if (n_open++ == 0) open_memory();
}

DeviceOpen::~DeviceOpen()
{
    if (--n_open == 0) close_memory();
}

#if defined(CUEMU_ASAN) || defined(CUEMU_TSAN)

void *device_allocate(size_t bytes)
{
    void *memory = nullptr;
    if (posix_memalign(&memory, DEVICE_ALIGNMENT, bytes)) return nullptr;
    memset(memory, 0xFF, bytes);
#if defined(CUEMU_ASAN)
    if (bytes <= LARGEST_GUARDED) {
        guarded()[~(uintptr_t)memory] = bytes;
        if (!n_open) ASAN_POISON_MEMORY_REGION(memory, bytes);
    }
#endif
    return memory;
}

void device_release(void *memory, size_t bytes)
{
#if defined(CUEMU_ASAN)
    ASAN_UNPOISON_MEMORY_REGION(memory, bytes);
    guarded().erase(~(uintptr_t)memory);
#endif
    (void)bytes;
    free(memory);
}

#else

void *device_allocate(size_t bytes)
{
    if (!arena.base && !reserve()) return nullptr;
    const size_t n = (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    size_t offset = 0;
    for (auto &piece : arena.used) { /* the first gap that is large enough */
        if (piece.first - offset >= n) break;
        offset = piece.first + piece.second;
    }
    if (n > ARENA_BYTES - offset) return nullptr;
    arena.used[offset] = n;
    if (arena.n_touched < offset + n) arena.n_touched = offset + n;
    DeviceOpen open;
    mprotect(arena.base + offset, n, PROT_READ | PROT_WRITE);
    memset(arena.base + offset, 0xFF, n);
    return arena.base + offset;
}

void device_release(void *memory, size_t)
{
    auto piece = arena.used.find((size_t)((char *)memory - arena.base));
    madvise(memory, piece->second, MADV_DONTNEED);
    arena.used.erase(piece);
}

#endif

} // namespace cuemu
