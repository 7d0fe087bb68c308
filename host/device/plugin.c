#include "device/plugin.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *name, *file;
    const char *folders[2]; /* from the program's own */
} plugins[] = {
    {"cuda", "libplumb_cuda.so", {"", "/../lib"}},
    {"cuda-emulated", "libplumb_cuda_emulated.so", {"", "/.."}}, /* tests stand one folder below the build's top */
};
enum { PLUGINS = sizeof plugins / sizeof *plugins, FOLDERS = sizeof plugins->folders / sizeof *plugins->folders };

const char *pl__plugin_named(const char *name, size_t length)
{
    for (size_t i = 0; i < PLUGINS; i++)
        if (strlen(plugins[i].name) == length && strncmp(plugins[i].name, name, length) == 0) return plugins[i].name;
    return NULL;
}

/* The folder of the running program; under a loader of a bundle's own, the loader's, where its libraries are. Without
 * /proc it is not known, and the loader's folders remain. */
static bool own_folder(char out[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);
    out[n > 0 ? n : 0] = 0;
    char *slash = strrchr(out, '/');
    if (slash) *slash = 0;
    return slash != NULL;
}

/* Who can write a plug-in, or put another into its folder, decides what this process does: that may be root, this user
 * and whoever can write the program itself, and nobody else. */
static bool is_trusted(const char *path)
{
    struct stat st, program;
    if (stat(path, &st) != 0 || stat("/proc/self/exe", &program) != 0) return false;
    bool owner = st.st_uid == 0 || st.st_uid == geteuid() || st.st_uid == program.st_uid;
    bool group = !(st.st_mode & S_IWGRP) || st.st_gid == program.st_gid;
    return owner && group && !(st.st_mode & S_IWOTH);
}

static pl_status check_trust(const char *folder, const char *path)
{
    if (is_trusted(folder) && is_trusted(path)) return PL_OK;
    return pl_fail(PL_E_UNSUPPORTED,
                   "%s is not opened, because others can write it or its folder; install plumb where only its owner "
                   "can write, or name the plug-in with PLUMB_CUDA_PLUGIN; --device cpu needs none",
                   path);
}

/* The table of an opened plug-in. */
static pl_status read_table(const pl_backend **out, void *library, const char *path, const char *name)
{
    pl_plugin_entry *entry = NULL;
    void *symbol = dlsym(library, PL_PLUGIN_SYMBOL);
    if (!symbol) return pl_fail(PL_E_UNSUPPORTED, "%s is no plug-in of plumb: it has no %s", path, PL_PLUGIN_SYMBOL);
    memcpy(&entry, &symbol, sizeof entry); /* C has no cast from an object's to a function's pointer */
    const pl_backend *backend = entry(PL_PLUGIN_VERSION);
    if (!backend) {
        return pl_fail(
            PL_E_UNSUPPORTED,
            "%s was built for another version of plumb (its contract is not version %d): use the one that was "
            "built with this program",
            path, PL_PLUGIN_VERSION);
    }
    if (strcmp(backend->name, name) != 0) {
        return pl_fail(PL_E_UNSUPPORTED, "%s is the backend '%s', expected '%s'; PLUMB_CUDA_PLUGIN names another", path,
                       backend->name, name);
    }
    *out = backend;
    return PL_OK;
}

/* A name without a slash is looked for by the loader. *found is false when there is no such file. */
static pl_status open_file(const pl_backend **out, bool *found, const char *path, const char *name)
{
    *found = true;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *reason = dlerror();
        if (!reason) reason = "the loader gives no reason";
        /* "<file>: cannot open ...": the plug-in itself, or a library that it needs */
        *found = strchr(path, '/') || strncmp(reason, path, strlen(path)) != 0;
        return pl_fail(PL_E_UNSUPPORTED,
                       "%s cannot be opened: %s; if a library of CUDA is missing, install it or add its folder to "
                       "LD_LIBRARY_PATH; --device cpu needs none",
                       path, reason);
    }
    pl_status status = read_table(out, library, path, name);
    if (status != PL_OK) (void)dlclose(library);
    return status;
}

pl_status pl__plugin_open(const pl_backend **out, bool *found, const char *name)
{
    char folder[PATH_MAX], beside[PATH_MAX + 16], path[PATH_MAX + 64];
    const char *asked = getenv("PLUMB_CUDA_PLUGIN");
    size_t p = 0;
    *out = NULL;
    *found = true;
    while (p < PLUGINS && strcmp(plugins[p].name, name) != 0) p++;
    if (p == PLUGINS) return pl_fail(PL_E_INTERNAL, "no plug-in for the backend '%s'", name);
    if (asked && *asked) {
        (void)snprintf(path, sizeof path, "%s%s", strchr(asked, '/') ? "" : "./", asked);
        if (access(path, F_OK) == 0) return open_file(out, found, path, name);
        return pl_fail(PL_E_UNSUPPORTED,
                       "%s: no such file; correct or unset PLUMB_CUDA_PLUGIN; --device cpu needs none", path);
    }
    const bool known = own_folder(folder);
    for (size_t i = 0; known && i < FOLDERS; i++) {
        (void)snprintf(beside, sizeof beside, "%s%s", folder, plugins[p].folders[i]);
        (void)snprintf(path, sizeof path, "%s/%s", beside, plugins[p].file);
        if (access(path, F_OK) != 0) continue;
        PL_TRY(check_trust(beside, path));
        return open_file(out, found, path, name);
    }
    pl_status status = open_file(out, found, plugins[p].file, name);
    if (*found) return status;
    if (!known)
        return pl_fail(PL_E_UNSUPPORTED, "%s was not found in the loader's folders; --device cpu needs none",
                       plugins[p].file);
    return pl_fail(PL_E_UNSUPPORTED,
                   "%s was not found: looked in %s, %s%s and the loader's folders; cmake -DPLUMB_CUDA=ON builds it; "
                   "--device cpu needs none",
                   plugins[p].file, folder, folder, plugins[p].folders[1]);
}
