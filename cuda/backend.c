/* The CUDA backend: its devices, its table, and the plug-in's one exported function.
 *
 * Opening says what is wrong in a line of its own for everything that machines are known to lack: a driver, a driver
 * new enough, a GPU, this GPU, an architecture from sm_80 on, a GPU that is free, room for a context. libcuda is not
 * linked: the runtime looks for it, so that the plug-in can be opened, and say so, where there is none. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda.h"
#include "product.h"

#ifdef PL_CUDA_EMULATED
#define BACKEND_NAME "cuda-emulated"
#else
#define BACKEND_NAME "cuda"
#endif

enum { LEAST_ARCHITECTURE = 80 };

/* ---- Opening ---- */

static pl_status no_driver(const pl_host_services *host)
{
    int driver = 0, built = 0;
    pl__forget(cudaDriverGetVersion(&driver));
    pl__forget(cudaRuntimeGetVersion(&built));
    if (driver == 0) {
        return host->fail(PL_E_UNSUPPORTED, BACKEND_NAME
                          ": no NVIDIA driver is installed here (there is no libcuda.so.1); in a container, "
                          "pass the GPU in (docker --gpus all, apptainer --nv); --device cpu needs none");
    }
    return host->fail(PL_E_UNSUPPORTED,
                      BACKEND_NAME
                      ": the NVIDIA driver is too old: it knows CUDA %d.%d, libplumb_cuda.so was built with "
                      "CUDA %d.%d; update the driver, or build plumb with an older CUDA (12.4 at least)",
                      driver / 1000, driver % 1000 / 10, built / 1000, built % 1000 / 10);
}

/* There is a driver and it has a device of this index. */
static pl_status find_device(int index, const pl_host_services *host)
{
    int n = 0; /* stays as it is when the call fails */
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    const char *is = visible ? "is '" : "is not set", *end = visible ? "'" : "";
    cudaError_t error = cudaGetDeviceCount(&n);
    (void)cudaGetLastError();
    if (error == cudaErrorInsufficientDriver) return no_driver(host);
    if (error == cudaErrorNoDevice || (error == cudaSuccess && n == 0)) {
        return host->fail(PL_E_UNSUPPORTED,
                          BACKEND_NAME
                          ": the driver shows no GPU (CUDA_VISIBLE_DEVICES %s%s%s); --device cpu needs none",
                          is, visible ? visible : "", end);
    }
    if (error != cudaSuccess) {
        return host->fail(PL_E_DEVICE,
                          BACKEND_NAME ": the driver does not start: %s (%s); see whether nvidia-smi works",
                          cudaGetErrorName(error), cudaGetErrorString(error));
    }
    if (index < 0 || index >= n) {
        return host->fail(PL_E_UNSUPPORTED,
                          BACKEND_NAME ":%d does not exist: there %s %d, from " BACKEND_NAME ":0 to " BACKEND_NAME
                                       ":%d (CUDA_VISIBLE_DEVICES %s%s%s)",
                          index, n == 1 ? "is" : "are", n, n - 1, is, visible ? visible : "", end);
    }
    return PL_OK;
}

static int count_devices(void)
{
    int n = 0, major = 0; /* stay as they are when a call fails */
    pl__forget(cudaGetDeviceCount(&n));
    for (int i = 0; i < n; i++) {
        pl__forget(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, i));
        if (10 * major < LEAST_ARCHITECTURE) return i; /* counted from the first: names are indices */
    }
    return n;
}

static pl_status read_properties(pl_device *device)
{
    struct cudaDeviceProp properties;
    int major = 0, minor = 0, shared = 0;
    PL_CUDA_TRY(device, cudaGetDeviceProperties(&properties, device->index));
    (void)snprintf(device->name, sizeof device->name, BACKEND_NAME ":%d (%.72s)", device->index, properties.name);
    PL_CUDA_TRY(device, cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device->index));
    PL_CUDA_TRY(device, cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device->index));
    PL_CUDA_TRY(device, cudaDeviceGetAttribute(&shared, cudaDevAttrMaxSharedMemoryPerBlockOptin, device->index));
    PL_CUDA_TRY(device, cudaDeviceGetAttribute(&device->n_processors, cudaDevAttrMultiProcessorCount, device->index));
    device->architecture = 10 * major + minor;
    device->shared_bytes = (size_t)shared;
#ifdef PL_CUDA_EMULATED
    (void)snprintf(device->device_class, sizeof device->device_class, BACKEND_NAME);
#else
    (void)snprintf(device->device_class, sizeof device->device_class, "cuda-sm%d", device->architecture);
#endif
    if (device->architecture < LEAST_ARCHITECTURE) {
        return device->host->fail(PL_E_UNSUPPORTED,
                                  "%s is sm_%d: plumb needs sm_%d or newer (A100, RTX 30, A10, L4, H100 and later); "
                                  "choose another with --device " BACKEND_NAME ":<index>, or --device cpu",
                                  device->name, device->architecture, LEAST_ARCHITECTURE);
    }
    return PL_OK;
}

