/* Merging looks pairs up by their text, as the library does: a part need not be a piece itself, so that no table of
 * pairs of ids would do. The best pair is the one with the highest score, the leftmost among equals; an entry of the
 * heap is stale when the size of its pair is another by now: symbols only grow, or are merged away. */
#include "tokenizer/sentencepiece.h"

#include <stdlib.h>
#include <string.h>

#include "base/growth.h"
#include "base/utf8.h"

static const char BLANK[] = "\xE2\x96\x81";
enum { BLANK_BYTES = 3 };

/* A stretch of the normalized text; size 0: merged away. Neighbours are indices, NONE: no neighbour. */
struct pl__piece_symbol {
    size_t start, size;
    int32_t previous, next;
    bool whole; /* a user's piece: it does not merge */
};

struct pl__piece_part {
    size_t start, size;
};

enum { NONE = -1 };

void pl__sentencepiece_work_free(pl__sentencepiece_work *work)
{
    pl_bytes_free(&work->text);
    free(work->symbols);
    free(work->heap.items);
    free(work->parts);
    free(work->splits);
    pl__unigram_work_free(&work->unigram);
    *work = (pl__sentencepiece_work){0};
}

/* ---- normalizing ---- */

/* What the front of the text becomes, borrowed; returns how many of its bytes that takes. */
static size_t normalize_front(const pl__sentencepiece *s, const char *text, size_t size, const char **to,
                              size_t *to_size)
{
    int32_t id;
    size_t n = pl__prefix_longest(&s->defined, text, size, &id);
    *to = text;
    *to_size = n;
    if (n > 0) return n;
    n = pl__charsmap_longest(&s->map, text, size, to);
    *to_size = n ? strlen(*to) : pl_utf8_size(text[0]);
    return n ? n : *to_size;
}

static pl_status put_blank(const pl__sentencepiece *s, pl_bytes *out)
{
    return s->escape_blanks ? pl_bytes_append(out, BLANK, BLANK_BYTES) : pl_bytes_append(out, " ", 1);
}

static pl_status put_text(const pl__sentencepiece *s, pl_bytes *out, const char *text, size_t size)
{
    if (!s->escape_blanks) return pl_bytes_append(out, text, size);
    for (size_t at = 0; at < size;) {
        const char *blank = memchr(text + at, ' ', size - at);
        size_t end = blank ? (size_t)(blank - text) : size;
        PL_TRY(pl_bytes_append(out, text + at, end - at));
        if (blank) PL_TRY(put_blank(s, out));
        at = end + 1;
    }
    return PL_OK;
}

static void drop_blanks_behind(const pl__sentencepiece *s, pl_bytes *out)
{
    const char *blank = s->escape_blanks ? BLANK : " ";
    size_t n = s->escape_blanks ? BLANK_BYTES : 1;
    while (out->size >= n && memcmp(out->data + out->size - n, blank, n) == 0) out->size -= n;
}

static pl_status normalize(const pl__sentencepiece *s, const char *text, size_t size, pl_bytes *out)
{
    const char *to;
    size_t at = 0, n = 0, to_size;
    pl_growth growth = pl_growth_begin(size, 1);
    pl_bytes_clear(out);
    for (; s->remove_blanks && at < size; at += n) {
        n = normalize_front(s, text + at, size - at, &to, &to_size);
        if (to_size != 1 || *to != ' ') break;
    }
    if (at == size) return PL_OK;
    if (s->dummy_prefix && !s->blank_behind) PL_TRY(put_blank(s, out));
    for (bool blank = s->remove_blanks; at < size; at += n) {
        n = normalize_front(s, text + at, size - at, &to, &to_size);
        while (blank && to_size > 0 && *to == ' ') to++, to_size--;
        if (to_size > 0) {
            PL_TRY(put_text(s, out, to, to_size));
            blank = s->remove_blanks && to[to_size - 1] == ' ';
        }
        if (out->size > growth.most)
            return pl_fail(
                PL_E_INPUT,
                "tokenizer.model: its map of characters makes more than %zu bytes of a text of %zu: expected "
                "what a prompt can use",
                growth.most, size);
    }
    if (s->remove_blanks) drop_blanks_behind(s, out);
    return s->dummy_prefix && s->blank_behind ? put_blank(s, out) : PL_OK;
}

/* ---- merging ---- */

/* A score as a rank: the highest first, equal scores alike (also the two zeros). */
static uint32_t rank_of(double score)
{
    float single = (float)score + 0.0F;
    uint32_t bits;
    memcpy(&bits, &single, sizeof bits);
    return bits & 0x80000000U ? bits : ~(bits | 0x80000000U);
}

