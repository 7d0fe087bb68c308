#include "tokenizer/added_tokens.h"

#include <stdlib.h>
#include <string.h>

#include "tokenizer/unicode.h"

const pl__added *pl__added_find(const pl__added_tokens *added, const char *text, size_t size)
{
    int32_t at = pl__vocabulary_find(&added->index, text, size);
    return at < 0 ? NULL : &added->items[at];
}

static int by_id(const void *a, const void *b)
{
    int32_t x = ((const pl__added *)a)->id, y = ((const pl__added *)b)->id;
    return (x > y) - (x < y);
}

const pl__added *pl__added_by_id(const pl__added_tokens *added, int32_t id)
{
    if (added->n == 0) return NULL;
    const pl__added key = {.id = id};
    return bsearch(&key, added->items, added->n, sizeof *added->items, by_id);
}

pl_status pl__added_put(pl__added_tokens *added, const pl__added *token)
{
    int32_t at = pl__vocabulary_find(&added->index, token->text, token->size);
    pl__added copy = *token;
    copy.normalized_text = NULL;
    if (at >= 0) {
        copy.text = added->items[at].text;
        added->items[at] = copy;
        return PL_OK;
    }
    PL_TRY(pl_grow(&added->items, &added->capacity, added->n + 1));
    PL_TRY(pl__vocabulary_add(&added->index, token->text, token->size, (int64_t)added->n, "added tokens"));
    PL_TRY(pl_new(&copy.text, token->size + 1));
    memcpy(copy.text, token->text, token->size);
    added->items[added->n++] = copy;
    return PL_OK;
}

void pl__added_free(pl__added_tokens *added)
{
    for (size_t i = 0; i < added->n; i++) {
        free(added->items[i].text);
        free(added->items[i].normalized_text);
    }
    free(added->items);
    pl__vocabulary_free(&added->index);
    free(added->tries[0].nodes);
    free(added->tries[1].nodes);
    *added = (pl__added_tokens){0};
}

/* ---- tries ---- */

static pl_status new_node(pl__trie *trie, uint8_t byte, int32_t *out)
{
    if (trie->n >= INT32_MAX) return pl_fail(PL_E_INPUT, "the added tokens are longer than 2 GiB together");
    PL_TRY(pl_grow(&trie->nodes, &trie->capacity, trie->n + 1));
    trie->nodes[trie->n] = (pl__trie_node){.token = -1, .byte = byte};
    *out = (int32_t)trie->n++;
    return PL_OK;
}

static int32_t child_of(const pl__trie *trie, int32_t node, uint8_t byte)
{
    if (node == 0) return trie->first[byte];
    int32_t child = trie->nodes[node].child;
    while (child && trie->nodes[child].byte != byte) child = trie->nodes[child].sibling;
    return child;
}

static pl_status plant(pl__trie *trie, const char *text, size_t size, int32_t token, const char *where)
{
    int32_t node = 0, child;
    if (trie->n == 0) PL_TRY(new_node(trie, 0, &child));
    for (size_t i = 0; i < size; i++, node = child) {
        uint8_t byte = (uint8_t)text[i];
        child = child_of(trie, node, byte);
        if (child) continue;
        PL_TRY(new_node(trie, byte, &child));
        if (node == 0) {
            trie->first[byte] = child;
        } else {
            trie->nodes[child].sibling = trie->nodes[node].child;
            trie->nodes[node].child = child;
        }
    }
    if (trie->nodes[node].token >= 0)
        return pl_fail(PL_E_UNSUPPORTED, "%s: two added tokens are '%.80s' after normalization", where, text);
    trie->nodes[node].token = token;
    return PL_OK;
}

pl_status pl__added_finish(pl__added_tokens *added, const char *where)
{
    if (added->n == 0) return PL_OK;
    qsort(added->items, added->n, sizeof *added->items, by_id);
    pl__vocabulary_free(&added->index);
    for (size_t i = 0; i < added->n; i++) {
        const pl__added *t = &added->items[i];
        PL_TRY(pl__vocabulary_add(&added->index, t->text, t->size, (int64_t)i, where));
        const char *text = t->normalized_text ? t->normalized_text : t->text;
        size_t size = t->normalized_text ? t->normalized_size : t->size;
        /* A token that the normalizer strips to nothing is never found. */
        if (size > 0) PL_TRY(plant(&added->tries[t->normalized], text, size, (int32_t)i, where));
    }
    return PL_OK;
}

/* The longest token that begins at `at`; -1: none. */
static int32_t longest(const pl__trie *trie, const char *text, size_t size, size_t at)
{
    int32_t node = trie->first[(uint8_t)text[at]], best = -1;
    for (size_t i = at + 1; node; i++) {
        if (trie->nodes[node].token >= 0) best = trie->nodes[node].token;
        if (i == size) break;
        node = child_of(trie, node, (uint8_t)text[i]);
    }
    return best;
}

/* ---- cutting ---- */

static bool stands_alone(const char *text, size_t size, size_t start, size_t stop)
{
    uint32_t c;
    if (start > 0) {
        pl_utf8_get(&c, text + pl_utf8_before(text, start));
        if (pl__char_is_word(c)) return false;
    }
    if (stop == size) return true;
    pl_utf8_get(&c, text + stop);
    return !pl__char_is_word(c);
}

static size_t spaces_before(const char *text, size_t end)
{
    uint32_t c;
    while (end > 0) {
        size_t before = pl_utf8_before(text, end);
        pl_utf8_get(&c, text + before);
        if (!pl__char_is_white_space(c)) break;
        end = before;
    }
    return end;
}

static size_t spaces_behind(const char *text, size_t size, size_t at)
{
    uint32_t c;
    for (size_t n; at < size; at += n) {
        n = pl_utf8_get(&c, text + at);
        if (!pl__char_is_white_space(c)) break;
    }
    return at;
}

static pl_status add(pl__sections *out, size_t start, size_t stop, int32_t id)
{
    if (start >= stop) return PL_OK;
    PL_TRY(pl_grow(&out->items, &out->capacity, out->n + 1));
    out->items[out->n++] = (pl__section){start, stop - start, id};
    return PL_OK;
}

pl_status pl__added_cut(const pl__added_tokens *added, bool normalized, const char *text, size_t size,
                        pl__sections *out)
{
    const pl__trie *trie = &added->tries[normalized];
    size_t done = 0;
    out->n = 0;
    for (size_t at = 0; trie->n > 0 && at < size;) {
        if (!trie->first[(uint8_t)text[at]]) {
            at++;
            continue;
        }
        int32_t hit = longest(trie, text, size, at);
        if (hit < 0) {
            at++;
            continue;
        }
        const pl__added *t = &added->items[hit];
        size_t start = at, stop = at + (t->normalized_text ? t->normalized_size : t->size);
        /* What is skipped or stripped below does not move where the next match is looked for: as in Hugging Face. */
        at = stop;
        if (added->split_special && t->special) continue;
        if (t->single_word && !stands_alone(text, size, start, stop)) continue;
        if (t->lstrip) {
            size_t stripped = spaces_before(text, start);
            start = stripped > done ? stripped : done;
        }
        if (t->rstrip) stop = spaces_behind(text, size, stop);
        PL_TRY(add(out, done, start, -1));
        PL_TRY(add(out, start, stop, t->id));
        done = stop;
    }
    return add(out, done, size, -1);
}
