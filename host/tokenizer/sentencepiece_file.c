/* tokenizer.model: SentencePiece's ModelProto (sentencepiece_model.proto of its sources has the field numbers). */
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "tokenizer/protobuf.h"
#include "tokenizer/sentencepiece.h"

struct file {
    pl__sentencepiece *out;
    bool byte_fallback;
    bool denormalizes;
    int32_t model_type; /* 1 unigram, 2 BPE, 3 words, 4 characters */
    float least, most;  /* scores of normal pieces */
};

/* piece = 1, score = 2, type = 3 */
static pl_status read_piece(struct file *f, pl__message *m)
{
    pl__sentencepiece *s = f->out;
    pl__field field, text = {0};
    float score = 0;
    int32_t type = PL__PIECE_NORMAL;
    for (bool more;;) {
        PL_TRY(pl__field_next(&field, &more, m));
        if (!more) break;
        if (field.number == 1 && field.wire == PL__WIRE_BYTES) text = field;
        if (field.number == 2) PL_TRY(pl__field_float(&score, &field, m));
        if (field.number == 3) PL_TRY(pl__field_int(&type, &field, m));
    }
    size_t id = s->unigram.vocabulary.n_ids;
    if (type < PL__PIECE_NORMAL || type > PL__PIECE_BYTE)
        return pl_fail(PL_E_INPUT, "%s: piece %zu: type %d, expected 1 to 6", m->where, id, type);
    if (pl_utf8_check(text.data, text.size) != text.size || (text.size && memchr(text.data, 0, text.size)))
        return pl_fail(PL_E_INPUT, "%s: piece %zu: expected UTF-8 without a NUL", m->where, id);
    if (type == PL__PIECE_NORMAL && score < f->least) f->least = score;
    if (type == PL__PIECE_NORMAL && score > f->most) f->most = score;
    PL_TRY(pl_grow(&s->types, &s->types_capacity, id + 1));
    s->types[id] = (uint8_t)type;
    s->has_unused |= type == PL__PIECE_UNUSED;
    if (type == PL__PIECE_UNKNOWN && s->unigram.unknown_id >= 0)
        return pl_fail(PL_E_INPUT, "%s: pieces %d and %zu are both the unknown one", m->where, s->unigram.unknown_id,
                       id);
    if (type == PL__PIECE_UNKNOWN) s->unigram.unknown_id = (int32_t)id;
    /* Which texts a unigram model looks for is not known before its kind is: see finish. */
    PL_TRY(pl__unigram_add(&s->unigram, text.data, text.size, (double)score, false, m->where));
    return type == PL__PIECE_DEFINED ? pl__prefix_tree_add(&s->defined, text.data, text.size, (int32_t)id, m->where)
                                     : PL_OK;
}

static pl_status read_trainer(struct file *f, pl__message *m)
{
    pl__sentencepiece *s = f->out;
    pl__field field;
    for (bool more;;) {
        PL_TRY(pl__field_next(&field, &more, m));
        if (!more) return PL_OK;
        if (field.number == 3) PL_TRY(pl__field_int(&f->model_type, &field, m));
        if (field.number == 24) PL_TRY(pl__field_bool(&s->blank_behind, &field, m));
        if (field.number == 35) PL_TRY(pl__field_bool(&f->byte_fallback, &field, m));
        if (field.number == 41) PL_TRY(pl__field_int(&s->bos, &field, m));
        if (field.number == 42) PL_TRY(pl__field_int(&s->eos, &field, m));
        if (field.number != 44 || field.wire != PL__WIRE_BYTES) continue;
        free(s->unknown_text);
        s->unknown_text = NULL;
        PL_TRY(pl_new(&s->unknown_text, field.size + 1));
        memcpy(s->unknown_text, field.data, field.size);
        if (pl_utf8_check(field.data, field.size) != field.size)
            return pl_fail(PL_E_INPUT, "%s: unk_surface: expected UTF-8", m->where);
    }
}

static pl_status read_normalizer(struct file *f, pl__message *m)
{
    pl__sentencepiece *s = f->out;
    pl__field field;
    for (bool more;;) {
        PL_TRY(pl__field_next(&field, &more, m));
        if (!more) return PL_OK;
        if (field.number == 3) PL_TRY(pl__field_bool(&s->dummy_prefix, &field, m));
        if (field.number == 4) PL_TRY(pl__field_bool(&s->remove_blanks, &field, m));
        if (field.number == 5) PL_TRY(pl__field_bool(&s->escape_blanks, &field, m));
        if (field.number != 2 || field.wire != PL__WIRE_BYTES) continue;
        pl__charsmap_free(&s->map);
        PL_TRY(pl__charsmap_read(&s->map, field.data, field.size, m->where));
    }
}

static pl_status read_denormalizer(struct file *f, pl__message *m)
{
    pl__field field;
    for (bool more;;) {
        PL_TRY(pl__field_next(&field, &more, m));
        if (!more) return PL_OK;
        f->denormalizes |= field.number == 2 && field.size > 0;
    }
}

