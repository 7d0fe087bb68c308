/* Asynchronous copies, ldmatrix and mma.sync (include/cuemu_ptx.h). */
#include "include/cuemu_ptx.h"

#include "block.h"
#include "include/cuda_bf16.h"
#include "include/cuda_fp16.h"

/* This file is not built with -fsanitize=thread: accesses on a kernel's behalf are announced. */
#if defined(CUEMU_TSAN)
extern "C" {
void __tsan_read_range(void *p, unsigned long bytes);
void __tsan_write_range(void *p, unsigned long bytes);
}
static void kernel_reads(const void *p, int bytes)
{
    __tsan_read_range((void *)p, (unsigned long)bytes);
}
static void kernel_writes(void *p, int bytes)
{
    __tsan_write_range(p, (unsigned long)bytes);
}
#else
static void kernel_reads(const void *, int)
{
}
static void kernel_writes(void *, int)
{
}
#endif

/* For what touches the emulator's own memory only: a test of attention spends its time here, so the sanitizers' checks
 * are saved. */
#define UNCHECKED __attribute__((no_sanitize("address", "undefined")))

namespace cuemu
{

/* ---- Asynchronous copies: one is made when it is asked for or when it is waited for, as the schedule says; the thread
 * sanitizer is told of both, as the hardware may make it at any time between them ---- */

static void make_copy(const Copy &c)
{
    for (int i = 0; i < 16; i++) ((char *)c.shared)[i] = i < c.bytes ? ((const char *)c.global)[i] : 0;
}

static void announce_copy(const Copy &c)
{
    if (c.bytes) kernel_reads(c.global, c.bytes);
    kernel_writes(c.shared, 16);
}

void copy_defer(void *shared, const void *global, int bytes, int line, const char *file)
{
    if (((uintptr_t)shared | (uintptr_t)global) & 15) die("cp.async address not 16-byte aligned", line, file);
    if (bytes < 0 || bytes > 16) die("cp.async size outside 0..16", line, file);
    CopyQueue &q = running->copies[(size_t)thread->linear];
    q.copies.push_back({shared, global, bytes, q.n_groups, running->schedule.arrives_at_once()});
    announce_copy(q.copies.back());
#if defined(CUEMU_ASAN)
    /* A wrong address is reported at the copy's place, not at the wait's. */
    for (int i = 0; i < bytes; i++) (void)((const volatile char *)global)[i];
    for (int i = 0; i < 16; i++) (void)((const volatile char *)shared)[i];
#endif
    if (q.copies.back().made) make_copy(q.copies.back());
}

void copy_commit()
{
    running->copies[(size_t)thread->linear].n_groups++;
}

void copy_wait(int groups_left)
{
    CopyQueue &q = running->copies[(size_t)thread->linear];
    size_t n = 0;
    while (n < q.copies.size() && q.copies[n].group + (unsigned)groups_left < q.n_groups) {
        const Copy &c = q.copies[n++];
        announce_copy(c);
        if (!c.made) make_copy(c);
    }
    q.copies.erase(q.copies.begin(), q.copies.begin() + (long)n);
}

/* ---- ldmatrix: every lane reads the row that it names and hands it over; element (row, column) of matrix i goes to
 * lane row * 4 + column / 2, or with the transposed form column * 4 + row / 2, lower half first ---- */

UNCHECKED static void unpack(uint32_t (&r)[4], const Slot *slots, bool transposed)
{
    const int g = thread->lane / 4, t = thread->lane % 4;
    for (int i = 0; i < 4; i++) {
        uint16_t half[2];
        for (int j = 0; j < 2; j++) {
            int row = transposed ? 2 * t + j : g, column = transposed ? g : 2 * t + j;
            memcpy(&half[j], slots[8 * i + row] + 2 * column, 2);
        }
        r[i] = half[0] | (uint32_t)half[1] << 16;
    }
}

void load_matrices(uint32_t (&r)[4], const void *row, bool transposed, int line, const char *file)
{
    if ((uintptr_t)row & 15) die("ldmatrix row address not 16-byte aligned", line, file);
    kernel_reads(row, 16);
    uint16_t elements[8];
    memcpy(elements, row, sizeof elements);
    unpack(r, exchange(~0u, elements, sizeof elements, false, line, file), transposed);
}

/* ---- mma.sync m16n8k16: fragments as in cuda/ptx.cuh ---- */

namespace
{
/* What a lane brings, and the sums that it takes away. */
struct Fragments {
    float a[4][2], b[2][2], c[4];
};
static_assert(sizeof(Fragments) <= MAX_EXCHANGE, "too large for an exchange");

/* The whole warp's product at once, in order of k. */
UNCHECKED void multiply_warp(Slot *slots)
{
    float a[16][16], b[16][8], c[16][8]; /* [row, k], [k, column], [row, column] */
    for (int lane = 0; lane < WARP; lane++) {
        const Fragments *f = (const Fragments *)slots[lane];
        const int g = lane / 4, t = lane % 4;
        for (int half = 0; half < 2; half++) {
            for (int i = 0; i < 4; i++) a[g + i % 2 * 8][2 * t + half + i / 2 * 8] = f->a[i][half];
            for (int i = 0; i < 2; i++) {
                b[2 * t + half + i * 8][g] = f->b[i][half];
                c[g + i * 8][2 * t + half] = f->c[2 * i + half];
            }
        }
    }
    for (int row = 0; row < 16; row++)
        for (int k = 0; k < 16; k++)
            for (int column = 0; column < 8; column++) c[row][column] += a[row][k] * b[k][column];
    for (int lane = 0; lane < WARP; lane++) {
        Fragments *f = (Fragments *)slots[lane];
        for (int i = 0; i < 4; i++) f->c[i] = c[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2];
    }
}
} // namespace

UNCHECKED float float_of_bf16(uint16_t bits)
{
    return __bfloat162float(__ushort_as_bfloat16(bits));
}
UNCHECKED float float_of_f16(uint16_t bits)
{
    return __half2float(__ushort_as_half(bits));
}

UNCHECKED void multiply(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], float (*to_float)(uint16_t),
                        int line, const char *file)
{
    Fragments own;
    for (int i = 0; i < 4; i++) {
        own.a[i][0] = to_float((uint16_t)a[i]);
        own.a[i][1] = to_float((uint16_t)(a[i] >> 16));
        own.c[i] = c[i];
    }
    for (int i = 0; i < 2; i++) {
        own.b[i][0] = to_float((uint16_t)b[i]);
        own.b[i][1] = to_float((uint16_t)(b[i] >> 16));
    }
    Slot *slots = exchange(~0u, &own, sizeof own, false, line, file, multiply_warp);
    memcpy(c, ((const Fragments *)slots[thread->lane])->c, sizeof c);
}

} // namespace cuemu
