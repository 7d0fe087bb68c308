/* Files: reads with a limit, maps, atomic replacement, folders, digests against published values. */
#include "tests.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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
    assert_int_equal(pl_path(path, "%s/pipe", folder), PL_OK);
    assert_int_equal(mkfifo(path, 0600), 0);
    REFUSED(pl_file_read(&text, path, 10), PL_E_INPUT, "pipe: not a regular file"); /* no waiting for a writer */
    assert_int_equal(unlink(path), 0);
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

/* Made anew by this process alone, whatever stands under its name; those of one file are swept alone. */
static void test_temporaries(void **state)
{
    (void)state;
    char path[PL_PATH_MAX], part[PL_PATH_MAX], other[PL_PATH_MAX], victim[PL_PATH_MAX];
    int fd, error, how;
    size_t before = n_entries(folder);
    pl_bytes text;
    assert_int_equal(pl_path(path, "%s/states.h5", folder), PL_OK);
    assert_int_equal(pl_path(victim, "%s/victim", folder), PL_OK);
    OK(pl_file_replace(victim, "precious", 8));
    OK(pl_file_temporary(part, path));
    assert_int_equal(symlink(victim, part), 0);
    OK(pl_temporary_create(&fd, other, path));
    assert_string_equal(other, part);
    assert_int_equal(write(fd, "mine", 4), 4);
    close(fd);
    OK(pl_file_rename(part, path));
    OK(pl_file_read(&text, path, 10));
    assert_string_equal(text.data, "mine");
    pl_bytes_free(&text);
    OK(pl_file_read(&text, victim, 10));
    assert_string_equal(text.data, "precious");
    pl_bytes_free(&text);
    assert_int_equal(symlink(victim, part), 0);
    REFUSED(pl_file_open_shared(&fd, &error, part, O_WRONLY | O_CREAT), PL_E_IO, "a symbolic link, which is not");
    assert_int_equal(unlink(part), 0);
    OK(pl_file_open_shared(&fd, &error, part, O_RDONLY));
    assert_true(fd == -1 && error == ENOENT);
    OK(pl_file_open_shared(&fd, &error, path, O_RDWR | O_CREAT | O_EXCL));
    assert_true(fd == -1 && error == EEXIST);

    char names[2][NAME_MAX + 1];
    for (size_t i = 0; i < 2; i++) { /* as long as names can be: no room for the process behind them */
        memset(names[i], 'n', NAME_MAX);
        names[i][NAME_MAX - 1] = i ? 'b' : 'a';
        names[i][NAME_MAX] = 0;
        OK(pl_path(other, "%s/%s", folder, names[i]));
        OK(pl_file_temporary(i ? part : victim, other));
        OK(pl_file_replace(other, "x", 1));
        assert_int_equal(unlink(other), 0);
    }
    assert_string_not_equal(part, victim);
    OK(pl_path(victim, "%s/victim", folder));
    static const char *const files[] = {"states.h5", "states.h5x"};
    for (size_t i = 0; i < 2; i++) {
        pid_t child = fork();
        if (child == 0) {
            bool made =
                pl_path(path, "%s/%s", folder, files[i]) == PL_OK && pl_temporary_create(&fd, part, path) == PL_OK;
            kill(getpid(), made ? SIGKILL : SIGABRT);
        }
        assert_int_equal(waitpid(child, &how, 0), child);
        assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
    }
    assert_int_equal(n_entries(folder), before + 4);
    OK(pl_path(path, "%s/states.h5", folder));
    pl_temporary_sweep(path);
    assert_int_equal(n_entries(folder), before + 3);
    OK(pl_file_sweep(folder));
    assert_int_equal(n_entries(folder), before + 2);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(unlink(victim), 0);
}

static void test_names_in_paths(void **state)
{
    (void)state;
    static const char *const bad[] = {"", ".", "..", ".a", "a/b", "/", "a b", "a\n", "\xc3\xa4", "a;b"};
    char quoted[PL_PATH_MAX], name[202];
    OK(pl_path_check_name("id", "A-z_0.9+=,@"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) REFUSED(pl_path_check_name("id", bad[i]), PL_E_INPUT, "id '");
    memset(name, 'a', 201);
    name[201] = 0;
    REFUSED(pl_path_check_name("id", name), PL_E_INPUT, "1 to 200 letters");
    OK(pl_path_quote(quoted, "it's $HOME"));
    assert_string_equal(quoted, "'it'\\''s $HOME'");
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
        cmocka_unit_test(test_temporaries),
        cmocka_unit_test(test_names_in_paths),
        cmocka_unit_test(test_folders_and_paths),
        cmocka_unit_test(test_digests),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
