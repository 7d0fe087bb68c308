/* The stand-in run time answers as the real one does: test_runtime runs everything. C17, so that the header is seen to
 * serve C as well. Kernels are test_cuemu.cu's. */
#include <cuda_runtime_api.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int n_failed = 0;

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                    \
            n_failed++;                                                                                                \
        }                                                                                                              \
    } while (0)
#define FAILS(wanted, call)                                                                                            \
    do {                                                                                                               \
        cudaError_t error_ = (call);                                                                                   \
        if (error_ != (wanted)) {                                                                                      \
            fprintf(stderr, "%s:%d: %s: %s, expected %s\n", __FILE__, __LINE__, #call, cudaGetErrorName(error_),       \
                    cudaGetErrorName(wanted));                                                                         \
            n_failed++;                                                                                                \
        }                                                                                                              \
        (void)cudaGetLastError();                                                                                      \
    } while (0)
#define OK(call) FAILS(cudaSuccess, call)

static void check_errors(void)
{
    CHECK(cudaErrorMemoryAllocation == 2 && cudaErrorInsufficientDriver == 35 && cudaErrorNoDevice == 100);
    CHECK(cudaErrorInvalidResourceHandle == 400 && cudaErrorNotReady == 600 &&
          cudaErrorStreamCaptureUnsupported == 900);
    CHECK(!strcmp(cudaGetErrorName(cudaErrorMemoryAllocation), "cudaErrorMemoryAllocation"));
    CHECK(!strcmp(cudaGetErrorString(cudaErrorMemoryAllocation), "out of memory"));
    CHECK(cudaGetLastError() == cudaSuccess);
    CHECK(cudaSetDevice(99) == cudaErrorInvalidDevice);
    CHECK(cudaPeekAtLastError() == cudaErrorInvalidDevice && cudaGetLastError() == cudaErrorInvalidDevice);
    CHECK(cudaGetLastError() == cudaSuccess);
}

static void check_devices(void)
{
    int n = -7, value = 0;
    struct cudaDeviceProp properties;
    OK(cudaGetDeviceCount(&n));
    CHECK(n == 1);
    OK(cudaGetDeviceProperties(&properties, 0));
    OK(cudaDeviceGetAttribute(&value, cudaDevAttrComputeCapabilityMajor, 0));
    CHECK(value == properties.major && *properties.name);
    OK(cudaDeviceGetAttribute(&value, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0));
    CHECK((size_t)value == properties.sharedMemPerBlockOptin);

    setenv("CUEMU_DEVICES", "2", 1);
    OK(cudaGetDeviceCount(&n));
    OK(cudaSetDevice(1));
    OK(cudaGetDevice(&value));
    CHECK(n == 2 && value == 1);
    OK(cudaSetDevice(0));

    n = -7;
    setenv("CUEMU_DEVICES", "0", 1);
    FAILS(cudaErrorNoDevice, cudaGetDeviceCount(&n));
    FAILS(cudaErrorNoDevice, cudaSetDevice(0));
    unsetenv("CUEMU_DEVICES");
    setenv("CUEMU_FAIL", "driver", 1);
    FAILS(cudaErrorInsufficientDriver, cudaGetDeviceCount(&n));
    CHECK(n == -7); /* left alone */
    int driver, runtime;
    OK(cudaDriverGetVersion(&driver));
    OK(cudaRuntimeGetVersion(&runtime));
    CHECK(driver < runtime);
    unsetenv("CUEMU_FAIL");
}

