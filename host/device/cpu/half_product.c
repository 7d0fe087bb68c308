/* Products in bfloat16, or in three parts of it, by AMX or AVX-512-BF16. Compiled for both (CMakeLists.txt);
 * pl__half_find says what the CPU has.
 *
 * As in gemm.c, k is cut into blocks. The block of x is rounded or split once a tile, the block of a panel of b is
 * brought into pairs of k (from a master on the fly: an attached weight has no copy that could be out of date). */
#include "device/cpu/half_product.h"

#if defined(__AVX512BF16__) && defined(__AMX_BF16__)

#include <immintrin.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "device/cpu/half_pack.h"

/* Blocks of k: with their three parts, those of a panel (36 KiB) fit the first cache. */
enum { K_BLOCK = 512, K_BLOCK_SPLIT = 192, BLOCK_MOST = PL__HALF_PARTS * K_BLOCK_SPLIT, PANEL = PL__HALF_PANEL };

typedef struct panel_block {
    _Alignas(64) uint16_t b[BLOCK_MOST * PANEL];
} panel_block;

/* ---- The kernels ---- */

/* Tiles of 16 rows of 64 bytes: 0-3 sums, 4 and 5 of a, 6 and 7 of b. Constant, since compilers do not all see that the
 * whole of it is read. */
static void configure_tiles(void)
{
    static const struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } config = {.palette = 1, .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64}, .rows = {16, 16, 16, 16, 16, 16, 16, 16}};
    _tile_loadconfig(&config);
}

/* Sums of 32 rows (16 without `two`) and two tiles of columns. */
PL__INLINE void load_sums(const float *c, size_t c_stride, bool fresh, bool two)
{
    const size_t bytes = c_stride * sizeof *c;
    if (fresh) {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
        return;
    }
    _tile_loadd(0, c, bytes);
    _tile_loadd(1, c + 16, bytes);
    if (!two) return;
    _tile_loadd(2, c + 16 * c_stride, bytes);
    _tile_loadd(3, c + 16 * c_stride + 16, bytes);
}

PL__INLINE void store_sums(float *c, size_t c_stride, bool two)
{
    const size_t bytes = c_stride * sizeof *c;
    _tile_stored(0, c, bytes);
    _tile_stored(1, c + 16, bytes);
    if (!two) return;
    _tile_stored(2, c + 16 * c_stride, bytes);
    _tile_stored(3, c + 16 * c_stride + 16, bytes);
}

static void amx_product(const pl__half_args *p)
{
    const size_t a_bytes = p->a_stride * sizeof *p->a, b_bytes = 4 * PANEL;
    configure_tiles();
    for (size_t r = 0; r < p->rows; r += 32) {
        const bool two = p->rows - r > 16;
        const uint16_t *a = p->a + r * p->a_stride, *b = p->b;
        load_sums(p->c + r * p->c_stride, p->c_stride, p->fresh, two);
        for (size_t k = 0; k < p->k; k += PL__HALF_K, b += PL__HALF_K * PANEL) {
            _tile_loadd(4, a + k, a_bytes);
            _tile_loadd(6, b, b_bytes);
            _tile_loadd(7, b + PANEL, b_bytes);
            _tile_dpbf16ps(0, 4, 6);
            _tile_dpbf16ps(1, 4, 7);
            if (!two) continue;
            _tile_loadd(5, a + 16 * p->a_stride + k, a_bytes);
            _tile_dpbf16ps(2, 5, 6);
            _tile_dpbf16ps(3, 5, 7);
        }
        store_sums(p->c + r * p->c_stride, p->c_stride, two);
    }
    _tile_release();
}

/* Products of the tiles that are loaded, of the lower 16 rows only where there are any. */
#define MULTIPLY(two)                                                                                                  \
    do {                                                                                                               \
        _tile_dpbf16ps(0, 4, 6);                                                                                       \
        _tile_dpbf16ps(1, 4, 7);                                                                                       \
        if (!(two)) break;                                                                                             \
        _tile_dpbf16ps(2, 5, 6);                                                                                       \
        _tile_dpbf16ps(3, 5, 7);                                                                                       \
    } while (0)

/* The six products of 32 k whose size is 2^-16 and above, in an order that loads one side's tiles for each: 14 loads
 * for 24 products. a, b: the parts of this k, one after another. */
