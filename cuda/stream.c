/* Streams, events, and steps that are recorded once and replayed as a graph.
 *
 * Streams are non-blocking: none waits for CUDA's default stream. Events keep no times, and a host that waits for one
 * sleeps instead of spinning: it is a writer's thread, and the cores belong to tokenization and writing.
 *
 * Recording is a stream capture in relaxed mode: the strict ones forbid the recording thread whatever may wait for the
 * device, and CUDA loads a kernel's code at its first launch, which may. A wait for the recorded stream itself stays an
 * error in every mode. A step in which a call failed must still be ended with record_end. */
#include <stdlib.h>

#include "cuda.h"

pl_status pl__stream_create(pl_device *device, pl_stream **out)
{
    pl_stream *stream = NULL;
    *out = NULL;
    PL_TRY(pl__enter(device));
    PL_TRY(pl__handle_create(device, (void **)&stream, sizeof *stream));
    stream->device = device;
    cudaError_t error = cudaStreamCreateWithFlags(&stream->handle, cudaStreamNonBlocking);
    if (error != cudaSuccess) {
        free(stream);
        return pl__cuda_failed(device, error, "creating a stream");
    }
    *out = stream;
    return PL_OK;
}

void pl__stream_free(pl_stream *stream)
{
    if (!stream) return;
    pl__forget(cudaSetDevice(stream->device->index));
    pl__forget(cudaStreamDestroy(stream->handle));
    free(stream);
}

pl_status pl__stream_wait(pl_stream *stream)
{
    PL_TRY(pl__enter(stream->device));
    cudaError_t error = cudaStreamSynchronize(stream->handle);
    return error == cudaSuccess ? PL_OK : pl__cuda_failed(stream->device, error, "waiting for a stream");
}

pl_status pl__event_create(pl_device *device, pl_event **out)
{
    pl_event *event = NULL;
    *out = NULL;
    PL_TRY(pl__enter(device));
    PL_TRY(pl__handle_create(device, (void **)&event, sizeof *event));
    event->device = device;
    cudaError_t error = cudaEventCreateWithFlags(&event->handle, cudaEventDisableTiming | cudaEventBlockingSync);
    if (error != cudaSuccess) {
        free(event);
        return pl__cuda_failed(device, error, "creating an event");
    }
    *out = event;
    return PL_OK;
}

void pl__event_free(pl_event *event)
{
    if (!event) return;
    pl__forget(cudaSetDevice(event->device->index));
    pl__forget(cudaEventDestroy(event->handle));
    free(event);
}

pl_status pl__event_record(pl_event *event, pl_stream *stream)
{
    PL_TRY(pl__enter(stream->device));
    cudaError_t error = cudaEventRecord(event->handle, stream->handle);
    return error == cudaSuccess ? PL_OK : pl__cuda_failed(stream->device, error, "recording an event");
}

pl_status pl__event_wait(pl_event *event, pl_stream *stream)
{
    PL_TRY(pl__enter(stream->device));
    cudaError_t error = cudaStreamWaitEvent(stream->handle, event->handle, 0);
    return error == cudaSuccess ? PL_OK : pl__cuda_failed(stream->device, error, "a stream's wait for an event");
}

pl_status pl__event_wait_host(pl_event *event)
{
    PL_TRY(pl__enter(event->device));
    cudaError_t error = cudaEventSynchronize(event->handle);
    return error == cudaSuccess ? PL_OK : pl__cuda_failed(event->device, error, "waiting for an event");
}

pl_status pl__record_begin(pl_stream *stream)
{
    PL_TRY(pl__enter(stream->device));
    cudaError_t error = cudaStreamBeginCapture(stream->handle, cudaStreamCaptureModeRelaxed);
    return error == cudaSuccess ? PL_OK : pl__cuda_failed(stream->device, error, "recording a step");
}

pl_status pl__record_end(pl_stream *stream, pl_graph **out)
{
    pl_device *device = stream->device;
    cudaGraph_t recorded = NULL;
    pl_graph *graph = NULL;
    pl_status status;
    *out = NULL;
    PL_TRY(pl__enter(device));
    PL_CUDA_GOTO(status, done, device, cudaStreamEndCapture(stream->handle, &recorded));
    PL_GOTO(status, done, pl__handle_create(device, (void **)&graph, sizeof *graph));
    graph->device = device;
    PL_CUDA_GOTO(status, done, device, cudaGraphInstantiate(&graph->handle, recorded, 0));
    *out = graph;
    graph = NULL;
done:
    free(graph);
    if (recorded) pl__forget(cudaGraphDestroy(recorded));
    return status;
}

pl_status pl__replay(pl_stream *stream, pl_graph *graph)
{
    PL_TRY(pl__enter(stream->device));
    cudaError_t error = cudaGraphLaunch(graph->handle, stream->handle);
    return error == cudaSuccess ? PL_OK : pl__cuda_failed(stream->device, error, "replaying a step");
}

void pl__graph_free(pl_graph *graph)
{
    if (!graph) return;
    pl__forget(cudaSetDevice(graph->device->index));
    pl__forget(cudaGraphExecDestroy(graph->handle));
    free(graph);
}
