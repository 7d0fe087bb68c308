/* Checked products, zeroed and growing arrays, byte buffers, arenas. */
#include "tests.h"

#include <sys/resource.h>
#include <sys/wait.h>

#include "base/json.h"
#include "base/memory.h"

static void test_products(void **state)
{
    (void)state;
    size_t out;
    assert_int_equal(pl_mul_size(&out, 6, 7, "x"), PL_OK);
    assert_int_equal(out, 42);
    assert_int_equal(pl_mul_size(&out, SIZE_MAX, 1, "x"), PL_OK);
    assert_int_equal(pl_mul_size(&out, SIZE_MAX / 2 + 1, 2, "rows"), PL_E_INPUT);
    assert_true(pl_size_product(6, 7) == 42 && pl_size_product(SIZE_MAX / 2 + 1, 2) == SIZE_MAX);
    assert_true(pl_size_sum(6, 7) == 13 && pl_size_sum(SIZE_MAX, 1) == SIZE_MAX);
    assert_non_null(strstr(pl_error_text(), "rows: "));
}

static void test_arrays(void **state)
{
    (void)state;
    int *array = NULL;
    assert_int_equal(pl_new(&array, 1000), PL_OK);
    for (int i = 0; i < 1000; i++) assert_int_equal(array[i], 0);
    free(array);
    assert_int_equal(pl_new(&array, 0), PL_OK);
    assert_non_null(array);
    free(array);
    assert_int_equal(pl_new(&array, SIZE_MAX / 2), PL_E_INPUT);
    assert_null(array);

    size_t capacity = 0;
    for (size_t n = 1; n <= 1000; n++) {
        assert_int_equal(pl_grow(&array, &capacity, n), PL_OK);
        assert_true(capacity >= n);
        assert_int_equal(array[n - 1], 0);
        array[n - 1] = (int)n;
    }
    for (int i = 0; i < 1000; i++) assert_int_equal(array[i], i + 1);
    assert_int_equal(capacity, 1024);
    assert_int_not_equal(pl_grow(&array, &capacity, SIZE_MAX), PL_OK);
    assert_int_equal(array[999], 1000); /* a failure keeps what was there */
    free(array);
}

static void test_bytes(void **state)
{
    (void)state;
    pl_bytes b = {0};
    assert_int_equal(pl_bytes_append(&b, NULL, 0), PL_OK);
    assert_string_equal(b.data, "");
    assert_int_equal(pl_bytes_text(&b, "ab"), PL_OK);
    assert_int_equal(pl_bytes_append(&b, "c\0d", 3), PL_OK);
    assert_int_equal(pl_bytes_format(&b, "%d%s", 12, "x"), PL_OK);
    assert_int_equal(b.size, 8);
    assert_memory_equal(b.data, "abc\0d12x", 9); /* with the NUL behind */
    for (int i = 0; i < 10000; i++) assert_int_equal(pl_bytes_text(&b, "0123456789"), PL_OK);
    assert_int_equal(b.size, 100008);
    assert_int_equal(strlen(b.data + 8), 100000);
    pl_bytes_clear(&b);
    assert_int_equal(b.size, 0);
    assert_string_equal(b.data, "");
    pl_bytes_free(&b);
    assert_null(b.data);
    pl_bytes_free(&b);
    pl_bytes_free(NULL);
    char *copy;
    assert_int_equal(pl_copy_text(&copy, "text"), PL_OK);
    assert_string_equal(copy, "text");
    free(copy);
}

static void test_arena(void **state)
{
    (void)state;
    pl_arena *arena;
    char *text;
    int *last = NULL, *now;
    assert_int_equal(pl_arena_create(&arena), PL_OK);
    for (int i = 0; i < 20000; i++) {
        size_t n = i % 1000 == 999 ? 50000 : (size_t)(i % 7); /* some larger than a block */
        assert_int_equal(pl_arena_new(arena, &now, n + 1), PL_OK);
        assert_int_equal((uintptr_t)now % 16, 0);
        for (size_t k = 0; k <= n; k += 1 + n / 3) assert_int_equal(now[k], 0);
        now[0] = i;
        if (last) assert_int_equal(*last, i - 1);
        last = now;
    }
    assert_int_equal(pl_arena_text(arena, &text, "abcdef", 3), PL_OK);
    assert_string_equal(text, "abc");
    assert_int_equal(pl_arena_text(arena, &text, NULL, 0), PL_OK);
    assert_string_equal(text, "");
    assert_int_equal(pl_arena_format(arena, &text, "%s-%d", "x", 3), PL_OK);
    assert_string_equal(text, "x-3");
    assert_int_not_equal(pl_arena_new(arena, &now, SIZE_MAX / 4), PL_OK);
    assert_null(now);
    assert_int_not_equal(pl_arena_new(arena, &now, SIZE_MAX), PL_OK);
    pl_arena_free(arena);
    pl_arena_free(NULL);
}

/* What the one function says that ends the process, from a child whose standard error is a pipe. */
static int ends_with(char text[256], void (*call)(void))
{
    int ends[2], how = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        call();
        _exit(99);
    }
    close(ends[1]);
    ssize_t n = read(ends[0], text, 255);
    text[n > 0 ? n : 0] = 0;
    close(ends[0]);
    assert_int_equal(waitpid(child, &how, 0), child);
    return WIFEXITED(how) ? WEXITSTATUS(how) : -1;
}

static void run_out(void)
{
    pl_out_of_memory("a SHA-256");
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LIMITED 0 /* sanitizers need all addresses */
#elif defined(__has_feature)
#define LIMITED (!__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer))
#else
#define LIMITED 1
#endif

/* A second copy of a text that the limit does not leave room for. */
static void run_out_in_json(void)
{
    const struct rlimit limit = {.rlim_cur = 256 << 20, .rlim_max = 256 << 20};
    pl_json_guard();
    char *text = malloc(200 << 20);
    if (!text) _exit(98);
    memset(text, 'x', 200 << 20);
    setrlimit(RLIMIT_AS, &limit);
    json_stringn(text, 200 << 20);
}

static void test_out_of_memory_ends_the_process(void **state)
{
    (void)state;
    char text[256];
    assert_int_equal(ends_with(text, run_out), 1);
    assert_string_equal(text, "plumb: out of memory: a SHA-256\n");
    if (!LIMITED) return;
    assert_int_equal(ends_with(text, run_out_in_json), 1);
    assert_string_equal(text, "plumb: out of memory: a JSON value\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_arrays),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_out_of_memory_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
