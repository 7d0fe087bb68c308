/* One training in several processes: the bits of one process, whatever the number of ranks, also when random ranks are
 * killed at random moments and others, of another number, go on; none waits for one that is dead.
 * `--kills N` (default 8). Ranks that die before they have joined are the launcher's to see: tests/program/ranks.sh. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"
#include "base/random.h"
#include "train/runs.h"

enum { LANES = 5, MOST = 5, LIMIT_S = 60 };
static size_t n_kills = 8;

static pl_train_settings settings_of_test(void)
{
    pl_train_settings s = pl_train_defaults();
    s.learning_rate = 1e-3;
    s.max_steps = 9;
    s.train_batch_size = 9; /* the epoch's last step has 2 examples for 5 lanes */
    s.micro_batch_size = 1;
    s.lanes = LANES;
    s.dropout = 0.1;
    s.eval_steps = 4;
    s.save_seconds = 0;
    return s;
}

static pl_status score_weights(void *user, pl_model *model, size_t step, double *score)
{
    subject *s = user;
    float *w = masters(s);
    double sum = 0;
    (void)model;
    for (size_t i = 0; i < masters_bytes(s) / sizeof *w; i++) sum += (double)w[i] * (double)w[i];
    free(w);
    *score = -fabs((double)step - 8) + 1e-9 * sum;
    return PL_OK;
}

/* Slow enough to be killed between any two of its writes. */
static pl_status slow_step(void *user, const pl_train_step *step)
{
    const struct timespec pause = {.tv_nsec = 8 * 1000 * 1000};
    (void)user;
    (void)step;
    nanosleep(&pause, NULL);
    return PL_OK;
}

/* ---- What is sent when: buckets, and those of them before the last op of the pass whose gradients they are ---- */

static pl_backend noting;
static const pl_backend *noted;
static size_t n_sent, n_sent_before, n_beside;
static bool all_steps; /* are made by the ranks at hand: each has a pass to go beside */

static pl_status note_exchange(pl_stream *stream, pl_comm *comm, pl_view from, pl_view to)
{
    n_sent++;
    return noted->unchecked.comm_exchange(stream, comm, from, to);
}

static pl_status note_embed(pl_stream *stream, const pl_embed_args *args)
{
    n_sent_before = n_sent;
    return noted->unchecked.embed(stream, args);
}

static pl_status note_embed_backward(pl_stream *stream, const pl_embed_backward_args *args)
{
    n_beside += n_sent - n_sent_before;
    return noted->unchecked.embed_backward(stream, args);
}

static void note(subject *s)
{
    pl_processor *processor = (pl_processor *)(uintptr_t)pl_model_processor(pl_trainable_model(s->trainable));
    noted = processor->ops;
    noting = *noted;
    noting.unchecked.comm_exchange = note_exchange;
    noting.unchecked.embed = note_embed;
    noting.unchecked.embed_backward = note_embed_backward;
    processor->ops = &noting;
}

static void write_file(const char *folder, const char *name, const void *data, size_t size)
{
    char path[PL_PATH_MAX];
    OK(pl_path(path, "%s/%s", folder, name));
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

/* Trains as one rank, slowly; rank 0 leaves best and last weights and the curve in the folder of results. */
static pl_status run_rank(const pl_train_place *place, const char *folder, const char *results, volatile int *joined)
{
    subject s;
    examples e;
    pl_train *train;
    bool finished = false;
    pl_train_settings settings = settings_of_test();
    open_subject(&s, "llama-grouped", "lm");
    note(&s);
    open_examples(&e, false);
    const pl_train_callbacks callbacks = {.user = &s, .evaluate = score_weights, .step = slow_step};
    OK(pl_train_create(&train, s.trainable, &settings, e.list, N_EXAMPLES, "unit", folder));
    pl_status status = pl_train_join(train, place);
    *joined = status == PL_OK;
    if (status == PL_OK) status = pl_train_run(train, &callbacks, &finished);
    /* Not the embedding's, which are whole at the end. */
    if (all_steps && place->size > 1) assert_true(n_beside > 0 && n_beside < n_sent);
    if (status == PL_OK && place->rank == 0) {
        size_t n;
        const pl_train_step *steps = pl_train_steps(train, &n);
        pl_train_step curve[16];
        assert_true(finished && n == settings.max_steps);
        memcpy(curve, steps, n * sizeof *steps);
        for (size_t i = 0; i < n; i++) curve[i].seconds = 0;
        write_file(results, "curve", curve, n * sizeof *curve);
        float *w = masters(&s);
        write_file(results, "last", w, masters_bytes(&s));
        free(w);
        OK(pl_train_take_best(train));
        assert_int_equal(pl_train_best_step(train), 8);
        w = masters(&s);
        write_file(results, "best", w, masters_bytes(&s));
        free(w);
    }
    pl_train_free(train);
    close_examples(&e);
    close_subject(&s);
    return status;
}

static void nap_us(uint32_t us)
{
    const struct timespec pause = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000L};
    nanosleep(&pause, NULL);
}

/* Runs `size` ranks; kills rank `victim` (none: SIZE_MAX) after so many microseconds. All must end within the limit:
 * true when all ended well. */
