#include "analysis/readers.h"

#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

/* What reading one unit file may take: more than any that plumb writes. */
static const size_t FILE_BYTES_MAX = (size_t)1 << 30;
enum { FILE_SECONDS_MAX = 60 };

void pl__readers_open(pl__readers *out)
{
    cpu_set_t set;
    size_t n = sched_getaffinity(0, sizeof set, &set) == 0 ? (size_t)CPU_COUNT(&set) : 1;
    *out = (pl__readers){.n = n < PL__READERS_MAX ? n : PL__READERS_MAX};
    for (size_t i = 0; i < out->n; i++)
        out->helpers[i] =
            (pl_helper){.work = pl__record_read, .limit_bytes = FILE_BYTES_MAX, .limit_s = FILE_SECONDS_MAX};
}

void pl__readers_close(pl__readers *readers)
{
    for (size_t i = 0; i < readers->n; i++) pl_helper_stop(&readers->helpers[i]);
}

/* Who was asked for the unit (NULL: who is free); n: nobody. */
static size_t find(const pl__readers *r, const pl_run_unit *unit)
{
    size_t i = 0;
    while (i < r->n && r->asked[i] != unit) i++;
    return i;
}

static pl_status ask(pl__readers *r, size_t i, const pl_run_unit *unit)
{
    char question[PL_PATH_MAX + 1];
    int n = snprintf(question, sizeof question, "%c%s", unit->generates ? 'g' : 's', unit->path);
    if (n < 0 || (size_t)n >= sizeof question) return pl_fail(PL_E_INPUT, "%s: path too long", unit->path);
    PL_TRY(pl_helper_ask(&r->helpers[i], question));
    r->asked[i] = unit;
    return PL_OK;
}

pl_status pl__readers_ahead(pl__readers *r, const pl_run_unit *unit)
{
    size_t i = find(r, NULL);
    return i == r->n || find(r, unit) < r->n ? PL_OK : ask(r, i, unit);
}

/* Who is free; when all were asked for others, in vain, the first is told that nobody waits. */
static size_t find_free(pl__readers *r)
{
    bool died;
    pl_bytes unwanted = {0};
    size_t i = find(r, NULL);
    if (i < r->n) return i;
    (void)pl_helper_answer(&r->helpers[0], &unwanted, &died);
    pl_bytes_free(&unwanted);
    r->asked[0] = NULL;
    return 0;
}

pl_status pl__readers_get(pl__readers *r, const pl_run_unit *unit, pl_bytes *out)
{
    bool died;
    size_t i = find(r, unit);
    *out = (pl_bytes){0};
    if (i == r->n) i = find_free(r);
    if (!r->asked[i]) PL_TRY(ask(r, i, unit));
    pl_status status = pl_helper_answer(&r->helpers[i], out, &died);
    r->asked[i] = NULL;
    if (died) { /* once more: memory may have been short for a moment, and the file is whole */
        PL_TRY(ask(r, i, unit));
        status = pl_helper_answer(&r->helpers[i], out, &died);
        r->asked[i] = NULL;
    }
    return died ? pl_fail(PL_E_INPUT, "%s: %s", unit->path, pl_error_text()) : status;
}

pl_status pl__readers_learned(pl__readers *r, const char *path, pl__learned *out)
{
    char question[PL_PATH_MAX + 1];
    pl_bytes answer = {0};
    bool died;
    size_t i = find_free(r);
    *out = (pl__learned){NAN, NAN};
    int n = snprintf(question, sizeof question, "l%s", path);
    if (n < 0 || (size_t)n >= sizeof question) return pl_fail(PL_E_INPUT, "%s: path too long", path);
    PL_TRY(pl_helper_ask(&r->helpers[i], question));
    pl_status status = pl_helper_answer(&r->helpers[i], &answer, &died);
    if (status == PL_OK && answer.size == sizeof *out) memcpy(out, answer.data, sizeof *out);
    pl_bytes_free(&answer);
    return status == PL_E_MEMORY ? status : PL_OK;
}
