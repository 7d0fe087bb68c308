/* Compiled tables of tokenizers under a right size, key and checksum; what is trusted is worked with. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer/open.h"

enum { HEADER = 360, SIZE_AT = 24, CHECKSUM_AT = 32, KEY_AT = 48 };

/* What a tokenizer.json says of its model beside what the table has. */
static void finish(pl__model *model)
{
    if (model->kind == PL__BPE) {
        model->bpe.byte_fallback = true;
        if (pl__bpe_finish(&model->bpe) != PL_OK) abort();
    } else if (model->kind == PL__UNIGRAM) {
        pl__unigram *u = &model->unigram;
        u->unknown_id = pl__vocabulary_text(&u->vocabulary, 0, NULL) ? 0 : -1;
        u->byte_fallback = true;
        pl__unigram_finish(u);
    } else {
        model->wordpiece.word_characters_max = 30;
        if (pl_copy_text(&model->wordpiece.unknown, "[UNK]") != PL_OK) abort();
        if (pl__wordpiece_finish(&model->wordpiece, "##", "fuzz") != PL_OK) abort();
    }
}

static void use(pl__table *table)
{
    static const char text[] = "a the word's 123 \n\n x \xE2\x96\x81the\xE2\x96\x81river caf\xC3\xA9 \xF0\x9F\x98\x80";
    pl__model model = {0};
    pl__model_work work = {0};
    pl_ids ids = {0};
    pl_map map = table->map;
    pl__added_tokens added = {0};
    if (pl__table_add(&table->added, &added) != PL_OK) abort();
    (void)pl__added_finish(&added, "fuzz");
    pl__sections sections = {0};
    for (int normalized = 0; normalized < 2; normalized++)
        if (pl__added_cut(&added, normalized, text, sizeof text - 1, &sections) != PL_OK) abort();
    free(sections.items);
    pl__added_free(&added);
    pl__table_give(&model, table);
    finish(&model);
    (void)pl__model_encode(&model, text, sizeof text - 1, true, &work, &ids);
    (void)pl__model_encode(&model, text, sizeof text - 1, false, &work, &ids);
    (void)pl__model_encode(&model, text + 2, 3, false, &work, &ids);
    for (size_t i = 0; i < ids.n; i++)
        if (!pl__vocabulary_text(pl__model_vocabulary(&model), ids.data[i], NULL)) abort();
    model.table = (pl_map){0};
    pl__model_free(&model);
    free((void *)(uintptr_t)map.data);
    pl__model_work_free(&work);
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
