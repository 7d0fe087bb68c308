/* cuBLASLt's calls. Its matrices are column-major, so that it sees the transpose of each of ours, and a row-major
 * y = x W^T is asked for as y^T = W x^T: A is W, transposed back, B and C = D are x and y as they stand; a bias has an
 * element for each row of D. A sum that is cut is one product of its whole parts as a batch, then one of the last. */
#include "blas.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALLS(X)                                                                                                       \
    X(cublasLtCreate)                                                                                                  \
    X(cublasLtDestroy)                                                                                                 \
    X(cublasLtGetVersion)                                                                                              \
    X(cublasLtGetStatusString)                                                                                         \
    X(cublasLtMatmulDescCreate)                                                                                        \
    X(cublasLtMatmulDescDestroy)                                                                                       \
    X(cublasLtMatmulDescSetAttribute)                                                                                  \
    X(cublasLtMatrixLayoutCreate)                                                                                      \
    X(cublasLtMatrixLayoutDestroy)                                                                                     \
    X(cublasLtMatrixLayoutSetAttribute)                                                                                \
    X(cublasLtMatmulPreferenceCreate)                                                                                  \
    X(cublasLtMatmulPreferenceDestroy)                                                                                 \
    X(cublasLtMatmulPreferenceSetAttribute)                                                                            \
    X(cublasLtMatmulAlgoGetHeuristic)                                                                                  \
    X(cublasLtMatmulAlgoCheck)                                                                                         \
    X(cublasLtMatmulAlgoConfigGetAttribute)                                                                            \
    X(cublasLtMatmul)

struct pl__lt {
    void *library;
    cublasLtHandle_t handle;
#define X(call) __typeof__(&call) call;
    CALLS(X)
#undef X
};

/* ---- Opening ---- */

#ifdef PL_CUDA_EMULATED
static bool find_calls(pl__lt *lt, char *why, size_t why_size)
{
    (void)why;
    (void)why_size;
#define X(call) lt->call = &call;
    CALLS(X)
#undef X
    return true;
}
#else
#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)
/* The version that the plug-in was built for: attributes are numbers, and another one may count them differently. */
#define LIBRARY  "libcublasLt.so." TEXT(CUBLAS_VER_MAJOR)

