/* The pool of key/value pages: who holds which page, and how far a page is filled. Host bookkeeping only; the bytes
 * live in the device's pl_kv under the same page numbers. */
#ifndef PLUMB_ENGINE_PAGES_H
#define PLUMB_ENGINE_PAGES_H

#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "device/types.h"

typedef struct pl__pages {
    size_t n_pages, n_free;
    int32_t *free;     /* [n_pages]; the first n_free are free */
    uint32_t *holders; /* [n_pages]; 0: free */
    uint8_t *filled;   /* [n_pages]: positions of the page that are written or planned */
} pl__pages;

pl_status pl__pages_open(pl__pages *pages, size_t n_pages); /* from {0} */
void pl__pages_close(pl__pages *pages);                     /* takes {0} */

/* A free page with one holder and nothing filled; -1 when none is left. */
int32_t pl__pages_take(pl__pages *pages);
void pl__pages_hold(pl__pages *pages, int32_t page);
void pl__pages_drop(pl__pages *pages, int32_t page); /* free again after its last holder */

/* Pages that positions first..end-1 touch. */
static inline size_t pl__pages_between(size_t first, size_t end)
{
    return end > first ? (end - 1) / PL_PAGE - first / PL_PAGE + 1 : 0;
}

#endif
