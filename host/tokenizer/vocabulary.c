#include "tokenizer/vocabulary.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static uint32_t hash_of(const char *text, size_t size)
{
    return (uint32_t)XXH3_64bits(text, size);
}

pl_status pl__vocabulary_reserve(pl__vocabulary *v, size_t n_tokens, size_t text_bytes)
{
    size_t slots = 64;
    while (slots < 2 * n_tokens) slots *= 2; /* n_tokens came out of a file that fits in memory: no overflow */
    struct pl__vocabulary_slot *old = v->slots, *grown;
    size_t old_slots = old ? v->mask + 1 : 0;
    PL_TRY(pl_new(&grown, slots));
    for (size_t i = 0; i < slots; i++) grown[i].id = -1;
    for (size_t i = 0; i < old_slots; i++) {
        if (old[i].id < 0) continue;
        size_t at = old[i].hash & (slots - 1);
        while (grown[at].id >= 0) at = (at + 1) & (slots - 1);
        grown[at] = old[i];
    }
    free(old);
    v->slots = grown;
    v->mask = slots - 1;
    return pl_grow(&v->text.data, &v->text.capacity, v->text.size + text_bytes + n_tokens + 1);
}

/* The slot of the text, or the free slot where it belongs. */
static size_t slot_of(const pl__vocabulary *v, const char *text, size_t size, uint32_t hash)
{
    size_t at = hash & v->mask;
    for (;; at = (at + 1) & v->mask) {
        const struct pl__vocabulary_slot *s = &v->slots[at];
        if (s->id < 0) return at;
        if (s->hash != hash) continue;
        const struct pl__vocabulary_token *t = &v->tokens[s->id];
        if (t->size == size && memcmp(v->text.data + t->start, text, size) == 0) return at;
    }
}

int32_t pl__vocabulary_find(const pl__vocabulary *v, const char *text, size_t size)
{
    if (size > v->longest || v->n_tokens == 0) return -1;
    return v->slots[slot_of(v, text, size, hash_of(text, size))].id;
}

/* Slot, token and text of a key are three places in memory, each known from the one before: one round for all keys
 * for each of them. */
void pl__vocabulary_find_all(const pl__vocabulary *v, pl__vocabulary_key *keys, size_t n)
{
    uint32_t hashes[PL__VOCABULARY_KEYS];
    for (size_t i = 0; i < n; i++) {
        keys[i].id = -1;
        if (v->n_tokens == 0) continue;
        hashes[i] = hash_of(keys[i].text, keys[i].size);
        __builtin_prefetch(&v->slots[hashes[i] & v->mask]);
    }
    if (v->n_tokens == 0) return;
    for (size_t i = 0; i < n; i++) {
        const struct pl__vocabulary_slot *slot = &v->slots[hashes[i] & v->mask];
        if (slot->id >= 0) __builtin_prefetch(&v->tokens[slot->id]);
    }
    for (size_t i = 0; i < n; i++) {
        const struct pl__vocabulary_slot *slot = &v->slots[hashes[i] & v->mask];
        if (slot->id >= 0) __builtin_prefetch(v->text.data + v->tokens[slot->id].start);
    }
    for (size_t i = 0; i < n; i++) keys[i].id = v->slots[slot_of(v, keys[i].text, keys[i].size, hashes[i])].id;
}

const char *pl__vocabulary_text(const pl__vocabulary *v, int32_t id, size_t *size)
{
    if (id < 0 || (size_t)id >= v->n_ids || v->tokens[id].start == UINT32_MAX) return NULL;
    if (size) *size = v->tokens[id].size;
    return v->text.data + v->tokens[id].start;
}

/* Makes ids up to `id` exist, without a token. */
static pl_status grow_ids(pl__vocabulary *v, size_t id)
{
    if (id < v->n_ids) return PL_OK;
    PL_TRY(pl_grow(&v->tokens, &v->ids_capacity, id + 1));
    for (; v->n_ids <= id; v->n_ids++) v->tokens[v->n_ids].start = UINT32_MAX;
    return PL_OK;
}

/* As much of a text as an error shows. */
static int shown(size_t size)
{
    return size < 80 ? (int)size : 80;
}

pl_status pl__vocabulary_add(pl__vocabulary *v, const char *text, size_t size, int64_t id, const char *where)
{
    if (id < 0 || id > PL__ID_MAX)
        return pl_fail(PL_E_INPUT, "%s: token '%.*s': id %lld, expected 0 to %d", where, shown(size), text,
                       (long long)id, PL__ID_MAX);
    if (v->text.size + size + 1 >= UINT32_MAX) return pl_fail(PL_E_INPUT, "%s: more than 4 GiB of tokens", where);
    const char *other = pl__vocabulary_text(v, (int32_t)id, NULL);
    if (other)
        return pl_fail(PL_E_INPUT, "%s: id %lld is given to two tokens, '%.80s' and '%.*s'", where, (long long)id,
                       other, shown(size), text);
    if (!v->slots || 2 * (v->n_tokens + 1) > v->mask) PL_TRY(pl__vocabulary_reserve(v, 2 * (v->n_tokens + 1), size));
    PL_TRY(grow_ids(v, (size_t)id));
    uint32_t hash = hash_of(text, size);
    struct pl__vocabulary_slot *slot = &v->slots[slot_of(v, text, size, hash)];
    if (slot->id >= 0 && !v->repeats)
        return pl_fail(PL_E_INPUT, "%s: token '%.*s' is there twice", where, shown(size), text);
    v->tokens[id] = (struct pl__vocabulary_token){(uint32_t)v->text.size, (uint32_t)size};
    *slot = (struct pl__vocabulary_slot){hash, (int32_t)id};
    v->n_tokens++;
    if (size > v->longest) v->longest = size;
    PL_TRY(pl_bytes_append(&v->text, text, size));
    return pl_bytes_append(&v->text, "", 1);
}

void pl__vocabulary_free(pl__vocabulary *v)
{
    if (!v->borrowed) {
        pl_bytes_free(&v->text);
        free(v->tokens);
        free(v->slots);
    }
    *v = (pl__vocabulary){0};
}
