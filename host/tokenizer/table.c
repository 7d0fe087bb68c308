#include "tokenizer/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/user_cache.h"
#include "base/utf8.h"

/* Raised whenever the layout below, or what fills it, changes. */
enum { VERSION = 2 };

static const char magic[16] = "plumb bpe table";

enum { TEXT, TOKENS, SLOTS, MERGES, JOINTS, REST, N_SECTIONS };

/* The file's first bytes. Behind them the sections, each from a multiple of 8 on, zeros between them. */
struct header {
    char magic[16];
    uint32_t version, order; /* 0x01020304 as this machine writes it */
    uint64_t size;           /* of the file */
    uint64_t checksum[2];    /* XXH3-128 of all that stands behind it, the rest of the header included */
    char key[40];
    uint64_t n_ids, n_tokens, longest, n_merges;
    struct {
        uint64_t start, size;
    } sections[N_SECTIONS];
};

static const uint32_t ORDER = 0x01020304;
static const size_t JOINT_BYTES = PL__JOINT_WORDS * sizeof(uint64_t);
/* What the checksum is of begins here. */
static const size_t CHECKED = offsetof(struct header, key);

pl_status pl__table_path(char out[PL_PATH_MAX], char key[PL_HASH_TEXT], const char *folder, const char *first,
                         const char *second)
{
    char text[3 * PL_HASH_TEXT];
    int n = snprintf(text, sizeof text, "table %d\n%s\n%s\n", (int)VERSION, first, second);
    pl_hash128(key, text, (size_t)n);
    return pl_path(out, "%s/%s", folder, key);
}

/* ---- reading ---- */

static bool is_header_right(const struct header *h, const pl_map *map, const char key[PL_HASH_TEXT])
{
    if (memcmp(h->magic, magic, sizeof magic) != 0 || h->version != VERSION || h->order != ORDER) return false;
    if (h->size != map->size || memcmp(h->key, key, PL_HASH_TEXT) != 0) return false;
    if (h->n_ids > (size_t)PL__ID_MAX + 1 || h->n_tokens > h->n_ids) return false;
    for (size_t i = 0; i < N_SECTIONS; i++) {
        uint64_t start = h->sections[i].start, size = h->sections[i].size;
        if (start < sizeof *h || start % 8 != 0 || start > map->size || size > map->size - start) return false;
    }
    uint64_t sum[2];
    pl_hash128_words(sum, map->data + CHECKED, map->size - CHECKED);
    return sum[0] == h->checksum[0] && sum[1] == h->checksum[1];
}

/* The elements of a section, which must be a power of two as open addressing wants it; 0: they are not. */
static size_t table_size(const struct header *h, size_t section, size_t element_bytes)
{
    size_t n = h->sections[section].size / element_bytes;
    bool whole = n * element_bytes == h->sections[section].size;
    return whole && n > 1 && (n & (n - 1)) == 0 ? n : 0;
}

/* Texts are UTF-8, as those of a tokenizer.json are: they end before a NUL, and so with a character. */
static bool are_tokens_right(const pl__vocabulary *v)
{
    size_t n = 0, longest = 0;
    if (pl_utf8_check(v->text.data, v->text.size) != v->text.size) return false;
    for (size_t i = 0; i < v->n_ids; i++) {
        size_t start = v->tokens[i].start, size = v->tokens[i].size;
        if (start == UINT32_MAX) continue;
        if (start >= v->text.size || size >= v->text.size - start || v->text.data[start + size] != 0) return false;
        if (pl_utf8_is_inside(v->text.data[start])) return false;
        if (size > longest) longest = size;
        n++;
    }
    return n == v->n_tokens && longest == v->longest;
}

/* Whether an id is one, and has a token, which need not be looked up where all have one. Half of the slots are free, in
 * no order: no branch here could be foreseen, and with branches these checks took as long as all the rest. */
static inline bool has_token(const pl__vocabulary *v, int32_t id, bool all)
{
    bool good = (uint32_t)id < v->n_ids;
    return all ? good : good && v->tokens[id].start != UINT32_MAX;
}

/* Every slot leads to a token, and one at least is free: a search ends there. */
static bool are_slots_right(const pl__vocabulary *v)
{
    size_t n = 0;
    bool good = true, all = v->n_tokens == v->n_ids;
    for (size_t i = 0; i <= v->mask; i++) {
        int32_t id = v->slots[i].id;
        good &= (id == -1) | has_token(v, id, all);
        n += id != -1;
    }
    return good && n == v->n_tokens && n <= v->mask;
}

static bool are_merges_right(const pl__table *t)
{
    const pl__vocabulary *v = &t->vocabulary;
    size_t n = 0;
    bool good = true, all = v->n_tokens == v->n_ids;
    for (size_t i = 0; i <= t->merges_mask; i++) {
        const struct pl__merge *m = &t->merges[i];
        good &= (m->left == -1) | (has_token(v, m->left, all) & has_token(v, m->right, all) & has_token(v, m->id, all));
        n += m->left != -1;
    }
    return good && n == t->n_merges && n <= t->merges_mask;
}

