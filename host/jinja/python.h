/* How Python writes values: what lm-evaluation-harness hashes and what jinja2 prints is spelled by Python. */
#ifndef PLUMB_JINJA_PYTHON_H
#define PLUMB_JINJA_PYTHON_H

#include "base/json.h"
#include "base/memory.h"
#include "base/status.h"

/* The arguments of json.dumps. */
typedef struct pl_python_style {
    int indent;                /* blanks a level; -1: none, on one line */
    const char *comma, *colon; /* separators */
    bool ascii, sorted;        /* ensure_ascii, sort_keys */
    bool html;                 /* < > & and ' as escapes: jinja2's htmlsafe_json_dumps; needs ascii */
    size_t most;               /* bytes of `out` beyond which no further value is begun; 0: no limit */
} pl_python_style;

/* json.dumps(value), appended; a wide integer (base/json.h) with all its digits. PL_E_INPUT: `out` holds more than
 * style->most bytes already. */
pl_status pl_python_dumps(pl_bytes *out, const json_t *value, const pl_python_style *style);

/* json.dumps(value, indent=2, ensure_ascii=False), appended. */
pl_status pl_python_json(pl_bytes *out, const json_t *value);

#endif
