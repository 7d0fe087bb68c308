/* Driver of the long tokenizer suite: tokenize_lines FOLDER < texts > results.
 *
 * In: a text after another, each as a 32-bit little-endian size and its bytes. Out: one JSON object a line with `ids`
 * (no special tokens), `special` (with), `text` (ids decoded) and `skip` (special decoded, special tokens skipped). */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "tokenizer/tokenizer.h"

static pl_status add_ids(json_t *object, const char *key, const pl_ids *ids)
{
    json_t *list = json_array();
    for (size_t i = 0; i < ids->n; i++) json_array_append_new(list, json_integer(ids->data[i]));
    json_object_set_new(object, key, list);
    return PL_OK;
}

static pl_status one_text(const pl_tokenizer *t, const char *text, size_t size)
{
    pl_ids plain = {0}, special = {0};
    pl_bytes decoded = {0}, skipped = {0};
    json_t *object = json_object();
    pl_status status;
    PL_GOTO(status, done, pl_tokenizer_encode(t, text, size, false, &plain));
    PL_GOTO(status, done, pl_tokenizer_encode(t, text, size, true, &special));
    PL_GOTO(status, done, pl_tokenizer_decode(t, plain.data, plain.n, false, &decoded));
    PL_GOTO(status, done, pl_tokenizer_decode(t, special.data, special.n, true, &skipped));
    add_ids(object, "ids", &plain);
    add_ids(object, "special", &special);
    json_object_set_new(object, "text", json_stringn(decoded.size ? decoded.data : "", decoded.size));
    json_object_set_new(object, "skip", json_stringn(skipped.size ? skipped.data : "", skipped.size));
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
done:
    json_decref(object);
    pl_bytes_free(&decoded);
    pl_bytes_free(&skipped);
    pl_ids_free(&plain);
    pl_ids_free(&special);
    return status;
}

int main(int argc, char **argv)
{
    pl_tokenizer *t = NULL;
    char *text = NULL;
    uint32_t size;
    if (argc != 2) {
        fprintf(stderr, "usage: tokenize_lines FOLDER < texts\n");
        return 2;
    }
    pl_status status = pl_tokenizer_open(&t, argv[1]);
    while (status == PL_OK && fread(&size, sizeof size, 1, stdin) == 1) {
        text = malloc((size_t)size + 1);
        if (!text || fread(text, 1, size, stdin) != size) status = pl_fail(PL_E_IO, "stdin ends inside a text");
        if (status == PL_OK) status = one_text(t, text, size);
        free(text);
    }
    pl_tokenizer_free(t);
    if (status != PL_OK) fprintf(stderr, "tokenize_lines: %s\n", pl_error_text());
    return status == PL_OK ? 0 : 1;
}
