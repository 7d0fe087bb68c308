/* What the tests of host/tsne share: tests/golden/tsne/tsne.json, and the reference values of the shared data, where a
 * machine has them. */
#ifndef PLUMB_TESTS_TSNE_STATES_H
#define PLUMB_TESTS_TSNE_STATES_H

#include "measure/states.h"

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
