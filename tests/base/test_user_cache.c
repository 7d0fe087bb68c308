/* The user's cache: which files make room when a folder has grown too large, marks of use, several processes at once.
 */
#include "tests.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/user_cache.h"

enum { BLOCK = 1 << 16 };

/* A file of n blocks, which say its letter, last used so many seconds ago. */
static void put_file(const char *folder, const char *name, size_t n, time_t ago)
{
    static char block[BLOCK];
    char path[PL_PATH_MAX], part[PL_PATH_MAX];
    int fd;
    memset(block, name[0], sizeof block);
    OK(pl_path(path, "%s/%s", folder, name));
    assert_true(pl_user_cache_create(&fd, part, path));
    bool good = true;
    while (n-- > 0) good &= pl_write_all(fd, block, sizeof block);
    pl_user_cache_finish(fd, part, path, good);
    const struct timespec times[2] = {{time(NULL) - ago, 0}, {time(NULL) - ago, 0}};
    if (ago) assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static bool is_there(const char *folder, const char *name)
{
    char path[PL_PATH_MAX];
    struct stat st;
    OK(pl_path(path, "%s/%s", folder, name));
    return lstat(path, &st) == 0;
}

static void assert_left(const char *folder, const char *names, const char *gone)
{
    for (; *names; names++)
        if (!is_there(folder, (char[2]){*names, 0})) fail_msg("%c is gone", *names);
    for (; *gone; gone++)
        if (is_there(folder, (char[2]){*gone, 0})) fail_msg("%c is there", *gone);
}

static void test_oldest_first(void **state)
{
    (void)state;
    char folder[PL_PATH_MAX], path[PL_PATH_MAX];
    make_folder(folder);
    put_file(folder, "c", 4, 300);
    put_file(folder, "a", 4, 500);
    put_file(folder, "d", 1, 200);
    put_file(folder, "b", 2, 400);
    put_file(folder, "e", 4, 100);
    pl_user_cache_prune(folder, NULL, 15 * BLOCK);
    assert_left(folder, "abcde", "");
    pl_user_cache_prune(folder, NULL, 15 * BLOCK - 1);
    assert_left(folder, "bcde", "a");
    pl_user_cache_prune(folder, "b", 9 * BLOCK);
    assert_left(folder, "bde", "c");
    pl_user_cache_prune(folder, NULL, 5 * BLOCK);
    assert_left(folder, "de", "b");
    /* What is being written, what is hidden, folders and links are not its business. */
    write_below(folder, "x.1@y.tmp", "z");
    write_below(folder, ".hidden", "z");
    write_below(folder, "inside/f", "z");
    OK(pl_path(path, "%s/link", folder));
    assert_int_equal(symlink("e", path), 0);
    pl_user_cache_prune(folder, NULL, 0);
    assert_left(folder, "", "de");
    assert_true(is_there(folder, "x.1@y.tmp") && is_there(folder, ".hidden") && is_there(folder, "inside/f") &&
                is_there(folder, "link"));
    pl_user_cache_prune("/proc/none", NULL, 0);
    remove_folder(folder);
}

static void test_others_files(void **state)
{
    (void)state;
    char folder[PL_PATH_MAX], path[PL_PATH_MAX];
    if (geteuid() != 0) skip(); /* nobody else can give files away */
    make_folder(folder);
    put_file(folder, "a", 1, 500);
    OK(pl_path(path, "%s/a", folder));
    assert_int_equal(chown(path, 1, (gid_t)-1), 0);
    pl_user_cache_prune(folder, NULL, 0);
    assert_left(folder, "a", "");
    remove_folder(folder);
}

/* A use of the last hour is not marked again; an older one is, and counts. */
static void test_marks(void **state)
{
    (void)state;
    static const struct {
        time_t ago;
        bool marked;
    } cases[] = {{600, false}, {7200, true}};
    char folder[PL_PATH_MAX], path[PL_PATH_MAX];
    make_folder(folder);
    for (size_t i = 0; i < 2; i++) {
        struct stat st;
        pl_map map;
        put_file(folder, "a", 1, cases[i].ago);
        put_file(folder, "b", 1, cases[i].ago - 60);
        OK(pl_path(path, "%s/a", folder));
        assert_true(pl_user_cache_map(&map, path));
        assert_int_equal(stat(path, &st), 0);
        assert_true((time(NULL) - st.st_mtime < 60) == cases[i].marked);
        pl_user_cache_prune(folder, NULL, BLOCK);
        assert_left(folder, cases[i].marked ? "a" : "b", cases[i].marked ? "b" : "a");
        /* Its map outlives a file. */
        for (size_t k = 0; k < map.size; k++) assert_int_equal(map.data[k], 'a');
        pl_file_unmap(&map);
    }
    remove_folder(folder);
}

/* Processes that write, prune and read: what is mapped is whole, and in the end the folder is small. */
static void work(const char *folder, unsigned seed)
{
    for (size_t round = 0; round < 60; round++) {
        char name[8], path[PL_PATH_MAX];
        pl_map map;
        seed = seed * 1664525 + 1013904223;
        snprintf(name, sizeof name, "%c%u", 'a' + (int)(seed >> 20) % 20, seed >> 30);
        put_file(folder, name, 1 + (seed >> 8) % 3, 0);
        pl_user_cache_prune(folder, name, 8 * BLOCK);
        snprintf(name, sizeof name, "%c%u", 'a' + (int)(seed >> 12) % 20, seed >> 10 & 3);
        OK(pl_path(path, "%s/%s", folder, name));
        if (!pl_user_cache_map(&map, path)) continue;
        assert_true(map.size > 0 && map.size % BLOCK == 0);
        for (size_t k = 0; k < map.size; k++)
            if (map.data[k] != name[0]) fail();
        pl_file_unmap(&map);
    }
}

static void test_at_once(void **state)
{
    (void)state;
    enum { PROCESSES = 4 };
    char folder[PL_PATH_MAX];
    pid_t children[PROCESSES];
    size_t n = 0;
    off_t bytes = 0;
    make_folder(folder);
    for (unsigned i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            work(folder, i + 1);
            _exit(0);
        }
    }
    for (size_t i = 0; i < PROCESSES; i++) {
        int status = 1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    pl_user_cache_prune(folder, NULL, 8 * BLOCK);
    DIR *dir = opendir(folder);
    for (struct dirent *e; (e = readdir(dir));) {
        struct stat st;
        if (e->d_name[0] == '.') continue;
        assert_null(strstr(e->d_name, ".tmp"));
        assert_int_equal(fstatat(dirfd(dir), e->d_name, &st, 0), 0);
        bytes += st.st_size;
        n++;
    }
    closedir(dir);
    assert_true(n > 0 && bytes <= 8 * BLOCK);
    remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_oldest_first),
        cmocka_unit_test(test_others_files),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
