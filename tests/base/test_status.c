/* The status table, and error texts: one line, bounded, one for each thread. */
#include "tests.h"

#include <pthread.h>

#include "base/status.h"

static void test_messages(void **state)
{
    (void)state;
    assert_int_equal(pl_fail(PL_E_INPUT, "%s: %d", "x", 5), PL_E_INPUT);
    assert_string_equal(pl_error_text(), "x: 5");
    /* The old message may be part of the new one. */
    assert_int_equal(pl_fail(PL_E_IO, "while writing: %s", pl_error_text()), PL_E_IO);
    assert_string_equal(pl_error_text(), "while writing: x: 5");
    pl_fail(PL_E_INPUT, "a\nb\r\x1b]0;title\a\xff");
    assert_string_equal(pl_error_text(), "a b\\x0d\\x1b]0;title\\x07\\xff");
    char text[5000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    pl_fail(PL_E_INPUT, "%s", text);
    assert_int_equal(strlen(pl_error_text()), 1023);
}

static void test_exit_codes(void **state)
{
    (void)state;
    assert_int_equal(PL_OK, 0);
    assert_int_equal(pl_status_exit_code(PL_OK), 0);
    assert_int_equal(pl_status_exit_code(PL_E_USAGE), 2);
    assert_int_equal(pl_status_exit_code(PL_E_INPUT), 2);
    assert_int_equal(pl_status_exit_code(PL_E_UNSUPPORTED), 2);
    assert_int_equal(pl_status_exit_code(PL_E_IO), 1);
    assert_int_equal(pl_status_exit_code(PL_E_UNITS), 3);
    assert_int_equal(pl_status_exit_code(PL_E_DRAINED), 75);
    assert_int_equal(pl_status_exit_code((pl_status)1000), 1);
    assert_string_equal(pl_status_text(PL_E_MEMORY), "out of memory");
    assert_string_equal(pl_status_text((pl_status)1000), "unknown status");
}

static void *fail_elsewhere(void *unused)
{
    (void)unused;
    static const char fresh[] = "fresh", used[] = "used";
    const char *found = *pl_error_text() ? used : fresh;
    pl_fail(PL_E_IO, "other thread");
    return (void *)(uintptr_t)found;
}

static void test_a_thread_has_its_own_message(void **state)
{
    (void)state;
    pthread_t thread;
    void *found;
    pl_fail(PL_E_INPUT, "this thread");
    assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, NULL), 0);
    assert_int_equal(pthread_join(thread, &found), 0);
    assert_string_equal(found, "fresh");
    assert_string_equal(pl_error_text(), "this thread");
}

static pl_status steps(int failing, int *reached)
{
    for (*reached = 0; *reached < 3; ++*reached)
        PL_TRY(*reached == failing ? pl_fail(PL_E_INPUT, "step %d", failing) : PL_OK);
    return PL_OK;
}

static void test_check_macros(void **state)
{
    (void)state;
    int reached;
    pl_status status;
    assert_int_equal(steps(1, &reached), PL_E_INPUT);
    assert_int_equal(reached, 1);
    assert_int_equal(steps(5, &reached), PL_OK);
    assert_int_equal(reached, 3);
    PL_GOTO(status, behind, PL_E_IO);
    fail();
behind:
    PL_KEEP(status, PL_E_INPUT);
    assert_int_equal(status, PL_E_IO);
    status = PL_OK;
    PL_KEEP(status, PL_E_INPUT);
    assert_int_equal(status, PL_E_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_exit_codes),
        cmocka_unit_test(test_a_thread_has_its_own_message),
        cmocka_unit_test(test_check_macros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
