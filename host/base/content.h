/* What a file holds when it is not what its name says: a page of a web site, an archive, another encoding. */
#ifndef PLUMB_BASE_CONTENT_H
#define PLUMB_BASE_CONTENT_H

#include <stddef.h>

#include "base/status.h"

/* PL_E_INPUT when the bytes are known for something that no text file of ours is; the message says what and what to do.
 */
pl_status pl_content_check(const void *data, size_t size, const char *where);

#endif
