#include "tokenizer/regex.h"

#include <stdint.h>
#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

struct pl__regex {
    pcre2_code *code;
};

struct pl__regex_work {
    pcre2_match_data *data;
};

enum { PATTERN_BYTES_MAX = 1 << 16 };

static pl_status compile(pl__regex *regex, const pl_bytes *pattern, const char *where)
{
    int error = 0;
    PCRE2_SIZE offset = 0;
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (!context) return pl_fail(PL_E_MEMORY, "out of memory while compiling a pattern");
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pcre2_set_parens_nest_limit(context, 100);
    regex->code = pcre2_compile((PCRE2_SPTR)pattern->data, pattern->size, PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE,
                                &error, &offset, context);
    pcre2_compile_context_free(context);
    if (!regex->code) {
        PCRE2_UCHAR text[200];
        pcre2_get_error_message(error, text, sizeof text);
        return pl_fail(error == PCRE2_ERROR_HEAP_FAILED ? PL_E_MEMORY : PL_E_UNSUPPORTED,
                       "%s: cannot compile the pattern '%.300s': %s at byte %zu", where, pattern->data,
                       (const char *)text, (size_t)offset);
    }
    /* Without a just-in-time compiler the interpreter does the same, slower. */
    (void)pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE);
    return PL_OK;
}

pl_status pl__regex_compile(pl__regex **out, const char *pattern, size_t size, const char *where)
{
    *out = NULL;
    if (size == 0 || size > PATTERN_BYTES_MAX)
        return pl_fail(PL_E_UNSUPPORTED, "%s: a pattern of %zu bytes, expected 1 to %d", where, size,
                       PATTERN_BYTES_MAX);
    pl_bytes translated = {0};
    pl_status status;
    PL_GOTO(status, done, pl__regex_translate(&translated, pattern, size, where));
    PL_GOTO(status, done, pl_new(out, 1));
    PL_GOTO(status, done, compile(*out, &translated, where));
done:
    pl_bytes_free(&translated);
    if (status != PL_OK) {
        pl__regex_free(*out);
        *out = NULL;
    }
    return status;
}

void pl__regex_free(pl__regex *regex)
{
    if (!regex) return;
    pcre2_code_free(regex->code);
    free(regex);
}

pl_status pl__regex_find(const pl__regex *regex, pl__regex_work **work, const char *text, size_t size, size_t from,
                         size_t *start, size_t *end)
{
    if (!*work) {
        PL_TRY(pl_new(work, 1));
        (*work)->data = pcre2_match_data_create(1, NULL);
        if (!(*work)->data) return pl_fail(PL_E_MEMORY, "out of memory while matching a pattern");
    }
    pcre2_match_data *data = (*work)->data;
    int n = pcre2_match(regex->code, (PCRE2_SPTR)text, size, from, PCRE2_NO_UTF_CHECK, data, NULL);
    /* The compiled code has 32 KiB of stack; the interpreter keeps its stack on the heap. */
    if (n == PCRE2_ERROR_JIT_STACKLIMIT)
        n = pcre2_match(regex->code, (PCRE2_SPTR)text, size, from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data, NULL);
    if (n == PCRE2_ERROR_NOMATCH) {
        *start = *end = SIZE_MAX;
        return PL_OK;
    }
    if (n < 0) {
        PCRE2_UCHAR message[200];
        pcre2_get_error_message(n, message, sizeof message);
        return pl_fail(n == PCRE2_ERROR_NOMEMORY ? PL_E_MEMORY : PL_E_INPUT,
                       "the tokenizer's pattern gave up at byte %zu of a text of %zu bytes: %s", from, size,
                       (const char *)message);
    }
    const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(data);
    *start = ends[0];
    *end = ends[1];
    /* \K inside a look-around could end a match before its start. */
    if (*end < *start) return pl_fail(PL_E_UNSUPPORTED, "the tokenizer's pattern ends a match before its start");
    return PL_OK;
}

void pl__regex_work_free(pl__regex_work *work)
{
    if (!work) return;
    pcre2_match_data_free(work->data);
    free(work);
}

void pl__regex_unicode(char out[PL__REGEX_VERSION])
{
    int n = pcre2_config(PCRE2_CONFIG_UNICODE_VERSION, NULL); /* bytes needed, with the NUL */
    memcpy(out, "unknown", 8);
    if (n > 0 && n <= PL__REGEX_VERSION) pcre2_config(PCRE2_CONFIG_UNICODE_VERSION, out);
}
