#include "base/digest.h"

#include <openssl/evp.h>
#include <xxhash.h>

#include "base/memory.h"

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
    if (EVP_Digest(data, size, digest, NULL, EVP_sha256(), NULL) != 1) pl_out_of_memory("a SHA-256");
    pl_hex(out, digest, sizeof digest);
}

static EVP_MD_CTX *context_of(pl_sha256_run *run)
{
    return (EVP_MD_CTX *)run;
}

static pl_status sha256_failed(void)
{
    return pl_fail(PL_E_MEMORY, "out of memory while computing a SHA-256");
}

pl_status pl_sha256_begin(pl_sha256_run **out)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    *out = (pl_sha256_run *)context;
    if (context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1) return PL_OK;
    pl_sha256_free(*out);
    *out = NULL;
    return sha256_failed();
}

pl_status pl_sha256_add(pl_sha256_run *run, const void *data, size_t size)
{
    return EVP_DigestUpdate(context_of(run), data, size) == 1 ? PL_OK : sha256_failed();
}

pl_status pl_sha256_end(pl_sha256_run *run, char out[PL_SHA256_TEXT])
{
    uint8_t digest[32];
    if (EVP_DigestFinal_ex(context_of(run), digest, NULL) != 1) return sha256_failed();
    pl_hex(out, digest, sizeof digest);
    return PL_OK;
}

void pl_sha256_free(pl_sha256_run *run)
{
    EVP_MD_CTX_free(context_of(run));
}
