/* The run folder: set up once, refused for another plan, swept of what killed processes left, and units adopted from
 * the folders beside it. */
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "store/fixture.h"
#include "store/run_folder.h"

static char results[PL_PATH_MAX];
static const char unit[] = "00112233445566778899aabbccddeeff";
static const char yaml[] = "name: demo\n";

static int set_up(void **state)
{
    (void)state;
    make_folder(results);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remove_folder(results);
    return 0;
}

static pl_status create(pl_run_folder *run, const char *name, int n_units)
{
    json_t *manifest = json_pack("{s:s}", "version", "0.1.0"), *plan = json_pack("{s:i,s:s}", "n", n_units, "a", "b");
    pl_status status = pl_run_folder_create(run, results, name, "cafebabe0123", yaml, strlen(yaml), manifest, plan);
    json_decref(manifest);
    json_decref(plan);
    return status;
}

static void touch(const pl_run_folder *run, const char *name)
{
    char path[PL_PATH_MAX];
    OK(pl_path(path, "%s/units/%s", run->path, name));
    OK(pl_file_replace(path, "x", 1));
}

static bool exists(const pl_run_folder *run, const char *name)
{
    char path[PL_PATH_MAX];
    OK(pl_path(path, "%s/%s", run->path, name));
    return pl_file_exists(path);
}

static void a_folder_is_set_up_once(void **state)
{
    (void)state;
    pl_run_folder run, again;
    char path[PL_PATH_MAX];
    pl_bytes text;
    OK(create(&run, "once", 3));
    OK(pl_path(path, "%s/once-cafebabe", results));
    assert_string_equal(run.path, path);
    assert_true(exists(&run, "plan.json") && exists(&run, "manifest.json"));
    OK(pl_path(path, "%s/experiment.yaml", run.path));
    OK(pl_file_read(&text, path, 1000));
    assert_string_equal(text.data, yaml);
    pl_bytes_free(&text);

    OK(create(&again, "once", 3));
    assert_int_equal(create(&again, "once", 4), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "plan.json"));
    /* Equal but for order and white space: the same plan. */
    OK(pl_path(path, "%s/plan.json", run.path));
    const char same[] = "{ \"a\" : \"b\",\n \"n\":3}";
    OK(pl_file_replace(path, same, strlen(same)));
    OK(create(&again, "once", 3));
    OK(pl_file_replace(path, "{ \"a\" : ", 8));
    assert_int_equal(create(&again, "once", 3), PL_E_INPUT);
}

static void names_that_are_paths_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"", "a/b", "..", ".hidden", "a b", "a\n"};
    pl_run_folder run;
    char path[PL_PATH_MAX];
    OK(create(&run, "names", 1));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        pl_run_folder other;
        assert_int_equal(create(&other, names[i], 1), PL_E_INPUT);
        assert_int_equal(pl_run_folder_unit(path, &run, names[i]), PL_E_INPUT);
        assert_false(pl_run_folder_has(&run, names[i]));
    }
    json_t *status = json_object();
    assert_int_equal(pl_run_folder_status(&run, "../x", status), PL_E_INPUT);
    json_decref(status);
}

static void a_folder_is_opened(void **state)
{
    (void)state;
    pl_run_folder run, opened;
    char path[PL_PATH_MAX];
    OK(create(&run, "open", 5));
    OK(pl_path(path, "%s//", run.path));
    OK(pl_run_folder_open(&opened, path));
    assert_string_equal(opened.path, run.path);
    assert_string_equal(opened.results, results);
    json_t *plan;
    OK(pl_run_folder_plan(&opened, &plan));
    assert_int_equal(json_integer_value(json_object_get(plan, "n")), 5);
    json_decref(plan);
    assert_int_equal(pl_run_folder_open(&opened, results), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "plan.json"));
}

/* Left-overs go, unless a living process works on that unit. */
static void left_overs_are_removed(void **state)
{
    (void)state;
    pl_run_folder run, again;
    OK(create(&run, "left", 1));
    touch(&run, "dead.h5.part");
    touch(&run, "dead.lock");
    touch(&run, "dead.json.77.tmp");
    touch(&run, "done.h5");
    touch(&run, "busy.h5.part");
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        int lock;
        bool taken;
        char answer = pl_run_folder_claim(&run, "busy", &lock, &taken) == PL_OK && taken ? 'y' : 'n';
        if (write(ends[1], &answer, 1) != 1) _exit(1);
        pause();
        _exit(0);
    }
    char answer = 0;
    assert_int_equal(read(ends[0], &answer, 1), 1);
    assert_int_equal(answer, 'y');
    OK(create(&again, "left", 1));
    assert_false(exists(&run, "units/dead.h5.part"));
    assert_false(exists(&run, "units/dead.lock"));
    assert_false(exists(&run, "units/dead.json.77.tmp"));
    assert_true(exists(&run, "units/done.h5"));
    assert_true(exists(&run, "units/busy.h5.part"));
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(ends[0]);
    close(ends[1]);
    OK(create(&again, "left", 1));
    assert_false(exists(&run, "units/busy.h5.part"));
    assert_false(exists(&run, "units/busy.lock"));
}

