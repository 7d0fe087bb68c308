/* What the page shows of analysis.h5, read by a helper process (base/helper.h), as the file may be hostile. Shared
 * inside the folder. */
#ifndef PLUMB_PAGE_MAP_PART_H
#define PLUMB_PAGE_MAP_PART_H

#include "base/helper.h"
#include "base/json.h"

pl_helper pl__map_reader(void); /* stop it with pl_helper_stop */
/* A list (a new reference) with what stands in each map's group but its arrays, in the file's order. NULL: the file
 * cannot be read; pl_error_text() says why. */
pl_status pl__map_heads(json_t **out, pl_helper *reader, const char *path);
/* Map `index` with its arrays (pl_matrices_group); NULL as above. */
pl_status pl__map_whole(json_t **out, pl_helper *reader, const char *path, size_t index);

#endif
