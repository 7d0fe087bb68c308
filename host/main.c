/* Picks the verb; the only place that ends the process. */
#include <alloca.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/json.h"
#include "base/memory.h"
#include "cli/cli.h"

/* A closed stdin, stdout or stderr is opened on nothing: otherwise the next file that is opened takes its number, and
 * what is printed goes into that file. */
static void open_standard_files(void)
{
    int fd;
    do fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0) close(fd);
}

/* The stack grows where it is used, and under a limit on addresses (`ulimit -v`) growing in vain is a crash without a
 * word. What products take of it, most of a MiB, is asked for here. */
static void reserve_stack(void)
{
    enum { BYTES = 3 << 19 };
    struct rlimit stack;
    if (getrlimit(RLIMIT_STACK, &stack) != 0 || stack.rlim_cur < 2 * (rlim_t)BYTES) return;
    void *room = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) pl_out_of_memory("1.5 MiB of stack; raise the limit on addresses (ulimit -v)");
    munmap(room, BYTES);
    volatile char *lowest = alloca(BYTES);
    *lowest = 0;
}

/* Weights and data are mapped: reading past the end of a file that was cut short meanwhile is this signal. */
static void say_bus_error(int signal)
{
    static const char text[] = "plumb: a file that is being read (weights or data) was cut short or cannot be read any "
                               "more; copy it again and run the same command\n";
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    (void)signal, (void)written;
    _exit(1);
}

/* SIGTERM, SIGUSR1 and SIGINT, where no run is at its units (base/drain.h): files appear whole, so the process may end
 * at any moment. A shell stops its loop only for a program that SIGINT ended. */
static void end_by_signal(int number)
{
    static const char kept[] = "; what is finished is kept, and the same command goes on\n";
    char text[128] = "plumb: ended by ";
    strcat(text, number == SIGINT ? "Ctrl-C (SIGINT)" : number == SIGTERM ? "SIGTERM" : "SIGUSR1");
    strcat(text, kept);
    ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)written;
    if (number != SIGINT) _exit(pl_status_exit_code(PL_E_DRAINED));
    signal(SIGINT, SIG_DFL);
    raise(SIGINT);
}

/* What is ignored stays so: nohup, a script's jobs in the background. */
static void answer(int number)
{
    if (signal(number, end_by_signal) == SIG_IGN) signal(number, SIG_IGN);
}

int main(int argc, char **argv)
{
    open_standard_files();
    reserve_stack();
    pl_json_guard();
    signal(SIGXFSZ, SIG_IGN); /* a limit on the size of files is an error of write(), with a message */
    signal(SIGBUS, say_bus_error);
    answer(SIGTERM);
    answer(SIGUSR1);
    answer(SIGINT);
    int code = pl_cli_main(argc, argv);
    if (code ==
        pl_status_exit_code(PL_E_INTERRUPTED)) { /* a shell stops its loop only for a program that SIGINT ended */
        fflush(NULL);
        signal(SIGINT, SIG_DFL);
        raise(SIGINT);
    }
    return code;
}