static void units_are_adopted(void **state)
{
    (void)state;
    pl_run_folder donor, run;
    char path[PL_PATH_MAX], mine[PL_PATH_MAX];
    bool adopted;
    OK(create(&donor, "donor", 1));
    OK(create(&run, "heir", 1));
    OK(pl_run_folder_adopt(&run, unit, &adopted));
    assert_false(adopted);

    /* Something of that name that is no finished unit does not count. */
    OK(pl_run_folder_unit(path, &donor, unit));
    OK(pl_file_replace(path, "junk", 4));
    OK(pl_run_folder_adopt(&run, unit, &adopted));
    assert_false(adopted);

    OK(write_sample(path));
    json_t *sidecar = json_pack("{s:s}", "host", "somewhere");
    OK(pl_run_folder_sidecar(&donor, unit, sidecar));
    json_decref(sidecar);
    OK(pl_run_folder_failed(&run, unit, "no luck"));
    assert_false(pl_run_folder_has(&run, unit));
    OK(pl_run_folder_adopt(&run, unit, &adopted));
    assert_true(adopted);
    assert_true(pl_run_folder_has(&run, unit));
    assert_false(exists(&run, "units/00112233445566778899aabbccddeeff.failed.json"));
    assert_true(exists(&run, "units/00112233445566778899aabbccddeeff.json"));
    pl_bytes a, b;
    OK(pl_run_folder_unit(mine, &run, unit));
    OK(pl_file_read(&a, path, 1 << 24));
    OK(pl_file_read(&b, mine, 1 << 24));
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
    pl_bytes_free(&a);
    pl_bytes_free(&b);
    /* There already: nothing to adopt. */
    OK(pl_run_folder_adopt(&run, unit, &adopted));
    assert_false(adopted);
}

/* A donor on another file system cannot be linked: it is copied. */
static void units_are_copied_across_disks(void **state)
{
    (void)state;
    pl_run_folder run;
    char elsewhere[] = "/dev/shm/plumb-store-XXXXXX", path[PL_PATH_MAX], part[PL_PATH_MAX];
    struct stat here, there;
    assert_int_equal(stat(results, &here), 0);
    if (!mkdtemp(elsewhere)) {
        print_message("SKIP: /dev/shm cannot be written\n");
        skip();
    }
    assert_int_equal(stat(elsewhere, &there), 0);
    if (here.st_dev == there.st_dev) {
        remove_folder(elsewhere);
        print_message("SKIP: /dev/shm is no other file system\n");
        skip();
    }
    OK(pl_path(path, "%s/units", elsewhere));
    OK(pl_folder_make(path));
    OK(pl_path(path, "%s/units/%s-far.h5", elsewhere, unit));
    OK(write_sample(path));
    OK(pl_path(path, "%s/far", results));
    assert_int_equal(symlink(elsewhere, path), 0);
    OK(create(&run, "copy", 1));
    bool adopted;
    char id[64];
    snprintf(id, sizeof id, "%s-far", unit);
    OK(pl_run_folder_adopt(&run, id, &adopted));
    assert_true(adopted);
    OK(pl_run_folder_unit(path, &run, id));
    pl_unit_reader *reader;
    OK(pl_unit_open(&reader, path));
    pl_unit_close(reader);
    assert_int_equal(stat(path, &there), 0);
    assert_int_equal(there.st_nlink, 1);
    OK(pl_path(part, "%s.part", path));
    assert_false(pl_file_exists(part));
    remove_folder(elsewhere);
}

static void logs_and_status_are_written(void **state)
{
    (void)state;
    pl_run_folder run;
    char path[PL_PATH_MAX];
    OK(create(&run, "logs", 1));
    /* Lines of two processes stay whole. */
    fflush(NULL);
    pid_t pid = fork();
    for (int i = 0; i < 200; i++)
        OK(pl_run_folder_log(&run, "unit %d of %s\nsecond line", i, pid ? "parent" : "child"));
    if (pid == 0) _exit(0);
    int child;
    assert_int_equal(waitpid(pid, &child, 0), pid);
    assert_int_equal(child, 0);
    OK(pl_path(path, "%s/log.txt", run.path));
    FILE *log = fopen(path, "r");
    assert_non_null(log);
    char line[256], who[16];
    int n = 0, year, unit_number;
    while (fgets(line, sizeof line, log)) {
        assert_int_equal(sscanf(line, "%d-%*d-%*dT%*d:%*d:%*dZ unit %d of %15s second line", &year, &unit_number, who),
                         3);
        assert_true(year >= 2024);
        n++;
    }
    fclose(log);
    assert_int_equal(n, 400);

    json_t *status = json_pack("{s:i}", "done", 3);
    OK(pl_run_folder_status(&run, NULL, status));
    OK(pl_run_folder_status(&run, "1-3", status));
    json_decref(status);
    assert_true(exists(&run, "status.json") && exists(&run, "status-1-3.json"));
    OK(pl_run_folder_failed(&run, unit, "it broke"));
    assert_true(exists(&run, "units/00112233445566778899aabbccddeeff.failed.json"));
    assert_false(exists(&run, "DONE"));
    OK(pl_run_folder_done(&run));
    assert_true(exists(&run, "DONE"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_is_set_up_once),     cmocka_unit_test(names_that_are_paths_are_refused),
        cmocka_unit_test(a_folder_is_opened),          cmocka_unit_test(left_overs_are_removed),
        cmocka_unit_test(units_are_adopted),           cmocka_unit_test(units_are_copied_across_disks),
        cmocka_unit_test(logs_and_status_are_written),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
