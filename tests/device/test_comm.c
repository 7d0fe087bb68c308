/* Ranks, each a process: what is exchanged, gathered and broadcast arrives whole and where it belongs; a rank that is
 * killed, leaves or asks for an end never leaves another waiting. */
#include "tests.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"
#include "device/chosen.h"

enum { MOST = 5, LIMIT_S = 60 };

/* What the processes of a group share. */
typedef struct common {
    uint8_t id[PL_COMM_ID_BYTES];
    volatile int made;
} common;

typedef struct rank {
    common *common;
    int rank, size;
    pl_processor processor;
    pl_stream *stream;
    pl_comm *comm;
} rank;

static void nap(long ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000 * 1000};
    nanosleep(&pause, NULL);
}

/* Rank r has device r, where there are several. */
static void open_rank(rank *r)
{
    char name[64];
    snprintf(name, sizeof name, on_cuda() ? "%s:%d" : "%s", chosen_device(), r->rank);
    OK(pl_processor_open(&r->processor, name, 1));
    if (r->rank == 0) {
        OK(pl_comm_id(&r->processor, r->common->id));
        __sync_synchronize();
        r->common->made = 1;
    }
    while (!r->common->made) nap(1);
    __sync_synchronize();
    OK(r->processor.ops->stream_create(r->processor.device, &r->stream));
    OK(pl_comm_create(&r->processor, &r->comm, r->common->id, r->rank, r->size));
}

static void close_rank(rank *r)
{
    r->processor.ops->comm_free(r->comm);
    r->processor.ops->stream_free(r->stream);
    pl_processor_close(&r->processor);
}

/* Runs `work` as each rank in a process of its own; statuses[r] as waitpid has them. Nobody may take longer than the
 * limit. */
typedef void work(rank *r);
static void run_ranks(int size, work *f, int statuses[MOST])
{
    pid_t children[MOST];
    common *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(shared != MAP_FAILED);
    for (int k = 0; k < size; k++) {
        children[k] = fork();
        assert_true(children[k] >= 0);
        if (children[k] == 0) {
            rank r = {.common = shared, .rank = k, .size = size};
            open_rank(&r);
            f(&r);
            _exit(0);
        }
    }
    const double begun = pl_clock_s();
    for (int k = 0; k < size; k++) {
        while (waitpid(children[k], &statuses[k], WNOHANG) == 0) {
            if (pl_clock_s() - begun > LIMIT_S) {
                for (int i = k; i < size; i++) kill(children[i], SIGKILL);
                fail_msg("rank %d of %d still waits after %d s", k, size, LIMIT_S);
            }
            nap(2);
        }
    }
    (void)munmap(shared, sizeof *shared);
}

static void all_well(int size, work *f)
{
    int statuses[MOST];
    run_ranks(size, f, statuses);
    for (int k = 0; k < size; k++)
        if (statuses[k] != 0) fail_msg("rank %d of %d: wait status %d", k, size, statuses[k]);
}

/* ---- What arrives ---- */

/* Differs for every sender, receiver, place and call. */
static float value(int from, int to, size_t i, int turn)
{
    return (float)((size_t)from * 1009 + (size_t)to * 31 + i * 7 + (size_t)turn * 100003) * 0.5F;
}

static float *numbers(size_t n)
{
    float *values = calloc(n + 1, sizeof *values);
    assert_non_null(values);
    return values;
}

static void must_hold(float got, float expected, const char *what, size_t i)
{
    if (got == expected) return;
    print_error("%s: element %zu is %g, expected %g\n", what, i, (double)got, (double)expected);
    _exit(1);
}

