#include "base/role.h"

#include <string.h>

static const char *const NAMES[PL_ROLES] = {"id", "dev", "ood"};

const char *pl_role_name(pl_role role)
{
    return NAMES[role];
}

bool pl_role_parse(pl_role *out, const char *name)
{
    for (pl_role role = 0; role < PL_ROLES; role++) {
        if (strcmp(NAMES[role], name) != 0) continue;
        *out = role;
        return true;
    }
    return false;
}
