/* The CPU backend: its table, devices, memory and streams. A stream runs its work before the call returns. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/memory.h"
#include "device/cpu/half_product.h"
#include "device/device.h"

/* ---- The variants of the wide functions ---- */

#define X(op)                                                                                                          \
    pl_status pl__##op##_portable(pl_stream *stream, const pl_##op##_args *args);                                      \
    pl_status pl__##op##_avx2(pl_stream *stream, const pl_##op##_args *args);                                          \
    pl_status pl__##op##_avx512(pl_stream *stream, const pl_##op##_args *args);
PL__WIDE_OPS(X)
#undef X

#define X(op) .op = pl__##op##_portable,
const pl__wide pl__wide_portable = {.name = "portable", .panel_columns = 32, PL__WIDE_OPS(X)};
#undef X
#if defined(__x86_64__)
#define X(op) .op = pl__##op##_avx2,
const pl__wide pl__wide_avx2 = {.name = "avx2", .panel_columns = 16, PL__WIDE_OPS(X)};
#undef X
#define X(op) .op = pl__##op##_avx512,
const pl__wide pl__wide_avx512 = {.name = "avx512", .panel_columns = 32, PL__WIDE_OPS(X)};
#undef X
#endif

/* The widest variant that the CPU has; PLUMB_CPU=portable|avx2|avx512|amx asks for one (all give the same bits in
 * float32). bfloat16 is multiplied by AMX or AVX-512-BF16, three parts of it by AMX. */
static pl_status choose_wide(pl_device *device)
{
    static const char *const names[] = {"portable", "avx2", "avx512", "amx"};
    const pl__wide *had[4] = {&pl__wide_portable};
    const pl__half *half = NULL, *amx = NULL;
    size_t n = 1;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) had[n++] = &pl__wide_avx2;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq")) {
        had[n++] = &pl__wide_avx512;
        half = pl__half_find(false, false);
        amx = pl__half_find(true, false);
        if (amx != half) had[n++] = &pl__wide_avx512;
    }
#endif
    const char *asked = getenv("PLUMB_CPU");
    for (size_t i = n; i-- > 0;) {
        if (asked && *asked && strcmp(asked, names[i]) != 0) continue;
        device->wide = had[i];
        device->half = i == 3 ? amx : i == 2 ? half : NULL;
        device->split = i == 3 ? pl__half_find(true, true) : NULL;
        return PL_OK;
    }
    return pl_fail(PL_E_UNSUPPORTED, "PLUMB_CPU is '%s': this CPU has portable%s%s%s; correct or unset it", asked,
                   n > 1 ? ", avx2" : "", n > 2 ? ", avx512" : "", n > 3 ? ", amx" : "");
}

#define X(op)                                                                                                          \
    pl_status pl__##op(pl_stream *stream, const pl_##op##_args *args)                                                  \
    {                                                                                                                  \
        return stream->device->wide->op(stream, args);                                                                 \
    }
PL__WIDE_OPS(X)
#undef X

/* ---- Memory ---- */

enum { HUGE_BYTES = 1 << 21, MAP_BYTES = 1 << 20 };

pl_status pl__memory_create(void **out, size_t bytes, const char *what)
{
    *out = NULL;
    if (bytes > SIZE_MAX / 2) return pl_fail(PL_E_MEMORY, "out of memory: %zu bytes for %s", bytes, what);
    if (bytes >= MAP_BYTES) {
        /* Fresh pages are zero and are first touched by the thread that fills them. */
        void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (map == MAP_FAILED)
            return pl_fail(PL_E_MEMORY, "out of memory: %zu bytes for %s; free memory or ask for less", bytes, what);
        if (bytes >= HUGE_BYTES) (void)madvise(map, bytes, MADV_HUGEPAGE);
        *out = map;
        return PL_OK;
    }
    size_t rounded = bytes ? (bytes + 63) / 64 * 64 : 64;
    void *memory = aligned_alloc(64, rounded);
    if (!memory)
        return pl_fail(PL_E_MEMORY, "out of memory: %zu bytes for %s; free memory or ask for less", bytes, what);
    memset(memory, 0, rounded);
    *out = memory;
    return PL_OK;
}

void pl__memory_free(void *memory, size_t bytes)
{
    if (!memory) return;
    if (bytes >= MAP_BYTES)
        (void)munmap(memory, bytes);
    else
        free(memory);
}

static pl_status buffer_create(pl_device *device, pl_buffer **out, size_t bytes)
{
    pl_status status;
    pl_buffer *buffer = NULL;
    (void)device;
    *out = NULL;
    PL_GOTO(status, failed, pl_new(&buffer, 1));
    PL_GOTO(status, failed, pl__memory_create(&buffer->data, bytes, "a buffer"));
    buffer->bytes = bytes;
    *out = buffer;
    return PL_OK;
failed:
    free(buffer);
    return status;
}

