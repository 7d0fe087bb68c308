/* Preloaded (LD_PRELOAD) for allocation.py: makes allocations fail that would have succeeded.
 *
 * ALLOCATION_FAIL=N   the N-th allocation of the process gives nothing; "N-": that one and all behind it
 * ALLOCATION_LOG=FILE a line for every allocation (for the N-th with ALLOCATION_FAIL): its number, a hash of the end of
 * its stack, the object that asked for it. Allocations of one stack fail alike, so that the short test can take one of
 * each. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

enum { DEPTH = 16, ALIKE = 6 }; /* ALIKE: this shim, and four of the program */

static atomic_long first, *count = &first; /* shared with forks: an allocation fails once, not once in each */
static long fails_at = -1;
static bool fails_on, is_ready;
static int log_file = -1;
static _Thread_local bool inside;

static void prepare(void)
{
    const char *fail = getenv("ALLOCATION_FAIL"), *log = getenv("ALLOCATION_LOG");
    void *shared = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    is_ready = true;
    if (shared != MAP_FAILED) count = shared;
    if (fail) {
        char *end;
        fails_at = strtol(fail, &end, 10);
        fails_on = *end == '-';
    }
    if (log) log_file = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
}

/* The object that asked: the first on the stack that is neither this shim nor the C library. */
static const char *who(void *const *stack, int depth)
{
    Dl_info own, libc, at;
    const char *name = "?";
    if (!dladdr((void *)&log_file, &own) || !dladdr((void *)getenv, &libc)) return name;
    for (int i = 0; i < depth; i++)
        if (dladdr(stack[i], &at) && at.dli_fbase != own.dli_fbase && at.dli_fbase != libc.dli_fbase) {
            name = strrchr(at.dli_fname, '/');
            return name ? name + 1 : at.dli_fname;
        }
    return "libc";
}

static void log_stack(long n)
{
    void *stack[DEPTH];
    uint64_t hash = 14695981039346656037u;
    char line[256];
    int depth = backtrace(stack, DEPTH);
    for (int i = 0; i < depth && i < ALIKE; i++) hash = (hash ^ (uintptr_t)stack[i]) * 1099511628211u;
    int size = snprintf(line, sizeof line, "%ld %016llx %.100s\n", n, (unsigned long long)hash, who(stack, depth));
    if (write(log_file, line, (size_t)size) != size) _exit(99);
}

static bool fails(void)
{
    if (inside) return false; /* backtrace() takes memory, too */
    if (!is_ready) prepare();
    long n = atomic_fetch_add(count, 1) + 1;
    bool hit = fails_at >= 0 && (n == fails_at || (n > fails_at && fails_on));
    if (log_file >= 0 && (fails_at < 0 || n == fails_at)) {
        inside = true;
        log_stack(n);
        inside = false;
    }
    if (hit) errno = ENOMEM;
    return hit;
}

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *memory, size_t size)
{
    return fails() ? NULL : __libc_realloc(memory, size);
}

void *memalign(size_t alignment, size_t size)
{
    return fails() ? NULL : __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    void *memory = memalign(alignment, size);
    if (memory) *out = memory;
    return memory ? 0 : ENOMEM;
}
