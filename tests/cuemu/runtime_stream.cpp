/* Streams, events, and capture into graphs.
 *
 * Work runs when it is submitted, in the order of the calls. With CUEMU_LAZY=1 it runs only when something waits for it
 * (a stream, an event, another stream's wait, the release of memory) and no earlier than that: results that nobody
 * waited for are not there, and pinned memory that was given up too soon is copied too late. */
#include "runtime.h"

#include <stdlib.h>
#include <time.h>

#include <set>

#include "cuemu.h"

namespace cuemu
{

namespace
{

/* What is alive, by complemented address (see runtime_memory.cpp). */
template <class T> struct Alive {
    std::set<uintptr_t> keys;
    void add(T *p)
    {
        keys.insert(~(uintptr_t)p);
    }
    bool has(T *p) const
    {
        return keys.count(~(uintptr_t)p) != 0;
    }
    bool remove(T *p)
    {
        return keys.erase(~(uintptr_t)p) != 0;
    }
};
Alive<CUstream_st> streams;
Alive<CUevent_st> events;
Alive<CUgraph_st> graphs;
Alive<CUgraphExec_st> execs;
std::set<Capture *> captures;

double now_ms()
{
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

/* A call that a capturing stream cannot bear: the capture is lost. */
cudaError_t spoil(Capture *capture)
{
    capture->invalid = true;
    return cudaErrorStreamCaptureUnsupported;
}

void run_work(const Work &work)
{
    DeviceOpen open;
    work();
}

/* Runs kept work until the stream has done n pieces. Work may in turn wait for other streams. */
void run_until(cudaStream_t stream, size_t n)
{
    while (stream->n_done < n && !stream->kept.empty()) {
        Work work = std::move(stream->kept.front());
        stream->kept.pop_front();
        run_work(work);
        stream->n_done++;
    }
}

/* One piece of work, as time passes between two questions. */
cudaError_t advance(cudaStream_t stream, size_t n)
{
    if (stream->n_done >= n) return cudaSuccess;
    run_until(stream, stream->n_done + 1);
    return cudaErrorNotReady;
}

void end_capture(Capture *capture)
{
    for (uintptr_t key : streams.keys) {
        CUstream_st *stream = (CUstream_st *)~key;
        if (stream->capture == capture) stream->capture = nullptr;
    }
    for (uintptr_t key : events.keys) {
        CUevent_st *event = (CUevent_st *)~key;
        if (event->capture == capture) event->capture = nullptr;
    }
    captures.erase(capture);
    delete capture;
}

} // namespace

cudaError_t check_stream(cudaStream_t stream)
{
    return !stream || streams.has(stream) ? cudaSuccess : cudaErrorInvalidResourceHandle;
}

bool keeps_work(cudaStream_t stream)
{
    const char *lazy = getenv("CUEMU_LAZY");
    return lazy && *lazy == '1' && stream && !stream->capture;
}

void finish(cudaStream_t stream)
{
    if (stream) {
        run_until(stream, stream->n_submitted);
        return;
    }
    for (uintptr_t key : std::set<uintptr_t>(streams.keys)) finish((CUstream_st *)~key);
}

cudaError_t submit(cudaStream_t stream, Work work)
{
    if (cudaError_t error = check_stream(stream)) return error;
    if (!stream) {
        /* The default stream waits for every blocking stream, which one that captures cannot serve. */
        for (Capture *capture : captures) {
            if (capture->origin->flags & cudaStreamNonBlocking) continue;
            capture->invalid = true;
            return cudaErrorStreamCaptureImplicit;
        }
        for (uintptr_t key : std::set<uintptr_t>(streams.keys)) {
            cudaStream_t other = (CUstream_st *)~key;
            if (!(other->flags & cudaStreamNonBlocking)) finish(other);
        }
    }
    if (keeps_work(stream)) {
        stream->kept.push_back(std::move(work));
        stream->n_submitted++;
        return cudaSuccess;
    }
    if (!stream || !stream->capture) {
        if (stream) finish(stream);
        run_work(work);
        return cudaSuccess;
    }
    if (stream->capture->invalid) return cudaErrorStreamCaptureInvalidated;
    stream->capture->work.push_back(std::move(work));
    stream->capture->n_own[stream]++;
    return cudaSuccess;
}

cudaError_t outside_capture()
{
    for (Capture *capture : captures) {
        bool concerned =
            capture->mode == cudaStreamCaptureModeGlobal ||
            (capture->mode == cudaStreamCaptureModeThreadLocal && capture->host_thread == std::this_thread::get_id());
        if (concerned) return spoil(capture);
    }
    return cudaSuccess;
}

} // namespace cuemu

using namespace cuemu;

void cuemu_enqueue(cudaStream_t stream, std::function<void()> work)
{
    CUEMU_LOCKED;
    result(submit(stream, std::move(work)));
}

/* ---- Streams ---- */

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned int flags)
{
    CUEMU_USABLE;
    if (!stream || flags > cudaStreamNonBlocking) return result(cudaErrorInvalidValue);
    *stream = new CUstream_st;
    (*stream)->device = current_device();
    (*stream)->flags = flags;
    streams.add(*stream);
    return cudaSuccess;
}

