/* Who makes the CUDA backend's products, and that it makes no difference to a row: the probe of cuBLASLt on a stand-in
 * that misbehaves in each way the probe is for, PLUMB_CUDA_PRODUCT, tiles of all sizes of the own product, weights that
 * need several slots, recorded products, and the same of a backward pass.
 *
 * Values of all shapes, types and layouts are test_linear's and test_linear_backward's. What the stand-in does
 * (CUEMU_CUBLASLT) is tested on the emulated device only; on a GPU the library is what it is. */
#include "device/activate.h"
#include "device/world.h"

static world open_with(const char *product, const char *library, pl_dtype compute)
{
    if (product)
        setenv("PLUMB_CUDA_PRODUCT", product, 1);
    else
        unsetenv("PLUMB_CUDA_PRODUCT");
    if (library)
        setenv("CUEMU_CUBLASLT", library, 1);
    else
        unsetenv("CUEMU_CUBLASLT");
    world w = world_open(1);
    w.compute = compute;
    w.type = pl_dtype_storage(compute);
    w.aligned = true;
    snprintf(current_case, sizeof current_case, "%s, PLUMB_CUDA_PRODUCT=%s, CUEMU_CUBLASLT=%s", pl_dtype_name(compute),
             product ? product : "", library ? library : "");
    return w;
}

static const pl_dtype types[] = {PL_F32, PL_TF32, PL_BF16, PL_F16};
enum { TYPES = sizeof types / sizeof *types };

static pl_weight *weight_of(const world *w, size_t n_out, size_t n_in, uint32_t stream)
{
    pl_weight *weight;
    float *values = normals(n_out * n_in, stream, 0.3);
    must(w->processor.ops->weight_create(w->processor.device, &weight, n_out, n_in, w->compute));
    must(pl_weight_set(&w->processor, w->stream, weight, 0, n_out, values, PL_F32, PL_LAYOUT_OUT_IN));
    settle(w);
    free(values);
    return weight;
}

typedef struct job {
    size_t rows, spare, n_in, n_out;
    pl_activation activation;
    bool bias, accumulate, misaligned;
    const size_t *picked; /* rows of x that are taken; NULL: 0.. */
} job;

/* The product of `job` as it is stored, [rows, n_out] packed. */
static void *run(world *w, const pl_weight *weight, const float *x, const job *j)
{
    float *rows = (float *)malloc(j->rows * j->n_in * sizeof(float)), *bias = normals(j->n_out, 3, 1.0);
    float *old = (float *)malloc(j->rows * j->n_out * sizeof(float));
    for (size_t i = 0; i < j->rows; i++) {
        size_t from = j->picked ? j->picked[i] : i;
        memcpy(rows + i * j->n_in, x + from * j->n_in, j->n_in * sizeof(float));
        for (size_t k = 0; k < j->n_out; k++) old[i * j->n_out + k] = x[from * j->n_in + k % j->n_in];
    }
    representable(rows, j->rows * j->n_in, w->type);
    w->aligned = !j->misaligned;
    pl_view xv = numbers(w, j->rows, j->spare, j->n_in, w->type, rows), none = {0}, counts = counts_of(w, j->rows);
    pl_view yv = guarded(w, j->rows + j->spare, j->n_out, j->accumulate ? PL_F32 : w->type, NULL);
    w->aligned = true;
    pl_view biasv = guarded(w, 1, j->n_out, PL_F32, bias), top = pl_view_rows(yv, 0, j->rows);
    if (j->accumulate) send(w, top, old);
    pl_linear_args args = {.counts = counts,
                           .count = PL_COUNT_ROWS,
                           .x = xv,
                           .weight = weight,
                           .bias = j->bias ? biasv : none,
                           .activation = j->activation,
                           .accumulate = j->accumulate,
                           .y = yv};
    must(pl_op_linear(&w->processor, w->stream, &args));
    void *y = fetch(w, top);
    check_guards(w, yv);
    RELEASE(w, &xv, &yv, &biasv, &counts);
    free(rows);
    free(bias);
    free(old);
    return y;
}

