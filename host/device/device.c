/* Opening a device by the name a user gives: "cpu", "auto" (cuda where it opens), "cuda" or "cuda:<index>".
 *
 * The number of threads is settled here, so that every backend gets a number: the caller's, else OMP_NUM_THREADS, else
 * SLURM_CPUS_PER_TASK, else the CPUs that the process may run on. */
#include "device/device.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device/plugin.h"

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

/* "cuda:3" -> "cuda" and 3; "cuda" -> "cuda" and 0. False when it is neither a plug-in's name nor one with an index. */
static bool parse_plugin(const char **backend, int *index, const char *name)
{
    size_t length = strcspn(name, ":");
    const char *known = pl__plugin_named(name, length);
    if (!known) return false;
    *backend = known;
    *index = 0;
    if (!name[length]) return true;
    const char *digits = name + length + 1;
    size_t n = strspn(digits, "0123456789");
    if (n == 0 || n > 4 || digits[n]) return false;
    *index = atoi(digits);
    return true;
}

static pl_status open_plugin(pl_processor *out, bool *found, const char *backend, int index, int n_threads)
{
    const pl_backend *ops;
    PL_TRY(pl__plugin_open(&ops, found, backend));
    PL_TRY(ops->open(&out->device, index, n_threads, &services));
    out->ops = ops;
    return PL_OK;
}

static pl_status open_cpu(pl_processor *out, int n_threads)
{
    PL_TRY(pl_backend_cpu.open(&out->device, 0, n_threads, &services));
    out->ops = &pl_backend_cpu;
    return PL_OK;
}

static pl_status open_best(pl_processor *out, int n_threads)
{
    bool found;
    if (open_plugin(out, &found, "cuda", 0, n_threads) == PL_OK) {
        pl_device_facts facts;
        PL_TRY(out->ops->facts(out->device, &facts));
        (void)snprintf(out->choice, sizeof out->choice, "device auto: %s", facts.name);
        return PL_OK;
    }
    /* Where there is neither a plug-in nor a driver there was no choice, and nothing to explain. */
    if (found || access("/dev/nvidiactl", F_OK) == 0)
        (void)snprintf(out->choice, sizeof out->choice, "device auto: cpu, because %.460s", pl_error_text());
    return open_cpu(out, n_threads);
}

pl_status pl_processor_open(pl_processor *out, const char *name, int n_threads)
{
    const char *backend;
    int index;
    bool found;
    pl_status status;
    *out = (pl_processor){0};
    PL_TRY(count_threads(&n_threads));
    if (strcmp(name, "cpu") == 0)
        status = open_cpu(out, n_threads);
    else if (strcmp(name, "auto") == 0)
        status = open_best(out, n_threads);
    else if (parse_plugin(&backend, &index, name))
        status = open_plugin(out, &found, backend, index, n_threads);
    else
        return pl_fail(PL_E_USAGE, "device '%s' is not known: expected cpu, cuda, cuda:<index> (from 0) or auto", name);
    if (status != PL_OK) pl_processor_close(out);
    return status;
}

size_t pl_device_count(const char *name)
{
    const bool any = strcmp(name, "auto") == 0;
    const char *backend;
    const pl_backend *ops;
    int index;
    bool found;
    if (strchr(name, ':') || !parse_plugin(&backend, &index, any ? "cuda" : name)) return 1;
    const int n = pl__plugin_open(&ops, &found, backend) == PL_OK ? ops->count() : 0;
    return n > 0 ? (size_t)n : any ? 1 : 0;
}

void pl_processor_close(pl_processor *processor)
{
    if (processor->device) processor->ops->close(processor->device);
    *processor = (pl_processor){0};
}
