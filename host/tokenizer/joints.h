/* Where a text comes apart before it is merged: between two characters that no merge joins.
 *
 * A merge that reached across such a place would have a left part that ends with the one character and a right part
 * that begins with the other. What stands on both sides is therefore merged alone, and gives the same ids; the pieces
 * of a SentencePiece vocabulary begin with a blank or have none, so that a text of one word falls into the words that a
 * reader sees. Kept by classes of characters: two that share a class may be taken for joined, never for apart. */
#ifndef PLUMB_TOKENIZER_JOINTS_H
#define PLUMB_TOKENIZER_JOINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { PL__JOINT_CLASSES = 1024, PL__JOINT_WORDS = PL__JOINT_CLASSES * PL__JOINT_CLASSES / 64 };

/* Start from {0}: no text comes apart. */
typedef struct pl__joints {
    uint64_t *bits; /* [PL__JOINT_WORDS], of (left class, right class): joined; NULL: none are known */
    bool borrowed;  /* of a compiled table: nothing is added, nothing is freed */
} pl__joints;

pl_status pl__joints_create(pl__joints *joints);
void pl__joints_free(pl__joints *joints); /* takes {0} */
/* A merge of two texts in UTF-8. One that begins as a byte's token does (<0x41>), which stands for a character that it
 * does not show, ends what is known. */
void pl__joints_add(pl__joints *joints, const char *left, size_t left_size, const char *right, size_t right_size);
/* The end of what is merged alone from text[at] on: the next place that comes apart, or the end of the text. */
size_t pl__joints_end(const pl__joints *joints, const char *text, size_t size, size_t at);

#endif
