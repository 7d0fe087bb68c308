/* Bytes as text in base64 (RFC 4648), with its padding and without line ends. */
#ifndef PLUMB_BASE_BASE64_H
#define PLUMB_BASE_BASE64_H

#include <stddef.h>

#include "base/memory.h"

pl_status pl_base64(pl_bytes *out, const void *data, size_t size);
/* The bytes of such a text, appended; any other character, or padding that is not right, is PL_E_INPUT that names
 * `where`. */
pl_status pl_base64_read(pl_bytes *out, const char *text, size_t size, const char *where);

#endif
