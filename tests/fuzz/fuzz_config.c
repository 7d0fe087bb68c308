/* A config.json of any text: read or refused; the sizes of one that is read fit each other. */
#include <stdint.h>
#include <stdlib.h>

#include "model/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pl_config c;
    if (pl__config_parse(&c, (const char *)data, size, "fuzz") != PL_OK) return 0;
    if (!c.family || c.H == 0 || c.G == 0 || c.D == 0 || c.H % c.G != 0 || c.L == 0 || c.F == 0) abort();
    if (c.rope.kind == PL_ROPE_NONE) return 0;
    float *cosine = malloc(c.rope.width * sizeof *cosine), *sine = malloc(c.rope.width * sizeof *sine);
    if (!cosine || !sine || c.rope.width > c.D || pl__rope_table(cosine, sine, &c.rope, c.border > 0, 2) != PL_OK)
        abort();
    free(cosine);
    free(sine);
    return 0;
}
