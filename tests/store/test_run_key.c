/* The numerics key of a run: the first one stays, all processes agree on it, and it is never half a key. */
#include <sys/wait.h>

#include "base/file.h"
#include "store/run_key.h"
#include "tests.h"

static pl_run_folder run;
static char path[PL_PATH_MAX];
static const char model[] = "0123abcd-float32";

static int set_up(void **state)
{
    (void)state;
    make_folder(run.path);
    OK(pl_run_key_path(path, &run, model));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remove_folder(run.path);
    return 0;
}

static void the_first_stays(void **state)
{
    (void)state;
    char kept[PL_RUN_KEY_MAX];
    OK(pl_run_key_get(kept, &run, model));
    assert_string_equal(kept, "");
    OK(pl_run_key_agree(kept, &run, model, "cpu 1"));
    assert_string_equal(kept, "cpu 1");
    OK(pl_run_key_agree(kept, &run, model, "cuda 1"));
    assert_string_equal(kept, "cpu 1");
    OK(pl_run_key_agree(kept, &run, "other-float32", "cuda 1"));
    assert_string_equal(kept, "cuda 1");
}

/* Each proposes its own; all get the same. */
static void processes_agree(void **state)
{
    (void)state;
    enum { PROCESSES = 4, ROUNDS = 20 };
    for (int round = 0; round < ROUNDS; round++) {
        pid_t pids[PROCESSES];
        int ends[2];
        char kept[PL_RUN_KEY_MAX], first[PL_RUN_KEY_MAX];
        assert_int_equal(pipe(ends), 0);
        for (int p = 0; p < PROCESSES; p++) {
            pids[p] = fork();
            if (pids[p] != 0) continue;
            char own[32];
            snprintf(own, sizeof own, "process %d", p);
            bool agreed = pl_run_key_agree(kept, &run, model, own) == PL_OK;
            _exit(!agreed || write(ends[1], kept, sizeof kept) != (ssize_t)sizeof kept);
        }
        for (int p = 0; p < PROCESSES; p++) {
            int how;
            assert_int_equal(waitpid(pids[p], &how, 0), pids[p]);
            assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
            assert_int_equal(read(ends[0], p ? kept : first, sizeof kept), sizeof kept);
            if (p) assert_string_equal(kept, first);
        }
        close(ends[0]);
        close(ends[1]);
        OK(pl_run_key_get(kept, &run, model));
        assert_string_equal(kept, first);
        assert_int_equal(unlink(path), 0);
    }
}

static void what_is_no_key(void **state)
{
    (void)state;
    char kept[PL_RUN_KEY_MAX], folder[PL_PATH_MAX];
    OK(pl_path_folder(folder, path));
    OK(pl_folder_make(folder));
    OK(pl_file_replace(path, "", 0));
    REFUSED(pl_run_key_agree(kept, &run, model, "cpu 1"), PL_E_INPUT, "expected a numerics key, found nothing");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/no/such/file", path), 0); /* a link that leads nowhere is no key either */
    OK(pl_run_key_agree(kept, &run, model, "cpu 1"));
    assert_string_equal(kept, "cpu 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(processes_agree, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_key, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
