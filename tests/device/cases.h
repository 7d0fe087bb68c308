/* One case table an op serves check, timing and list on every device.
 *
 *   test_norm               the checks
 *   test_norm --only TEXT   the checks of the cases whose line in the list holds TEXT
 *   test_norm --list        the cases of the chosen device, one a line: op, storage type, case
 *   test_norm --time        a line a case: op, type, case, ms (median), GB/s, GFLOP/s, separated by tabs; where the
 * case does not say its bytes or operations, "-". Large shapes (BENCH) run here only, and not under the emulator.
 *
 * A case's function sets up its views, runs the op by RUN_OP and, unless w->timing, checks what came out. */
#ifndef TESTS_DEVICE_CASES_H
#define TESTS_DEVICE_CASES_H

#include <time.h>

#include "world.h"

/* When a case runs: always; not under the emulator; in --time only. */
typedef enum case_use { EVERY, LARGE, BENCH } case_use;

typedef struct case_table {
    const char *op;
    size_t n;
    bool f32_only; /* types are part of the cases, or the op knows only float32 */
    bool tf32;     /* this compute type too */
    bool weights;  /* the op has a weight: the CPU's bfloat16, where there is that, concerns it */
    bool once;     /* the case itself varies threads and places */
    case_use (*describe)(size_t i, char text[128]);
    void (*run)(const world *w, size_t i);
} case_table;

/* Sizes around vector widths, warps and tiles. */
static const size_t edge_sizes[] = {1, 3, 7, 8, 9, 15, 17, 31, 33, 63, 64, 65, 127, 128, 129};
enum { EDGES = sizeof edge_sizes / sizeof *edge_sizes };

/* ---- Timing ---- */

enum { TIMED_ROUNDS = 9 };

/* Rounds of so many launches that a round takes about 2 ms; the first two find that number and are not counted. */
typedef struct op_timer {
    int round, launches, left;
    double begin_ms, ms[TIMED_ROUNDS + 2];
} op_timer;

static inline double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static inline int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static inline void print_time(double *ms, double bytes, double operations)
{
    qsort(ms, TIMED_ROUNDS, sizeof *ms, compare_doubles);
    double median = ms[TIMED_ROUNDS / 2];
    printf("%s\t%.5f\t", current_case, median);
    if (bytes > 0)
        printf("%.1f\t", bytes / median * 1e-6);
    else
        printf("-\t");
    if (operations > 0)
        printf("%.1f\n", operations / median * 1e-6);
    else
        printf("-\n");
    fflush(stdout);
}

/* Whether the op is to be launched once more. */
static inline bool launch_again(const world *w, op_timer *t, double bytes, double operations)
{
    if (!w->timing) return t->round++ == 0;
    if (t->left-- > 0) return true;
    settle(w);
    if (t->round > 0) t->ms[t->round - 1] = (now_ms() - t->begin_ms) / t->launches;
    if (t->round == TIMED_ROUNDS + 2) {
        print_time(t->ms + 2, bytes, operations);
        return false;
    }
    t->launches = t->round < 2 ? 1 : t->ms[1] > 2.0 ? 1 : t->ms[1] < 0.01 ? 200 : (int)(2.0 / t->ms[1]);
    t->left = t->launches - 1;
    t->round++;
    t->begin_ms = now_ms();
    return true;
}

