/* Runs a fuzz target over files: every argument is a file or a folder of files. An empty corpus is a failure, so that
 * a seed folder that was lost cannot look like a pass. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t replay(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) return 0;
    if (S_ISDIR(st.st_mode)) {
        size_t n = 0;
        DIR *dir = opendir(path);
        if (!dir) return 0;
        for (struct dirent *e; (e = readdir(dir));) {
            if (e->d_name[0] == '.') continue;
            char child[4096];
            if (snprintf(child, sizeof child, "%s/%s", path, e->d_name) < (int)sizeof child) n += replay(child);
        }
        closedir(dir);
        return n;
    }
    FILE *f = fopen(path, "rb");
    if (!f) return 0;
    uint8_t *data = malloc((size_t)st.st_size + 1);
    size_t size = data ? fread(data, 1, (size_t)st.st_size, f) : 0;
    fclose(f);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 1;
}

int main(int argc, char **argv)
{
    size_t n = 0;
    for (int i = 1; i < argc; i++) n += replay(argv[i]);
    printf("%zu inputs replayed\n", n);
    return n > 0 ? 0 : 1;
}