/* Whether a text may merge into a piece of this type. */
static bool is_made(pl__piece_type type)
{
    return type == PL__PIECE_NORMAL || type == PL__PIECE_DEFINED || type == PL__PIECE_UNUSED;
}

static pl_status offer(const pl__sentencepiece *s, pl__sentencepiece_work *work, int32_t left, int32_t right)
{
    if (left == NONE || right == NONE) return PL_OK;
    const struct pl__piece_symbol *a = &work->symbols[left], *b = &work->symbols[right];
    if (a->whole || b->whole) return PL_OK;
    size_t size = a->size + b->size;
    int32_t id = pl__vocabulary_find(&s->unigram.vocabulary, work->text.data + a->start, size);
    if (id < 0 || !is_made(s->types[id])) return PL_OK;
    if (s->types[id] == PL__PIECE_UNUSED) work->splits[id] = a->size;
    return pl__merge_heap_push(&work->heap, rank_of(s->unigram.scores[id]), left, (uint32_t)size);
}

/* The text as characters and pieces of the user. */
static pl_status cut(const pl__sentencepiece *s, pl__sentencepiece_work *work, size_t *n)
{
    const char *text = work->text.data;
    size_t size = work->text.size;
    *n = 0;
    if (size > INT32_MAX) return pl_fail(PL_E_INPUT, "a text of %zu bytes, expected at most 2 GiB", size);
    PL_TRY(pl_grow(&work->symbols, &work->symbols_capacity, size));
    for (size_t at = 0; at < size; ++*n) {
        int32_t id, place = (int32_t)*n;
        size_t longest = pl__prefix_longest(&s->defined, text + at, size - at, &id);
        size_t taken = longest ? longest : pl_utf8_size(text[at]);
        work->symbols[*n] =
            (struct pl__piece_symbol){at, taken, place - 1, at + taken < size ? place + 1 : NONE, longest > 0};
        at += taken;
    }
    return PL_OK;
}

static pl_status merge(const pl__sentencepiece *s, pl__sentencepiece_work *work)
{
    size_t n;
    PL_TRY(cut(s, work, &n));
    struct pl__piece_symbol *symbols = work->symbols;
    work->heap.n = 0;
    for (size_t i = 1; i < n; i++) PL_TRY(offer(s, work, (int32_t)i - 1, (int32_t)i));
    while (work->heap.n > 0) {
        pl__candidate top = pl__merge_heap_pop(&work->heap);
        int32_t place = pl__candidate_place(&top);
        struct pl__piece_symbol *left = &symbols[place];
        if (left->size == 0 || left->next == NONE) continue;
        struct pl__piece_symbol *right = &symbols[left->next];
        if (left->size + right->size != top.made) continue;
        left->size = top.made;
        left->next = right->next;
        if (right->next != NONE) symbols[right->next].previous = place;
        right->size = 0;
        PL_TRY(offer(s, work, left->previous, place));
        PL_TRY(offer(s, work, place, left->next));
    }
    return PL_OK;
}

/* One id, or what becomes of an unknown text: its bytes, or one unknown id for all that follow one another. */
static pl_status put(const pl__sentencepiece *s, int32_t id, const char *text, size_t size, bool *unknown, pl_ids *out)
{
    const pl__unigram *u = &s->unigram;
    bool bytes = false, before = *unknown;
    *unknown = id == u->unknown_id;
    if (*unknown) PL_TRY(pl__unigram_bytes(u, text, size, &bytes, out));
    if (bytes || (*unknown && before)) return PL_OK;
    return pl_ids_append(out, &id, 1);
}

/* The ids of a symbol: an unused piece comes apart into what it was merged from, again and again. */
static pl_status put_symbol(const pl__sentencepiece *s, pl__sentencepiece_work *work,
                            const struct pl__piece_symbol *symbol, bool *unknown, pl_ids *out)
{
    const pl__unigram *u = &s->unigram;
    size_t n = 0;
    PL_TRY(pl_grow(&work->parts, &work->parts_capacity, 2));
    work->parts[n++] = (struct pl__piece_part){symbol->start, symbol->size};
    while (n > 0) {
        struct pl__piece_part part = work->parts[--n];
        const char *text = work->text.data + part.start;
        int32_t id = pl__vocabulary_find(&u->vocabulary, text, part.size);
        if (id < 0) id = u->unknown_id;
        size_t left = s->types[id] == PL__PIECE_UNUSED ? work->splits[id] : 0;
        if (left == 0) {
            PL_TRY(put(s, id, text, part.size, unknown, out));
            continue;
        }
        PL_TRY(pl_grow(&work->parts, &work->parts_capacity, n + 2));
        work->parts[n++] = (struct pl__piece_part){part.start + left, part.size - left};
        work->parts[n++] = (struct pl__piece_part){part.start, left};
    }
    return PL_OK;
}

