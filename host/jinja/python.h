/* How Python writes values: what lm-evaluation-harness hashes and what jinja2 prints is spelled by Python. */
#ifndef PLUMB_JINJA_PYTHON_H
#define PLUMB_JINJA_PYTHON_H

#include "base/json.h"
#include "base/memory.h"
#include "base/status.h"

/* json.dumps(value, indent=2, ensure_ascii=False), appended; a wide integer (base/json.h) with all its digits. */
pl_status pl_python_json(pl_bytes *out, const json_t *value);

/* jinja2's tojson: json.dumps(value, sort_keys=True) with < > & and ' as escapes, appended. */
pl_status pl_python_json_line(pl_bytes *out, const json_t *value);

#endif