static size_t job_bytes(const world *w, const job *j)
{
    return j->rows * j->n_out * pl_dtype_bytes(j->accumulate ? PL_F32 : w->type);
}

/* ---- A row's bits, by the own product and by whoever is chosen ---- */

/* Row counts and widths that take each of the own product's tiles on a device of four processors, as the emulated one
 * is: 16 x 32 for up to 16 rows, 32 x 64 for up to 136 of [72], 128 x 128 for 300, 128 x 256 for [512]. */
static void check_rows(const char *product, pl_dtype compute, size_t n_in, size_t n_out, bool accumulate,
                       bool misaligned)
{
    enum { TOTAL = 300 };
    static const size_t counts[] = {1, 2, 15, 16, 17, 33, 64, 65, 136, 256};
    world w = open_with(product, NULL, compute);
    pl_weight *weight = weight_of(&w, n_out, n_in, 2);
    float *x = normals(TOTAL * n_in, 1, 1.0);
    job whole = {.rows = TOTAL, .n_in = n_in, .n_out = n_out, .bias = true, .accumulate = accumulate};
    whole.activation = accumulate ? PL_ACT_NONE : PL_ACT_GELU_TANH;
    whole.misaligned = misaligned;
    unsigned char *all = (unsigned char *)run(&w, weight, x, &whole);
    size_t row_bytes = job_bytes(&w, &whole) / TOTAL, picked[TOTAL];
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        job part = whole;
        part.rows = counts[i];
        part.spare = i % 3;
        part.picked = picked;
        pl_random_permutation(picked, TOTAL, part.rows, PL_RANDOM_TEST, (uint32_t)i);
        unsigned char *some = (unsigned char *)run(&w, weight, x, &part);
        for (size_t r = 0; r < part.rows; r++) {
            if (memcmp(some + r * row_bytes, all + picked[r] * row_bytes, row_bytes))
                fail_case("[%zu, %zu]: row %zu of %zu differs from the product of %d rows", n_out, n_in, r, part.rows,
                          TOTAL);
        }
        free(some);
    }
    free(all);
    free(x);
    w.processor.ops->weight_free(weight);
    world_close(&w);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t t = 0; t < TYPES; t++) {
        for (int accumulate = 0; accumulate < 2; accumulate++) {
            check_rows("own", types[t], 40, 72, accumulate, false);
            check_rows("own", types[t], 37, 70, accumulate, true);
            check_rows(NULL, types[t], 40, 72, accumulate, false);
        }
        check_rows("own", types[t], 16, 512, false, false);
        check_rows(NULL, types[t], 40, 72, false, true);
    }
}

/* Aligned views, misaligned views and capacities change nothing in the own product. */
static void test_places(void **state)
{
    (void)state;
    enum { ROWS = 21, IN = 40, OUT = 72 };
    for (size_t t = 0; t < TYPES; t++) {
        world w = open_with("own", NULL, types[t]);
        pl_weight *weight = weight_of(&w, OUT, IN, 2);
        float *x = normals(ROWS * IN, 1, 1.0);
        job plain = {.rows = ROWS, .n_in = IN, .n_out = OUT, .bias = true, .activation = PL_ACT_SILU}, other = plain;
        other.misaligned = true;
        other.spare = 150;
        void *a = run(&w, weight, x, &plain), *b = run(&w, weight, x, &other);
        assert_memory_equal(a, b, job_bytes(&w, &plain));
        free(a);
        free(b);
        free(x);
        w.processor.ops->weight_free(weight);
        world_close(&w);
    }
}

/* ---- The choice ---- */

/* One product with these settings; its bits. */
static void *bits_with(const char *product, const char *library, pl_dtype compute, const job *j)
{
    world w = open_with(product, library, compute);
    pl_weight *weight = weight_of(&w, j->n_out, j->n_in, 2);
    float *x = normals(j->rows * j->n_in, 1, 1.0);
    void *y = run(&w, weight, x, j);
    free(x);
    w.processor.ops->weight_free(weight);
    world_close(&w);
    return y;
}

/* The settings make the products of float32 by this maker. The stand-in rounds each product, the own product does not,
 * so their bits differ. */
