/* Signals that stop a run: what is asked, what is said at once, and that a second Ctrl-C ends the process. */
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>

#include "base/drain.h"
#include "tests.h"

static atomic_int noticed;
static void notice(int signal)
{
    atomic_store(&noticed, signal);
}

/* The thread is as quick as the machine: waits until it has seen the signal; a test that hangs is stopped by its limit.
 */
static void wait_for(pl_drain *drain)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    while (!pl_drain_requested(drain)) nanosleep(&moment, NULL);
}

static void drains(int signal, pl_status code, const char *state)
{
    pl_drain drain = {0};
    atomic_store(&noticed, 0);
    OK(pl_drain_open(&drain, notice));
    pl_drain_begin(&drain);
    assert_false(pl_drain_requested(&drain));
    kill(getpid(), signal);
    wait_for(&drain);
    assert_int_equal(pl_drain_status(&drain), code);
    assert_string_equal(pl_drain_state(&drain), state);
    pl_drain_close(&drain); /* the notice was given before the thread ended */
    assert_int_equal(atomic_load(&noticed), signal);
    pl_drain_close(&drain);
}

static void test_each_signal(void **state)
{
    (void)state;
    drains(SIGUSR1, PL_E_DRAINED, "drained");
    drains(SIGTERM, PL_E_DRAINED, "drained");
    drains(SIGINT, PL_E_INTERRUPTED, "interrupted");
}

static void test_first_counts(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) { /* the second comes at any moment of the close */
        pl_drain drain;
        OK(pl_drain_open(&drain, NULL));
        pl_drain_begin(&drain);
        kill(getpid(), SIGTERM);
        wait_for(&drain);
        kill(getpid(), SIGUSR1);
        assert_int_equal(pl_drain_status(&drain), PL_E_DRAINED);
        pl_drain_close(&drain);
    }
}

/* Runs act in a child; how it ended. */
static int ended(void (*act)(void))
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        act();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void interrupt_twice(void)
{
    pl_drain drain;
    if (pl_drain_open(&drain, NULL) != PL_OK) _exit(1);
    pl_drain_begin(&drain);
    kill(getpid(), SIGINT);
    wait_for(&drain);
    kill(getpid(), SIGINT);
    for (;;) pause();
}

static void terminate_before_begin(void)
{
    pl_drain drain;
    if (pl_drain_open(&drain, notice) != PL_OK) _exit(1);
    kill(getpid(), SIGTERM);
    for (;;) pause(); /* the thread that watches does it */
}

static void say_and_end(int number)
{
    _exit(number == SIGUSR1 ? 75 : 1);
}

static void answer_before_begin(void)
{
    signal(SIGUSR1, say_and_end);
    pl_drain drain;
    if (pl_drain_open(&drain, NULL) != PL_OK) _exit(1);
    kill(getpid(), SIGUSR1);
    for (;;) pause();
}

static void terminate_after_close(void)
{
    pl_drain drain;
    if (pl_drain_open(&drain, NULL) != PL_OK) _exit(1);
    pl_drain_close(&drain);
    kill(getpid(), SIGTERM);
}

static void interrupt_in_the_background(void)
{
    pl_drain drain;
    signal(SIGINT, SIG_IGN);
    if (pl_drain_open(&drain, NULL) != PL_OK) _exit(1);
    pl_drain_begin(&drain);
    kill(getpid(), SIGINT);
    kill(getpid(), SIGTERM);
    wait_for(&drain);
    _exit(pl_drain_status(&drain) == PL_E_DRAINED ? 0 : 1);
}

static void test_ends(void **state)
{
    (void)state;
    assert_int_equal(ended(interrupt_twice), -SIGINT);
    assert_int_equal(ended(terminate_before_begin), -SIGTERM);
    assert_int_equal(ended(answer_before_begin), 75);
    assert_int_equal(ended(terminate_after_close), -SIGTERM);
    assert_int_equal(ended(interrupt_in_the_background), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_signal),
        cmocka_unit_test(test_first_counts),
        cmocka_unit_test(test_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
