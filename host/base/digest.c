#include "base/digest.h"

#include <openssl/evp.h>
#include <xxhash.h>

void pl_hex(char *out, const uint8_t *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * n] = 0;
}

void pl_hash128(char out[PL_HASH_TEXT], const void *data, size_t size)
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(data, size));
    pl_hex(out, canonical.digest, sizeof canonical.digest);
}

void pl_hash128_words(uint64_t out[2], const void *data, size_t size)
{
    XXH128_hash_t hash = XXH3_128bits(data, size);
    out[0] = hash.high64;
    out[1] = hash.low64;
}

void pl_sha256(char out[PL_SHA256_TEXT], const void *data, size_t size)
{
    uint8_t digest[32];
    EVP_Digest(data, size, digest, NULL, EVP_sha256(), NULL);
    pl_hex(out, digest, sizeof digest);
}
