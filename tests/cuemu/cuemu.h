/* The emulator's face to kernels: CUDA source compiled as C++17, one fibre a CUDA thread, blocks one after another.
 *
 * cuda_runtime.h (include/) is what sources include; it includes this. A kernel is written `static __global__ void`,
 * launched with CU_LAUNCH and given dynamic shared memory by CU_DYN_SHARED; PTX goes through cuemu_ptx.h.
 * Faults end the process with a line that starts "CUEMU ERROR" and names kernel, block, thread, file and line. Faults
 * of memory are left to the sanitizer that the sources are built with: CUEMU_ASAN or CUEMU_TSAN is then defined.
 *
 * The one surprise: __shared__ is `static`, as blocks never overlap. A function template or inline function that is not
 * static itself would share such a variable between translation units and lose ASan's red zones, so kernels are static.
 */
#ifndef CUEMU_H
#define CUEMU_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <functional>
#include <tuple>
#include <utility>

#include "cuemu_types.h"

/* For what must not be seen by the thread sanitizer: the emulator's own traffic between lanes is no race. */
#if defined(CUEMU_TSAN)
#define CUEMU_UNSEEN __attribute__((noinline, no_sanitize("thread")))
#else
#define CUEMU_UNSEEN __attribute__((noinline))
#endif

/* Where a call stands in the source, as two arguments with defaults. */
#define CUEMU_PLACE int line = __builtin_LINE(), const char *file = __builtin_FILE()

namespace cuemu
{

constexpr int WARP = 32;
constexpr size_t MAX_EXCHANGE = 128; /* bytes that a lane may hand over in one exchange */
constexpr size_t DEFAULT_SHARED = 48 * 1024;
/* Shared memory that a block of the emulated architecture may ask for (CUDA C++ Programming Guide, compute
 * capabilities). */
size_t most_shared();

enum class State { NEW, READY, WAIT_BLOCK, WAIT_WARP, DONE };

struct Fibre;

/* One CUDA thread of the running block. */
struct Thread {
    uint3 index;
    int linear, lane, warp;
    State state;
    Fibre *fibre;
    int line; /* where it waits */
    const char *file;
};

/* What a kernel may ask of its block. */
struct BlockView {
    uint3 index;
    dim3 size, grid;
    char *dynamic_shared;
};

extern Thread *thread; /* running now; null outside kernels */
extern BlockView *block;
extern long n_threads, n_switches; /* since the program began */

[[noreturn]] void die(const char *message, int line = 0, const char *file = nullptr);

/* ---- Barriers and exchanges ---- */

void barrier(int line, const char *file, int site);

/* Every lane of `mask` hands over n bytes; returns the table of what all of them handed over once the last has come.
 * The table stands until the lane's next exchange but one. `fence`: orders memory, as __syncwarp does. */
typedef unsigned char Slot[MAX_EXCHANGE];
/* `complete`, where given, is called once with the table when the last lane has come, before any lane goes on. */
Slot *exchange(unsigned mask, const void *value, size_t n, bool fence, int line, const char *file,
               void (*complete)(Slot *) = nullptr);

/* The value of lane `source`; the caller's own where source is outside [low, high), as the hardware does. */
template <class V>
CUEMU_UNSEEN V pick(unsigned mask, V value, int source, int low, int high, int line, const char *file)
{
    static_assert(sizeof value <= MAX_EXCHANGE, "too large for a shuffle");
    Slot *slots = exchange(mask, &value, sizeof value, false, line, file);
    if (source < low || source >= high) return value;
    if (!(mask >> source & 1)) die("shuffle reads a lane outside its mask", line, file);
    V result;
    memcpy(&result, slots[source], sizeof result);
    return result;
}

unsigned ballot(unsigned mask, bool predicate, int line, const char *file);

inline int segment(int lane, int width)
{
    return lane / width * width;
}

/* ---- Launches ---- */

/* Checks the launch as the hardware would, then runs or records it. An error is left for cudaGetLastError. */
void launch(const char *name, const void *kernel, dim3 grid, dim3 size, size_t shared_bytes, cudaStream_t stream,
            std::function<void()> body);

/* The arguments are converted and copied here, by value, as a launch does: a recorded launch replays them. */
template <class... P, class... A>
void launch_kernel(const char *name, void (*kernel)(P...), dim3 grid, dim3 size, size_t shared_bytes,
                   cudaStream_t stream, A &&...arguments)
{
    static_assert(sizeof...(P) == sizeof...(A), "wrong number of kernel arguments");
    std::tuple<std::decay_t<P>...> values(static_cast<P>(std::forward<A>(arguments))...);
    launch(name, reinterpret_cast<const void *>(kernel), grid, size, shared_bytes, stream,
           [kernel, values] { std::apply(kernel, values); });
}

} // namespace cuemu

/* Work for a stream that is no kernel, for example of a stand-in of a library: run at once, or recorded while
 * capturing. */
void cuemu_enqueue(cudaStream_t stream, std::function<void()> work);

#endif
