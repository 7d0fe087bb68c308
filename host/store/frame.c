#include "store/frame.h"

#include <stdlib.h>
#include <string.h>

pl_status pl_frame_create(pl_frame **out, size_t n_rows)
{
    PL_TRY(pl_new(out, 1));
    (*out)->n_rows = n_rows;
    pl_status status = pl_arena_create(&(*out)->arena);
    if (status != PL_OK) {
        free(*out);
        *out = NULL;
    }
    return status;
}

static size_t element_bytes(pl_column_kind kind)
{
    switch (kind) {
    case PL_COLUMN_INTEGER:
        return sizeof(int64_t);
    case PL_COLUMN_REAL:
        return sizeof(double);
    case PL_COLUMN_BOOL:
        return sizeof(uint8_t);
    default:
        return sizeof(char *);
    }
}

pl_status pl_frame_add(pl_frame *frame, pl_column **out, const char *name, pl_column_kind kind)
{
    *out = NULL;
    if (pl_frame_column(frame, name)) return pl_fail(PL_E_INTERNAL, "data frame: two columns named '%s'", name);
    size_t n = frame->n_columns;
    /* The arena never frees, so the table doubles: it is full whenever its length is a power of two. */
    if ((n & (n - 1)) == 0) {
        pl_column *larger;
        PL_TRY(pl_arena_new(frame->arena, &larger, n ? 2 * n : 1));
        if (n) memcpy(larger, frame->columns, n * sizeof *larger);
        frame->columns = larger;
    }
    pl_column *column = &frame->columns[n];
    char *copy;
    void *values;
    PL_TRY(pl_arena_text(frame->arena, &copy, name, strlen(name)));
    PL_TRY(pl_arena_new_bytes(frame->arena, &values, frame->n_rows, element_bytes(kind)));
    *column = (pl_column){.name = copy, .kind = kind};
    switch (kind) {
    case PL_COLUMN_INTEGER:
        column->values.integer = values;
        break;
    case PL_COLUMN_REAL:
        column->values.real = values;
        break;
    case PL_COLUMN_BOOL:
        column->values.boolean = values;
        break;
    default:
        column->values.text = values;
    }
    frame->n_columns++;
    *out = column;
    return PL_OK;
}

pl_status pl_frame_set_text(pl_frame *frame, pl_column *column, size_t row, const char *text)
{
    if (row >= frame->n_rows || (column->kind != PL_COLUMN_TEXT && column->kind != PL_COLUMN_CATEGORY))
        return pl_fail(PL_E_INTERNAL, "data frame: row %zu of column '%s': expected a text column and a row below %zu",
                       row, column->name, frame->n_rows);
    char *copy = NULL;
    if (text) PL_TRY(pl_arena_text(frame->arena, &copy, text, strlen(text)));
    column->values.text[row] = copy;
    return PL_OK;
}

const pl_column *pl_frame_column(const pl_frame *frame, const char *name)
{
    for (size_t i = 0; i < frame->n_columns; i++)
        if (!strcmp(frame->columns[i].name, name)) return &frame->columns[i];
    return NULL;
}

void pl_frame_free(pl_frame *frame)
{
    if (!frame) return;
    pl_arena_free(frame->arena);
    free(frame);
}
