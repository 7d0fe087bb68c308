/* Inside of tasks: the chain of included files, the templates made from it, and the texts of an item. */
#ifndef PLUMB_TASK_TASK_PARTS_H
#define PLUMB_TASK_TASK_PARTS_H

#include "base/yaml.h"
#include "task/task.h"

/* A task file and what it includes, the including file first: the first one that has a key wins. */
enum { PL__TASK_MAX_FILES = 16 };
typedef struct pl__task_file {
    size_t n;
    pl_yaml *docs[PL__TASK_MAX_FILES];
} pl__task_file;

pl_status pl__task_file_open(pl__task_file *out, const char *path);
void pl__task_file_close(pl__task_file *file);
const pl_yaml_node *pl__task_file_get(const pl__task_file *file, const char *key); /* NULL: absent */
/* A key in front of an included file's: "file:line:column: ..." of the first file when the key is absent. */
pl_status pl__task_file_missing(const pl__task_file *file, const char *key, const char *what);
/* The resolved task as JSON, without what only says where files lie. A new reference. */
pl_status pl__task_file_json(json_t **out, const pl__task_file *file);

/* Opens the sets: fills test, fewshot and fewshot_is_test. */
pl_status pl__task_data_open(pl_task *task, const pl__task_file *file);

/* Fills task->frozen; the data must be open. */
pl_status pl__task_freeze(pl_task *task, const pl__task_file *file);

/* Fills task->templates; the data must be open. */
pl_status pl__templates_make(pl_task *task, const pl__task_file *file);

/* The text of one item under a template, appended. */
pl_status pl__item_text(const pl_task *task, const pl_template *t, const pl_row *row, pl_bytes *out);
/* The gold answer; `choices` as pl_task_choices gave them (n = 0 without). */
pl_status pl__item_target(const pl_task *task, const pl_template *t, const pl_row *row, const char *const *choices,
                          size_t n, pl_arena *arena, const char **text, size_t *label);

/* Opens a row of the pool as a shot; with an item that it would give away (item NULL: none) it is refused. */
pl_status pl__shot_open(pl_row *row, const pl_task *task, const pl_row *item, size_t shot);
/* What stands before all: the system text of a chat (use NULL: none) and the description, appended. */
pl_status pl__system_text(pl_bytes *out, const pl_task *task, const pl_chat_use *use);
/* Fills context and own_offset of a prompt with the text of a chat; use->chat is there. */
pl_status pl__chat_context(pl_prompt *out, const pl_task *task, const pl_template *t, const pl_row *shown,
                           const pl_row *item, const size_t *shots, size_t k, const pl_chat_use *use, pl_arena *arena);

/* All right answers of an item that has several: fills targets, n_targets and targets_text of a prompt. */
pl_status pl__item_targets(pl_prompt *out, const pl_task *task, const pl_template *t, const pl_row *row,
                           pl_arena *arena);

/* A name that may become part of a file name: letters, digits, '.', '_', '-'. */
pl_status pl__check_name(const pl_yaml_node *node, const char *name);

#endif
