/* What the chats of one draw have in common: the messages before the item's, which are the same for all its items, and
 * the chat that shows where an item's own text begins. */
#ifndef PLUMB_TASK_CHAT_FRONT_H
#define PLUMB_TASK_CHAT_FRONT_H

#include "task/task.h"

struct pl_chat_front {
    /* What it was made of; task NULL: nothing yet. */
    const pl_task *task;
    const pl_template *t;
    pl_chat_use use;
    size_t k, capacity, rows_capacity;
    size_t *shots;    /* [k] */
    pl_row *rows;     /* [k], open */
    json_t *messages; /* the system text's and, where they are turns, the shots' */
    json_t *system;   /* the first of them, where it is the system text's */
    pl_bytes user;    /* of one user turn: what stands before the item's text */
    /* The text with a mark in the item's place, for an answer that begins with marked_prefix, with or without the
     * system text. Making it may have shown that the template refuses that text. */
    bool has_marked, marked_without, marked_refused;
    pl_bytes marked, marked_prefix;
};

/* Makes it anew unless it is the one for these; either way refuses shots that `item` (NULL: none) may not have. */
pl_status pl__chat_front_make(pl_chat_front *front, const pl_task *task, const pl_template *t, const pl_chat_use *use,
                              const pl_row *item, const size_t *shots, size_t k, pl_arena *arena);
void pl__chat_front_close(pl_chat_front *front); /* leaves it as {0} */
/* What an item's answer begins with, appended. */
pl_status pl__chat_put_prefix(pl_bytes *out, const pl_template *t, const pl_row *row);
/* Adds a message to a list of them. */
pl_status pl__chat_add(json_t *messages, const char *role, const char *text, size_t size);

#endif
