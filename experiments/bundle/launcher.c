/* bin/NAME or tests/bin/NAME of the bundle: starts libexec/NAME with the loader and the C library that the bundle
 * brings, so that it runs on any x86-64 Linux, whatever its glibc. Linked statically: it needs nothing of the host, not
 * even /proc.
 *
 * One program under many names (hard links): the name it was started by, with links resolved, says which program, and
 * the next folder above its own that holds lib/ with the loader is the bundle. Libraries are looked for in the bundle's
 * lib/, which holds all that plumb needs, then where a host keeps CUDA's own libraries (cuBLAS is not shipped):
 * LD_LIBRARY_PATH, $CUDA_HOME, /usr/local/cuda*, pip's nvidia packages, and last the folders of the driver. The
 * bundle's C library stands first in that list, so a driver's libcuda.so.1 never brings the host's own. */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOADER "ld-linux-x86-64.so.2"

/* Folders with ':' between them; what does not fit is left out whole. */
typedef struct search_path {
    char text[1 << 16];
    size_t n;
} search_path;

static void add(search_path *path, const char *folder)
{
    size_t n = strlen(folder);
    struct stat info;
    if (n == 0 || path->n + n + 2 > sizeof path->text || strchr(folder, ':')) return;
    if (stat(folder, &info) != 0 || !S_ISDIR(info.st_mode)) return;
    if (path->n) path->text[path->n++] = ':';
    memcpy(path->text + path->n, folder, n + 1);
    path->n += n;
}

static void add_joined(search_path *path, const char *folder, const char *below)
{
    char joined[PATH_MAX];
    if (folder && *folder && (size_t)snprintf(joined, sizeof joined, "%s/%s", folder, below) < sizeof joined)
        add(path, joined);
}

/* Each of a list "a:b:c" goes to use(path, item). */
static void each(search_path *path, const char *list, void (*use)(search_path *, const char *))
{
    char item[PATH_MAX];
    while (list && *list) {
        size_t n = strcspn(list, ":");
        if (n && n < sizeof item) {
            memcpy(item, list, n);
            item[n] = 0;
            use(path, item);
        }
        list += n + (list[n] == ':');
    }
}

/* folder/<prefix>* for every such entry, the last in the alphabet (the newest version) first. */
static void each_below(search_path *path, const char *folder, const char *prefix,
                       void (*use)(search_path *, const char *))
{
    struct dirent **found = NULL;
    int n = scandir(folder, &found, NULL, alphasort);
    for (int i = n - 1; i >= 0; i--) {
        char entry[PATH_MAX];
        if (strncmp(found[i]->d_name, prefix, strlen(prefix)) == 0 &&
            (size_t)snprintf(entry, sizeof entry, "%s/%s", folder, found[i]->d_name) < sizeof entry)
            use(path, entry);
        free(found[i]);
    }
    free(found);
}

static void add_toolkit(search_path *path, const char *folder)
{
    add_joined(path, folder, "lib64");
    add_joined(path, folder, "targets/x86_64-linux/lib");
}

/* pip's packages below lib/python3.x: of CUDA 13 and of CUDA 12. */
static void add_packages(search_path *path, const char *python)
{
    static const char *const below[] = {"site-packages/nvidia/cu13/lib", "dist-packages/nvidia/cu13/lib",
                                        "site-packages/nvidia/cublas/lib", "dist-packages/nvidia/cublas/lib"};
    for (size_t i = 0; i < sizeof below / sizeof *below; i++) add_joined(path, python, below[i]);
}

static void add_python_of(search_path *path, const char *prefix)
{
    char folder[PATH_MAX];
    if ((size_t)snprintf(folder, sizeof folder, "%s/lib", prefix) < sizeof folder)
        each_below(path, folder, "python3", add_packages);
}

/* A folder of PATH that ends in /bin: a Python environment may stand around it. */
static void add_python_beside(search_path *path, const char *bin)
{
    char prefix[PATH_MAX];
    size_t n = strlen(bin);
    if (n < 5 || n >= sizeof prefix || strcmp(bin + n - 4, "/bin") != 0) return;
    memcpy(prefix, bin, n - 4);
    prefix[n - 4] = 0;
    add_python_of(path, prefix);
}

static void add_host_folders(search_path *path)
{
    static const char *const driver[] = {
        "/usr/local/nvidia/lib64", "/usr/local/nvidia/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib64",
        "/lib/x86_64-linux-gnu",   "/usr/lib/wsl/lib",      "/run/opengl-driver/lib"};
    const char *home = getenv("HOME");
    char local[PATH_MAX];
    each(path, getenv("LD_LIBRARY_PATH"), add);
    if (getenv("CUDA_HOME")) add_toolkit(path, getenv("CUDA_HOME"));
    if (getenv("CUDA_PATH")) add_toolkit(path, getenv("CUDA_PATH"));
    add_toolkit(path, "/usr/local/cuda");
    each_below(path, "/usr/local", "cuda-", add_toolkit);
    if (getenv("VIRTUAL_ENV")) add_python_of(path, getenv("VIRTUAL_ENV"));
    if (getenv("CONDA_PREFIX")) add_python_of(path, getenv("CONDA_PREFIX"));
    each(path, getenv("PATH"), add_python_beside);
    if (home && (size_t)snprintf(local, sizeof local, "%s/.local", home) < sizeof local) add_python_of(path, local);
    for (size_t i = 0; i < sizeof driver / sizeof *driver; i++) add(path, driver[i]);
}

int main(int argc, char **argv)
{
    static search_path path;
    static char self[PATH_MAX], loader[2 * PATH_MAX], program[2 * PATH_MAX];
    const char *started_as = (const char *)getauxval(AT_EXECFN);
    if (!started_as || !realpath(started_as, self)) {
        fprintf(stderr, "%s: cannot tell where this program stands\n", argc > 0 ? argv[0] : "launcher");
        return 1;
    }
    char *name = strrchr(self, '/') + 1, *above;
    name[-1] = 0;
    for (int level = 0; level < 2 && (above = strrchr(self, '/')); level++) {
        *above = 0; /* self is the bundle's folder in the end */
        snprintf(loader, sizeof loader, "%s/lib/" LOADER, self);
        if (access(loader, X_OK) == 0) break;
    }
    snprintf(program, sizeof program, "%s/libexec/%s", self, name);
    if (access(loader, X_OK) != 0 || access(program, R_OK) != 0) {
        fprintf(stderr, "%s: %s is missing; unpack the whole archive\n", name, access(loader, X_OK) ? loader : program);
        return 1;
    }
    add_joined(&path, self, "lib");
    add_host_folders(&path);

    char **words = calloc((size_t)argc + 8, sizeof *words), **next = words;
    if (!words) return 1;
    *next++ = loader;
    *next++ = "--library-path";
    *next++ = path.text;
    *next++ = "--argv0";
    *next++ = argc > 0 ? argv[0] : name;
    *next++ = program;
    for (int i = 1; i < argc; i++) *next++ = argv[i];
    execv(loader, words);
    perror(loader);
    return 1;
}
