/* Memory of the device and what goes between it and the host.
 *
 * New memory is zeroed on a stream of its own, for which the host waits: the streams of the program are non-blocking,
 * so nothing orders them behind CUDA's default stream. */
#include <stdlib.h>
#include <string.h>

#include "cuda.h"

pl_status pl__handle_create(const pl_device *device, void **out, size_t bytes)
{
    *out = calloc(1, bytes);
    return *out ? PL_OK : device->host->fail(PL_E_MEMORY, "out of memory on the host (%zu bytes)", bytes);
}

/* Says how much was asked for and how much there is, which CUDA's text does not. */
static pl_status exhausted(const pl_device *device, size_t bytes, const char *what)
{
    size_t n_free = 0, n_total = 0;
    (void)cudaGetLastError();
    pl__forget(cudaMemGetInfo(&n_free, &n_total));
    return device->host->fail(
        PL_E_MEMORY,
        "%zu bytes for %s cannot be had on %s: %zu of its %zu bytes are free; free memory on it or "
        "ask for less (smaller --batch-tokens, a 16-bit compute type)",
        bytes, what, device->name, n_free, n_total);
}

pl_status pl__memory_create(pl_device *device, void **out, size_t bytes, const char *what)
{
    void *memory = NULL;
    *out = NULL;
    PL_TRY(pl__enter(device));
    size_t n = bytes ? bytes : 1; /* an empty buffer has an address, too */
    cudaError_t error = cudaMalloc(&memory, n);
    if (error == cudaErrorMemoryAllocation) return exhausted(device, bytes, what);
    if (error != cudaSuccess) return pl__cuda_failed(device, error, "cudaMalloc");
    error = cudaMemsetAsync(memory, 0, n, device->setup);
    if (error == cudaSuccess) error = cudaStreamSynchronize(device->setup);
    if (error != cudaSuccess) {
        pl__memory_free(device, memory);
        return pl__cuda_failed(device, error, "zeroing new memory");
    }
    *out = memory;
    return PL_OK;
}

void pl__memory_free(const pl_device *device, void *memory)
{
    if (!memory) return;
    pl__forget(cudaSetDevice(device->index));
    pl__forget(cudaFree(memory)); /* an earlier failure of the device has been reported already */
}

pl_status pl__buffer_create(pl_device *device, pl_buffer **out, size_t bytes)
{
    pl_buffer *buffer = NULL;
    *out = NULL;
    PL_TRY(pl__handle_create(device, (void **)&buffer, sizeof *buffer));
    pl_status status = pl__memory_create(device, &buffer->data, bytes, "a buffer");
    if (status != PL_OK) {
        free(buffer);
        return status;
    }
    buffer->device = device;
    buffer->bytes = bytes;
    *out = buffer;
    return PL_OK;
}

void pl__buffer_free(pl_buffer *buffer)
{
    if (!buffer) return;
    pl__memory_free(buffer->device, buffer->data);
    free(buffer);
}

size_t pl__buffer_bytes(const pl_buffer *buffer)
{
    return buffer->bytes;
}

pl_status pl__host_memory_create(pl_device *device, void **out, size_t bytes)
{
    void *memory = NULL;
    *out = NULL;
    PL_TRY(pl__enter(device));
    size_t n = bytes ? bytes : 1;
    cudaError_t error = cudaHostAlloc(&memory, n, cudaHostAllocPortable);
    if (error == cudaErrorMemoryAllocation) {
        (void)cudaGetLastError();
        return device->host->fail(
            PL_E_MEMORY,
            "%zu bytes of pinned host memory cannot be had: free memory, raise the job's limit, or "
            "ask for less",
            bytes);
    }
    if (error != cudaSuccess) return pl__cuda_failed(device, error, "cudaHostAlloc");
    memset(memory, 0, n);
    *out = memory;
    return PL_OK;
}

void pl__host_memory_free(pl_device *device, void *memory)
{
    if (!memory) return;
    pl__forget(cudaSetDevice(device->index));
    pl__forget(cudaFreeHost(memory));
}

/* A view's rows as a copy of two dimensions: rows without a gap are one long row. */
typedef struct shape {
    size_t row_bytes, rows, stride_bytes;
} shape;

static shape shape_of(pl_view v)
{
    size_t size = pl_dtype_bytes(v.dtype);
    if (v.rows == 1 || v.stride == v.columns)
        return (shape){.row_bytes = v.rows * v.columns * size, .rows = 1, .stride_bytes = v.rows * v.columns * size};
    return (shape){.row_bytes = v.columns * size, .rows = v.rows, .stride_bytes = v.stride * size};
}

pl_status pl__upload(pl_stream *stream, pl_view to, const void *from)
{
    if (!to.rows || !to.columns) return PL_OK;
    PL_TRY(pl__enter(stream->device));
    shape s = shape_of(to);
    cudaError_t error = s.rows == 1
                            ? cudaMemcpyAsync(pl__at(to, 0), from, s.row_bytes, cudaMemcpyHostToDevice, stream->handle)
                            : cudaMemcpy2DAsync(pl__at(to, 0), s.stride_bytes, from, s.row_bytes, s.row_bytes, s.rows,
                                                cudaMemcpyHostToDevice, stream->handle);
    return error == cudaSuccess ? PL_OK : pl__cuda_failed(stream->device, error, "upload");
}

pl_status pl__download(pl_stream *stream, void *to, pl_view from)
{
    if (!from.rows || !from.columns) return PL_OK;
    PL_TRY(pl__enter(stream->device));
    shape s = shape_of(from);
    cudaError_t error = s.rows == 1
                            ? cudaMemcpyAsync(to, pl__at(from, 0), s.row_bytes, cudaMemcpyDeviceToHost, stream->handle)
                            : cudaMemcpy2DAsync(to, s.row_bytes, pl__at(from, 0), s.stride_bytes, s.row_bytes, s.rows,
                                                cudaMemcpyDeviceToHost, stream->handle);
    return error == cudaSuccess ? PL_OK : pl__cuda_failed(stream->device, error, "download");
}

pl_status pl__fill_zero(pl_stream *stream, pl_view view)
{
    if (!view.rows || !view.columns) return PL_OK;
    PL_TRY(pl__enter(stream->device));
    shape s = shape_of(view);
    cudaError_t error =
        s.rows == 1 ? cudaMemsetAsync(pl__at(view, 0), 0, s.row_bytes, stream->handle)
                    : cudaMemset2DAsync(pl__at(view, 0), s.stride_bytes, 0, s.row_bytes, s.rows, stream->handle);
    return error == cudaSuccess ? PL_OK : pl__cuda_failed(stream->device, error, "fill_zero");
}
