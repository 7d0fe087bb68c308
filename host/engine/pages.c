/* The page pool: a stack of free pages and a count of holders a page. */
#include "engine/pages.h"

#include <stdlib.h>

pl_status pl__pages_open(pl__pages *pages, size_t n_pages)
{
    *pages = (pl__pages){0};
    if (n_pages > INT32_MAX) return pl_fail(PL_E_INPUT, "page pool: %zu pages, at most %d", n_pages, INT32_MAX);
    pl_status status;
    PL_GOTO(status, fail, pl_new(&pages->free, n_pages));
    PL_GOTO(status, fail, pl_new(&pages->holders, n_pages));
    PL_GOTO(status, fail, pl_new(&pages->filled, n_pages));
    pages->n_pages = pages->n_free = n_pages;
    /* Low pages are taken first: a small call touches little memory. */
    for (size_t i = 0; i < n_pages; i++) pages->free[i] = (int32_t)(n_pages - 1 - i);
    return PL_OK;
fail:
    pl__pages_close(pages);
    return status;
}

void pl__pages_close(pl__pages *pages)
{
    free(pages->free);
    free(pages->holders);
    free(pages->filled);
    *pages = (pl__pages){0};
}

int32_t pl__pages_take(pl__pages *pages)
{
    if (!pages->n_free) return -1;
    int32_t page = pages->free[--pages->n_free];
    pages->holders[page] = 1;
    pages->filled[page] = 0;
    return page;
}

void pl__pages_hold(pl__pages *pages, int32_t page)
{
    pages->holders[page]++;
}

void pl__pages_drop(pl__pages *pages, int32_t page)
{
    if (--pages->holders[page] == 0) pages->free[pages->n_free++] = page;
}
