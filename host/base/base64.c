#include "base/base64.h"

#include <openssl/evp.h>
#include <stdint.h>

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

static int digit_of(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

pl_status pl_base64_read(pl_bytes *out, const char *text, size_t size, const char *where)
{
    size_t n = size;
    if (size % 4 != 0) return pl_fail(PL_E_INPUT, "%s: not base64: %zu characters, expected whole fours", where, size);
    while (n > 0 && size - n < 2 && text[n - 1] == '=') n--;
    uint32_t bits = 0; /* of digits whose byte is not whole yet */
    unsigned n_bits = 0;
    PL_TRY(pl_grow(&out->data, &out->capacity, out->size + size / 4 * 3 + 1));
    for (size_t i = 0; i < n; i++) {
        int digit = digit_of(text[i]);
        if (digit < 0) return pl_fail(PL_E_INPUT, "%s: not base64: byte %zu of %zu", where, i, size);
        bits = bits << 6 | (uint32_t)digit;
        n_bits += 6;
        if (n_bits < 8) continue;
        n_bits -= 8;
        out->data[out->size++] = (char)(bits >> n_bits);
        bits &= (1u << n_bits) - 1;
    }
    out->data[out->size] = 0;
    if (bits != 0) return pl_fail(PL_E_INPUT, "%s: not base64: the end of %zu characters", where, size);
    return PL_OK;
}
