/* Fibres. Never built with -fsanitize=thread (TSan would lose its shadow stack at the switch): CUEMU_TSAN is defined
 * instead and the switches are announced. Under ASan this file is sanitized as all others. */
#include "fibre.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <vector>

#if !defined(__x86_64__)
#error "the emulator switches fibres with x86-64 code"
#endif
#if defined(CUEMU_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(CUEMU_TSAN)
extern "C" {
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_switch_to_fiber(void *fibre, unsigned flags);
void __tsan_acquire(void *p);
void __tsan_release(void *p);
}
#endif

/* Saves the callee-saved registers and the stack pointer to *save, loads those that `load` points at. */
extern "C" __attribute__((visibility("hidden"))) void cuemu_switch(void **save, void *load);
asm(R"(
    .text
    .p2align 4
    .globl cuemu_switch
    .hidden cuemu_switch
    .type cuemu_switch, @function
cuemu_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size cuemu_switch, .-cuemu_switch
)");

namespace cuemu
{

namespace
{

constexpr size_t STACK_BYTES = 256 * 1024, PAGE_BYTES = 4096;
constexpr int SAVED_REGISTERS = 6;

/* Fibres of a processor that wait for use; their stacks go with the library. */
struct Pool {
    std::vector<Fibre *> fibres;
    ~Pool()
    {
        for (Fibre *f : fibres) {
            munmap(f->stack - PAGE_BYTES, STACK_BYTES + PAGE_BYTES);
            delete f;
        }
    }
} pools[PROCESSORS];

/* Stacks begin at other lines of their pages: the lanes of a warp run one after another, and at one place of a page
 * they would all want the same few lines of the CPU's first cache. */
constexpr unsigned LINES_OF_PAGE = 64;
unsigned n_made = 0;

int processor = 0;
Fibre scheduler;

Fibre *new_fibre()
{
    void *memory = mmap(nullptr, STACK_BYTES + PAGE_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) abort();
    mprotect(memory, PAGE_BYTES, PROT_NONE);
    Fibre *f = new Fibre;
    f->stack = (char *)memory + PAGE_BYTES;
    f->top = f->stack + STACK_BYTES - 64 - n_made++ % LINES_OF_PAGE * 64;
#if defined(CUEMU_TSAN)
    f->tsan_fibre = __tsan_create_fiber(0);
#endif
    return f;
}

} // namespace

Fibre *fibre_take(void (*entry)())
{
    std::vector<Fibre *> &waiting = pools[processor].fibres;
    Fibre *f;
    if (waiting.empty()) {
        f = new_fibre();
    } else {
        f = waiting.back();
        waiting.pop_back();
    }
    f->asan_stack = nullptr;
#if defined(CUEMU_ASAN)
    ASAN_UNPOISON_MEMORY_REGION(f->stack, STACK_BYTES);
#endif
    /* As if entry had been called (return address null) and had called cuemu_switch. */
    void **top = (void **)f->top;
    *--top = nullptr;
    *--top = (void *)entry;
    top -= SAVED_REGISTERS;
    memset(top, 0, SAVED_REGISTERS * sizeof *top);
    f->stack_pointer = top;
    return f;
}

void fibre_give_back(Fibre *fibre)
{
    pools[processor].fibres.push_back(fibre);
}

#if defined(CUEMU_ASAN)
/* ASan asks for the bounds of the stack that is switched to; the scheduler's are learnt when a fibre comes from there.
 */
static size_t scheduler_bytes;
static bool from_scheduler;

static void arrived(void *asan_stack)
{
    const void *bottom;
    size_t bytes;
    __sanitizer_finish_switch_fiber(asan_stack, &bottom, &bytes);
    if (!from_scheduler) return;
    scheduler.stack = (char *)bottom;
    scheduler_bytes = bytes;
}
#endif

void fibre_begin()
{
#if defined(CUEMU_ASAN)
    arrived(nullptr);
#endif
}

void fibre_switch(Fibre *from, Fibre *to)
{
    if (!from) from = &scheduler;
    if (!to) to = &scheduler;
#if defined(CUEMU_ASAN)
    from_scheduler = from == &scheduler;
    __sanitizer_start_switch_fiber(&from->asan_stack, to->stack, to == &scheduler ? scheduler_bytes : STACK_BYTES);
#endif
#if defined(CUEMU_TSAN)
    __tsan_switch_to_fiber(to->tsan_fibre, 1);
#endif
    cuemu_switch(&from->stack_pointer, to->stack_pointer);
#if defined(CUEMU_ASAN)
    arrived(from->asan_stack);
#endif
}

#if defined(CUEMU_TSAN)
void acquire(void *p)
{
    __tsan_acquire(p);
}
void release(void *p)
{
    __tsan_release(p);
}

static void *host;              /* who launched */
static char begin_tag, end_tag; /* addresses for acquire and release */
static void *schedulers[PROCESSORS];

void processor_begin(int which)
{
    processor = which;
    host = __tsan_get_current_fiber();
    if (!schedulers[which]) schedulers[which] = __tsan_create_fiber(0);
    scheduler.tsan_fibre = schedulers[which];
    release(&begin_tag);
    __tsan_switch_to_fiber(scheduler.tsan_fibre, 1);
    acquire(&begin_tag);
}

void processor_end()
{
    release(&end_tag);
    __tsan_switch_to_fiber(host, 1);
}

void processors_join()
{
    acquire(&end_tag);
}
#endif

} // namespace cuemu