static void made_by(const char *product, const char *library, const char *maker)
{
    static const job j = {.rows = 9, .n_in = 64, .n_out = 48, .bias = true};
    size_t bytes = 9 * 48 * sizeof(float);
    void *own = bits_with("own", NULL, PL_F32, &j), *blas = bits_with("cublas", NULL, PL_F32, &j);
    assert_true(memcmp(own, blas, bytes) != 0);
    void *got = bits_with(product, library, PL_F32, &j);
    if (memcmp(got, strcmp(maker, "own") ? blas : own, bytes)) fail_case("expected products of %s", maker);
    free(own);
    free(blas);
    free(got);
}

/* With cuBLASLt forced, a weight cannot be had, and the error says why. */
static void refused(const char *library, pl_dtype compute, size_t n_in, const char *why)
{
    world w = open_with("cublas", library, compute);
    pl_weight *weight;
    assert_int_equal(w.processor.ops->weight_create(w.processor.device, &weight, 48, n_in, compute), PL_E_UNSUPPORTED);
    assert_null(weight);
    if (!strstr(pl_error_text(), why)) fail_case("'%s' does not say '%s'", pl_error_text(), why);
    assert_non_null(strstr(pl_error_text(), "PLUMB_CUDA_PRODUCT=cublas"));
    world_close(&w);
}

static void test_choice(void **state)
{
    (void)state;
    if (!on_emulator()) skip();
    made_by(NULL, NULL, "cuBLASLt");
    made_by("", NULL, "cuBLASLt");
    made_by(NULL, "split", "cuBLASLt"); /* by its second proposal */
    made_by(NULL, "variant", "own");
    made_by(NULL, "narrow", "own");
    made_by(NULL, "absent", "own");
    made_by(NULL, "refuses", "own");
    made_by(NULL, "third", "cuBLASLt");
    for (size_t t = 0; t < TYPES; t++) {
        refused("variant", types[t], 64, ": bits differ"); /* a 16-bit result may hide it, a float32 one does not */
        refused("narrow", types[t], 64, "STORE: algorithms are refused");
        refused("refuses", types[t], 64, "STORE: algorithms are refused");
        refused("absent", types[t], 64, "CUBLAS_STATUS_NOT_INITIALIZED");
        refused(NULL, types[t], 63, "no multiple of 16 bytes");
    }
    world w = open_with("perhaps", NULL, PL_F32);
    pl_weight *weight;
    assert_int_equal(w.processor.ops->weight_create(w.processor.device, &weight, 48, 64, PL_F32), PL_E_USAGE);
    assert_non_null(strstr(pl_error_text(), "'perhaps': expected own, cublas, free, or nothing"));
    world_close(&w);
    unsetenv("PLUMB_CUDA_PRODUCT");
}

/* The text for the numerics key after weights of these widths, of which the first `n_freed` are freed again. */
static void products_of(char out[128], const char *product, const char *library, const size_t *widths, size_t n,
                        size_t n_freed)
{
    world w = open_with(product, library, PL_F32);
    pl_weight *weights[3];
    pl_device_facts facts;
    for (size_t i = 0; i < n; i++)
        must(w.processor.ops->weight_create(w.processor.device, &weights[i], 48, widths[i], PL_F32));
    for (size_t i = 0; i < n_freed; i++) w.processor.ops->weight_free(weights[i]);
    must(w.processor.ops->facts(w.processor.device, &facts));
    snprintf(out, 128, "%s", facts.products);
    for (size_t i = n_freed; i < n; i++) w.processor.ops->weight_free(weights[i]);
    world_close(&w);
}