PL__INLINE void amx_split_block(const uint16_t *a, size_t a_stride, const uint16_t *b, bool two)
{
    enum { H, M, L };
    const size_t a_bytes = a_stride * sizeof *a, b_bytes = 4 * PANEL;
#define LOAD_A(part)                                                                                                   \
    do {                                                                                                               \
        _tile_loadd(4, a + (part)*PL__HALF_K, a_bytes);                                                                \
        if (two) _tile_loadd(5, a + 16 * a_stride + (part)*PL__HALF_K, a_bytes);                                       \
    } while (0)
#define LOAD_B(part)                                                                                                   \
    do {                                                                                                               \
        _tile_loadd(6, b + (part)*PL__HALF_K * PANEL, b_bytes);                                                        \
        _tile_loadd(7, b + (part)*PL__HALF_K * PANEL + PANEL, b_bytes);                                                \
    } while (0)
    LOAD_A(L);
    LOAD_B(H);
    MULTIPLY(two);
    LOAD_A(M);
    MULTIPLY(two);
    LOAD_B(M);
    MULTIPLY(two);
    LOAD_A(H);
    MULTIPLY(two);
    LOAD_B(L);
    MULTIPLY(two);
    LOAD_B(H);
    MULTIPLY(two);
#undef LOAD_A
#undef LOAD_B
}

static void amx_split_product(const pl__half_args *p)
{
    enum { A_STEP = PL__HALF_PARTS * PL__HALF_K, B_STEP = A_STEP * PANEL };
    const size_t steps = p->k / PL__HALF_K;
    configure_tiles();
    for (size_t r = 0; r < p->rows; r += 32) {
        const bool two = p->rows - r > 16;
        const uint16_t *a = p->a + r * p->a_stride, *b = p->b;
        load_sums(p->c + r * p->c_stride, p->c_stride, p->fresh, two);
        if (two) {
            for (size_t i = 0; i < steps; i++) amx_split_block(a + i * A_STEP, p->a_stride, b + i * B_STEP, true);
        } else {
            for (size_t i = 0; i < steps; i++) amx_split_block(a + i * A_STEP, p->a_stride, b + i * B_STEP, false);
        }
        store_sums(p->c + r * p->c_stride, p->c_stride, two);
    }
    _tile_release();
}

/* rows: a constant of the caller; all sums are registers. */
PL__INLINE void bf16_block(const pl__half_args *p, size_t first, const int rows)
{
    __m512 sum[2 * PL__ROWS];
    const uint16_t *a = p->a + first * p->a_stride, *b = p->b;
    float *c = p->c + first * p->c_stride;
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++) {
        sum[2 * r] = p->fresh ? _mm512_setzero_ps() : _mm512_loadu_ps(c + (size_t)r * p->c_stride);
        sum[2 * r + 1] = p->fresh ? _mm512_setzero_ps() : _mm512_loadu_ps(c + (size_t)r * p->c_stride + 16);
    }
    for (size_t k = 0; k < p->k; k += 2, b += 2 * PANEL) {
        const __m512bh left = (__m512bh)_mm512_loadu_si512(b), right = (__m512bh)_mm512_loadu_si512(b + PANEL);
#pragma GCC unroll 12
        for (int r = 0; r < rows; r++) {
            int32_t pair;
            memcpy(&pair, a + (size_t)r * p->a_stride + k, 4);
            const __m512bh x = (__m512bh)_mm512_set1_epi32(pair);
            sum[2 * r] = _mm512_dpbf16_ps(sum[2 * r], x, left);
            sum[2 * r + 1] = _mm512_dpbf16_ps(sum[2 * r + 1], x, right);
        }
    }
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++) {
        _mm512_storeu_ps(c + (size_t)r * p->c_stride, sum[2 * r]);
        _mm512_storeu_ps(c + (size_t)r * p->c_stride + 16, sum[2 * r + 1]);
    }
}

static void bf16_product(const pl__half_args *p)
{
    size_t r = 0;
    for (; p->rows - r >= 12; r += 12) bf16_block(p, r, 12);
    for (; p->rows - r >= 4; r += 4) bf16_block(p, r, 4);
    for (; r < p->rows; r++) bf16_block(p, r, 1);
}

/* ---- Tiles ---- */

/* A panel of a weight packed in bfloat16 from its other side: its panels hold pairs of what are columns here. */
static void panel_across(uint16_t *to, const pl__side *b, size_t first, size_t k, size_t n, size_t n_padded,
                         size_t columns)
{
    const uint16_t *from = (const uint16_t *)b->data;
    memset(to, 0, n_padded * PANEL * sizeof *to);
    for (size_t i = 0; i < n; i++) {
        const uint16_t *panel = from + (k + i) / PANEL * b->stride + (k + i) % PANEL * 2;
        for (size_t j = 0; j < columns; j++)
            to[(i / 2 * PANEL + j) * 2 + i % 2] = panel[(first + j) / 2 * (2 * PANEL) + (first + j) % 2];
    }
}

