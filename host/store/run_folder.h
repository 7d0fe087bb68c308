/* The run folder: results/<name>-<hash8>/ with the frozen experiment, the plan, one file a unit, status and log.
 *
 * Several processes (shards of a Slurm array) may work in one run folder: each unit is written by one process at a time
 * (a lock file held with flock where the file system has it, else a file that names its owner; claim.h): claim, look
 * whether the unit is there by now, adopt or compute it, finish it, release. Where locks are private to a node two
 * processes may compute one unit: each writes under names of its own, the first to finish is the one that counts, and
 * both files have the same bytes. Names and unit ids become parts of paths: pl_path_check_name. */
#ifndef PLUMB_STORE_RUN_FOLDER_H
#define PLUMB_STORE_RUN_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/file.h"
#include "base/json.h"
#include "base/process.h"
#include "store/unit_file.h"

typedef struct pl_run_folder {
    char path[PL_PATH_MAX];    /* results/<name>-<hash8> */
    char results[PL_PATH_MAX]; /* the folder that holds run folders */
    size_t n_broken;           /* damaged files that create has moved aside, to be made again; the first one's reason */
    char first_broken[1024];
} pl_run_folder;

/* Makes results/<name>-<hash8>/units, writes experiment.yaml, manifest.json and plan.json when they are absent (when
 * present with another plan: PL_E_INPUT). Removes what dead processes left. A unit file that is not whole and a
 * plan.json that is no JSON are moved aside (<file>.broken-<n>) and logged: they are made again. */
pl_status pl_run_folder_create(pl_run_folder *out, const char *results, const char *name, const char *hash,
                               const char *experiment_yaml, size_t yaml_size, const json_t *manifest,
                               const json_t *plan);
/* Opens an existing run folder. */
pl_status pl_run_folder_open(pl_run_folder *out, const char *path);
pl_status pl_run_folder_plan(const pl_run_folder *run, json_t **plan); /* a new reference */

/* units/<id>.h5 (and .json beside it). */
pl_status pl_run_folder_unit(char out[PL_PATH_MAX], const pl_run_folder *run, const char *unit_id);
bool pl_run_folder_has(const pl_run_folder *run, const char *unit_id);
/* A finished unit of the same id and numerics key in a sibling run folder is linked (or copied) into this one, its
 * sidecar with it; *adopted says whether. The unit is claimed by the caller. A link shares its bytes: unit files are
 * never edited. */
pl_status pl_run_folder_adopt(const pl_run_folder *run, const char *unit_id, const char *numerics_key, bool *adopted);
/* Takes the unit for this process: *taken is false when another live process works on it (look again before calling the
 * unit lost: that process may be killed yet). Release closes *lock. */
pl_status pl_run_folder_claim(const pl_run_folder *run, const char *unit_id, int *lock, bool *taken);
void pl_run_folder_release(const pl_run_folder *run, const char *unit_id, int lock);
/* Who keeps a unit by units/<id>.owner, on a file system without locks. */
typedef struct pl_unit_owner {
    char path[PL_PATH_MAX];        /* of the file */
    char who[PL_PROCESS_NAME_MAX]; /* one line; "" when its maker was killed before it wrote */
    pl_life life;
    double age_s; /* since it was made */
} pl_unit_owner;
/* *there: the file is. Unknown life: only a person can tell whether the process is gone, and remove the file. */
pl_status pl_run_folder_owner(pl_unit_owner *out, bool *there, const pl_run_folder *run, const char *unit_id);
/* Gives a written unit its name, under the claim: seals it, writes units/<id>.json (the sidecar with the digest of the
 * file, unit_check.h), renames. In this order, so that no unit stands without its sidecar. *found: another process
 * finished the unit meanwhile, and its file stays; one that is not whole is moved aside. Also removes
 * units/<id>.failed.json. Frees the writer. */
pl_status pl_run_folder_finish(pl_run_folder *run, const char *unit_id, pl_unit_writer *writer, const json_t *sidecar,
                               bool *found);
/* A unit that failed leaves units/<id>.failed.json {message}; written under the claim, removed when it is finished.
 * */
pl_status pl_run_folder_failed(const pl_run_folder *run, const char *unit_id, const char *message);
/* *failed: one was written at `since` (seconds of the wall clock) or later; message [size], "" where it cannot be read.
 */
pl_status pl_run_folder_failure(bool *failed, char *message, size_t size, const pl_run_folder *run, const char *unit_id,
                                double since);

/* Appends one line with the time to log.txt. */
pl_status pl_run_folder_log(const pl_run_folder *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* status.json, replaced as a whole (status-<shard>.json for a shard). */
pl_status pl_run_folder_status(const pl_run_folder *run, const char *shard, const json_t *status);
/* Every unit is there: writes DONE, and removes what dead processes left meanwhile. */
pl_status pl_run_folder_done(const pl_run_folder *run);

#endif
