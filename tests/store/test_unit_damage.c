/* Unit files under misfortune: a full disk, a file-size limit, a folder that cannot be written, writers killed at any
 * moment, files cut short, and files made to mislead (tests/golden/store/hostile.py). The invariant: a final name is a
 * whole file or no file, every failure is one line that names the path, and the program lives on. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "store/fixture.h"

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

/* A sample and 4 MiB of states: large enough to be killed in. */
static pl_status write_large(const char *path)
{
    enum { C = (1 << 20) / ROWS };
    float *values;
    pl_unit_writer *w;
    PL_TRY(pl_new(&values, (size_t)ROWS * C));
    for (size_t i = 0; i < (size_t)ROWS * C; i++) values[i] = (float)(i % 1000);
    pl_status status = pl_unit_create(&w, path);
    if (status == PL_OK) {
        status = pl_unit_put_states(w, "last.00", values, ROWS, C, PL_F32, NULL);
        if (status == PL_OK) status = put_sample(w);
        if (status == PL_OK)
            status = pl_unit_finish(w);
        else
            pl_unit_discard(w);
    }
    free(values);
    return status;
}

/* Exit codes of children. */
enum { CHILD_WROTE = 0, CHILD_REFUSED = 10, CHILD_WRONG = 20, CHILD_SKIPPED = 77 };

/* Runs in a child that then ends in the usual way, so that HDF5 clears up at its exit. */
static int in_child(int (*act)(const char *path, size_t limit), const char *path, size_t limit)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) exit(act(path, limit));
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status)) fail_msg("a child died of signal %d at limit %zu", WTERMSIG(status), limit);
    return WEXITSTATUS(status);
}

/* What a child makes of a write that may fail for lack of room. */
static int judge(const char *path, pl_status status, const char *cause)
{
    char part[PL_PATH_MAX];
    if (pl_file_temporary(part, path) != PL_OK || pl_file_exists(part)) return CHILD_WRONG;
    if (status == PL_OK) return pl_file_exists(path) ? CHILD_WROTE : CHILD_WRONG + 1;
    const char *text = pl_error_text();
    if (pl_file_exists(path)) return CHILD_WRONG + 2;
    if (status == PL_E_IO && strstr(text, path) && strstr(text, cause) && !strchr(text, '\n')) return CHILD_REFUSED;
    fprintf(stderr, "unexpected: %s\n", text);
    return CHILD_WRONG + 3;
}

static int write_under_limit(const char *path, size_t limit)
{
    const struct rlimit size = {limit, limit};
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &size) != 0) return CHILD_WRONG + 4;
    return judge(path, write_large(path), "File too large");
}

static void a_size_limit_is_one_line(void **state)
{
    (void)state;
    static const size_t limits[] = {0, 100, 2000, 4096, 10000, 100000, 4100000, 4194304, 4197000, 4210000};
    char path[PL_PATH_MAX];
    OK(pl_path(path, "%s/limit.h5", folder));
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        assert_int_equal(in_child(write_under_limit, path, limits[i]), CHILD_REFUSED);
    assert_int_equal(in_child(write_under_limit, path, 5000000), CHILD_WROTE);
}

/* A disk of `limit` bytes of its own, seen by this child only. */
static int write_on_small_disk(const char *path, size_t limit)
{
    char options[64], mount_point[PL_PATH_MAX];
    snprintf(options, sizeof options, "size=%zu", limit);
    if (pl_path_folder(mount_point, path) != PL_OK) return CHILD_WRONG + 5;
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", mount_point, "tmpfs", 0, options) != 0)
        return CHILD_SKIPPED;
    int result = judge(path, write_large(path), "No space left on device");
    /* A second attempt in the same process: the first must have left nothing behind. */
    return result == CHILD_REFUSED ? judge(path, write_large(path), "No space left on device") : result;
}

static void a_full_disk_is_one_line(void **state)
{
    (void)state;
    static const size_t limits[] = {8192, 65536, 1 << 20, 4194304};
    char disk[PL_PATH_MAX], path[PL_PATH_MAX];
    OK(pl_path(disk, "%s/disk", folder));
    OK(pl_folder_make(disk));
    OK(pl_path(path, "%s/unit.h5", disk));
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        int result = in_child(write_on_small_disk, path, limits[i]);
        if (result == CHILD_SKIPPED) {
            print_message("SKIP: a small disk cannot be mounted here (needs root)\n");
            skip();
        }
        assert_int_equal(result, CHILD_REFUSED);
    }
    assert_int_equal(in_child(write_on_small_disk, path, 8 << 20), CHILD_WROTE);
}