/* The makers' text depends on the weights that exist, not on their order or on what was loaded before. */
static void test_key(void **state)
{
    (void)state;
    if (!on_emulator()) skip();
    static const size_t up[] = {32, 64, 32}, down[] = {64, 32, 64}, odd[] = {63, 32, 64};
    char text[128], other[128];
    products_of(text, NULL, NULL, up, 0, 0);
    assert_string_equal(text, "plumb");
    products_of(text, "own", NULL, up, 2, 0);
    assert_string_equal(text, "plumb");
    products_of(text, NULL, "absent", up, 2, 0);
    assert_string_equal(text, "plumb");
    products_of(text, NULL, NULL, up, 2, 0);
    if (strncmp(text, "cuBLASLt 1", 10) || !strstr(text, " (algorithms ") || !strstr(text, ") and plumb"))
        fail_case("products: %s", text);
    products_of(other, NULL, NULL, down, 2, 0);
    assert_string_equal(other, text);
    products_of(other, NULL, NULL, up, 3, 1);
    assert_string_equal(other, text);
    products_of(other, NULL, NULL, odd, 3, 1); /* a model before this one */
    assert_string_equal(other, text);
    products_of(other, NULL, NULL, odd, 3, 0); /* one more shape, which plumb makes */
    assert_string_not_equal(other, text);
    products_of(other, NULL, NULL, up, 1, 0);
    assert_string_not_equal(other, text);
    products_of(other, NULL, "rough", up, 2, 0); /* whose GELU is plumb's */
    assert_string_not_equal(other, text);
    products_of(other, "free", NULL, up, 2, 0);
    assert_non_null(strstr(other, "(chosen anew for each product)"));
    unsetenv("PLUMB_CUDA_PRODUCT");
    unsetenv("CUEMU_CUBLASLT");
}

/* A library whose GELU is rough makes the product but not the GELU. */
static void test_rough_gelu(void **state)
{
    (void)state;
    if (!on_emulator()) skip();
    const job j = {.rows = 9, .n_in = 64, .n_out = 48, .bias = true, .activation = PL_ACT_GELU_TANH};
    job linear = j;
    linear.activation = PL_ACT_NONE;
    for (int rough = 0; rough < 2; rough++) {
        float *z = (float *)bits_with("cublas", rough ? "rough" : NULL, PL_F32, &linear);
        float *y = (float *)bits_with("cublas", rough ? "rough" : NULL, PL_F32, &j);
        for (size_t i = 0; i < j.rows * j.n_out; i++)
            assert_true(fabs((double)y[i] - activate((double)z[i], PL_ACT_GELU_TANH)) < 1e-5);
        free(z);
        free(y);
    }
}

/* ---- Weights through the slots ---- */

/* One-hot rows read columns of the weight: column c, output o must be w[o][c] exactly. */
static void check_columns(const world *w, const pl_weight *weight, const float *values, size_t n_out, size_t n_in)
{
    enum { ROWS = 8 };
    size_t hot[ROWS];
    float *x = (float *)calloc(ROWS * n_in, sizeof(float));
    for (size_t r = 0; r < ROWS; r++) {
        hot[r] = r * (n_in - 1) / (ROWS - 1);
        x[r * n_in + hot[r]] = 1.0f;
    }
    pl_view xv = numbers(w, ROWS, 0, n_in, w->type, x), yv = guarded(w, ROWS, n_out, w->type, NULL);
    pl_view counts = counts_of(w, ROWS);
    pl_linear_args args = {.counts = counts, .count = PL_COUNT_ROWS, .x = xv, .weight = weight, .y = yv};
    must(pl_op_linear(&w->processor, w->stream, &args));
    float *y = fetch_numbers(w, yv);
    for (size_t r = 0; r < ROWS; r++) {
        for (size_t o = 0; o < n_out; o++) {
            if (y[r * n_out + o] != values[o * n_in + hot[r]])
                fail_case("[%zu, %zu]: weight (%zu, %zu) is %g, expected %g", n_out, n_in, o, hot[r],
                          (double)y[r * n_out + o], (double)values[o * n_in + hot[r]]);
        }
    }
    free(y);
    free(x);
    RELEASE(w, &xv, &yv, &counts);
}

