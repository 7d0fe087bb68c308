#include "bpe.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"

static const char end_of_text[] = "<|endoftext|>";

typedef struct token {
    size_t left, right; /* the pair it was merged from; unused for bytes */
    size_t size;
    unsigned char *bytes; /* arena */
} token;

typedef struct merge {
    size_t left, right;
} merge;

/* A distinct word of the text: its current tokens and how often it occurs. */
typedef struct word {
    const unsigned char *bytes; /* borrowed */
    size_t size, count, n;
    uint16_t *tokens; /* [n] */
} word;

struct bpe {
    size_t n_tokens, n_merges;
    token tokens[BPE_TOKENS_MAX];
    merge merges[BPE_TOKENS_MAX];
    pl_arena *arena;
};

typedef enum kind { LETTER, DIGIT, SPACE, OTHER } kind;

static kind kind_of(unsigned char c)
{
    if (c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return LETTER;
    if (c >= '0' && c <= '9') return DIGIT;
    if (c == ' ' || (c >= '\t' && c <= '\r')) return SPACE;
    return OTHER;
}

/* Length of the first word of text: a run of one kind with at most one blank before it. On ASCII this is GPT-2's
 * pattern except for contractions, and training needs no more: the pattern itself works when the tokenizer is used. */
static size_t word_length(const unsigned char *text, size_t size)
{
    size_t i = (text[0] == ' ' && size > 1 && kind_of(text[1]) != SPACE) ? 1 : 0;
    kind k = kind_of(text[i]);
    while (i < size && kind_of(text[i]) == k) i++;
    /* the last blank of a run belongs to the word behind it */
    if (k == SPACE && i > 1 && i < size && text[i - 1] == ' ') i--;
    return i;
}

static int compare_words(const void *a, const void *b)
{
    const word *x = a, *y = b;
    size_t n = x->size < y->size ? x->size : y->size;
    int order = memcmp(x->bytes, y->bytes, n);
    if (order != 0) return order;
    return (x->size > y->size) - (x->size < y->size);
}

/* The distinct words in byte order, with counts: an order that does not depend on where they stand in the text. */
static pl_status collect_words(const char *text, size_t size, word **out, size_t *out_n)
{
    word *words = NULL;
    size_t n = 0, capacity = 0, at = 0;
    while (at < size) {
        const unsigned char *start = (const unsigned char *)text + at;
        size_t length = word_length(start, size - at);
        pl_status status = pl_grow(&words, &capacity, n + 1);
        if (status != PL_OK) {
            free(words);
            return status;
        }
        words[n++] = (word){.bytes = start, .size = length, .count = 1};
        at += length;
    }
    if (n > 0) qsort(words, n, sizeof *words, compare_words);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept > 0 && compare_words(&words[kept - 1], &words[i]) == 0)
            words[kept - 1].count++;
        else
            words[kept++] = words[i];
    }
    *out = words;
    *out_n = kept;
    return PL_OK;
}

/* GPT-2's order of the bytes: the printable ones of Latin-1 first, then the others. */
static bool printable(unsigned c)
{
    return (c >= '!' && c <= '~') || (c >= 0xA1 && c <= 0xAC) || c >= 0xAE;
}

static unsigned byte_rank(unsigned byte)
{
    unsigned rank = 0;
    for (unsigned c = 0; c < byte; c++) rank += printable(c) == printable(byte);
    return printable(byte) ? rank : 188 + rank;
}

static pl_status add_token(bpe *b, const unsigned char *head, size_t head_size, const unsigned char *tail,
                           size_t tail_size)
{
    token *t = &b->tokens[b->n_tokens];
    PL_TRY(pl_arena_new(b->arena, &t->bytes, head_size + tail_size));
    memcpy(t->bytes, head, head_size);
    memcpy(t->bytes + head_size, tail, tail_size);
    t->size = head_size + tail_size;
    b->n_tokens++;
    return PL_OK;
}

static pl_status add_bytes(bpe *b)
{
    unsigned char order[256];
    for (unsigned c = 0; c < 256; c++) order[byte_rank(c)] = (unsigned char)c;
    for (unsigned i = 0; i < 256; i++) PL_TRY(add_token(b, &order[i], 1, order, 0));
    return PL_OK;
}

