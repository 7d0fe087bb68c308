/* An HDF5 file of any bytes, as plumb tsne reads one: matrices that are listed can be read or are refused, those that
 * are read have rows and columns, and what the file holds beside them is an object or refused. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store/matrices.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_matrices(const char *path)
{
    static const char *const groups[] = {"/", "/obsm", "/uns/plumb_tsne", "/maps/000"};
    pl_arena *arena;
    const char **names;
    size_t n;
    if (pl_arena_create(&arena) != PL_OK) abort();
    if (pl_matrices_list(arena, path, &names, &n) == PL_OK) {
        for (size_t i = 0; i < n && i < 16; i++) {
            float *values, sum = 0;
            size_t rows, width;
            if (names[i][0] != '/') abort();
            if (pl_matrix_read(&values, &rows, &width, path, names[i]) != PL_OK) continue;
            if (rows == 0 || width == 0) abort();
            for (size_t k = 0; k < rows * width; k++) sum += values[k]; /* all of it is there */
            if (sum == 0.5f) (void)putchar(0);
            free(values);
        }
    }
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
        json_t *json;
        if (pl_matrices_group(&json, path, groups[g], g % 2 == 0) != PL_OK) continue;
        if (!json_is_object(json)) abort();
        json_decref(json);
    }
    pl_arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[32];
    int fd = memfd_create("matrices", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size) abort();
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    read_matrices(path);
    close(fd);
    return 0;
}
