/* Kernel launches: the limits of the hardware, then the grid, at once or at the replay of a graph. */
#include "block.h"
#include "runtime.h"

namespace cuemu
{

/* Dynamic shared memory that a kernel was allowed beyond the default. */
static std::map<const void *, size_t> &allowed_shared()
{
    static std::map<const void *, size_t> bytes;
    return bytes;
}

static cudaError_t check_launch(const void *kernel, dim3 grid, dim3 size, size_t shared_bytes)
{
    if (!grid.x || !grid.y || !grid.z || grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535)
        return cudaErrorInvalidConfiguration;
    if (!size.x || !size.y || !size.z || size.x > 1024 || size.y > 1024 || size.z > 64)
        return cudaErrorInvalidConfiguration;
    if (size.x * size.y * size.z > 1024) return cudaErrorInvalidConfiguration;
    auto allowed = allowed_shared().find(kernel);
    size_t limit = allowed == allowed_shared().end() ? DEFAULT_SHARED : allowed->second;
    return shared_bytes > (limit < DEFAULT_SHARED ? DEFAULT_SHARED : limit) ? cudaErrorInvalidValue : cudaSuccess;
}

void launch(const char *name, const void *kernel, dim3 grid, dim3 size, size_t shared_bytes, cudaStream_t stream,
            std::function<void()> body)
{
    CUEMU_LOCKED;
    cudaError_t error = usable();
    /* a kernel goes to the current device, which the stream must be of */
    if (!error) error = check_stream(stream);
    if (!error && stream && stream->device != current_device()) error = cudaErrorInvalidResourceHandle;
    if (!error) error = check_launch(kernel, grid, size, shared_bytes);
    if (!error) error = submit(stream, [=, body = std::move(body)] { run_grid(name, grid, size, shared_bytes, body); });
    result(error);
}

} // namespace cuemu

using namespace cuemu;

cudaError_t cudaFuncSetAttribute(const void *kernel, enum cudaFuncAttribute attribute, int value)
{
    CUEMU_USABLE;
    if (!kernel) return result(cudaErrorInvalidDeviceFunction);
    if (attribute == cudaFuncAttributePreferredSharedMemoryCarveout) return cudaSuccess;
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize || value < 0 || (size_t)value > most_shared())
        return result(cudaErrorInvalidValue);
    allowed_shared()[kernel] = (size_t)value;
    return cudaSuccess;
}
