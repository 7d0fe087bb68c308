/* plumb tokenize: ids and pieces of texts, one line a text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/lines.h"
#include "base/visible.h"
#include "cli/cli.h"
#include "model/model.h"
#include "tokenizer/tokenizer.h"

/* What stays from text to text. */
struct printer {
    const pl_tokenizer *tokenizer;
    bool json, special;
    pl_ids ids;
    pl_bytes line;
    pl_bytes *pieces; /* by id: as JSON; empty until it is met */
};

static pl_status put_integer(pl_bytes *out, int32_t value)
{
    char digits[12], *at = digits + sizeof digits;
    do *--at = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    return pl_bytes_append(out, at, (size_t)(digits + sizeof digits - at));
}

static pl_status put_piece(struct printer *p, int32_t id)
{
    pl_bytes *piece = &p->pieces[id];
    if (!piece->size) PL_TRY(pl_json_visible(piece, json_string(pl_tokenizer_piece(p->tokenizer, id)), false));
    return pl_bytes_append(&p->line, piece->data, piece->size);
}

/* {"ids":[...],"pieces":[...]}, without a tree of it in between: that took most of the time. */
static pl_status print_json(struct printer *p)
{
    pl_bytes_clear(&p->line);
    PL_TRY(pl_bytes_text(&p->line, "{\"ids\":["));
    for (size_t i = 0; i < p->ids.n; i++) {
        if (i) PL_TRY(pl_bytes_append(&p->line, ",", 1));
        PL_TRY(put_integer(&p->line, p->ids.data[i]));
    }
    PL_TRY(pl_bytes_text(&p->line, "],\"pieces\":["));
    for (size_t i = 0; i < p->ids.n; i++) {
        if (i) PL_TRY(pl_bytes_append(&p->line, ",", 1));
        PL_TRY(put_piece(p, p->ids.data[i]));
    }
    PL_TRY(pl_bytes_text(&p->line, "]}\n"));
    if (fwrite(p->line.data, 1, p->line.size, stdout) != p->line.size || ferror(stdout))
        return pl_fail(PL_E_IO, "cannot write JSON to standard output");
    return PL_OK;
}

static pl_status tokenize(struct printer *p, const char *text, size_t size)
{
    p->ids.n = 0;
    PL_TRY(pl_tokenizer_encode(p->tokenizer, text, size, p->special, &p->ids));
    if (p->json) return print_json(p);
    for (size_t i = 0; i < p->ids.n; i++)
        pl_print(stdout, "%s%d %s", i ? "  " : "", p->ids.data[i], pl_tokenizer_piece(p->tokenizer, p->ids.data[i]));
    puts("");
    return PL_OK;
}

/* Rows of standard input: a JSON text, or an object with "text". */
static pl_status tokenize_rows(struct printer *p)
{
    pl_bytes line = {0};
    pl_status status = PL_OK;
    for (size_t n = 1; status == PL_OK; n++) {
        char where[64];
        bool more;
        json_t *row;
        PL_GOTO(status, done, pl_line_read(&line, &more, stdin, "standard input", n));
        if (!more) break;
        if (line.size == 0) continue;
        snprintf(where, sizeof where, "standard input:%zu", n);
        PL_GOTO(status, done, pl_json_parse(&row, line.data, line.size, where));
        const json_t *text = json_is_object(row) ? json_object_get(row, "text") : row;
        status = json_is_string(text) ? tokenize(p, json_string_value(text), json_string_length(text))
                                      : pl_fail(PL_E_INPUT, "%s: expected a text or {\"text\": ...}", where);
        json_decref(row);
    }
done:
    pl_bytes_free(&line);
    return status;
}

static void free_printer(struct printer *p)
{
    for (size_t i = 0; p->pieces && i < pl_tokenizer_size(p->tokenizer); i++) pl_bytes_free(&p->pieces[i]);
    free(p->pieces);
    pl_ids_free(&p->ids);
    pl_bytes_free(&p->line);
}

pl_status pl_verb_tokenize(const pl_arguments *arguments)
{
    char folder[PL_PATH_MAX];
    pl_tokenizer *tokenizer;
    PL_TRY(pl_model_find(folder, arguments->words[0]));
    PL_TRY(pl_tokenizer_open(&tokenizer, folder));
    struct printer p = {.tokenizer = tokenizer,
                        .json = pl_argument_flag(arguments, PL_OPTION_JSON),
                        .special = !pl_argument_flag(arguments, PL_OPTION_NO_SPECIAL)};
    pl_status status = p.json ? pl_new(&p.pieces, pl_tokenizer_size(tokenizer)) : PL_OK;
    for (size_t i = 1; i < arguments->n_words && status == PL_OK; i++)
        status = tokenize(&p, arguments->words[i], strlen(arguments->words[i]));
    if (arguments->n_words == 1 && status == PL_OK) status = tokenize_rows(&p);
    free_printer(&p);
    pl_tokenizer_free(tokenizer);
    return status;
}
