/* The emulator finds faults: `test_faults NAME` runs the kernel NAME twice in a process of its own, once as it should
 * be, which must end well, and once with its fault, which must end badly and with the text that the table at the end
 * states. A fault that only a sanitizer sees is skipped (77) in other builds. A fault of the schedule is one that
 * threads in turn do not see: without a seed it must end well even with its fault, and badly under some of the seeds 1,
 * 2, 3. The thread sanitizer sees it in any schedule. */
#include <cuda_runtime.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "cuemu_ptx.h"

enum { N = 64 }; /* threads of every kernel here */

static __align__(16) float pages[6 * N]; /* page s holds s */
static float sums[2];

/* A block's part of the result. */
static __device__ float *own(float *all)
{
    return all + blockIdx.x * N;
}

/* ---- Faults that the emulator names itself ---- */

template <bool FAULT> static __global__ void divergent_barrier(float *all)
{
    float *y = own(all);
    if (!FAULT || threadIdx.x < 32)
        __syncthreads();
    else {
        y[threadIdx.x] = 1.0f;
        __syncthreads();
    }
    y[threadIdx.x] = 2.0f;
}

/* The first warp waits at the block's barrier, the second for lanes of its own that wait there, too. */
template <bool FAULT> static __global__ void deadlock(float *all)
{
    float *y = own(all);
    float v = 1.0f;
    if (!FAULT || threadIdx.x % 2) v = __shfl_xor_sync(0xffffffffu, v, 1);
    y[threadIdx.x] = v;
    __syncthreads();
}

template <bool FAULT> static __global__ void absent_lane(float *all)
{
    float *y = own(all);
    if (FAULT && threadIdx.x == 5) return;
    y[threadIdx.x] = __shfl_xor_sync(0xffffffffu, 1.0f, 1);
}

template <bool FAULT> static __global__ void masked_lane(float *all)
{
    float *y = own(all);
    if (threadIdx.x < 16)
        y[threadIdx.x] = __shfl_sync(0x0000ffffu, 1.0f, FAULT ? 16 : 15);
    else
        y[threadIdx.x] = 1.0f;
}

template <bool FAULT> static __global__ void misaligned_ldmatrix(float *all)
{
    float *y = own(all);
    __shared__ __align__(16) uint16_t rows[33 * 8];
    for (unsigned i = threadIdx.x; i < 33 * 8; i += N) rows[i] = 0;
    __syncthreads();
    uint32_t r[4];
    ldsm_x4(r, rows + threadIdx.x % 32 * 8 + (FAULT ? 4 : 0));
    y[threadIdx.x] = (float)r[0];
}

template <bool FAULT> static __global__ void misaligned_copy(float *all)
{
    float *y = own(all);
    __shared__ __align__(16) float shared[N];
    y[threadIdx.x] = 1.0f;
    __syncthreads();
    if (threadIdx.x < N / 4) cp_async16(&shared[threadIdx.x * 4], y + threadIdx.x * 4 - (FAULT && threadIdx.x ? 1 : 0));
    cp_async_commit();
    cp_async_wait<0>();
}

/* ---- Faults that show as NaN in the result ---- */

template <bool FAULT> static __global__ void missing_wait(float *all)
{
    float *y = own(all);
    __shared__ __align__(16) float shared[N];
    y[threadIdx.x] = 1.0f;
    __syncthreads();
    if (threadIdx.x < N / 4) cp_async16(&shared[threadIdx.x * 4], y + threadIdx.x * 4);
    cp_async_commit();
    if (FAULT)
        cp_async_wait<1>();
    else
        cp_async_wait<0>();
    __syncthreads();
    y[threadIdx.x] = shared[threadIdx.x];
}

template <bool FAULT> static __global__ void unset_shared(float *all)
{
    float *y = own(all);
    __shared__ float shared[N];
    if (threadIdx.x < (FAULT ? 32 : N)) shared[threadIdx.x] = 1.0f;
    __syncthreads();
    y[threadIdx.x] = shared[threadIdx.x];
}

/* The block before left ones there. */
template <bool FAULT> static __global__ void unset_dynamic(float *all)
{
    float *y = own(all);
    CU_DYN_SHARED(float, shared);
    if (threadIdx.x < (FAULT ? 32 : N)) shared[threadIdx.x] = 1.0f;
    __syncthreads();
    y[threadIdx.x] = shared[threadIdx.x];
}

