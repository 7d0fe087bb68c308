/* The emulator does what the hardware does: test_cuemu NAME runs one check of the table at the end.
 * What it must find is in test_faults.cu. */
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#include <stdio.h>
#include <stdlib.h>

#include <vector>

#include "cuemu_ptx.h"

/* ---- Small things that every check uses ---- */

static int n_failed = 0;

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                    \
            n_failed++;                                                                                                \
        }                                                                                                              \
    } while (0)
#define CHECK_ERROR(wanted, call)                                                                                      \
    do {                                                                                                               \
        cudaError_t error_ = (call);                                                                                   \
        if (error_ != (wanted)) {                                                                                      \
            fprintf(stderr, "%s:%d: %s: %s, expected %s\n", __FILE__, __LINE__, #call, cudaGetErrorName(error_),       \
                    cudaGetErrorName(wanted));                                                                         \
            n_failed++;                                                                                                \
        }                                                                                                              \
    } while (0)
#define OK(call) CHECK_ERROR(cudaSuccess, call)

/* Device memory with a vector's contents, back in the vector on pull(). */
template <class T> struct Array {
    T *device = nullptr;
    std::vector<T> host;

    explicit Array(std::vector<T> values) : host(std::move(values))
    {
        OK(cudaMalloc(&device, host.size() * sizeof(T)));
        push();
    }
    Array(const Array &) = delete;
    ~Array()
    {
        OK(cudaFree(device));
    }
    void push()
    {
        OK(cudaMemcpy(device, host.data(), host.size() * sizeof(T), cudaMemcpyHostToDevice));
    }
    void pull()
    {
        OK(cudaMemcpy(host.data(), device, host.size() * sizeof(T), cudaMemcpyDeviceToHost));
    }
};

static uint32_t random_state = 1;

static float random_float() /* in [-1, 1) */
{
    random_state = random_state * 1664525u + 1013904223u;
    return (float)(random_state >> 8) * 0x1p-23f - 1.0f;
}

/* ---- Threads, barriers, shuffles ---- */

