/* Two ways to merge, with the same result: short words look for the best pair again after every merge, which is
 * quadratic and the fastest there is; long ones (a text without a joint, joints.h) keep the pairs in a heap. An entry
 * of the heap is stale when its pair is gone; the pair at a place only ever grows, so the id it would become tells. */
#include "tokenizer/bpe.h"

#include <stdlib.h>
#include <string.h>

#include "tokenizer/unicode.h"

enum { SHORT_SYMBOLS = 48 };

/* Neighbours are indices into the symbols; NONE: no neighbour. A merged-away symbol has id GONE. */
enum { NONE = -1, GONE = -1 };

struct pl__symbol {
    int32_t id, previous, next;
};

/* ---- the table of merges ---- */

static size_t hash_of(int32_t left, int32_t right)
{
    uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    return (size_t)((key * 0x9E3779B97F4A7C15u) >> 29);
}

static inline const struct pl__merge *find_merge(const pl__bpe *bpe, int32_t left, int32_t right)
{
    for (size_t at = hash_of(left, right) & bpe->merges_mask;; at = (at + 1) & bpe->merges_mask) {
        const struct pl__merge *m = &bpe->merges[at];
        if (m->left < 0) return NULL;
        if (m->left == left && m->right == right) return m;
    }
}

/* The slot of the merge, or the free one where it belongs. */
static struct pl__merge *slot_of(struct pl__merge *merges, size_t mask, int32_t left, int32_t right)
{
    size_t at = hash_of(left, right) & mask;
    while (merges[at].left >= 0 && !(merges[at].left == left && merges[at].right == right)) at = (at + 1) & mask;
    return &merges[at];
}

pl_status pl__bpe_reserve(pl__bpe *bpe, size_t n_merges)
{
    size_t slots = 64, old_slots = bpe->merges ? bpe->merges_mask + 1 : 0;
    while (slots < 2 * n_merges) slots *= 2;
    if (slots <= old_slots) return PL_OK;
    struct pl__merge *grown;
    PL_TRY(pl_new(&grown, slots));
    for (size_t i = 0; i < slots; i++) grown[i].left = -1;
    for (size_t i = 0; i < old_slots; i++)
        if (bpe->merges[i].left >= 0)
            *slot_of(grown, slots - 1, bpe->merges[i].left, bpe->merges[i].right) = bpe->merges[i];
    free(bpe->merges);
    bpe->merges = grown;
    bpe->merges_mask = slots - 1;
    return PL_OK;
}

void pl__merges_free(pl__merges *merges)
{
    pl_bytes_free(&merges->text);
}

static pl_status unknown_part(const char *part, size_t size, size_t rank, const char *where)
{
    return pl_fail(PL_E_INPUT, "%s: merge %zu names '%.*s', which is not in the vocabulary", where, rank,
                   (int)(size < 80 ? size : 80), part);
}

static pl_status put_merge(pl__bpe *bpe, const pl__vocabulary_key key[3], size_t rank, const char *where)
{
    for (size_t i = 0; i < 3; i++)
        if (key[i].id < 0) return unknown_part(key[i].text, key[i].size, rank, where);
    PL_TRY(pl__bpe_reserve(bpe, bpe->n_merges + 1));
    struct pl__merge *slot = slot_of(bpe->merges, bpe->merges_mask, key[0].id, key[1].id);
    bpe->n_merges += slot->left < 0;
    /* A merge given twice has its later rank, as in Hugging Face's map. */
    *slot = (struct pl__merge){key[0].id, key[1].id, (uint32_t)rank, key[2].id};
    return PL_OK;
}

pl_status pl__bpe_end_merges(pl__bpe *bpe, pl__merges *merges)
{
    pl__vocabulary_key keys[3 * PL__MERGES_AT_ONCE];
    const char *at = merges->text.data;
    for (size_t i = 0; i < merges->n; i++) {
        const size_t sizes[3] = {merges->items[i].left, merges->items[i].right, merges->items[i].made};
        for (size_t k = 0; k < 3; at += sizes[k++]) keys[3 * i + k] = (pl__vocabulary_key){at, sizes[k], -1};
    }
    pl__vocabulary_find_all(&bpe->vocabulary, keys, 3 * merges->n);
    for (size_t i = 0; bpe->merges && i < merges->n; i++)
        __builtin_prefetch(&bpe->merges[hash_of(keys[3 * i].id, keys[3 * i + 1].id) & bpe->merges_mask]);
    for (size_t i = 0; i < merges->n; i++) PL_TRY(put_merge(bpe, keys + 3 * i, merges->rank + i, merges->where));
    merges->rank += merges->n;
    merges->n = 0;
    pl_bytes_clear(&merges->text);
    return PL_OK;
}

