/* Errors, devices and their facts. */
#include "runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

namespace cuemu
{

static thread_local cudaError_t last_error = cudaSuccess;
static thread_local int device_in_use = 0;

std::recursive_mutex &lock()
{
    static std::recursive_mutex mutex;
    return mutex;
}

cudaError_t result(cudaError_t error)
{
    if (error != cudaSuccess) last_error = error;
    return error;
}

static bool fails(const char *how)
{
    const char *fail = getenv("CUEMU_FAIL");
    return fail && !strcmp(fail, how);
}

static int device_count()
{
    const char *devices = getenv("CUEMU_DEVICES");
    return devices ? atoi(devices) : 1;
}

cudaError_t usable()
{
    if (fails("driver") || fails("no-driver")) return cudaErrorInsufficientDriver;
    return device_count() < 1 ? cudaErrorNoDevice : cudaSuccess;
}

static int architecture()
{
    const char *asked = getenv("CUEMU_ARCHITECTURE");
    return asked ? atoi(asked) : 90;
}

size_t most_shared()
{
    const int sm = architecture();
    return (sm == 80 || sm == 87 ? 163 : sm == 86 || sm == 89 || sm >= 120 ? 99 : 227) * (size_t)1024;
}

int current_device()
{
    return device_in_use;
}

} // namespace cuemu

using namespace cuemu;

const char *cudaGetErrorName(cudaError_t error)
{
    switch (error) {
#define X(name, number, text)                                                                                          \
    case name:                                                                                                         \
        return #name;
        CUEMU_ERRORS(X)
#undef X
    }
    return "unrecognized error code";
}

const char *cudaGetErrorString(cudaError_t error)
{
    switch (error) {
#define X(name, number, text)                                                                                          \
    case name:                                                                                                         \
        return text;
        CUEMU_ERRORS(X)
#undef X
    }
    return "unrecognized error code";
}

cudaError_t cudaGetLastError(void)
{
    cudaError_t error = last_error;
    last_error = cudaSuccess;
    return error;
}

cudaError_t cudaPeekAtLastError(void)
{
    return last_error;
}

cudaError_t cudaDriverGetVersion(int *version)
{
    *version = fails("no-driver") ? 0 : fails("driver") ? 11040 : CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
    *version = CUDART_VERSION;
    return cudaSuccess;
}

/* As the real one, leaves *count alone when it fails. */
cudaError_t cudaGetDeviceCount(int *count)
{
    CUEMU_USABLE;
    *count = device_count();
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device)
{
    CUEMU_USABLE;
    if (device < 0 || device >= device_count()) return result(cudaErrorInvalidDevice);
    /* where the real one makes a context */
    if (fails("busy")) return result(cudaErrorDevicesUnavailable);
    if (fails("full")) return result(cudaErrorMemoryAllocation);
    device_in_use = device;
    return cudaSuccess;
}

cudaError_t cudaGetDevice(int *device)
{
    CUEMU_USABLE;
    *device = device_in_use;
    return cudaSuccess;
}

/* An H100's limits, but few processors, so that grids sized by them stay small. */
cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute, int device)
{
    const struct {
        cudaDeviceAttr attribute;
        int value;
    } facts[] = {
        {cudaDevAttrMaxThreadsPerBlock, 1024},
        {cudaDevAttrMaxGridDimX, 0x7fffffff},
        {cudaDevAttrMaxGridDimY, 65535},
        {cudaDevAttrMaxGridDimZ, 65535},
        {cudaDevAttrMaxSharedMemoryPerBlock, 48 * 1024},
        {cudaDevAttrWarpSize, 32},
        {cudaDevAttrMultiProcessorCount, 4},
        {cudaDevAttrMaxThreadsPerMultiProcessor, 2048},
        {cudaDevAttrComputeCapabilityMajor, architecture() / 10},
        {cudaDevAttrComputeCapabilityMinor, architecture() % 10},
        {cudaDevAttrMaxSharedMemoryPerMultiprocessor, 228 * 1024},
        {cudaDevAttrMaxSharedMemoryPerBlockOptin, (int)most_shared()},
    };
    CUEMU_USABLE;
    if (device < 0 || device >= device_count()) return result(cudaErrorInvalidDevice);
    for (auto &fact : facts) {
        if (fact.attribute != attribute) continue;
        *value = fact.value;
        return cudaSuccess;
    }
    return result(cudaErrorInvalidValue);
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *properties, int device)
{
    CUEMU_USABLE;
    if (device < 0 || device >= device_count()) return result(cudaErrorInvalidDevice);
    cudaDeviceProp p = {};
    snprintf(p.name, sizeof p.name, "emulated GPU %d", device);
    size_t free_bytes = 0;
    cudaMemGetInfo(&free_bytes, &p.totalGlobalMem);
    p.sharedMemPerBlock = 48 * 1024;
    p.sharedMemPerBlockOptin = most_shared();
    p.sharedMemPerMultiprocessor = 228 * 1024;
    p.major = architecture() / 10;
    p.minor = architecture() % 10;
    p.multiProcessorCount = 4;
    p.maxThreadsPerBlock = 1024;
    p.maxGridSize[0] = 0x7fffffff;
    p.maxGridSize[1] = p.maxGridSize[2] = 65535;
    p.warpSize = 32;
    p.l2CacheSize = 50 << 20;
    p.pciBusID = device + 1;
    *properties = p;
    return cudaSuccess;
}
