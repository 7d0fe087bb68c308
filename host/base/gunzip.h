/* Gzip files (RFC 1952): unpacked once, into a file without a name, and mapped like any other. */
#ifndef PLUMB_BASE_GUNZIP_H
#define PLUMB_BASE_GUNZIP_H

#include <stdbool.h>

#include "base/file.h"

/* What an unpacked file may come to: this many times its own size, and always this many bytes. Text packs to a fifth;
 * a thousandth is as far as gzip goes. */
enum { PL_GUNZIP_TIMES = 200, PL_GUNZIP_FREE_BYTES = 64 * 1024 * 1024 };

bool pl_is_gzip(const void *data, size_t size);

/* All members of the file, one behind the other. The unpacked bytes lie in $TMPDIR (or /tmp) as long as they are
 * mapped, and are gone with the map, whatever ends the process. *out has the stamp {0}; release it with pl_file_unmap.
 * PL_E_INPUT: bytes that are damaged, cut off, behind the end, or more than they may be; `where` names the file. */
pl_status pl_gunzip(pl_map *out, const void *packed, size_t size, const char *where);

#endif
