#include "base/base64.h"

#include <openssl/evp.h>

pl_status pl_base64(pl_bytes *out, const void *data, size_t size)
{
    enum { STEP = 3 * 256 }; /* whole groups: padding comes at the end alone */
    unsigned char text[STEP / 3 * 4 + 1];
    for (const unsigned char *at = data; size;) {
        size_t n = size < STEP ? size : STEP;
        int made = EVP_EncodeBlock(text, at, (int)n);
        PL_TRY(pl_bytes_append(out, text, (size_t)made));
        at += n;
        size -= n;
    }
    return PL_OK;
}
