/* Tokenizer files from memory: the first byte says which of the files the rest is; what opens encodes and decodes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer/open.h"

static const char *const texts[] = {"a the word's 123 \n\n x",
                                    "<s>ab</s>  <mask> \xC3\xA9\xCC\x81\xE2\x96\x81\xF0\x9F\x98\x80\xE3\x8E\xA5",
                                    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabababab"};

static void use(const pl_tokenizer *t)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        pl_ids ids = {0};
        pl_bytes text = {0};
        if (pl_tokenizer_encode(t, texts[i], strlen(texts[i]), true, &ids) == PL_OK) {
            /* What was encoded can be decoded. */
            if (pl_tokenizer_decode(t, ids.data, ids.n, i == 0, &text) == PL_E_INPUT &&
                !strstr(pl_error_text(), "pattern"))
                abort();
            for (size_t k = 0; k < ids.n; k++)
                if (!pl_tokenizer_piece(t, ids.data[k])) abort();
        }
        pl_ids_free(&ids);
        pl_bytes_free(&text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char vocabulary[] = "{\"a\":0,\"b\":1,\"ab\":2,\"\xC4\xA0\":3,\"<|endoftext|>\":4,\"<0xC3>\":5}";
    static const char merges[] = "a b\n";
    if (size == 0) return 0;
    const pl__source bytes = {"input", (const char *)data + 1, size - 1};
    pl__sources sources = {.vocabulary = {"vocab.json", vocabulary, sizeof vocabulary - 1},
                           .merges = {"merges.txt", merges, sizeof merges - 1}};
    /* '{' is a tokenizer.json without a first byte: files can be seeds as they are. */
    if (data[0] == '{')
        sources.tokenizer = (pl__source){"input", (const char *)data, size};
    else
        sources.files[data[0] % PL__TOKENIZER_MODEL] = bytes; /* fuzz_pieces.c has that one */
    pl_tokenizer *t;
    if (pl__tokenizer_parse(&t, &sources) == PL_OK) use(t);
    pl_tokenizer_free(t);
    return 0;
}