cudaError_t cudaStreamCreate(cudaStream_t *stream)
{
    return cudaStreamCreateWithFlags(stream, cudaStreamDefault);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    CUEMU_USABLE;
    if (!stream || !streams.has(stream)) return result(cudaErrorInvalidResourceHandle);
    if (stream->capture) end_capture(stream->capture);
    finish(stream);
    streams.remove(stream);
    delete stream;
    return cudaSuccess;
}

static cudaError_t may_wait(cudaStream_t stream)
{
    if (cudaError_t error = check_stream(stream)) return error;
    if (stream && stream->capture) return spoil(stream->capture);
    return stream ? cudaSuccess : outside_capture();
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    CUEMU_USABLE;
    if (cudaError_t error = may_wait(stream)) return result(error);
    finish(stream);
    return cudaSuccess;
}

cudaError_t cudaStreamQuery(cudaStream_t stream)
{
    CUEMU_USABLE;
    if (cudaError_t error = may_wait(stream)) return result(error);
    return stream ? result(advance(stream, stream->n_submitted)) : cudaSuccess;
}

cudaError_t cudaDeviceSynchronize(void)
{
    CUEMU_USABLE;
    if (cudaError_t error = outside_capture()) return result(error);
    finish(nullptr);
    return cudaSuccess;
}

/* ---- Events ---- */

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned int flags)
{
    CUEMU_USABLE;
    if (!event || (flags & ~(unsigned)(cudaEventBlockingSync | cudaEventDisableTiming)))
        return result(cudaErrorInvalidValue);
    *event = new CUevent_st;
    (*event)->device = current_device();
    (*event)->flags = flags;
    events.add(*event);
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *event)
{
    return cudaEventCreateWithFlags(event, cudaEventDefault);
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    CUEMU_USABLE;
    if (!event || !events.remove(event)) return result(cudaErrorInvalidResourceHandle);
    delete event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    CUEMU_USABLE;
    if (!event || !events.has(event)) return result(cudaErrorInvalidResourceHandle);
    if (cudaError_t error = check_stream(stream)) return result(error);
    if (stream && stream->device != event->device) return result(cudaErrorInvalidResourceHandle);
    event->capture = stream ? stream->capture : nullptr;
    event->stream = stream;
    event->n_before = event->capture ? event->capture->n_own[stream] : 0;
    event->recorded = true;
    if (event->capture) return cudaSuccess;
    if (cudaError_t error = submit(stream, [event] {
            if (events.has(event)) event->when_ms = now_ms();
        }))
        return result(error);
    event->n_before = stream ? stream->n_submitted : 0;
    return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int)
{
    CUEMU_USABLE;
    if (!event || !events.has(event)) return result(cudaErrorInvalidResourceHandle);
    if (cudaError_t error = check_stream(stream)) return result(error);
    Capture *here = stream ? stream->capture : nullptr;
    if (!event->capture) {
        if (!event->recorded) return cudaSuccess; /* no reason to wait */
        if (here) {
            here->invalid = true;
            return result(cudaErrorStreamCaptureIsolation);
        }
        cudaStream_t other = event->stream;
        size_t n = event->n_before;
        return result(submit(stream, [other, n] {
            if (other && streams.has(other)) run_until(other, n);
        }));
    }
    if (here && here != event->capture) {
        here->invalid = event->capture->invalid = true;
        return result(cudaErrorStreamCaptureMerge);
    }
    if (!stream) {
        event->capture->invalid = true;
        return result(cudaErrorStreamCaptureImplicit);
    }
    stream->capture = event->capture; /* a stream that waits for captured work is captured too */
    if (stream == event->capture->origin) {
        size_t &joined = event->capture->n_joined[event->stream];
        if (joined < event->n_before) joined = event->n_before;
    }
    return cudaSuccess;
}

