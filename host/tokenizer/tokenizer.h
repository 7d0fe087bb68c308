/* Tokenizers of Hugging Face checkpoints: tokenizer.json (BPE, Unigram, WordPiece), or vocab.json + merges.txt
 * (byte-level BPE), or tokenizer.model (SentencePiece's BPE and Unigram).
 *
 * Encoding follows the file: added tokens are cut out first, then normalizer, pre-tokenizer, model, and the
 * post-processor's template adds bos/eos; tokenizer.model gives the ids of SentencePiece itself. A component that is
 * not supported is PL_E_UNSUPPORTED and is named. A tokenizer gives the same ids for the same text after opening and
 * may be used from several threads at once (its cache of whole words, bpe.h, is filled as it goes, with atomic stores
 * of values that no order changes). */
#ifndef PLUMB_TOKENIZER_TOKENIZER_H
#define PLUMB_TOKENIZER_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"

typedef struct pl_tokenizer pl_tokenizer;

/* A growing run of token ids. Start from {0}; release with pl_ids_free. */
typedef struct pl_ids {
    int32_t *data;
    size_t n, capacity;
} pl_ids;
pl_status pl_ids_append(pl_ids *ids, const int32_t *data, size_t n);
void pl_ids_free(pl_ids *ids); /* takes NULL and {0} */

/* `folder` holds tokenizer.json, or vocab.json and merges.txt, or tokenizer.model: the first of them. Beside them
 * tokenizer_config.json, special_tokens_map.json and added_tokens.json are honoured as in transformers 5: added and
 * special tokens, add_prefix_space, and but for tokenizer.json add_bos_token and add_eos_token (its post-processor says
 * what it adds); control pieces of a tokenizer.model are found in a text only where such a file names them. bos and eos
 * that no file names are the class's: tokenizer_class, else by config.json's model_type. */
pl_status pl_tokenizer_open(pl_tokenizer **out, const char *folder);
void pl_tokenizer_free(pl_tokenizer *tokenizer); /* takes NULL */

/* Appends the ids of `text` (UTF-8; malformed bytes are PL_E_INPUT with their offset). `special`: with what the
 * post-processor adds (bos, eos). Special tokens spelled out in the text are recognised, as Hugging Face does. */
pl_status pl_tokenizer_encode(const pl_tokenizer *tokenizer, const char *text, size_t size, bool special, pl_ids *out);

/* Appends the text of the ids; with skip_special, tokens marked special leave nothing. Bytes that are not UTF-8 become
 * U+FFFD, and an id outside the vocabulary leaves nothing (models pad theirs), as with Hugging Face's decoders. */
pl_status pl_tokenizer_decode(const pl_tokenizer *tokenizer, const int32_t *ids, size_t n, bool skip_special,
                              pl_bytes *out);

/* The vocabulary's own spelling of a token ("Ġthe", "▁the", "<0x0A>"); NULL when there is no such id. Borrowed. */
const char *pl_tokenizer_piece(const pl_tokenizer *tokenizer, int32_t id);
size_t pl_tokenizer_size(const pl_tokenizer *tokenizer);      /* largest id + 1 */
int32_t pl_tokenizer_bos(const pl_tokenizer *tokenizer);      /* -1: none */
int32_t pl_tokenizer_eos(const pl_tokenizer *tokenizer);      /* -1: none */
const char *pl_tokenizer_kind(const pl_tokenizer *tokenizer); /* one line for people: "byte-level BPE, 50257 tokens" */
/* The Unicode versions of the libraries whose tables decide ids, too (classes and normal forms of characters that a
 * version does not know yet are others in the next): "utf8proc 14.0.0, PCRE2 14.0.0". */
enum { PL_UNICODE_TEXT = 64 };
void pl_tokenizer_unicode(char out[PL_UNICODE_TEXT]);
/* XXH3-128 over the bytes of every file that decides the ids. */
const char *pl_tokenizer_digest(const pl_tokenizer *tokenizer);

#endif