bool pl__table_read(pl__table *t, const char key[PL_HASH_TEXT])
{
    const struct header *h = (const struct header *)(const void *)t->map.data;
    if (t->map.size < sizeof *h || !is_header_right(h, &t->map, key)) return false;
    size_t slots = table_size(h, SLOTS, sizeof *t->vocabulary.slots), merges = table_size(h, MERGES, sizeof *t->merges);
    if (!slots || !merges || h->sections[TOKENS].size != h->n_ids * sizeof *t->vocabulary.tokens) return false;
    if (h->sections[JOINTS].size && h->sections[JOINTS].size != JOINT_BYTES) return false;
    /* A map is read-only: nothing is written through these. */
    char *base = (char *)(uintptr_t)t->map.data;
    t->vocabulary = (pl__vocabulary){
        .text = {base + h->sections[TEXT].start, h->sections[TEXT].size, 0},
        .tokens = (struct pl__vocabulary_token *)(void *)(base + h->sections[TOKENS].start),
        .n_ids = h->n_ids,
        .n_tokens = h->n_tokens,
        .longest = h->longest,
        .slots = (struct pl__vocabulary_slot *)(void *)(base + h->sections[SLOTS].start),
        .mask = slots - 1,
        .borrowed = true,
    };
    t->merges = (struct pl__merge *)(void *)(base + h->sections[MERGES].start);
    t->merges_mask = merges - 1;
    t->n_merges = h->n_merges;
    if (h->sections[JOINTS].size)
        t->joints = (pl__joints){(uint64_t *)(void *)(base + h->sections[JOINTS].start), .borrowed = true};
    t->rest = base + h->sections[REST].start;
    t->rest_size = h->sections[REST].size;
    return are_tokens_right(&t->vocabulary) && are_slots_right(&t->vocabulary) && are_merges_right(t);
}

bool pl__table_open(pl__table *out, const char *path, const char key[PL_HASH_TEXT])
{
    *out = (pl__table){0};
    if (!pl_user_cache_map(&out->map, path)) return false;
    if (pl__table_read(out, key)) return true;
    pl__table_close(out);
    return false;
}

void pl__table_close(pl__table *table)
{
    pl_file_unmap(&table->map);
    *table = (pl__table){0};
}

void pl__table_give(pl__bpe *bpe, pl__table *table)
{
    bpe->vocabulary = table->vocabulary;
    bpe->merges = table->merges;
    bpe->merges_mask = table->merges_mask;
    bpe->n_merges = table->n_merges;
    bpe->joints = table->joints;
    bpe->table = table->map;
    *table = (pl__table){0};
}

/* ---- writing ---- */

/* Header and sections; no fsync: what a crash leaves half written, the checksum refuses. */
static bool write_sections(int fd, struct header *h, const void *const sections[N_SECTIONS])
{
    static const char zeros[8] = {0};
    XXH3_state_t *state = XXH3_createState();
    if (!state) return false;
    XXH3_128bits_reset(state);
    XXH3_128bits_update(state, (const char *)h + CHECKED, sizeof *h - CHECKED);
    uint64_t at = sizeof *h;
    for (size_t i = 0; i < N_SECTIONS; i++) {
        XXH3_128bits_update(state, zeros, h->sections[i].start - at);
        XXH3_128bits_update(state, sections[i], h->sections[i].size);
        at = h->sections[i].start + h->sections[i].size;
    }
    XXH128_hash_t sum = XXH3_128bits_digest(state);
    XXH3_freeState(state);
    h->checksum[0] = sum.high64;
    h->checksum[1] = sum.low64;
    bool good = pl_write_all(fd, h, sizeof *h);
    at = sizeof *h;
    for (size_t i = 0; good && i < N_SECTIONS; i++) {
        good = pl_write_all(fd, zeros, h->sections[i].start - at) && pl_write_all(fd, sections[i], h->sections[i].size);
        at = h->sections[i].start + h->sections[i].size;
    }
    return good;
}

void pl__table_write(const char *path, const char key[PL_HASH_TEXT], const pl__bpe *bpe, const char *rest,
                     size_t rest_size)
{
    const pl__vocabulary *v = &bpe->vocabulary;
    char part[PL_PATH_MAX];
    const void *const sections[N_SECTIONS] = {v->text.data, v->tokens, v->slots, bpe->merges, bpe->joints.bits, rest};
    const size_t sizes[N_SECTIONS] = {v->text.size,
                                      v->n_ids * sizeof *v->tokens,
                                      (v->mask + 1) * sizeof *v->slots,
                                      (bpe->merges_mask + 1) * sizeof *bpe->merges,
                                      bpe->joints.bits ? JOINT_BYTES : 0,
                                      rest_size};
    struct header h;
    int fd;
    if (!v->slots) return; /* an empty vocabulary */
    if (!pl_user_cache_create(&fd, part, path)) return;
    memset(&h, 0, sizeof h);
    memcpy(h.magic, magic, sizeof magic);
    memcpy(h.key, key, PL_HASH_TEXT);
    h.version = VERSION;
    h.order = ORDER;
    h.n_ids = v->n_ids;
    h.n_tokens = v->n_tokens;
    h.longest = v->longest;
    h.n_merges = bpe->n_merges;
    h.size = sizeof h;
    for (size_t i = 0; i < N_SECTIONS; i++) {
        h.sections[i].start = (h.size + 7) / 8 * 8;
        h.sections[i].size = sizes[i];
        h.size = h.sections[i].start + sizes[i];
    }
    pl_user_cache_finish(fd, part, path, write_sections(fd, &h, sections));
}
