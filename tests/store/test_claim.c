/* Claims: one holder at a time, gone with its process, never two holders through a file that was unlinked in between.
 * Both ways are tested, flock and the owner file for file systems without it. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "store/claim.h"
#include "store/fixture.h"

static char folder[PL_PATH_MAX], stem[PL_PATH_MAX];

static int set_up(void **state)
{
    (void)state;
    make_folder(folder);
    OK(pl_path(stem, "%s/0123abcd", folder));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remove_folder(folder);
    return 0;
}

typedef pl_status claim(int *fd, bool *taken);

static pl_status by_lock(int *fd, bool *taken)
{
    bool supported;
    pl_status status = pl__claim_lock(stem, fd, taken, &supported);
    assert_true(supported);
    return status;
}

static pl_status by_owner(int *fd, bool *taken)
{
    return pl__claim_owner(stem, fd, taken);
}

static bool file_stays(const char *ending)
{
    char path[PL_PATH_MAX];
    OK(pl_path(path, "%s.%s", stem, ending));
    return pl_file_exists(path);
}

/* A child that claims, reports through a pipe and waits to be killed. */
static pid_t holder(claim *take)
{
    int pipe_ends[2];
    assert_int_equal(pipe(pipe_ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        int fd;
        bool taken;
        char answer = take(&fd, &taken) == PL_OK && taken ? 'y' : 'n';
        if (write(pipe_ends[1], &answer, 1) != 1) _exit(1);
        pause();
        _exit(0);
    }
    char answer = 0;
    close(pipe_ends[1]);
    assert_int_equal(read(pipe_ends[0], &answer, 1), 1);
    close(pipe_ends[0]);
    assert_int_equal(answer, 'y');
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void one_holder(claim *take, const char *ending)
{
    int first, second;
    bool taken;
    OK(take(&first, &taken));
    assert_true(taken);
    assert_true(file_stays(ending));
    OK(take(&second, &taken));
    assert_false(taken);
    assert_int_equal(second, -1);
    pl__claim_release(stem, first);
    assert_false(file_stays(ending));
    OK(take(&first, &taken));
    assert_true(taken);
    pl__claim_release(stem, first);
    pl__claim_release(stem, -1);

    pid_t pid = holder(take);
    OK(take(&first, &taken));
    assert_false(taken);
    end(pid);
    assert_true(file_stays(ending));
    OK(take(&first, &taken));
    assert_true(taken);
    pl__claim_release(stem, first);
    assert_false(file_stays(ending));
}

static void one_holder_by_lock(void **state)
{
    (void)state;
    one_holder(by_lock, "lock");
}

static void one_holder_by_owner(void **state)
{
    (void)state;
    one_holder(by_owner, "owner");
}

/* An owner on another host, or one whose text never came, is left alone; the latter for a minute. */
static void owners_elsewhere_are_left_alone(void **state)
{
    (void)state;
    char path[PL_PATH_MAX], command[2 * PL_PATH_MAX];
    int fd;
    bool taken;
    OK(pl_path(path, "%s.owner", stem));
    OK(pl_file_replace(path, "another.host.example 999999999\n", 31));
    OK(by_owner(&fd, &taken));
    assert_false(taken);
    OK(pl_file_replace(path, "", 0));
    OK(by_owner(&fd, &taken));
    assert_false(taken);
    snprintf(command, sizeof command, "touch -d '2 minutes ago' '%s'", path);
    assert_int_equal(system(command), 0);
    OK(by_owner(&fd, &taken));
    assert_true(taken);
    pl__claim_release(stem, fd);
    assert_false(file_stays("owner"));
}

/* Several processes claim and release without pause; a counter in shared memory sees whether two ever hold at once. */
static void never_two_holders(claim *take)
{
    enum { PROCESSES = 4, TURNS = 40, DEADLINE_S = 60 };
    int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(shared != MAP_FAILED);
    int *inside = &shared[0], *n_taken = &shared[1], *n_bad = &shared[2];
    pid_t pids[PROCESSES];
    for (int p = 0; p < PROCESSES; p++) {
        pids[p] = fork();
        if (pids[p] != 0) continue;
        /* Each has its turns, however the machine shares out its time. */
        const time_t end = time(NULL) + DEADLINE_S;
        for (int turns = 0; turns < TURNS;) {
            int fd;
            bool taken;
            if (take(&fd, &taken) != PL_OK || time(NULL) > end) _exit(1);
            if (!taken) continue;
            if (__atomic_add_fetch(inside, 1, __ATOMIC_SEQ_CST) != 1) __atomic_add_fetch(n_bad, 1, __ATOMIC_SEQ_CST);
            __atomic_add_fetch(n_taken, 1, __ATOMIC_SEQ_CST);
            if (turns++ % 8 == 0) usleep(200);
            __atomic_sub_fetch(inside, 1, __ATOMIC_SEQ_CST);
            pl__claim_release(stem, fd);
        }
        _exit(0);
    }
    for (int p = 0; p < PROCESSES; p++) {
        int status;
        assert_int_equal(waitpid(pids[p], &status, 0), pids[p]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    assert_int_equal(*n_taken, PROCESSES * TURNS);
    assert_int_equal(*n_bad, 0);
    munmap(shared, 4096);
}

static void never_two_holders_by_lock(void **state)
{
    (void)state;
    never_two_holders(by_lock);
    assert_false(file_stays("lock"));
}

static void never_two_holders_by_owner(void **state)
{
    (void)state;
    never_two_holders(by_owner);
    assert_false(file_stays("owner"));
}

/* Several processes find the file of a dead owner: one takes it over. */
static void one_heir(void **state)
{
    (void)state;
    enum { PROCESSES = 4, ROUNDS = 60 };
    int *n_taken = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(n_taken != MAP_FAILED);
    for (int i = 0; i < ROUNDS; i++) {
        end(holder(by_owner));
        pid_t pids[PROCESSES];
        n_taken[0] = n_taken[1] = 0;
        for (int p = 0; p < PROCESSES; p++) {
            pids[p] = fork();
            if (pids[p] != 0) continue;
            int fd;
            bool taken;
            /* All at once, and none gives it back before all have tried. */
            __atomic_add_fetch(&n_taken[1], 1, __ATOMIC_SEQ_CST);
            while (__atomic_load_n(&n_taken[1], __ATOMIC_SEQ_CST) < PROCESSES) usleep(10);
            if (by_owner(&fd, &taken) != PL_OK) _exit(1);
            if (taken) __atomic_add_fetch(&n_taken[0], 1, __ATOMIC_SEQ_CST);
            __atomic_add_fetch(&n_taken[1], 1, __ATOMIC_SEQ_CST);
            while (__atomic_load_n(&n_taken[1], __ATOMIC_SEQ_CST) < 2 * PROCESSES) usleep(10);
            _exit(0);
        }
        for (int p = 0; p < PROCESSES; p++) {
            int status;
            assert_int_equal(waitpid(pids[p], &status, 0), pids[p]);
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        }
        assert_true(n_taken[0] <= 1);
    }
    munmap(n_taken, 4096);
    int fd;
    bool taken;
    OK(by_owner(&fd, &taken));
    assert_true(taken);
    pl__claim_release(stem, fd);
}

static void a_missing_folder_is_one_line(void **state)
{
    (void)state;
    int fd;
    bool taken, supported;
    assert_int_equal(pl__claim_lock("/no/such/folder/x", &fd, &taken, &supported), PL_E_IO);
    assert_int_equal(pl__claim_owner("/no/such/folder/x", &fd, &taken), PL_E_IO);
    assert_non_null(strstr(pl_error_text(), "/no/such/folder/x.owner"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_holder_by_lock),
        cmocka_unit_test(one_holder_by_owner),
        cmocka_unit_test(owners_elsewhere_are_left_alone),
        cmocka_unit_test(never_two_holders_by_lock),
        cmocka_unit_test(never_two_holders_by_owner),
        cmocka_unit_test(one_heir),
        cmocka_unit_test(a_missing_folder_is_one_line),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
