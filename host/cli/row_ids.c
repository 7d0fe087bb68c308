#include "cli/row_ids.h"

pl_status pl__row_ids(pl_ids *out, const pl_row *row, const pl_tokenizer *tokenizer, bool special, size_t V)
{
    const json_t *text = json_object_get(row->item, "text"), *list = json_object_get(row->item, "ids");
    size_t k;
    json_t *id;
    if (text) return pl_tokenizer_encode(tokenizer, json_string_value(text), json_string_length(text), special, out);
    json_array_foreach((json_t *)(uintptr_t)list, k, id)
    {
        const json_int_t value = json_integer_value(id);
        if (!json_is_integer(id) || value < 0 || value >= (json_int_t)V)
            return pl_fail(PL_E_INPUT, "%s:%zu: ids[%zu]: expected an id from 0 to %zu", row->data->where,
                           pl_row_line(row->data, row->index), k, V - 1);
        const int32_t narrow = (int32_t)value;
        PL_TRY(pl_ids_append(out, &narrow, 1));
    }
    return PL_OK;
}
