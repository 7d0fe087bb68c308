/* Task files from outside, beside good data: what opens makes a prompt of its first item, and its filter, flags and
 * labels read any answer. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "task/answer.h"
#include "task/task.h"

static const char ROWS[] = "{\"text\": \"one\", \"label\": 0, \"word\": \"no\", \"options\": [\"a\", \"b\"]}\n"
                           "{\"text\": \"two\", \"label\": 1, \"word\": \"yes\", \"options\": [\"c\", \"d\"]}\n";

static char path[PL_PATH_MAX]; /* a folder of this process's own */

static void remove_it(void)
{
    char file[PL_PATH_MAX];
    static const char *const names[] = {"data.jsonl", "task.yaml"};
    for (size_t i = 0; i < 2; i++)
        if (pl_path(file, "%s/%s", path, names[i]) == PL_OK) unlink(file);
    rmdir(path);
}

/* The folder, with data under the name that the seeds use. */
static const char *folder(void)
{
    char file[PL_PATH_MAX];
    if (*path) return path;
    snprintf(path, sizeof path, "/tmp/plumb-fuzz-XXXXXX");
    if (!mkdtemp(path) || pl_path(file, "%s/data.jsonl", path) != PL_OK ||
        pl_file_replace(file, ROWS, strlen(ROWS)) != PL_OK)
        abort();
    if (atexit(remove_it) != 0) abort();
    return path;
}

static void read_answer(const pl_task *task, const pl_prompt *p)
{
    static const char answer[] = " **A** (yes), #### 1,234.5 or \\boxed{b}?";
    pl_bytes out = {0};
    pl_outcome outcome;
    size_t label = 0;
    bool equal;
    if (pl_filter_apply(task->filter, &out, answer, strlen(answer)) == PL_OK) {
        pl_exact_match_is(task->exact_match, &equal, out.data, out.size, p->target);
        if (pl_answer_label(&outcome, &label, out.data, out.size, p->choice_texts, p->n_choices) != PL_OK ||
            (outcome == PL_OUTCOME_LABEL && label >= p->n_choices))
            abort();
    }
    pl_bytes_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char file[PL_PATH_MAX];
    pl_task *task;
    if (pl_path(file, "%s/task.yaml", folder()) != PL_OK || pl_file_replace(file, data, size) != PL_OK) abort();
    if (pl_task_open(&task, file) != PL_OK) return 0;
    pl_arena *arena;
    pl_prompt prompt;
    json_t *json;
    if (pl_arena_create(&arena) != PL_OK) abort();
    for (size_t t = 0; t < task->n_templates; t++)
        if (pl_prompt_build(&prompt, task, &task->templates[t], 0, NULL, 0, arena) == PL_OK) read_answer(task, &prompt);
    if (pl_task_generation_json(&json, task) != PL_OK) abort();
    json_decref(json);
    pl_arena_free(arena);
    pl_task_free(task);
    return 0;
}
