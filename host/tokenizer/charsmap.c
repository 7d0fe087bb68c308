#include "tokenizer/charsmap.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/utf8.h"

static uint32_t little_endian(const char *at)
{
    const uint8_t *b = (const uint8_t *)at;
    return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

pl_status pl__charsmap_read(pl__charsmap *out, const char *data, size_t size, const char *where)
{
    *out = (pl__charsmap){0};
    if (size == 0) return PL_OK;
    size_t trie = size > 4 ? little_endian(data) : 0;
    if (size <= 4 || trie >= size - 4 || trie % 4 != 0)
        return pl_fail(PL_E_INPUT,
                       "%s: a map of %zu bytes with a trie of %zu: expected a size, a trie and texts behind it", where,
                       size, trie);
    out->n_units = trie / 4;
    out->texts_size = size - 4 - trie;
    pl_status status = pl_new(&out->units, out->n_units);
    if (status == PL_OK) status = pl_new(&out->texts, out->texts_size + 1);
    if (status != PL_OK) {
        pl__charsmap_free(out);
        return status;
    }
    for (size_t i = 0; i < out->n_units; i++) out->units[i] = little_endian(data + 4 + 4 * i);
    memcpy(out->texts, data + 4 + trie, out->texts_size);
    size_t good = pl_utf8_check(out->texts, out->texts_size);
    if (good == out->texts_size) return PL_OK;
    pl__charsmap_free(out);
    return pl_fail(PL_E_INPUT, "%s: byte %zu of its texts is not UTF-8: expected UTF-8; the file may be damaged", where,
                   good);
}

void pl__charsmap_free(pl__charsmap *map)
{
    free(map->units);
    free(map->texts);
    *map = (pl__charsmap){0};
}

static size_t offset_of(uint32_t unit)
{
    return (size_t)(unit >> 10) << ((unit >> 6) & 8);
}

/* Bytes of the shortest or the longest match; one that ends, or leads, into the middle of a character is none. */
static size_t find(const pl__charsmap *map, const char *text, size_t size, bool shortest, const char **to)
{
    size_t found = 0;
    if (map->n_units == 0) return 0;
    size_t node = offset_of(map->units[0]);
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)text[i];
        node ^= byte;
        if (node >= map->n_units || (map->units[node] & 0x800000FFu) != byte) break;
        bool leaf = map->units[node] >> 8 & 1;
        node ^= offset_of(map->units[node]);
        if (!leaf) continue;
        if (node >= map->n_units) break;
        size_t value = map->units[node] & 0x7FFFFFFFu;
        if (value >= map->texts_size) break;
        if (pl_utf8_is_inside(map->texts[value]) || (i + 1 < size && pl_utf8_is_inside(text[i + 1]))) continue;
        *to = map->texts + value;
        found = i + 1;
        if (shortest) break;
    }
    return found;
}

size_t pl__charsmap_longest(const pl__charsmap *map, const char *text, size_t size, const char **to)
{
    return find(map, text, size, false, to);
}

/* One grapheme, or a character of it: true when the map has something for it. */
static pl_status replace(const pl__charsmap *map, pl_bytes *out, const char *text, size_t size, bool *done)
{
    const char *to;
    *done = find(map, text, size, true, &to) > 0;
    return *done ? pl_bytes_text(out, to) : PL_OK;
}

static pl_status put_grapheme(const pl__charsmap *map, pl_bytes *out, const char *text, size_t size, size_t most)
{
    bool done = false;
    if (size < 6) PL_TRY(replace(map, out, text, size, &done));
    for (size_t at = 0, n; !done && at < size && out->size <= most; at += n) {
        bool one;
        n = pl_utf8_size(text[at]);
        PL_TRY(replace(map, out, text + at, n, &one));
        if (!one) PL_TRY(pl_bytes_append(out, text + at, n));
    }
    return PL_OK;
}

pl_status pl__charsmap_graphemes(const pl__charsmap *map, pl_bytes *out, const char *text, size_t size, size_t most)
{
    utf8proc_int32_t state = 0;
    uint32_t last = 0, c;
    size_t start = 0;
    for (size_t at = 0, n; at < size && out->size <= most; at += n, last = c) {
        n = pl_utf8_get(&c, text + at);
        if (at > 0 && utf8proc_grapheme_break_stateful((utf8proc_int32_t)last, (utf8proc_int32_t)c, &state)) {
            PL_TRY(put_grapheme(map, out, text + start, at - start, most));
            start = at;
        }
    }
    return start < size ? put_grapheme(map, out, text + start, size - start, most) : PL_OK;
}
