#include "store/result_files.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void pl_result_part(char out[PL_RESULT_FILE], const char *name)
{
    size_t i = 0;
    for (; name[i] && i + 1 < PL_RESULT_FILE; i++) {
        char c = name[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
        out[i] = plain ? c : '_';
    }
    out[i] = '\0';
}

static pl_status make_name(char out[PL_RESULT_FILE], const char *kind, const char *model, const char *task,
                           const char *ending)
{
    char plain_model[PL_RESULT_FILE] = "", plain_task[PL_RESULT_FILE] = "";
    if (model) pl_result_part(plain_model, model);
    if (task) pl_result_part(plain_task, task);
    int n = snprintf(out, PL_RESULT_FILE, "%s%s%s%s%s%s", kind, model ? "_" : "", plain_model, task ? "_" : "",
                     plain_task, ending);
    if (n > 0 && n < PL_RESULT_FILE) return PL_OK;
    return pl_fail(PL_E_INPUT,
                   "'%.80s': the file %.60s... would have a name of more than %d bytes: use a shorter 'name'",
                   model ? model : task, out, PL_RESULT_FILE - 1);
}

pl_status pl_results_file(char out[PL_RESULT_FILE], const char *model)
{
    return make_name(out, "results", model, NULL, ".json");
}

pl_status pl_samples_file(char out[PL_RESULT_FILE], const char *model, const char *task)
{
    return make_name(out, "samples", model, task, ".jsonl");
}

/* One file, and whose it is. */
typedef struct named {
    char file[PL_RESULT_FILE];
    const char *model, *task; /* task NULL: results */
} named;

static int by_file(const void *a, const void *b)
{
    return strcmp(((const named *)a)->file, ((const named *)b)->file);
}

static pl_status refuse(const named *a, const named *b, const char *where)
{
    if (a->task)
        return pl_fail(PL_E_INPUT,
                       "%s: task '%s' of model '%s' and task '%s' of model '%s' would share the file %s: give one of "
                       "the models another 'name'",
                       where, a->task, a->model, b->task, b->model, a->file);
    return pl_fail(PL_E_INPUT, "%s: models '%s' and '%s' would share the file %s: give one of them another 'name'",
                   where, a->model, b->model, a->file);
}

static pl_status list_files(named *all, const char *const *models, size_t n_models, const char *const *tasks,
                            size_t n_tasks)
{
    bool several = n_models > 1;
    for (size_t m = 0; m < n_models; m++) {
        PL_TRY(pl_results_file(all->file, several ? models[m] : NULL));
        (all++)->model = models[m];
        for (size_t t = 0; t < n_tasks; t++) {
            PL_TRY(pl_samples_file(all->file, several ? models[m] : NULL, tasks[t]));
            all->model = models[m];
            (all++)->task = tasks[t];
        }
    }
    return PL_OK;
}

pl_status pl_result_files_check(const char *const *models, size_t n_models, const char *const *tasks, size_t n_tasks,
                                const char *where)
{
    named *all;
    size_t n = n_models * (n_tasks + 1);
    PL_TRY(pl_new(&all, n));
    pl_status status = list_files(all, models, n_models, tasks, n_tasks);
    if (status != PL_OK) status = pl_fail(status, "%s: %s", where, pl_error_text());
    qsort(all, status == PL_OK ? n : 0, sizeof *all, by_file);
    for (size_t i = 1; status == PL_OK && i < n; i++)
        if (strcmp(all[i - 1].file, all[i].file) == 0) status = refuse(&all[i - 1], &all[i], where);
    free(all);
    return status;
}
