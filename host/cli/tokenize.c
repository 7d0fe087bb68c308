/* plumb tokenize: ids and pieces of texts, one line a text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_build.h"
#include "base/lines.h"
#include "base/visible.h"
#include "cli/cli.h"
#include "model/model.h"
#include "tokenizer/tokenizer.h"

static pl_status print_ids(const pl_tokenizer *tokenizer, const pl_ids *ids, bool json)
{
    if (!json) {
        for (size_t i = 0; i < ids->n; i++)
            pl_print(stdout, "%s%d %s", i ? "  " : "", ids->data[i], pl_tokenizer_piece(tokenizer, ids->data[i]));
        puts("");
        return PL_OK;
    }
    pl_json_builder b;
    json_t *line;
    pl_json_begin(&b);
    pl_json_open_list(&b, "ids");
    for (size_t i = 0; i < ids->n; i++) pl_json_put_integer(&b, NULL, ids->data[i]);
    pl_json_close(&b);
    pl_json_open_list(&b, "pieces");
    for (size_t i = 0; i < ids->n; i++) pl_json_put_text(&b, NULL, pl_tokenizer_piece(tokenizer, ids->data[i]));
    pl_json_close(&b);
    PL_TRY(pl_json_end(&b, &line, "the ids of a text"));
    return pl_print_json(line, false);
}

static pl_status tokenize(const pl_tokenizer *tokenizer, const char *text, size_t size, const pl_arguments *arguments)
{
    pl_ids ids = {0};
    pl_status status =
        pl_tokenizer_encode(tokenizer, text, size, !pl_argument_flag(arguments, PL_OPTION_NO_SPECIAL), &ids);
    if (status == PL_OK) status = print_ids(tokenizer, &ids, pl_argument_flag(arguments, PL_OPTION_JSON));
    pl_ids_free(&ids);
    return status;
}

/* Rows of standard input: a JSON text, or an object with "text". */
static pl_status tokenize_rows(const pl_tokenizer *tokenizer, const pl_arguments *arguments)
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
        status = json_is_string(text)
                     ? tokenize(tokenizer, json_string_value(text), json_string_length(text), arguments)
                     : pl_fail(PL_E_INPUT, "%s: expected a text or {\"text\": ...}", where);
        json_decref(row);
    }
done:
    pl_bytes_free(&line);
    return status;
}

pl_status pl_verb_tokenize(const pl_arguments *arguments)
{
    char folder[PL_PATH_MAX];
    pl_tokenizer *tokenizer;
    PL_TRY(pl_model_find(folder, arguments->words[0]));
    PL_TRY(pl_tokenizer_open(&tokenizer, folder));
    pl_status status = PL_OK;
    for (size_t i = 1; i < arguments->n_words && status == PL_OK; i++)
        status = tokenize(tokenizer, arguments->words[i], strlen(arguments->words[i]), arguments);
    if (arguments->n_words == 1) status = tokenize_rows(tokenizer, arguments);
    pl_tokenizer_free(tokenizer);
    return status;
}
