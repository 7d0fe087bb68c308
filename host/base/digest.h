/* Digests as lower-case hexadecimal text. */
#ifndef PLUMB_BASE_DIGEST_H
#define PLUMB_BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { PL_HASH_TEXT = 33, PL_SHA256_TEXT = 65 };

void pl_hex(char *out, const uint8_t *bytes, size_t n); /* 2 n digits and a NUL */

void pl_hash128(char out[PL_HASH_TEXT], const void *data, size_t size); /* XXH3-128, for identities */
/* The same as two numbers, for tables. */
void pl_hash128_words(uint64_t out[2], const void *data, size_t size);
/* Where a user expects it. libcrypto takes memory for it: without any the process ends (base/memory.h). */
void pl_sha256(char out[PL_SHA256_TEXT], const void *data, size_t size);

/* The same of bytes that come piece by piece. */
typedef struct pl_sha256_run pl_sha256_run;
pl_status pl_sha256_begin(pl_sha256_run **out);
pl_status pl_sha256_add(pl_sha256_run *run, const void *data, size_t size);
pl_status pl_sha256_end(pl_sha256_run *run, char out[PL_SHA256_TEXT]);
void pl_sha256_free(pl_sha256_run *run); /* takes NULL */

#endif
