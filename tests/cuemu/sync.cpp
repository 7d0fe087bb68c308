/* Barriers of a block and exchanges within a warp, with the faults that hardware leaves to luck. */
#include "block.h"
#include "fibre.h"

#include <algorithm>

namespace cuemu
{

void barrier(int line, const char *file, int site)
{
    Block &b = *running;
    Thread *self = thread;
    site++; /* 0: none */
    if (b.at_barrier && b.barrier_site != site)
        die("threads of one block wait at different __syncthreads calls", line, file);
    char *tag = &b.barrier_tag[b.barrier_generation & 1];
    release(tag);
    b.barrier_site = site;
    self->line = line;
    self->file = file;
    self->state = State::WAIT_BLOCK;
    b.at_barrier++;
    release_barrier(self);
    if (self->state != State::READY) wait_for_others(); /* not the last to come */
    acquire(tag);
}

/* The meeting of this mask: the one in use, or one that nobody waits in. */
static Meeting &find_meeting(Warp &warp, unsigned mask, int line, const char *file)
{
    for (int i = 0; i < warp.n_meetings; i++)
        if (warp.meetings[i].mask == mask) return warp.meetings[i];
    Meeting *found = nullptr;
    if (warp.n_meetings < MAX_MEETINGS) found = &warp.meetings[warp.n_meetings++];
    for (int i = 0; i < MAX_MEETINGS && !found; i++)
        if (!warp.meetings[i].arrived) found = &warp.meetings[i];
    if (!found) die("more than 16 open *_sync masks in a warp", line, file);
    found->mask = mask;
    found->arrived = found->generation = 0;
    return *found;
}

Slot *exchange(unsigned mask, const void *value, size_t n, bool fence, int line, const char *file,
               void (*complete)(Slot *))
{
    Block &b = *running;
    Thread *self = thread;
    Warp &warp = b.warps[(size_t)self->warp];
    const int first = self->warp * WARP, n_lanes = std::min(WARP, (int)b.threads.size() - first);
    if (n_lanes < WARP) mask &= (1u << n_lanes) - 1; /* the last warp of an odd block */
    if (!(mask >> self->lane & 1)) die("calling lane is not in its own *_sync mask", line, file);
    if (mask & ~warp.live) die("*_sync mask names a lane that already left the kernel", line, file);

    Meeting &m = find_meeting(warp, mask, line, file);
    Slot *slots = m.slots[m.generation & 1];
    if (n) memcpy(slots[self->lane], value, n);
    if (fence) release(slots);
    m.arrived |= 1u << self->lane;
    self->line = line;
    self->file = file;
    if (m.arrived != mask) {
        self->state = State::WAIT_WARP;
        wait_for_others();
    } else {
        if (complete) complete(slots);
        m.arrived = 0;
        m.generation++;
        for (int lane = 0; lane < n_lanes; lane++) {
            Thread &t = b.threads[(size_t)(first + lane)];
            if (!(mask >> lane & 1) || t.state != State::WAIT_WARP) continue;
            t.state = State::READY;
            b.schedule.make_ready(t.linear);
        }
    }
    if (fence) acquire(slots);
    return slots;
}

unsigned ballot(unsigned mask, bool predicate, int line, const char *file)
{
    Slot *slots = exchange(mask, &predicate, sizeof predicate, false, line, file);
    unsigned result = 0;
    for (int lane = 0; lane < WARP; lane++)
        if (mask >> lane & 1) result |= (unsigned)(slots[lane][0] & 1) << lane;
    return result;
}

} // namespace cuemu