pl_status pl__bpe_add_merge(pl__bpe *bpe, pl__merges *merges, const char *left, size_t left_size, const char *right,
                            size_t right_size)
{
    /* Hugging Face leaves out as many bytes of the right part as the prefix has characters. */
    size_t skip = bpe->prefix ? pl_utf8_count(bpe->prefix, strlen(bpe->prefix)) : 0;
    if (skip > right_size) return unknown_part(right, right_size, merges->rank + merges->n, merges->where);
    PL_TRY(pl_bytes_append(&merges->text, left, left_size));
    PL_TRY(pl_bytes_append(&merges->text, right, right_size));
    PL_TRY(pl_bytes_append(&merges->text, left, left_size));
    PL_TRY(pl_bytes_append(&merges->text, right + skip, right_size - skip));
    pl__joints_add(&bpe->joints, left, left_size, right, right_size);
    merges->items[merges->n++] = (struct pl__merge_text){left_size, right_size, left_size + right_size - skip};
    return merges->n == PL__MERGES_AT_ONCE ? pl__bpe_end_merges(bpe, merges) : PL_OK;
}

/* Whether the stretches between joints are words of their own: what a character is does not depend on its place, no
 * word is looked up whole, and a character that the vocabulary lacks is its bytes, which nothing waits for. */
static bool comes_apart(const pl__bpe *bpe)
{
    for (size_t b = 0; b < 256; b++)
        if (bpe->fallback_ids[b] < 0) return false;
    return bpe->byte_fallback && !bpe->prefix && !bpe->suffix && !bpe->ignore_merges;
}

pl_status pl__bpe_finish(pl__bpe *bpe)
{
    const pl__vocabulary *v = &bpe->vocabulary;
    char text[8];
    for (unsigned b = 0; b < 256; b++) {
        bpe->byte_ids[b] = pl__vocabulary_find(v, text, pl_utf8_put(text, pl__byte_to_char((uint8_t)b)));
        static const char hex[] = "0123456789ABCDEF";
        const char fallback[6] = {'<', '0', 'x', hex[b >> 4], hex[b & 15], '>'};
        bpe->fallback_ids[b] = pl__vocabulary_find(v, fallback, sizeof fallback);
        if (b < 128) bpe->ascii_ids[b] = pl__vocabulary_find(v, text, pl_utf8_put(text, b));
    }
    if (!comes_apart(bpe)) pl__joints_free(&bpe->joints);
    bpe->unknown_id = bpe->unknown ? pl__vocabulary_find(v, bpe->unknown, strlen(bpe->unknown)) : -1;
    if (!bpe->merges) PL_TRY(pl__bpe_reserve(bpe, 0));
    return pl__word_cache_create(&bpe->words);
}

void pl__bpe_free(pl__bpe *bpe)
{
    if (!bpe->vocabulary.borrowed) free(bpe->merges);
    pl__vocabulary_free(&bpe->vocabulary);
    free(bpe->prefix);
    free(bpe->suffix);
    free(bpe->unknown);
    pl__joints_free(&bpe->joints);
    pl__word_cache_free(&bpe->words);
    *bpe = (pl__bpe){0};
}

void pl__bpe_work_free(pl__bpe_work *work)
{
    free(work->symbols);
    free(work->heap.items);
    pl_bytes_free(&work->spelling);
    pl_bytes_free(&work->character);
    *work = (pl__bpe_work){0};
}

/* ---- a word to its first symbols ---- */

struct symbols {
    struct pl__symbol *items; /* room for one a byte of the word */
    size_t n;
    int32_t unknown; /* an unknown token that is not put down yet: more may be fused into it; -1: none */
};

static void put(struct symbols *s, int32_t id)
{
    s->items[s->n++].id = id;
}

static void put_unknown(struct symbols *s)
{
    if (s->unknown >= 0) put(s, s->unknown);
    s->unknown = -1;
}

static bool has_fallback(const pl__bpe *bpe, const char *text, size_t size)
{
    if (!bpe->byte_fallback) return false;
    for (size_t i = 0; i < size; i++)
        if (bpe->fallback_ids[(uint8_t)text[i]] < 0) return false;
    return true;
}

/* A character that the vocabulary lacks. */
static pl_status lacking(const pl__bpe *bpe, struct symbols *s, const char *text, size_t size)
{
    if (has_fallback(bpe, text, size)) {
        /* Before an unknown token that waits: the order Hugging Face gives. */
        for (size_t i = 0; i < size; i++) put(s, bpe->fallback_ids[(uint8_t)text[i]]);
        return PL_OK;
    }
    if (!bpe->unknown) return PL_OK;
    if (bpe->unknown_id < 0)
        return pl_fail(PL_E_INPUT,
                       "the text has a character that the vocabulary lacks, and its unk_token '%.80s' is not "
                       "in the vocabulary either",
                       bpe->unknown);
    if (!bpe->fuse_unknown) put_unknown(s);
    s->unknown = bpe->unknown_id;
    return PL_OK;
}

