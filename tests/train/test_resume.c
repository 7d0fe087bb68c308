/* Training state on disk: a run that is killed at random moments and resumed ends with the same bits; a state that is
 * another run's, cut short or damaged is refused in one line. `--kills N` (default 6). */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/random.h"
#include "train/runs.h"

static size_t n_kills = 6;

/* A score of the weights alone, best in the middle of the run. */
static pl_status score_weights(void *user, pl_model *model, size_t step, double *score)
{
    (void)model;
    subject *s = user;
    float *w = masters(s);
    double sum = 0;
    for (size_t i = 0; i < masters_bytes(s) / sizeof *w; i++) sum += (double)w[i] * (double)w[i];
    free(w);
    *score = step == 3 ? -INFINITY : -fabs((double)step - 6) + 1e-9 * sum; /* the first: never the best */
    return PL_OK;
}

static pl_train_settings many_steps(void)
{
    pl_train_settings s = pl_train_defaults();
    s.learning_rate = 1e-3;
    s.max_steps = 14;
    s.dropout = 0.1;
    s.eval_steps = 3;
    s.save_seconds = 0;
    return s;
}

/* Slow enough to be killed between any two of its writes. */
static pl_status slow_step(void *user, const pl_train_step *step)
{
    (void)user;
    (void)step;
    const struct timespec pause = {.tv_nsec = 5 * 1000 * 1000};
    nanosleep(&pause, NULL);
    return PL_OK;
}

/* The run's whole result: curves and the best weights. */
typedef struct ended {
    size_t n_steps, n_evaluations, best, bytes;
    pl_train_step steps[32];
    pl_train_evaluation evaluations[32];
    float *weights, *last;
} ended;

static void run_to_end(ended *r, const char *folder, bool slow)
{
    subject s;
    examples e;
    pl_train *train;
    bool finished;
    pl_train_settings settings = many_steps();
    open_subject_on(&s, "llama-grouped", "lm", 1, PL_F32);
    open_examples(&e, false);
    const pl_train_callbacks callbacks = {.user = &s, .evaluate = score_weights, .step = slow ? slow_step : NULL};
    OK(pl_train_create(&train, s.trainable, &settings, e.list, N_EXAMPLES, "unit", folder));
    OK(pl_train_run(train, &callbacks, &finished));
    assert_true(finished);
    const pl_train_step *steps = pl_train_steps(train, &r->n_steps);
    const pl_train_evaluation *evaluations = pl_train_evaluations(train, &r->n_evaluations);
    memcpy(r->steps, steps, r->n_steps * sizeof *steps);
    memcpy(r->evaluations, evaluations, r->n_evaluations * sizeof *evaluations);
    r->best = pl_train_best_step(train);
    r->bytes = masters_bytes(&s);
    r->last = masters(&s);
    OK(pl_train_take_best(train));
    r->weights = masters(&s);
    pl_train_free(train);
    close_examples(&e);
    close_subject(&s);
}

static void free_ended(ended *r)
{
    free(r->weights);
    free(r->last);
}

static void assert_same_end(const ended *a, const ended *b)
{
    assert_int_equal(a->n_steps, b->n_steps);
    for (size_t i = 0; i < a->n_steps; i++) {
        pl_train_step x = a->steps[i], y = b->steps[i];
        assert_true(x.seconds > 0 && y.seconds > 0); /* also of steps before a kill */
        x.seconds = y.seconds = 0;
        assert_memory_equal(&x, &y, sizeof x);
    }
    assert_int_equal(a->n_evaluations, b->n_evaluations);
    assert_memory_equal(a->evaluations, b->evaluations, a->n_evaluations * sizeof *a->evaluations);
    assert_int_equal(a->best, b->best);
    assert_memory_equal(a->weights, b->weights, a->bytes);
    assert_memory_equal(a->last, b->last, a->bytes);
}

/* Starts the run in a process of its own and kills it after so many microseconds; true: it had ended before. */
static bool run_and_kill(const char *folder, uint32_t after_us)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        ended r;
        run_to_end(&r, folder, true);
        _exit(0);
    }
    const struct timespec pause = {.tv_sec = after_us / 1000000, .tv_nsec = after_us % 1000000 * 1000L};
    nanosleep(&pause, NULL);
    kill(child, SIGKILL);
    int status;
    assert_true(waitpid(child, &status, 0) == child);
    return WIFEXITED(status);
}

static void test_kills(void **state)
{
    (void)state;
    char folder[PL_PATH_MAX], whole_folder[PL_PATH_MAX];
    ended whole, resumed;
    /* No thread of OpenMP may live before a fork: the reference runs last. */
    for (size_t k = 0, done = 0; k < n_kills; done++) {
        make_folder(folder);
        for (size_t i = 0; i < 3 && k < n_kills; i++, k++)
            if (run_and_kill(folder, 1000 + pl_random_below(done, PL_RANDOM_TEST, 1, k, 150000))) break;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            make_folder(whole_folder);
            run_to_end(&resumed, folder, false);
            run_to_end(&whole, whole_folder, false);
            assert_same_end(&resumed, &whole);
            assert_int_equal(whole.best, 6);
            assert_memory_not_equal(whole.weights, whole.last, whole.bytes);
            free_ended(&whole);
            free_ended(&resumed);
            remove_folder(whole_folder);
            _exit(0);
        }
        int status;
        assert_true(waitpid(child, &status, 0) == child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        remove_folder(folder);
    }
}