static void try_size(rank *r, size_t n, int turn)
{
    const size_t size = (size_t)r->size;
    float *host = numbers(size * n), *back = numbers(size * n);
    pl_view from, to, part;
    OK(pl_view_create(&r->processor, &from, size, n, PL_F32));
    OK(pl_view_create(&r->processor, &to, size, n, PL_F32));
    OK(pl_view_create(&r->processor, &part, 1, n, PL_F32));

    for (size_t k = 0; k < size; k++)
        for (size_t i = 0; i < n; i++) host[k * n + i] = value(r->rank, (int)k, i, turn);
    OK(pl_upload(&r->processor, r->stream, from, host));
    OK(pl_comm_exchange(&r->processor, r->stream, r->comm, from, to));
    OK(pl_download(&r->processor, r->stream, back, to));
    OK(r->processor.ops->stream_wait(r->stream));
    OK(r->processor.ops->comm_check(r->comm));
    for (size_t k = 0; k < size; k++)
        for (size_t i = 0; i < n; i++)
            must_hold(back[k * n + i], value((int)k, r->rank, i, turn), "exchange", k * n + i);

    OK(pl_upload(&r->processor, r->stream, part, host));
    OK(pl_comm_gather(&r->processor, r->stream, r->comm, part, to));
    OK(pl_download(&r->processor, r->stream, back, to));
    OK(r->processor.ops->stream_wait(r->stream));
    for (size_t k = 0; k < size; k++)
        for (size_t i = 0; i < n; i++) must_hold(back[k * n + i], value((int)k, 0, i, turn), "gather", k * n + i);

    const int root = turn % r->size;
    OK(pl_comm_broadcast(&r->processor, r->stream, r->comm, part, root));
    OK(pl_download(&r->processor, r->stream, back, part));
    OK(r->processor.ops->stream_wait(r->stream));
    for (size_t i = 0; i < n; i++) must_hold(back[i], value(root, 0, i, turn), "broadcast", i);

    pl_view_free(&r->processor, &from);
    pl_view_free(&r->processor, &to);
    pl_view_free(&r->processor, &part);
    free(host);
    free(back);
}

static void try_sizes(rank *r)
{
    const size_t sizes[] = {1, 3, 64, 1000, 70001, 300000};
    for (int turn = 0; turn < 12; turn++) try_size(r, sizes[turn % 6], turn);
    close_rank(r);
}

static void test_arrives(void **state)
{
    (void)state;
    for (int size = 1; size <= MOST; size++) all_well(size, try_sizes);
}

/* ---- Ends ---- */

/* Gathers until that fails, which must be another rank's doing. */
static void gather_until_it_fails(rank *r, int most)
{
    pl_view part, all;
    pl_status status = PL_OK;
    OK(pl_view_create(&r->processor, &part, 1, 50000, PL_F32));
    OK(pl_view_create(&r->processor, &all, (size_t)r->size, 50000, PL_F32));
    for (int i = 0; i < most && status == PL_OK; i++) {
        status = pl_comm_gather(&r->processor, r->stream, r->comm, part, all);
        if (status == PL_OK) status = r->processor.ops->stream_wait(r->stream);
        if (status == PL_OK) status = r->processor.ops->comm_check(r->comm);
    }
    if (most == 1000000 && status != PL_E_RANK) {
        print_error("rank %d: %s: %s\n", r->rank, pl_status_text(status), pl_error_text());
        _exit(1);
    }
    pl_view_free(&r->processor, &part);
    pl_view_free(&r->processor, &all);
}

static void *end_soon(void *user)
{
    rank *r = user;
    nap(on_cuda() ? 500 : 50);
    r->processor.ops->comm_abort(r->comm);
    return NULL;
}

/* NCCL does not see that a process is gone, and an end is its own rank's: there each rank has somebody who makes one
 * (host/train/ranks.c). */
static void gather_to_the_end(rank *r, bool ends)
{
    pthread_t thread;
    ends = ends || on_cuda();
    if (ends) assert_int_equal(pthread_create(&thread, NULL, end_soon, r), 0);
    gather_until_it_fails(r, 1000000);
    if (ends) pthread_join(thread, NULL);
}

static void one_is_killed(rank *r)
{
    if (r->rank == r->size - 1) {
        gather_until_it_fails(r, 3);
        raise(SIGKILL);
    }
    gather_to_the_end(r, false);
    close_rank(r);
}

static void one_leaves(rank *r)
{
    gather_until_it_fails(r, r->rank == 0 ? 3 : 1000000);
    close_rank(r);
}

/* Rank 0 waits for a rank that never comes, until another thread of its own makes an end. */
static void one_makes_an_end(rank *r)
{
    if (r->rank == 1)
        nap(1000);
    else
        gather_to_the_end(r, r->rank == 0);
    close_rank(r);
}

