/* Changing a YAML tree after it was read: overrides from the command line, ${VAR} from the environment, and writing the
 * result back, so that a run folder holds exactly what was run. */
#ifndef PLUMB_BASE_YAML_EDIT_H
#define PLUMB_BASE_YAML_EDIT_H

#include "base/yaml.h"

/* A copy of a tree that may be changed; it lives in the arena. */
pl_status pl_yaml_copy(pl_yaml_node **out, const pl_yaml_node *node, pl_arena *arena);

/* Applies "key=value" or "key.sub.0=value" (numbers index lists); the value is YAML. A key that is absent is added.
 * Errors about such a value, here and later, name the assignment: "override arms.0.draws=x: expected ...". */
pl_status pl_yaml_override(pl_yaml_node *root, const char *assignment, pl_arena *arena);

/* Replaces ${VAR} and ${VAR:-default} in every scalar value of the tree; an unset variable is an error at its place. */
pl_status pl_yaml_expand(pl_yaml_node *node, pl_arena *arena);

/* Appends the tree as YAML in block style; reading it again gives the same keys, texts and values (an empty root gives
 * an empty map). */
pl_status pl_yaml_emit(pl_bytes *out, const pl_yaml_node *node);

#endif