/* b[k .. k + n, first ..] of one panel, made in `block` unless it lies so. */
static const uint16_t *block_of(panel_block *block, const pl__side *b, size_t first, size_t k, size_t n,
                                size_t n_padded)
{
    const size_t columns = pl__least(b->columns - first, PANEL);
    const int parts = b->half->parts;
    if (b->lies == PL__IN_COLUMNS) {
        pl__panel_of_columns(block->b, b->data + first * b->stride + k, b->stride, n, n_padded, columns, parts);
    } else if (b->lies == PL__IN_ROWS) {
        pl__panel_of_rows(block->b, b->data + k * b->stride + first, b->stride, n, n_padded, columns, parts);
    } else if (b->lies == PL__IN_PANELS) {
        if (parts == 1) return (const uint16_t *)b->data + first / PANEL * b->stride + k * PANEL;
        pl__panel_of_rows(block->b, b->data + first / PANEL * b->stride + k * PANEL, PANEL, n, n_padded, PANEL, parts);
    } else if (parts == 1) {
        panel_across(block->b, b, first, k, n, n_padded, columns);
    } else { /* panels of 32 k: rows of k, PANEL apart */
        for (size_t i = 0; i < n; i += PANEL)
            pl__panel_of_columns(block->b + i * PANEL * PL__HALF_PARTS,
                                 b->data + (k + i) / PANEL * b->stride + first * PANEL, PANEL, pl__least(n - i, PANEL),
                                 PANEL, columns, parts);
    }
    return block->b;
}

void pl__half_tile(pl__tile *tile, const float *x, size_t x_stride, size_t rows, const pl__side *b, size_t first_column,
                   size_t n_columns)
{
    _Alignas(64) uint16_t a[PL__TILE_TALL * BLOCK_MOST];
    panel_block block;
    const int parts = b->half->parts;
    const size_t n_panels = (n_columns + PANEL - 1) / PANEL, most = parts == 1 ? K_BLOCK : K_BLOCK_SPLIT;
    const size_t a_stride = most * (size_t)parts;
    for (size_t k = 0; k < b->k; k += most) {
        const size_t n = pl__least(b->k - k, most), n_padded = pl__half_padded(n);
        for (size_t r = 0; r < rows; r++) pl__half_row(a + r * a_stride, x + r * x_stride + k, n, n_padded, parts);
        for (size_t r = rows; r % 16; r++) memset(a + r * a_stride, 0, n_padded * (size_t)parts * sizeof *a);
        for (size_t p = 0; p < n_panels; p++) {
            const pl__half_args args = {.a = a,
                                        .b = block_of(&block, b, first_column + p * PANEL, k, n, n_padded),
                                        .a_stride = a_stride,
                                        .rows = rows,
                                        .k = n_padded,
                                        .c = tile->z + p * PANEL,
                                        .c_stride = tile->stride,
                                        .fresh = k == 0};
            b->half->product(&args);
        }
    }
}

/* ---- Gradients of weights ---- */

enum { ROW_BLOCK = 384, ROW_STRIDE = ROW_BLOCK + 32, A_STRIDE = BLOCK_MOST + 32 };

typedef struct gradient_scratch {
    _Alignas(64) float z[PL__GRADIENT_OUTS * ROW_STRIDE]; /* [outs, rows] */
    _Alignas(64) uint16_t a[PL__GRADIENT_OUTS * A_STRIDE];
    _Alignas(64) float edge[PL__GRADIENT_OUTS * PANEL];
} gradient_scratch;

/* g->dweight's panel at `column` += z x for one block of rows; by way of `edge` where a whole panel of whole 16 outputs
 * would be more than there is. */
static void gradient_panel(gradient_scratch *w, const pl__gradient *g, pl__half_args *args, size_t first_out,
                           size_t column)
{
    const size_t columns = pl__least(g->n_in - column, PANEL), stride = g->dweight_stride;
    float *c = g->dweight + first_out * stride + column;
    args->c = c;
    args->c_stride = stride;
    if (columns == PANEL && args->rows % 16 == 0) {
        g->half->product(args);
        return;
    }
    memset(w->edge, 0, sizeof w->edge);
    for (size_t o = 0; o < args->rows; o++) memcpy(w->edge + o * PANEL, c + o * stride, columns * sizeof *c);
    args->c = w->edge;
    args->c_stride = PANEL;
    g->half->product(args);
    for (size_t o = 0; o < args->rows; o++) memcpy(c + o * stride, w->edge + o * PANEL, columns * sizeof *c);
}