/* The first call that takes the GPU's memory. */
static pl_status create_context(pl_device *device)
{
    cudaError_t error = cudaSetDevice(device->index);
    if (error == cudaSuccess) error = cudaFree(NULL); /* older runtimes make the context here */
    if (error == cudaSuccess) error = cudaStreamCreateWithFlags(&device->setup, cudaStreamNonBlocking);
    if (error == cudaErrorDevicesUnavailable) {
        (void)cudaGetLastError();
        return device->host->fail(
            PL_E_DEVICE,
            "%s is busy: another process has it for itself (exclusive compute mode); wait for it, "
            "or choose another with --device " BACKEND_NAME ":<index>",
            device->name);
    }
    if (error == cudaErrorMemoryAllocation) {
        (void)cudaGetLastError();
        return device->host->fail(
            PL_E_MEMORY,
            "%s has no room left for a CUDA context; nvidia-smi shows who uses its memory; choose "
            "another with --device " BACKEND_NAME ":<index>",
            device->name);
    }
    return error == cudaSuccess ? PL_OK : pl__cuda_failed(device, error, "creating a context");
}

static void close_device(pl_device *device)
{
    if (!device) return;
    if (device->setup) {
        pl__forget(cudaSetDevice(device->index));
        pl__staging_free(device->staging);
        pl__products_free(device->products);
        pl__forget(cudaStreamDestroy(device->setup));
    }
    free(device);
}

static pl_status open_device(pl_device **out, int index, int n_threads, const pl_host_services *host)
{
    pl_device *device = NULL;
    pl_status status;
    *out = NULL;
    PL_TRY(find_device(index, host));
    const pl_device unnamed = {.host = host};
    PL_TRY(pl__handle_create(&unnamed, (void **)&device, sizeof *device));
    device->host = host;
    device->index = index;
    device->n_threads = n_threads;
    (void)snprintf(device->name, sizeof device->name, BACKEND_NAME ":%d", index);
    PL_GOTO(status, failed, read_properties(device));
    PL_GOTO(status, failed, create_context(device));
    *out = device;
    return PL_OK;
failed:
    close_device(device);
    return status;
}

static void name_makers(const pl_device *device, pl_device_facts *out)
{
    pl__makers m;
    char backward[64] = "";
    pl__product_makers(device, &m);
    const bool blas = m.forward.n_blas || m.backward.n_blas;
    if (blas && m.free)
        (void)snprintf(out->products, sizeof out->products, "cuBLASLt %zu (chosen anew for each product) and plumb",
                       m.blas_version);
    else if (blas)
        (void)snprintf(out->products, sizeof out->products, "cuBLASLt %zu (algorithms %016llx) and plumb",
                       m.blas_version, (unsigned long long)m.algorithms);
    else
        (void)snprintf(out->products, sizeof out->products, "plumb");
    if (m.backward.n_blas || m.backward.n_own)
        (void)snprintf(backward, sizeof backward, "; backward of %zu, plumb of %zu", m.backward.n_blas,
                       m.backward.n_own);
    const char *why[] = {m.forward.why_own, m.backward.why_own};
    if (strcmp(why[0], why[1]) == 0) why[1] = "";
    (void)snprintf(out->makers, sizeof out->makers,
                   "cuBLASLt %zu makes the products of %zu weight shapes, plumb those of %zu%s%s%s%s%s%s%s",
                   m.blas_version, m.forward.n_blas, m.forward.n_own, *why[0] ? " (" : "", why[0], *why[0] ? ")" : "",
                   backward, *why[1] ? " (" : "", why[1], *why[1] ? ")" : "");
}

static pl_status facts(pl_device *device, pl_device_facts *out)
{
    *out = (pl_device_facts){.n_threads = device->n_threads};
    PL_TRY(pl__enter(device));
    (void)snprintf(out->name, sizeof out->name, "%s", device->name);
    (void)snprintf(out->device_class, sizeof out->device_class, "%s", device->device_class);
    name_makers(device, out);
    PL_CUDA_TRY(device, cudaMemGetInfo(&out->free_bytes, &out->memory_bytes));
    return PL_OK;
}

/* ---- The ops, on whatever thread ---- */

