/* The run folder: set up once, refused for another plan, swept of what killed processes left, and units adopted from
 * the folders beside it. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "store/fixture.h"
#include "store/run_folder.h"
#include "store/unit_check.h"

static char results[PL_PATH_MAX];
static const char *const unit = sample_id;
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

/* A unit of this id, written but not finished: the smallest file that is one. */
static pl_unit_writer *begin_at(const char *path, const char *unit_id)
{
    pl_unit_writer *writer;
    pl_frame *obs;
    pl_column *index;
    OK(pl_frame_create(&obs, 0));
    OK(pl_frame_add(obs, &index, "_index", PL_COLUMN_TEXT));
    OK(pl_unit_create(&writer, path));
    OK(pl_unit_put_obs(writer, obs));
    json_t *entries = json_pack("{s:s}", "unit_id", unit_id);
    OK(pl_unit_put_config(writer, "{}", entries));
    json_decref(entries);
    pl_frame_free(obs);
    return writer;
}

static pl_unit_writer *begin_unit(const pl_run_folder *run, const char *unit_id)
{
    char path[PL_PATH_MAX];
    OK(pl_run_folder_unit(path, run, unit_id));
    return begin_at(path, unit_id);
}

static void finish_unit(const pl_run_folder *run, const char *unit_id)
{
    OK(pl_unit_finish(begin_unit(run, unit_id)));
}

/* With its sidecar, as a run does it; whether it was another process's by then. */
static bool finish_beside(pl_run_folder *run, const char *unit_id, pl_unit_writer *writer)
{
    json_t *sidecar = json_pack("{s:s}", "host", "here");
    bool found;
    OK(pl_run_folder_finish(run, unit_id, writer, sidecar, &found));
    assert_int_equal(json_object_size(sidecar), 1); /* the caller's is left alone */
    json_decref(sidecar);
    return found;
}

static json_t *sidecar_of(const pl_run_folder *run, const char *unit_id)
{
    char path[PL_PATH_MAX];
    json_t *sidecar;
    OK(pl_path(path, "%s/units/%s.json", run->path, unit_id));
    OK(pl_json_read(&sidecar, path, 10000));
    return sidecar;
}

static bool exists(const pl_run_folder *run, const char *name)
{
    char path[PL_PATH_MAX];
    OK(pl_path(path, "%s/%s", run->path, name));
    return pl_file_exists(path);
}

static void cut(const pl_run_folder *run, const char *name, long size)
{
    char path[PL_PATH_MAX];
    OK(pl_path(path, "%s/%s", run->path, name));
    assert_int_equal(truncate(path, size), 0);
}

