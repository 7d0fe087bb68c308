/* Training of a byte-level BPE in GPT-2's style, and its tokenizer.json.
 *
 * In: plain texts. Out: 256 byte tokens in GPT-2's order, one token a merge, and <|endoftext|> with the largest id.
 * Deterministic: the most frequent pair wins, ties go to the smaller ids. Small vocabularies only (at most
 * BPE_TOKENS_MAX): the pairs are counted in a square table. */
#ifndef PLUMB_TINY_BPE_H
#define PLUMB_TINY_BPE_H

#include <stddef.h>

#include "base/memory.h"
#include "base/status.h"

enum { BPE_TOKENS_MIN = 257, BPE_TOKENS_MAX = 4096 };

typedef struct bpe bpe;

/* Learns from `text` until there are n_tokens tokens (the special one included) or no pair occurs twice. */
pl_status bpe_train(bpe **out, const char *text, size_t size, size_t n_tokens);
void bpe_free(bpe *tokenizer); /* takes NULL */

size_t bpe_size(const bpe *tokenizer); /* tokens; <|endoftext|> is the last */

/* tokenizer.json and tokenizer_config.json, as Hugging Face writes them, into an existing folder. */
pl_status bpe_write(const bpe *tokenizer, const char *folder);

#endif