void pl__half_gradient_tile(const pl__gradient *g, size_t first_out, size_t n_out)
{
    gradient_scratch w;
    const int parts = g->half->parts;
    const size_t panel = pl__half_padded(g->rows) * PANEL * (size_t)parts,
                 most = parts == 1 ? ROW_BLOCK : K_BLOCK_SPLIT;
    for (size_t row = 0; row < g->rows; row += most) {
        const size_t rows = pl__least(g->rows - row, most), padded = pl__half_padded(rows);
        pl__transpose(w.z, ROW_STRIDE, g->z + row * g->z_stride + first_out, g->z_stride, rows, n_out);
        for (size_t o = 0; o < n_out; o++) pl__half_row(w.a + o * A_STRIDE, w.z + o * ROW_STRIDE, rows, padded, parts);
        for (size_t o = n_out; o % 16; o++) memset(w.a + o * A_STRIDE, 0, padded * (size_t)parts * sizeof *w.a);
        for (size_t column = 0; column < g->n_in; column += PANEL) {
            const uint16_t *x = (const uint16_t *)g->x + column / PANEL * panel + row * PANEL * (size_t)parts;
            pl__half_args args = {.a = w.a, .b = x, .a_stride = A_STRIDE, .rows = n_out, .k = padded};
            for (size_t o = 0; o < n_out && g->n_in - column >= 2 * PANEL; o++) {
                const float *next = g->dweight + (first_out + o) * g->dweight_stride + column + PANEL;
                __builtin_prefetch(next, 1, 2); /* on their way meanwhile */
                __builtin_prefetch(next + 16, 1, 2);
            }
            gradient_panel(&w, g, &args, first_out, column);
        }
    }
}

void pl__half_pack_panels(float *to, const float *x, size_t x_stride, size_t rows, size_t columns, int n_threads,
                          int parts)
{
    const size_t padded = pl__half_padded(rows);
#pragma omp parallel for num_threads(n_threads) schedule(static)
    for (size_t column = 0; column < columns; column += PANEL)
        pl__panel_of_rows((uint16_t *)to + column * padded * (size_t)parts, x + column, x_stride, rows, padded,
                          pl__least(columns - column, PANEL), parts);
}

/* ---- What the CPU has ---- */

static const pl__half half_amx = {"amx-bf16", 1, amx_product}, half_avx512 = {"avx512-bf16", 1, bf16_product};
static const pl__half split_amx = {"amx-bf16x3", PL__HALF_PARTS, amx_split_product};

/* The kernel keeps the tiles of a thread only for processes that ask. */
static bool tiles_allowed(void)
{
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
    return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}

/* The bits of leaf 7: what __builtin_cpu_supports does not name in every compiler. */
static void leaf7(uint32_t subleaf, uint32_t *eax, uint32_t *edx)
{
    uint32_t ebx, ecx;
    __asm__("cpuid" : "=a"(*eax), "=b"(ebx), "=c"(ecx), "=d"(*edx) : "a"(7), "c"(subleaf));
}

const pl__half *pl__half_find(bool amx, bool split)
{
    uint32_t eax, edx, eax1, edx1;
    leaf7(0, &eax, &edx);
    if (eax < 1) return NULL;
    leaf7(1, &eax1, &edx1);
    if (!(eax1 >> 5 & 1)) return NULL;                       /* AVX512_BF16 */
    const bool has_amx = (edx >> 22 & 1) && (edx >> 24 & 1); /* AMX-BF16, AMX-TILE */
    if (amx && has_amx && tiles_allowed()) return split ? &split_amx : &half_amx;
    return split ? NULL : &half_avx512; /* whose three parts would be slower than float32 */
}

#else

const pl__half *pl__half_find(bool amx, bool split)
{
    (void)amx, (void)split;
    return NULL;
}

/* Never called: no side and no gradient has a `half` then. */
void pl__half_tile(pl__tile *tile, const float *x, size_t x_stride, size_t rows, const pl__side *b, size_t first_column,
                   size_t n_columns)
{
    (void)tile, (void)x, (void)x_stride, (void)rows, (void)b, (void)first_column, (void)n_columns;
}
void pl__half_gradient_tile(const pl__gradient *g, size_t first_out, size_t n_out)
{
    (void)g, (void)first_out, (void)n_out;
}
void pl__half_pack_panels(float *to, const float *x, size_t x_stride, size_t rows, size_t columns, int n_threads,
                          int parts)
{
    (void)to, (void)x, (void)x_stride, (void)rows, (void)columns, (void)n_threads, (void)parts;
}

#endif