static pl_unit_state state_of(const pl_run_folder *run, const char *unit_id, char reason[PL_PATH_MAX])
{
    char folder[PL_PATH_MAX];
    pl_unit_state found;
    OK(pl_path(folder, "%s/units", run->path));
    OK(pl_unit_check_intact(&found, reason, folder, unit_id));
    return found;
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

/* A file in units/ under the temporary name that a process would give it: this one, or a child that is dead, or one on
 * another host. */
static void temporary_of(char name[256], const char *file, bool dead, const char *host)
{
    char path[PL_PATH_MAX];
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = dead ? fork() : getpid();
    if (!dead || pid == 0) {
        OK(pl_file_temporary(path, file));
        assert_int_equal(write(ends[1], path, strlen(path) + 1), strlen(path) + 1);
        if (pid == 0) _exit(0);
    }
    assert_true(read(ends[0], path, sizeof path) > 0);
    if (dead) assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(ends[0]);
    close(ends[1]);
    if (host)
        snprintf(name, 256, "%.*s@%s.tmp", (int)strcspn(path, "@"), path, host);
    else
        snprintf(name, 256, "%.255s", path);
}

static void age(const pl_run_folder *run, const char *name, const char *by)
{
    char command[2 * PL_PATH_MAX];
    snprintf(command, sizeof command, "touch -h -d '%s ago' '%s/units/%s'", by, run->path, name);
    assert_int_equal(system(command), 0);
}

/* What a dead process left goes. What a living one writes stays, whoever holds the lock: it may be the lock of another
 * node. One that cannot be asked stays until its unit is there, or for a day. */
static void left_overs_are_removed(void **state)
{
    (void)state;
    pl_run_folder run, again;
    enum { DEAD, DEAD_SIDECAR, LIVING, FAR, FAR_SIDECAR, FAR_DONE, FAR_OLD, N };
    static const struct {
        const char *file, *host;
        bool dead, stays;
    } cases[N] = {
        [DEAD] = {"one.h5", NULL, true, false},
        [DEAD_SIDECAR] = {"one.json", NULL, true, false},
        [LIVING] = {"one.h5", NULL, false, true},
        [FAR] = {"one.h5", "node17", false, true},
        [FAR_SIDECAR] = {"done.json", "node17", false, true},
        [FAR_DONE] = {"done.h5", "node17", false, false},
        [FAR_OLD] = {"two.h5", "node17", false, false},
    };
    char names[N][256], path[PL_PATH_MAX];
    OK(create(&run, "left", 1));
    assert_false(finish_beside(&run, "done", begin_unit(&run, "done")));
    for (size_t i = 0; i < N; i++) {
        temporary_of(names[i], cases[i].file, cases[i].dead, cases[i].host);
        touch(&run, names[i]);
    }
    age(&run, names[FAR], "20 hours");
    age(&run, names[FAR_OLD], "2 days");
    touch(&run, "dead.lock");
    touch(&run, "notes.tmp");
    OK(create(&again, "left", 1));
    for (size_t i = 0; i < N; i++) {
        OK(pl_path(path, "units/%s", names[i]));
        if (exists(&run, path) != cases[i].stays) fail_msg("%s: expected to %s", path, cases[i].stays ? "stay" : "go");
    }
    assert_false(exists(&run, "units/dead.lock"));
    assert_true(exists(&run, "units/done.h5") && exists(&run, "units/done.json") && exists(&run, "units/notes.tmp"));
}

/* Two processes that both hold the unit, as on a file system whose locks are private to a node: neither touches the
 * other's bytes, the first to finish counts, the other finds it. */
static void two_writers_of_one_unit(void **state)
{
    (void)state;
    pl_run_folder run, other;
    char path[PL_PATH_MAX], reason[PL_PATH_MAX];
    OK(create(&run, "both", 1));
    OK(create(&other, "both", 1));
    pl_unit_writer *mine = begin_unit(&run, "unit");
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) _exit(finish_beside(&other, "unit", begin_unit(&other, "unit")) ? 1 : 0);
    int how;
    assert_int_equal(waitpid(pid, &how, 0), pid);
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
    assert_true(pl_run_folder_has(&run, "unit"));
    OK(pl_path(path, "%s/units", run.path));
    pid = fork();
    if (pid == 0) { /* killed while its file is open */
        (void)begin_unit(&other, "unit");
        kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(pid, &how, 0), pid);
    assert_true(WIFSIGNALED(how));
    struct stat first, now;
    OK(pl_run_folder_unit(path, &run, "unit"));
    assert_int_equal(stat(path, &first), 0);
    assert_true(finish_beside(&run, "unit", mine));
    assert_int_equal(stat(path, &now), 0);
    assert_true(first.st_ino == now.st_ino);
    assert_int_equal(state_of(&run, "unit", reason), PL_UNIT_INTACT);
    OK(create(&other, "both", 1));
    assert_int_equal(other.n_broken, 0);

    /* What stands there is not whole: it is moved aside. */
    mine = begin_unit(&run, "unit");
    cut(&run, "units/unit.h5", 100);
    assert_false(finish_beside(&run, "unit", mine));
    assert_int_equal(run.n_broken, 1);
    assert_true(exists(&run, "units/unit.h5.broken-1"));
    assert_int_equal(state_of(&run, "unit", reason), PL_UNIT_INTACT);

    /* Our file was swept away, as the unit is there. */
    OK(pl_run_folder_unit(path, &run, "late"));
    mine = begin_unit(&run, "late");
    OK(pl_unit_seal(mine));
    char away[PL_PATH_MAX];
    OK(pl_path(away, "%s.away", path));
    assert_int_equal(rename(pl_unit_temporary(mine), away), 0);
    json_t *sidecar = json_object();
    bool found;
    REFUSED(pl_run_folder_finish(&run, "late", mine, sidecar, &found), PL_E_INPUT, "No such file");
    json_decref(sidecar);
    assert_false(found);
}

