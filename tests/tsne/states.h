/* What the tests of host/tsne share: tests/golden/tsne/tsne.json, and the reference values of the shared data, where a
 * machine has them. */
#ifndef PLUMB_TESTS_TSNE_STATES_H
#define PLUMB_TESTS_TSNE_STATES_H

#include "device/chosen.h"
#include "device/device.h"
#include "measure/states.h"

/* The device under test, for the rest of the program. */
static inline const pl_processor *device(void)
{
    static pl_processor opened;
    if (!opened.ops) OK(pl_processor_open(&opened, chosen_device(), 0));
    return &opened;
}

static inline json_t *golden(void)
{
    json_t *root = NULL;
    OK(pl_json_read(&root, PLUMB_SOURCE_DIR "/tests/golden/tsne/tsne.json", 1 << 22));
    return root;
}

/* n numbers of shared/data/reference/tsne/<name>, or NULL: the machine does not have them. The caller frees them. */
static inline double *reference(const char *name, size_t n)
{
    char path[1024];
    const char *data = getenv("PLUMB_DATA");
    snprintf(path, sizeof path, "%s/reference/tsne/%s", data ? data : PLUMB_SOURCE_DIR "/../shared/data", name);
    FILE *f = fopen(path, "r");
    if (!f) return NULL;
    double *out = room(n, sizeof *out);
    for (size_t i = 0; i < n; i++) assert_int_equal(fscanf(f, "%lf%*c", &out[i]), 1);
    fclose(f);
    return out;
}

#endif
