#include "report/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/temporary.h"

static pl_status failed(const pl__lines *lines, const char *what)
{
    return pl_fail(PL_E_IO, "%s: cannot %s: %s", lines->path, what, strerror(errno));
}

pl_status pl__lines_open(pl__lines *out, const char *path)
{
    *out = (pl__lines){0};
    PL_TRY(pl_path(out->path, "%s", path));
    int fd;
    PL_TRY(pl_temporary_create(&fd, out->part, path));
    out->file = fdopen(fd, "w");
    if (out->file) return PL_OK;
    pl_status status = failed(out, "open");
    close(fd);
    unlink(out->part);
    return status;
}

pl_status pl__lines_put(pl__lines *lines, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(17) | JSON_ENCODE_ANY);
    if (!text) return pl_fail(PL_E_MEMORY, "%s: a line does not fit in memory", lines->path);
    int bad = fputs(text, lines->file) < 0 || fputc('\n', lines->file) == EOF;
    free(text);
    return bad ? failed(lines, "write") : PL_OK;
}

pl_status pl__lines_finish(pl__lines *lines)
{
    char folder[PL_PATH_MAX];
    PL_TRY(pl_path_folder(folder, lines->path));
    if (fflush(lines->file) != 0 || fdatasync(fileno(lines->file)) != 0) return failed(lines, "write");
    FILE *file = lines->file;
    lines->file = NULL;
    if (fclose(file) != 0 || rename(lines->part, lines->path) != 0) {
        pl_status status = failed(lines, "write");
        unlink(lines->part);
        return status;
    }
    return pl_folder_sync(folder);
}

void pl__lines_discard(pl__lines *lines)
{
    if (!lines->file) return;
    fclose(lines->file);
    unlink(lines->part);
    lines->file = NULL;
}
