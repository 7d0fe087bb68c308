/* What the files of the stand-in run time share. All of it happens under one lock. */
#ifndef CUEMU_RUNTIME_H
#define CUEMU_RUNTIME_H

#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "include/cuda_runtime_api.h"

namespace cuemu
{

typedef std::function<void()> Work;

std::recursive_mutex &lock();
#define CUEMU_LOCKED std::lock_guard<std::recursive_mutex> cuemu_guard_(cuemu::lock())

/* Sets the calling host thread's last error, unless it is cudaSuccess; returns it. */
cudaError_t result(cudaError_t error);

/* cudaSuccess, or why no call can work here: no device, or an old driver. */
cudaError_t usable();
#define CUEMU_USABLE                                                                                                   \
    CUEMU_LOCKED;                                                                                                      \
    if (cudaError_t cuemu_why_ = cuemu::usable()) return cuemu::result(cuemu_why_)

int current_device();

/* ---- Memory ---- */

constexpr size_t DEVICE_ALIGNMENT = 256;

/* Full of 0xFF bytes; null when there is none. The table of allocations is runtime_memory.cpp's. */
void *device_allocate(size_t bytes);
void device_release(void *memory, size_t bytes);

/* While one of these lives, device memory may be touched. */
struct DeviceOpen {
    DeviceOpen();
    ~DeviceOpen();
};

enum class Place { HOST, PINNED, DEVICE };
Place place_of(const void *p);
/* [p, p + bytes) lies in one allocation of device memory */
bool in_device(const void *p, size_t bytes);

/* ---- Streams and captures ---- */

/* The work of a graph in the making; of one stream, and of those that it has forked to. */
struct Capture {
    cudaStream_t origin = nullptr;
    cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
    std::thread::id host_thread;
    bool invalid = false;
    std::vector<Work> work;
    std::map<cudaStream_t, size_t> n_own;    /* pieces of work of a stream so far */
    std::map<cudaStream_t, size_t> n_joined; /* of these the origin has waited for */
};

/* cudaErrorInvalidResourceHandle for a stream that was destroyed, or never was one. Null is the default stream. */
cudaError_t check_stream(cudaStream_t stream);

/* Runs the work now, or records it where the stream captures, or (CUEMU_LAZY) keeps it until somebody waits. */
cudaError_t submit(cudaStream_t stream, Work work);

/* Work submitted to the stream is kept: not captured, and not run at once. */
bool keeps_work(cudaStream_t stream);

/* Runs the stream's kept work; all streams' for null. */
void finish(cudaStream_t stream);

/* The error of a call that no capture may see (allocation, synchronous copies), or cudaSuccess. */
cudaError_t outside_capture();

} // namespace cuemu

struct CUstream_st {
    int device = 0;
    unsigned flags = 0;
    cuemu::Capture *capture = nullptr;
    std::deque<cuemu::Work> kept;
    size_t n_submitted = 0, n_done = 0;
};
struct CUevent_st {
    int device = 0;
    unsigned flags = 0;
    cuemu::Capture *capture = nullptr; /* recorded last in this capture */
    cudaStream_t stream = nullptr;
    size_t n_before = 0; /* pieces of work of that stream before the record */
    bool recorded = false;
    double when_ms = 0.0;
};
struct CUgraph_st {
    std::vector<cuemu::Work> work;
};
struct CUgraphExec_st {
    std::vector<cuemu::Work> work;
};

#endif
