/* Rows past the count become zero, for products over whole capacities. */
#include <string.h>

#include "device/cpu/cpu.h"

pl_status pl__zero_tail(pl_stream *stream, const pl_zero_tail_args *args)
{
    size_t rows;
    (void)stream;
    PL_TRY(pl__read_count("zero_tail", &rows, args->counts, args->count, args->x.rows));
    for (size_t r = rows; r < args->x.rows; r++)
        memset(pl__at(args->x, r), 0, args->x.columns * pl_dtype_bytes(args->x.dtype));
    return PL_OK;
}