static void check_memory(void)
{
    size_t free_bytes, total, before;
    void *p, *q;
    setenv("CUEMU_MEMORY_MIB", "10", 1);
    OK(cudaMemGetInfo(&before, &total));
    CHECK(total == 10 << 20 && before == total);
    OK(cudaMalloc(&p, 6 << 20));
    CHECK((size_t)p % 256 == 0);
    OK(cudaMemGetInfo(&free_bytes, &total));
    CHECK(free_bytes == 4 << 20);
    FAILS(cudaErrorMemoryAllocation, cudaMalloc(&q, (4 << 20) + 1));
    CHECK(!q);
    OK(cudaMalloc(&q, 4 << 20));
    OK(cudaFree(p));
    OK(cudaMalloc(&p, 6 << 20)); /* the gap is used again */
    OK(cudaFree(q));
    OK(cudaFree(p));
    OK(cudaFree(NULL));
    FAILS(cudaErrorInvalidValue, cudaFree(p));
    OK(cudaMemGetInfo(&free_bytes, &total));
    CHECK(free_bytes == before);
    unsetenv("CUEMU_MEMORY_MIB");

    unsigned char host[8] = {1, 2, 3, 4, 5, 6, 7, 8}, back[8] = {0};
    OK(cudaMalloc(&p, 8));
    OK(cudaMemcpy(back, p, 8, cudaMemcpyDeviceToHost));
    CHECK(back[0] == 0xff && back[7] == 0xff);
    OK(cudaMemcpy(p, host, 8, cudaMemcpyHostToDevice));
    FAILS(cudaErrorInvalidValue, cudaMemcpy(p, host, 9, cudaMemcpyHostToDevice));
    FAILS(cudaErrorInvalidValue, cudaMemcpy(host, host, 8, cudaMemcpyHostToDevice));
    FAILS(cudaErrorInvalidMemcpyDirection, cudaMemcpy(p, p, 8, cudaMemcpyHostToDevice));
    OK(cudaMemset2DAsync((char *)p + 1, 4, 0, 2, 2, NULL)); /* bytes 1, 2, 5, 6 */
    OK(cudaMemcpy2DAsync(back, 2, p, 4, 2, 2, cudaMemcpyDeviceToHost, NULL));
    CHECK(back[0] == 1 && back[1] == 0 && back[2] == 5 && back[3] == 0);
    FAILS(cudaErrorInvalidPitchValue, cudaMemset2DAsync(p, 4, 0, 5, 1, NULL));
    OK(cudaMallocHost(&q, 8));
    FAILS(cudaErrorInvalidValue, cudaFree(q));
    OK(cudaFreeHost(q));
    OK(cudaFree(p));
}

/* Work of one stream in order, other streams after the events they wait for; the same whether work is kept or not. */
static void check_order(bool lazy)
{
    setenv("CUEMU_LAZY", lazy ? "1" : "0", 1);
    cudaStream_t a, b;
    cudaEvent_t event, never;
    void *device;
    unsigned char *pinned;
    OK(cudaStreamCreateWithFlags(&a, cudaStreamNonBlocking));
    OK(cudaStreamCreateWithFlags(&b, cudaStreamNonBlocking));
    OK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    OK(cudaEventCreateWithFlags(&never, cudaEventDisableTiming));
    OK(cudaMalloc(&device, 4));
    OK(cudaMallocHost((void **)&pinned, 4));

    OK(cudaMemsetAsync(device, 1, 4, a));
    OK(cudaMemsetAsync(device, 2, 4, a));
    OK(cudaEventRecord(event, a));
    OK(cudaMemsetAsync(device, 3, 4, a)); /* after the event */
    OK(cudaStreamWaitEvent(b, event, 0));
    OK(cudaStreamWaitEvent(b, never, 0));
    OK(cudaMemcpyAsync(pinned, device, 4, cudaMemcpyDeviceToHost, b));
    FAILS(lazy ? cudaErrorNotReady : cudaSuccess, cudaStreamQuery(b));
    OK(cudaStreamSynchronize(b));
    OK(cudaStreamQuery(b));
    OK(cudaEventQuery(event));
    OK(cudaEventSynchronize(event));
    CHECK(pinned[0] == (lazy ? 2 : 3)); /* at once: everything is done in the order of the calls */
    FAILS(lazy ? cudaErrorNotReady : cudaSuccess, cudaStreamQuery(a));
    OK(cudaDeviceSynchronize());
    OK(cudaMemcpy(pinned, device, 4, cudaMemcpyDeviceToHost));
    CHECK(pinned[0] == 3);

    OK(cudaStreamDestroy(b));
    FAILS(cudaErrorInvalidResourceHandle, cudaStreamSynchronize(b));
    FAILS(cudaErrorInvalidResourceHandle, cudaMemsetAsync(device, 0, 4, b));
    OK(cudaEventDestroy(event));
    OK(cudaEventDestroy(never));
    FAILS(cudaErrorInvalidResourceHandle, cudaEventRecord(event, a));
    OK(cudaStreamDestroy(a));
    OK(cudaFree(device));
    OK(cudaFreeHost(pinned));
    unsetenv("CUEMU_LAZY");
}

