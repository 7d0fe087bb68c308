/* What is done to a generated answer before it is compared: the filter of lm-evaluation-harness (lm_eval 0.4.13), a
 * chain of take_first (the one greedy answer), remove_whitespace (str.strip), lowercase, uppercase,
 * regex and map. */
#ifndef PLUMB_TASK_FILTER_H
#define PLUMB_TASK_FILTER_H

#include "base/memory.h"
#include "base/status.h"
#include "base/yaml.h"

typedef struct pl_filter pl_filter;

/* `list`: filter_list, or NULL: the filter "none", which changes nothing. Of several the one called `wanted`, else the
 * first. */
pl_status pl_filter_make(pl_filter **out, const pl_yaml_node *list, const char *wanted);
void pl_filter_free(pl_filter *filter); /* takes NULL */

/* Stands behind a metric in results.json: "exact_match,none". */
const char *pl_filter_name(const pl_filter *filter);

/* Its steps as they are written; NULL: none. Borrowed. */
json_t *pl_filter_json(const pl_filter *filter);

/* The answer as the filter leaves it, appended. */
pl_status pl_filter_apply(const pl_filter *filter, pl_bytes *out, const char *text, size_t size);

#endif
