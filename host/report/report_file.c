#include "report/report_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/temporary.h"

static pl_status failed(const pl__report_file *file, const char *what)
{
    return pl_fail(PL_E_IO, "%s: cannot %s: %s", file->path, what, strerror(errno));
}

pl_status pl__report_file_open(pl__report_file *out, const char *path)
{
    *out = (pl__report_file){0};
    PL_TRY(pl_path(out->path, "%s", path));
    int fd;
    PL_TRY(pl_temporary_create(&fd, out->part, path));
    out->stream = fdopen(fd, "w");
    if (out->stream) return PL_OK;
    pl_status status = failed(out, "open");
    close(fd);
    unlink(out->part);
    return status;
}

pl_status pl__report_file_finish(pl__report_file *file)
{
    char folder[PL_PATH_MAX];
    PL_TRY(pl_path_folder(folder, file->path));
    if (fflush(file->stream) != 0 || fdatasync(fileno(file->stream)) != 0) return failed(file, "write");
    FILE *stream = file->stream;
    file->stream = NULL;
    if (fclose(stream) != 0 || rename(file->part, file->path) != 0) {
        pl_status status = failed(file, "write");
        unlink(file->part);
        return status;
    }
    return pl_folder_sync(folder);
}

void pl__report_file_discard(pl__report_file *file)
{
    if (!file->stream) return;
    fclose(file->stream);
    unlink(file->part);
    file->stream = NULL;
}

static pl_status put(pl__report_file *file, const char *text, size_t size)
{
    return fwrite(text, 1, size, file->stream) == size ? PL_OK : failed(file, "write");
}

static pl_status dump(char **out, const pl__report_file *file, const json_t *value, size_t flags)
{
    *out = json_dumps(value, flags | JSON_REAL_PRECISION(17) | JSON_ENCODE_ANY);
    return *out ? PL_OK : pl_fail(PL_E_INTERNAL, "%s: a value that cannot be written as JSON", file->path);
}

/* ---- lines ---- */

pl_status pl__report_file_line(pl__report_file *file, const json_t *value)
{
    char *text;
    PL_TRY(dump(&text, file, value, JSON_COMPACT));
    pl_status status = put(file, text, strlen(text));
    if (status == PL_OK) status = put(file, "\n", 1);
    free(text);
    return status;
}

/* ---- an object, member by member ---- */

static pl_status new_line(pl__report_file *file)
{
    int bad = fprintf(file->stream, "\n%*s", 2 * (int)file->depth, "") < 0;
    return bad ? failed(file, "write") : PL_OK;
}

static pl_status begin_member(pl__report_file *file)
{
    if (!file->empty) PL_TRY(put(file, ",", 1));
    file->empty = false;
    return new_line(file);
}

pl_status pl__report_object_open(pl__report_file *file, const char *key)
{
    if (key) {
        json_t *name = json_string(key);
        char *text;
        PL_TRY(begin_member(file));
        pl_status status = dump(&text, file, name, 0);
        json_decref(name);
        PL_TRY(status);
        status = put(file, text, strlen(text));
        free(text);
        PL_TRY(status);
        PL_TRY(put(file, ": ", 2));
    }
    file->depth++;
    file->empty = true;
    return put(file, "{", 1);
}

pl_status pl__report_object_close(pl__report_file *file)
{
    file->depth--;
    if (!file->empty) PL_TRY(new_line(file));
    file->empty = false;
    return put(file, file->depth ? "}" : "}\n", file->depth ? 1 : 2);
}

/* The lines of an object's text but the braces around them, each further in: no text inside has a line's end. */
static pl_status put_members(pl__report_file *file, const char *text)
{
    static const char first[] = "{\n  ", last[] = "\n}";
    size_t left = strlen(text);
    if (left < sizeof first + sizeof last - 2) return PL_OK; /* {}: nothing in it */
    text += sizeof first - 1;
    left -= sizeof first - 1 + sizeof last - 1;
    PL_TRY(begin_member(file));
    while (left) {
        const char *end = memchr(text, '\n', left);
        size_t n = end ? (size_t)(end - text) : left;
        PL_TRY(put(file, text, n));
        if (!end) return PL_OK;
        int bad = fprintf(file->stream, "\n%*s", 2 * (int)(file->depth - 1), "") < 0;
        if (bad) return failed(file, "write");
        text += n + 1;
        left -= n + 1;
    }
    return PL_OK;
}

pl_status pl__report_object_put(pl__report_file *file, pl_json_builder *b)
{
    json_t *object;
    char *text;
    PL_TRY(pl_json_end(b, &object, file->path));
    pl_status status = dump(&text, file, object, JSON_INDENT(2));
    json_decref(object);
    PL_TRY(status);
    status = put_members(file, text);
    free(text);
    return status;
}
