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
    pl_dtype storage;
    const char *where, *name;              /* name: owned */
    atomic_size_t n_written;               /* rows */
    atomic_size_t n_over;                  /* values that did not fit */
    atomic_size_t n_not_finite, first_row; /* values that are no numbers; the first row with one, SIZE_MAX: none */
};

/* A matrix of the file with its place and its attributes, but without its values. `where` and `disk` are borrowed. */
pl_status pl__slab_create(pl_slab **out, hid_t parent, const char *name, size_t rows, size_t width, pl_dtype storage,
                          pl__disk *disk, const char *where);
/* All rows must be there. Sets what only the end knows, and returns it. */
pl_status pl__slab_settle(const pl_slab *slab, pl__losses *losses);
void pl__slab_close(pl_slab *slab); /* takes NULL; before H5Fclose */

#endif