static pl_status split_words(word *words, size_t n, pl_arena *arena)
{
    for (size_t i = 0; i < n; i++) {
        PL_TRY(pl_arena_new(arena, &words[i].tokens, words[i].size));
        words[i].n = words[i].size;
        for (size_t j = 0; j < words[i].size; j++) words[i].tokens[j] = (uint16_t)byte_rank(words[i].bytes[j]);
    }
    return PL_OK;
}

/* The most frequent pair; ties go to the smaller ids. Its count is returned. */
static uint32_t best_pair(const word *words, size_t n, uint32_t *counts, size_t n_tokens, merge *best)
{
    memset(counts, 0, n_tokens * n_tokens * sizeof *counts);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 1; j < words[i].n; j++)
            counts[words[i].tokens[j - 1] * n_tokens + words[i].tokens[j]] += (uint32_t)words[i].count;
    size_t top = 0;
    for (size_t i = 1; i < n_tokens * n_tokens; i++)
        if (counts[i] > counts[top]) top = i;
    *best = (merge){top / n_tokens, top % n_tokens};
    return counts[top];
}

static void apply_merge(word *words, size_t n, merge pair, size_t id)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t *t = words[i].tokens;
        size_t kept = 0;
        for (size_t j = 0; j < words[i].n; j++) {
            bool joins = j + 1 < words[i].n && t[j] == pair.left && t[j + 1] == pair.right;
            t[kept++] = joins ? (uint16_t)id : t[j];
            j += joins;
        }
        words[i].n = kept;
    }
}

/* Two merges may spell the same token ("ab"+"c", "a"+"bc"): it keeps its first id. */
static size_t find_token(const bpe *b, merge pair)
{
    const token *left = &b->tokens[pair.left], *right = &b->tokens[pair.right];
    for (size_t i = 0; i < b->n_tokens; i++) {
        const token *t = &b->tokens[i];
        if (t->size == left->size + right->size && memcmp(t->bytes, left->bytes, left->size) == 0 &&
            memcmp(t->bytes + left->size, right->bytes, right->size) == 0)
            return i;
    }
    return SIZE_MAX;
}

static pl_status learn_merges(bpe *b, word *words, size_t n, size_t n_tokens)
{
    uint32_t *counts = NULL;
    pl_status status = pl_new(&counts, n_tokens * n_tokens);
    while (status == PL_OK && b->n_tokens + 1 < n_tokens && b->n_merges < BPE_TOKENS_MAX) {
        merge pair;
        if (best_pair(words, n, counts, b->n_tokens, &pair) < 2) break;
        size_t id = find_token(b, pair);
        if (id == SIZE_MAX) {
            id = b->n_tokens;
            const token *left = &b->tokens[pair.left], *right = &b->tokens[pair.right];
            status = add_token(b, left->bytes, left->size, right->bytes, right->size);
        }
        b->merges[b->n_merges++] = pair;
        apply_merge(words, n, pair, id);
    }
    free(counts);
    return status;
}

pl_status bpe_train(bpe **out, const char *text, size_t size, size_t n_tokens)
{
    *out = NULL;
    if (n_tokens < BPE_TOKENS_MIN || n_tokens > BPE_TOKENS_MAX)
        return pl_fail(PL_E_USAGE, "--tokens is %zu: expected %d to %d", n_tokens, BPE_TOKENS_MIN, BPE_TOKENS_MAX);
    if (size > UINT32_MAX) return pl_fail(PL_E_INPUT, "the training text has %zu bytes: expected at most 4 GiB", size);
    bpe *b = NULL;
    word *words = NULL;
    size_t n = 0;
    pl_arena *scratch = NULL;
    pl_status status = PL_OK;
    PL_GOTO(status, done, pl_new(&b, 1));
    PL_GOTO(status, done, pl_arena_create(&b->arena));
    PL_GOTO(status, done, pl_arena_create(&scratch));
    PL_GOTO(status, done, add_bytes(b));
    PL_GOTO(status, done, collect_words(text, size, &words, &n));
    PL_GOTO(status, done, split_words(words, n, scratch));
    PL_GOTO(status, done, learn_merges(b, words, n, n_tokens));
    const unsigned char *special = (const unsigned char *)end_of_text;
    PL_GOTO(status, done, add_token(b, special, strlen(end_of_text), special, 0));
    *out = b;
    b = NULL;
done:
    bpe_free(b);
    pl_arena_free(scratch);
    free(words);
    return status;
}

void bpe_free(bpe *tokenizer)
{
    if (tokenizer == NULL) return;
    pl_arena_free(tokenizer->arena);
    free(tokenizer);
}

