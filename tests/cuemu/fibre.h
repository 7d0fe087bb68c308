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

void fibre_enter(Fibre *fibre); /* from the scheduler; returns when the fibre leaves */
void fibre_begin();             /* the first call of entry */
void fibre_leave(Fibre *fibre); /* back to the scheduler; returns when entered again */
void fibre_scheduler_here();    /* the calling thread is the scheduler from now on */

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