static void unwritable_places_are_one_line(void **state)
{
    (void)state;
    char path[PL_PATH_MAX], part[PL_PATH_MAX];
    OK(pl_path(path, "%s/no/such/unit.h5", folder));
    REFUSED(write_sample(path), PL_E_IO, "tmp: cannot create: No such file or directory");
    assert_non_null(strstr(pl_error_text(), path));

    /* The final name is a folder: the rename fails. */
    OK(pl_path(path, "%s/taken.h5/inside", folder));
    OK(pl_folder_make(path));
    OK(pl_path(path, "%s/taken.h5", folder));
    OK(pl_file_temporary(part, path));
    assert_int_equal(write_sample(path), PL_E_IO);
    assert_non_null(strstr(pl_error_text(), "cannot rename into place"));
    assert_false(pl_file_exists(part));

    if (geteuid() == 0) return; /* root may write anywhere */
    OK(pl_path(path, "%s/locked", folder));
    OK(pl_folder_make(path));
    assert_int_equal(chmod(path, 0555), 0);
    OK(pl_path(path, "%s/locked/unit.h5", folder));
    assert_int_equal(write_sample(path), PL_E_IO);
    assert_non_null(strstr(pl_error_text(), "Permission denied"));
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int write_freely(const char *path, size_t limit)
{
    (void)limit;
    return judge(path, write_large(path), "nothing fails here");
}

static void killed_writers_leave_whole_files_or_none(void **state)
{
    (void)state;
    enum { KILLS = 25, MOST_TRIES = 400 };
    char path[PL_PATH_MAX];
    pl_bytes whole = {0}, found = {0};
    OK(pl_path(path, "%s/killed.h5", folder));
    OK(write_large(path));
    double start = seconds();
    assert_int_equal(in_child(write_freely, path, 0), CHILD_WROTE);
    double duration = seconds() - start;
    OK(pl_file_read(&whole, path, 1 << 24));
    assert_int_equal(unlink(path), 0);
    int n_killed = 0, n_absent = 0, n_tries = 0;
    for (; n_killed < KILLS && n_tries < MOST_TRIES; n_tries++) {
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) _exit(write_large(path) == PL_OK ? 0 : 1);
        /* Spread over the whole write and a little more. */
        usleep((useconds_t)(1e6 * duration * 1.5 * (n_tries % KILLS) / KILLS));
        kill(pid, SIGKILL);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
        n_killed += WIFSIGNALED(status);
        if (!pl_file_exists(path)) {
            n_absent++;
            continue;
        }
        OK(pl_file_read(&found, path, 1 << 24));
        assert_int_equal(found.size, whole.size);
        assert_memory_equal(found.data, whole.data, whole.size);
        pl_bytes_free(&found);
        assert_int_equal(unlink(path), 0);
    }
    print_message("%d of %d writers were killed, %d left no file\n", n_killed, n_tries, n_absent);
    assert_true(n_killed >= KILLS && n_absent > 0);
    /* What the last one left in the way does not matter. */
    OK(write_large(path));
    OK(pl_file_read(&found, path, 1 << 24));
    assert_memory_equal(found.data, whole.data, whole.size);
    pl_bytes_free(&found);
    pl_bytes_free(&whole);
}

/* Everything a reader can be asked for; the first failure. */
static pl_status read_all(const char *path)
{
    pl_unit_reader *r = NULL;
    pl_arena *arena = NULL;
    pl_frame *obs = NULL;
    json_t *config = NULL;
    const char **names;
    size_t n, rows, width;
    pl_loglik loglik;
    pl_status status;
    PL_GOTO(status, done, pl_arena_create(&arena));
    PL_GOTO(status, done, pl_unit_open(&r, path));
    PL_GOTO(status, done, get_obs(r, &obs));
    PL_GOTO(status, done, pl_unit_list_states(r, arena, &names, &n));
    for (size_t i = 0; i < n; i++) {
        float *values;
        PL_GOTO(status, done, pl_unit_get_states(r, names[i], &values, &rows, &width));
        free(values);
    }
    PL_GOTO(status, done, pl_unit_get_loglik(r, arena, &loglik));
    PL_GOTO(status, done, pl_unit_get_config(r, &config));
done:
    json_decref(config);
    pl_frame_free(obs);
    pl_unit_close(r);
    pl_arena_free(arena);
    return status;
}