static void check_slots(const world *w, size_t n_out, size_t n_in, pl_dtype from, pl_layout layout)
{
    pl_weight *weight;
    size_t n = n_out * n_in, element = pl_dtype_bytes(from);
    float *values = normals(n, 2, 0.3);
    representable(values, n, w->compute);
    representable(values, n, from);
    float *order = (float *)malloc(n * sizeof(float));
    for (size_t o = 0; o < n_out; o++) {
        for (size_t i = 0; i < n_in; i++)
            order[layout == PL_LAYOUT_OUT_IN ? o * n_in + i : i * n_out + o] = values[o * n_in + i];
    }
    unsigned char *rows = (unsigned char *)packed(order, n, from), *file = (unsigned char *)malloc(n * element + 1);
    memcpy(file + 1, rows, n * element); /* a file's numbers stand anywhere */
    must(w->processor.ops->weight_create(w->processor.device, &weight, n_out, n_in, w->compute));
    must(pl_weight_set(&w->processor, w->stream, weight, 0, n_out, file + 1, from, layout));
    memset(file, POISON_BYTE, n * element + 1); /* not needed any more */
    check_columns(w, weight, values, n_out, n_in);
    w->processor.ops->weight_free(weight);
    free(rows);
    free(file);
    free(order);
    free(values);
}

static void test_slots(void **state)
{
    (void)state;
    static const size_t shapes[][2] = {{5, 4999}, {4999, 5}, {130, 70}, {67, 33}}; /* a slot holds 4096 float32 */
    static const pl_dtype files[] = {PL_F32, PL_BF16, PL_F16};
    for (size_t t = 0; t < TYPES; t++) {
        world w = open_with("own", NULL, types[t]);
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
            for (size_t f = 0; f < 3; f++) {
                if (SMALL && (s + f + t) % 2) continue;
                check_slots(&w, shapes[s][0], shapes[s][1], files[f], PL_LAYOUT_OUT_IN);
                check_slots(&w, shapes[s][0], shapes[s][1], files[f], PL_LAYOUT_IN_OUT);
            }
        }
        world_close(&w);
    }
}

/* float32 numbers are rounded to nearest even, whole and in the transposed layout, and by weight_refresh. */
static void test_rounding(void **state)
{
    (void)state;
    static const float from[8] = {1.0f + 0x1p-8f,  1.0f + 0x1p-8f + 0x1p-20f, 1.0f + 3 * 0x1p-8f, -1.0f - 0x1p-8f,
                                  1.0f + 0x1p-11f, 1.0f + 3 * 0x1p-11f,       0x1p-30f,           65519.0f};
    static const float bf16[8] = {1.0f, 1.0f + 0x1p-7f, 1.0f + 0x1p-6f, -1.0f, 1.0f, 1.0f, 0x1p-30f, 65536.0f};
    static const float f16[8] = {from[0], 1.0f + 0x1p-8f, from[2], from[3], 1.0f, 1.0f + 0x1p-9f, 0.0f, 65504.0f};
    static const float tf32[8] = {from[0], 1.0f + 0x1p-8f, from[2], from[3], 1.0f, 1.0f + 0x1p-9f, 0x1p-30f, 65504.0f};
    const float *expected[] = {from, tf32, bf16, f16};
    for (size_t t = 0; t < TYPES; t++) {
        world w = open_with("own", NULL, types[t]);
        for (int way = 0; way < 3; way++) {
            pl_weight *weight;
            must(w.processor.ops->weight_create(w.processor.device, &weight, 1, 8, w.compute));
            pl_view view = guarded(&w, 1, 8, PL_F32, from);
            if (way == 2)
                must(pl_weight_refresh(&w.processor, w.stream, weight, view));
            else
                must(pl_weight_set(&w.processor, w.stream, weight, 0, 1, from, PL_F32,
                                   way ? PL_LAYOUT_IN_OUT : PL_LAYOUT_OUT_IN));
            check_columns(&w, weight, expected[t], 1, 8);
            RELEASE(&w, &view);
            w.processor.ops->weight_free(weight);
        }
        world_close(&w);
    }
}

/* ---- Recorded ---- */

