/* Adoption: a unit that another run folder beside this one has finished is not computed again. Equal ids and
 * equal numerics keys mean equal numbers, so the file is taken as it is: as a hard link, or as a copy where the file
 * system has no links or has used them up. A donor that cannot be read is no failure of this run: it is left alone. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/temporary.h"
#include "store/run_folder.h"
#include "store/run_key.h"
#include "store/sidecar.h"
#include "store/unit_check.h"

enum { COPY_BYTES = 1 << 20 };

/* What is wrong with the donor is PL_E_INPUT, with what is written PL_E_IO. */
static pl_status copy_bytes(int out, int in, const char *to, const char *from)
{
    char *buffer;
    PL_TRY(pl_new(&buffer, COPY_BYTES));
    pl_status status = PL_OK;
    for (ssize_t n; status == PL_OK && (n = read(in, buffer, COPY_BYTES)) != 0;) {
        if (n < 0 && errno != EINTR) status = pl_fail(PL_E_INPUT, "%s: cannot read: %s", from, strerror(errno));
        if (n > 0 && !pl_write_all(out, buffer, (size_t)n))
            status = pl_fail(PL_E_IO, "%s: cannot write: %s", to, strerror(errno));
    }
    free(buffer);
    return status;
}

static pl_status copy_file(char part[PL_PATH_MAX], const char *from, const char *to)
{
    int in = open(from, O_RDONLY | O_CLOEXEC), out;
    if (in < 0) return pl_fail(PL_E_INPUT, "%s: cannot open: %s", from, strerror(errno));
    pl_status status = pl_temporary_create(&out, part, to);
    if (status != PL_OK) {
        close(in);
        return status;
    }
    status = copy_bytes(out, in, part, from);
    if (status == PL_OK && fdatasync(out) != 0 && errno != EINVAL)
        status = pl_fail(PL_E_IO, "%s: cannot write to the disk: %s", part, strerror(errno));
    close(in);
    if (close(out) != 0 && status == PL_OK) status = pl_fail(PL_E_IO, "%s: cannot write: %s", part, strerror(errno));
    if (status != PL_OK) unlink(part);
    return status;
}

/* A link of the file itself, where `from` may be a symbolic one; under a temporary name first, as whatever has the name
 * already (a link whose file is gone, another's sidecar) is replaced. */
static pl_status link_or_copy(const char *from, const char *to)
{
    char part[PL_PATH_MAX], real[PL_PATH_MAX];
    PL_TRY(pl_file_temporary(part, to));
    if (!realpath(from, real)) return pl_fail(PL_E_INPUT, "%s: cannot open: %s", from, strerror(errno));
    if (link(real, part) != 0) PL_TRY(copy_file(part, real, to));
    pl_status status = pl_file_rename(part, to);
    unlink(part); /* still there where both were links of one file: rename then does nothing */
    return status;
}

/* Whole, of this unit, and computed as this run computes it. */
static bool is_ours(const char *path, const char *unit_id, const char *numerics_key)
{
    char key[PL_RUN_KEY_MAX];
    return pl_file_exists(path) && pl_unit_check_whole(path, unit_id) == PL_OK && pl_unit_key(key, path) == PL_OK &&
           strcmp(key, numerics_key) == 0;
}

/* Its bytes are read once: a damaged one is not handed on. One without a digest is believed. */
static pl_status check_donor(const char *units, const char *unit_id)
{
    pl_unit_state state;
    char reason[PL_PATH_MAX];
    if (pl_unit_check_intact(&state, reason, units, unit_id) != PL_OK)
        return pl_fail(PL_E_INPUT, "%s", pl_error_text());
    return state == PL_UNIT_DAMAGED ? pl_fail(PL_E_INPUT, "%s", reason) : PL_OK;
}

/* Sidecar first: a unit never stands without it. */
static pl_status take(const char *units, const char *own_units, const char *unit_id)
{
    char file[PL_PATH_MAX], from[PL_PATH_MAX], to[PL_PATH_MAX];
    PL_TRY(check_donor(units, unit_id));
    PL_TRY(pl_path(file, "%s/%s.h5", units, unit_id));
    PL_TRY(pl_path(from, "%s/%s.json", units, unit_id));
    PL_TRY(pl_path(to, "%s/%s.json", own_units, unit_id));
    PL_TRY(pl_file_exists(from) ? link_or_copy(from, to) : pl__sidecar_remake(to, unit_id, file));
    PL_TRY(pl_path(to, "%s/%s.h5", own_units, unit_id));
    return link_or_copy(file, to);
}

/* Takes the unit from one other run folder, when it has it. */
static pl_status adopt_from(const pl_run_folder *run, const char *units, const char *own_units, const char *unit_id,
                            const char *numerics_key, bool *adopted)
{
    char path[PL_PATH_MAX];
    PL_TRY(pl_path(path, "%s/%s.h5", units, unit_id));
    if (!is_ours(path, unit_id, numerics_key)) return PL_OK;
    pl_status status = take(units, own_units, unit_id);
    if (status == PL_E_INPUT) return pl_run_folder_log(run, "unit %s is not adopted: %s", unit_id, pl_error_text());
    PL_TRY(status);
    *adopted = pl_run_folder_has(run, unit_id);
    PL_TRY(pl_path(path, "%s/%s.failed.json", own_units, unit_id));
    if (*adopted) unlink(path);
    return PL_OK;
}

static bool is_same_folder(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

pl_status pl_run_folder_adopt(const pl_run_folder *run, const char *unit_id, const char *numerics_key, bool *adopted)
{
    char own[PL_PATH_MAX], units[PL_PATH_MAX];
    *adopted = false;
    PL_TRY(pl_run_folder_unit(own, run, unit_id)); /* refuses an id that is no file name */
    if (pl_run_folder_has(run, unit_id)) return PL_OK;
    PL_TRY(pl_path(own, "%s/units", run->path));
    struct dirent **entries;
    /* Sorted, so that the same folders always give the same donor. */
    int n = scandir(run->results, &entries, NULL, alphasort);
    if (n < 0) return pl_fail(PL_E_IO, "%s: cannot list the folder: %s", run->results, strerror(errno));
    pl_status status = PL_OK;
    for (int i = 0; i < n && status == PL_OK && !*adopted; i++) {
        if (entries[i]->d_name[0] == '.') continue;
        status = pl_path(units, "%s/%s/units", run->results, entries[i]->d_name);
        if (status == PL_OK && pl_folder_exists(units) && !is_same_folder(units, own))
            status = adopt_from(run, units, own, unit_id, numerics_key, adopted);
    }
    for (int i = 0; i < n; i++) free(entries[i]);
    free(entries);
    return status;
}