#define X(op)                                                                                                          \
    static pl_status op(pl_stream *stream, const pl_##op##_args *args)                                                 \
    {                                                                                                                  \
        PL_TRY(pl__enter(stream->device));                                                                             \
        return pl__##op(stream, args);                                                                                 \
    }
PL_OPS(X)
#undef X

static pl_status weight_create(pl_device *device, pl_weight **out, size_t n_out, size_t n_in, pl_dtype compute)
{
    *out = NULL;
    PL_TRY(pl__enter(device));
    return pl__weight_create(device, out, n_out, n_in, compute);
}

static pl_status weight_attach(pl_device *device, pl_weight **out, pl_view master, pl_dtype compute)
{
    *out = NULL;
    PL_TRY(pl__enter(device));
    return pl__weight_attach(device, out, master, compute);
}

static pl_status weight_set(pl_stream *stream, pl_weight *weight, size_t first_out, size_t n_out, const void *data,
                            pl_dtype from, pl_layout layout)
{
    PL_TRY(pl__enter(stream->device));
    return pl__weight_set(stream, weight, first_out, n_out, data, from, layout);
}

static pl_status weight_refresh(pl_stream *stream, pl_weight *weight, pl_view from)
{
    PL_TRY(pl__enter(stream->device));
    return pl__weight_refresh(stream, weight, from);
}

static void weight_free(pl_weight *weight)
{
    if (weight) pl__forget(cudaSetDevice(weight->device->index));
    pl__weight_free(weight);
}

static pl_status kv_create(pl_device *device, pl_kv **out, size_t n_layers, size_t n_kv_heads, size_t head_width,
                           size_t n_pages, pl_dtype dtype)
{
    *out = NULL;
    PL_TRY(pl__enter(device));
    return pl__kv_create(device, out, n_layers, n_kv_heads, head_width, n_pages, dtype);
}

static void kv_free(pl_kv *kv)
{
    if (kv) pl__forget(cudaSetDevice(kv->device->index));
    pl__kv_free(kv);
}

static pl_weight_shape weight_shape(const pl_weight *weight)
{
    return (pl_weight_shape){weight->n_out, weight->n_in, weight->compute};
}

static pl_kv_shape kv_shape(const pl_kv *kv)
{
    return (pl_kv_shape){kv->n_layers, kv->n_kv_heads, kv->head_width, kv->n_pages, kv->dtype};
}

static const pl_backend backend = {
    .name = BACKEND_NAME,
    .halves = true,
    .whole_capacity = true,
    .count = count_devices,
    .open = open_device,
    .close = close_device,
    .facts = facts,
    .buffer_create = pl__buffer_create,
    .buffer_free = pl__buffer_free,
    .buffer_bytes = pl__buffer_bytes,
    .host_memory_create = pl__host_memory_create,
    .host_memory_free = pl__host_memory_free,
    .stream_create = pl__stream_create,
    .stream_free = pl__stream_free,
    .stream_wait = pl__stream_wait,
    .event_create = pl__event_create,
    .event_free = pl__event_free,
    .event_record = pl__event_record,
    .event_wait = pl__event_wait,
    .event_wait_host = pl__event_wait_host,
    .weight_create = weight_create,
    .weight_attach = weight_attach,
    .weight_free = weight_free,
    .weight_shape = weight_shape,
    .weight_bytes = pl__weight_bytes,
    .weight_attached_bytes = pl__weight_attached_bytes,
    .kv_create = kv_create,
    .kv_free = kv_free,
    .kv_shape = kv_shape,
    .kv_page_bytes = pl__kv_page_bytes,
    .parameters_create = pl__parameters_create,
    .parameters_free = pl__parameters_free,
    .score_workspace_bytes = pl__score_workspace_bytes,
    .attention_backward_workspace_bytes = pl__attention_backward_workspace_bytes,
    .linear_backward_workspace_bytes = pl__linear_backward_workspace_bytes,
    .gradient_norm_workspace_bytes = pl__gradient_norm_workspace_bytes,
    .logistic_workspace_bytes = pl__logistic_workspace_bytes,
    .repulsion_workspace_bytes = pl__repulsion_workspace_bytes,
    .map_step_workspace_bytes = pl__map_step_workspace_bytes,
    .pairwise_workspace_bytes = pl__pairwise_workspace_bytes,
    .norm_backward_workspace_bytes = pl__norm_backward_workspace_bytes,
    .head_norm_backward_workspace_bytes = pl__head_norm_backward_workspace_bytes,
    .score_backward_workspace_bytes = pl__score_backward_workspace_bytes,
    .record_begin = pl__record_begin,
    .record_end = pl__record_end,
    .replay = pl__replay,
    .graph_free = pl__graph_free,
    .comm_id = pl__comm_id,
    .comm_create = pl__comm_create,
    .comm_check = pl__comm_check,
    .comm_abort = pl__comm_abort,
    .comm_free = pl__comm_free,
    .unchecked = {.upload = pl__upload,
                  .download = pl__download,
                  .fill_zero = pl__fill_zero,
                  .weight_set = weight_set,
                  .weight_refresh = weight_refresh,
                  .comm_exchange = pl__comm_exchange,
                  .comm_gather = pl__comm_gather,
                  .comm_broadcast = pl__comm_broadcast,
#define X(op) .op = op,
                  PL_OPS(X)
#undef X
    },
};

__attribute__((visibility("default"))) pl_plugin_entry pl_plugin_backend;
const pl_backend *pl_plugin_backend(int version)
{
    return version == PL_PLUGIN_VERSION ? &backend : NULL;
}