static pl_status symbols_of_text(const pl__bpe *bpe, const char *text, size_t size, struct symbols *s)
{
    for (size_t at = 0, n; at < size; at += n) {
        n = pl_utf8_size(text[at]);
        int32_t id = n == 1 ? bpe->ascii_ids[(uint8_t)text[at]] : pl__vocabulary_find(&bpe->vocabulary, text + at, n);
        if (id < 0) {
            PL_TRY(lacking(bpe, s, text + at, n));
            continue;
        }
        put_unknown(s);
        put(s, id);
    }
    put_unknown(s);
    return PL_OK;
}

/* The same where characters carry what they are in the word: not its first, or its last. */
static pl_status symbols_of_affixed(const pl__bpe *bpe, const char *text, size_t size, pl_bytes *character,
                                    struct symbols *s)
{
    for (size_t at = 0, n; at < size; at += n) {
        n = pl_utf8_size(text[at]);
        pl_bytes_clear(character);
        if (at > 0 && bpe->prefix) PL_TRY(pl_bytes_text(character, bpe->prefix));
        PL_TRY(pl_bytes_append(character, text + at, n));
        if (at + n == size && bpe->suffix) PL_TRY(pl_bytes_text(character, bpe->suffix));
        int32_t id = pl__vocabulary_find(&bpe->vocabulary, character->data, character->size);
        if (id < 0) {
            PL_TRY(lacking(bpe, s, character->data, character->size));
            continue;
        }
        put_unknown(s);
        put(s, id);
    }
    put_unknown(s);
    return PL_OK;
}

/* False when a byte has no token: then the spelling decides. */
static bool symbols_of_bytes(const pl__bpe *bpe, const char *word, size_t size, struct symbols *s)
{
    for (size_t i = 0; i < size; i++) {
        int32_t id = bpe->byte_ids[(uint8_t)word[i]];
        if (id < 0) return false;
        put(s, id);
    }
    return true;
}

/* ---- merging; both leave the symbols dense and set *n ---- */

static void merge_short(const pl__bpe *bpe, struct pl__symbol *symbols, size_t *n)
{
    uint32_t ranks[SHORT_SYMBOLS]; /* of the pair (i, i + 1); UINT32_MAX: no merge */
    int32_t ids[SHORT_SYMBOLS], made[SHORT_SYMBOLS];
    size_t count = *n;
    const struct pl__merge *m;
    for (size_t i = 0; i < count; i++) ids[i] = symbols[i].id;
    for (size_t i = 0; i + 1 < count; i++) {
        m = find_merge(bpe, ids[i], ids[i + 1]);
        ranks[i] = m ? m->rank : UINT32_MAX;
        made[i] = m ? m->id : 0;
    }
    while (count > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < count; i++)
            if (ranks[i] < ranks[best]) best = i;
        if (ranks[best] == UINT32_MAX) break;
        ids[best] = made[best];
        count--;
        for (size_t i = best + 1; i < count; i++) {
            ids[i] = ids[i + 1];
            ranks[i - 1] = ranks[i];
            made[i - 1] = made[i];
        }
        /* The pairs on both sides of the new symbol; the one on the left is at best - 1. */
        for (size_t i = best ? best - 1 : 0; i <= best && i + 1 < count; i++) {
            m = find_merge(bpe, ids[i], ids[i + 1]);
            ranks[i] = m ? m->rank : UINT32_MAX;
            made[i] = m ? m->id : 0;
        }
    }
    for (size_t i = 0; i < count; i++) symbols[i].id = ids[i];
    *n = count;
}

/* Puts the pair that starts at `place` into the heap, when it merges. */
static pl_status offer(const pl__bpe *bpe, pl__bpe_work *work, int32_t place)
{
    const struct pl__symbol *s = work->symbols;
    if (place == NONE || s[place].next == NONE) return PL_OK;
    const struct pl__merge *m = find_merge(bpe, s[place].id, s[s[place].next].id);
    return m ? pl__merge_heap_push(&work->heap, m->rank, place, (uint32_t)m->id) : PL_OK;
}

