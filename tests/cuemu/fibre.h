/* Fibres: stacks that the emulator switches between by hand, with the sanitizers told of every switch. x86-64 only. */
#ifndef CUEMU_FIBRE_H
#define CUEMU_FIBRE_H

#include <stddef.h>

namespace cuemu
{

struct Fibre {
    void *stack_pointer = nullptr; /* while it does not run */
    char *stack = nullptr;         /* lowest usable byte; an unmapped page lies below */
    void *asan_stack = nullptr;    /* ASan's fake stack */
    void *tsan_fibre = nullptr;
};

/* A fibre that will run `entry` from its start; entry never returns. */
Fibre *fibre_take(void (*entry)());
void fibre_give_back(Fibre *fibre);

/* From the running fibre to another; returns when some fibre switches back. Null stands for the scheduler, which is the
 * stack that called fibre_scheduler_here last. */
void fibre_switch(Fibre *from, Fibre *to);
void fibre_scheduler_here();
void fibre_begin(); /* the first call of entry */

/* For TSan: what was before release(p) happens before what is after acquire(p). */
#if defined(CUEMU_TSAN)
void acquire(void *p);
void release(void *p);
#else
inline void acquire(void *)
{
}
inline void release(void *)
{
}
#endif

} // namespace cuemu

#endif