static void test_ends(void **state)
{
    (void)state;
    int statuses[MOST];
    for (int size = 2; size <= 4; size++) {
        run_ranks(size, one_is_killed, statuses);
        for (int k = 0; k < size - 1; k++) assert_int_equal(statuses[k], 0);
        assert_true(WIFSIGNALED(statuses[size - 1]) && WTERMSIG(statuses[size - 1]) == SIGKILL);
        all_well(size, one_makes_an_end);
    }
    if (!on_cuda()) all_well(3, one_leaves); /* NCCL tells nobody that a rank has left: processes end */
}

/* ---- Wrong calls ---- */

static void calls_differ(rank *r)
{
    pl_view part, all;
    OK(pl_view_create(&r->processor, &part, 1, 8, PL_F32));
    OK(pl_view_create(&r->processor, &all, 2, 8, PL_F32));
    pl_status status = r->rank ? pl_comm_gather(&r->processor, r->stream, r->comm, part, all)
                               : pl_comm_broadcast(&r->processor, r->stream, r->comm, part, 0);
    if (status != PL_E_INTERNAL && status != PL_E_RANK) _exit(1);
    pl_view_free(&r->processor, &part);
    pl_view_free(&r->processor, &all);
    close_rank(r);
}

/* What a machine may lack: one line each, and the stand-in's faults. */
static void with_fault(rank *r)
{
    const char *fault = getenv("CUEMU_NCCL");
    uint8_t id[PL_COMM_ID_BYTES] = {0};
    char name[64];
    snprintf(name, sizeof name, "%s:%d", chosen_device(), r->rank);
    OK(pl_processor_open(&r->processor, name, 1));
    if (strcmp(fault, "init") == 0)
        REFUSED(pl_comm_create(&r->processor, &r->comm, id, 0, 2), PL_E_DEVICE, "NCCL does not start rank 0 of 2");
    else
        REFUSED(pl_comm_id(&r->processor, id), PL_E_UNSUPPORTED, "plumb needs 2.18");
    pl_processor_close(&r->processor);
    _exit(0);
}

static void a_peer_is_lost(rank *r)
{
    gather_to_the_end(r, false);
    if (r->rank == 1 && !strstr(pl_error_text(), "remote process exited")) {
        print_error("rank 1: %s\n", pl_error_text());
        _exit(1);
    }
    close_rank(r);
}

static void run_bare(work *f)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        rank r = {.size = 1};
        f(&r);
    }
    assert_true(waitpid(child, &status, 0) == child);
    assert_int_equal(status, 0);
}

static void test_faults(void **state)
{
    (void)state;
    const char *const faults[] = {"absent", "old", "init"};
    if (!on_emulator()) return;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(setenv("CUEMU_NCCL", faults[i], 1), 0);
        run_bare(with_fault);
    }
    assert_int_equal(setenv("CUEMU_NCCL", "remote:1:3", 1), 0);
    all_well(3, a_peer_is_lost);
    assert_int_equal(setenv("CUEMU_NCCL", "delay:1:5", 1), 0);
    all_well(2, try_sizes);
    assert_int_equal(unsetenv("CUEMU_NCCL"), 0);
}

static void test_refused(void **state)
{
    (void)state;
    pl_processor cpu;
    pl_comm *comm, *twice;
    pl_stream *stream;
    pl_view part, all;
    uint8_t id[PL_COMM_ID_BYTES];
    if (on_cuda()) return;
    all_well(2, calls_differ);
    OK(pl_processor_open(&cpu, "cpu", 1));
    OK(cpu.ops->stream_create(cpu.device, &stream));
    OK(pl_comm_id(&cpu, id));
    REFUSED(pl_comm_create(&cpu, &comm, id, 2, 2), PL_E_INTERNAL, "rank 2 of 2");
    REFUSED(pl_comm_create(&cpu, &comm, id, 0, 65), PL_E_UNSUPPORTED, "64 at most");
    OK(pl_comm_create(&cpu, &comm, id, 0, 2));
    REFUSED(pl_comm_create(&cpu, &twice, id, 0, 2), PL_E_USAGE, "is there already");
    REFUSED(pl_comm_create(&cpu, &twice, id, 1, 3), PL_E_USAGE, "counts 3 ranks");
    OK(pl_view_create(&cpu, &part, 1, 8, PL_F32));
    OK(pl_view_create(&cpu, &all, 3, 8, PL_F32));
    REFUSED(pl_comm_gather(&cpu, stream, comm, part, all), PL_E_INTERNAL, "3 rows for 2 ranks");
    REFUSED(pl_comm_gather(&cpu, stream, comm, all, all), PL_E_INTERNAL, "comm_gather");
    REFUSED(pl_comm_exchange(&cpu, stream, comm, part, all), PL_E_INTERNAL, "comm_exchange");
    REFUSED(pl_comm_broadcast(&cpu, stream, comm, all, 0), PL_E_INTERNAL, "3 rows");
    REFUSED(pl_comm_broadcast(&cpu, stream, comm, part, 2), PL_E_INTERNAL, "root 2 of 2");
    REFUSED(pl_comm_broadcast(&cpu, stream, NULL, part, 0), PL_E_INTERNAL, "no ranks");
    cpu.ops->comm_free(comm);
    REFUSED(pl_comm_create(&cpu, &comm, id, 1, 2), PL_E_RANK, "rank 0");
    id[0] ^= 1;
    REFUSED(pl_comm_create(&cpu, &comm, id, 0, 2), PL_E_INPUT, "not of device cpu");
    pl_view_free(&cpu, &part);
    pl_view_free(&cpu, &all);
    cpu.ops->stream_free(stream);
    pl_processor_close(&cpu);
}