/* A unit without a sidecar gets one that says so. */
static void a_lost_sidecar_is_made_again(void **state)
{
    (void)state;
    pl_run_folder run, again;
    char reason[PL_PATH_MAX];
    OK(create(&run, "lost", 1));
    assert_false(finish_beside(&run, "kept", begin_unit(&run, "kept")));
    finish_unit(&run, "lost");
    OK(create(&again, "lost", 1));
    assert_int_equal(again.n_broken, 0);
    json_t *sidecar = sidecar_of(&run, "lost");
    assert_true(json_is_true(json_object_get(sidecar, "remade")));
    json_decref(sidecar);
    sidecar = sidecar_of(&run, "kept");
    assert_null(json_object_get(sidecar, "remade"));
    json_decref(sidecar);
    assert_int_equal(state_of(&run, "lost", reason), PL_UNIT_INTACT);
    assert_false(exists(&run, "units/lost.lock"));
}

/* Owners beside finished units go, as do those that are known to be dead; one that cannot be asked stays. */
static void owners_are_swept(void **state)
{
    (void)state;
    pl_run_folder run, again;
    char path[PL_PATH_MAX];
    pl_unit_owner owner;
    bool there;
    static const char far_away[] = "17-4711-0123abcd@node17\n";
    OK(create(&run, "owners", 1));
    assert_false(finish_beside(&run, "done", begin_unit(&run, "done")));
    static const char *const units[] = {"done", "open"};
    for (size_t i = 0; i < 2; i++) {
        OK(pl_path(path, "%s/units/%s.owner", run.path, units[i]));
        OK(pl_file_replace(path, far_away, strlen(far_away)));
    }
    OK(pl_path(path, "%s/units/open.owner.guard", run.path));
    OK(pl_file_replace(path, "", 0));
    age(&run, "open.owner.guard", "2 minutes");
    age(&run, "open.owner", "2 hours");
    OK(create(&again, "owners", 1));
    assert_false(exists(&run, "units/done.owner"));
    assert_false(exists(&run, "units/open.owner.guard"));
    OK(pl_run_folder_owner(&owner, &there, &run, "open"));
    assert_true(there);
    assert_int_equal(owner.life, PL_LIFE_UNKNOWN);
    assert_string_equal(owner.who, "17-4711-0123abcd@node17");
    assert_true(owner.age_s > 7000 && owner.age_s < 8000);
    OK(pl_run_folder_owner(&owner, &there, &run, "done"));
    assert_false(there);
}

/* Links under the names that plumb writes to are not followed. */
static void planted_links_are_refused(void **state)
{
    (void)state;
    pl_run_folder run;
    char path[PL_PATH_MAX], target[PL_PATH_MAX];
    int lock;
    bool taken, there;
    pl_unit_owner owner;
    OK(create(&run, "planted", 1));
    OK(pl_path(target, "%s/victim", results));
    OK(pl_file_replace(target, "precious", 8));
    static const char *const names[] = {"units/u.lock", "units/v.owner", "log.txt"};
    for (size_t i = 0; i < 3; i++) {
        OK(pl_path(path, "%s/%s", run.path, names[i]));
        unlink(path);
        assert_int_equal(symlink(target, path), 0);
    }
    REFUSED(pl_run_folder_claim(&run, "u", &lock, &taken), PL_E_IO, "u.lock: a symbolic link, which is not followed");
    REFUSED(pl_run_folder_owner(&owner, &there, &run, "v"), PL_E_IO, "v.owner: a symbolic link");
    REFUSED(pl_run_folder_log(&run, "a line"), PL_E_IO, "log.txt: a symbolic link");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0); /* nobody reads it: no waiting */
    REFUSED(pl_run_folder_log(&run, "a line"), PL_E_IO, "log.txt: ");
    /* Nor is what stands under a temporary name. */
    char temporary[PL_PATH_MAX];
    OK(pl_path(path, "%s/units/w.json", run.path));
    OK(pl_file_temporary(temporary, path));
    assert_int_equal(symlink(target, temporary), 0);
    OK(pl_file_replace(path, "{}", 2));
    pl_bytes text;
    OK(pl_file_read(&text, target, 100));
    assert_string_equal(text.data, "precious");
    pl_bytes_free(&text);
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

