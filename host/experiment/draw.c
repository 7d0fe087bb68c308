#include "experiment/draw.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/random.h"

/* ---- numbers ---- */

/* A key from two (SplitMix64's finalizer over their sum). */
static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t z = a + (b + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

uint64_t pl_draw_seed(uint64_t seed, const char *task)
{
    for (; *task; task++) seed = mix(seed, (unsigned char)*task);
    return seed;
}

/* The digits of a draw or an order, lowest first, each with a radix of its own. What has been read names the node of
 * the tree: `place` digits, and the number that they make. */
typedef struct digits {
    uint64_t number, rest, product; /* product of the radices so far; 0: beyond number */
    size_t place;
} digits;

static uint64_t node_key(const digits *d, uint64_t seed)
{
    uint64_t read = d->product ? d->number % d->product : d->number;
    return mix(mix(seed, d->place), read);
}

static size_t next_digit(digits *d, size_t radix)
{
    size_t digit = (size_t)(d->rest % radix);
    d->rest /= radix;
    d->product = d->product && d->product <= d->number ? d->product * radix : 0;
    d->place++;
    return digit;
}

/* Brings a random one of rows[rank..n) to place rank, for ranks 0..rank: the rank-th row of a shuffle. */
static size_t shuffled(size_t *rows, size_t n, size_t rank, uint64_t key, uint32_t stream)
{
    for (size_t i = 0; i <= rank; i++) {
        size_t j = i + pl_random_below(key, PL_RANDOM_DRAW, stream, i, (uint32_t)(n - i)), row = rows[j];
        rows[j] = rows[i];
        rows[i] = row;
    }
    return rows[rank];
}

/* ---- one draw ---- */

typedef struct dealer {
    uint64_t seed;
    size_t n_classes;
    size_t *rows, *first, *left; /* rows by class: those of class c are rows[first[c] .. + left[c]) */
    bool *dealt;                 /* [n_classes] in this round */
    size_t *turn;                /* [n_classes] the classes' order of this round, read from `offset` on */
    size_t block, offset;        /* the draw's block of n_classes draws, and its place in it */
    size_t round, in_round;
    digits digits;
} dealer;

static pl_status open_dealer(dealer *d, const size_t *classes, size_t n, uint64_t seed, uint32_t draw)
{
    *d = (dealer){.seed = seed, .n_classes = 1, .digits = {.number = draw, .rest = draw, .product = 1}};
    for (size_t i = 0; classes && i < n; i++)
        if (classes[i] >= d->n_classes) d->n_classes = classes[i] + 1;
    PL_TRY(pl_new(&d->rows, n));
    PL_TRY(pl_new(&d->first, d->n_classes + 1));
    PL_TRY(pl_new(&d->left, d->n_classes));
    PL_TRY(pl_new(&d->dealt, d->n_classes));
    PL_TRY(pl_new(&d->turn, d->n_classes));
    for (size_t i = 0; i < n; i++) d->first[(classes ? classes[i] : 0) + 1]++;
    for (size_t c = 0; c < d->n_classes; c++) d->first[c + 1] += d->first[c];
    for (size_t i = 0; i < n; i++) {
        size_t c = classes ? classes[i] : 0;
        d->rows[d->first[c] + d->left[c]++] = i;
    }
    return PL_OK;
}

static void close_dealer(dealer *d)
{
    free(d->rows);
    free(d->first);
    free(d->left);
    free(d->dealt);
    free(d->turn);
}

static void set_turn(dealer *d, size_t block, size_t round)
{
    uint64_t key = mix(mix(mix(d->seed, UINT64_MAX), block), round);
    pl_random_permutation(d->turn, d->n_classes, key, PL_RANDOM_DRAW, 0);
}

/* Takes the rank-th of a class's rows as this node shuffles them. */
static size_t take(dealer *d, size_t c, size_t rank, uint64_t key)
{
    size_t *rows = d->rows + d->first[c], row = shuffled(rows, d->left[c], rank, key, (uint32_t)c);
    rows[rank] = rows[--d->left[c]];
    d->dealt[c] = true;
    d->in_round++;
    return row;
}

/* The first item: blocks of one draw a class, each class at its own place of the block's turn. */
static size_t deal_first(dealer *d, size_t n)
{
    uint64_t key = node_key(&d->digits, d->seed);
    size_t digit = next_digit(&d->digits, n);
    for (d->block = 0;; d->block++) {
        set_turn(d, d->block, 0);
        for (d->offset = 0; d->offset < d->n_classes; d->offset++) {
            size_t c = d->turn[d->offset];
            if (d->left[c] > d->block && digit-- == 0) return take(d, c, d->block, key);
        }
    }
}

static size_t count_available(const dealer *d)
{
    size_t n = 0;
    for (size_t c = 0; c < d->n_classes; c++) n += d->dealt[c] ? 0 : d->left[c];
    return n;
}

/* A later item: the class whose turn it is, then the others; with a digit beyond, their second items, and so on. */
static size_t deal_next(dealer *d)
{
    size_t n = count_available(d);
    if (n == 0) {
        memset(d->dealt, 0, d->n_classes * sizeof *d->dealt);
        d->in_round = 0;
        set_turn(d, d->block, ++d->round);
        n = count_available(d);
    }
    uint64_t key = node_key(&d->digits, d->seed);
    size_t digit = next_digit(&d->digits, n), from = d->offset + d->in_round;
    for (size_t rank = 0;; rank++)
        for (size_t i = 0; i < d->n_classes; i++) {
            size_t c = d->turn[(from + i) % d->n_classes];
            if (!d->dealt[c] && d->left[c] > rank && digit-- == 0) return take(d, c, rank, key);
        }
}

/* The first n_out of a draw's permutation. */
static pl_status deal(size_t *out, size_t n_out, const size_t *classes, size_t n, uint64_t seed, uint32_t draw)
{
    dealer d;
    pl_status status = open_dealer(&d, classes, n, seed, draw);
    for (size_t i = 0; status == PL_OK && i < n_out; i++) out[i] = i == 0 ? deal_first(&d, n) : deal_next(&d);
    close_dealer(&d);
    return status;
}

pl_status pl_draw_permutation(size_t *out, const size_t *classes, size_t n, uint64_t seed, uint32_t draw)
{
    return deal(out, n, classes, n, seed, draw);
}

/* ---- orders ---- */

pl_status pl_draw_order(size_t *shots, size_t k, uint64_t seed, uint32_t draw, uint32_t order)
{
    if (order == 0 || k < 2) return PL_OK;
    uint64_t key = mix(mix(seed, UINT64_MAX - 1), draw);
    digits d = {.number = order, .rest = order, .product = 1};
    bool own = true; /* so far the draw's own order: its next shot is the first branch */
    for (size_t i = 0; i < k; i++) {
        uint64_t node = node_key(&d, key);
        size_t digit = next_digit(&d, k - i), *left = shots + i;
        if (own && digit == 0) continue;
        /* The chosen one comes to the front; the rest is shuffled as this branch has it. */
        size_t skip = own ? 1 : 0, at = digit;
        shuffled(left + skip, k - i - skip, digit - skip, node, 0);
        size_t chosen = left[at];
        left[at] = left[0];
        left[0] = chosen;
        own = false;
    }
    return PL_OK;
}

/* ---- distinct prompts ---- */

void pl_draws_differing(size_t *draws, size_t *orders, size_t n, size_t k)
{
    size_t most_draws = 1, most_orders = 1;
    for (size_t i = 0; i < k && most_draws < *draws; i++)
        most_draws = i < n ? most_draws * (n - i) : *draws; /* both at most a draw's number: no overflow */
    for (size_t i = 2; i <= k && most_orders < *orders; i++) most_orders *= i;
    if (most_draws < *draws) *draws = most_draws;
    if (most_orders < *orders) *orders = most_orders;
}

/* The shots of one draw in one order, by their hash. */
typedef struct sequence {
    uint64_t hash[2];
    size_t index;
} sequence;

static int by_shots(const void *a, const void *b)
{
    const sequence *x = a, *y = b;
    for (size_t i = 0; i < 2; i++)
        if (x->hash[i] != y->hash[i]) return x->hash[i] < y->hash[i] ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

/* All orders of one draw: all[order * draws + draw]. shots[2 * k] is room to work in. */
static pl_status hash_orders(sequence *all, size_t *shots, const size_t *classes, const size_t *same, size_t n,
                             size_t k, size_t draws, size_t orders, uint64_t seed, uint32_t draw)
{
    size_t *own = shots, *ordered = shots + k;
    PL_TRY(deal(own, k, classes, n, seed, draw));
    for (size_t order = 0; order < orders; order++) {
        sequence *one = &all[order * draws + draw];
        memcpy(ordered, own, k * sizeof *own);
        PL_TRY(pl_draw_order(ordered, k, seed, draw, (uint32_t)order));
        for (size_t i = 0; same && i < k; i++) ordered[i] = same[ordered[i]];
        pl_hash128_words(one->hash, ordered, k * sizeof *ordered);
        one->index = order * draws + draw;
    }
    return PL_OK;
}

pl_status pl_draws_distinct(bool *keep, size_t *n_kept, const size_t *classes, const size_t *same, size_t n, size_t k,
                            size_t draws, size_t orders, uint64_t seed)
{
    size_t *shots = NULL, n_all = draws * orders;
    sequence *all = NULL;
    pl_status status;
    *n_kept = 0;
    PL_GOTO(status, done, pl_new(&shots, 2 * k));
    PL_GOTO(status, done, pl_new(&all, n_all));
    for (size_t d = 0; d < draws; d++)
        PL_GOTO(status, done, hash_orders(all, shots, classes, same, n, k, draws, orders, seed, (uint32_t)d));
    qsort(all, n_all, sizeof *all, by_shots);
    for (size_t i = 0; i < n_all; i++) {
        keep[all[i].index] = i == 0 || memcmp(all[i].hash, all[i - 1].hash, sizeof all[i].hash) != 0;
        *n_kept += keep[all[i].index];
    }
done:
    free(all);
    free(shots);
    return status;
}

/* ---- evaluated items ---- */

static int ascending(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

pl_status pl_draw_items(size_t *out, size_t *n_out, size_t n, size_t wanted, uint64_t seed)
{
    pl_random_permutation(out, n, seed, PL_RANDOM_ITEMS, 0);
    *n_out = wanted < n ? wanted : n;
    qsort(out, *n_out, sizeof *out, ascending);
    return PL_OK;
}

typedef struct chance {
    uint32_t key;
    size_t item;
} chance;

static int by_chance(const void *a, const void *b)
{
    const chance *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return (x->item > y->item) - (x->item < y->item);
}

pl_status pl_draw_captured(size_t *out, const size_t *items, size_t n, size_t wanted, uint64_t seed)
{
    chance *chances;
    PL_TRY(pl_new(&chances, n));
    for (size_t i = 0; i < n; i++) chances[i] = (chance){pl_random_u32(seed, PL_RANDOM_STATES, 0, items[i]), items[i]};
    if (wanted < n) qsort(chances, n, sizeof *chances, by_chance);
    for (size_t i = 0; i < n; i++) out[i] = chances[i].item;
    free(chances);
    return PL_OK;
}
