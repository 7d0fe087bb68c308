#include "experiment/overlap.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "base/utf8.h"

enum { MOST_STEPS = 400000000 }; /* entries of the index seen and grams compared: a few seconds */
enum { GRAM = 5, COUNT_BITS = 20, VALUE_BITS = 64 - COUNT_BITS };
enum { BLOCK_BYTES = 4 * 1024 * 1024 }; /* texts of the pool whose sets are held at once, at eight bytes a byte */
enum { HINT_BITS = 20 };                /* of a gram's hash: a table says which may be wanted */

/* The sets of a list of texts. A gram is a number: how often it occurs (the count of the bucket of its hash) above
 * VALUE_BITS bits of the hash, so that each set, sorted, begins with its rarest grams. Two grams are taken for one with
 * a chance of 2^-44. */
typedef struct sets {
    size_t n;
    uint64_t *grams;
    size_t n_grams, capacity;
    size_t *first, *size; /* [n] the grams of set i are grams[first[i] .. + size[i]) */
} sets;

static uint64_t add_character(uint64_t hash, uint32_t character)
{
    uint64_t z = (hash + character + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    return z ^ (z >> 31);
}

/* The hashes of a text's grams, repeats included; their number. out has room for a gram at each byte. */
static size_t make_grams(uint64_t *out, const char *text)
{
    uint32_t last[GRAM];
    size_t n = 0, n_characters = 0;
    while (*text) {
        text += pl_utf8_get(&last[n_characters++ % GRAM], text);
        if (n_characters < GRAM && *text) continue;
        uint64_t hash = 0;
        size_t size = n_characters < GRAM ? n_characters : GRAM;
        for (size_t i = n_characters - size; i < n_characters; i++) hash = add_character(hash, last[i % GRAM]);
        out[n++] = hash;
    }
    return n;
}

static pl_status make_sets(sets *out, const char *const *texts, size_t n)
{
    size_t bytes = 0;
    *out = (sets){.n = n};
    PL_TRY(pl_new(&out->first, n));
    PL_TRY(pl_new(&out->size, n));
    for (size_t i = 0; i < n; i++) {
        out->first[i] = bytes;
        bytes += strlen(texts[i]);
    }
    PL_TRY(pl_new(&out->grams, bytes));
#pragma omp parallel for schedule(dynamic, 64)
    for (size_t i = 0; i < n; i++) out->size[i] = make_grams(out->grams + out->first[i], texts[i]);
    return PL_OK;
}

static void free_sets(sets *s)
{
    free(s->grams);
    free(s->first);
    free(s->size);
}

/* A part of the hash that ranking leaves alone. */
static size_t hint_of(uint64_t gram)
{
    return gram & (((size_t)1 << HINT_BITS) - 1);
}

static void count_grams(uint32_t *counts, const sets *s)
{
    for (size_t i = 0; i < s->n; i++)
        for (size_t g = 0; g < s->size[i]; g++) {
            uint32_t *count = &counts[s->grams[s->first[i] + g] >> VALUE_BITS];
            if (*count < (1u << COUNT_BITS) - 1) ++*count;
        }
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Puts the counts before the hashes, sorts each set and drops repeats. Sets without a wanted gram become empty;
 * `wanted` NULL: all are ranked. */
static void rank_grams(sets *s, const uint32_t *counts, const bool *wanted)
{
#pragma omp parallel for schedule(dynamic, 64)
    for (size_t i = 0; i < s->n; i++) {
        uint64_t *own = s->grams + s->first[i];
        size_t n = s->size[i], kept = 0, g = 0;
        while (wanted && g < n && !wanted[hint_of(own[g])]) g++;
        s->size[i] = 0;
        if (wanted && g == n) continue;
        for (g = 0; g < n; g++)
            own[g] =
                (uint64_t)counts[own[g] >> VALUE_BITS] << VALUE_BITS | (own[g] & (((uint64_t)1 << VALUE_BITS) - 1));
        qsort(own, n, sizeof *own, by_value);
        for (g = 0; g < n; g++)
            if (g == 0 || own[g] != own[g - 1]) own[kept++] = own[g];
        s->size[i] = kept;
    }
}

/* ---- pairs ---- */

/* Two sets with J >= 4/5 have a gram in common among the first n - ceil(4n/5) + 1 of each. */
static size_t prefix_of(size_t n)
{
    return n ? n - (4 * n + 4) / 5 + 1 : 0;
}

/* J(a, b) >= 4/5, counted out: 5 |a and b| >= 4 |a or b|. */
static bool is_near(const sets *a, size_t i, const sets *b, size_t j)
{
    const uint64_t *x = a->grams + a->first[i], *y = b->grams + b->first[j];
    const uint64_t *x_end = x + a->size[i], *y_end = y + b->size[j];
    size_t common = 0;
    while (x < x_end && y < y_end) {
        uint64_t p = *x, q = *y;
        common += p == q;
        x += p <= q;
        y += q <= p;
    }
    return 9 * common >= 4 * (a->size[i] + b->size[j]);
}

typedef struct entry {
    uint64_t gram;
    uint32_t row;
} entry;

static int by_gram(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->gram != y->gram) return x->gram < y->gram ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

typedef struct search {
    sets items;
    uint64_t *wanted; /* the grams of the items' prefixes, ascending: no other entry of the index is ever looked at */
    size_t n_wanted;
    bool *hints; /* [2^HINT_BITS] */
    sets pool;   /* of the rows that have an entry; the others are empty */
    entry *index;
    size_t n_index, capacity;
    size_t *tried;     /* [pool] the item that a row was last tried with, + 1 */
    const size_t *own; /* [items] */
    size_t n_steps;
} search;

static void free_search(search *s)
{
    free_sets(&s->items);
    free_sets(&s->pool);
    free(s->wanted);
    free(s->hints);
    free(s->index);
    free(s->tried);
}

static pl_status note_wanted(search *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->items.n; i++) n += prefix_of(s->items.size[i]);
    PL_TRY(pl_new(&s->wanted, n));
    PL_TRY(pl_new(&s->hints, (size_t)1 << HINT_BITS));
    for (size_t i = 0; i < s->items.n; i++)
        for (size_t g = 0; g < prefix_of(s->items.size[i]); g++) {
            uint64_t gram = s->items.grams[s->items.first[i] + g];
            s->wanted[s->n_wanted++] = gram;
            s->hints[hint_of(gram)] = true;
        }
    qsort(s->wanted, n, sizeof *s->wanted, by_value);
    return PL_OK;
}

static bool is_wanted(const search *s, uint64_t gram)
{
    return s->hints[hint_of(gram)] && bsearch(&gram, s->wanted, s->n_wanted, sizeof gram, by_value);
}

/* Puts a row into the index by the wanted grams of its prefix, and keeps its set where there are any. */
static pl_status add_row(search *s, size_t row, const uint64_t *grams, size_t n)
{
    size_t before = s->n_index;
    sets *pool = &s->pool;
    for (size_t g = 0; g < prefix_of(n); g++) {
        if (!is_wanted(s, grams[g])) continue;
        PL_TRY(pl_grow(&s->index, &s->capacity, s->n_index + 1));
        s->index[s->n_index++] = (entry){grams[g], (uint32_t)row};
    }
    if (s->n_index == before) return PL_OK;
    PL_TRY(pl_grow(&pool->grams, &pool->capacity, pool->n_grams + n));
    memcpy(pool->grams + pool->n_grams, grams, n * sizeof *grams);
    pool->first[row] = pool->n_grams;
    pool->size[row] = n;
    pool->n_grams += n;
    return PL_OK;
}

static size_t texts_of_a_block(const char *const *texts, size_t n)
{
    size_t taken = 0;
    for (size_t bytes = 0; taken < n && bytes < BLOCK_BYTES; taken++) bytes += strlen(texts[taken]);
    return taken;
}

/* Counts the grams of the pool, block by block. */
static pl_status count_pool(uint32_t *counts, const char *const *pool, size_t n)
{
    pl_status status = PL_OK;
    size_t taken;
    for (size_t from = 0; from < n && status == PL_OK; from += taken) {
        sets block;
        taken = texts_of_a_block(pool + from, n - from);
        status = make_sets(&block, pool + from, taken);
        if (status == PL_OK) count_grams(counts, &block);
        free_sets(&block);
    }
    return status;
}

static pl_status index_pool(search *s, const uint32_t *counts, const char *const *pool, size_t n)
{
    pl_status status = PL_OK;
    size_t taken;
    s->pool.n = n;
    PL_TRY(pl_new(&s->pool.first, n));
    PL_TRY(pl_new(&s->pool.size, n));
    PL_TRY(pl_new(&s->tried, n));
    for (size_t from = 0; from < n && status == PL_OK; from += taken) {
        sets block;
        taken = texts_of_a_block(pool + from, n - from);
        status = make_sets(&block, pool + from, taken);
        if (status == PL_OK) rank_grams(&block, counts, s->hints);
        for (size_t i = 0; i < block.n && status == PL_OK; i++)
            status = add_row(s, from + i, block.grams + block.first[i], block.size[i]);
        free_sets(&block);
    }
    if (s->n_index) qsort(s->index, s->n_index, sizeof *s->index, by_gram);
    return status;
}

static size_t first_entry(const search *s, uint64_t gram)
{
    size_t low = 0, high = s->n_index;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->index[middle].gram < gram)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* A row of the pool that item i is near to; SIZE_MAX: none. */
static size_t near_row(search *s, size_t i)
{
    size_t n = s->items.size[i];
    for (size_t g = 0; g < prefix_of(n); g++) {
        uint64_t gram = s->items.grams[s->items.first[i] + g];
        for (size_t e = first_entry(s, gram); e < s->n_index && s->index[e].gram == gram; e++) {
            s->n_steps++;
            size_t row = s->index[e].row, m = s->pool.size[row];
            if (s->tried[row] == i + 1 || (s->own && s->own[i] == row) || 5 * m < 4 * n || 5 * n < 4 * m) continue;
            s->tried[row] = i + 1;
            s->n_steps += n + m;
            if (is_near(&s->items, i, &s->pool, row)) return row;
        }
    }
    return SIZE_MAX;
}

pl_status pl_overlap_count(pl_overlap *out, const char *const *items, size_t n_items, const char *const *pool,
                           size_t n_pool, const size_t *own)
{
    search s = {.own = own};
    uint32_t *counts = NULL;
    size_t *order = NULL;
    pl_status status;
    *out = (pl_overlap){.first_item = SIZE_MAX, .first_row = SIZE_MAX};
    PL_GOTO(status, done, pl_new(&counts, (size_t)1 << COUNT_BITS));
    PL_GOTO(status, done, make_sets(&s.items, items, n_items));
    count_grams(counts, &s.items);
    PL_GOTO(status, done, count_pool(counts, pool, n_pool));
    rank_grams(&s.items, counts, NULL);
    PL_GOTO(status, done, note_wanted(&s));
    PL_GOTO(status, done, index_pool(&s, counts, pool, n_pool));
    /* By chance: where there is time for some only, a sorted file's first would not speak for the rest. */
    PL_GOTO(status, done, pl_new(&order, n_items));
    pl_random_permutation(order, n_items, 0, PL_RANDOM_ITEMS, 0);
    for (size_t k = 0; k < n_items && s.n_steps < MOST_STEPS; k++) {
        size_t i = order[k], row = near_row(&s, i);
        out->n_items++;
        if (row == SIZE_MAX) continue;
        out->n++;
        if (i > out->first_item) continue;
        out->first_item = i;
        out->first_row = row;
    }
done:
    free(order);
    free(counts);
    free_search(&s);
    return status;
}
