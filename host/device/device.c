/* Opening a device by the name a user gives: "cpu", "auto" (the best there is), "cuda" or "cuda:<index>".
 *
 * The number of threads is settled here, so that every backend gets a number: the caller's, else OMP_NUM_THREADS, else
 * SLURM_CPUS_PER_TASK, else the CPUs that the process may run on. */
#include "device/device.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_THREADS = 1024 };

/* *out = the number in an environment variable, or 0 when it is not set. OMP_NUM_THREADS may be a list, one number a
 * nesting level ("4,2"): the first counts. */
static pl_status threads_from(int *out, const char *variable)
{
    const char *text = getenv(variable);
    *out = 0;
    if (!text || !*text) return PL_OK;
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (errno || end == text || (*end && *end != ',') || n < 1 || n > MAX_THREADS) {
        return pl_fail(PL_E_USAGE, "%s is '%s': expected a number of threads from 1 to %d; correct or unset it",
                       variable, text, MAX_THREADS);
    }
    *out = (int)n;
    return PL_OK;
}

static pl_status count_threads(int *n_threads)
{
    if (*n_threads < 0 || *n_threads > MAX_THREADS) {
        return pl_fail(PL_E_USAGE, "%d threads asked for: expected 1 to %d, or 0 for all this process may use",
                       *n_threads, MAX_THREADS);
    }
    if (!*n_threads) PL_TRY(threads_from(n_threads, "OMP_NUM_THREADS"));
    if (!*n_threads) PL_TRY(threads_from(n_threads, "SLURM_CPUS_PER_TASK"));
    if (!*n_threads) {
        cpu_set_t set;
        *n_threads = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
        if (*n_threads > MAX_THREADS) *n_threads = MAX_THREADS;
    }
    return PL_OK;
}

/* The fail of this program, for backends that are linked into it or opened as a plug-in. */
static const pl_host_services services = {.fail = pl_fail};

pl_status pl_gear_open(pl_gear *out, const char *name, int n_threads)
{
    *out = (pl_gear){0};
    if (strcmp(name, "cuda") == 0 || strncmp(name, "cuda:", 5) == 0) {
        return pl_fail(PL_E_UNSUPPORTED, "device '%s': this build has no CUDA backend; --device cpu works", name);
    }
    if (strcmp(name, "cpu") != 0 && strcmp(name, "auto") != 0) {
        return pl_fail(PL_E_USAGE, "device '%s' is not known: expected cpu, cuda, cuda:<index> or auto", name);
    }
    PL_TRY(count_threads(&n_threads));
    PL_TRY(pl_backend_cpu.open(&out->device, 0, n_threads, &services));
    out->ops = &pl_backend_cpu;
    return PL_OK;
}

void pl_gear_close(pl_gear *gear)
{
    if (gear->device) gear->ops->close(gear->device);
    *gear = (pl_gear){0};
}
