/* tokenizer.model files from memory; what opens encodes and decodes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "tokenizer/open.h"

static const char *const texts[] = {
    "the night's 12 \n\n x", "  <tab>caf\xC3\xA9 \xEF\xAC\x81 \xE2\x96\x81\xE2\x96\x81 ",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabababab\xF0\x9F\x98\x80\xE3\x8E\xA5"};

static void use(const pl_tokenizer *t)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        pl_ids ids = {0};
        pl_bytes text = {0};
        if (pl_tokenizer_encode(t, texts[i], strlen(texts[i]), true, &ids) != PL_OK) abort();
        if (pl_tokenizer_decode(t, ids.data, ids.n, i == 0, &text) != PL_OK) abort();
        for (size_t k = 0; k < ids.n; k++)
            if (!pl_tokenizer_piece(t, ids.data[k])) abort();
        if (text.size && pl_utf8_check(text.data, text.size) != text.size) abort();
        pl_ids_free(&ids);
        pl_bytes_free(&text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char config[] = "{\"bos_token\": \"<x>\", \"add_bos_token\": true}";
    pl__sources sources = {.sentencepiece = {"input", (const char *)data, size},
                           .config = {"config", config, sizeof config - 1}};
    pl_tokenizer *t;
    if (pl__tokenizer_parse(&t, &sources) == PL_OK) use(t);
    pl_tokenizer_free(t);
    return 0;
}