static bool find_calls(pl__lt *lt, char *why, size_t why_size)
{
    static const char *const places[] = {LIBRARY, "/usr/local/cuda/lib64/" LIBRARY};
    for (size_t i = 0; !lt->library && i < sizeof places / sizeof *places; i++) {
        /* NODELETE: its kernels stay known to the driver, so it is not taken away before the process ends. */
        lt->library = dlopen(places[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    }
    if (!lt->library) {
        (void)snprintf(why, why_size, "%s was not found (LD_LIBRARY_PATH names where to look)", LIBRARY);
        return false;
    }
#define X(call)                                                                                                        \
    {                                                                                                                  \
        void *address = dlsym(lt->library, #call);                                                                     \
        if (!address) {                                                                                                \
            (void)snprintf(why, why_size, "%s lacks %s", LIBRARY, #call);                                              \
            return false;                                                                                              \
        }                                                                                                              \
        memcpy(&lt->call, &address, sizeof address);                                                                   \
    }
    CALLS(X)
#undef X
    return true;
}
#endif

pl_status pl__lt_open(const pl_device *device, pl__lt **out, char *why, size_t why_size)
{
    pl__lt *lt = NULL;
    *out = NULL;
    PL_TRY(pl__handle_create(device, (void **)&lt, sizeof *lt));
    if (!find_calls(lt, why, why_size)) {
        pl__lt_close(lt);
        return PL_OK;
    }
    cublasStatus_t status = lt->cublasLtCreate(&lt->handle);
    if (status != CUBLAS_STATUS_SUCCESS) {
        (void)snprintf(why, why_size, "cublasLtCreate: %s", lt->cublasLtGetStatusString(status));
        lt->handle = NULL;
        pl__lt_close(lt);
        return PL_OK;
    }
    *out = lt;
    return PL_OK;
}

void pl__lt_close(pl__lt *lt)
{
    if (!lt) return;
    if (lt->handle) (void)lt->cublasLtDestroy(lt->handle);
    if (lt->library) (void)dlclose(lt->library);
    free(lt);
}

size_t pl__lt_version(const pl__lt *lt)
{
    return lt->cublasLtGetVersion();
}

/* ---- Modes ---- */

bool pl__mode_runs(pl__mode mode, pl_dtype compute, size_t n_out, size_t n_in)
{
    switch (mode) {
    case PL__FLOAT: /* float32 has one way of storing plainly */
        return pl_dtype_storage(compute) != PL_F32;
    case PL__INPUT:
    case PL__INPUT_ADD:
        return pl__cut_outputs(n_out).parts == 1;
    case PL__INPUT_PARTS:
        return pl__cut_outputs(n_out).parts > 1;
    case PL__WEIGHT_PARTS:
        return pl__cut_rows(INT32_MAX, n_out, n_in).parts > 1;
    default:
        return true;
    }
}

const char *pl__mode_name(pl__mode mode)
{
    static const char *const names[PL__MODES] = {"STORE",       "STORE_BIAS", "STORE_GELU",  "FLOAT",
                                                 "ADD",         "ADD_BIAS",   "INPUT",       "INPUT_ADD",
                                                 "INPUT_PARTS", "WEIGHT_ADD", "WEIGHT_PARTS"};
    return names[mode];
}

/* ---- Parts ---- */

typedef enum form { FORWARD, INPUT, WEIGHT } form;

static form form_of(pl__mode mode)
{
    return mode < PL__FORWARD_MODES ? FORWARD : mode <= PL__INPUT_PARTS ? INPUT : WEIGHT;
}

static pl__cut cut_of(const pl__call *c)
{
    if (c->mode == PL__INPUT_PARTS) return pl__cut_outputs(c->n_out);
    if (c->mode == PL__WEIGHT_PARTS) return pl__cut_rows(c->rows, c->n_out, c->n_in);
    return (pl__cut){1, 0};
}

/* What cuBLASLt is asked for at once: `parts` parts of a sum, `call` being the first. */
typedef struct piece {
    pl__call call;
    size_t parts;
} piece;

static void *at(void *data, size_t element, pl_dtype dtype)
{
    return (char *)data + element * pl_dtype_bytes(dtype);
}

/* `parts` parts from part `first` on, each `length` long. */
static piece piece_of(const pl__call *c, pl__cut cut, size_t first, size_t parts, size_t length)
{
    const pl_dtype in = pl_dtype_storage(c->compute);
    const size_t begin = first * cut.length;
    pl__call p = *c;
    if (form_of(c->mode) == INPUT) {
        p.n_out = length;
        p.x = at(c->x, first * c->rows * c->x_stride, PL_F32);
        p.w = at(c->w, begin * c->w_stride, in);
        p.y = at(c->y, begin, in);
    } else {
        p.rows = length;
        p.x = at(c->x, begin * c->x_stride, in);
        p.w = at(c->w, first * c->n_out * c->w_stride, PL_F32);
        p.y = at(c->y, begin * c->y_stride, in);
    }
    return (piece){p, parts};
}

/* One, or two where the last part is shorter; returns how many. */
static size_t pieces_of(const pl__call *c, piece pieces[2])
{
    const pl__cut cut = cut_of(c);
    pieces[0] = (piece){*c, 1};
    if (cut.parts <= 1) return 1;
    const size_t whole = cut.parts - 1, last = (form_of(c->mode) == INPUT ? c->n_out : c->rows) - whole * cut.length;
    if (last == cut.length) {
        pieces[0] = piece_of(c, cut, 0, cut.parts, cut.length);
        return 1;
    }
    pieces[0] = piece_of(c, cut, 0, whole, cut.length);
    pieces[1] = piece_of(c, cut, whole, 1, last);
    return 2;
}

/* ---- The description of a product ---- */

/* One of our matrices as cuBLASLt sees it. */
typedef struct operand {
    void *data;
    size_t rows, columns, stride, next; /* next: elements to that of the next part */
    cublasOperation_t op;
} operand;

typedef struct operands {
    operand a, b, d;
} operands;

static operands operands_of(const pl__call *c)
{
    operand x = {c->x, c->n_in, c->rows, c->x_stride, c->rows * c->x_stride, CUBLAS_OP_N};
    operand w = {c->w, c->n_in, c->n_out, c->w_stride, c->n_out * c->w_stride, CUBLAS_OP_N};
    operand y = {c->y, c->n_out, c->rows, c->y_stride, c->rows * c->y_stride, CUBLAS_OP_N};
    switch (form_of(c->mode)) {
    case INPUT: /* x^T = W^T y^T; parts of y stand side by side */
        y.next = c->n_out;
        return (operands){w, y, x};
    case WEIGHT: /* W^T = x^T y */
        y.op = CUBLAS_OP_T;
        return (operands){x, y, w};
    default: /* y^T = W x^T */
        w.op = CUBLAS_OP_T;
        return (operands){w, x, y};
    }
}

typedef struct description {
    cublasLtMatmulDesc_t product;
    cublasLtMatrixLayout_t a, b, d;
} description;

static void forget(const pl__lt *lt, description *d)
{
    if (d->d) (void)lt->cublasLtMatrixLayoutDestroy(d->d);
    if (d->b) (void)lt->cublasLtMatrixLayoutDestroy(d->b);
    if (d->a) (void)lt->cublasLtMatrixLayoutDestroy(d->a);
    if (d->product) (void)lt->cublasLtMatmulDescDestroy(d->product);
}

static cudaDataType_t data_type(pl_dtype dtype)
{
    return dtype == PL_BF16 ? CUDA_R_16BF : dtype == PL_F16 ? CUDA_R_16F : CUDA_R_32F;
}

static cublasStatus_t set(const pl__lt *lt, description *d, cublasLtMatmulDescAttributes_t attribute, const void *value,
                          size_t size)
{
    return lt->cublasLtMatmulDescSetAttribute(d->product, attribute, value, size);
}

static cublasStatus_t describe_epilogue(const pl__lt *lt, description *d, const pl__call *c)
{
    const int32_t bias_type = CUDA_R_32F;
    const cublasLtEpilogue_t epilogue =
        c->mode == PL__STORE_GELU ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_BIAS;
    if (!pl__mode_has_bias(c->mode)) return CUBLAS_STATUS_SUCCESS;
    cublasStatus_t status = set(lt, d, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = set(lt, d, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &c->bias, sizeof c->bias);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = set(lt, d, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, &bias_type, sizeof bias_type);
    return status;
}

static cublasStatus_t layout(const pl__lt *lt, cublasLtMatrixLayout_t *out, pl_dtype dtype, const operand *o,
                             size_t parts)
{
    const int32_t count = (int32_t)parts;
    const int64_t next = (int64_t)o->next;
    cublasStatus_t status =
        lt->cublasLtMatrixLayoutCreate(out, data_type(dtype), o->rows, o->columns, (int64_t)o->stride);
    if (parts == 1 || status != CUBLAS_STATUS_SUCCESS) return status;
    status = lt->cublasLtMatrixLayoutSetAttribute(*out, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count);
    if (status != CUBLAS_STATUS_SUCCESS) return status;
    return lt->cublasLtMatrixLayoutSetAttribute(*out, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &next, sizeof next);
}

static cublasStatus_t describe(const pl__lt *lt, description *d, const piece *p)
{
    const pl__call *c = &p->call;
    const operands o = operands_of(c);
    const cublasComputeType_t compute = c->compute == PL_TF32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    const pl_dtype in = pl_dtype_storage(c->compute);
    cublasStatus_t status = lt->cublasLtMatmulDescCreate(&d->product, compute, CUDA_R_32F);
    if (status == CUBLAS_STATUS_SUCCESS) status = set(lt, d, CUBLASLT_MATMUL_DESC_TRANSA, &o.a.op, sizeof o.a.op);
    if (status == CUBLAS_STATUS_SUCCESS) status = set(lt, d, CUBLASLT_MATMUL_DESC_TRANSB, &o.b.op, sizeof o.b.op);
    if (status == CUBLAS_STATUS_SUCCESS) status = describe_epilogue(lt, d, c);
    if (status == CUBLAS_STATUS_SUCCESS) status = layout(lt, &d->a, in, &o.a, p->parts);
    if (status == CUBLAS_STATUS_SUCCESS) status = layout(lt, &d->b, in, &o.b, p->parts);
    if (status == CUBLAS_STATUS_SUCCESS) status = layout(lt, &d->d, pl__mode_type(c->mode, c->compute), &o.d, p->parts);
    return status;
}

/* ---- Pinning ---- */

/* No workspace, no cut over k, and no more alignment than a view must have. */
static cublasStatus_t prefer(const pl__lt *lt, cublasLtMatmulPreference_t preference)
{
    static const cublasLtMatmulPreferenceAttributes_t alignments[] = {
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES};
    const size_t workspace = 0;
    const uint32_t schemes = CUBLASLT_REDUCTION_SCHEME_NONE, alignment = 16;
    cublasStatus_t status = lt->cublasLtMatmulPreferenceSetAttribute(
        preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof workspace);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = lt->cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
                                                          &schemes, sizeof schemes);
    for (size_t i = 0; status == CUBLAS_STATUS_SUCCESS && i < sizeof alignments / sizeof *alignments; i++) {
        status = lt->cublasLtMatmulPreferenceSetAttribute(preference, alignments[i], &alignment, sizeof alignment);
    }
    return status;
}

/* Whether the algorithm keeps an element's sum over k in one place. */
static bool sums_at_once(const pl__lt *lt, const cublasLtMatmulAlgo_t *algorithm)
{
    int32_t splits = 0;
    uint32_t scheme = 0;
    size_t written;
    return lt->cublasLtMatmulAlgoConfigGetAttribute(algorithm, CUBLASLT_ALGO_CONFIG_SPLITK_NUM, &splits, sizeof splits,
                                                    &written) == CUBLAS_STATUS_SUCCESS &&
           lt->cublasLtMatmulAlgoConfigGetAttribute(algorithm, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME, &scheme,
                                                    sizeof scheme, &written) == CUBLAS_STATUS_SUCCESS &&
           splits <= 1 && scheme == CUBLASLT_REDUCTION_SCHEME_NONE;
}

/* Whether the algorithm can make this piece without workspace. */
static bool valid_for(const pl__lt *lt, const piece *p, const cublasLtMatmulAlgo_t *algorithm)
{
    description d = {0};
    cublasLtMatmulHeuristicResult_t result = {.workspaceSize = 1};
    cublasStatus_t status = describe(lt, &d, p);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = lt->cublasLtMatmulAlgoCheck(lt->handle, d.product, d.a, d.b, d.d, d.d, algorithm, &result);
    forget(lt, &d);
    return status == CUBLAS_STATUS_SUCCESS && result.workspaceSize == 0;
}

/* Whether the algorithm can be run, without workspace, for few rows and many, and for odd numbers of them. */
static bool valid_for_all_rows(const pl__lt *lt, const pl__call *c, const cublasLtMatmulAlgo_t *algorithm)
{
    static const size_t rows[] = {1, 2, 3, 7, 8, 16, 17, 64, 136, 512, 1000, 1100, 2048, 2559, 8192, 65536};
    const size_t widest = c->n_out > c->n_in ? c->n_out : c->n_in;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        piece pieces[2];
        pl__call of_rows = *c;
        /* Matrices of more than 2^31 elements are never run: a step has 8192 rows, the head 1024. */
        if (rows[i] > 8192 && rows[i] > INT32_MAX / widest) continue;
        of_rows.rows = rows[i];
        const size_t n = pieces_of(&of_rows, pieces);
        for (size_t k = 0; k < n; k++) {
            if (!valid_for(lt, &pieces[k], algorithm)) return false;
        }
    }
    return true;
}

void pl__lt_plan(pl__lt *lt, const pl__call *c, size_t first, pl__blas_plan *plan)
{
    enum { PROPOSALS = 16 };
    cublasLtMatmulHeuristicResult_t proposals[PROPOSALS] = {0};
    cublasLtMatmulPreference_t preference = NULL;
    description d = {0};
    piece pieces[2];
    int n = 0;
    plan->usable = false;
    (void)pieces_of(c, pieces);
    cublasStatus_t status = describe(lt, &d, &pieces[0]);
    if (status == CUBLAS_STATUS_SUCCESS) status = lt->cublasLtMatmulPreferenceCreate(&preference);
    if (status == CUBLAS_STATUS_SUCCESS) status = prefer(lt, preference);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = lt->cublasLtMatmulAlgoGetHeuristic(lt->handle, d.product, d.a, d.b, d.d, d.d, preference, PROPOSALS,
                                                    proposals, &n);
    /* What it cannot do at all is an error status, too: then there is no plan. */
    for (size_t i = first; status == CUBLAS_STATUS_SUCCESS && !plan->usable && i < (size_t)n; i++) {
        if (proposals[i].state != CUBLAS_STATUS_SUCCESS || proposals[i].workspaceSize) continue;
        if (!sums_at_once(lt, &proposals[i].algo)) continue;
        plan->proposal = i;
        plan->algorithm = proposals[i].algo;
        plan->usable = valid_for_all_rows(lt, c, &plan->algorithm);
        if (!plan->usable && plan->flaw < PL__REFUSED) plan->flaw = PL__REFUSED;
    }
    if (preference) (void)lt->cublasLtMatmulPreferenceDestroy(preference);
    forget(lt, &d);
}

/* ---- Running ---- */

static cublasStatus_t run_piece(pl_stream *stream, pl__lt *lt, const piece *p, const pl__blas_plan *plan)
{
    const float alpha = 1.0f, beta = pl__mode_adds(p->call.mode) ? 1.0f : 0.0f;
    const operands o = operands_of(&p->call);
    description d = {0};
    cublasStatus_t status = describe(lt, &d, p);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = lt->cublasLtMatmul(lt->handle, d.product, &alpha, o.a.data, d.a, o.b.data, d.b, &beta, o.d.data, d.d,
                                    o.d.data, d.d, plan->free ? NULL : &plan->algorithm, NULL, 0, stream->handle);
    forget(lt, &d);
    return status;
}

cublasStatus_t pl__lt_try(pl_stream *stream, pl__lt *lt, const pl__call *c, const pl__blas_plan *plan)
{
    piece pieces[2];
    cublasStatus_t status = CUBLAS_STATUS_SUCCESS;
    const size_t n = pieces_of(c, pieces);
    for (size_t i = 0; status == CUBLAS_STATUS_SUCCESS && i < n; i++) status = run_piece(stream, lt, &pieces[i], plan);
    return status;
}

pl_status pl__lt_run(pl_stream *stream, pl__lt *lt, const pl__call *c, const pl__blas_plan *plan)
{
    const pl_device *device = stream->device;
    const cublasStatus_t status = pl__lt_try(stream, lt, c, plan);
    if (status == CUBLAS_STATUS_SUCCESS) return PL_OK;
    return device->host->fail(status == CUBLAS_STATUS_ALLOC_FAILED ? PL_E_MEMORY : PL_E_DEVICE,
                              "cublasLtMatmul, %s, on %s: %s; PLUMB_CUDA_PRODUCT=own does without cuBLASLt",
                              pl__mode_name(c->mode), device->name, lt->cublasLtGetStatusString(status));
}