/* One flipped bit, anywhere. */
static void flipped_bytes_are_noticed(void **state)
{
    (void)state;
    pl_run_folder run;
    char path[PL_PATH_MAX], reason[PL_PATH_MAX];
    OK(create(&run, "flipped", 1));
    finish_unit(&run, "unit");
    assert_int_equal(state_of(&run, "unit", reason), PL_UNIT_UNKNOWN);
    OK(pl_run_folder_unit(path, &run, "unit"));
    assert_int_equal(unlink(path), 0);
    assert_false(finish_beside(&run, "unit", begin_unit(&run, "unit")));
    assert_int_equal(state_of(&run, "unit", reason), PL_UNIT_INTACT);
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

    pl_unit_writer *writer;
    assert_int_equal(unlink(path), 0);
    OK(pl_unit_create(&writer, path));
    OK(put_sample(writer));
    assert_false(finish_beside(&donor, unit, writer));
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

/* A unit that is a symbolic link in its own folder is adopted as the file that it leads to; one whose file is gone is
 * not, and a broken link of our own is no obstacle. */
static void links_are_adopted_as_files(void **state)
{
    (void)state;
    pl_run_folder donor, run;
    char real[PL_PATH_MAX], linked[PL_PATH_MAX], mine[PL_PATH_MAX];
    bool adopted;
    struct stat st;
    OK(create(&donor, "linked", 1));
    OK(create(&run, "linking", 1));
    OK(pl_path(real, "%s/archive.h5", results));
    OK(pl_unit_finish(begin_at(real, "linked")));
    OK(pl_run_folder_unit(linked, &donor, "linked"));
    assert_int_equal(symlink(real, linked), 0);
    OK(pl_run_folder_unit(mine, &run, "linked"));
    assert_int_equal(symlink("/no/such/file", mine), 0);
    OK(pl_run_folder_adopt(&run, "linked", "", &adopted));
    assert_true(adopted);
    assert_int_equal(lstat(mine, &st), 0);
    assert_true(S_ISREG(st.st_mode));
    assert_true(pl_run_folder_has(&run, "linked"));
    json_t *sidecar = sidecar_of(&run, "linked"); /* the donor had none */
    assert_true(json_is_true(json_object_get(sidecar, "remade")));
    json_decref(sidecar);

    /* Another unit's file under this unit's name is not this unit. */
    OK(pl_run_folder_unit(linked, &donor, "misplaced"));
    assert_int_equal(symlink(real, linked), 0);
    OK(pl_run_folder_adopt(&run, "misplaced", "", &adopted));
    assert_false(adopted);

    OK(pl_run_folder_unit(linked, &donor, "gone"));
    assert_int_equal(symlink("/no/such/file", linked), 0);
    OK(pl_run_folder_adopt(&run, "gone", "", &adopted));
    assert_false(adopted);
    OK(pl_run_folder_unit(mine, &run, "gone"));
    assert_int_not_equal(lstat(mine, &st), 0);
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
    char id[64];
    snprintf(id, sizeof id, "%s-far", unit);
    OK(pl_unit_finish(begin_at(path, id)));
    OK(pl_path(path, "%s/far", results));
    assert_int_equal(symlink(elsewhere, path), 0);
    OK(create(&run, "copy", 1));
    bool adopted;
    /* No room on the disk: one line, and nothing of the copy stays. */
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit small = {.rlim_cur = 4000, .rlim_max = before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    REFUSED(pl_run_folder_adopt(&run, id, "", &adopted), PL_E_IO, "cannot write: File too large");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    OK(pl_run_folder_unit(path, &run, id));
    OK(pl_file_temporary(part, path));
    assert_false(pl_run_folder_has(&run, id) || pl_file_exists(part));

    OK(pl_run_folder_adopt(&run, id, "", &adopted));
    assert_true(adopted);
    pl_unit_reader *reader;
    OK(pl_unit_open(&reader, path));
    pl_unit_close(reader);
    assert_int_equal(stat(path, &there), 0);
    assert_int_equal(there.st_nlink, 1);
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
        cmocka_unit_test(two_writers_of_one_unit),
        cmocka_unit_test(a_lost_sidecar_is_made_again),
        cmocka_unit_test(owners_are_swept),
        cmocka_unit_test(planted_links_are_refused),
        cmocka_unit_test(broken_units_are_moved_aside),
        cmocka_unit_test(a_broken_plan_is_made_again),
        cmocka_unit_test(flipped_bytes_are_noticed),
        cmocka_unit_test(units_are_adopted),
        cmocka_unit_test(links_are_adopted_as_files),
        cmocka_unit_test(units_are_copied_across_disks),
        cmocka_unit_test(logs_and_status_are_written),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
