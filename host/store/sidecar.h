/* The sidecar of a unit's file: units/<id>.json, with the digest of the file (unit_check.h). */
#ifndef PLUMB_STORE_SIDECAR_H
#define PLUMB_STORE_SIDECAR_H

#include "base/json.h"
#include "base/path.h"

/* Writes `sidecar` and the digest of the unit's file, as it is at `file`, to `path`. */
pl_status pl__sidecar_write(const char *path, const json_t *sidecar, const char *file);
/* A sidecar for a finished unit that has none: what it cost is not known any more, `remade` says so. */
pl_status pl__sidecar_remake(const char *path, const char *unit_id, const char *file);

#endif
