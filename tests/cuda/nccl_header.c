/* NVIDIA's own header before ours: every call that plumb declares is declared again, so the compiler compares the
 * types; the numbers are compared here. Compiled where nccl.h is found, never run. */
#include <nccl.h>

#include "../../cuda/nccl_calls.h"

#define X(name, value) _Static_assert(name == value, #name);
PL__NCCL_RESULTS(X)
#undef X
_Static_assert((int)ncclUint8 == (int)PL__NCCL_UINT8, "ncclUint8");
_Static_assert(NCCL_UNIQUE_ID_BYTES == PL__NCCL_ID_BYTES && sizeof(ncclUniqueId) == PL__NCCL_ID_BYTES, "ncclUniqueId");
_Static_assert(NCCL_VERSION_CODE >= PL__NCCL_LEAST && NCCL_VERSION_CODE < PL__NCCL_END, "NCCL's version");
#define SAME(member)                                                                                                   \
    _Static_assert(offsetof(ncclConfig_t, member) == offsetof(struct pl__nccl_config, member) &&                       \
                       sizeof((ncclConfig_t){0}.member) == sizeof((struct pl__nccl_config){0}.member),                 \
                   "ncclConfig_t." #member)
SAME(size);
SAME(magic);
SAME(version);
SAME(blocking);