static void test_recorded(void **state)
{
    (void)state;
    enum { ROWS = 19, IN = 64, OUT = 48 };
    static const char *const makers[] = {NULL, "own"};
    for (size_t i = 0; i < 2 * TYPES; i++) {
        world w = open_with(makers[i % 2], NULL, types[i / 2]);
        pl_weight *weight = weight_of(&w, OUT, IN, 2);
        float *x = normals(ROWS * IN, 1, 1.0), *bias = normals(OUT, 3, 1.0);
        representable(x, ROWS * IN, w.type);
        pl_view xv = numbers(&w, ROWS, 0, IN, w.type, x), yv = guarded(&w, ROWS, OUT, w.type, NULL);
        pl_view biasv = guarded(&w, 1, OUT, PL_F32, bias), counts = counts_of(&w, ROWS);
        pl_linear_args args = {.counts = counts,
                               .count = PL_COUNT_ROWS,
                               .x = xv,
                               .weight = weight,
                               .bias = biasv,
                               .activation = PL_ACT_GELU_TANH,
                               .y = yv};
        must(pl_op_linear(&w.processor, w.stream, &args));
        void *direct = fetch(&w, yv);
        poison(&w, yv);
        pl_graph *graph;
        must(w.processor.ops->record_begin(w.stream));
        must(pl_op_linear(&w.processor, w.stream, &args));
        must(w.processor.ops->record_end(w.stream, &graph));
        for (int again = 0; again < 2; again++) {
            poison(&w, yv);
            must(w.processor.ops->replay(w.stream, graph));
            void *replayed = fetch(&w, yv);
            assert_memory_equal(replayed, direct, ROWS * OUT * pl_dtype_bytes(w.type));
            free(replayed);
        }
        w.processor.ops->graph_free(graph);
        RELEASE(&w, &xv, &yv, &biasv, &counts);
        w.processor.ops->weight_free(weight);
        free(direct);
        free(x);
        free(bias);
        world_close(&w);
    }
}

/* ---- Of a backward pass ---- */

typedef struct backward_job {
    size_t rows, n_in, n_out;
    bool packed, accumulate_dx, recorded; /* packed: the weight has no master */
} backward_job;

/* Sums over rows and over outputs that are whole, cut into equal parts, and into unequal ones. */
static const backward_job backward_jobs[] = {
    {.rows = 9, .n_in = 64, .n_out = 48, .accumulate_dx = true},
    {.rows = 33, .n_in = 64, .n_out = 48},
    {.rows = 528, .n_in = 64, .n_out = 48},
    {.rows = 520, .n_in = 64, .n_out = 48},
    {.rows = 12, .n_in = 16, .n_out = 912},
    {.rows = 12, .n_in = 16, .n_out = 904, .accumulate_dx = true},
};
enum { BACKWARD_JOBS = sizeof backward_jobs / sizeof *backward_jobs };

static pl_weight *attached_weight(const world *w, pl_view *master, size_t n_out, size_t n_in, const float *values)
{
    pl_weight *weight;
    *master = guarded(w, n_out, n_in, PL_F32, values);
    must(pl_weight_attach(&w->processor, &weight, *master, w->compute));
    must(pl_weight_refresh(&w->processor, w->stream, weight, *master));
    return weight;
}

static void run_backward(const world *w, const pl_linear_backward_args *args, bool recorded)
{
    pl_graph *graph;
    if (!recorded) {
        must(pl_op_linear_backward(&w->processor, w->stream, args));
        return;
    }
    must(w->processor.ops->record_begin(w->stream));
    must(pl_op_linear_backward(&w->processor, w->stream, args));
    must(w->processor.ops->record_end(w->stream, &graph));
    must(w->processor.ops->replay(w->stream, graph));
    settle(w);
    w->processor.ops->graph_free(graph);
}