pl_status pl__sentencepiece_encode(const pl__sentencepiece *s, const char *text, size_t size,
                                   pl__sentencepiece_work *work, pl_ids *out)
{
    PL_TRY(normalize(s, text, size, &work->text));
    if (work->text.size == 0) return PL_OK;
    if (!s->merges) return pl__unigram_encode(&s->unigram, work->text.data, work->text.size, &work->unigram, out);
    free(work->splits);
    work->splits = NULL;
    if (s->has_unused) PL_TRY(pl_new(&work->splits, s->unigram.vocabulary.n_ids));
    PL_TRY(merge(s, work));
    bool unknown = false;
    for (int32_t at = 0; at != NONE; at = work->symbols[at].next)
        PL_TRY(put_symbol(s, work, &work->symbols[at], &unknown, out));
    return PL_OK;
}

/* ---- decoding ---- */

/* A run of byte pieces: characters, and U+FFFD for each byte that is of none. */
static pl_status put_bytes(pl_bytes *out, pl_bytes *bytes)
{
    for (size_t at = 0; at < bytes->size;) {
        size_t good = pl_utf8_check(bytes->data + at, bytes->size - at);
        PL_TRY(pl_bytes_append(out, bytes->data + at, good));
        at += good;
        if (at == bytes->size) break;
        PL_TRY(pl_bytes_text(out, "\xEF\xBF\xBD"));
        at++;
    }
    pl_bytes_clear(bytes);
    return PL_OK;
}

/* A piece that is text, with blanks for U+2581. `front`: one that begins it is the text's own, put there by encoding.
 */
static pl_status put_piece(const pl__sentencepiece *s, const char *piece, size_t size, bool front, bool *blank,
                           pl_bytes *out)
{
    bool begins = size >= BLANK_BYTES && memcmp(piece, BLANK, BLANK_BYTES) == 0;
    size_t at = 0;
    *blank = false;
    if (front && begins && (s->dummy_prefix || s->remove_blanks)) {
        at = BLANK_BYTES;
        *blank = !s->remove_blanks;
    }
    for (size_t n; at < size; at += n) {
        n = pl_utf8_size(piece[at]);
        bool is_blank = n == BLANK_BYTES && memcmp(piece + at, BLANK, BLANK_BYTES) == 0;
        PL_TRY(pl_bytes_append(out, is_blank ? " " : piece + at, is_blank ? 1 : n));
    }
    return PL_OK;
}

static int byte_of(const pl__sentencepiece *s, int32_t id)
{
    if (s->types[id] != PL__PIECE_BYTE) return -1;
    for (int b = 0; b < 256; b++)
        if (s->unigram.fallback_ids[b] == id) return b;
    return -1;
}

pl_status pl__sentencepiece_decode(const pl__sentencepiece *s, const int32_t *ids, size_t n, pl_bytes *out)
{
    const pl__unigram *u = &s->unigram;
    pl_bytes bytes = {0};
    pl_status status = PL_OK;
    size_t start = out->size, size;
    bool front = true, blank = false; /* no text yet; the blank in front was taken */
    for (size_t i = 0; i < n; i++) {
        int byte = byte_of(s, ids[i]);
        char one = (char)byte;
        if (byte >= 0) {
            PL_GOTO(status, done, pl_bytes_append(&bytes, &one, 1));
            continue;
        }
        PL_GOTO(status, done, put_bytes(out, &bytes));
        if (blank || out->size > start) front = false;
        blank = false;
        if (s->types[ids[i]] == PL__PIECE_CONTROL) continue;
        if (ids[i] == u->unknown_id) {
            PL_GOTO(status, done, pl_bytes_text(out, s->unknown_text));
            continue;
        }
        const char *piece = pl__vocabulary_text(&u->vocabulary, ids[i], &size);
        PL_GOTO(status, done, put_piece(s, piece, size, front, &blank, out));
    }
    status = put_bytes(out, &bytes);
done:
    pl_bytes_free(&bytes);
    return status;
}