template <bool FAULT> static __global__ void unset_global(float *all)
{
    float *y = own(all);
    if (!FAULT || threadIdx.x < 32) y[threadIdx.x] = 1.0f;
}

/* ---- Faults of memory, for AddressSanitizer ---- */

template <bool FAULT> static __global__ void beyond_shared(float *all)
{
    float *y = own(all);
    __shared__ float shared[N];
    shared[threadIdx.x] = 1.0f;
    __syncthreads();
    const float *volatile from = shared; /* out of sight of the compiler's own check of indices */
    y[threadIdx.x] = from[threadIdx.x + (FAULT ? 1 : 0)];
}

template <bool FAULT> static __global__ void beyond_dynamic(float *all)
{
    float *y = own(all);
    CU_DYN_SHARED(float, shared);
    shared[threadIdx.x + (FAULT ? 1 : 0)] = 1.0f;
    y[threadIdx.x] = 1.0f;
}

template <bool FAULT> static __global__ void beyond_global(float *all)
{
    float *y = own(all);
    y[threadIdx.x] = 1.0f;
    if (FAULT && threadIdx.x == N - 1) y[N] = 1.0f;
}

template <bool FAULT> static __global__ void beyond_copy(float *all)
{
    float *y = own(all);
    __shared__ __align__(16) float shared[N];
    y[threadIdx.x] = 1.0f;
    if (threadIdx.x == N / 4 - 1) cp_async16(&shared[0], y + threadIdx.x * 4 + (FAULT ? 4 : 0));
    cp_async_commit();
    cp_async_wait<0>();
}

template <bool FAULT> static __global__ void misaligned_vector(float *all)
{
    float *y = own(all);
    y[threadIdx.x] = 1.0f;
    if (threadIdx.x < 8) *reinterpret_cast<float4 *>(y + threadIdx.x * 4 + FAULT) = float4{1, 1, 1, 1};
}

/* ---- Races, for ThreadSanitizer ---- */

template <bool FAULT> static __global__ void missing_syncthreads(float *all)
{
    float *y = own(all);
    __shared__ float shared[N];
    shared[threadIdx.x] = 1.0f;
    if (!FAULT) __syncthreads();
    y[threadIdx.x] = shared[N - 1 - threadIdx.x];
}

template <bool FAULT> static __global__ void missing_syncwarp(float *all)
{
    float *y = own(all);
    __shared__ float shared[N];
    shared[threadIdx.x] = 1.0f;
    if (!FAULT) __syncwarp();
    y[threadIdx.x] = shared[threadIdx.x ^ 1];
}

/* A barrier between write and read, none between the read and the next write. */
template <bool FAULT> static __global__ void early_overwrite(float *all)
{
    float *y = own(all);
    __shared__ float shared[N];
    float sum = 0.0f;
    for (int round = 0; round < 2; round++) {
        shared[threadIdx.x] = 0.5f;
        __syncthreads();
        sum += shared[N - 1 - threadIdx.x];
        if (!FAULT) __syncthreads();
    }
    y[threadIdx.x] = sum;
}

