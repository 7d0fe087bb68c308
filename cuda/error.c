/* The text of CUDA's errors, and making a device current. */
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
