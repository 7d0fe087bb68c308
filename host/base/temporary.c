#include "base/temporary.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

/* Is "name.PID@HOST.tmp" the temporary file of a process that is gone? Another host's is, when it is an hour old. */
static bool is_abandoned(const char *name, const char *path)
{
    size_t n = strlen(name);
    const char *at = strrchr(name, '@'), *dot = at;
    if (!at || n < 4 || strcmp(name + n - 4, ".tmp") != 0) return false;
    while (dot > name && *dot != '.') dot--;
    char *end, host[PL_HOST_NAME_MAX];
    long pid = strtol(dot + 1, &end, 10);
    if (end != at || pid <= 0) return false;
    pl_host_name(host);
    size_t host_size = n - 4 - (size_t)(at + 1 - name);
    if (strlen(host) == host_size && strncmp(at + 1, host, host_size) == 0)
        return kill((pid_t)pid, 0) != 0 && errno == ESRCH;
    struct stat st;
    return stat(path, &st) == 0 && time(NULL) - st.st_mtime > 3600;
}

pl_status pl_file_sweep(const char *folder)
{
    DIR *entries = opendir(folder);
    if (!entries) return pl_fail(PL_E_IO, "%s: cannot list the folder: %s", folder, strerror(errno));
    for (const struct dirent *e; (e = readdir(entries));) {
        char path[PL_PATH_MAX];
        if (pl_path(path, "%s/%s", folder, e->d_name) == PL_OK && is_abandoned(e->d_name, path)) unlink(path);
    }
    closedir(entries);
    return PL_OK;
}

pl_status pl_file_temporary(char out[PL_PATH_MAX], const char *path)
{
    char host[PL_HOST_NAME_MAX];
    pl_host_name(host);
    return pl_path(out, "%s.%ld@%s.tmp", path, (long)getpid(), host);
}
