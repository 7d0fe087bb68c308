#include "tokenizer/protobuf.h"

#include <string.h>

static pl_status broken(const pl__message *m, const char *at, const char *what)
{
    return pl_fail(PL_E_INPUT, "%s: not a protocol buffer: byte %zu: %s", m->where, (size_t)(at - m->start), what);
}

static pl_status read_varint(uint64_t *out, pl__message *m)
{
    const char *start = m->at;
    *out = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (m->at == m->end) return broken(m, start, "a number that does not end");
        uint8_t byte = (uint8_t)*m->at++;
        if (shift == 63 && byte > 1) break;
        *out |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) return PL_OK;
    }
    return broken(m, start, "a number of more than 64 bits");
}

/* Little-endian bits of `n` bytes. */
static pl_status read_fixed(uint64_t *out, pl__message *m, size_t n)
{
    if ((size_t)(m->end - m->at) < n) return broken(m, m->at, "the end is inside a number");
    *out = 0;
    for (size_t i = 0; i < n; i++) *out |= (uint64_t)(uint8_t)*m->at++ << (8 * i);
    return PL_OK;
}

pl_status pl__field_next(pl__field *field, bool *more, pl__message *m)
{
    const char *start = m->at;
    uint64_t key, size;
    *field = (pl__field){0};
    *more = m->at < m->end;
    if (!*more) return PL_OK;
    PL_TRY(read_varint(&key, m));
    if (key >> 3 == 0 || key >> 32) return broken(m, start, "a field number out of range");
    field->number = (uint32_t)(key >> 3);
    field->wire = (pl__wire)(key & 7);
    switch (key & 7) {
    case PL__WIRE_VARINT:
        return read_varint(&field->value, m);
    case PL__WIRE_64:
        return read_fixed(&field->value, m, 8);
    case PL__WIRE_32:
        return read_fixed(&field->value, m, 4);
    case PL__WIRE_BYTES:
        PL_TRY(read_varint(&size, m));
        if (size > (size_t)(m->end - m->at)) return broken(m, start, "a field that is longer than what is left");
        field->data = m->at;
        field->size = (size_t)size;
        m->at += size;
        return PL_OK;
    default:
        return broken(m, start, "a wire type that is not supported");
    }
}

static pl_status expect(const pl__field *field, pl__wire wire, const pl__message *in)
{
    if (field->wire == wire) return PL_OK;
    return pl_fail(PL_E_INPUT, "%s: not as expected: field %u before byte %zu has wire type %d, expected %d", in->where,
                   field->number, (size_t)(in->at - in->start), (int)field->wire, (int)wire);
}

pl_status pl__field_message(pl__message *out, const pl__field *field, const pl__message *in)
{
    PL_TRY(expect(field, PL__WIRE_BYTES, in));
    *out = (pl__message){field->data, field->data + field->size, in->start, in->where};
    return PL_OK;
}

pl_status pl__field_bool(bool *out, const pl__field *field, const pl__message *in)
{
    PL_TRY(expect(field, PL__WIRE_VARINT, in));
    *out = field->value != 0;
    return PL_OK;
}

pl_status pl__field_int(int32_t *out, const pl__field *field, const pl__message *in)
{
    PL_TRY(expect(field, PL__WIRE_VARINT, in));
    *out = (int32_t)(uint32_t)field->value; /* negative ones are sign-extended to 64 bits */
    return PL_OK;
}

pl_status pl__field_float(float *out, const pl__field *field, const pl__message *in)
{
    PL_TRY(expect(field, PL__WIRE_32, in));
    uint32_t bits = (uint32_t)field->value;
    memcpy(out, &bits, sizeof *out);
    return PL_OK;
}