static __global__ void index_kernel(int *out)
{
    int thread = (int)((threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x);
    int block = (int)((blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x);
    out[block * (int)(blockDim.x * blockDim.y * blockDim.z) + thread] = block * 1000 + thread;
}

static void check_indices()
{
    Array<int> out(std::vector<int>(2 * 3 * 4 * 30, -1));
    CU_LAUNCH(index_kernel, dim3(2, 3, 4), dim3(5, 3, 2), 0, nullptr, out.device);
    OK(cudaGetLastError());
    out.pull();
    for (int i = 0; i < (int)out.host.size(); i++) CHECK(out.host[(size_t)i] == i / 30 * 1000 + i % 30);
}

/* y[i] = sum of the block's x, by shuffles, static and dynamic shared memory */
static __global__ void block_sum_kernel(const float *x, float *y)
{
    __shared__ float partial[32];
    CU_DYN_SHARED(float, total);
    const unsigned i = blockIdx.x * blockDim.x + threadIdx.x, lane = threadIdx.x % 32;
    float v = x[i];
    for (int o = 16; o; o /= 2) v += __shfl_xor_sync(0xffffffffu, v, o);
    if (lane == 0) partial[threadIdx.x / 32] = v;
    __syncthreads();
    if (threadIdx.x == 0) {
        float sum = 0.0f;
        for (unsigned w = 0; w < blockDim.x / 32; w++) sum += partial[w];
        total[0] = sum;
    }
    __syncthreads();
    y[i] = total[0];
}

static void check_block_sum()
{
    std::vector<float> values(4 * 128);
    for (float &v : values) v = floorf(random_float() * 100.0f);
    Array<float> x(values), y(std::vector<float>(values.size(), 0.0f));
    CU_LAUNCH(block_sum_kernel, 4, 128, sizeof(float), nullptr, x.device, y.device);
    OK(cudaGetLastError());
    y.pull();
    for (size_t i = 0; i < values.size(); i++) {
        float sum = 0.0f;
        for (size_t j = i / 128 * 128; j < i / 128 * 128 + 128; j++) sum += values[j];
        CHECK(y.host[i] == sum);
    }
}

static __global__ void shuffle_kernel(int *out) /* [6, 32] */
{
    int lane = (int)threadIdx.x;
    out[lane] = __shfl_sync(0xffffffffu, lane, 5, 8);
    out[32 + lane] = __shfl_up_sync(0xffffffffu, lane, 3);
    out[64 + lane] = __shfl_down_sync(0xffffffffu, lane, 3, 16);
    out[96 + lane] = __shfl_xor_sync(0xffffffffu, lane, 17);
    out[128 + lane] = (int)__ballot_sync(0xffffffffu, lane % 3 == 0);
    if (lane < 16)
        out[160 + lane] = __shfl_sync(0x0000ffffu, lane, lane ^ 1);
    else
        out[160 + lane] = __any_sync(0xffff0000u, lane == 20) + 2 * __all_sync(0xffff0000u, lane == 20);
}

static void check_shuffles()
{
    Array<int> out(std::vector<int>(6 * 32, -1));
    CU_LAUNCH(shuffle_kernel, 1, 32, 0, nullptr, out.device);
    out.pull();
    unsigned thirds = 0;
    for (int lane = 0; lane < 32; lane += 3) thirds |= 1u << lane;
    for (int lane = 0; lane < 32; lane++) {
        const int *o = &out.host[(size_t)lane];
        CHECK(o[0] == lane / 8 * 8 + 5);
        CHECK(o[32] == (lane < 3 ? lane : lane - 3));
        CHECK(o[64] == (lane % 16 < 13 ? lane + 3 : lane));
        CHECK(o[96] == (lane ^ 17));
        CHECK((unsigned)o[128] == thirds);
        CHECK(o[160] == (lane < 16 ? (lane ^ 1) : 1));
    }
}

static __global__ void count_kernel(const float *x, int n, int *count)
{
    int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i < n && x[i] > 0.0f) atomicAdd(count, 1);
}

static void check_atomics()
{
    std::vector<float> values(1003);
    int wanted = 0;
    for (float &v : values) {
        v = random_float();
        wanted += v > 0.0f;
    }
    Array<float> x(values);
    Array<int> count(std::vector<int>(1, 0));
    CU_LAUNCH(count_kernel, 8, 128, 0, nullptr, x.device, 1003, count.device);
    count.pull();
    CHECK(count.host[0] == wanted);
}

/* ---- 16-bit types ---- */

/* Every value of the type stands for itself, and what lies between two neighbours goes to the nearer, ties to even. */
template <class T>
static void check_rounding(float (*to_float)(T), T (*from_float)(float), uint16_t (*bits_of)(T), T (*of_bits)(uint16_t),
                           uint16_t infinity)
{
    CHECK((bits_of(from_float(NAN)) & 0x7fff) == 0x7fff && isnan(to_float(from_float(-NAN))));
    CHECK(bits_of(from_float(INFINITY)) == infinity && bits_of(from_float(-INFINITY)) == (infinity | 0x8000));
    CHECK(bits_of(from_float(-0.0f)) == 0x8000);
    for (uint16_t bits = 0; bits < infinity; bits++) {
        double x = to_float(of_bits(bits));
        /* the neighbour of the largest value is what infinity would be */
        double next = bits + 1 < infinity ? (double)to_float(of_bits((uint16_t)(bits + 1)))
                                          : x + (x - to_float(of_bits((uint16_t)(bits - 1))));
        double middle = (x + next) / 2;
        uint16_t even = (uint16_t)(bits % 2 ? bits + 1 : bits);
        CHECK(bits_of(from_float((float)x)) == bits && bits_of(from_float((float)-x)) == (bits | 0x8000));
        if ((double)(float)middle == middle) CHECK(bits_of(from_float((float)middle)) == even);
        if (nextafterf((float)middle, 0.0f) > x) CHECK(bits_of(from_float(nextafterf((float)middle, 0.0f))) == bits);
        if (nextafterf((float)middle, INFINITY) < next)
            CHECK(bits_of(from_float(nextafterf((float)middle, INFINITY))) == bits + 1);
    }
}

static void check_bf16()
{
    check_rounding<__nv_bfloat16>(
        __bfloat162float, __float2bfloat16, [](__nv_bfloat16 h) -> uint16_t { return __bfloat16_as_ushort(h); },
        [](uint16_t bits) { return __ushort_as_bfloat16(bits); }, 0x7f80);
    __nv_bfloat162 pair = __floats2bfloat162_rn(1.0f, -2.0f);
    CHECK(__low2float(pair) == 1.0f && __high2float(pair) == -2.0f);
}

static void check_f16()
{
    check_rounding<__half>(
        __half2float, __float2half, [](__half h) -> uint16_t { return __half_as_ushort(h); },
        [](uint16_t bits) { return __ushort_as_half(bits); }, 0x7c00);
    CHECK(__half2float(__ushort_as_half(0x3c00)) == 1.0f && __half2float(__ushort_as_half(1)) == 0x1p-24f);
    CHECK(__half2float(__ushort_as_half(0x7bff)) == 65504.0f);
    CHECK(__half_as_ushort(__float2half(65519.9f)) == 0x7bff && __half_as_ushort(__float2half(65520.0f)) == 0x7c00);
    CHECK(__half_as_ushort(__float2half(1e30f)) == 0x7c00 && __half_as_ushort(__float2half(0x1p-25f)) == 0);
    CHECK(__half_as_ushort(__float2half(0x1.000002p-25f)) == 1);
}

/* ---- Tensor-core wrappers ---- */

/* One warp: C = A B + C by ldmatrix and mma; A [16, 16], B [16, 8] row-major (so B comes by the transposed form). */
template <bool HALF> static __global__ void product_kernel(const uint16_t *a, const uint16_t *b, float *c)
{
    __shared__ __align__(16) uint16_t rows_a[16][24], rows_b[32][8];
    const int lane = (int)threadIdx.x, g = lane / 4, t = lane % 4;
    cp_async16(&rows_a[lane / 2][lane % 2 * 8], a + lane * 8);
    cp_async16_zero(&rows_b[lane][0], b + lane * 8, lane < 16 ? 16 : 0);
    cp_async_commit();
    cp_async_wait<0>();
    __syncwarp();
    uint32_t fragment_a[4], fragment_b[4];
    ldsm_x4(fragment_a, &rows_a[lane % 16][lane / 16 * 8]);
    ldsm_x4_t(fragment_b, &rows_b[lane][0]);
    float sums[4] = {c[g * 8 + 2 * t], c[g * 8 + 2 * t + 1], c[(g + 8) * 8 + 2 * t], c[(g + 8) * 8 + 2 * t + 1]};
    uint32_t first[2] = {fragment_b[0], fragment_b[1]}, zero[2] = {fragment_b[2], fragment_b[3]};
    for (uint32_t(&part)[2] : {std::ref(first), std::ref(zero)}) {
        if (HALF)
            mma_f16(sums, fragment_a, part);
        else
            mma_bf16(sums, fragment_a, part);
    }
    for (int i = 0; i < 4; i++) c[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = sums[i];
}

/* Small integers: every product and sum is exact, so the results are compared by bits. */
template <bool HALF> static void check_product()
{
    std::vector<float> a(16 * 16), b(16 * 8), c(16 * 8);
    std::vector<uint16_t> bits_a(a.size()), bits_b(b.size());
    auto bits = [](float x) -> uint16_t {
        return HALF ? __half_as_ushort(__float2half(x)) : __bfloat16_as_ushort(__float2bfloat16(x));
    };
    for (size_t i = 0; i < a.size(); i++) bits_a[i] = bits(a[i] = floorf(random_float() * 8.0f));
    for (size_t i = 0; i < b.size(); i++) bits_b[i] = bits(b[i] = floorf(random_float() * 8.0f) * 0.125f);
    for (float &v : c) v = floorf(random_float() * 50.0f);
    Array<uint16_t> device_a(bits_a), device_b(bits_b);
    Array<float> device_c(c);
    CU_LAUNCH(product_kernel<HALF>, 1, 32, 0, nullptr, device_a.device, device_b.device, device_c.device);
    OK(cudaGetLastError());
    device_c.pull();
    for (size_t row = 0; row < 16; row++) {
        for (size_t column = 0; column < 8; column++) {
            float sum = c[row * 8 + column];
            for (size_t k = 0; k < 16; k++) sum += a[row * 16 + k] * b[k * 8 + column];
            CHECK(device_c.host[row * 8 + column] == sum);
        }
    }
}

/* out [2, 4, 32]: what a lane gets of matrices whose element (row, column) of matrix i is 100 i + 8 row + column */
static __global__ void ldmatrix_kernel(uint32_t *out)
{
    __shared__ __align__(16) uint16_t matrices[4][8][8];
    const int lane = (int)threadIdx.x;
    for (int j = 0; j < 8; j++) matrices[lane / 8][lane % 8][j] = (uint16_t)(100 * (lane / 8) + 8 * (lane % 8) + j);
    __syncwarp();
    uint32_t r[4];
    ldsm_x4(r, &matrices[lane / 8][lane % 8][0]);
    for (int i = 0; i < 4; i++) out[i * 32 + lane] = r[i];
    ldsm_x4_t(r, &matrices[lane / 8][lane % 8][0]);
    for (int i = 0; i < 4; i++) out[(4 + i) * 32 + lane] = r[i];
}

static void check_ldmatrix()
{
    Array<uint32_t> out(std::vector<uint32_t>(8 * 32, 0));
    CU_LAUNCH(ldmatrix_kernel, 1, 32, 0, nullptr, out.device);
    out.pull();
    for (uint32_t i = 0; i < 4; i++) {
        for (uint32_t lane = 0; lane < 32; lane++) {
            uint32_t g = lane / 4, t = lane % 4;
            uint32_t plain = 100 * i + 8 * g + 2 * t, turned = 100 * i + 8 * 2 * t + g;
            CHECK(out.host[i * 32 + lane] == (plain | (plain + 1) << 16));
            CHECK(out.host[(4 + i) * 32 + lane] == (turned | (turned + 8) << 16));
        }
    }
}

/* Two groups under way; out [2, 4, 16 bytes]: after wait<1> the first is there and the second not (under a seed: of
 * each copy all or nothing), after wait<0> both. The last copy takes 5 bytes and zeros, and must not read the rest. */
static __global__ void copy_kernel(const unsigned char *in, unsigned char *out)
{
    __shared__ __align__(16) unsigned char shared[4][16];
    for (int i = 0; i < 2; i++) cp_async16(shared[i], in + 16 * i);
    cp_async_commit();
    cp_async16(shared[2], in + 32);
    cp_async16_zero(shared[3], in + 48, 5);
    cp_async_commit();
    cp_async_wait<1>();
    for (int i = 0; i < 64; i++) out[i] = shared[i / 16][i % 16];
    cp_async_wait<0>();
    for (int i = 0; i < 64; i++) out[64 + i] = shared[i / 16][i % 16];
}

static void check_copies()
{
    std::vector<unsigned char> bytes(53);
    for (size_t i = 0; i < bytes.size(); i++) bytes[i] = (unsigned char)(i + 1);
    Array<unsigned char> in(bytes), out(std::vector<unsigned char>(128, 0x55));
    CU_LAUNCH(copy_kernel, 1, 1, 0, nullptr, in.device, out.device);
    out.pull();
    for (size_t i = 0; i < 64; i++) {
        const bool may_be_early = getenv("CUEMU_SEED") && out.host[i / 16 * 16] != 0xff;
        CHECK(out.host[64 + i] == (i < 53 ? i + 1 : 0));
        CHECK(out.host[i] == (i < 32 || may_be_early ? out.host[64 + i] : 0xff));
    }
}

/* ---- Launch limits ---- */

static __global__ void nothing_kernel(int)
{
}

static void check_limits()
{
    auto launched = [](dim3 grid, dim3 block, size_t shared_bytes) {
        CU_LAUNCH(nothing_kernel, grid, block, shared_bytes, nullptr, 0);
        cudaError_t error = cudaPeekAtLastError();
        CHECK(cudaGetLastError() == error && cudaGetLastError() == cudaSuccess);
        return error;
    };
    OK(launched(1, 1024, 48 * 1024));
    CHECK_ERROR(cudaErrorInvalidConfiguration, launched(1, 1025, 0));
    CHECK_ERROR(cudaErrorInvalidConfiguration, launched(1, dim3(1, 1, 65), 0));
    CHECK_ERROR(cudaErrorInvalidConfiguration, launched(1, 0, 0));
    CHECK_ERROR(cudaErrorInvalidConfiguration, launched(0, 1, 0));
    CHECK_ERROR(cudaErrorInvalidConfiguration, launched(dim3(1, 65536), 1, 0));
    CHECK_ERROR(cudaErrorInvalidConfiguration, launched(0x80000000u, 1, 0));
    CHECK_ERROR(cudaErrorInvalidValue, launched(1, 1, 48 * 1024 + 1));
    CHECK_ERROR(cudaErrorInvalidValue,
                cudaFuncSetAttribute(nothing_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, 227 * 1024 + 1));
    OK(cudaFuncSetAttribute(nothing_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, 100 * 1024));
    CHECK_ERROR(cudaErrorInvalidValue, cudaGetLastError());
    OK(launched(1, 1, 100 * 1024));
    CHECK_ERROR(cudaErrorInvalidValue, launched(1, 1, 100 * 1024 + 1));
}

/* ---- A recorded launch ---- */

static __global__ void scale_kernel(float *y, const float *x, float factor)
{
    y[threadIdx.x] = x[threadIdx.x] * factor;
}

/* Arguments are those of the recording, memory is that of the replay; work of libraries is recorded, too. */
static void check_graph()
{
    Array<float> x({1, 2, 3, 4}), y({0, 0, 0, 0});
    cudaStream_t stream;
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    float factor = 2.0f, *from = x.device;
    int n_library = 0;
    OK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    OK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    CU_LAUNCH(scale_kernel, 1, 4, 0, stream, y.device, from, factor);
    OK(cudaGetLastError());
    cuemu_enqueue(stream, [&n_library] { n_library++; });
    CU_LAUNCH(scale_kernel, 1, 2000, 0, stream, y.device, from, factor); /* refused: not in the graph */
    CHECK_ERROR(cudaErrorInvalidConfiguration, cudaGetLastError());
    OK(cudaStreamEndCapture(stream, &graph));
    OK(cudaGraphInstantiate(&exec, graph, 0));
    factor = 100.0f;
    from = nullptr;
    y.pull();
    CHECK(y.host[3] == 0.0f && n_library == 0);
    for (int round = 1; round < 3; round++) {
        x.host[3] = (float)round;
        x.push();
        OK(cudaGraphLaunch(exec, stream));
        OK(cudaStreamSynchronize(stream));
        y.pull();
        CHECK(y.host[0] == 2.0f && y.host[3] == 2.0f * (float)round && n_library == round);
    }
    OK(cudaGraphExecDestroy(exec));
    OK(cudaGraphDestroy(graph));
    OK(cudaStreamDestroy(stream));
}

/* ---- The table ---- */

static const struct {
    const char *name;
    void (*check)();
} checks[] = {
    {"indices", check_indices},
    {"block_sum", check_block_sum},
    {"shuffles", check_shuffles},
    {"atomics", check_atomics},
    {"bf16", check_bf16},
    {"f16", check_f16},
    {"product_bf16", check_product<false>},
    {"product_f16", check_product<true>},
    {"ldmatrix", check_ldmatrix},
    {"copies", check_copies},
    {"limits", check_limits},
    {"graph", check_graph},
};

int main(int argc, char **argv)
{
    bool found = false;
    for (auto &entry : checks) {
        if (argc > 1 && strcmp(argv[1], entry.name)) continue;
        found = true;
        entry.check();
    }
    if (!found) fprintf(stderr, "%s: no such check\n", argv[1]);
    return !found || n_failed;
}