/* The copy is waited for by the thread that made it, and read by others without a barrier. */
template <bool FAULT> static __global__ void unshared_copy(float *all)
{
    float *y = own(all);
    __shared__ __align__(16) float shared[N];
    y[threadIdx.x] = 1.0f;
    __syncthreads();
    if (threadIdx.x < N / 4) cp_async16(&shared[threadIdx.x * 4], y + threadIdx.x * 4);
    cp_async_commit();
    cp_async_wait<0>();
    if (!FAULT) __syncthreads();
    float v = shared[N - 1 - threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = v;
}

template <bool FAULT> static __global__ void plain_count(float *all)
{
    float *y = own(all);
    y[threadIdx.x] = 0.0f;
    __syncthreads();
    if (FAULT)
        y[0] = y[0] + 1.0f;
    else
        atomicAdd(y, 1.0f);
}

/* Blocks that add to one sum, a thread each. */
template <bool FAULT> static __global__ void block_sum(float *all)
{
    own(all)[threadIdx.x] = 1.0f;
    if (threadIdx.x == 0) sums[FAULT ? 0 : blockIdx.x] += 1.0f;
}

/* ---- Running a kernel: two blocks, so that what a block leaves behind shows ---- */

template <void (*KERNEL)(float *)> static int run_kernel()
{
    float *y, host[2 * N];
    for (int i = 0; i < 6 * N; i++) pages[i] = (float)(i / N);
    if (cudaMalloc(&y, sizeof host)) return 2;
    CU_LAUNCH(KERNEL, 2, N, N * sizeof(float), nullptr, y);
    if (cudaGetLastError() || cudaMemcpy(host, y, sizeof host, cudaMemcpyDeviceToHost) || cudaFree(y)) return 2;
    for (float v : host) {
        if (v == v) continue;
        fprintf(stderr, "NaN in the result\n");
        return 1;
    }
    return 0;
}

/* ---- Faults of the schedule ---- */

/* Two buffers in turn: page s + 1 goes where page s - 1 stood. With the fault it is asked for before all have left that
 * one: a copy that arrives at once takes it from under them. */
template <bool FAULT> static __global__ void early_copy(float *all)
{
    float *y = own(all);
    __shared__ __align__(16) float ring[2][N];
    CU_DYN_SHARED(float, right);
    const unsigned i = threadIdx.x;
    constexpr int n_pages = 6;
    for (int s = -1; s < n_pages; s++) {
        const bool brings = i < N / 4 && s + 1 < n_pages;
        cp_async_wait<0>();
        if (!FAULT) __syncthreads();
        if (brings) cp_async16(&ring[(s + 1) & 1][i * 4], pages + (s + 1) * N + i * 4);
        cp_async_commit();
        if (FAULT) __syncthreads();
        if (s < 0)
            right[i] = 1.0f;
        else if (ring[s & 1][N - 1 - i] != (float)s)
            right[i] = NAN;
    }
    y[i] = right[i];
}

/* The second warp reads what the first wrote. */
template <bool FAULT> static __global__ void missing_barrier(float *all)
{
    float *y = own(all);
    __shared__ float shared[32];
    if (threadIdx.x < 32) shared[threadIdx.x] = 1.0f;
    if (!FAULT) __syncthreads();
    y[threadIdx.x] = shared[threadIdx.x % 32];
}

/* The same far later: warps in step do not see it, one that runs ahead does. */
template <bool FAULT> static __global__ void missing_barrier_in_step(float *all)
{
    float *y = own(all);
    __shared__ float shared[32];
    const bool first = threadIdx.x < 32;
    float v = 1.0f;
    __syncthreads();
    for (int step = 0; step < 8; step++) {
        v = __shfl_xor_sync(0xffffffffu, v, 1);
        if (!first && step == 2) shared[threadIdx.x % 32] = v;
        if (!FAULT && step == 4) __syncthreads();
        if (first && step == 6) v = shared[threadIdx.x];
    }
    y[threadIdx.x] = v;
}

/* A block uses what another wrote: it works in one order of blocks. */
template <bool FAULT> static __global__ void block_order(float *y)
{
    own(y)[threadIdx.x] = FAULT && blockIdx.x ? y[threadIdx.x] : 1.0f;
}

/* ---- Faults of host code ---- */

static int wrong(const char *what)
{
    fprintf(stderr, "%s\n", what);
    return 1;
}

template <bool FAULT> static int host_access()
{
    int *count, host = 1;
    if (cudaMalloc(&count, sizeof *count)) return 2;
    if (cudaMemcpy(count, &host, sizeof host, cudaMemcpyHostToDevice)) return 2;
    volatile int *from = FAULT ? count : &host;
    return *from + (int)cudaFree(count) - 1;
}

template <bool FAULT> static int leak()
{
    static float *volatile y; /* the pointer is lost, not the emulator's knowledge of the memory */
    float *fresh;
    if (cudaMalloc(&fresh, 1000)) return 2;
    y = FAULT ? nullptr : fresh;
    fresh = nullptr;
    return y ? (int)cudaFree(y) : 0;
}

/* Two streams and pinned memory, with work that runs when waited for. */
struct Lazy {
    cudaStream_t first, second;
    cudaEvent_t event;
    int *device, *pinned;
    Lazy()
    {
        setenv("CUEMU_LAZY", "1", 1);
        if (cudaStreamCreateWithFlags(&first, cudaStreamNonBlocking) ||
            cudaStreamCreateWithFlags(&second, cudaStreamNonBlocking) ||
            cudaEventCreateWithFlags(&event, cudaEventDisableTiming) || cudaMalloc(&device, sizeof(int)) ||
            cudaMallocHost(&pinned, sizeof(int)))
            exit(2);
        *pinned = 7;
    }
    ~Lazy()
    {
        if (cudaFree(device) || cudaFreeHost(pinned) || cudaEventDestroy(event) || cudaStreamDestroy(first) ||
            cudaStreamDestroy(second))
            exit(2);
    }
};

/* A result is read before its copy was waited for. */
template <bool FAULT> static int early_read()
{
    Lazy l;
    if (cudaMemsetAsync(l.device, 0, sizeof(int), l.first)) return 2;
    if (cudaMemcpyAsync(l.pinned, l.device, sizeof(int), cudaMemcpyDeviceToHost, l.first)) return 2;
    if (!FAULT && cudaStreamSynchronize(l.first)) return 2;
    return *l.pinned == 0 ? 0 : wrong("the result is not there");
}

/* A stream uses another's result without waiting for it. */
template <bool FAULT> static int missing_event()
{
    Lazy l;
    if (cudaMemsetAsync(l.device, 0, sizeof(int), l.first) || cudaEventRecord(l.event, l.first)) return 2;
    if (!FAULT && cudaStreamWaitEvent(l.second, l.event)) return 2;
    if (cudaMemcpyAsync(l.pinned, l.device, sizeof(int), cudaMemcpyDeviceToHost, l.second)) return 2;
    if (cudaStreamSynchronize(l.second)) return 2;
    return *l.pinned == 0 ? 0 : wrong("the result is not there");
}

/* Pinned memory is written again while a copy from it is under way. */
template <bool FAULT> static int early_reuse()
{
    Lazy l;
    if (cudaMemcpyAsync(l.device, l.pinned, sizeof(int), cudaMemcpyHostToDevice, l.first)) return 2;
    if (!FAULT && cudaStreamSynchronize(l.first)) return 2;
    *l.pinned = 8;
    int result = 0;
    if (cudaMemcpyAsync(&result, l.device, sizeof(int), cudaMemcpyDeviceToHost, l.first)) return 2;
    return result == 7 ? 0 : wrong("the copy took what came later");
}

/* ---- The table ---- */

/* The build that sees the fault; NO_SANITIZER: the others' own checks come first; SCHEDULE: any under some seed, the
 * thread sanitizer without */
enum Needs { NOTHING, NO_SANITIZER, ADDRESS, THREAD, SCHEDULE };

#if defined(CUEMU_ASAN)
static const Needs have = ADDRESS;
#elif defined(CUEMU_TSAN)
static const Needs have = THREAD;
#else
static const Needs have = NO_SANITIZER;
#endif

static const struct {
    const char *name;
    Needs needs;
    const char *text; /* what the report must hold */
    int (*good)();
    int (*bad)();
} faults[] = {
#define KERNEL_FAULT(kernel, needs, text) {#kernel, needs, text, run_kernel<kernel<false>>, run_kernel<kernel<true>>},
#define HOST_FAULT(function, needs, text) {#function, needs, text, function<false>, function<true>},
    // clang-format off
    KERNEL_FAULT(divergent_barrier, NOTHING, "threads of one block wait at different __syncthreads calls")
    KERNEL_FAULT(deadlock, NOTHING, "deadlock: warp lanes named in the mask never arrive")
    KERNEL_FAULT(absent_lane, NOTHING, "a lane left the kernel while its warp waits for it")
    KERNEL_FAULT(masked_lane, NOTHING, "shuffle reads a lane outside its mask")
    KERNEL_FAULT(misaligned_ldmatrix, NOTHING, "ldmatrix row address not 16-byte aligned")
    KERNEL_FAULT(misaligned_copy, NOTHING, "cp.async address not 16-byte aligned")
    KERNEL_FAULT(missing_wait, NOTHING, "NaN in the result")
    KERNEL_FAULT(unset_shared, NOTHING, "NaN in the result")
    KERNEL_FAULT(unset_dynamic, NOTHING, "NaN in the result")
    KERNEL_FAULT(unset_global, NOTHING, "NaN in the result")
    KERNEL_FAULT(beyond_shared, ADDRESS, "global-buffer-overflow")
    KERNEL_FAULT(beyond_dynamic, ADDRESS, "heap-buffer-overflow")
    KERNEL_FAULT(beyond_global, ADDRESS, "heap-buffer-overflow")
    KERNEL_FAULT(beyond_copy, ADDRESS, "heap-buffer-overflow")
    KERNEL_FAULT(misaligned_vector, ADDRESS, "misaligned address")
    KERNEL_FAULT(missing_syncthreads, THREAD, "data race")
    KERNEL_FAULT(missing_syncwarp, THREAD, "data race")
    KERNEL_FAULT(early_overwrite, THREAD, "data race")
    KERNEL_FAULT(unshared_copy, THREAD, "data race")
    KERNEL_FAULT(plain_count, THREAD, "data race")
    KERNEL_FAULT(block_sum, THREAD, "data race")
    KERNEL_FAULT(early_copy, SCHEDULE, "NaN in the result")
    KERNEL_FAULT(missing_barrier, SCHEDULE, "NaN in the result")
    KERNEL_FAULT(missing_barrier_in_step, SCHEDULE, "NaN in the result")
    KERNEL_FAULT(block_order, SCHEDULE, "NaN in the result")
    HOST_FAULT(host_access, have == ADDRESS ? ADDRESS : NO_SANITIZER, have == ADDRESS ? "use-after-poison" : "host code touches device memory")
    HOST_FAULT(leak, ADDRESS, "detected memory leaks")
    HOST_FAULT(early_read, NOTHING, "the result is not there")
    HOST_FAULT(missing_event, NOTHING, "the result is not there")
    HOST_FAULT(early_reuse, NOTHING, "the copy took what came later")
    // clang-format on
};

/* ---- Running a case ---- */

/* Runs this program again as a child under a seed; its exit status, -1 after a signal, and what it wrote to stderr. */
static int run_child(const char *name, const char *how, int seed, std::string &text)
{
    int ends[2];
    if (pipe(ends)) return -2;
    pid_t child = fork();
    if (child == 0) {
        setenv("CUEMU_SEED", std::to_string(seed).c_str(), 1);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl("/proc/self/exe", "test_faults", name, how, (char *)nullptr);
        _exit(127);
    }
    close(ends[1]);
    text.clear();
    char buffer[4096];
    for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;) text.append(buffer, (size_t)n);
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The child ends with 0 and says nothing but its seed. */
static bool ends_well(const char *name, const char *how, int seed)
{
    std::string text;
    int status = run_child(name, how, seed, text);
    if (status == 0 && text == (seed ? "CUEMU SEED " + std::to_string(seed) + "\n" : "")) return true;
    fprintf(stderr, "%s, %s, seed %d: status %d\n%s", name, how, seed, status, text.c_str());
    return false;
}

/* The child with its fault ends badly and says so; `said` takes the complaint when it does not. */
static bool ends_badly(const char *name, const char *with, int seed, std::string &said)
{
    std::string text;
    int status = run_child(name, "bad", seed, text);
    bool placed = text.find("CUEMU ERROR in") == std::string::npos || text.find("test_faults.cu:") != std::string::npos;
    if (status != 0 && text.find(with) != std::string::npos && placed) return true;
    said += std::string(name) + " with its fault, seed " + std::to_string(seed) + ": status " + std::to_string(status) +
            ", expected '" + with + "' and the place\n" + text;
    return false;
}

int main(int argc, char **argv)
{
    size_t which = 0;
    const size_t n_faults = sizeof faults / sizeof faults[0];
    while (which < n_faults && (argc < 2 || strcmp(argv[1], faults[which].name))) which++;
    if (which == n_faults) {
        for (auto &fault : faults) printf("%s\n", fault.name);
        return 2;
    }
    if (argc > 2) return strcmp(argv[2], "bad") ? faults[which].good() : faults[which].bad();

    const char *name = argv[1], *with = faults[which].text;
    const Needs needs = faults[which].needs;
    const bool by_seed = needs == SCHEDULE && have != THREAD;
    if (needs == SCHEDULE && have == THREAD) with = "data race";
    if (needs != NOTHING && needs != SCHEDULE && needs != have) {
        printf("SKIP: %s shows in a build with %s only\n", name,
               needs == ADDRESS  ? "the address sanitizer"
               : needs == THREAD ? "the thread sanitizer"
                                 : "no sanitizer or the address sanitizer");
        return 77;
    }
    std::string said;
    bool well = !by_seed || (ends_well(name, "good", 0) && ends_well(name, "bad", 0)), seen = false;
    for (int seed = by_seed; seed <= (by_seed ? 3 : 0); seed++) {
        well = ends_well(name, "good", seed) && well;
        seen = ends_badly(name, with, seed, said) || seen;
    }
    if (!seen) fputs(said.c_str(), stderr);
    return !well || !seen;
}
