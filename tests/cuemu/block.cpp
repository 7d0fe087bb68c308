/* Runs one block: threads run until they wait or end, and go on when what they wait for has come and it is their turn
 * (schedule.h).
 * Every block begins with all shared memory full of 0xFF bytes: an unset float read there is NaN. */
#include "block.h"

#include <sys/mman.h>

#include <functional>

#include "fibre.h"

#if defined(CUEMU_ASAN)
#include <sanitizer/asan_interface.h>
#endif

/* The ends of the section that __shared__ variables live in, whole pages (shared.ld). */
extern "C" {
extern char __start_cuemu_shared[] __attribute__((weak, visibility("hidden")));
extern char __stop_cuemu_shared[] __attribute__((weak, visibility("hidden")));
}

namespace cuemu
{

Thread *thread = nullptr;
BlockView *block = nullptr;
Block *running = nullptr;
long n_threads = 0, n_switches = 0;

namespace
{

void fill(char *from, char *to)
{
#if defined(CUEMU_TSAN)
    for (char *p = from; p < to; p += sizeof(uint64_t)) /* TSan's memset would log every byte */
        *reinterpret_cast<volatile uint64_t *>(p) = ~(uint64_t)0;
#else
    memset(from, 0xFF, (size_t)(to - from));
#endif
}

void fill_shared()
{
#if defined(CUEMU_ASAN)
    /* The red zones between variables are poisoned; their places never change. */
    static std::vector<std::pair<char *, char *>> ranges;
    static bool known = false;
    if (!known) {
        for (char *p = __start_cuemu_shared; p < __stop_cuemu_shared; p++) {
            if (__asan_address_is_poisoned(p)) continue;
            if (ranges.empty() || ranges.back().second != p) ranges.push_back({p, p});
            ranges.back().second = p + 1;
        }
        known = true;
    }
    for (auto &range : ranges) fill(range.first, range.second);
#else
    fill(__start_cuemu_shared, __stop_cuemu_shared);
#endif
}

void end_thread()
{
    Warp &warp = running->warps[(size_t)thread->warp];
    thread->state = State::DONE;
    running->live--;
    warp.live &= ~(1u << thread->lane);
    n_threads++;
    for (int i = 0; i < warp.n_meetings; i++) {
        Meeting &m = warp.meetings[i];
        if (!m.arrived || !(m.mask >> thread->lane & 1)) continue;
        const Thread &waiting = running->threads[(size_t)(thread->warp * WARP + __builtin_ctz(m.arrived))];
        die("a lane left the kernel while its warp waits for it in a *_sync call", waiting.line, waiting.file);
    }
    release_barrier(nullptr);
}

/* What a fibre runs: one thread, and then the next, as long as that has not started either. */
void fibre_main()
{
    fibre_begin();
    for (;;) {
        acquire(&running->start_tag);
        (*running->body)();
        release(&running->end_tag);
        end_thread();
#if !defined(CUEMU_TSAN) /* TSan knows threads by their fibres */
        const int next = running->schedule.peek();
        if (next >= 0 && running->threads[(size_t)next].state == State::NEW) {
            Fibre *fibre = thread->fibre;
            thread = &running->threads[(size_t)running->schedule.take()];
            thread->fibre = fibre;
            thread->state = State::READY;
            continue;
        }
#endif
        fibre_switch(thread->fibre, nullptr);
    }
}

/* Who runs next; null when all wait. */
Thread *next_thread(Block &b)
{
    const int next = b.schedule.take();
    if (next < 0) return nullptr;
    Thread *t = &b.threads[(size_t)next];
    if (t->state != State::NEW) return t;
    t->fibre = fibre_take(fibre_main);
    t->state = State::READY;
    return t;
}

[[noreturn]] void deadlock(Block &b)
{
    thread = nullptr;
    for (Thread &t : b.threads) {
        if (t.state == State::WAIT_BLOCK && !thread) thread = &t;
        if (t.state != State::WAIT_WARP) continue;
        thread = &t; /* says more than a thread at the barrier, which may just wait for this one */
        break;
    }
    if (!thread) die("no thread can run");
    die(thread->state == State::WAIT_WARP ? "deadlock: warp lanes named in the mask never arrive"
                                          : "deadlock at __syncthreads",
        thread->line, thread->file);
}

} // namespace

void forget_shared()
{
#if defined(CUEMU_TSAN)
    char *from = __start_cuemu_shared;
    const size_t bytes = (size_t)(__stop_cuemu_shared - from);
    if (!bytes) return;
    /* To TSan a mapping is new memory. */
    void *fresh = mmap(from, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (fresh != from) die("no memory for shared memory");
#endif
}

void wait_for_others()
{
    Thread *self = thread;
    n_switches++;
    thread = next_thread(*running);
    fibre_switch(self->fibre, thread ? thread->fibre : nullptr);
    thread = self;
}

void release_barrier(Thread *self)
{
    Block &b = *running;
    if (!b.live || b.at_barrier < b.live) return;
    b.at_barrier = 0;
    b.barrier_generation++;
    b.barrier_site = 0;
    b.schedule.meet();
    for (Thread &t : b.threads) {
        if (t.state != State::WAIT_BLOCK) continue;
        t.state = State::READY;
        if (&t != self) b.schedule.make_ready(t.linear);
    }
}

void run_block(Block &b, uint64_t launch, uint64_t at)
{
    fill_shared();
    for (Warp &w : b.warps) w.n_meetings = 0;
    for (Thread &t : b.threads) {
        t.state = State::NEW;
        t.fibre = nullptr;
        b.warps[(size_t)t.warp].live |= 1u << t.lane;
    }
    for (CopyQueue &q : b.copies) {
        q.copies.clear();
        q.n_groups = 0;
    }
    b.at_barrier = b.barrier_site = 0;
    b.live = (int)b.threads.size();
    b.schedule.begin(launch, at, b.live);
    release(&b.start_tag);

    std::vector<Fibre *> ended;
    while (b.live > 0) {
        thread = next_thread(b);
        if (!thread) deadlock(b);
        fibre_switch(nullptr, thread->fibre); /* back when a thread ends, or when all wait */
        if (!thread) deadlock(b);
#if defined(CUEMU_TSAN)
        ended.push_back(thread->fibre); /* not used again before the block ends */
#else
        fibre_give_back(thread->fibre);
#endif
    }
    for (Fibre *f : ended) fibre_give_back(f);
    acquire(&b.end_tag);
    thread = nullptr;
}

} // namespace cuemu
