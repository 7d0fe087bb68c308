/* Files: reads with a limit, maps, atomic replacement, folders, digests against published values. */
#include "tests.h"

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/temporary.h"

static char folder[PL_PATH_MAX];

static int set_up(void **state)
{
    (void)state;
    make_folder(folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remove_folder(folder);
    return 0;
}

static size_t n_entries(const char *path)
{
    size_t n = 0;
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));) n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}

static void test_replace_and_read(void **state)
{
    (void)state;
    char path[PL_PATH_MAX];
    pl_bytes text;
    pl_map map;
    assert_int_equal(pl_path(path, "%s/a", folder), PL_OK);
    assert_int_equal(pl_file_replace(path, "first version", 13), PL_OK);
    assert_int_equal(pl_file_replace(path, "sec\0nd", 6), PL_OK);
    assert_int_equal(n_entries(folder), 1); /* no temporary file is left */
    assert_int_equal(pl_file_read(&text, path, 6), PL_OK);
    assert_int_equal(text.size, 6);
    assert_memory_equal(text.data, "sec\0nd", 7);
    pl_bytes_free(&text);
    assert_int_equal(pl_file_read(&text, path, 5), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "6 bytes, expected at most 5"));
    assert_null(text.data);
    assert_int_equal(pl_file_map(&map, path), PL_OK);
    assert_int_equal(map.size, 6);
    assert_memory_equal(map.data, "sec\0nd", 6);
    pl_file_unmap(&map);
    pl_file_unmap(&map);
    assert_int_equal(pl_file_replace(path, NULL, 0), PL_OK);
    assert_int_equal(pl_file_map(&map, path), PL_OK);
    assert_int_equal(map.size, 0);
    pl_file_unmap(&map);
    assert_int_equal(pl_file_read(&text, path, 0), PL_OK);
    assert_string_equal(text.data, "");
    pl_bytes_free(&text);
    assert_int_equal(unlink(path), 0);
}

static void test_what_cannot_be_read_or_written(void **state)
{
    (void)state;
    char path[PL_PATH_MAX];
    pl_bytes text;
    pl_map map;
    assert_int_equal(pl_path(path, "%s/none", folder), PL_OK);
    assert_int_equal(pl_file_read(&text, path, 10), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "none: cannot open"));
    assert_int_equal(pl_file_map(&map, folder), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "not a regular file"));
    assert_int_equal(pl_path(path, "%s/none/x", folder), PL_OK);
    assert_int_equal(pl_file_replace(path, "x", 1), PL_E_IO);
    /* Renaming onto a folder fails; the temporary file goes. */
    assert_int_equal(pl_path(path, "%s/taken", folder), PL_OK);
    assert_int_equal(pl_folder_make(path), PL_OK);
    assert_int_equal(pl_file_replace(path, "x", 1), PL_E_IO);
    assert_int_equal(n_entries(folder), 1);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(pl_folder_sync(path), PL_E_IO);
}

/* What a killed process left goes; what a living one writes, and what is no temporary file, stays. */
static void test_left_overs_are_swept(void **state)
{
    (void)state;
    char path[PL_PATH_MAX], own[PL_PATH_MAX], left[PL_PATH_MAX], other[PL_PATH_MAX];
    assert_int_equal(pl_path(path, "%s/samples.v1.jsonl", folder), PL_OK);
    assert_int_equal(pl_file_temporary(own, path), PL_OK);
    pid_t child = fork();
    if (child == 0) { /* is killed while its file stands under the temporary name */
        FILE *file = pl_file_temporary(left, path) == PL_OK ? fopen(left, "w") : NULL;
        kill(getpid(), file ? SIGKILL : SIGABRT);
    }
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
    assert_int_equal(pl_path(other, "%s/notes.tmp", folder), PL_OK);
    fclose(fopen(own, "w"));
    fclose(fopen(other, "w"));
    assert_int_equal(n_entries(folder), 3);
    assert_int_equal(pl_file_sweep(folder), PL_OK);
    assert_int_equal(n_entries(folder), 2);
    assert_int_equal(unlink(own), 0);
    assert_int_equal(unlink(other), 0);
    assert_int_equal(pl_path(other, "%s/none", folder), PL_OK);
    assert_int_equal(pl_file_sweep(other), PL_E_IO);
}

static void test_folders_and_paths(void **state)
{
    (void)state;
    char path[PL_PATH_MAX], out[PL_PATH_MAX];
    assert_int_equal(pl_path(path, "%s/x/y//z", folder), PL_OK);
    assert_int_equal(pl_folder_make(path), PL_OK);
    assert_int_equal(pl_folder_make(path), PL_OK);
    assert_true(pl_folder_exists(path));
    assert_false(pl_file_exists(path));
    assert_int_equal(pl_path(path, "%s/x/file", folder), PL_OK);
    assert_int_equal(pl_file_replace(path, "1", 1), PL_OK);
    assert_true(pl_file_exists(path));
    assert_int_equal(pl_folder_make(path), PL_E_IO);
    assert_int_equal(pl_path(path, "%s/x/file/deeper", folder), PL_OK);
    assert_int_equal(pl_folder_make(path), PL_E_IO);
    static const char *const cases[][2] = {{"a/b", "a"}, {"a", "."}, {"/a", "/"}, {"/a/b/c", "/a/b"}, {"a/", "a"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(pl_path_folder(out, cases[i][0]), PL_OK);
        assert_string_equal(out, cases[i][1]);
    }
    char *big = malloc(5000);
    memset(big, 'x', 4999);
    big[4999] = 0;
    assert_int_equal(pl_path(out, "%s", big), PL_E_INPUT);
    free(big);
}

/* SHA-256 of FIPS 180-4's examples; XXH3-128 of the empty text from the library's own test vectors (seed 0). */
static void test_digests(void **state)
{
    (void)state;
    char sha[PL_SHA256_TEXT], hash[PL_HASH_TEXT], again[PL_HASH_TEXT];
    pl_sha256(sha, "abc", 3);
    assert_string_equal(sha, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    pl_sha256(sha, NULL, 0);
    assert_string_equal(sha, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    pl_hash128(hash, NULL, 0);
    assert_string_equal(hash, "99aa06d3014798d86001c324468d497f");
    pl_hash128(hash, "abc", 3);
    pl_hash128(again, "abd", 3);
    assert_string_not_equal(hash, again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replace_and_read),
        cmocka_unit_test(test_what_cannot_be_read_or_written),
        cmocka_unit_test(test_left_overs_are_swept),
        cmocka_unit_test(test_folders_and_paths),
        cmocka_unit_test(test_digests),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
