#include "tokenizer/word_cache.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/memory.h"

pl_status pl__word_cache_create(pl__word_cache *cache)
{
    return pl_new(&cache->slots, PL__CACHED_WORD_SLOTS);
}

void pl__word_cache_free(pl__word_cache *cache)
{
    for (size_t i = 0; cache->slots && i < PL__CACHED_WORD_SLOTS; i++)
        free((void *)(uintptr_t)atomic_load_explicit(&cache->slots[i], memory_order_relaxed));
    free((void *)cache->slots);
    *cache = (pl__word_cache){0};
}

/* Eight bytes at a time; the last ones overlap those before. */
static size_t slot_of(const char *word, size_t size, bool bytes)
{
    uint64_t hash = size * 2 + bytes, part = 0;
    if (size >= 8) {
        for (size_t i = 0; i + 8 <= size; i += 8) {
            memcpy(&part, word + i, 8);
            hash = (hash ^ part) * 0x9E3779B97F4A7C15U;
            hash ^= hash >> 32;
        }
        memcpy(&part, word + size - 8, 8);
    } else if (size >= 4) {
        uint32_t low, high;
        memcpy(&low, word, 4);
        memcpy(&high, word + size - 4, 4);
        part = low | (uint64_t)high << 32;
    } else {
        for (size_t i = 0; i < size; i++) part |= (uint64_t)(uint8_t)word[i] << (8 * i);
    }
    return (size_t)(((hash ^ part) * 0x9E3779B97F4A7C15U) >> 48) & (PL__CACHED_WORD_SLOTS - 1);
}

const pl__cached_word *pl__word_cache_find(const pl__word_cache *cache, const char *word, size_t size, bool bytes)
{
    if (!cache->slots || size > PL__CACHED_WORD_BYTES) return NULL;
    const pl__cached_word *w = atomic_load_explicit(&cache->slots[slot_of(word, size, bytes)], memory_order_acquire);
    return w && w->size == size && w->bytes == bytes && memcmp(w->text, word, size) == 0 ? w : NULL;
}

void pl__word_cache_put(const pl__word_cache *cache, const char *word, size_t size, bool bytes, const int32_t *ids,
                        size_t n)
{
    if (!cache->slots || size > PL__CACHED_WORD_BYTES || n > UINT8_MAX) return;
    pl__word_slot *slot = &cache->slots[slot_of(word, size, bytes)];
    const pl__cached_word *none = NULL;
    if (atomic_load_explicit(slot, memory_order_relaxed)) return;
    pl__cached_word *w = malloc(sizeof *w + n * sizeof *ids);
    if (!w) return;
    w->size = (uint8_t)size;
    w->bytes = bytes;
    w->n = (uint8_t)n;
    memcpy(w->text, word, size);
    memcpy(w->ids, ids, n * sizeof *ids);
    if (!atomic_compare_exchange_strong_explicit(slot, &none, w, memory_order_release, memory_order_relaxed)) free(w);
}
