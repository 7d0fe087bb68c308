/* A vocabulary from its JSON text. */
#include <string.h>

#include "tokenizer/json_reader.h"
#include "tokenizer/open.h"
#include "tokenizer/unicode.h"

/* {"token": id, ...}, and nothing behind it. */
static pl_status vocabulary_entries(pl__vocabulary *v, pl__json_reader *r)
{
    if (!pl__json_next(r, '{')) return pl__json_expected(r, "an object of tokens and ids");
    for (bool more = !pl__json_next(r, '}'); more; more = !pl__json_next(r, '}')) {
        const char *token;
        size_t size;
        int64_t id;
        if (v->n_tokens > 0 && !pl__json_next(r, ',')) return pl__json_expected(r, "',' or '}'");
        PL_TRY(pl__json_text(r, &token, &size));
        if (!pl__json_next(r, ':')) return pl__json_expected(r, "':'");
        if (pl__json_integer(r, &id) != PL_OK)
            return pl_fail(PL_E_INPUT, "%s: token '%.*s': expected an integer id", r->where,
                           (int)(size < 80 ? size : 80), token);
        PL_TRY(pl__vocabulary_add(v, token, size, id, r->where));
    }
    return pl__json_end(r) ? PL_OK : pl__json_expected(r, "the end");
}

size_t pl__source_count(const pl__source *source, char c)
{
    size_t n = 0;
    for (const char *at = source->data, *end = source->data + source->size; (at = memchr(at, c, (size_t)(end - at)));
         at++)
        n++;
    return n;
}

pl_status pl__source_check(const pl__source *source)
{
    size_t good = pl_utf8_check(source->data, source->size);
    if (good == source->size) return PL_OK;
    return pl_fail(PL_E_INPUT, "%s: not UTF-8 at byte %zu", source->name, good);
}

pl_status pl__vocabulary_read(pl__vocabulary *v, const pl__source *source)
{
    pl__json_reader r = {source->data, source->data, source->data + source->size, source->name, {{0}}, 0};
    PL_TRY(pl__source_check(source));
    /* One colon an entry, and those inside tokens. */
    size_t n = pl__source_count(source, ':');
    PL_TRY(pl__vocabulary_reserve(v, n < PL__ID_MAX ? n : PL__ID_MAX, source->size / 2));
    pl_status status = vocabulary_entries(v, &r);
    pl__json_reader_free(&r);
    return status;
}
