/* Device and pinned memory, copies and fills. Both kinds are host memory, 256-byte aligned, full of 0xFF bytes when new
 * (an unset float is NaN), and under ASan of the exact size: an access past the end is reported. */
#include "runtime.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

namespace cuemu
{

namespace
{

struct Allocation {
    size_t bytes;
    Place place;
    int device;
};

/* Keyed by the complement of the address: the leak checker must not find its way to memory that nobody frees. */
typedef std::map<uintptr_t, Allocation> Table;
Table &table()
{
    static Table allocations;
    return allocations;
}
uintptr_t key(const void *p)
{
    return ~(uintptr_t)p;
}

/* The allocation that p points into; end() for none. Keys fall as addresses rise, so the first key that is not below
 * p's is that of the last allocation that starts at p or before. */
Table::iterator find(const void *p)
{
    auto it = table().lower_bound(key(p));
    if (it == table().end()) return it;
    size_t inside = (uintptr_t)p - ~it->first;
    return inside < it->second.bytes ? it : table().end();
}

size_t limit_bytes()
{
    const char *mib = getenv("CUEMU_MEMORY_MIB");
    return (size_t)(mib ? strtoull(mib, nullptr, 10) : 2048) << 20;
}

size_t used_bytes(int device)
{
    size_t sum = 0;
    for (auto &entry : table())
        if (entry.second.place == Place::DEVICE && entry.second.device == device) sum += entry.second.bytes;
    return sum;
}

cudaError_t allocate(void **pointer, size_t bytes, Place place)
{
    if (!pointer) return cudaErrorInvalidValue;
    if (cudaError_t error = outside_capture()) return error;
    *pointer = nullptr;
    if (!bytes) return cudaSuccess;
    if (place == Place::DEVICE && bytes > limit_bytes() - used_bytes(current_device()))
        return cudaErrorMemoryAllocation;
    void *memory = nullptr;
    if (place == Place::DEVICE)
        memory = device_allocate(bytes);
    else if (!posix_memalign(&memory, DEVICE_ALIGNMENT, bytes))
        memset(memory, 0xFF, bytes);
    if (!memory) return cudaErrorMemoryAllocation;
    table()[key(memory)] = {bytes, place, current_device()};
    *pointer = memory;
    return cudaSuccess;
}

cudaError_t release_memory(void *pointer, Place place)
{
    if (!pointer) return cudaSuccess;
    if (cudaError_t error = outside_capture()) return error;
    auto it = table().find(key(pointer));
    if (it == table().end() || it->second.place != place) return cudaErrorInvalidValue;
    finish(nullptr); /* as the real ones wait for the device */
    if (place == Place::DEVICE)
        device_release(pointer, it->second.bytes);
    else
        free(pointer);
    table().erase(it);
    return cudaSuccess;
}

/* A side of a copy, `rows` pieces of `width` bytes, is where the copy's kind says it is. */
cudaError_t check_side(const void *p, bool device, size_t pitch, size_t width, size_t rows)
{
    size_t bytes = rows ? (rows - 1) * pitch + width : 0;
    if (!bytes) return cudaSuccess;
    if (!p || width > pitch) return cudaErrorInvalidValue;
    if (device) return in_device(p, bytes) ? cudaSuccess : cudaErrorInvalidValue;
    return place_of(p) == Place::DEVICE ? cudaErrorInvalidMemcpyDirection : cudaSuccess;
}

void copy_rows(void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t width, size_t rows)
{
    for (size_t row = 0; width && row < rows; row++)
        memcpy((char *)to + row * to_pitch, (const char *)from + row * from_pitch, width);
}

cudaError_t copy(void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t width, size_t rows,
                 cudaMemcpyKind kind, cudaStream_t stream)
{
    bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
    bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
    if (kind == cudaMemcpyDefault) {
        to_device = place_of(to) == Place::DEVICE;
        from_device = place_of(from) == Place::DEVICE;
    }
    if (cudaError_t error = check_side(to, to_device, to_pitch, width, rows)) return error;
    if (cudaError_t error = check_side(from, from_device, from_pitch, width, rows)) return error;
    /* As the real ones do: pageable memory is read before the call returns, and written before, too. */
    if (keeps_work(stream) && place_of(from) == Place::HOST) {
        std::vector<char> staged(width * rows);
        copy_rows(staged.data(), width, from, from_pitch, width, rows);
        return submit(stream,
                      [=, staged = std::move(staged)] { copy_rows(to, to_pitch, staged.data(), width, width, rows); });
    }
    cudaError_t error = submit(stream, [=] { copy_rows(to, to_pitch, from, from_pitch, width, rows); });
    if (!error && keeps_work(stream) && place_of(to) == Place::HOST) finish(stream);
    return error;
}

cudaError_t fill(void *to, size_t pitch, int value, size_t width, size_t rows, cudaStream_t stream)
{
    if (cudaError_t error = check_side(to, true, pitch, width, rows)) return error;
    return submit(stream, [=] {
        for (size_t row = 0; width && row < rows; row++) memset((char *)to + row * pitch, value, width);
    });
}

} // namespace

Place place_of(const void *p)
{
    auto it = find(p);
    return it == table().end() ? Place::HOST : it->second.place;
}

bool in_device(const void *p, size_t bytes)
{
    auto it = find(p);
    if (it == table().end() || it->second.place != Place::DEVICE) return false;
    return bytes <= it->second.bytes - ((uintptr_t)p - ~it->first);
}

} // namespace cuemu

