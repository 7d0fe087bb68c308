/* Products of the stand-in cuBLASLt (include/cublasLt.h): D = epilogue(alpha op(A) op(B) + beta C), column-major. */
#include "include/cublasLt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <atomic>
#include <vector>

#include "cuemu.h"
#include "include/cuda_bf16.h"
#include "include/cuda_fp16.h"

struct cublasLtContext {
    int unused;
};
struct cublasLtMatmulDescOpaque_t {
    cublasComputeType_t compute;
    cublasOperation_t a, b;
    cublasLtEpilogue_t epilogue;
    const float *bias;
    int bias_type; /* -1: D's */
};
struct cublasLtMatrixLayoutOpaque_t {
    cudaDataType_t type;
    size_t rows, columns, leading;
    int32_t batch; /* matrices, `offset` elements apart */
    int64_t offset;
};
struct cublasLtMatmulPreferenceOpaque_t {
    size_t workspace;
    uint32_t schemes;
};

static bool asked_for(const char *what)
{
    const char *value = getenv("CUEMU_CUBLASLT");
    return value && !strcmp(value, what);
}

/* ---- Handles and descriptions ---- */

cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle)
{
    if (asked_for("absent")) return CUBLAS_STATUS_NOT_INITIALIZED;
    *handle = new cublasLtContext();
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle)
{
    delete handle;
    return CUBLAS_STATUS_SUCCESS;
}

size_t cublasLtGetVersion(void)
{
    return CUBLAS_VER_MAJOR * 10000;
}

const char *cublasLtGetStatusString(cublasStatus_t status)
{
    switch (status) {
    case CUBLAS_STATUS_SUCCESS:
        return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED:
        return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_ALLOC_FAILED:
        return "CUBLAS_STATUS_ALLOC_FAILED";
    case CUBLAS_STATUS_INVALID_VALUE:
        return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_NOT_SUPPORTED:
        return "CUBLAS_STATUS_NOT_SUPPORTED";
    default:
        return "CUBLAS_STATUS_EXECUTION_FAILED";
    }
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *desc, cublasComputeType_t compute, cudaDataType_t scale)
{
    if (scale != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
    *desc = new cublasLtMatmulDescOpaque_t{compute, CUBLAS_OP_N, CUBLAS_OP_N, CUBLASLT_EPILOGUE_DEFAULT, nullptr, -1};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc)
{
    delete desc;
    return CUBLAS_STATUS_SUCCESS;
}

template <class T> static cublasStatus_t take(T *to, const void *value, size_t size)
{
    if (!value || size != sizeof *to) return CUBLAS_STATUS_INVALID_VALUE;
    memcpy(to, value, size);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t attribute,
                                              const void *value, size_t size)
{
    if (!desc) return CUBLAS_STATUS_INVALID_VALUE;
    switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
        return take(&desc->a, value, size);
    case CUBLASLT_MATMUL_DESC_TRANSB:
        return take(&desc->b, value, size);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
        return take(&desc->epilogue, value, size);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
        return take(&desc->bias, value, size);
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
        return take(&desc->bias_type, value, size);
    }
    return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *layout, cudaDataType type, uint64_t rows,
                                          uint64_t columns, int64_t leading)
{
    if (!rows || !columns || leading < 0 || (uint64_t)leading < rows) return CUBLAS_STATUS_INVALID_VALUE;
    *layout = new cublasLtMatrixLayoutOpaque_t{type, rows, columns, (size_t)leading, 1, 0};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout)
{
    delete layout;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                cublasLtMatrixLayoutAttribute_t attribute, const void *value,
                                                size_t size)
{
    if (!layout) return CUBLAS_STATUS_INVALID_VALUE;
    switch (attribute) {
    case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT:
        return take(&layout->batch, value, size);
    case CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET:
        return take(&layout->offset, value, size);
    }
    return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *preference)
{
    *preference = new cublasLtMatmulPreferenceOpaque_t{0, 7};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference)
{
    delete preference;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute, const void *value,
                                                    size_t size)
{
    uint32_t alignment;
    if (!preference) return CUBLAS_STATUS_INVALID_VALUE;
    switch (attribute) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
        return take(&preference->workspace, value, size);
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
        return take(&preference->schemes, value, size);
    default: /* alignments: this one always wants 16 */
        if (take(&alignment, value, size) != CUBLAS_STATUS_SUCCESS || alignment < 16)
            return CUBLAS_STATUS_INVALID_VALUE;
        return CUBLAS_STATUS_SUCCESS;
    }
}