/* ---- States that are refused ---- */

static bool stop_at_five(void *user)
{
    return ++*(size_t *)user > 5;
}

static pl_status open_run(pl_train **train, subject *s, const examples *e, const char *identity, const char *folder)
{
    pl_train_settings settings = many_steps();
    settings.save_seconds = 1000;
    return pl_train_create(train, s->trainable, &settings, e->list, N_EXAMPLES, identity, folder);
}

static void test_refused(void **state)
{
    (void)state;
    char folder[PL_PATH_MAX], path[PL_PATH_MAX], copy[2 * PL_PATH_MAX + 64];
    subject s;
    examples e;
    pl_train *train;
    bool finished;
    size_t asked = 0;
    make_folder(folder);
    open_subject(&s, "llama-grouped", "lm");
    open_examples(&e, false);
    OK(open_run(&train, &s, &e, "unit", folder));
    const pl_train_callbacks stopping = {.user = &asked, .stop = stop_at_five};
    OK(pl_train_run(train, &stopping, &finished));
    assert_false(finished);
    size_t n;
    (void)pl_train_steps(train, &n);
    assert_int_equal(n, 5);
    pl_train_free(train);

    OK(open_run(&train, &s, &e, "another unit", folder));
    REFUSED(pl_train_run(train, &no_callbacks, &finished), PL_E_INPUT, "another run");
    pl_train_free(train);
    e.ids[0][0] ^= 1;
    OK(open_run(&train, &s, &e, "unit", folder));
    REFUSED(pl_train_run(train, &no_callbacks, &finished), PL_E_INPUT, "another run");
    pl_train_free(train);
    e.ids[0][0] ^= 1;

    /* No room on the disk: one line, and the state of before stays. */
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit small = {.rlim_cur = 20000, .rlim_max = before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    OK(open_run(&train, &s, &e, "unit", folder));
    asked = 0;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    REFUSED(pl_train_run(train, &stopping, &finished), PL_E_IO, "cannot write training state");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    pl_train_free(train);
    OK(open_run(&train, &s, &e, "unit", folder));
    OK(pl_train_run(train, &no_callbacks, &finished));
    assert_true(finished);
    (void)pl_train_steps(train, &n);
    assert_int_equal(n, 14);
    pl_train_free(train);

    /* Cut at several places, and one bit in the arrays. */
    struct stat st;
    OK(pl_path(path, "%s/state.bin", folder));
    assert_int_equal(stat(path, &st), 0);
    snprintf(copy, sizeof copy, "cp '%s' '%s.whole'", path, path);
    assert_int_equal(system(copy), 0);
    const off_t cuts[] = {0, 7, 200, st.st_size / 2, st.st_size - 1};
    for (size_t i = 0; i < 6; i++) {
        snprintf(copy, sizeof copy, "cp '%s.whole' '%s'", path, path);
        assert_int_equal(system(copy), 0);
        if (i < 5) {
            assert_int_equal(truncate(path, cuts[i]), 0);
        } else {
            FILE *f = fopen(path, "r+b");
            assert_non_null(f);
            fseek(f, st.st_size / 2, SEEK_SET);
            int byte = fgetc(f);
            fseek(f, st.st_size / 2, SEEK_SET);
            fputc(byte ^ 4, f);
            fclose(f);
        }
        OK(open_run(&train, &s, &e, "unit", folder));
        REFUSED(pl_train_run(train, &no_callbacks, &finished), PL_E_INPUT, "state.bin");
        assert_false(finished);
        pl_train_free(train);
    }
    close_examples(&e);
    close_subject(&s);
    remove_folder(folder);
}

/* A rate that makes everything infinite: the run stops and says where. */
static void test_not_finite(void **state)
{
    (void)state;
    subject s;
    examples e;
    pl_train *train;
    bool finished;
    pl_train_settings settings = pl_train_defaults();
    settings.learning_rate = 1e3;
    settings.weight_decay = 1e3;
    settings.lr_scheduler_type = PL_SCHEDULE_CONSTANT;
    settings.max_steps = 50;
    open_subject(&s, "llama-grouped", "lm");
    open_examples(&e, false);
    OK(pl_train_create(&train, s.trainable, &settings, e.list, N_EXAMPLES, "", NULL));
    REFUSED(pl_train_run(train, &no_callbacks, &finished), PL_E_NOT_FINITE, "training stopped at step");
    assert_non_null(strstr(pl_error_text(), "on examples"));
    print_message("%s\n", pl_error_text());
    assert_false(finished);
    size_t n;
    float *w = masters(&s);
    (void)pl_train_steps(train, &n);
    assert_true(n < 50);
    free(w);
    pl_train_free(train);
    close_examples(&e);
    close_subject(&s);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--kills") == 0) n_kills = (size_t)strtoul(argv[2], NULL, 10);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kills), cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_not_finite)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
