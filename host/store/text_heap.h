/* Texts of variable length of an HDF5 file, read by us: HDF5 1.10 follows its references into the *global heap* without
 * looking at their sizes (H5HG_read), so that a file with a few wrong bytes ends the process.
 *
 * A text stands as a reference of 16 bytes {length 4, address 8, index 4}: the address is that of a collection ("GCOL",
 * HDF5 File Format Specification III.E), the index an object in it. Every size is held against what it stands in, and
 * all collections together may be read a few times over only. */
#ifndef PLUMB_STORE_TEXT_HEAP_H
#define PLUMB_STORE_TEXT_HEAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { PL__REFERENCE_BYTES = 16 };

typedef struct pl__text_heap pl__text_heap;

/* `where` names the file in errors and is borrowed. */
pl_status pl__text_heap_open(pl__text_heap **out, const char *where);
void pl__text_heap_close(pl__text_heap *heap); /* takes NULL */

/* Bytes of the file from an address on. */
pl_status pl__text_heap_read(pl__text_heap *heap, void *out, size_t size, uint64_t address);
/* The text of a reference, without a NUL; it is lent until the next call. */
pl_status pl__text_heap_get(pl__text_heap *heap, const char **text, size_t *size,
                            const uint8_t reference[PL__REFERENCE_BYTES]);

#endif
