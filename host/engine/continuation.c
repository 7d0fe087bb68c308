/* Ends of a continuation (stop texts, eos, limits) and its pages. */
#include "engine/continuation.h"

#include <stdlib.h>
#include <string.h>

size_t pl__ending_limit(const pl__ending *ending, size_t n, size_t generated)
{
    size_t most = ending->max_positions ? ending->max_positions : INT32_MAX, left = ending->max_tokens - generated;
    if (ending->border && n <= ending->border) most = ending->border;
    /* The last generated token is not run, so it needs no position. */
    return left < most - n + 1 ? left : most - n + 1;
}

bool pl__ending_crosses(const pl__ending *ending, size_t n, const pl_generation *out)
{
    return ending->border && n + out->ids.n == ending->border + 1 && out->ids.n > 0 &&
           out->ids.n < ending->max_tokens && out->finite && !out->stopped;
}

pl_status pl__continuation_open(pl__continuation *c, const pl__ending *ending, size_t n, pl_generation *out)
{
    size_t more = pl__ending_limit(ending, n, out->ids.n);
    out->finite = true;
    *c = (pl__continuation){.length = n, .limit = out->ids.n + more, .active = true, .out = out};
    return pl_new(&c->pages, pl__pages_between(0, n + more));
}

void pl__continuation_close(pl__continuation *c, pl__pages *pages)
{
    for (size_t i = 0; i < c->n_pages; i++) pl__pages_drop(pages, c->pages[i]);
    free(c->pages);
    *c = (pl__continuation){0};
}

/* The text so far, all of it: a token may end a character or a stop text that earlier tokens began, and a decoder may
 * treat the first token apart. */
static pl_status decode(const pl__continuation *c, const pl__ending *ending)
{
    pl_bytes text = {0};
    pl_status status = pl_bytes_append(&text, "", 0);
    if (status == PL_OK && ending->tokenizer)
        status = pl_tokenizer_decode(ending->tokenizer, c->out->ids.data, c->out->ids.n, true, &text);
    free(c->out->text);
    c->out->text = text.data;
    c->out->size = text.size;
    return status;
}

/* Cuts the text before the earliest stop text; false when there is none. */
static bool cut(pl_generation *out, const pl__ending *ending)
{
    const char *earliest = NULL;
    for (size_t i = 0; i < ending->n_stops; i++) {
        const char *at = memmem(out->text, out->size, ending->stops[i], strlen(ending->stops[i]));
        if (at && (!earliest || at < earliest)) earliest = at;
    }
    if (!earliest) return false;
    out->size = (size_t)(earliest - out->text);
    out->text[out->size] = 0;
    return true;
}

static bool ends(const pl__ending *ending, int32_t token)
{
    for (size_t i = 0; i < ending->n_eos; i++)
        if (ending->eos[i] == token) return true;
    return false;
}

pl_status pl__continuation_accept(pl__continuation *c, const pl__ending *ending, int32_t token)
{
    pl_generation *out = c->out;
    c->next = token;
    if (token < 0 || ends(ending, token)) {
        out->finite = token >= 0;
        out->stopped = out->finite;
        c->active = false;
        return decode(c, ending);
    }
    PL_TRY(pl_ids_append(&out->ids, &token, 1));
    c->active = out->ids.n < c->limit;
    /* With stop texts the text is made at each token, without them once. */
    if (ending->n_stops || !c->active) PL_TRY(decode(c, ending));
    if (ending->n_stops && cut(out, ending)) {
        out->stopped = true;
        c->active = false;
    }
    return PL_OK;
}

pl_status pl__continuation_extend(pl__continuation *c, pl__pages *pages, int32_t copy[2], bool *copies)
{
    size_t at = c->length++ / PL_PAGE;
    *copies = false;
    if (at < c->n_pages && pages->holders[c->pages[at]] == 1) return PL_OK;
    int32_t page = pl__pages_take(pages);
    if (page < 0) return pl_fail(PL_E_INTERNAL, "generate: no key/value page is left for position %zu", c->length - 1);
    if (at < c->n_pages) { /* partly filled and seen by others */
        *copies = true;
        copy[0] = c->pages[at];
        copy[1] = page;
        pl__pages_drop(pages, c->pages[at]);
    } else
        c->n_pages++;
    c->pages[at] = page;
    return PL_OK;
}