static pl_status read_model(struct file *f, pl__message *m)
{
    pl__field field;
    pl__message inner;
    for (bool more;;) {
        PL_TRY(pl__field_next(&field, &more, m));
        if (!more) return PL_OK;
        if (field.number != 1 && field.number != 2 && field.number != 3 && field.number != 5) continue;
        PL_TRY(pl__field_message(&inner, &field, m));
        PL_TRY(field.number == 1   ? read_piece(f, &inner)
               : field.number == 2 ? read_trainer(f, &inner)
               : field.number == 3 ? read_normalizer(f, &inner)
                                   : read_denormalizer(f, &inner));
    }
}

/* The texts that a unigram model looks for, and what a user's piece counts: more than any other way to its end. */
static pl_status plant_pieces(const struct file *f, const char *where)
{
    pl__unigram *u = &f->out->unigram;
    for (size_t id = 0; id < u->vocabulary.n_ids; id++) {
        pl__piece_type type = f->out->types[id];
        size_t size;
        const char *text = pl__vocabulary_text(&u->vocabulary, (int32_t)id, &size);
        if (type == PL__PIECE_DEFINED) u->scores[id] = (double)((float)size * f->most - 0.1F);
        if (type == PL__PIECE_NORMAL || type == PL__PIECE_DEFINED)
            PL_TRY(pl__prefix_tree_add(&u->tree, text, size, (int32_t)id, where));
    }
    return PL_OK;
}

static pl_status check_bytes(const struct file *f, const char *where)
{
    const pl__unigram *u = &f->out->unigram;
    for (unsigned b = 0; f->byte_fallback && b < 256; b++)
        if (u->fallback_ids[b] < 0 || f->out->types[u->fallback_ids[b]] != PL__PIECE_BYTE)
            return pl_fail(PL_E_INPUT, "%s: byte_fallback without a piece <0x%02X> of type 6", where, b);
    return PL_OK;
}

static pl_status check_byte_pieces(const struct file *f, const char *where)
{
    const pl__unigram *u = &f->out->unigram;
    size_t n = 0;
    for (size_t id = 0; id < u->vocabulary.n_ids; id++) n += f->out->types[id] == PL__PIECE_BYTE;
    if (n == (f->byte_fallback ? 256 : 0)) return PL_OK;
    return pl_fail(PL_E_INPUT, "%s: %zu pieces of type 6 (bytes) with byte_fallback %s: expected %d", where, n,
                   f->byte_fallback ? "true" : "false", f->byte_fallback ? 256 : 0);
}

static pl_status finish(struct file *f, const char *where)
{
    pl__sentencepiece *s = f->out;
    pl__unigram *u = &s->unigram;
    static const char *const kinds[] = {"of type 0", "Unigram", "BPE", "of words", "of characters"};
    if (f->model_type != 1 && f->model_type != 2)
        return pl_fail(PL_E_UNSUPPORTED, "%s: a model %s (%d) is not supported, only Unigram and BPE", where,
                       f->model_type >= 0 && f->model_type < 5 ? kinds[f->model_type] : "of another type",
                       f->model_type);
    if (f->denormalizes)
        return pl_fail(PL_E_UNSUPPORTED, "%s: a map in denormalizer_spec is not supported, only none", where);
    if (u->unknown_id < 0) return pl_fail(PL_E_INPUT, "%s: no piece is the unknown one (type 2)", where);
    s->merges = f->model_type == 2;
    u->sentencepiece = true;
    u->byte_fallback = f->byte_fallback;
    u->least = (double)f->least;
    pl__unigram_finish(u);
    PL_TRY(check_byte_pieces(f, where));
    PL_TRY(check_bytes(f, where));
    int32_t n = (int32_t)u->vocabulary.n_ids;
    if (s->bos >= n || s->bos < 0) s->bos = -1;
    if (s->eos >= n || s->eos < 0) s->eos = -1;
    return s->merges ? PL_OK : plant_pieces(f, where);
}

pl_status pl__sentencepiece_read(pl__sentencepiece *out, const char *data, size_t size, const char *where)
{
    /* The defaults of the file's format. */
    *out = (pl__sentencepiece){.unigram = {.unknown_id = -1},
                               .dummy_prefix = true,
                               .remove_blanks = true,
                               .escape_blanks = true,
                               .bos = 1,
                               .eos = 2};
    struct file f = {.out = out, .model_type = 1, .least = FLT_MAX, .most = FLT_MIN};
    pl__message m = {data, data + size, data, where};
    PL_TRY(pl_copy_text(&out->unknown_text, " \xE2\x81\x87 "));
    PL_TRY(read_model(&f, &m));
    return finish(&f, where);
}

void pl__sentencepiece_free(pl__sentencepiece *s)
{
    pl__unigram_free(&s->unigram);
    pl__prefix_tree_free(&s->defined);
    pl__charsmap_free(&s->map);
    free(s->types);
    free(s->unknown_text);
    *s = (pl__sentencepiece){0};
}