static bool run_ranks(size_t size, const char *folder, const char *results, size_t victim, uint32_t after_us)
{
    static unsigned launches;
    char group[64];
    pid_t children[MOST];
    bool well = true;
    volatile int *joined = mmap(NULL, MOST * sizeof *joined, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(joined != MAP_FAILED);
    snprintf(group, sizeof group, "%d-%u", (int)getpid(), ++launches);
    for (size_t r = 0; r < size; r++) {
        children[r] = fork();
        assert_true(children[r] >= 0);
        if (children[r] == 0) {
            const pl_train_place place = {r, size, group};
            const pl_status status = run_rank(&place, folder, results, &joined[r]);
            if (status != PL_OK && status != PL_E_RANK) print_error("rank %zu: %s\n", r, pl_error_text());
            _exit(status == PL_OK ? 0 : status == PL_E_RANK ? 3 : 1);
        }
    }
    if (victim < size) {
        for (size_t r = 0; r < size; r++)
            while (!joined[r]) nap_us(100);
        nap_us(after_us);
        kill(children[victim], SIGKILL);
    }
    const double begun = pl_clock_s();
    for (size_t r = 0; r < size; r++) {
        int status;
        while (waitpid(children[r], &status, WNOHANG) == 0) {
            if (pl_clock_s() - begun > LIMIT_S) fail_msg("rank %zu of %zu still waits after %d s", r, size, LIMIT_S);
            nap_us(2000);
        }
        if (WIFEXITED(status) && WEXITSTATUS(status) == 1) fail_msg("rank %zu of %zu failed", r, size);
        well = well && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    (void)munmap((void *)(uintptr_t)joined, MOST * sizeof *joined);
    return well;
}

static void assert_same_results(const char *a, const char *b)
{
    const char *const names[] = {"curve", "last", "best"};
    for (size_t i = 0; i < 3; i++) {
        char command[2 * PL_PATH_MAX + 64];
        snprintf(command, sizeof command, "cmp '%s/%s' '%s/%s'", a, names[i], b, names[i]);
        if (system(command) != 0) fail_msg("%s differs", names[i]);
    }
}

static char reference[PL_PATH_MAX];

static int make_reference(void **state)
{
    (void)state;
    char folder[PL_PATH_MAX];
    make_folder(reference);
    make_folder(folder);
    assert_true(run_ranks(1, folder, reference, SIZE_MAX, 0));
    remove_folder(folder);
    return 0;
}

static int remove_reference(void **state)
{
    (void)state;
    remove_folder(reference);
    return 0;
}

static void test_same_bits(void **state)
{
    (void)state;
    all_steps = true;
    for (size_t size = 2; size <= MOST; size++) {
        char folder[PL_PATH_MAX], results[PL_PATH_MAX];
        make_folder(folder);
        make_folder(results);
        assert_true(run_ranks(size, folder, results, SIZE_MAX, 0));
        assert_same_results(reference, results);
        remove_folder(folder);
        remove_folder(results);
    }
}

static void test_kills(void **state)
{
    (void)state;
    all_steps = false;
    size_t cut = 0, ended = 0;
    for (size_t k = 0; k < n_kills;) {
        char folder[PL_PATH_MAX], results[PL_PATH_MAX];
        bool well = false;
        make_folder(folder);
        make_folder(results);
        for (size_t i = 0; i < 4 && k < n_kills && !well; i++, k++) {
            const size_t size = 1 + pl_random_below(7, PL_RANDOM_TEST, 1, k, MOST);
            const size_t victim = pl_random_below(7, PL_RANDOM_TEST, 2, k, (uint32_t)size);
            well = run_ranks(size, folder, results, victim, 1000 + pl_random_below(7, PL_RANDOM_TEST, 3, k, 120000));
            cut += !well;
        }
        const size_t last = 1 + pl_random_below(7, PL_RANDOM_TEST, 4, k, MOST);
        if (!well) assert_true(run_ranks(last, folder, results, SIZE_MAX, 0));
        assert_same_results(reference, results);
        ended++;
        remove_folder(folder);
        remove_folder(results);
    }
    print_message("%zu kills of ranks, %zu trainings with the same bits\n", cut, ended);
}

/* ---- What is refused ---- */

static void test_refused(void **state)
{
    (void)state;
    char folder[PL_PATH_MAX];
    subject s;
    examples e;
    pl_train *train;
    pl_train_settings settings = settings_of_test();
    make_folder(folder);
    open_subject(&s, "llama-grouped", "lm");
    open_examples(&e, false);
    OK(pl_train_create(&train, s.trainable, &settings, e.list, N_EXAMPLES, "unit", folder));
    const pl_train_place many = {0, LANES + 1, "one"}, two = {0, 2, "one"};
    REFUSED(pl_train_join(train, &many), PL_E_USAGE, "lanes is 5: set lanes=6");
    pl_train_free(train);
    OK(pl_train_create(&train, s.trainable, &settings, e.list, N_EXAMPLES, "unit", NULL));
    REFUSED(pl_train_join(train, &two), PL_E_USAGE, "need a folder");
    pl_train_free(train);
    close_examples(&e);
    close_subject(&s);
    remove_folder(folder);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--kills") == 0) n_kills = (size_t)strtoul(argv[2], NULL, 10);
    /* No thread of OpenMP may live before a fork: what trains in this process comes last. */
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_bits), cmocka_unit_test(test_kills),
                                       cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, make_reference, remove_reference);
}