static void cut_files_are_refused(void **state)
{
    (void)state;
    char path[PL_PATH_MAX];
    pl_bytes whole;
    OK(pl_path(path, "%s/cut.h5", folder));
    OK(write_sample(path));
    OK(read_all(path));
    OK(pl_file_read(&whole, path, 1 << 24));
    for (size_t size = 0; size < whole.size; size += size < 600 ? 37 : 997) {
        OK(pl_file_replace(path, whole.data, size));
        assert_int_equal(read_all(path), PL_E_INPUT);
        assert_non_null(strstr(pl_error_text(), path));
    }
    OK(pl_file_replace(path, whole.data, whole.size - 1));
    assert_int_equal(read_all(path), PL_E_INPUT);
    pl_bytes_free(&whole);
    assert_int_equal(read_all(folder), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "not a regular file"));
    OK(pl_path(path, "%s/absent.h5", folder));
    assert_int_equal(read_all(path), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "No such file"));
}

/* What each misleading file is refused for. */
static const struct {
    const char *name, *message;
} faults[] = {
    {"huge_contiguous", "more than a file of"},
    {"huge_overflow", "more than a file of"},
    {"huge_chunked", "more than a file of"},
    {"never_written", "never written"},
    {"external", "in another file"},
    {"virtual", "in another file"},
    {"matrix_rank", "expected 2 dims, found 1"},
    {"matrix_rows", "4 elements, expected 3"},
    {"matrix_type", "expected reals, found integers"},
    {"codes_range", "row 1: code 2, expected -1 or below 2"},
    {"codes_negative", "row 2: code -2"},
    {"codes_length", "column 'arm': expected 3 rows, found 2"},
    {"column_length", "column 'k': expected 3 rows, found 4"},
    {"column_compound", "expected texts, integers, reals or booleans"},
    {"column_fixed_text", "expected texts of variable length"},
    /* The list of columns is for others: nobody here reads it. */
    {"column_absent", NULL},
    {"column_twice", NULL},
    {"column_outside", NULL},
    {"index_not_utf8", "text 1 is not UTF-8"},
    {"texts_shared", "/obs/_index: cannot read"},
    {"indptr_falls", "element 2 is 1"},
    {"indptr_start", "element 0 is 1"},
    {"indptr_end", "9223372036854775808 elements"},
    {"indptr_length", "2 elements, expected 3"},
    {"tokens_length", "2 elements, expected 3"},
    {"version", "format_version is 3, expected 2"},
    {"not_complete", "not complete"},
    {"complete_zero", "complete is 0, expected 1"},
    {"complete_text", "complete"},
    {"config_broken", "not valid JSON"},
    {"config_number", "expected a text"},
};

/* Unpacks one file of hostile.txt: "file NAME SIZE", then "OFFSET HEX" lines. */
static void unpack(const char *path, const char *name)
{
    FILE *in = fopen(PLUMB_SOURCE_DIR "/tests/golden/store/hostile.txt", "r"), *out = fopen(path, "w");
    assert_true(in && out);
    static char line[1 << 16], hex[1 << 16];
    char found[64] = "";
    long offset, size = 0;
    while (fgets(line, sizeof line, in)) {
        if (sscanf(line, "file %63s %ld", found, &offset) == 2) {
            if (!strcmp(found, name)) size = offset;
            continue;
        }
        if (strcmp(found, name) || sscanf(line, "%ld %65535s", &offset, hex) != 2) continue;
        assert_int_equal(fseek(out, offset, SEEK_SET), 0);
        for (const char *h = hex; *h; h += 2) {
            unsigned byte;
            assert_int_equal(sscanf(h, "%2x", &byte), 1);
            fputc((int)byte, out);
        }
    }
    fclose(in);
    assert_int_equal(fclose(out), 0);
    assert_true(size > 0);
    assert_int_equal(truncate(path, size), 0);
}

