/* What every test shares: cmocka with the headers it wants first, statuses that must be what they are, and a folder of
 * one's own. */
#ifndef PLUMB_TESTS_TESTS_H
#define PLUMB_TESTS_TESTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/path.h"
#include "base/status.h"

/* The call succeeds; its message is printed when it does not. */
#define OK(call) assert_ok((call), #call, __FILE__, __LINE__)
static inline void assert_ok(pl_status status, const char *call, const char *file, int line)
{
    if (status == PL_OK) return;
    print_error("%s: %s: %s\n", call, pl_status_text(status), pl_error_text());
    _fail(file, line);
}

/* The call fails with this code and a message that holds `part`. */
#define REFUSED(call, code, part) assert_refused((call), (code), (part), #call, __FILE__, __LINE__)
static inline void assert_refused(pl_status status, pl_status code, const char *part, const char *call,
                                  const char *file, int line)
{
    if (status == code && strstr(pl_error_text(), part)) return;
    print_error("%s: %s: '%s', expected %s with '%s'\n", call, pl_status_text(status),
                status == PL_OK ? "" : pl_error_text(), pl_status_text(code), part);
    _fail(file, line);
}

/* A fresh folder under TMPDIR; removed with remove_folder. */
static inline void make_folder(char path[PL_PATH_MAX])
{
    const char *root = getenv("TMPDIR");
    snprintf(path, PL_PATH_MAX, "%s/plumb-test-XXXXXX", root && *root ? root : "/tmp");
    assert_non_null(mkdtemp(path));
}

/* A file under a folder, with the folders that its name has. */
static inline void write_below(const char *folder, const char *name, const char *text)
{
    char path[PL_PATH_MAX], parent[PL_PATH_MAX];
    OK(pl_path(path, "%s/%s", folder, name));
    OK(pl_path_folder(parent, path));
    OK(pl_folder_make(parent));
    OK(pl_file_replace(path, text, strlen(text)));
}

static inline void remove_folder(const char *path)
{
    char command[PL_PATH_MAX + 16];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    assert_int_equal(system(command), 0);
}

#endif
