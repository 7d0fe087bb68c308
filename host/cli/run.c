/* plumb run: units, then (when the whole plan is there) the table, the CSV and lm-eval's files. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "analysis/look.h"
#include "base/clock.h"
#include "base/drain.h"
#include "base/launch.h"
#include "base/progress.h"
#include "base/visible.h"
#include "cli/cli.h"
#include "cli/finish.h"
#include "cli/rank_device.h"
#include "cli/results.h"
#include "device/device.h"
#include "experiment/run.h"

static pl_status parse_shard(const char *text, pl_run_options *options)
{
    char *end;
    unsigned long i = strtoul(text, &end, 10), n = 0;
    if (end != text && *end == '/') {
        char *rest = end + 1;
        n = strtoul(rest, &end, 10);
        if (end == rest || *end) n = 0;
    }
    if (n == 0 || n > 100000 || i >= n)
        return pl_fail(PL_E_USAGE, "--shard: expected I/N with I from 0 to N-1, for example 0/3; found '%s'", text);
    options->shard = i;
    options->n_shards = n;
    return PL_OK;
}

static pl_status read_options(const pl_arguments *arguments, pl_run_options *options)
{
    size_t threads = 0;
    *options = (pl_run_options){.device = "auto",
                                .look = pl_look_at_run,
                                .quiet = pl_argument_flag(arguments, PL_OPTION_QUIET),
                                .no_sharing = pl_argument_flag(arguments, PL_OPTION_NO_SHARING)};
    if (arguments->values[PL_OPTION_DEVICE]) options->device = arguments->values[PL_OPTION_DEVICE];
    if (arguments->values[PL_OPTION_SHARD]) PL_TRY(parse_shard(arguments->values[PL_OPTION_SHARD], options));
    PL_TRY(pl_argument_size(arguments, PL_OPTION_BATCH_TOKENS, &options->batch_tokens));
    PL_TRY(pl_argument_size(arguments, PL_OPTION_THREADS, &threads));
    options->n_threads = (int)threads;
    return PL_OK;
}

static void say(void *listener, const char *line)
{
    (void)listener;
    pl_print(stderr, "%s\n", line);
}

static void print_summary(const pl_run_summary *s, double seconds)
{
    char duration[32];
    pl_duration_text(duration, seconds);
    pl_print(stderr, "%s: %zu units: %zu computed, %zu there already, %zu adopted from other runs", s->folder.path,
             s->n_share, s->n_computed, s->n_found, s->n_adopted);
    if (s->n_failed) pl_print(stderr, ", %zu FAILED", s->n_failed);
    if (s->n_refused) pl_print(stderr, ", %zu left to another device", s->n_refused);
    if (s->n_elsewhere) pl_print(stderr, ", %zu in work in another process", s->n_elsewhere);
    if (s->n_not_needed) pl_print(stderr, ", %zu not needed: an earlier stage is enough", s->n_not_needed);
    if (s->n_waiting)
        pl_print(stderr, ", %zu not begun: their stage waits for a look at units that are not there", s->n_waiting);
    pl_print(stderr, "; %s\n", duration);
    if (s->n_held)
        pl_print(
            stderr,
            "%zu of them are held by a process on another host or in another container, which cannot be asked from "
            "here whether it lives: %s\n",
            s->n_held, s->first_held);
    if (s->folder.n_broken)
        pl_print(stderr, "%zu damaged files were moved aside (*.broken-*) and made again; %s\n", s->folder.n_broken,
                 s->folder.first_broken);
    if (s->n_merged)
        pl_print(stderr, "%zu prompts share a token with their answer (column `merged` of /obs)\n", s->n_merged);
    if (s->n_not_finite)
        pl_print(stderr, "WARNING: %zu prompts have values that are NaN or infinite; %s\n", s->n_not_finite,
                 s->first_not_finite);
}

/* At once, from the thread that waits for signals: a unit may take minutes. */
static void say_interrupted(int signal)
{
    if (signal != SIGINT) return;
    pl_print(stderr, "\ninterrupted: the unit at hand is finished first; Ctrl-C again ends at once (finished units are "
                     "kept either way)\n");
}

/* ---- Several processes on one results folder, each with a device of its own ---- */

typedef struct crew {
    pl_launch launch;
    pl_drain *drain;
    char device[PL__DEVICE_NAME], again[PL__DEVICE_NAME + 64];
    bool given_up; /* after a failure that ends all */
} crew;

static void wait_for_others(void *context)
{
    (void)context;
    const struct timespec pause = {.tv_sec = 1};
    (void)nanosleep(&pause, NULL); /* a signal is looked for before every unit */
}

/* As many as were asked for, or as there are GPUs. Comes behind pl_launch_read and the drain: a driver may start
 * threads. */
