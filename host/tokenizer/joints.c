#include "tokenizer/joints.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"

/* The blank of SentencePiece, which begins most words, has a class of its own; ASCII has the first 128. */
enum { BLANK = 0x2581, BLANK_CLASS = 128, HASHED = BLANK_CLASS + 1 };

static inline size_t class_of(const char *text)
{
    uint32_t c = (uint8_t)*text;
    if (c < 128) return c;
    pl_utf8_get(&c, text);
    return c == BLANK ? BLANK_CLASS : HASHED + c % (PL__JOINT_CLASSES - HASHED);
}

pl_status pl__joints_create(pl__joints *joints)
{
    return pl_new(&joints->bits, PL__JOINT_WORDS);
}

void pl__joints_free(pl__joints *joints)
{
    if (!joints->borrowed) free(joints->bits);
    *joints = (pl__joints){0};
}

static bool is_byte(const char *text, size_t size)
{
    return size == 6 && memcmp(text, "<0x", 3) == 0;
}

void pl__joints_add(pl__joints *joints, const char *left, size_t left_size, const char *right, size_t right_size)
{
    if (!joints->bits || left_size == 0 || right_size == 0) return;
    if (is_byte(left, left_size) || is_byte(right, right_size)) {
        pl__joints_free(joints);
        return;
    }
    size_t place = class_of(left + pl_utf8_before(left, left_size)) * PL__JOINT_CLASSES + class_of(right);
    joints->bits[place / 64] |= (uint64_t)1 << place % 64;
}

size_t pl__joints_end(const pl__joints *joints, const char *text, size_t size, size_t at)
{
    size_t left = class_of(text + at), right;
    for (at += pl_utf8_size(text[at]); at < size; at += pl_utf8_size(text[at]), left = right) {
        right = class_of(text + at);
        size_t place = left * PL__JOINT_CLASSES + right;
        if (!(joints->bits[place / 64] >> place % 64 & 1)) return at;
    }
    return size;
}
