/* The types of a unit file, and HDF5's error messages made into ours. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "store/hdf5_object.h"

void pl__hdf5_quiet(void)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

static herr_t keep_first(unsigned n, const H5E_error2_t *error, void *out)
{
    if (n == 0 && error->desc) snprintf(out, 512, "%s", error->desc);
    return 0;
}

pl_status pl__hdf5_fail(pl_status code, const char *where, const char *format, ...)
{
    char what[512], cause[512] = "";
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    /* Upward: the first entry is the innermost, the one that knows. */
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first, cause);
    H5Eclear2(H5E_DEFAULT);
    return pl_fail(code, "%s: %s%s%s", where, what, *cause ? ": " : "", cause);
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

hid_t pl__hdf5_storage_type(pl_storage storage)
{
    hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    if (storage == PL_STORE_F32 || type < 0) return type;
    size_t exponent_bits = storage == PL_STORE_F16 ? 5 : 8, mantissa_bits = 15 - exponent_bits;
    size_t bias = ((size_t)1 << (exponent_bits - 1)) - 1;
    /* In this order: HDF5 refuses a size that the fields do not fit in at that moment. */
    if (H5Tset_fields(type, 15, mantissa_bits, exponent_bits, 0, mantissa_bits) < 0 || H5Tset_precision(type, 16) < 0 ||
        H5Tset_size(type, 2) < 0 || H5Tset_ebias(type, bias) < 0) {
        H5Tclose(type);
        return H5I_INVALID_HID;
    }
    return type;
}

/* Length of the UTF-8 sequence at s, 0 when it is none: no overlong forms, no surrogates, nothing above U+10FFFF.
 * The NUL at the end of the text is no continuation byte, so nothing behind it is looked at. */
static size_t sequence(const unsigned char *s)
{
    size_t n = s[0] < 0x80                   ? 1
               : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
               : (s[0] & 0xf0) == 0xe0       ? 3
               : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
                                             : 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0)) return 0;
    if ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90)) return 0;
    return n;
}

size_t pl__utf8_span(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    while (*s) {
        size_t n = sequence(s);
        if (n == 0) break;
        s += n;
    }
    return (size_t)((const char *)s - text);
}

int pl__by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}
