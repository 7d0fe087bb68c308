/* Runs the blocks of a grid, each with its own dynamic shared memory, and says where a kernel failed. */
#include <stdio.h>
#include <stdlib.h>

#include <algorithm>
#include <numeric>

#include "block.h"
#include "fibre.h"

namespace cuemu
{

void die(const char *message, int line, const char *file)
{
    if (!running) {
        fprintf(stderr, "CUEMU ERROR outside a kernel: %s\n", message);
        abort();
    }
    fprintf(stderr, "CUEMU ERROR in kernel %s: %s; block (%u,%u,%u)", running->kernel, message, block->index.x,
            block->index.y, block->index.z);
    if (thread) fprintf(stderr, " thread (%u,%u,%u)", thread->index.x, thread->index.y, thread->index.z);
    if (line) fprintf(stderr, ", %s:%d", file, line);
    fputc('\n', stderr);
    abort();
}

/* Of the exact size: under ASan a byte past its end is a red zone. */
static char *dynamic_shared(size_t bytes)
{
    void *memory = nullptr;
    if (!bytes) return nullptr;
    if (posix_memalign(&memory, 128, bytes)) die("no memory for shared memory");
    memset(memory, 0xFF, bytes);
    return (char *)memory;
}

static void set_up(Block &b, const char *name, dim3 grid, dim3 size, const std::function<void()> &body)
{
    const size_t n = (size_t)size.x * size.y * size.z;
    b.kernel = name;
    b.size = size;
    b.grid = grid;
    b.body = &body;
    b.threads.resize(n);
    b.copies.resize(n);
    b.order.resize(n);
    b.ready.resize(n + 1);
    if (b.warps.size() < (n + WARP - 1) / WARP) b.warps.resize((n + WARP - 1) / WARP);
    for (size_t i = 0; i < n; i++) {
        Thread &t = b.threads[i];
        t.index = uint3{(unsigned)i % size.x, (unsigned)i / size.x % size.y, (unsigned)i / (size.x * size.y)};
        t.linear = (int)i;
        t.lane = (int)i % WARP;
        t.warp = (int)i / WARP;
        b.order[i] = (int)i;
    }
}

/* In which blocks run. The hardware promises none: results that depend on it are wrong. */
struct BlockOrder {
    uint64_t n_blocks;
    bool reverse;
    std::vector<uint32_t> shuffled;

    explicit BlockOrder(uint64_t n) : n_blocks(n), reverse(asked_for_order("reverse"))
    {
        if (!asked_for_order("random") || n > UINT32_MAX) return;
        shuffled.resize(n);
        std::iota(shuffled.begin(), shuffled.end(), 0);
        std::shuffle(shuffled.begin(), shuffled.end(), random_order());
    }
    uint64_t next(uint64_t i) const
    {
        return !shuffled.empty() ? shuffled[i] : reverse ? n_blocks - 1 - i : i;
    }
};

void run_grid(const char *name, dim3 grid, dim3 size, size_t shared_bytes, const std::function<void()> &body)
{
    if (running) die("a kernel is launched by a kernel");
    static Block b; /* made once: the tables of the meetings are 128 KiB a warp */
    set_up(b, name, grid, size, body);
    fibre_scheduler_here();
    running = &b;
    block = &b;
    BlockOrder order((uint64_t)grid.x * grid.y * grid.z);
    for (uint64_t i = 0; i < order.n_blocks; i++) {
        uint64_t at = order.next(i);
        b.index = uint3{(unsigned)(at % grid.x), (unsigned)(at / grid.x % grid.y), (unsigned)(at / grid.x / grid.y)};
        b.dynamic_shared = dynamic_shared(shared_bytes);
        run_block(b);
        free(b.dynamic_shared);
    }
    running = nullptr;
    block = nullptr;
}

} // namespace cuemu
