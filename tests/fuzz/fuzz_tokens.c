/* Compiled tables of tokenizers under a right size, key and checksum; what is trusted is worked with. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer/open.h"

enum { HEADER = 200, SIZE_AT = 24, CHECKSUM_AT = 32, KEY_AT = 48 };

static void use(pl__table *table)
{
    static const char text[] = "a the word's 123 \n\n x";
    pl__bpe bpe = {.byte_fallback = true};
    pl__bpe_work work = {0};
    pl_ids ids = {0};
    pl_map map = table->map;
    pl__table_give(&bpe, table);
    if (pl__bpe_finish(&bpe) != PL_OK) abort();
    (void)pl__bpe_encode(&bpe, text, sizeof text - 1, true, &work, &ids);
    (void)pl__bpe_encode(&bpe, text, sizeof text - 1, false, &work, &ids);
    for (size_t i = 0; i < ids.n; i++)
        if (!pl__vocabulary_text(&bpe.vocabulary, ids.data[i], NULL)) abort();
    bpe.table = (pl_map){0};
    bpe.merges = NULL;
    free((void *)(uintptr_t)map.data);
    pl__bpe_free(&bpe);
    pl__bpe_work_free(&work);
    pl_ids_free(&ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char key[PL_HASH_TEXT] = "00000000000000000000000000000000";
    uint64_t file_size = size, sum[2];
    if (size < HEADER) return 0;
    uint8_t *copy = malloc(size);
    if (!copy) return 0;
    memcpy(copy, data, size);
    memcpy(copy + SIZE_AT, &file_size, sizeof file_size);
    memcpy(copy + KEY_AT, key, sizeof key);
    pl_hash128_words(sum, copy + KEY_AT, size - KEY_AT);
    memcpy(copy + CHECKSUM_AT, sum, sizeof sum);
    pl__table table = {.map = {.data = copy, .size = size}};
    if (pl__table_read(&table, key))
        use(&table);
    else
        free(copy);
    return 0;
}