static pl_status merge_long(const pl__bpe *bpe, pl__bpe_work *work, size_t *n)
{
    struct pl__symbol *s = work->symbols;
    size_t total = *n, kept = 0;
    work->heap.n = 0;
    for (size_t i = 0; i < total; i++) {
        s[i].previous = (int32_t)i - 1;
        s[i].next = i + 1 < total ? (int32_t)i + 1 : NONE;
    }
    for (size_t i = 0; i + 1 < total; i++) PL_TRY(offer(bpe, work, (int32_t)i));
    while (work->heap.n > 0) {
        pl__candidate top = pl__merge_heap_pop(&work->heap);
        int32_t place = pl__candidate_place(&top), made = (int32_t)top.made;
        struct pl__symbol *left = &s[place];
        if (left->id == GONE || left->next == NONE) continue;
        struct pl__symbol *right = &s[left->next];
        const struct pl__merge *m = find_merge(bpe, left->id, right->id);
        if (!m || m->id != made) continue;
        left->id = made;
        right->id = GONE;
        left->next = right->next;
        if (left->next != NONE) s[left->next].previous = place;
        PL_TRY(offer(bpe, work, left->previous));
        PL_TRY(offer(bpe, work, place));
    }
    for (size_t i = 0; i < total; i++)
        if (s[i].id != GONE) s[kept++].id = s[i].id;
    *n = kept;
    return PL_OK;
}

/* ---- a word ---- */

/* The ids of the word by merging alone are left in work->symbols[0..*n). `spelling` is the word in the vocabulary's
 * characters. */
static pl_status merge_word(const pl__bpe *bpe, const char *word, size_t size, bool bytes, const char *spelling,
                            size_t spelling_size, pl__bpe_work *work, size_t *n)
{
    if (spelling_size > INT32_MAX) return pl_fail(PL_E_INPUT, "a word of %zu bytes, expected at most 2 GiB", size);
    bool affixed = bpe->prefix || bpe->suffix;
    size_t room = spelling_size + 1;
    if (bpe->prefix) PL_TRY(pl_mul_size(&room, room, strlen(bpe->prefix) + 1, "the symbols of a word"));
    if (bpe->suffix) room += strlen(bpe->suffix);
    PL_TRY(pl_grow(&work->symbols, &work->symbols_capacity, room));
    struct symbols symbols = {work->symbols, 0, -1};
    if (affixed) {
        PL_TRY(symbols_of_affixed(bpe, spelling, spelling_size, &work->character, &symbols));
    } else if (!bytes || !symbols_of_bytes(bpe, word, size, &symbols)) {
        symbols.n = 0;
        PL_TRY(symbols_of_text(bpe, spelling, spelling_size, &symbols));
    }
    *n = symbols.n;
    if (*n <= 1) return PL_OK;
    if (*n > SHORT_SYMBOLS) return merge_long(bpe, work, n);
    merge_short(bpe, work->symbols, n);
    return PL_OK;
}

static pl_status append(pl_ids *out, int32_t id)
{
    if (out->n == out->capacity) PL_TRY(pl_grow(&out->data, &out->capacity, out->n + 1));
    out->data[out->n++] = id;
    return PL_OK;
}

/* Of a word that was not met before. */
static pl_status encode_new(const pl__bpe *bpe, const char *word, size_t size, bool bytes, pl__bpe_work *work,
                            pl_ids *out)
{
    const char *spelling = word;
    size_t spelling_size = size, n = 0;
    if (bytes) {
        pl_bytes_clear(&work->spelling);
        PL_TRY(pl__bytes_to_alphabet(&work->spelling, word, size));
        spelling = work->spelling.data;
        spelling_size = work->spelling.size;
    }
    int32_t id = bpe->ignore_merges ? pl__vocabulary_find(&bpe->vocabulary, spelling, spelling_size) : -1;
    if (id >= 0) return append(out, id);
    PL_TRY(merge_word(bpe, word, size, bytes, spelling, spelling_size, work, &n));
    PL_TRY(pl_grow(&out->data, &out->capacity, out->n + n));
    for (size_t i = 0; i < n; i++) out->data[out->n++] = work->symbols[i].id;
    return PL_OK;
}

static pl_status encode_word(const pl__bpe *bpe, const char *word, size_t size, bool bytes, pl__bpe_work *work,
                             pl_ids *out)
{
    const pl__cached_word *known = pl__word_cache_find(&bpe->words, word, size, bytes);
    if (!known) {
        size_t n = out->n;
        PL_TRY(encode_new(bpe, word, size, bytes, work, out));
        if (out->n > n) pl__word_cache_put(&bpe->words, word, size, bytes, out->data + n, out->n - n);
        return PL_OK;
    }
    if (out->capacity - out->n < known->n) PL_TRY(pl_grow(&out->data, &out->capacity, out->n + known->n));
    for (size_t i = 0; i < known->n; i++) out->data[out->n + i] = known->ids[i];
    out->n += known->n;
    return PL_OK;
}

pl_status pl__bpe_encode(const pl__bpe *bpe, const char *word, size_t size, bool bytes, pl__bpe_work *work, pl_ids *out)
{
    if (bytes || !bpe->joints.bits) return encode_word(bpe, word, size, bytes, work, out);
    for (size_t at = 0, end; at < size; at = end) {
        end = pl__joints_end(&bpe->joints, word, size, at);
        PL_TRY(encode_word(bpe, word + at, end - at, false, work, out));
    }
    return PL_OK;
}
