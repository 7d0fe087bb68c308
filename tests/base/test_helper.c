/* A helper answers, refuses, crashes, runs away, takes too much: the asker goes on with the next question. */
#include "tests.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/helper.h"

enum { LIMIT_BYTES = 64 << 20 };

static pl_status work(pl_bytes *answer, const char *question)
{
    if (!strcmp(question, "crash")) signal(SIGSEGV, SIG_DFL), raise(SIGSEGV); /* cmocka catches it */
    if (!strcmp(question, "leave")) _Exit(1);
    if (!strcmp(question, "refuse")) return pl_fail(PL_E_INPUT, "no: %s", question);
    if (!strcmp(question, "loop"))
        for (volatile unsigned i = 0;; i++) continue;
    if (!strcmp(question, "long"))
        for (size_t i = 0; i <= LIMIT_BYTES / 8; i++) PL_TRY(pl_bytes_append(answer, &i, sizeof i));
    static int n_short;
    if (!strcmp(question, "short") && n_short++ % 2 == 0) return pl_fail(PL_E_MEMORY, "out of memory");
    return pl_bytes_format(answer, "answer to %s", question);
}

static pl_helper helper(void)
{
    return (pl_helper){.work = work, .limit_bytes = LIMIT_BYTES, .limit_s = 1};
}

static void answers(pl_helper *h, const char *question, const char *expected)
{
    pl_bytes answer;
    bool died;
    OK(pl_helper_ask(h, question));
    OK(pl_helper_answer(h, &answer, &died));
    assert_false(died);
    assert_string_equal(answer.data, expected);
    pl_bytes_free(&answer);
}

static void test_answers(void **state)
{
    (void)state;
    pl_helper h = helper();
    answers(&h, "a", "answer to a");
    pid_t first = h.pid;
    answers(&h, "", "answer to ");
    assert_int_equal(h.pid, first);
    pl_bytes answer;
    bool died;
    OK(pl_helper_ask(&h, "refuse"));
    REFUSED(pl_helper_answer(&h, &answer, &died), PL_E_INPUT, "no: refuse");
    assert_false(died);
    answers(&h, "b", "answer to b");
    assert_int_equal(h.pid, first);
    pl_helper_stop(&h);
    pl_helper_stop(&h);
}

static void dies(pl_helper *h, const char *question, const char *how)
{
    pl_bytes answer;
    bool died;
    OK(pl_helper_ask(h, question));
    REFUSED(pl_helper_answer(h, &answer, &died), PL_E_INPUT, how);
    assert_true(died);
    answers(h, "next", "answer to next");
}

static void test_deaths(void **state)
{
    (void)state;
    pl_helper h = helper();
    dies(&h, "crash", "ends who reads it");
    dies(&h, "leave", "needs more than 64 MiB");
    dies(&h, "loop", "more than 1 seconds of processor time");
    dies(&h, "long", "needs more than 64 MiB");
    pl_helper_stop(&h);
}

/* What fails once is asked again; what fails for good is said. */
static void test_reply(void **state)
{
    (void)state;
    pl_helper h = helper();
    pl_bytes answer;
    OK(pl_helper_reply(&h, "short", &answer));
    assert_string_equal(answer.data, "answer to short");
    pl_bytes_free(&answer);
    REFUSED(pl_helper_reply(&h, "refuse", &answer), PL_E_INPUT, "no: refuse");
    REFUSED(pl_helper_reply(&h, "leave", &answer), PL_E_INPUT, "needs more than 64 MiB");
    OK(pl_helper_reply(&h, "next", &answer));
    pl_bytes_free(&answer);
    pl_helper_stop(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers), cmocka_unit_test(test_deaths),
                                       cmocka_unit_test(test_reply)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
