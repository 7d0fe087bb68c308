/* Who lives: this process, one that ended, another with the same number, another boot, host and container. */
#include <sys/wait.h>

#include "base/process.h"
#include "tests.h"

static void change(json_t *record, const char *key, json_t *value)
{
    assert_int_equal(json_object_set_new(record, key, value), 0);
}

static long long number(const json_t *record, const char *key)
{
    return json_integer_value(json_object_get(record, key));
}

static void test_own(void **state)
{
    (void)state;
    json_t *record;
    OK(pl_process_record(&record));
    assert_int_equal(number(record, "pid"), getpid());
    assert_true(number(record, "started") > 0);
    assert_int_equal(pl_process_life(record), PL_LIFE_ALIVE);
    json_decref(record);
}

static void test_others(void **state)
{
    (void)state;
    json_t *record, *other;
    int status;
    pid_t child = fork();
    if (child == 0) _exit(0);
    assert_int_equal(waitpid(child, &status, 0), child);
    OK(pl_process_record(&record));

    other = json_deep_copy(record);
    change(other, "pid", json_integer(child));
    assert_int_equal(pl_process_life(other), PL_LIFE_DEAD);
    json_decref(other);

    other = json_deep_copy(record); /* the number is in use again */
    change(other, "started", json_integer(number(record, "started") + 1));
    assert_int_equal(pl_process_life(other), PL_LIFE_DEAD);
    json_decref(other);

    other = json_deep_copy(record);
    change(other, "boot", json_string("00000000-0000-0000-0000-000000000000"));
    assert_int_equal(pl_process_life(other), PL_LIFE_DEAD);
    json_decref(other);

    other = json_deep_copy(record); /* a container counts its own */
    change(other, "pid", json_integer(child));
    change(other, "space", json_integer(number(record, "space") + 1));
    assert_int_equal(pl_process_life(other), PL_LIFE_UNKNOWN);
    json_decref(other);

    other = json_deep_copy(record);
    change(other, "host", json_string("elsewhere.example"));
    assert_int_equal(pl_process_life(other), PL_LIFE_UNKNOWN);
    json_decref(other);
    json_decref(record);
}

/* The same from the name alone: place and host must be ours before a number means anything. */
static void test_names(void **state)
{
    (void)state;
    char own[PL_PROCESS_NAME_MAX], other[2 * PL_PROCESS_NAME_MAX], place[16], host[PL_HOST_NAME_MAX];
    long pid;
    long long started;
    int status;
    pl_process_name(own);
    assert_int_equal(sscanf(own, "%ld-%lld-%15[0-9a-f]@%64s", &pid, &started, place, host), 4);
    assert_int_equal(pid, getpid());
    assert_true(started > 0);
    pid_t child = fork();
    if (child == 0) _exit(0);
    assert_int_equal(waitpid(child, &status, 0), child);
    const struct {
        long pid;
        long long started;
        const char *place, *host, *end;
        pl_life life;
    } cases[] = {
        {getpid(), started, place, host, "", PL_LIFE_ALIVE},
        {child, started, place, host, "", PL_LIFE_DEAD},
        {getpid(), started - 1, place, host, "", PL_LIFE_DEAD},  /* the number is in use again */
        {child, started, "0000000f", host, "", PL_LIFE_UNKNOWN}, /* another boot or container, of our name */
        {child, started, place, "elsewhere.example", "", PL_LIFE_UNKNOWN},
        {child, started, place, host, "x", PL_LIFE_UNKNOWN},
        {-1, started, place, host, "", PL_LIFE_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int n = snprintf(other, sizeof other, "%ld-%lld-%s@%s%s", cases[i].pid, cases[i].started, cases[i].place,
                         cases[i].host, cases[i].end);
        if (pl_process_name_life(other, (size_t)n) != cases[i].life) fail_msg("case %zu: %s", i, other);
    }
    static const char *const nonsense[] = {"", "node17 4711", "1", "1-2", "1-2-@", "@", "1-2-3@h", "%s%n-1-a@b"};
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++)
        assert_int_equal(pl_process_name_life(nonsense[i], strlen(nonsense[i])), PL_LIFE_UNKNOWN);
    memset(other, 'a', sizeof other);
    assert_int_equal(pl_process_name_life(other, sizeof other), PL_LIFE_UNKNOWN);
}

static void test_nonsense(void **state)
{
    (void)state;
    json_t *empty = json_object(), *text = json_string("host");
    assert_int_equal(pl_process_life(NULL), PL_LIFE_UNKNOWN);
    assert_int_equal(pl_process_life(empty), PL_LIFE_UNKNOWN);
    assert_int_equal(pl_process_life(text), PL_LIFE_UNKNOWN);
    json_decref(empty);
    json_decref(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