static pl_status share_devices(crew *c, const pl_arguments *arguments, pl_run_options *options)
{
    const char *asked = arguments->values[PL_OPTION_RANKS];
    char all[24];
    const size_t n = asked || options->n_shards || c->launch.rank ? 1 : pl_device_count(options->device);
    if (n > 1) {
        (void)snprintf(all, sizeof all, "%zu", n > PL_LAUNCH_MOST ? PL_LAUNCH_MOST : n);
        PL_TRY(pl_launch_read(&c->launch, all));
    }
    (void)snprintf(c->again, sizeof c->again, "--device %.*s%s%.8s", PL__DEVICE_NAME, options->device,
                   asked ? " --ranks " : "", asked ? asked : "");
    options->again = c->again;
    /* What nobody has named may be too old, or another's: rank 0 then says why, and goes on with the CPU. */
    if (asked || c->launch.rank || strcmp(options->device, "auto") != 0) {
        PL_TRY(pl__rank_device(c->device, &c->launch, options->device));
        options->device = c->device;
    }
    if (!options->n_threads) options->n_threads = (int)pl_launch_threads(&c->launch);
    if (c->launch.size > 1) options->wait = wait_for_others;
    return PL_OK;
}

static void say_lost(void *context)
{
    (void)context;
    pl_print(stderr, "another process of this run has ended with an error; the others take over what it left\n");
}

static bool is_to_stop(void *context)
{
    crew *c = (crew *)context;
    return c->given_up || pl_drain_requested(c->drain);
}

/* The share of this process; of rank 0 the whole run. */
static pl_status run_share(pl_run_summary *summary, crew *c, const pl_spec *spec, const pl_run_options *options)
{
    if (c->launch.size > 1 && !options->quiet)
        pl_print(stderr, "%zu processes share the units, each with a device of its own\n", c->launch.size);
    pl_status status = pl_launch_start(&c->launch, say_lost, NULL);
    if (status == PL_OK) status = pl_run_experiment(summary, spec, options);
    c->given_up = status != PL_OK && status != PL_E_UNITS;
    pl_launch_wait(&c->launch, is_to_stop, c);
    return pl_launch_end(&c->launch, status);
}

pl_status pl_verb_run(const pl_arguments *arguments)
{
    char results[PL_PATH_MAX];
    pl_run_options options;
    pl_run_summary summary = {0};
    pl_drain drain = {0};
    pl_spec *spec = NULL;
    pl_status status;
    pl__asked asked;
    double start = pl_clock_s();
    PL_TRY(read_options(arguments, &options));
    PL_TRY(pl__asked_of(&asked, arguments));
    PL_TRY(pl__results_folder(results, arguments));
    options.results = results;
    const char *ranks = arguments->values[PL_OPTION_RANKS];
    if (ranks && strcmp(ranks, "srun") == 0)
        return pl_fail(PL_E_USAGE, "--ranks srun: tasks of Slurm share a run by --shard (experiments/slurm)");
    crew crew = {.drain = &drain};
    PL_TRY(pl_launch_read(&crew.launch, ranks ? ranks : "1"));
    options.since = crew.launch.since;
    options.helper = crew.launch.rank > 0;
    options.quiet |= options.helper;
    PL_GOTO(status, done, pl_drain_open(&drain, options.helper ? NULL : say_interrupted));
    options.drain = &drain;
    PL_GOTO(status, done, share_devices(&crew, arguments, &options));
    asked.device = options.device;
    if (!options.quiet) options.say = say;
    PL_GOTO(status, done, pl_spec_read(&spec, arguments->words[0], arguments->words + 1, arguments->n_words - 1));
    status = run_share(&summary, &crew, spec, &options);
    if (options.helper) {
        if (status == PL_E_DRAINED || status == PL_E_INTERRUPTED || status == PL_E_UNITS)
            status = PL_OK; /* rank 0 says so */
        if (status != PL_OK) (void)pl_fail(status, "process %zu: %s", crew.launch.rank, pl_error_text());
        goto done;
    }
    if (summary.n_share) print_summary(&summary, pl_clock_s() - start);
    if (status != PL_OK) goto done;
    if (options.n_shards || summary.n_missing) {
        pl_print(stderr, "%zu of %zu units are still missing; %s finishes and analyses the run\n", summary.n_missing,
                 summary.n_units,
                 options.n_shards ? "`plumb run` without --shard"
                                  : "when the other process has ended, the same command again");
        goto done;
    }
    if (pl_drain_requested(&drain)) {
        status = pl_fail(pl_drain_status(&drain), "%s: %s; every unit is there, run the same command again to analyse",
                         summary.folder.path, pl_drain_state(&drain));
        goto done;
    }
    pl_drain_close(&drain); /* the analysis may end at any moment: the same command makes it again */
    PL_GOTO(status, done, pl__finish(&summary.folder, &asked));
done:
    pl_spec_free(spec);
    pl_drain_close(&drain);
    return status;
}
