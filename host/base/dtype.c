#include "base/dtype.h"

#include <string.h>

pl_status pl_storage_parse(pl_dtype *out, const char *name)
{
    static const pl_dtype types[] = {PL_F32, PL_F16, PL_BF16};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(name, pl_dtype_name(types[i])) != 0) continue;
        *out = types[i];
        return PL_OK;
    }
    return pl_fail(PL_E_INPUT, "storage type '%s': expected float32, float16 or bfloat16", name);
}