static void buffer_free(pl_buffer *buffer)
{
    if (!buffer) return;
    pl__memory_free(buffer->data, buffer->bytes);
    free(buffer);
}

static size_t buffer_bytes(const pl_buffer *buffer)
{
    return buffer->bytes;
}

static pl_weight_shape weight_shape(const pl_weight *weight)
{
    return (pl_weight_shape){weight->n_out, weight->n_in, pl__weight_compute(weight)};
}

static pl_kv_shape kv_shape(const pl_kv *kv)
{
    return (pl_kv_shape){kv->n_layers, kv->n_kv_heads, kv->head_width, kv->n_pages, PL_F32};
}

static pl_status host_memory_create(pl_device *device, void **out, size_t bytes)
{
    (void)device;
    return pl_new_bytes(out, bytes, 1);
}

static void host_memory_free(pl_device *device, void *memory)
{
    (void)device;
    free(memory);
}

/* ---- Devices ---- */

static pl_status open_device(pl_device **out, int index, int n_threads, const pl_host_services *host)
{
    pl_device *device;
    pl_status status;
    (void)host; /* linked into the program: pl_fail is its own */
    *out = NULL;
    if (index != 0) return pl_fail(PL_E_UNSUPPORTED, "cpu:%d does not exist: there is one CPU device, cpu", index);
    if (n_threads < 1) return pl_fail(PL_E_INTERNAL, "a CPU device with %d threads", n_threads);
    PL_TRY(pl_new(&device, 1));
    PL_GOTO(status, failed, choose_wide(device));
    device->n_threads = n_threads;
    *out = device;
    return PL_OK;
failed:
    free(device);
    return status;
}

static void close_device(pl_device *device)
{
    free(device);
}

/* The value in bytes of a "Name:  123 kB" line of /proc/meminfo, 0 when there is none; without /proc (an empty root)
 * what the kernel says of pages, of which the page cache is not part. */
static size_t meminfo(const char *name)
{
    char line[256];
    unsigned long long kib = 0;
    size_t length = strlen(name);
    FILE *file = fopen("/proc/meminfo", "re");
    if (!file) {
        struct sysinfo system;
        if (sysinfo(&system) != 0) return 0;
        return (strcmp(name, "MemTotal") == 0 ? system.totalram : system.freeram + system.bufferram) * system.mem_unit;
    }
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, name, length) == 0 && sscanf(line + length, ": %llu", &kib) == 1) break;
    }
    (void)fclose(file);
    return (size_t)kib * 1024;
}

/* What a memory control group (Slurm, containers) leaves of a size: limit and use stand in two files. */
static size_t within_group(size_t bytes, const char *limit_path, const char *used_path)
{
    unsigned long long limit = 0, used = 0;
    FILE *file = fopen(limit_path, "re");
    if (!file) return bytes;
    int n = fscanf(file, "%llu", &limit); /* "max" is no number */
    (void)fclose(file);
    if (n != 1) return bytes;
    if (used_path && (file = fopen(used_path, "re"))) {
        if (fscanf(file, "%llu", &used) != 1) used = 0;
        (void)fclose(file);
    }
    size_t left = limit > used ? (size_t)(limit - used) : 0;
    return left < bytes ? left : bytes;
}

static void cpu_model(char out[80])
{
    char line[256];
    (void)snprintf(out, 80, "a CPU");
    FILE *file = fopen("/proc/cpuinfo", "re");
    if (!file) return;
    while (fgets(line, sizeof line, file)) {
        char *value = strncmp(line, "model name", 10) == 0 ? strchr(line, ':') : NULL;
        if (!value) continue;
        value[strcspn(value, "\n")] = 0;
        (void)snprintf(out, 80, "%.78s", value + 2);
        break;
    }
    (void)fclose(file);
}

static pl_status facts(pl_device *device, pl_device_facts *out)
{
    char model[80];
    *out = (pl_device_facts){.n_threads = device->n_threads, .products = "plumb", .makers = "plumb makes all products"};
    const bool half = device->n_half_weights, split = device->n_split_weights;
    if (half || split) {
        const char *names[] = {half ? device->half->name : "", split ? device->split->name : ""};
        const char *between = half && split ? " " : "";
        (void)snprintf(out->products, sizeof out->products, "plumb %s%s%s", names[0], between, names[1]);
        (void)snprintf(out->makers, sizeof out->makers, "plumb makes all products, in bfloat16%s by %s%s%s",
                       half ? "" : " in three parts", names[0], between, names[1]);
    }
    cpu_model(model);
    (void)snprintf(out->name, sizeof out->name, "%d thread%s of %s (%s)", device->n_threads,
                   device->n_threads == 1 ? "" : "s", model, device->wide->name);
    (void)snprintf(out->device_class, sizeof out->device_class, "cpu");
    out->memory_bytes = within_group(meminfo("MemTotal"), "/sys/fs/cgroup/memory.max", NULL);
    out->free_bytes =
        within_group(meminfo("MemAvailable"), "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current");
    return PL_OK;
}

