/* Views: windows on buffers of a backend. A new one owns its buffer until pl_view_free; all others borrow. */
#include "base/memory.h"
#include "device/device.h"

pl_status pl_view_create(const pl_processor *processor, pl_view *out, size_t rows, size_t columns, pl_dtype dtype)
{
    size_t n, bytes;
    *out = (pl_view){0};
    PL_TRY(pl_mul_size(&n, rows, columns, "a view's elements"));
    PL_TRY(pl_mul_size(&bytes, n, pl_dtype_bytes(dtype), "a view's bytes"));
    pl_view view = {.rows = rows, .columns = columns, .stride = columns, .dtype = dtype};
    PL_TRY(processor->ops->buffer_create(processor->device, &view.buffer, bytes));
    *out = view;
    return PL_OK;
}

void pl_view_free(const pl_processor *processor, pl_view *view)
{
    if (view->buffer) processor->ops->buffer_free(view->buffer);
    *view = (pl_view){0};
}

pl_view pl_view_columns(pl_view v, size_t first, size_t n)
{
    v.offset += first;
    v.columns = n;
    return v;
}

pl_view pl_view_rows(pl_view v, size_t first, size_t n)
{
    v.offset += first * v.stride;
    v.rows = n;
    return v;
}
