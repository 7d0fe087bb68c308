/* A reserved matrix: HDF5 gives it a place in the file, threads fill the place by their own writes. HDF5 never touches
 * the values: the data set is contiguous, allocated early, without fill value. */
#include "store/slab.h"

#include <stdlib.h>

#include "base/half.h"

pl_status pl__slab_create(pl_slab **out, hid_t parent, const char *name, size_t rows, size_t width, pl_dtype storage,
                          pl__disk *disk, const char *where)
{
    pl_slab *slab;
    PL_TRY(pl_new(out, 1));
    slab = *out;
    slab->disk = disk;
    slab->dataset = H5I_INVALID_HID;
    slab->rows = rows;
    slab->width = width;
    slab->storage = storage;
    slab->where = where;
    slab->first_row = SIZE_MAX;
    char *copy;
    pl_status status;
    PL_GOTO(status, failed, pl_copy_text(&copy, name));
    slab->name = copy;
    PL_GOTO(status, failed, pl__output_empty_matrix(&slab->dataset, parent, name, rows, width, storage, where));
    slab->address = rows && width ? H5Dget_offset(slab->dataset) : 0;
    if (slab->address == HADDR_UNDEF) {
        status = pl__hdf5_fail(PL_E_INTERNAL, where, "'%s' has no place in the file", name);
        goto failed;
    }
    return PL_OK;
failed:
    pl__slab_close(slab);
    *out = NULL;
    return status;
}

static void count_not_finite(pl_slab *slab, size_t first_row, size_t n, const void *data)
{
    for (size_t r = 0; r < n; r++) {
        const float *floats = (const float *)data + r * slab->width;
        const uint16_t *halves = (const uint16_t *)data + r * slab->width;
        size_t count = slab->storage == PL_F32   ? pl_f32_count_not_finite(floats, slab->width)
                       : slab->storage == PL_F16 ? pl_f16_count_nan(halves, slab->width)
                                                 : pl_bf16_count_nan(halves, slab->width);
        if (!count) continue;
        atomic_fetch_add(&slab->n_not_finite, count);
        size_t row = first_row + r, first = slab->first_row;
        while (row < first && !atomic_compare_exchange_weak(&slab->first_row, &first, row)) continue;
    }
}

pl_status pl_slab_write(pl_slab *slab, size_t first_row, size_t n, void *data)
{
    if (n > slab->rows || first_row > slab->rows - n)
        return pl_fail(PL_E_INTERNAL, "%s: '%s': rows %zu..+%zu of %zu", slab->where, slab->name, first_row, n,
                       slab->rows);
    size_t elements = n * slab->width, element = slab->storage == PL_F32 ? sizeof(float) : sizeof(uint16_t);
    count_not_finite(slab, first_row, n, data);
    if (slab->storage == PL_F16) atomic_fetch_add(&slab->n_over, pl_f16_clamp(data, elements));
    if (slab->storage == PL_BF16) atomic_fetch_add(&slab->n_over, pl_bf16_clamp(data, elements));
    PL_TRY(pl__disk_write(slab->disk, slab->address + first_row * slab->width * element, data, elements * element));
    atomic_fetch_add(&slab->n_written, n);
    return PL_OK;
}

pl_status pl__slab_settle(const pl_slab *slab, pl__losses *losses)
{
    if (slab->n_written != slab->rows)
        return pl_fail(PL_E_INTERNAL, "%s: '%s': %zu of %zu rows were written", slab->where, slab->name,
                       (size_t)slab->n_written, slab->rows);
    *losses = (pl__losses){slab->n_over, slab->n_not_finite, slab->first_row};
    return losses->n_over || losses->n_not_finite
               ? pl__output_set_losses(slab->dataset, slab->storage, losses, slab->where)
               : PL_OK;
}

void pl__slab_close(pl_slab *slab)
{
    if (!slab) return;
    if (slab->dataset >= 0) H5Dclose(slab->dataset);
    free((char *)(uintptr_t)slab->name);
    free(slab);
}