/* ---- On GPUs: each rank is a program of its own, as a process that has used CUDA cannot be forked ---- */

static common *map_common(const char *path)
{
    int file = open(path, O_RDWR | O_CREAT, 0600);
    assert_true(file >= 0 && ftruncate(file, sizeof(common)) == 0);
    common *map = mmap(NULL, sizeof *map, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    assert_true(map != MAP_FAILED);
    (void)close(file);
    return map;
}

static int n_devices(void)
{
    int n = 0;
    for (char name[64]; n < MOST; n++) {
        pl_processor p;
        snprintf(name, sizeof name, "%s:%d", chosen_device(), n);
        if (pl_processor_open(&p, name, 1) != PL_OK) break;
        pl_processor_close(&p);
    }
    return n;
}

static bool has_library(void)
{
    pl_processor p;
    uint8_t id[PL_COMM_ID_BYTES];
    OK(pl_processor_open(&p, chosen_device(), 1));
    pl_status status = pl_comm_id(&p, id);
    pl_processor_close(&p);
    return status != PL_E_UNSUPPORTED;
}

/* As many ranks as there are GPUs, and each smaller number. */
static int run_on_gpus(void)
{
    const int n = n_devices();
    int failed = 0;
    if (!has_library()) {
        printf("SKIP: %s\n", pl_error_text());
        return EXIT_SKIPPED;
    }
    for (int size = 1; size <= n; size++) {
        char folder[PL_PATH_MAX], path[PL_PATH_MAX + 8], rank_text[16], size_text[16];
        pid_t children[MOST];
        make_folder(folder);
        snprintf(path, sizeof path, "%s/common", folder);
        (void)munmap(map_common(path), sizeof(common));
        snprintf(size_text, sizeof size_text, "%d", size);
        for (int r = 0; r < size; r++) {
            snprintf(rank_text, sizeof rank_text, "%d", r);
            char *arguments[] = {"test_comm", "--rank", rank_text, size_text, path, NULL};
            if (posix_spawn(&children[r], "/proc/self/exe", NULL, NULL, arguments, environ) != 0) return 1;
        }
        for (int r = 0; r < size; r++) {
            int status;
            (void)waitpid(children[r], &status, 0);
            failed += status != 0;
        }
        remove_folder(folder);
        printf("%d ranks of %d GPUs: %s\n", size, n, failed ? "FAILED" : "ok");
    }
    return failed != 0;
}

static int run_one(char **arguments)
{
    rank r = {.rank = atoi(arguments[2]), .size = atoi(arguments[3]), .common = map_common(arguments[4])};
    alarm(120);
    open_rank(&r);
    try_sizes(&r);
    return 0;
}

int main(int argc, char **argv)
{
    const int missing = device_missing();
    if (missing) return missing;
    if (argc == 5) return run_one(argv);
    if (on_cuda() && !on_emulator()) return run_on_gpus();
    /* LAZY: what is on a stream runs in the wait for it and not in the call, as on a GPU, so that an end can be made.
     */
    if (on_emulator()) assert_int_equal(setenv("CUEMU_DEVICES", "5", 1) | setenv("CUEMU_LAZY", "1", 1), 0);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_arrives), cmocka_unit_test(test_ends),
                                       cmocka_unit_test(test_faults), cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
