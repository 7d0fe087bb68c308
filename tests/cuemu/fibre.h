/* Fibres: stacks that the emulator switches between by hand, with the sanitizers told of every switch. x86-64 only. */
#ifndef CUEMU_FIBRE_H
#define CUEMU_FIBRE_H

#include <stddef.h>

namespace cuemu
{

struct Fibre {
    void *stack_pointer = nullptr; /* while it does not run */
    char *stack = nullptr;         /* lowest usable byte; an unmapped page lies below */
    char *top = nullptr;           /* where it begins */
    void *asan_stack = nullptr;    /* ASan's fake stack */
    void *tsan_fibre = nullptr;
};

/* A fibre that will run `entry` from its start; entry never returns. */
Fibre *fibre_take(void (*entry)());
void fibre_give_back(Fibre *fibre);

/* From the running fibre to another; returns when some fibre switches back. Null stands for the scheduler, the stack
 * that fibres were first switched to from. */
void fibre_switch(Fibre *from, Fibre *to);
void fibre_begin(); /* the first call of entry */

/* For TSan: what was before release(p) happens before what is after acquire(p). A launch's blocks are dealt to two
 * processors: for TSan each has a scheduler and fibres of its own, and nothing that one does between its begin and end
 * happens before anything that the other does. Both come after what was before the launch, and before what is after
 * processors_join. */
#if defined(CUEMU_TSAN)
constexpr int PROCESSORS = 2;
void acquire(void *p);
void release(void *p);
void processor_begin(int which);
void processor_end();
void processors_join();
#else
constexpr int PROCESSORS = 1;
inline void acquire(void *)
{
}
inline void release(void *)
{
}
inline void processor_begin(int)
{
}
inline void processor_end()
{
}
inline void processors_join()
{
}
#endif

} // namespace cuemu

#endif
