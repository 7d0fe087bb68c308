#include "tokenizer/model.h"

#include "tokenizer/unicode.h"

void pl__model_free(pl__model *m)
{
    switch (m->kind) {
    case PL__BPE:
        pl__bpe_free(&m->bpe);
        break;
    case PL__UNIGRAM:
        pl__unigram_free(&m->unigram);
        break;
    case PL__WORDPIECE:
        pl__wordpiece_free(&m->wordpiece);
        break;
    case PL__SENTENCEPIECE:
        pl__sentencepiece_free(&m->sentencepiece);
    }
    pl_file_unmap(&m->table);
}

const pl__vocabulary *pl__model_vocabulary(const pl__model *m)
{
    switch (m->kind) {
    case PL__BPE:
        break;
    case PL__UNIGRAM:
        return &m->unigram.vocabulary;
    case PL__WORDPIECE:
        return &m->wordpiece.vocabulary;
    case PL__SENTENCEPIECE:
        return &m->sentencepiece.unigram.vocabulary;
    }
    return &m->bpe.vocabulary;
}

const char *pl__model_name(const pl__model *m, bool byte_level)
{
    switch (m->kind) {
    case PL__BPE:
        break;
    case PL__UNIGRAM:
        return m->unigram.byte_fallback ? "Unigram with byte fallback" : "Unigram";
    case PL__WORDPIECE:
        return "WordPiece";
    case PL__SENTENCEPIECE:
        return m->sentencepiece.merges ? "SentencePiece BPE" : "SentencePiece Unigram";
    }
    return byte_level ? "byte-level BPE" : m->bpe.byte_fallback ? "BPE with byte fallback" : "BPE";
}

void pl__model_work_free(pl__model_work *work)
{
    pl__bpe_work_free(&work->bpe);
    pl__unigram_work_free(&work->unigram);
    pl__sentencepiece_work_free(&work->sentencepiece);
}

/* The characters of the byte alphabet for raw bytes. */
static pl_status spell(pl_bytes *out, const char **word, size_t *size)
{
    pl_bytes_clear(out);
    PL_TRY(pl__bytes_to_alphabet(out, *word, *size));
    *word = out->data;
    *size = out->size;
    return PL_OK;
}

pl_status pl__model_encode(const pl__model *m, const char *word, size_t size, bool bytes, pl__model_work *work,
                           pl_ids *out)
{
    if (m->kind == PL__BPE) return pl__bpe_encode(&m->bpe, word, size, bytes, &work->bpe, out);
    if (m->kind == PL__SENTENCEPIECE)
        return pl__sentencepiece_encode(&m->sentencepiece, word, size, &work->sentencepiece, out);
    if (bytes) PL_TRY(spell(&work->bpe.spelling, &word, &size));
    return m->kind == PL__UNIGRAM ? pl__unigram_encode(&m->unigram, word, size, &work->unigram, out)
                                  : pl__wordpiece_encode(&m->wordpiece, word, size, out);
}
