/* Protocol buffers' wire format, one field after another, without a schema and without copies. Every length is checked
 * against the message that it stands in. */
#ifndef PLUMB_TOKENIZER_PROTOBUF_H
#define PLUMB_TOKENIZER_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* What is left of a message; `start` and `where` are for errors: the file's first byte and its name. */
typedef struct pl__message {
    const char *at, *end, *start, *where;
} pl__message;

typedef enum pl__wire { PL__WIRE_VARINT = 0, PL__WIRE_64 = 1, PL__WIRE_BYTES = 2, PL__WIRE_32 = 5 } pl__wire;

typedef struct pl__field {
    uint32_t number;
    pl__wire wire;
    uint64_t value;   /* VARINT, 64, 32: the bits */
    const char *data; /* BYTES: borrowed from the message */
    size_t size;
} pl__field;

/* The next field; *more false: the message is at its end. Groups, which nobody writes any more, are PL_E_INPUT. */
pl_status pl__field_next(pl__field *field, bool *more, pl__message *message);
/* The message in a field of bytes. A field of another wire type is PL_E_INPUT, as in the next ones. */
pl_status pl__field_message(pl__message *out, const pl__field *field, const pl__message *in);
pl_status pl__field_bool(bool *out, const pl__field *field, const pl__message *in);
pl_status pl__field_int(int32_t *out, const pl__field *field, const pl__message *in);
pl_status pl__field_float(float *out, const pl__field *field, const pl__message *in);

#endif
