/* Argument checks of the ops and the text of CUDA's errors.
 *
 * The checks are the host's: shapes, types and that views end inside their buffers. What stands in device memory
 * (counts, ids, pages) is not looked at, because that would make the host wait for the device. */
#include "cuda.h"

pl_status pl__enter(const pl_device *device)
{
    cudaError_t error = cudaSetDevice(device->index);
    return error == cudaSuccess ? PL_OK : pl__cuda_failed(device, error, "making the device current");
}

/* What a user can do about it; the caller adds it behind CUDA's own text. */
static const char *advice(cudaError_t error)
{
    switch (error) {
    case cudaErrorMemoryAllocation:
        return "free memory on it or ask for less (smaller --batch-tokens, a 16-bit compute type)";
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorInvalidDeviceFunction:
    case cudaErrorUnsupportedPtxVersion:
        return "the plug-in has no code for this GPU: build it with a newer CUDA toolkit or update the driver";
    case cudaErrorDevicesUnavailable:
        return "another process holds it: wait, or choose another with --device cuda:<index>";
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchFailure:
    case cudaErrorMisalignedAddress:
        return "this is a fault in plumb; compute-sanitizer finds the kernel. The device is lost to this process";
    case cudaErrorECCUncorrectable:
        return "the GPU's memory has failed: choose another GPU and tell who looks after the machine";
    case cudaErrorDeviceUninitialized:
    case cudaErrorCudartUnloading:
        return "the process is ending";
    default:
        return "the driver's log (dmesg) may say more";
    }
}

pl_status pl__cuda_failed(const pl_device *device, cudaError_t error, const char *what)
{
    (void)cudaGetLastError(); /* an error is reported once */
    return device->host->fail(error == cudaErrorMemoryAllocation ? PL_E_MEMORY : PL_E_DEVICE, "%s on %s: %s (%s); %s",
                              what, device->name, cudaGetErrorName(error), cudaGetErrorString(error), advice(error));
}

pl_status pl__check_view(const pl_device *device, const char *op, const char *argument, pl_view v, size_t rows,
                         size_t columns, pl_dtype dtype)
{
    const pl_host_services *host = device->host;
    if (!v.buffer) return host->fail(PL_E_INTERNAL, "%s: %s is missing", op, argument);
    if (v.dtype != dtype) {
        return host->fail(PL_E_INTERNAL, "%s: %s is %s, expected %s", op, argument, pl_dtype_name(v.dtype),
                          pl_dtype_name(dtype));
    }
    if (v.rows < rows || v.columns < columns || (v.rows > 1 && v.stride < v.columns)) {
        return host->fail(PL_E_INTERNAL, "%s: %s is [%zu, %zu] with rows %zu apart, expected at least [%zu, %zu]", op,
                          argument, v.rows, v.columns, v.stride, rows, columns);
    }
    size_t limit = v.buffer->bytes / pl_dtype_bytes(dtype), span;
    if (!rows || !columns) return PL_OK;
    if (__builtin_mul_overflow(rows - 1, v.stride, &span) || __builtin_add_overflow(span, v.offset, &span) ||
        __builtin_add_overflow(span, columns, &span) || span > limit) {
        return host->fail(PL_E_INTERNAL, "%s: %s ends outside its buffer of %zu elements", op, argument, limit);
    }
    return PL_OK;
}

pl_status pl__check_optional(const pl_device *device, const char *op, const char *argument, pl_view v, size_t rows,
                             size_t columns, pl_dtype dtype)
{
    return v.buffer ? pl__check_view(device, op, argument, v, rows, columns, dtype) : PL_OK;
}

pl_status pl__check_counts(const pl_device *device, const char *op, pl_view counts, pl_count which)
{
    if (which >= PL_COUNTS) return device->host->fail(PL_E_INTERNAL, "%s: count %d does not exist", op, (int)which);
    return pl__check_view(device, op, "counts", counts, 1, (size_t)which + 1, PL_I32);
}

pl_status pl__check_batch(const pl_device *device, const char *op, const pl_batch *batch, size_t n_rows)
{
    PL_TRY(pl__check_counts(device, op, batch->counts, PL_COUNT_TOKENS));
    PL_TRY(pl__check_counts(device, op, batch->counts, PL_COUNT_RUNS));
    PL_TRY(pl__check_view(device, op, "positions", batch->positions, 1, n_rows, PL_I32));
    PL_TRY(pl__check_view(device, op, "paths", batch->paths, 1, n_rows, PL_I32));
    PL_TRY(pl__check_view(device, op, "runs", batch->runs, batch->runs.rows, 2, PL_I32));
    return pl__check_view(device, op, "page_table", batch->page_table, batch->page_table.rows,
                          batch->page_table.columns, PL_I32);
}
