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

namespace cuemu
{

/* ---- Asynchronous copies ---- */

void copy_defer(void *shared, const void *global, int bytes, int line, const char *file)
{
    if (((uintptr_t)shared | (uintptr_t)global) & 15) die("cp.async address not 16-byte aligned", line, file);
    if (bytes < 0 || bytes > 16) die("cp.async size outside 0..16", line, file);
    CopyQueue &q = running->copies[(size_t)thread->linear];
    q.copies.push_back({shared, global, bytes, q.n_groups});
#if defined(CUEMU_ASAN)
    /* A wrong address is reported at the copy's place, not at the wait's. */
    for (int i = 0; i < bytes; i++) (void)((const volatile char *)global)[i];
    for (int i = 0; i < 16; i++) (void)((const volatile char *)shared)[i];
#endif
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
        if (c.bytes) kernel_reads(c.global, c.bytes);
        kernel_writes(c.shared, 16);
        for (int i = 0; i < 16; i++) ((char *)c.shared)[i] = i < c.bytes ? ((const char *)c.global)[i] : 0;
    }
    q.copies.erase(q.copies.begin(), q.copies.begin() + (long)n);
}

/* ---- ldmatrix: every lane reads the row that it names and hands it over; element (row, column) of matrix i goes to
 * lane row * 4 + column / 2, or with the transposed form column * 4 + row / 2, lower half first ---- */

void load_matrices(uint32_t (&r)[4], const void *row, bool transposed, int line, const char *file)
{
    if ((uintptr_t)row & 15) die("ldmatrix row address not 16-byte aligned", line, file);
    kernel_reads(row, 16);
    uint16_t elements[8];
    memcpy(elements, row, sizeof elements);
    Slot *slots = exchange(~0u, elements, sizeof elements, false, line, file);
    const int g = thread->lane / 4, t = thread->lane % 4;
    for (int i = 0; i < 4; i++) {
        uint16_t half[2];
        for (int j = 0; j < 2; j++) {
            int from_row = transposed ? 2 * t + j : g, column = transposed ? g : 2 * t + j;
            memcpy(&half[j], slots[8 * i + from_row] + 2 * column, 2);
        }
        r[i] = half[0] | (uint32_t)half[1] << 16;
    }
}

/* ---- mma.sync m16n8k16: fragments as in cuda/ptx.cuh ---- */

float float_of_bf16(uint16_t bits)
{
    return __bfloat162float(__ushort_as_bfloat16(bits));
}
float float_of_f16(uint16_t bits)
{
    return __half2float(__ushort_as_half(bits));
}

void multiply(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], float (*to_float)(uint16_t), int line,
              const char *file)
{
    struct Fragments {
        float a[4][2], b[2][2];
    } own;
    for (int i = 0; i < 4; i++) {
        own.a[i][0] = to_float((uint16_t)a[i]);
        own.a[i][1] = to_float((uint16_t)(a[i] >> 16));
    }
    for (int i = 0; i < 2; i++) {
        own.b[i][0] = to_float((uint16_t)b[i]);
        own.b[i][1] = to_float((uint16_t)(b[i] >> 16));
    }
    Slot *slots = exchange(~0u, &own, sizeof own, false, line, file);
    const int g = thread->lane / 4, t = thread->lane % 4;
    for (int i = 0; i < 4; i++) {
        const int lower = i / 2, column = 2 * t + i % 2; /* of C: row g + 8 lower */
        float sum = c[i];
        for (int k = 0; k < 16; k++) {
            const int part = k / 8, lane = k % 8 / 2, half = k % 2;
            const Fragments *from_a = (const Fragments *)slots[4 * g + lane];
            const Fragments *from_b = (const Fragments *)slots[4 * column + lane];
            sum += from_a->a[lower + 2 * part][half] * from_b->b[part][half];
        }
        c[i] = sum;
    }
}

} // namespace cuemu