static void check_capture(void)
{
    cudaStream_t a, b;
    cudaEvent_t fork, join, outside;
    cudaGraph_t graph = NULL;
    cudaGraphExec_t exec = NULL;
    enum cudaStreamCaptureStatus status;
    unsigned char *device, host[4];
    void *p;
    OK(cudaStreamCreateWithFlags(&a, cudaStreamNonBlocking));
    OK(cudaStreamCreateWithFlags(&b, cudaStreamNonBlocking));
    OK(cudaEventCreateWithFlags(&fork, cudaEventDisableTiming));
    OK(cudaEventCreateWithFlags(&join, cudaEventDisableTiming));
    OK(cudaEventCreateWithFlags(&outside, cudaEventDisableTiming));
    OK(cudaMalloc((void **)&device, 4));
    OK(cudaMemset(device, 9, 4));

    /* Recorded work is not done; a replay does it, with the memory's contents of then. */
    OK(cudaStreamBeginCapture(a, cudaStreamCaptureModeThreadLocal));
    FAILS(cudaErrorIllegalState, cudaStreamBeginCapture(a, cudaStreamCaptureModeThreadLocal));
    OK(cudaStreamIsCapturing(a, &status));
    CHECK(status == cudaStreamCaptureStatusActive);
    OK(cudaMemcpyAsync(device + 1, device, 1, cudaMemcpyDeviceToDevice, a));
    OK(cudaEventRecord(fork, a));
    OK(cudaStreamWaitEvent(b, fork, 0)); /* b is captured, too */
    OK(cudaMemsetAsync(device + 2, 5, 1, b));
    OK(cudaEventRecord(join, b));
    FAILS(cudaErrorStreamCaptureUnmatched, cudaStreamEndCapture(b, &graph));
    OK(cudaStreamWaitEvent(a, join, 0));
    OK(cudaMemcpyAsync(device + 3, device + 2, 1, cudaMemcpyDeviceToDevice, a));
    OK(cudaStreamEndCapture(a, &graph));
    OK(cudaStreamIsCapturing(b, &status));
    CHECK(status == cudaStreamCaptureStatusNone);
    OK(cudaMemcpy(host, device, 4, cudaMemcpyDeviceToHost));
    CHECK(host[1] == 9 && host[2] == 9);
    OK(cudaGraphInstantiate(&exec, graph, 0));
    OK(cudaGraphDestroy(graph));
    for (unsigned char value = 1; value < 3; value++) {
        OK(cudaMemset(device, value, 1));
        OK(cudaGraphLaunch(exec, a));
        OK(cudaStreamSynchronize(a));
        OK(cudaMemcpy(host, device, 4, cudaMemcpyDeviceToHost));
        CHECK(host[0] == value && host[1] == value && host[2] == 5 && host[3] == 5);
    }
    OK(cudaGraphExecDestroy(exec));
    FAILS(cudaErrorInvalidValue, cudaGraphLaunch(exec, a));

    /* What a capture cannot bear. */
    enum { MALLOC, FREE, SYNC, QUERY, EVENT, COPY, UNJOINED, ISOLATION, N_CASES };
    OK(cudaEventRecord(outside, b));
    for (int i = 0; i < N_CASES; i++) {
        cudaError_t end = cudaErrorStreamCaptureInvalidated;
        OK(cudaStreamBeginCapture(a, cudaStreamCaptureModeThreadLocal));
        OK(cudaEventRecord(fork, a));
        switch (i) {
        case MALLOC:
            FAILS(cudaErrorStreamCaptureUnsupported, cudaMalloc(&p, 4));
            break;
        case FREE:
            FAILS(cudaErrorStreamCaptureUnsupported, cudaFree(device));
            break;
        case SYNC:
            FAILS(cudaErrorStreamCaptureUnsupported, cudaStreamSynchronize(a));
            break;
        case QUERY:
            FAILS(cudaErrorStreamCaptureUnsupported, cudaStreamQuery(a));
            break;
        case EVENT:
            FAILS(cudaErrorCapturedEvent, cudaEventSynchronize(fork));
            break;
        case COPY:
            FAILS(cudaErrorStreamCaptureUnsupported, cudaMemcpy(device, host, 4, cudaMemcpyHostToDevice));
            break;
        case UNJOINED:
            OK(cudaStreamWaitEvent(b, fork, 0));
            OK(cudaMemsetAsync(device, 0, 4, b));
            end = cudaErrorStreamCaptureUnjoined;
            break;
        case ISOLATION:
            FAILS(cudaErrorStreamCaptureIsolation, cudaStreamWaitEvent(a, outside, 0));
            break;
        default:
            break;
        }
        FAILS(end, cudaStreamEndCapture(a, &graph));
        CHECK(!graph);
    }
    /* A relaxed capture leaves other calls alone. */
    OK(cudaStreamBeginCapture(a, cudaStreamCaptureModeRelaxed));
    OK(cudaMalloc(&p, 4));
    OK(cudaStreamEndCapture(a, &graph));
    OK(cudaGraphDestroy(graph));
    OK(cudaFree(p));
    FAILS(cudaErrorIllegalState, cudaStreamEndCapture(a, &graph));

    OK(cudaEventDestroy(fork));
    OK(cudaEventDestroy(join));
    OK(cudaEventDestroy(outside));
    OK(cudaStreamDestroy(a));
    OK(cudaStreamDestroy(b));
    OK(cudaFree(device));
}

int main(void)
{
    check_errors();
    check_devices();
    check_memory();
    check_order(false);
    check_order(true);
    check_capture();
    return n_failed != 0;
}
