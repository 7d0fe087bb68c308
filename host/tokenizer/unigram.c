#include "tokenizer/unigram.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"

static const double UNKNOWN_PENALTY = 10.0;

struct pl__path {
    double score;
    size_t start; /* where the last piece of the way begins; SIZE_MAX: no way leads here yet */
    int32_t id;
};

pl_status pl__unigram_add(pl__unigram *u, const char *text, size_t size, double score, bool found, const char *where)
{
    size_t id = u->vocabulary.n_ids;
    if (!isfinite(score))
        return pl_fail(PL_E_INPUT, "%s: piece %zu: expected a finite score, found %g", where, id, score);
    if (size == 0) return pl_fail(PL_E_INPUT, "%s: piece %zu: expected a text, found an empty one", where, id);
    PL_TRY(pl__vocabulary_add(&u->vocabulary, text, size, (int64_t)id, where));
    PL_TRY(pl_grow(&u->scores, &u->scores_capacity, id + 1));
    u->scores[id] = score;
    return found ? pl__prefix_tree_add(&u->tree, text, size, (int32_t)id, where) : PL_OK;
}

void pl__unigram_finish(pl__unigram *u)
{
    for (unsigned b = 0; b < 256; b++) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", b);
        u->fallback_ids[b] = pl__vocabulary_find(&u->vocabulary, name, 6);
    }
}

void pl__unigram_free(pl__unigram *u)
{
    if (!u->vocabulary.borrowed) free(u->scores);
    pl__vocabulary_free(&u->vocabulary);
    pl__prefix_tree_free(&u->tree);
    *u = (pl__unigram){0};
}

void pl__unigram_work_free(pl__unigram_work *work)
{
    free(work->ends);
    free(work->cuts);
    *work = (pl__unigram_work){0};
}

/* A way to a place by way of `start`, which is reached with the score `here`: kept when it is the first or better. */
static inline void offer(const pl__unigram *u, struct pl__path *end, double here, double score, size_t start,
                         int32_t id)
{
    double sum = u->sentencepiece ? (double)((float)here + (float)score) : here + score;
    if (end->start == SIZE_MAX || sum > end->score) *end = (struct pl__path){sum, start, id};
}

static pl_status find_paths(const pl__unigram *u, const char *word, size_t size, struct pl__path *ends)
{
    double unknown = u->least - UNKNOWN_PENALTY;
    for (size_t i = 1; i <= size; i++) ends[i].start = SIZE_MAX;
    ends[0] = (struct pl__path){0};
    for (size_t at = 0, character; at < size; at += character) {
        double here = ends[at].score;
        bool single = false; /* a piece is this one character */
        uint32_t node = 0;
        character = pl_utf8_size(word[at]);
        for (size_t end = at; end < size && (node = pl__prefix_step(&u->tree, node, word[end])); end++) {
            int32_t id = u->tree.values[node];
            if (id < 0) continue;
            offer(u, &ends[end + 1], here, u->scores[id], at, id);
            single |= end + 1 - at == character;
        }
        if (single) continue;
        if (u->unknown_id < 0)
            return pl_fail(PL_E_INPUT, "the tokenizer has no piece for '%.*s' and no unknown token", (int)character,
                           word + at);
        offer(u, &ends[at + character], here, unknown, at, u->unknown_id);
    }
    return PL_OK;
}

pl_status pl__unigram_bytes(const pl__unigram *u, const char *text, size_t size, bool *all, pl_ids *out)
{
    size_t n = out->n;
    *all = u->byte_fallback;
    for (size_t i = 0; i < size && *all; i++) {
        int32_t id = u->fallback_ids[(uint8_t)text[i]];
        *all = id >= 0;
        if (*all) PL_TRY(pl_ids_append(out, &id, 1));
    }
    if (!*all) out->n = n;
    return PL_OK;
}

/* What becomes of a run of unknown characters: their bytes, or one unknown token. */
static pl_status put_unknown(const pl__unigram *u, const char *text, size_t size, pl_ids *out)
{
    int32_t id = u->sentencepiece ? -1 : pl__vocabulary_find(&u->vocabulary, text, size);
    bool all = false;
    if (id < 0) PL_TRY(pl__unigram_bytes(u, text, size, &all, out));
    if (all) return PL_OK;
    return pl_ids_append(out, id < 0 ? &u->unknown_id : &id, 1);
}

pl_status pl__unigram_encode(const pl__unigram *u, const char *word, size_t size, pl__unigram_work *work, pl_ids *out)
{
    size_t n = 0;
    PL_TRY(pl_grow(&work->ends, &work->ends_capacity, size + 1));
    struct pl__path *ends = work->ends;
    PL_TRY(find_paths(u, word, size, ends));
    for (size_t end = size; end > 0; end = ends[end].start) {
        PL_TRY(pl_grow(&work->cuts, &work->cuts_capacity, n + 1));
        work->cuts[n++] = end;
    }
    for (size_t start = 0; n > 0;) {
        size_t end = work->cuts[--n];
        int32_t id = ends[end].id;
        if (id != u->unknown_id) {
            PL_TRY(pl_ids_append(out, &id, 1));
        } else {
            while (n > 0 && ends[work->cuts[n - 1]].id == u->unknown_id) end = work->cuts[--n];
            PL_TRY(put_unknown(u, word + start, end - start, out));
        }
        start = end;
    }
    return PL_OK;
}
