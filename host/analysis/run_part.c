#include "analysis/run_part.h"

#include <string.h>

static bool sees(pl_run_part part, bool first)
{
    return part.half == PL_RUN_WHOLE || (first != part.swapped) == (part.half == PL_RUN_DECIDES);
}

/* The first template of the task that asks in the same words; itself, where nothing tells. */
static size_t first_of_wording(const pl_planned_task *task, size_t t)
{
    const json_t *text = json_object_get(task->templates[t].config, "doc_to_text");
    size_t first = 0;
    while (first < t && !(text && json_equal(text, json_object_get(task->templates[first].config, "doc_to_text"))))
        first++;
    return first;
}

bool pl__part_sees_template(pl_run_part part, const pl_planned_task *task, const char *name, pl_role role)
{
    size_t at = 0, own, turn = 0;
    if (part.half == PL_RUN_WHOLE) return true;
    if (role != PL_ROLE_OOD) return part.half == PL_RUN_DECIDES;
    while (at < task->n_templates && strcmp(task->templates[at].name, name) != 0) at++;
    if (at == task->n_templates) return false;
    own = first_of_wording(task, at);
    for (size_t t = 0; t < own; t++)
        turn += !strcmp(task->templates[t].role, pl_role_name(PL_ROLE_OOD)) && first_of_wording(task, t) == t;
    return sees(part, turn % 2 == 0);
}

bool pl__part_sees_item(pl_run_part part, uint64_t cluster)
{
    uint64_t mixed = (cluster ^ cluster >> 32) * 0x9e3779b97f4a7c15u;
    return sees(part, (mixed >> 40) % 2 == 0);
}
