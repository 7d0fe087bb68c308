/* zero_tail: rows past the count become zero, the rows before and what stands between rows stay. */
#include "cases.h"

typedef struct shape {
    size_t rows, capacity, C;
} shape;
static const shape shapes[] = {{0, 3, 5}, {3, 3, 8}, {2, 70, 17}, {64, 65, 1}};

static case_use describe(size_t i, char text[128])
{
    snprintf(text, 128, "[%zu of %zu, %zu]", shapes[i].rows, shapes[i].capacity, shapes[i].C);
    return EVERY;
}

static void run(const world *w, size_t k)
{
    const shape *s = &shapes[k];
    float *x = normals(s->capacity * s->C, 1, 1.0);
    representable(x, s->capacity * s->C, w->type);
    pl_view xv = numbers(w, s->capacity, 0, s->C, w->type, x), counts = counts_of(w, s->rows);
    pl_zero_tail_args args = {.counts = counts, .count = PL_COUNT_TOKENS, .x = xv};
    RUN_OP(w, zero_tail, &args, (s->capacity - s->rows) * s->C * pl_dtype_bytes(w->type), 0);
    float *got = fetch_numbers(w, xv);
    for (size_t i = 0; i < s->capacity * s->C; i++) {
        float expected = i < s->rows * s->C ? x[i] : 0.0f;
        assert_memory_equal(&got[i], &expected, sizeof expected);
    }
    check_guards(w, xv);
    RELEASE(w, &xv, &counts);
    free(got);
    free(x);
}

static const case_table table = {
    .op = "zero_tail", .n = sizeof shapes / sizeof *shapes, .describe = describe, .run = run};

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {CASES(&table)};
    return CASES_MAIN(argc, argv, &table, tests);
}
