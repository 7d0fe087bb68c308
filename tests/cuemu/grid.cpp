/* Runs the blocks of a grid, each with its own dynamic shared memory, and says where a kernel failed. */
#include <stdio.h>
#include <stdlib.h>

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
    if (seed()) fprintf(stderr, "; CUEMU_SEED=%llu", (unsigned long long)seed());
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
    if (b.warps.size() < (n + WARP - 1) / WARP) b.warps.resize((n + WARP - 1) / WARP);
    for (size_t i = 0; i < n; i++) {
        Thread &t = b.threads[i];
        t.index = uint3{(unsigned)i % size.x, (unsigned)i / size.x % size.y, (unsigned)i / (size.x * size.y)};
        t.linear = (int)i;
        t.lane = (int)i % WARP;
        t.warp = (int)i / WARP;
    }
}

void run_grid(const char *name, dim3 grid, dim3 size, size_t shared_bytes, const std::function<void()> &body)
{
    if (running) die("a kernel is launched by a kernel");
    /* Made once: the tables of the meetings are 128 KiB a warp. One a processor: where threads meet they are ordered.
     */
    static Block blocks[PROCESSORS];
    static uint64_t launch = 0;
    launch++;
    const uint64_t n_blocks = (uint64_t)grid.x * grid.y * grid.z;
    const std::vector<uint32_t> order = order_of_blocks(launch, n_blocks);
    for (int processor = 0; processor < PROCESSORS; processor++) {
        Block &b = blocks[processor];
        set_up(b, name, grid, size, body);
        running = &b;
        block = &b;
        processor_begin(processor);
        if (processor > 0) forget_shared();
        for (uint64_t i = 0; i < n_blocks; i++) {
            if (PROCESSORS > 1 && processor_of_block(launch, i) != processor) continue;
            const uint64_t at = order.empty() ? i : order[i];
            b.index =
                uint3{(unsigned)(at % grid.x), (unsigned)(at / grid.x % grid.y), (unsigned)(at / grid.x / grid.y)};
            b.dynamic_shared = dynamic_shared(shared_bytes);
            run_block(b, launch, at);
            free(b.dynamic_shared);
        }
        processor_end();
    }
    processors_join();
    running = nullptr;
    block = nullptr;
}

} // namespace cuemu