/* ---- Streams, events, transfers ---- */

static pl_status stream_create(pl_device *device, pl_stream **out)
{
    PL_TRY(pl_new(out, 1));
    (*out)->device = device;
    return PL_OK;
}

static void stream_free(pl_stream *stream)
{
    free(stream);
}

static pl_status stream_wait(pl_stream *stream)
{
    (void)stream;
    return PL_OK;
}

static pl_status event_create(pl_device *device, pl_event **out)
{
    PL_TRY(pl_new(out, 1));
    (*out)->device = device;
    return PL_OK;
}

static void event_free(pl_event *event)
{
    free(event);
}

static pl_status event_mark(pl_event *event, pl_stream *stream)
{
    (void)event;
    (void)stream;
    return PL_OK;
}

static pl_status event_passed(pl_event *event)
{
    (void)event;
    return PL_OK;
}

static pl_status upload(pl_stream *stream, pl_view to, const void *from)
{
    size_t bytes = to.columns * pl_dtype_bytes(to.dtype);
    (void)stream;
    for (size_t r = 0; r < to.rows; r++) memcpy(pl__at(to, r), (const char *)from + r * bytes, bytes);
    return PL_OK;
}

static pl_status download(pl_stream *stream, void *to, pl_view from)
{
    size_t bytes = from.columns * pl_dtype_bytes(from.dtype);
    (void)stream;
    for (size_t r = 0; r < from.rows; r++) memcpy((char *)to + r * bytes, pl__at(from, r), bytes);
    return PL_OK;
}

static pl_status fill_zero(pl_stream *stream, pl_view view)
{
    (void)stream;
    for (size_t r = 0; r < view.rows; r++) memset(pl__at(view, r), 0, view.columns * pl_dtype_bytes(view.dtype));
    return PL_OK;
}

static int count_devices(void)
{
    return 1;
}

const pl_backend pl_backend_cpu = {
    .name = "cpu",
    .exact = true,
    .shares_memory = true,
    .count = count_devices,
    .open = open_device,
    .close = close_device,
    .facts = facts,
    .buffer_create = buffer_create,
    .buffer_free = buffer_free,
    .buffer_bytes = buffer_bytes,
    .host_memory_create = host_memory_create,
    .host_memory_free = host_memory_free,
    .stream_create = stream_create,
    .stream_free = stream_free,
    .stream_wait = stream_wait,
    .event_create = event_create,
    .event_free = event_free,
    .event_record = event_mark,
    .event_wait = event_mark,
    .event_wait_host = event_passed,
    .weight_create = pl__weight_create,
    .weight_attach = pl__weight_attach,
    .weight_free = pl__weight_free,
    .weight_shape = weight_shape,
    .weight_bytes = pl__weight_bytes,
    .weight_attached_bytes = pl__weight_attached_bytes,
    .kv_create = pl__kv_create,
    .kv_free = pl__kv_free,
    .kv_shape = kv_shape,
    .kv_page_bytes = pl__kv_page_bytes,
    .parameters_create = pl__parameters_create,
    .parameters_free = pl__parameters_free,
    .score_workspace_bytes = pl__score_workspace_bytes,
    .linear_backward_workspace_bytes = pl__linear_backward_workspace_bytes,
    .score_backward_workspace_bytes = pl__score_backward_workspace_bytes,
    .norm_backward_workspace_bytes = pl__norm_backward_workspace_bytes,
    .head_norm_backward_workspace_bytes = pl__head_norm_backward_workspace_bytes,
    .attention_backward_workspace_bytes = pl__attention_backward_workspace_bytes,
    .gradient_norm_workspace_bytes = pl__gradient_norm_workspace_bytes,
    .logistic_workspace_bytes = pl__logistic_workspace_bytes,
    .repulsion_workspace_bytes = pl__repulsion_workspace_bytes,
    .map_step_workspace_bytes = pl__map_step_workspace_bytes,
    .pairwise_workspace_bytes = pl__pairwise_workspace_bytes,
    .comm_id = pl__comm_id,
    .comm_create = pl__comm_create,
    .comm_check = pl__comm_check,
    .comm_abort = pl__comm_abort,
    .comm_free = pl__comm_free,
    .unchecked = {.upload = upload,
                  .download = download,
                  .fill_zero = fill_zero,
                  .weight_set = pl__weight_set,
                  .weight_refresh = pl__weight_refresh,
                  .comm_exchange = pl__comm_exchange,
                  .comm_gather = pl__comm_gather,
                  .comm_broadcast = pl__comm_broadcast,
#define X(op) .op = pl__##op,
                  PL_OPS(X)
#undef X
    },
};
