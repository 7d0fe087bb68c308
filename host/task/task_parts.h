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

#define PL__DATASETS "PLUMB_DATASETS"
#define PL__DATA_HOW "experiments/data/README.md says how"

/* The files of a split, and how they are read. */
enum { PL__SPLIT_FILES = 1024 };
typedef struct pl__split_files {
    size_t n;
    const char *paths[PL__SPLIT_FILES], *sha256[PL__SPLIT_FILES]; /* sha256: NULL where none is expected */
    pl_data_form form;
} pl__split_files;
/* `path` itself when absolute, else beside the file in which `node` stands. */
pl_status pl__beside(char out[PL_PATH_MAX], const pl_yaml_node *node, const char *path);
/* Adds a file; PL_E_INPUT: there are PL__SPLIT_FILES. */
pl_status pl__split_add(pl__split_files *files, const char *path, pl_arena *arena);
/* Adds the files that data_files has for a split. */
pl_status pl__split_data_files(pl__split_files *files, const pl__task_file *file, const pl_yaml_node *split,
                               const char *name, pl_arena *arena);
/* From dataset_kwargs (NULL: none); texts are the node's and the arena's. */
pl_status pl__task_form_read(pl_data_form *out, const pl_yaml_node *map, const char *format, pl_arena *arena);
/* Adds what of dataset_kwargs changes nothing to task->idle. */
pl_status pl__task_form_list_idle(pl_task *task, const pl_yaml_node *map);

/* Opens the sets: fills test, fewshot and fewshot_is_test. */
pl_status pl__task_data_open(pl_task *task, const pl__task_file *file);

/* Fills task->metrics and exact_match. */
pl_status pl__metric_list_read(pl_task *task, const pl__task_file *file);

/* Fills task->frozen; the data must be open. */
pl_status pl__task_freeze(pl_task *task, const pl__task_file *file);

/* Fills task->templates; the data must be open. */
pl_status pl__templates_make(pl_task *task, const pl__task_file *file);

/* Fills several_contexts and several_right of a template, by a row. */
pl_status pl__several_find(pl_template *t, const pl_task *task, const pl_row *first);
/* Where each choice is a context: the right one's index among the n. */
pl_status pl__context_index(const pl_template *t, const json_t *item, size_t n, size_t *out);

/* The text of one item under a template, appended; where each choice is a context, the right one. */
pl_status pl__item_text(const pl_task *task, const pl_template *t, const pl_row *row, pl_bytes *out);
/* The gold answer; `choices` as pl_task_choices gave them (n = 0 without). */
pl_status pl__item_target(const pl_task *task, const pl_template *t, const pl_row *row, const char *const *choices,
                          size_t n, pl_arena *arena, const char **text, size_t *label);

/* Opens a row of the pool as a shot; with an item that it would give away (item NULL: none) it is refused. */
pl_status pl__shot_open(pl_row *row, const pl_task *task, const pl_row *item, size_t shot);
/* PL_E_INPUT: the shot is the item, or one of its group. */
pl_status pl__shot_refuse_leak(const pl_task *task, const pl_row *item, const pl_row *shot);
/* A row of the pool as a shot is written: its text, its answer and the delimiters, appended. */
pl_status pl__append_row(pl_bytes *out, const pl_task *task, const pl_template *t, const pl_row *row, pl_arena *arena);
/* What stands before all: the system text of a chat (use NULL: none) and the description, appended. */
pl_status pl__system_text(pl_bytes *out, const pl_task *task, const pl_chat_use *use);
/* Fills context, contexts and own_offset of a prompt with the text of a chat; the choices are there, and use->chat. */
pl_status pl__chat_context(pl_prompt *out, const pl_task *task, const pl_template *t, const pl_row *shown,
                           const pl_row *item, const size_t *shots, size_t k, const pl_chat_use *use, pl_arena *arena);

/* All right answers of an item that has several: fills targets, n_targets and targets_text of a prompt; of right
 * choices right and n_right. */
pl_status pl__item_targets(pl_prompt *out, const pl_task *task, const pl_template *t, const pl_row *row,
                           pl_arena *arena);

/* A name that may become part of a file name: letters, digits, '.', '_', '-'. */
pl_status pl__check_name(const pl_yaml_node *node, const char *name);

#endif