static cudaError_t may_wait(cudaEvent_t event)
{
    if (!event || !events.has(event)) return cudaErrorInvalidResourceHandle;
    if (!event->capture) return cudaSuccess;
    event->capture->invalid = true;
    return cudaErrorCapturedEvent;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    CUEMU_USABLE;
    if (cudaError_t error = may_wait(event)) return result(error);
    if (event->stream && streams.has(event->stream)) run_until(event->stream, event->n_before);
    return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t event)
{
    CUEMU_USABLE;
    if (cudaError_t error = may_wait(event)) return result(error);
    if (!event->stream || !streams.has(event->stream)) return cudaSuccess;
    return result(advance(event->stream, event->n_before));
}

cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t start, cudaEvent_t end)
{
    CUEMU_USABLE;
    for (cudaEvent_t event : {start, end}) {
        if (!event || !events.has(event)) return result(cudaErrorInvalidResourceHandle);
        if ((event->flags & cudaEventDisableTiming) || !event->recorded) return result(cudaErrorInvalidResourceHandle);
        if (event->stream && streams.has(event->stream) && event->stream->n_done < event->n_before)
            return result(cudaErrorNotReady);
    }
    *ms = (float)(end->when_ms - start->when_ms);
    return cudaSuccess;
}

/* ---- Capture and graphs ---- */

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode)
{
    CUEMU_USABLE;
    if (cudaError_t error = check_stream(stream)) return result(error);
    if (!stream) return result(cudaErrorStreamCaptureUnsupported);
    if (stream->capture) return result(cudaErrorIllegalState);
    Capture *capture = new Capture;
    capture->origin = stream;
    capture->mode = mode;
    capture->host_thread = std::this_thread::get_id();
    captures.insert(capture);
    stream->capture = capture;
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    CUEMU_USABLE;
    if (!graph) return result(cudaErrorInvalidValue);
    *graph = nullptr;
    if (cudaError_t error = check_stream(stream)) return result(error);
    if (!stream || !stream->capture) return result(cudaErrorIllegalState);
    Capture *capture = stream->capture;
    if (capture->origin != stream) return result(cudaErrorStreamCaptureUnmatched);
    if (capture->mode != cudaStreamCaptureModeRelaxed && capture->host_thread != std::this_thread::get_id())
        return result(cudaErrorStreamCaptureWrongThread);
    cudaError_t error = capture->invalid ? cudaErrorStreamCaptureInvalidated : cudaSuccess;
    for (auto &own : capture->n_own) {
        if (error || own.first == stream) continue;
        if (capture->n_joined[own.first] < own.second) error = cudaErrorStreamCaptureUnjoined;
    }
    if (!error) {
        *graph = new CUgraph_st;
        (*graph)->work.swap(capture->work);
        graphs.add(*graph);
    }
    end_capture(capture);
    return result(error);
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, enum cudaStreamCaptureStatus *status)
{
    CUEMU_USABLE;
    if (!status) return result(cudaErrorInvalidValue);
    if (cudaError_t error = check_stream(stream)) return result(error);
    *status = !stream || !stream->capture ? cudaStreamCaptureStatusNone
              : stream->capture->invalid  ? cudaStreamCaptureStatusInvalidated
                                          : cudaStreamCaptureStatusActive;
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long)
{
    CUEMU_USABLE;
    if (!exec || !graph || !graphs.has(graph)) return result(cudaErrorInvalidValue);
    *exec = new CUgraphExec_st;
    (*exec)->work = graph->work;
    execs.add(*exec);
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    CUEMU_USABLE;
    if (!exec || !execs.has(exec)) return result(cudaErrorInvalidValue);
    return result(submit(stream, [work = exec->work] {
        for (const Work &piece : work) piece();
    }));
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    CUEMU_USABLE;
    if (!graph || !graphs.remove(graph)) return result(cudaErrorInvalidValue);
    delete graph;
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    CUEMU_USABLE;
    if (!exec || !execs.remove(exec)) return result(cudaErrorInvalidValue);
    delete exec;
    return cudaSuccess;
}
