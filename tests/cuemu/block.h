/* The running block: its threads, warps, and who may run next. Shared by the emulator's own files. */
#ifndef CUEMU_BLOCK_H
#define CUEMU_BLOCK_H

#include <vector>

#include "cuemu.h"
#include "schedule.h"

namespace cuemu
{

/* One *_sync mask that lanes of a warp wait with. Two tables in turn: a lane may be at its next exchange while another
 * still reads the last one. */
struct Meeting {
    unsigned mask = 0, arrived = 0, generation = 0;
    alignas(16) Slot slots[2][WARP];
};

constexpr int MAX_MEETINGS = 16;

struct Warp {
    Meeting meetings[MAX_MEETINGS];
    int n_meetings = 0;
    unsigned live = 0; /* lanes that have not left the kernel */
};

/* A copy from global to shared memory that has not been waited for. */
struct Copy {
    void *shared;
    const void *global;
    int bytes;
    unsigned group;
    bool made;
};

struct CopyQueue {
    std::vector<Copy> copies;
    unsigned n_groups = 0; /* committed */
};

struct Block : BlockView {
    const char *kernel = "?";
    const std::function<void()> *body = nullptr;
    std::vector<Thread> threads;
    std::vector<Warp> warps;
    std::vector<CopyQueue> copies; /* one a thread */
    Schedule schedule;
    int live = 0, at_barrier = 0;
    unsigned barrier_generation = 0;
    int barrier_site = 0;
    char barrier_tag[2] = {0, 0}, start_tag = 0, end_tag = 0; /* addresses for acquire and release */
};

extern Block *running;

/* Its threads from start to end; b's index and dynamic shared memory are set, `at` is its number in the grid. */
void run_block(Block &b, uint64_t launch, uint64_t at);
/* The shared memory of a processor's first block is not that of another's: for TSan nobody has touched it. */
void forget_shared();
void wait_for_others(); /* the running thread waits; returns once another has made it ready and its turn has come */
void release_barrier(Thread *self); /* lets the block go on once all its live threads wait; self runs already */

/* Runs every block of the grid, one after another. */
void run_grid(const char *name, dim3 grid, dim3 size, size_t shared_bytes, const std::function<void()> &body);

} // namespace cuemu

#endif
