/* exact_match of lm-evaluation-harness (lm_eval 0.4.13, exact_match_hf_evaluate): two texts are equal, white space and
 * all, after both were changed as the flags of the metric say, in this order: what matches one of `regexes_to_ignore`
 * is taken out, then `ignore_case` (str.lower), `ignore_punctuation` (ASCII's), `ignore_numbers` (0 to 9). */
#ifndef PLUMB_TASK_EXACT_MATCH_H
#define PLUMB_TASK_EXACT_MATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/yaml.h"

typedef struct pl_exact_match pl_exact_match;

/* `entry`: the metric's map in metric_list, or NULL: no flags. Keys other than the four flags are the caller's. */
pl_status pl_exact_match_make(pl_exact_match **out, const pl_yaml_node *entry);
void pl_exact_match_free(pl_exact_match *metric); /* takes NULL */

pl_status pl_exact_match_is(const pl_exact_match *metric, bool *out, const char *text, size_t size, const char *target);

/* The flags that are set, as lm-evaluation-harness spells them: {} by default. For identities and reports; a new
 * reference. */
pl_status pl_exact_match_flags(const pl_exact_match *metric, json_t **out);

#endif
