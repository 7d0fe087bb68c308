/* The names of compute types, as experiments and options give them. */
#include <string.h>

#include "model/model.h"

const char *const pl_compute_names[PL_COMPUTE_NAMES] = {"float32", "fp32", "bfloat16", "bf16",
                                                        "float16", "fp16", "tf32",     "bf16x3"};
static const pl_dtype types[PL_COMPUTE_NAMES] = {PL_F32, PL_F32, PL_BF16, PL_BF16, PL_F16, PL_F16, PL_TF32, PL_BF16X3};

pl_dtype pl_compute_of(size_t name)
{
    return types[name];
}

pl_status pl_compute_parse(pl_dtype *out, const char *name, const char *where)
{
    for (size_t i = 0; i < PL_COMPUTE_NAMES; i++) {
        if (strcmp(name, pl_compute_names[i]) != 0) continue;
        *out = types[i];
        return PL_OK;
    }
    return pl_fail(PL_E_USAGE, "%s: expected float32, bf16x3, bf16, fp16 or tf32; found '%s'", where, name);
}