/* Runs the op once, or times it; bytes that must move and operations of one launch, 0: not said. */
#define RUN_OP(w, op, args, bytes, operations)                                                                         \
    for (op_timer timer_ = {0}; launch_again((w), &timer_, (double)(bytes), (double)(operations));)                    \
    must(pl_op_##op(&(w)->processor, (w)->stream, (args)))

/* ---- The table ---- */

static inline size_t case_types(const case_table *t, pl_dtype types[4])
{
    size_t n = 0;
    types[n++] = PL_F32;
    if (!on_cuda() && t->weights && cpu_has_bf16()) types[n++] = PL_BF16;
    if (!on_cuda() && t->weights && cpu_has(PL_BF16X3)) types[n++] = PL_BF16X3;
    if (!on_cuda() || t->f32_only) return n;
    types[n++] = PL_BF16;
    types[n++] = PL_F16;
    if (t->tf32) types[n++] = PL_TF32;
    return n;
}

static const char *only_cases = ""; /* what a case's line must hold */

static inline bool choose_case(const case_table *t, size_t i, pl_dtype compute, bool timing)
{
    char text[128];
    case_use use = t->describe(i, text);
    snprintf(current_case, sizeof current_case, "%s\t%s\t%s", t->op, pl_dtype_name(compute), text);
    if (!strstr(current_case, only_cases)) return false;
    return use == EVERY || (!on_emulator() && (use == LARGE || timing));
}

/* first_type: the types before it in the device's list are left out. */
static inline void run_types(const case_table *t, int n_threads, bool timing, size_t first_type)
{
    pl_dtype types[4];
    size_t n_types = case_types(t, types);
    world w = world_open(n_threads);
    w.timing = timing;
    for (size_t k = first_type; k < n_types; k++) {
        w.compute = types[k];
        w.type = pl_activation_type(w.processor.ops, types[k]);
        for (size_t i = 0; i < t->n; i++) {
            if (!choose_case(t, i, types[k], timing)) continue;
            for (int aligned = 1; aligned >= 0; aligned--) {
                w.aligned = aligned;
                if (aligned || !(timing || t->once)) t->run(&w, i);
            }
        }
    }
    world_close(&w);
}

static inline void run_cases(const case_table *t, int n_threads, bool timing)
{
    run_types(t, n_threads, timing, 0);
}

/* A cmocka test: every case for every type of the device, at even and at odd places; on one CPU thread and on two.
 * Where the CPU multiplies bfloat16 by AMX, by AVX-512-BF16 as well. */
static inline void check_cases(void **state)
{
    const case_table *t = (const case_table *)*state;
    for (int threads = 1; threads <= (on_cuda() || t->once ? 1 : 2); threads++) run_cases(t, threads, false);
    if (!on_cuda() && t->weights && cpu_has_bf16() && !getenv("PLUMB_CPU")) {
        setenv("PLUMB_CPU", "avx512", 1);
        run_types(t, 1, false, 1);
        unsetenv("PLUMB_CPU");
    }
    current_case[0] = 0;
}

static inline size_t count_cases(const case_table *t)
{
    pl_dtype types[4];
    size_t n_types = case_types(t, types), n = 0;
    for (size_t k = 0; k < n_types; k++)
        for (size_t i = 0; i < t->n; i++) n += choose_case(t, i, types[k], false);
    return n;
}

static inline int list_cases(const case_table *t)
{
    pl_dtype types[4];
    size_t n_types = case_types(t, types);
    for (size_t k = 0; k < n_types; k++) {
        for (size_t i = 0; i < t->n; i++) {
            if (choose_case(t, i, types[k], false)) printf("%s\n", current_case);
        }
    }
    return 0;
}

/* The table's place in a list of cmocka tests; the list's other tests are checks only. */
#define CASES(table)                                                                                                   \
    {                                                                                                                  \
        .name = "cases", .test_func = check_cases, .initial_state = (void *)(uintptr_t)(table)                         \
    }

/* 77 after a line that says so when the device's backend does not have the op. */
static inline int op_missing(const char *op)
{
    bool has = true;
    world w = world_open(1);
#define X(name)                                                                                                        \
    if (strcmp(op, #name) == 0) has = w.processor.ops->unchecked.name != NULL;
    PL_OPS(X)
#undef X
    world_close(&w);
    if (has) return 0;
    printf("SKIP: device %s does not have op %s\n", chosen_device(), op);
    return EXIT_SKIPPED;
}

static inline int cases_main(int argc, char **argv, const case_table *t, const struct CMUnitTest *tests, size_t n)
{
    int missing = device_missing();
    if (!missing) missing = op_missing(t->op);
    if (missing) return missing;
    if (argc == 2 && strcmp(argv[1], "--list") == 0) return list_cases(t);
    if (argc == 2 && strcmp(argv[1], "--time") == 0) {
        run_cases(t, 0, true); /* no cmocka test: what fails ends the program */
        return 0;
    }
    if (argc == 3 && strcmp(argv[1], "--only") == 0) {
        const struct CMUnitTest some = CASES(t);
        only_cases = argv[2];
        if (!count_cases(t)) {
            printf("no case has '%s' in its name; --list prints the names\n", only_cases);
            return 1;
        }
        return _cmocka_run_group_tests(t->op, &some, 1, NULL, NULL);
    }
    if (argc > 1) {
        fprintf(stderr, "%s: expected --list, --time, --only TEXT or nothing\n", argv[0]);
        return 2;
    }
    return _cmocka_run_group_tests(t->op, tests, n, NULL, NULL);
}

#define CASES_MAIN(argc, argv, table, tests) cases_main(argc, argv, table, tests, sizeof(tests) / sizeof *(tests))

#endif
