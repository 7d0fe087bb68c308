/* Texts in YAML that take parts from the environment, as a shell does: ${VAR} and ${VAR:-default}. */
#ifndef PLUMB_BASE_ENVIRONMENT_H
#define PLUMB_BASE_ENVIRONMENT_H

#include "base/yaml.h"

/* The text of a node with its references resolved, appended. A variable that is not set (and has no default) is an
 * error that names it; any other '$' stands for itself. Serves paths. */
pl_status pl_yaml_to_path(pl_bytes *out, const pl_yaml_node *node);

#endif
