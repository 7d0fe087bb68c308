/* The types of a unit file, and HDF5's error messages made into ours. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/hdf5_object.h"

enum { ROOM_BYTES = 8 << 20 }; /* a file's cache of metadata takes the most, about 4 MiB */

/* What HDF5's stack of errors tells: the innermost message, and the errno of a system call that failed (0: none). */
typedef struct cause {
    char text[512];
    int error;
} cause;

static herr_t keep(unsigned n, const H5E_error2_t *error, void *out)
{
    cause *c = out;
    const char *number = error->desc ? strstr(error->desc, "errno = ") : NULL;
    if (n == 0 && error->desc) snprintf(c->text, sizeof c->text, "%s", error->desc);
    if (number && !c->error) c->error = atoi(number + strlen("errno = "));
    return 0;
}

/* HDF5 calls this at the end of every call that failed. malloc has left its errno where memory was the cause. */
static herr_t end_without_memory(hid_t stack, void *where)
{
    char what[1024];
    cause found = {0};
    if (errno != ENOMEM) return 0;
    H5Ewalk2(stack, H5E_WALK_UPWARD, keep, &found);
    snprintf(what, sizeof what, "%.700s: in HDF5%s%.250s", (const char *)where, *found.text ? ": " : "", found.text);
    pl_out_of_memory(what);
}

void pl__hdf5_quiet(const char *where)
{
    /* Every file is closed by us; where that failed, HDF5's own round at the end of the process would crash on it. */
    errno = 0;
    H5dont_atexit();
    /* The first call of all starts HDF5, which may go on without a part that it had no memory for. */
    if (H5Eset_auto2(H5E_DEFAULT, end_without_memory, (void *)(uintptr_t)where) < 0 || errno == ENOMEM)
        pl_out_of_memory("HDF5 does not start");
}

void pl__hdf5_room(const char *where)
{
    void *room = malloc(ROOM_BYTES);
    if (!room) pl_out_of_memory(where);
    free(room);
}

pl_status pl__hdf5_fail(pl_status code, const char *where, const char *format, ...)
{
    char what[512];
    cause found = {0};
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    /* Upward: the first entry is the innermost, the one that knows. */
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep, &found);
    H5Eclear2(H5E_DEFAULT);
    /* Too many open files, no permission, a failing disk: nothing is known of the file's content. */
    if (found.error && found.error != ENOENT)
        return pl_fail(PL_E_IO, "%s: cannot open or read: %s", where, strerror(found.error));
    return pl_fail(code, "%s: %s%s%s", where, what, *found.text ? ": " : "", found.text);
}

hid_t pl__hdf5_text_type(void)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    if (type >= 0 && (H5Tset_size(type, H5T_VARIABLE) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0)) {
        H5Tclose(type);
        return H5I_INVALID_HID;
    }
    return type;
}

hid_t pl__hdf5_bool_type(void)
{
    hid_t type = H5Tenum_create(H5T_STD_I8LE);
    const int8_t no = 0, yes = 1;
    if (type >= 0 && (H5Tenum_insert(type, "FALSE", &no) < 0 || H5Tenum_insert(type, "TRUE", &yes) < 0)) {
        H5Tclose(type);
        return H5I_INVALID_HID;
    }
    return type;
}

hid_t pl__hdf5_storage_type(pl_dtype storage)
{
    hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    if (storage == PL_F32 || type < 0) return type;
    size_t exponent_bits = storage == PL_F16 ? 5 : 8, mantissa_bits = 15 - exponent_bits;
    size_t bias = ((size_t)1 << (exponent_bits - 1)) - 1;
    /* In this order: HDF5 refuses a size that the fields do not fit in at that moment. */
    if (H5Tset_fields(type, 15, mantissa_bits, exponent_bits, 0, mantissa_bits) < 0 || H5Tset_precision(type, 16) < 0 ||
        H5Tset_size(type, 2) < 0 || H5Tset_ebias(type, bias) < 0) {
        H5Tclose(type);
        return H5I_INVALID_HID;
    }
    return type;
}

int pl__by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}
