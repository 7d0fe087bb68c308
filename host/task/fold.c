#include "task/fold.h"

#include "base/utf8.h"
#include "jinja/letters.h"

pl_status pl_text_fold(pl_bytes *out, const char *text, size_t size)
{
    pl_bytes lower = {0};
    size_t start = out->size, word = 0;
    pl_status status;
    PL_GOTO(status, done, pl_lower(&lower, text, size));
    for (size_t at = 0; at <= lower.size;) {
        uint32_t c = ' ';
        size_t width = at < lower.size ? pl_utf8_get(&c, lower.data + at) : 1;
        if (pl_utf8_is_space(c)) {
            if (at > word && out->size > start) PL_GOTO(status, done, pl_bytes_append(out, " ", 1));
            if (at > word) PL_GOTO(status, done, pl_bytes_append(out, lower.data + word, at - word));
            word = at + width;
        }
        at += width;
    }
done:
    pl_bytes_free(&lower);
    return status;
}