static void misleading_files_are_refused(void **state)
{
    (void)state;
    char path[PL_PATH_MAX];
    OK(pl_path(path, "%s/hostile.h5", folder));
    unpack(path, "good");
    OK(read_all(path));
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        unpack(path, faults[i].name);
        pl_status status = read_all(path);
        const char *text = pl_error_text();
        if (!faults[i].message) {
            assert_int_equal(status, PL_OK);
            continue;
        }
        if (status != PL_E_INPUT || !strstr(text, faults[i].message) || !strstr(text, path))
            fail_msg("%s: expected '%s', found status %d: %s", faults[i].name, faults[i].message, (int)status, text);
    }
}

/* ---- the heap of texts, which HDF5 would follow without a look ---- */

/* In a fork, whose end says what became of it; and HDF5 forgets to free what it could not read. */
static pl_status read_apart(const char *path)
{
    int code;
    pid_t child = fork();
    if (child == 0) _exit((int)read_all(path));
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_true(WIFEXITED(code));
    return (pl_status)WEXITSTATUS(code);
}

static pl_status read_with(const char *path, pl_bytes *whole, size_t at, uint64_t value, size_t size)
{
    char kept[8];
    memcpy(kept, whole->data + at, size);
    memcpy(whole->data + at, &value, size);
    OK(pl_file_replace(path, whole->data, whole->size));
    memcpy(whole->data + at, kept, size);
    pl_status status = read_apart(path);
    if (status != PL_OK && status != PL_E_INPUT)
        fail_msg("%llx in the %zu bytes at %zu: ended with %d", (unsigned long long)value, size, at, (int)status);
    return status;
}

/* Each number of a collection and of its objects, and of each reference to it, made wrong in turn: never more than a
 * refusal. */
static void wrong_heaps_are_refused(void **state)
{
    (void)state;
    static const uint64_t wrong[] = {1, 4097, 0xFFFF, 0x7FFFFFFF, UINT64_MAX - 8};
    char path[PL_PATH_MAX];
    pl_bytes whole;
    size_t n_heaps = 0, n_refused = 0, n = 0;
    OK(pl_path(path, "%s/heap.h5", folder));
    OK(write_sample(path));
    OK(pl_file_read(&whole, path, 1 << 24));
    for (uint64_t heap = 0; heap + 4096 <= whole.size; heap += 8) {
        if (memcmp(whole.data + heap, "GCOL", 4) != 0) continue;
        n_heaps++;
        for (size_t w = 0; w < sizeof wrong / sizeof *wrong; w++) {
            n_refused += read_with(path, &whole, heap + 8, wrong[w], 8) == PL_E_INPUT, n++;
            n_refused += read_with(path, &whole, heap + 16, wrong[w], 2) == PL_E_INPUT, n++;
            n_refused += read_with(path, &whole, heap + 24, wrong[w], 8) == PL_E_INPUT, n++;
        }
        for (size_t at = 4, n_found = 0; at + 12 <= whole.size; at += 4) {
            if (memcmp(whole.data + at, &heap, 8) != 0 || n_found++ % 3 > 0) continue;
            for (size_t w = 0; w < sizeof wrong / sizeof *wrong; w += 2) {
                n_refused += read_with(path, &whole, at - 4, wrong[w], 4) == PL_E_INPUT, n++;
                n_refused += read_with(path, &whole, at, wrong[w], 8) == PL_E_INPUT, n++;
                n_refused += read_with(path, &whole, at + 8, wrong[w], 4) == PL_E_INPUT, n++;
            }
        }
    }
    pl_bytes_free(&whole);
    print_message("%zu collections, %zu files, %zu refused\n", n_heaps, n, n_refused);
    assert_true(n_heaps > 0 && n > 100 && n_refused > n / 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_size_limit_is_one_line),       cmocka_unit_test(a_full_disk_is_one_line),
        cmocka_unit_test(unwritable_places_are_one_line), cmocka_unit_test(killed_writers_leave_whole_files_or_none),
        cmocka_unit_test(cut_files_are_refused),          cmocka_unit_test(misleading_files_are_refused),
        cmocka_unit_test(wrong_heaps_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
