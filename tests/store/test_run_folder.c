/* The run folder: set up once, refused for another plan, swept of what killed processes left, and units adopted from
 * the folders beside it. */
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "store/fixture.h"
#include "store/run_folder.h"
#include "store/unit_check.h"

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

/* A finished unit of this id: the smallest file that is one. */
static void finish_unit(const pl_run_folder *run, const char *unit_id)
{
    char path[PL_PATH_MAX];
    pl_unit_writer *writer;
    pl_frame *obs;
    pl_column *index;
    OK(pl_run_folder_unit(path, run, unit_id));
    OK(pl_frame_create(&obs, 0));
    OK(pl_frame_add(obs, &index, "_index", PL_COLUMN_TEXT));
    OK(pl_unit_create(&writer, path));
    OK(pl_unit_put_obs(writer, obs));
    json_t *entries = json_pack("{s:s}", "unit_id", unit_id);
    OK(pl_unit_put_config(writer, "{}", entries));
    OK(pl_unit_finish(writer));
    json_decref(entries);
    pl_frame_free(obs);
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
    finish_unit(&run, "done");
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

static void cut(const pl_run_folder *run, const char *name, long size)
{
    char path[PL_PATH_MAX];
    OK(pl_path(path, "%s/%s", run->path, name));
    assert_int_equal(truncate(path, size), 0);
}

static void log_holds(const pl_run_folder *run, const char *part)
{
    char path[PL_PATH_MAX];
    pl_bytes text;
    OK(pl_path(path, "%s/log.txt", run->path));
    OK(pl_file_read(&text, path, 1 << 20));
    if (!strstr(text.data, part)) fail_msg("log.txt lacks '%s': %s", part, text.data);
    pl_bytes_free(&text);
}

/* Cut, emptied, foreign, of another unit: moved aside with the reason in the log, as often as it happens. */
static void broken_units_are_moved_aside(void **state)
{
    (void)state;
    pl_run_folder run, again;
    char path[PL_PATH_MAX];
    OK(create(&run, "broken", 1));
    finish_unit(&run, "good");
    finish_unit(&run, "shortened");
    finish_unit(&run, "emptied");
    finish_unit(&run, "other");
    cut(&run, "units/shortened.h5", 4000);
    cut(&run, "units/emptied.h5", 0);
    touch(&run, "foreign.h5");
    OK(pl_path(path, "%s/units/misplaced.h5", run.path));
    char from[PL_PATH_MAX];
    OK(pl_path(from, "%s/units/other.h5", run.path));
    assert_int_equal(rename(from, path), 0);
    OK(create(&again, "broken", 1));
    assert_int_equal(again.n_broken, 4);
    assert_non_null(strstr(again.first_broken, "emptied.h5"));
    static const char *const broken[] = {"shortened", "emptied", "foreign", "misplaced"};
    for (size_t i = 0; i < 4; i++) {
        char name[64];
        assert_false(pl_run_folder_has(&run, broken[i]));
        snprintf(name, sizeof name, "units/%s.h5.broken-1", broken[i]);
        assert_true(exists(&run, name));
        snprintf(name, sizeof name, "units/%s.lock", broken[i]);
        assert_false(exists(&run, name));
    }
    assert_true(pl_run_folder_has(&run, "good"));
    log_holds(&run, "unit_id is 'other', expected 'misplaced'; moved aside to misplaced.h5.broken-1");
    log_holds(&run, "foreign.h5: not a whole HDF5 file");
    finish_unit(&run, "emptied");
    OK(create(&again, "broken", 1));
    assert_int_equal(again.n_broken, 0);
    cut(&run, "units/emptied.h5", 100);
    OK(create(&again, "broken", 1));
    assert_int_equal(again.n_broken, 1);
    assert_true(exists(&run, "units/emptied.h5.broken-2"));
}

static void a_broken_plan_is_made_again(void **state)
{
    (void)state;
    pl_run_folder run, again;
    const long sizes[] = {0, 7};
    OK(create(&run, "cutplan", 1));
    for (size_t i = 0; i < 2; i++) {
        json_t *plan;
        cut(&run, "plan.json", sizes[i]);
        OK(create(&again, "cutplan", 1));
        assert_int_equal(again.n_broken, 1);
        OK(pl_run_folder_plan(&again, &plan));
        assert_int_equal(json_integer_value(json_object_get(plan, "n")), 1);
        json_decref(plan);
    }
    assert_true(exists(&run, "plan.json.broken-2"));
    log_holds(&run, "moved aside to plan.json.broken-1");
    OK(create(&again, "cutplan", 1));
    assert_int_equal(again.n_broken, 0);
}

static pl_unit_state state_of(const pl_run_folder *run, const char *unit_id, char reason[PL_PATH_MAX])
{
    char folder[PL_PATH_MAX];
    pl_unit_state found;
    OK(pl_path(folder, "%s/units", run->path));
    OK(pl_unit_check_intact(&found, reason, folder, unit_id));
    return found;
}

/* One flipped bit, anywhere. */
static void flipped_bytes_are_noticed(void **state)
{
    (void)state;
    pl_run_folder run;
    char path[PL_PATH_MAX], reason[PL_PATH_MAX];
    OK(create(&run, "flipped", 1));
    finish_unit(&run, "unit");
    assert_int_equal(state_of(&run, "unit", reason), PL_UNIT_UNKNOWN);
    json_t *sidecar = json_pack("{s:s}", "host", "here");
    OK(pl_run_folder_sidecar(&run, "unit", sidecar));
    assert_int_equal(json_object_size(sidecar), 1); /* the caller's is left alone */
    json_decref(sidecar);
    assert_int_equal(state_of(&run, "unit", reason), PL_UNIT_INTACT);
    OK(pl_run_folder_unit(path, &run, "unit"));
    for (int i = 0; i < 3; i++) {
        FILE *file = fopen(path, "r+");
        assert_non_null(file);
        assert_int_equal(fseek(file, 0, SEEK_END), 0);
        long at = i * (ftell(file) - 1) / 2;
        for (int turn = 0; turn < 2; turn++) { /* there and back */
            assert_int_equal(fseek(file, at, SEEK_SET), 0);
            int byte = fgetc(file);
            assert_int_equal(fseek(file, at, SEEK_SET), 0);
            fputc(byte ^ 16, file);
            fflush(file);
            assert_int_equal(state_of(&run, "unit", reason), turn ? PL_UNIT_INTACT : PL_UNIT_DAMAGED);
            if (!turn) assert_non_null(strstr(reason, path));
        }
        fclose(file);
    }
    cut(&run, "units/unit.json", 5);
    assert_int_equal(state_of(&run, "unit", reason), PL_UNIT_DAMAGED);
}

static void units_are_adopted(void **state)
{
    (void)state;
    pl_run_folder donor, run;
    char path[PL_PATH_MAX], mine[PL_PATH_MAX];
    bool adopted;
    OK(create(&donor, "donor", 1));
    OK(create(&run, "heir", 1));
    OK(pl_run_folder_adopt(&run, unit, "", &adopted));
    assert_false(adopted);

    /* Something of that name that is no finished unit does not count. */
    OK(pl_run_folder_unit(path, &donor, unit));
    OK(pl_file_replace(path, "junk", 4));
    OK(pl_run_folder_adopt(&run, unit, "", &adopted));
    assert_false(adopted);

    OK(write_sample(path));
    json_t *sidecar = json_pack("{s:s}", "host", "somewhere");
    OK(pl_run_folder_sidecar(&donor, unit, sidecar));
    json_decref(sidecar);
    OK(pl_run_folder_failed(&run, unit, "no luck"));
    assert_false(pl_run_folder_has(&run, unit));
    OK(pl_run_folder_adopt(&run, unit, "", &adopted));
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
    /* With a flipped bit in its values, which no reader of the file can notice, it is not taken. */
    assert_int_equal(unlink(mine), 0);
    OK(pl_file_read(&a, path, 1 << 24));
    const float known[] = {sample_value(6), sample_value(7)};
    char *place = memmem(a.data, a.size, known, sizeof known);
    assert_non_null(place);
    for (int turn = 0; turn < 2; turn++) {
        *place ^= 1;
        OK(pl_file_replace(path, a.data, a.size));
        OK(pl_run_folder_adopt(&run, unit, "", &adopted));
        assert_int_equal(adopted, turn);
        if (!turn) log_holds(&run, "is not adopted");
    }
    pl_bytes_free(&a);
    /* There already: nothing to adopt. */
    OK(pl_run_folder_adopt(&run, unit, "", &adopted));
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
    OK(pl_run_folder_adopt(&run, id, "", &adopted));
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
        cmocka_unit_test(a_folder_is_set_up_once),
        cmocka_unit_test(names_that_are_paths_are_refused),
        cmocka_unit_test(a_folder_is_opened),
        cmocka_unit_test(left_overs_are_removed),
        cmocka_unit_test(broken_units_are_moved_aside),
        cmocka_unit_test(a_broken_plan_is_made_again),
        cmocka_unit_test(flipped_bytes_are_noticed),
        cmocka_unit_test(units_are_adopted),
        cmocka_unit_test(units_are_copied_across_disks),
        cmocka_unit_test(logs_and_status_are_written),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
