#include "tokenizer/wordpiece.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

pl_status pl__wordpiece_finish(pl__wordpiece *w, const char *prefix, const char *where)
{
    size_t n = strlen(prefix);
    for (size_t id = 0; !w->vocabulary.borrowed && id < w->vocabulary.n_ids; id++) {
        size_t size;
        const char *text = pl__vocabulary_text(&w->vocabulary, (int32_t)id, &size);
        if (!text || size == 0) continue;
        PL_TRY(pl__prefix_tree_add(&w->first, text, size, (int32_t)id, where));
        if (size > n && memcmp(text, prefix, n) == 0)
            PL_TRY(pl__prefix_tree_add(&w->rest, text + n, size - n, (int32_t)id, where));
    }
    w->unknown_id = pl__vocabulary_find(&w->vocabulary, w->unknown, strlen(w->unknown));
    return PL_OK;
}

void pl__wordpiece_free(pl__wordpiece *w)
{
    pl__vocabulary_free(&w->vocabulary);
    pl__prefix_tree_free(&w->first);
    pl__prefix_tree_free(&w->rest);
    free(w->unknown);
    *w = (pl__wordpiece){0};
}

pl_status pl__wordpiece_encode(const pl__wordpiece *w, const char *word, size_t size, pl_ids *out)
{
    size_t n = out->n, at = 0;
    bool fits = pl_utf8_count(word, size) <= w->word_characters_max;
    for (int32_t id = 0; fits && at < size;) {
        size_t longest = pl__prefix_longest(at ? &w->rest : &w->first, word + at, size - at, &id);
        if (longest == 0) break;
        PL_TRY(pl_ids_append(out, &id, 1));
        at += longest;
    }
    if (at == size) return PL_OK;
    out->n = n;
    if (w->unknown_id < 0)
        return pl_fail(PL_E_INPUT, "the tokenizer has no pieces for '%.*s', and no unknown token '%.80s'",
                       (int)(size < 80 ? size : 80), word, w->unknown);
    return pl_ids_append(out, &w->unknown_id, 1);
}
