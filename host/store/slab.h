/* Inside of a reserved matrix (unit_file.h, pl_slab): where its bytes stand in the file. The unit writer owns it. */
#ifndef PLUMB_STORE_SLAB_H
#define PLUMB_STORE_SLAB_H

#include <stdatomic.h>

#include "store/hdf5_disk.h"
#include "store/hdf5_object.h"

struct pl_slab {
    pl__disk *disk;
    hid_t dataset;
    haddr_t address; /* of row 0 */
    size_t rows, width;
    pl_storage storage;
    const char *where, *name;        /* name: owned */
    atomic_size_t n_written, n_over; /* rows; values that did not fit */
};

/* A matrix of the file with its place and its attributes, but without its values. `where` and `disk` are borrowed. */
pl_status pl__slab_create(pl_slab **out, hid_t parent, const char *name, size_t rows, size_t width, pl_storage storage,
                          pl__disk *disk, const char *where);
/* All rows must be there. Sets what only the end knows; *n_over is added to. */
pl_status pl__slab_settle(const pl_slab *slab, size_t *n_over);
void pl__slab_close(pl_slab *slab); /* takes NULL; before H5Fclose */

#endif