using namespace cuemu;

cudaError_t cudaMalloc(void **pointer, size_t bytes)
{
    CUEMU_USABLE;
    return result(allocate(pointer, bytes, Place::DEVICE));
}

cudaError_t cudaFree(void *pointer)
{
    CUEMU_USABLE;
    return result(release_memory(pointer, Place::DEVICE));
}

cudaError_t cudaHostAlloc(void **pointer, size_t bytes, unsigned int)
{
    CUEMU_USABLE;
    return result(allocate(pointer, bytes, Place::PINNED));
}

cudaError_t cudaMallocHost(void **pointer, size_t bytes)
{
    return cudaHostAlloc(pointer, bytes, cudaHostAllocDefault);
}

cudaError_t cudaFreeHost(void *pointer)
{
    CUEMU_USABLE;
    return result(release_memory(pointer, Place::PINNED));
}

cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total_bytes)
{
    CUEMU_USABLE;
    *total_bytes = limit_bytes();
    *free_bytes = limit_bytes() - used_bytes(current_device());
    return cudaSuccess;
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind)
{
    CUEMU_USABLE;
    if (cudaError_t error = outside_capture()) return result(error);
    return result(copy(to, bytes, from, bytes, bytes, 1, kind, nullptr));
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind, cudaStream_t stream)
{
    CUEMU_USABLE;
    return result(copy(to, bytes, from, bytes, bytes, 1, kind, stream));
}

cudaError_t cudaMemcpy2DAsync(void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t width,
                              size_t height, enum cudaMemcpyKind kind, cudaStream_t stream)
{
    CUEMU_USABLE;
    if (width > to_pitch || width > from_pitch) return result(cudaErrorInvalidPitchValue);
    return result(copy(to, to_pitch, from, from_pitch, width, height, kind, stream));
}

cudaError_t cudaMemset(void *to, int value, size_t bytes)
{
    CUEMU_USABLE;
    if (cudaError_t error = outside_capture()) return result(error);
    return result(fill(to, bytes, value, bytes, 1, nullptr));
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t stream)
{
    CUEMU_USABLE;
    return result(fill(to, bytes, value, bytes, 1, stream));
}

cudaError_t cudaMemset2DAsync(void *to, size_t pitch, int value, size_t width, size_t height, cudaStream_t stream)
{
    CUEMU_USABLE;
    if (width > pitch) return result(cudaErrorInvalidPitchValue);
    return result(fill(to, pitch, value, width, height, stream));
}
