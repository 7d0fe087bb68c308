/* The role of a template: one word of the experiment that task, plan, unit files and analysis share. */
#ifndef PLUMB_BASE_ROLE_H
#define PLUMB_BASE_ROLE_H

#include <stdbool.h>

/* id: in-distribution; dev: may be used for choices; ood: never used for any choice. */
typedef enum pl_role { PL_ROLE_ID, PL_ROLE_DEV, PL_ROLE_OOD, PL_ROLES } pl_role;

const char *pl_role_name(pl_role role); /* "id", "dev", "ood" */
bool pl_role_parse(pl_role *out, const char *name);

#endif
