#include "tokenizer/table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/user_cache.h"
#include "base/utf8.h"

/* Raised whenever the layout below, or what fills it, changes. */
enum { VERSION = 5 };

/* Of an added token. */
enum { SINGLE_WORD = 1, LSTRIP = 2, RSTRIP = 4, NORMALIZED = 8, SPECIAL = 16, ALL_FLAGS = 31 };

static const char magic[16] = "plumb tokenizer";

/* A kind of model has some of these; what it has not is empty. A tree is its edges and its nodes' values: Unigram's, or
 * the two of WordPiece. */
enum { TEXT, TOKENS, SLOTS, MERGES, JOINTS, SCORES, TREES, ADDED = TREES + 4, ADDED_TEXT, REST, N_SECTIONS };

/* The file's first bytes. Behind them the sections, each from a multiple of 8 on, zeros between them. */
struct header {
    char magic[16];
    uint32_t version, order; /* 0x01020304 as this machine writes it */
    uint64_t size;           /* of the file */
    uint64_t checksum[2];    /* XXH3-128 of all that stands behind it, the rest of the header included */
    char key[40];
    uint64_t kind, n_ids, n_tokens, longest, n_merges, n_edges[2];
    double least; /* of the scores */
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

/* A section of the map, which is read-only: nothing is written through this. */
static void *section(const struct header *h, size_t i)
{
    return (char *)(uintptr_t)h + h->sections[i].start;
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
 * no order: no branch here could be foreseen, and with branches these checks took as long as all the rest. 1 or 0, an
 * int: what is combined without branches is not meant as logic. */
static inline int has_token(const pl__vocabulary *v, int32_t id, bool all)
{
    bool good = (uint32_t)id < v->n_ids;
    return all ? good : good && v->tokens[id].start != UINT32_MAX;
}

/* Every slot leads to a token, and one at least is free: a search ends there. Equal tokens share one. */
static bool are_slots_right(const pl__vocabulary *v)
{
    size_t n = 0;
    bool good = true, all = v->n_tokens == v->n_ids;
    for (size_t i = 0; i <= v->mask; i++) {
        int32_t id = v->slots[i].id;
        good &= (id == -1) | has_token(v, id, all);
        n += id != -1;
    }
    return good && (v->repeats ? n <= v->n_tokens : n == v->n_tokens) && n <= v->mask;
}

static bool read_vocabulary(pl__vocabulary *v, const struct header *h)
{
    size_t slots = table_size(h, SLOTS, sizeof *v->slots);
    if (!slots || h->sections[TOKENS].size != h->n_ids * sizeof *v->tokens) return false;
    *v = (pl__vocabulary){
        .text = {section(h, TEXT), h->sections[TEXT].size, 0},
        .tokens = section(h, TOKENS),
        .n_ids = h->n_ids,
        .n_tokens = h->n_tokens,
        .longest = h->longest,
        .slots = section(h, SLOTS),
        .mask = slots - 1,
        .repeats = h->kind == PL__UNIGRAM,
        .borrowed = true,
    };
    return are_tokens_right(v) && are_slots_right(v);
}

static bool are_merges_right(const pl__bpe *bpe)
{
    const pl__vocabulary *v = &bpe->vocabulary;
    size_t n = 0;
    bool good = true, all = v->n_tokens == v->n_ids;
    for (size_t i = 0; i <= bpe->merges_mask; i++) {
        const struct pl__merge *m = &bpe->merges[i];
        good &= (m->left == -1) | (has_token(v, m->left, all) & has_token(v, m->right, all) & has_token(v, m->id, all));
        n += m->left != -1;
    }
    return good && n == bpe->n_merges && n <= bpe->merges_mask;
}

static bool read_bpe(pl__bpe *bpe, const struct header *h)
{
    size_t merges = table_size(h, MERGES, sizeof *bpe->merges), joint_bytes = h->sections[JOINTS].size;
    if (!merges || (joint_bytes && joint_bytes != JOINT_BYTES) || !read_vocabulary(&bpe->vocabulary, h)) return false;
    bpe->merges = section(h, MERGES);
    bpe->merges_mask = merges - 1;
    bpe->n_merges = h->n_merges;
    if (joint_bytes) bpe->joints = (pl__joints){section(h, JOINTS), .borrowed = true};
    return are_merges_right(bpe);
}

/* Every edge leads from a node to another that is not the root, every value is none or a token, and one slot at least
 * is free. What the edges make need not be a tree: a walk takes a byte of the text with every step. */
static bool is_tree_right(const pl__prefix_tree *tree, const pl__vocabulary *v)
{
    size_t n = 0;
    bool good = true, all = v->n_tokens == v->n_ids;
    for (size_t i = 0; i <= tree->mask; i++) {
        const struct pl__prefix_edge *e = &tree->edges[i];
        good &= (e->key == UINT32_MAX) | ((e->key >> 8 < tree->n_nodes) & (e->child - 1 < tree->n_nodes - 1));
        n += e->key != UINT32_MAX;
    }
    for (size_t i = 0; i < tree->n_nodes; i++) good &= (tree->values[i] == -1) | has_token(v, tree->values[i], all);
    return good && n == tree->n_edges && n <= tree->mask;
}

/* The k-th tree; without edges it is empty. */
static bool read_tree(pl__prefix_tree *tree, const struct header *h, size_t k, const pl__vocabulary *v)
{
    size_t edges = TREES + 2 * k, nodes = edges + 1;
    size_t slots = table_size(h, edges, sizeof *tree->edges), bytes = h->sections[nodes].size;
    *tree = (pl__prefix_tree){.borrowed = true};
    if (h->n_edges[k] == 0) return h->sections[edges].size == 0 && bytes == 0;
    if (!slots || bytes == 0 || bytes % sizeof *tree->values != 0) return false;
    tree->edges = section(h, edges);
    tree->mask = slots - 1;
    tree->n_edges = h->n_edges[k];
    tree->values = section(h, nodes);
    tree->n_nodes = bytes / sizeof *tree->values;
    return is_tree_right(tree, v);
}

static bool read_unigram(pl__unigram *u, const struct header *h)
{
    bool good = isfinite(h->least);
    if (h->sections[SCORES].size != h->n_ids * sizeof *u->scores || !read_vocabulary(&u->vocabulary, h)) return false;
    u->scores = section(h, SCORES);
    u->least = h->least;
    for (size_t i = 0; i < h->n_ids; i++) good &= u->scores[i] >= h->least && u->scores[i] < INFINITY;
    return good && read_tree(&u->tree, h, 0, &u->vocabulary);
}

static bool read_wordpiece(pl__wordpiece *w, const struct header *h)
{
    return read_vocabulary(&w->vocabulary, h) && read_tree(&w->first, h, 0, &w->vocabulary) &&
           read_tree(&w->rest, h, 1, &w->vocabulary);
}

static bool read_added(pl__table_added *added, const struct header *h)
{
    const char *text = section(h, ADDED_TEXT);
    size_t bytes = h->sections[ADDED].size, text_size = h->sections[ADDED_TEXT].size, at = 0;
    *added = (pl__table_added){section(h, ADDED), bytes / sizeof *added->tokens, text};
    if (bytes % sizeof *added->tokens != 0 || pl_utf8_check(text, text_size) != text_size) return false;
    for (size_t i = 0; i < added->n; i++) {
        const struct pl__table_token *t = &added->tokens[i];
        if (t->size == 0 || at >= text_size || t->size >= text_size - at || text[at + t->size] != 0) return false;
        if (t->id < 0 || t->id > PL__ID_MAX || t->flags > ALL_FLAGS) return false;
        at += (size_t)t->size + 1;
    }
    return at == text_size;
}

bool pl__table_read(pl__table *t, const char key[PL_HASH_TEXT])
{
    const struct header *h = (const struct header *)(const void *)t->map.data;
    if (t->map.size < sizeof *h || !is_header_right(h, &t->map, key) || !read_added(&t->added, h)) return false;
    t->rest = section(h, REST);
    t->rest_size = h->sections[REST].size;
    switch (h->kind) {
    case PL__BPE:
        t->model.kind = PL__BPE;
        return read_bpe(&t->model.bpe, h);
    case PL__UNIGRAM:
        t->model.kind = PL__UNIGRAM;
        return read_unigram(&t->model.unigram, h);
    case PL__WORDPIECE:
        t->model.kind = PL__WORDPIECE;
        return read_wordpiece(&t->model.wordpiece, h);
    default:
        return false;
    }
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

void pl__table_give(pl__model *model, pl__table *table)
{
    *model = table->model;
    model->table = table->map;
    *table = (pl__table){0};
}

pl_status pl__table_add(const pl__table_added *from, pl__added_tokens *to)
{
    const char *text = from->text;
    for (size_t i = 0; i < from->n; i++) {
        const struct pl__table_token *t = &from->tokens[i];
        const pl__added token = {.text = (char *)(uintptr_t)text,
                                 .size = t->size,
                                 .id = t->id,
                                 .single_word = t->flags & SINGLE_WORD,
                                 .lstrip = t->flags & LSTRIP,
                                 .rstrip = t->flags & RSTRIP,
                                 .normalized = t->flags & NORMALIZED,
                                 .special = t->flags & SPECIAL};
        PL_TRY(pl__added_put(to, &token));
        text += (size_t)t->size + 1;
    }
    return PL_OK;
}

/* ---- writing ---- */

struct sections {
    const void *data[N_SECTIONS];
    size_t sizes[N_SECTIONS];
};

static void put(struct sections *s, size_t i, const void *data, size_t size)
{
    s->data[i] = data;
    s->sizes[i] = size;
}

static void put_tree(struct sections *s, struct header *h, size_t k, const pl__prefix_tree *tree)
{
    h->n_edges[k] = tree->n_edges;
    if (tree->n_edges == 0) return;
    put(s, TREES + 2 * k, tree->edges, (tree->mask + 1) * sizeof *tree->edges);
    put(s, TREES + 2 * k + 1, tree->values, tree->n_nodes * sizeof *tree->values);
}

static void put_model(struct sections *s, struct header *h, const pl__model *model)
{
    const pl__vocabulary *v = pl__model_vocabulary(model);
    put(s, TEXT, v->text.data, v->text.size);
    put(s, TOKENS, v->tokens, v->n_ids * sizeof *v->tokens);
    put(s, SLOTS, v->slots, (v->mask + 1) * sizeof *v->slots);
    h->kind = model->kind;
    h->n_ids = v->n_ids;
    h->n_tokens = v->n_tokens;
    h->longest = v->longest;
    if (model->kind == PL__BPE) {
        const pl__bpe *bpe = &model->bpe;
        h->n_merges = bpe->n_merges;
        put(s, MERGES, bpe->merges, (bpe->merges_mask + 1) * sizeof *bpe->merges);
        if (bpe->joints.bits) put(s, JOINTS, bpe->joints.bits, JOINT_BYTES);
    } else if (model->kind == PL__UNIGRAM) {
        h->least = model->unigram.least;
        put(s, SCORES, model->unigram.scores, v->n_ids * sizeof *model->unigram.scores);
        put_tree(s, h, 0, &model->unigram.tree);
    } else {
        put_tree(s, h, 0, &model->wordpiece.first);
        put_tree(s, h, 1, &model->wordpiece.rest);
    }
}

/* Their texts are those of their index. *tokens: owned. */
static pl_status put_added(struct sections *s, struct pl__table_token **tokens, const pl__added_tokens *added)
{
    if (added->n == 0) return PL_OK;
    PL_TRY(pl_new(tokens, added->n));
    for (size_t i = 0; i < added->n; i++) {
        const pl__added *t = &added->items[i];
        uint32_t flags = (t->single_word ? SINGLE_WORD : 0) | (t->lstrip ? LSTRIP : 0) | (t->rstrip ? RSTRIP : 0) |
                         (t->normalized ? NORMALIZED : 0) | (t->special ? SPECIAL : 0);
        (*tokens)[i] = (struct pl__table_token){(uint32_t)t->size, t->id, flags};
    }
    put(s, ADDED, *tokens, added->n * sizeof **tokens);
    put(s, ADDED_TEXT, added->index.text.data, added->index.text.size);
    return PL_OK;
}

/* Header and sections; no fsync: what a crash leaves half written, the checksum refuses. */
static bool write_sections(int fd, struct header *h, const struct sections *s)
{
    static const char zeros[8] = {0};
    XXH3_state_t *state = XXH3_createState();
    if (!state) return false;
    XXH3_128bits_reset(state);
    XXH3_128bits_update(state, (const char *)h + CHECKED, sizeof *h - CHECKED);
    uint64_t at = sizeof *h;
    for (size_t i = 0; i < N_SECTIONS; i++) {
        XXH3_128bits_update(state, zeros, h->sections[i].start - at);
        if (s->sizes[i]) XXH3_128bits_update(state, s->data[i], s->sizes[i]);
        at = h->sections[i].start + h->sections[i].size;
    }
    XXH128_hash_t sum = XXH3_128bits_digest(state);
    XXH3_freeState(state);
    h->checksum[0] = sum.high64;
    h->checksum[1] = sum.low64;
    bool good = pl_write_all(fd, h, sizeof *h);
    at = sizeof *h;
    for (size_t i = 0; good && i < N_SECTIONS; i++) {
        good = pl_write_all(fd, zeros, h->sections[i].start - at) && pl_write_all(fd, s->data[i], s->sizes[i]);
        at = h->sections[i].start + h->sections[i].size;
    }
    return good;
}

static void write_table(const char *path, struct header *h, struct sections *s)
{
    char part[PL_PATH_MAX];
    int fd;
    h->size = sizeof *h;
    for (size_t i = 0; i < N_SECTIONS; i++) {
        h->sections[i].start = (h->size + 7) / 8 * 8;
        h->sections[i].size = s->sizes[i];
        h->size = h->sections[i].start + s->sizes[i];
    }
    if (pl_user_cache_create(&fd, part, path)) pl_user_cache_finish(fd, part, path, write_sections(fd, h, s));
}

void pl__table_write(const char *path, const char key[PL_HASH_TEXT], const pl__model *model,
                     const pl__added_tokens *added, const char *rest, size_t rest_size)
{
    struct sections sections = {0};
    struct pl__table_token *tokens = NULL;
    struct header h;
    if (!pl__model_vocabulary(model)->slots) return; /* an empty vocabulary */
    memset(&h, 0, sizeof h);
    memcpy(h.magic, magic, sizeof magic);
    memcpy(h.key, key, PL_HASH_TEXT);
    h.version = VERSION;
    h.order = ORDER;
    put_model(&sections, &h, model);
    put(&sections, REST, rest, rest_size);
    if (put_added(&sections, &tokens, added) == PL_OK) write_table(path, &h, &sections);
    free(tokens);
}
