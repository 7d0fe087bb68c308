/* A training state of any bytes, read into three arrays: taken whole, with the numbers that stand in it, or refused. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "train/state.h"

enum { ARRAYS = 3, N = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_state(const char *path, const uint8_t *data, size_t size)
{
    pl_processor processor;
    pl_view arrays[ARRAYS] = {{0}};
    float values[ARRAYS * N];
    json_t *facts;
    bool found;
    if (pl__state_facts(&facts, &found, path) != PL_OK) return;
    if (!found || !json_is_object(facts)) abort();
    json_decref(facts);
    if (pl_processor_open(&processor, "cpu", 1) != PL_OK) abort();
    for (size_t i = 0; i < ARRAYS; i++)
        if (pl_view_create(&processor, &arrays[i], 1, N, PL_F32) != PL_OK) abort();
    if (pl__state_read(path, &processor, arrays, ARRAYS) == PL_OK) {
        pl_stream *stream;
        if (processor.ops->stream_create(processor.device, &stream) != PL_OK) abort();
        for (size_t i = 0; i < ARRAYS; i++)
            if (pl_download(&processor, stream, values + i * N, arrays[i]) != PL_OK) abort();
        if (memcmp(values, data + size - 16 - sizeof values, sizeof values) != 0) abort();
        processor.ops->stream_free(stream);
    }
    for (size_t i = 0; i < ARRAYS; i++) pl_view_free(&processor, &arrays[i]);
    pl_processor_close(&processor);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[32];
    int fd = memfd_create("state", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size) abort();
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    read_state(path, data, size);
    close(fd);
    return 0;
}