/* What linear_backward leaves: dx and behind it dweight, as they are stored. */
static unsigned char *backward_bits(const char *product, const char *library, pl_dtype compute, const backward_job *j,
                                    size_t *bytes)
{
    world w = open_with(product, library, compute);
    const size_t rows = j->rows, in = j->n_in, out = j->n_out;
    float *x = normals(rows * in, 1, 1.0), *dy = normals(rows * out, 4, 1.0), *values = normals(out * in, 2, 0.3);
    pl_view master = {0}, none = {0}, counts = counts_of(&w, rows), workspace;
    pl_weight *weight = j->packed ? weight_of(&w, out, in, 2) : attached_weight(&w, &master, out, in, values);
    pl_view xv = numbers(&w, rows, 0, in, w.type, x), dyv = numbers(&w, rows, 0, out, w.type, dy);
    pl_view dx = numbers(&w, rows, 0, in, w.type, x), dweight = guarded(&w, out, in, PL_F32, values);
    const size_t needed = w.processor.ops->linear_backward_workspace_bytes(rows, out, in, compute);
    must(pl_view_create(&w.processor, &workspace, 1, needed, PL_U8));
    const pl_linear_backward_args args = {.counts = counts,
                                          .count = PL_COUNT_ROWS,
                                          .x = xv,
                                          .dy = dyv,
                                          .weight = weight,
                                          .activation = PL_ACT_NONE,
                                          .dx = dx,
                                          .accumulate_dx = j->accumulate_dx,
                                          .dweight = dweight,
                                          .dbias = none,
                                          .workspace = workspace};
    run_backward(&w, &args, j->recorded);
    unsigned char *of_x = (unsigned char *)fetch(&w, dx), *of_w = (unsigned char *)fetch(&w, dweight);
    const size_t x_bytes = rows * in * pl_dtype_bytes(w.type), w_bytes = out * in * sizeof(float);
    *bytes = x_bytes + w_bytes;
    unsigned char *both = (unsigned char *)malloc(*bytes);
    memcpy(both, of_x, x_bytes);
    memcpy(both + x_bytes, of_w, w_bytes);
    check_guards(&w, dx);
    check_guards(&w, dweight);
    w.processor.ops->weight_free(weight);
    RELEASE(&w, &xv, &dyv, &dx, &dweight, &counts, &workspace);
    if (!j->packed) release(&w, &master);
    world_close(&w);
    free(of_x);
    free(of_w);
    free(x);
    free(dy);
    free(values);
    return both;
}

/* As made_by: both gradients of a job in float32. */
static void backward_made_by(const char *product, const char *library, const backward_job *j, const char *maker)
{
    size_t bytes;
    unsigned char *own = backward_bits("own", NULL, PL_F32, j, &bytes), *blas = NULL;
    backward_job attached = *j;
    attached.packed = false;
    blas = backward_bits("cublas", NULL, PL_F32, &attached, &bytes);
    unsigned char *got = backward_bits(product, library, PL_F32, j, &bytes);
    const size_t x_bytes = j->rows * j->n_in * sizeof(float);
    assert_true(memcmp(own, blas, x_bytes) != 0);
    assert_true(memcmp(own + x_bytes, blas + x_bytes, bytes - x_bytes) != 0);
    if (memcmp(got, strcmp(maker, "own") ? blas : own, bytes)) fail_case("expected gradients of %s", maker);
    free(own);
    free(blas);
    free(got);
}

/* With cuBLASLt forced, a weight cannot be attached, and the error says why; NULL: it can. */
static void attach(const char *library, pl_dtype compute, size_t n_out, const char *why)
{
    world w = open_with("cublas", library, compute);
    pl_weight *weight;
    pl_view master = guarded(&w, n_out, 64, PL_F32, NULL);
    const pl_status status = pl_weight_attach(&w.processor, &weight, master, compute);
    assert_int_equal(status, why ? PL_E_UNSUPPORTED : PL_OK);
    if (why) {
        assert_null(weight);
        assert_non_null(strstr(pl_error_text(), "backward products with a weight ["));
        if (!strstr(pl_error_text(), why)) fail_case("'%s' does not say '%s'", pl_error_text(), why);
    } else {
        w.processor.ops->weight_free(weight);
    }
    RELEASE(&w, &master);
    world_close(&w);
}

