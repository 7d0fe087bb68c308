#include "base/interned.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"

/* The slot of a text, or the free one where it belongs. */
static size_t find(const char *const *slots, size_t n_slots, const char *text, size_t size)
{
    uint64_t words[2];
    pl_hash128_words(words, text, size);
    size_t at = (size_t)words[0] & (n_slots - 1);
    while (slots[at] && strcmp(slots[at], text) != 0) at = (at + 1) & (n_slots - 1);
    return at;
}

static pl_status grow(pl_interned *t)
{
    const char **slots;
    size_t n_slots = t->n_slots ? 2 * t->n_slots : 64;
    PL_TRY(pl_new(&slots, n_slots));
    for (size_t i = 0; i < t->n_slots; i++)
        if (t->slots[i]) slots[find(slots, n_slots, t->slots[i], strlen(t->slots[i]))] = t->slots[i];
    free(t->slots);
    t->slots = slots;
    t->n_slots = n_slots;
    return PL_OK;
}

pl_status pl_intern(pl_interned *t, const char **out, const char *text)
{
    *out = NULL;
    if (!text) return PL_OK;
    if (2 * (t->n + 1) > t->n_slots) PL_TRY(grow(t));
    size_t size = strlen(text), at = find(t->slots, t->n_slots, text, size);
    if (!t->slots[at]) {
        char *copy;
        PL_TRY(pl_arena_text(t->arena, &copy, text, size));
        t->slots[at] = copy;
        t->n++;
    }
    *out = t->slots[at];
    return PL_OK;
}

void pl_interned_free(pl_interned *t)
{
    free(t->slots);
    *t = (pl_interned){0};
}