size_t bpe_size(const bpe *tokenizer)
{
    return tokenizer->n_tokens;
}

/* A byte is spelled as itself when printable, and as the next code point from U+0100 on otherwise. */
static pl_status spell(pl_bytes *out, const token *t)
{
    for (size_t i = 0; i < t->size; i++) {
        unsigned byte = t->bytes[i], point = printable(byte) ? byte : 0x100 + byte_rank(byte) - 188;
        char utf8[2] = {(char)(0xC0 | (point >> 6)), (char)(0x80 | (point & 0x3F))};
        if (point < 0x80)
            PL_TRY(pl_bytes_append(out, &(char){(char)point}, 1));
        else
            PL_TRY(pl_bytes_append(out, utf8, 2));
    }
    return PL_OK;
}

static pl_status put_vocabulary(const bpe *b, json_t *vocabulary, json_t *merges)
{
    pl_bytes text = {0};
    pl_status status = PL_OK;
    for (size_t i = 0; i + 1 < b->n_tokens && status == PL_OK; i++) {
        pl_bytes_clear(&text);
        status = spell(&text, &b->tokens[i]);
        if (status == PL_OK && json_object_set_new(vocabulary, text.data, json_integer((json_int_t)i)) != 0)
            status = pl_fail(PL_E_MEMORY, "no memory for the vocabulary");
    }
    for (size_t i = 0; i < b->n_merges && status == PL_OK; i++) {
        pl_bytes_clear(&text);
        PL_KEEP(status, spell(&text, &b->tokens[b->merges[i].left]));
        PL_KEEP(status, pl_bytes_text(&text, " "));
        PL_KEEP(status, spell(&text, &b->tokens[b->merges[i].right]));
        if (status == PL_OK && json_array_append_new(merges, json_string(text.data)) != 0)
            status = pl_fail(PL_E_MEMORY, "no memory for the merges");
    }
    pl_bytes_free(&text);
    return status;
}

static pl_status write_file(const char *folder, const char *name, json_t *value)
{
    char path[PL_PATH_MAX];
    pl_status status = value == NULL ? pl_fail(PL_E_MEMORY, "no memory for %s", name) : PL_OK;
    PL_KEEP(status, pl_path(path, "%s/%s", folder, name));
    if (status == PL_OK) status = pl_json_write(path, value);
    json_decref(value);
    return status;
}

pl_status bpe_write(const bpe *tokenizer, const char *folder)
{
    json_t *vocabulary = json_object(), *merges = json_array();
    pl_status status = put_vocabulary(tokenizer, vocabulary, merges);
    json_int_t special = (json_int_t)tokenizer->n_tokens - 1;
    if (status == PL_OK) json_object_set_new(vocabulary, end_of_text, json_integer(special));
    if (status != PL_OK) {
        json_decref(vocabulary);
        json_decref(merges);
        return status;
    }
    json_t *added = json_pack("[{s:I, s:s, s:b, s:b, s:b, s:b, s:b}]", "id", special, "content", end_of_text,
                              "single_word", 0, "lstrip", 0, "rstrip", 0, "normalized", 0, "special", 1);
    json_t *splitter = json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", 0, "trim_offsets", 1,
                                 "use_regex", 1);
    json_t *decoder = json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", 1, "trim_offsets", 1,
                                "use_regex", 1);
    json_t *model = json_pack("{s:s, s:n, s:n, s:n, s:n, s:b, s:b, s:b, s:o, s:o}", "type", "BPE", "dropout",
                              "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", 0,
                              "byte_fallback", 0, "ignore_merges", 0, "vocab", vocabulary, "merges", merges);
    json_t *whole = json_pack("{s:s, s:n, s:n, s:o, s:n, s:o, s:n, s:o, s:o}", "version", "1.0", "truncation",
                              "padding", "added_tokens", added, "normalizer", "pre_tokenizer", splitter,
                              "post_processor", "decoder", decoder, "model", model);
    json_t *config =
        json_pack("{s:b, s:s, s:s, s:s, s:s}", "add_prefix_space", 0, "bos_token", end_of_text, "eos_token",
                  end_of_text, "unk_token", end_of_text, "tokenizer_class", "PreTrainedTokenizerFast");
    status = write_file(folder, "tokenizer.json", whole);
    PL_KEEP(status, write_file(folder, "tokenizer_config.json", config));
    return status;
}
