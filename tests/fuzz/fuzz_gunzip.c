/* Gzip files from outside: unpacked within their bound, twice to the same bytes, or refused. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/gunzip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pl_map a, b;
    pl_status status = pl_gunzip(&a, data, size, "fuzz");
    if (pl_gunzip(&b, data, size, "fuzz") != status || a.size != b.size) abort();
    if (a.size > size * PL_GUNZIP_TIMES && a.size > PL_GUNZIP_FREE_BYTES) abort();
    if (status != PL_OK && a.data) abort();
    if (a.size && memcmp(a.data, b.data, a.size) != 0) abort();
    pl_file_unmap(&a);
    pl_file_unmap(&b);
    return 0;
}