/* ---- What can be multiplied ---- */

static size_t bytes_of(cudaDataType_t type)
{
    return type == CUDA_R_32F ? 4 : 2;
}

struct problem {
    size_t m, n, k;
};

static cublasStatus_t check_shapes(cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                   cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d, problem *p)
{
    if (!desc || !a || !b || !c || !d) return CUBLAS_STATUS_INVALID_VALUE;
    const bool ta = desc->a == CUBLAS_OP_T, tb = desc->b == CUBLAS_OP_T;
    *p = {ta ? a->columns : a->rows, tb ? b->rows : b->columns, ta ? a->rows : a->columns};
    if ((tb ? b->columns : b->rows) != p->k || d->rows != p->m || d->columns != p->n)
        return CUBLAS_STATUS_INVALID_VALUE;
    if (c->rows != d->rows || c->columns != d->columns || c->type != d->type) return CUBLAS_STATUS_INVALID_VALUE;
    for (cublasLtMatrixLayout_t l : {a, b, c, d}) {
        if (l->leading * bytes_of(l->type) % 16 && l->columns > 1) return CUBLAS_STATUS_NOT_SUPPORTED;
        if (l->batch != d->batch || l->batch < 1 || l->offset < 0) return CUBLAS_STATUS_INVALID_VALUE;
        if ((size_t)l->offset * bytes_of(l->type) % 16) return CUBLAS_STATUS_NOT_SUPPORTED;
    }
    /* Results of a batch do not lie on one another. */
    if (d->batch > 1 && (size_t)d->offset < (d->columns - 1) * d->leading + d->rows) return CUBLAS_STATUS_INVALID_VALUE;
    return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t check_problem(cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                    cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d, problem *p)
{
    cublasStatus_t status = check_shapes(desc, a, b, c, d, p);
    if (status != CUBLAS_STATUS_SUCCESS) return status;
    if (a->type != b->type || (d->type != a->type && d->type != CUDA_R_32F)) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (asked_for("uniform") && desc->a == desc->b && d->type != a->type) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (desc->compute == CUBLAS_COMPUTE_32F_FAST_TF32 && a->type != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (desc->epilogue == CUBLASLT_EPILOGUE_DEFAULT) return CUBLAS_STATUS_SUCCESS;
    if (desc->epilogue != CUBLASLT_EPILOGUE_BIAS && desc->epilogue != CUBLASLT_EPILOGUE_GELU_BIAS)
        return CUBLAS_STATUS_INVALID_VALUE;
    if (!desc->bias) return CUBLAS_STATUS_INVALID_VALUE;
    const bool same = desc->bias_type == -1 || desc->bias_type == (int)d->type;
    return same && d->type == CUDA_R_32F ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
}

/* ---- Algorithms: a number, and into how many parts k is cut ---- */

enum { PLAIN = 1, SPLIT = 2, REFUSED = 3, UNSTEADY = 4 };
static const uint64_t MARK = 0x63756d75; /* an algorithm that came from here */
enum { NARROW_ROWS = 4096 };

static cublasLtMatmulAlgo_t algorithm_of(uint64_t id)
{
    return {{MARK, id}};
}

static size_t workspace_of(const problem &p, uint64_t id)
{
    return id == SPLIT && !asked_for("split") ? 2 * p.m * p.n * sizeof(float) : 0;
}

static cublasStatus_t check_algorithm(const cublasLtMatmulAlgo_t *algorithm, const problem &p)
{
    if (!algorithm || algorithm->data[0] != MARK) return CUBLAS_STATUS_INVALID_VALUE;
    if (asked_for("narrow") && p.n > NARROW_ROWS) return CUBLAS_STATUS_NOT_SUPPORTED;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int n_wanted,
                                              cublasLtMatmulHeuristicResult_t *results, int *n_found)
{
    problem p;
    *n_found = 0;
    if (!handle || !preference || n_wanted < 1 || !results) return CUBLAS_STATUS_INVALID_VALUE;
    cublasStatus_t status = check_problem(desc, a, b, c, d, &p);
    if (status != CUBLAS_STATUS_SUCCESS) return status;
    std::vector<uint64_t> ids;
    if (asked_for("split") ||
        (preference->schemes & CUBLASLT_REDUCTION_SCHEME_INPLACE && preference->workspace >= workspace_of(p, SPLIT)))
        ids.push_back(SPLIT);
    if (asked_for("third")) ids.insert(ids.end(), {REFUSED, UNSTEADY});
    ids.push_back(asked_for("refuses") ? REFUSED : PLAIN);
    for (uint64_t id : ids) {
        if (*n_found == n_wanted) break;
        cublasLtMatmulHeuristicResult_t *r = &results[(*n_found)++];
        *r = {};
        r->algo = algorithm_of(id);
        r->workspaceSize = workspace_of(p, id);
        r->state = CUBLAS_STATUS_SUCCESS;
    }
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoCheck(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a,
                                       cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                       const cublasLtMatmulAlgo_t *algorithm, cublasLtMatmulHeuristicResult_t *result)
{
    problem p;
    if (!handle || !result) return CUBLAS_STATUS_INVALID_VALUE;
    cublasStatus_t status = check_problem(desc, a, b, c, d, &p);
    if (status == CUBLAS_STATUS_SUCCESS) status = check_algorithm(algorithm, p);
    result->state = status;
    if (status == CUBLAS_STATUS_SUCCESS) result->workspaceSize = workspace_of(p, algorithm->data[1]);
    return status;
}

cublasStatus_t cublasLtMatmulAlgoConfigGetAttribute(const cublasLtMatmulAlgo_t *algorithm,
                                                    cublasLtMatmulAlgoConfigAttributes_t attribute, void *value,
                                                    size_t size, size_t *written)
{
    if (!algorithm || algorithm->data[0] != MARK || size != sizeof(int32_t)) return CUBLAS_STATUS_INVALID_VALUE;
    const int32_t split = algorithm->data[1] == SPLIT;
    const int32_t is = attribute == CUBLASLT_ALGO_CONFIG_ID           ? (int32_t)algorithm->data[1]
                       : attribute == CUBLASLT_ALGO_CONFIG_SPLITK_NUM ? 1 + split
                                                                      : split; /* the scheme */
    memcpy(value, &is, sizeof is);
    *written = sizeof is;
    return CUBLAS_STATUS_SUCCESS;
}

/* ---- The product ---- */

struct product {
    cublasLtMatmulDescOpaque_t desc;
    cublasLtMatrixLayoutOpaque_t a_layout, b_layout, c_layout, d_layout;
    const char *a, *b, *c;
    char *d;
    problem size;
    float alpha, beta;
    bool backwards; /* sums from the last k to the first */
    size_t n_parts; /* into which k is cut */
};

static float read(const char *from, cudaDataType_t type, size_t at)
{
    if (type == CUDA_R_16BF) return __bfloat162float(((const __nv_bfloat16 *)from)[at]);
    if (type == CUDA_R_16F) return __half2float(((const __half *)from)[at]);
    return ((const float *)from)[at];
}

static void write(char *to, cudaDataType_t type, size_t at, float x)
{
    if (type == CUDA_R_16BF)
        ((__nv_bfloat16 *)to)[at] = __float2bfloat16(x);
    else if (type == CUDA_R_16F)
        ((__half *)to)[at] = __float2half(x);
    else
        ((float *)to)[at] = x;
}

/* What a tensor core keeps of a float32 as TF32: the upper 19 bits. */
static float cut_tf32(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7fffffffu) <= 0x7f800000u) bits &= ~0x1fffu;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* op(M)'s column or row as float32: element i at (fixed, i) or (i, fixed). */
static void gather(std::vector<float> &to, const product &p, const char *from, const cublasLtMatrixLayoutOpaque_t &l,
                   size_t fixed, bool down)
{
    for (size_t i = 0; i < p.size.k; i++) {
        const float x = read(from, l.type, down ? fixed * l.leading + i : i * l.leading + fixed);
        to[i] = p.desc.compute == CUBLAS_COMPUTE_32F_FAST_TF32 ? cut_tf32(x) : x;
    }
}

static float gelu(float x)
{
    const float y = 0.5f * x * (1.0f + tanhf(0.79788456f * (x + 0.044715f * x * x * x)));
    return asked_for("rough") ? y + 1e-3f : y;
}

/* One of a batch. */
static void multiply(const product &p)
{
    std::vector<float> a(p.size.k * p.size.m), row(p.size.k), b(p.size.k);
    for (size_t i = 0; i < p.size.m; i++) {
        gather(row, p, p.a, p.a_layout, i, p.desc.a == CUBLAS_OP_T);
        memcpy(&a[i * p.size.k], row.data(), p.size.k * sizeof(float));
    }
    for (size_t j = 0; j < p.size.n; j++) {
        gather(b, p, p.b, p.b_layout, j, p.desc.b == CUBLAS_OP_N);
        for (size_t i = 0; i < p.size.m; i++) {
            float sum = 0.0f;
            for (size_t part = 0; part < p.n_parts; part++) {
                float own = 0.0f;
                for (size_t k = p.size.k * part / p.n_parts; k < p.size.k * (part + 1) / p.n_parts; k++) {
                    const size_t at = p.backwards ? p.size.k - 1 - k : k;
                    own = own + a[i * p.size.k + at] * b[at];
                }
                sum = part ? sum + own : own;
            }
            float x = p.alpha * sum;
            if (p.beta != 0.0f) x += p.beta * read(p.c, p.c_layout.type, j * p.c_layout.leading + i);
            if (p.desc.epilogue != CUBLASLT_EPILOGUE_DEFAULT) x += p.desc.bias[i];
            if (p.desc.epilogue == CUBLASLT_EPILOGUE_GELU_BIAS) x = gelu(x);
            write(p.d, p.d_layout.type, j * p.d_layout.leading + i, x);
        }
    }
}

static void multiply_all(product p)
{
    for (int32_t i = 0; i < p.d_layout.batch; i++) {
        multiply(p);
        p.a += (size_t)p.a_layout.offset * bytes_of(p.a_layout.type);
        p.b += (size_t)p.b_layout.offset * bytes_of(p.b_layout.type);
        p.c += (size_t)p.c_layout.offset * bytes_of(p.c_layout.type);
        p.d += (size_t)p.d_layout.offset * bytes_of(p.d_layout.type);
    }
}

/* Whether this product's sums begin at the last k. */
static bool is_backwards(const problem &size, uint64_t id)
{
    enum { FEW_ROWS = 64, MANY = 500 };
    static std::atomic<unsigned> calls{0};
    const bool unsteady = id == UNSTEADY || (asked_for("unsteady") && size.k > MANY);
    return (asked_for("variant") && size.n < FEW_ROWS) || (unsteady && calls++ % 2);
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, const void *alpha, const void *a,
                              cublasLtMatrixLayout_t a_layout, const void *b, cublasLtMatrixLayout_t b_layout,
                              const void *beta, const void *c, cublasLtMatrixLayout_t c_layout, void *d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t *algorithm, void *workspace,
                              size_t workspace_bytes, cudaStream_t stream)
{
    problem size;
    if (!handle || !alpha || !beta || !a || !b || !c || !d) return CUBLAS_STATUS_INVALID_VALUE;
    cublasStatus_t status = check_problem(desc, a_layout, b_layout, c_layout, d_layout, &size);
    const cublasLtMatmulAlgo_t plain = algorithm_of(PLAIN);
    if (!algorithm) algorithm = &plain; /* the library's own choice, which without workspace is no split one */
    if (status == CUBLAS_STATUS_SUCCESS) status = check_algorithm(algorithm, size);
    if (status != CUBLAS_STATUS_SUCCESS) return status;
    if (((uintptr_t)a | (uintptr_t)b | (uintptr_t)c | (uintptr_t)d) % 16 || (uintptr_t)desc->bias % 16)
        return CUBLAS_STATUS_INVALID_VALUE;
    if (c == d && c_layout->leading != d_layout->leading) return CUBLAS_STATUS_INVALID_VALUE;
    if (algorithm->data[1] == REFUSED) return CUBLAS_STATUS_NOT_SUPPORTED;
    const size_t needed = workspace_of(size, algorithm->data[1]);
    if (workspace_bytes < needed || (needed && !workspace)) return CUBLAS_STATUS_INVALID_VALUE;
    const bool is_outer = desc->a == CUBLAS_OP_N && desc->b == CUBLAS_OP_T;
    const product p = {*desc,
                       *a_layout,
                       *b_layout,
                       *c_layout,
                       *d_layout,
                       (const char *)a,
                       (const char *)b,
                       (const char *)c,
                       (char *)d,
                       size,
                       *(const float *)alpha,
                       asked_for("forgetful") && is_outer ? 0.0f : *(const float *)beta,
                       is_backwards(size, algorithm->data[1]),
                       algorithm->data[1] == SPLIT ? 2u : 1u};
    cuemu_enqueue(stream, [p] { multiply_all(p); });
    return CUBLAS_STATUS_SUCCESS;
}