static void test_backward_choice(void **state)
{
    (void)state;
    if (!on_emulator()) skip();
    for (size_t i = 0; i < BACKWARD_JOBS; i++) {
        backward_job packed = backward_jobs[i];
        backward_made_by(NULL, NULL, &packed, "cuBLASLt");
        packed.packed = true;
        backward_made_by(NULL, NULL, &packed, "own");
    }
    const backward_job *j = &backward_jobs[0];
    backward_made_by(NULL, "split", j, "cuBLASLt");
    backward_made_by(NULL, "rough", j, "cuBLASLt");
    backward_made_by(NULL, "variant", j, "own");
    backward_made_by(NULL, "narrow", j, "own");
    backward_made_by(NULL, "absent", j, "own");
    backward_made_by(NULL, "unsteady", j, "own");
    backward_made_by(NULL, "forgetful", j, "own");
    backward_made_by(NULL, "refuses", j, "own");
    backward_made_by(NULL, "third", j, "cuBLASLt");
    for (size_t t = 0; t < TYPES; t++) {
        attach("unsteady", types[t], 48, "WEIGHT_ADD: bits differ");
        attach("forgetful", types[t], 48, "WEIGHT_ADD: values differ");
    }
    /* Modes that a shape does not have may be missing. */
    attach("uniform", PL_BF16, 48, NULL);
    attach("uniform", PL_BF16, 904, "INPUT_PARTS: no algorithm is proposed");
    unsetenv("PLUMB_CUDA_PRODUCT");
    unsetenv("CUEMU_CUBLASLT");
}

/* Twice the same bits, and of a replayed step, too, by whomever they are made. */
static void test_backward_again(void **state)
{
    (void)state;
    static const char *const makers[] = {"own", "cublas"};
    for (size_t i = 0; i < BACKWARD_JOBS * TYPES * 2; i++) {
        const char *maker = makers[i % 2];
        const pl_dtype type = types[i / 2 % TYPES];
        backward_job j = backward_jobs[i / 2 / TYPES];
        if (SMALL && i / 2 % TYPES != i / 2 / TYPES % TYPES) continue; /* each job in one type */
        size_t bytes;
        unsigned char *first = backward_bits(maker, NULL, type, &j, &bytes), *again = NULL, *replayed = NULL;
        again = backward_bits(maker, NULL, type, &j, &bytes);
        j.recorded = true;
        replayed = backward_bits(maker, NULL, type, &j, &bytes);
        assert_memory_equal(again, first, bytes);
        assert_memory_equal(replayed, first, bytes);
        free(first);
        free(again);
        free(replayed);
    }
    unsetenv("PLUMB_CUDA_PRODUCT");
}

/* An attached weight's gradients are part of the texts while it exists. */
static void test_backward_key(void **state)
{
    (void)state;
    if (!on_emulator()) skip();
    pl_device_facts before, with, after;
    pl_weight *attached;
    world w = open_with(NULL, NULL, PL_BF16);
    pl_weight *weight = weight_of(&w, 48, 64, 2);
    pl_view master = guarded(&w, 48, 64, PL_F32, NULL);
    must(w.processor.ops->facts(w.processor.device, &before));
    must(pl_weight_attach(&w.processor, &attached, master, w.compute));
    must(w.processor.ops->facts(w.processor.device, &with));
    w.processor.ops->weight_free(attached);
    must(w.processor.ops->facts(w.processor.device, &after));
    assert_string_not_equal(before.products, with.products);
    assert_string_equal(before.products, after.products);
    assert_string_equal(before.makers, after.makers);
    assert_null(strstr(before.makers, "backward"));
    if (!strstr(with.makers, "products of 1 weight shapes, plumb those of 0; backward of 1, plumb of 0"))
        fail_case("makers: %s", with.makers);
    w.processor.ops->weight_free(weight);
    RELEASE(&w, &master);
    world_close(&w);
}

int main(void)
{
    int missing = device_missing();
    if (missing) return missing;
    if (!on_cuda()) {
        printf("SKIP: this is about the CUDA backend (PLUMB_TEST_DEVICE is %s)\n", chosen_device());
        return EXIT_SKIPPED;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_key),
        cmocka_unit_test(test_rough_gelu),
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_rounding),
        cmocka_unit_test(test_recorded),
        cmocka_unit_test(test_backward_choice),
        cmocka_unit_test(test_backward_again),
        cmocka_unit_test(test_backward_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
