/* plumb render: the exact prompts of a cell, with token boundaries; nothing runs. Without --cell: the list of cells. */
#include <stdio.h>
#include <stdlib.h>

#include "base/visible.h"
#include "cli/cli.h"
#include "experiment/render.h"

enum { SHOWN = 3 }; /* prompts that are printed; --json gives all */

static void print_pieces(const json_t *pieces)
{
    size_t i;
    json_t *piece;
    json_array_foreach(pieces, i, piece) pl_print(stdout, "%s|", json_string_value(piece));
    puts("");
}

static void print_item(void *listener, const json_t *item)
{
    const json_t *continuations = json_object_get(item, "continuations"), *gold = json_object_get(item, "gold");
    (void)listener;
    pl_print(stdout, "doc_id %lld, %zu tokens: %s", (long long)json_integer_value(json_object_get(item, "doc_id")),
             json_array_size(json_object_get(item, "ids")), json_string_value(json_object_get(item, "context")));
    puts("");
    print_pieces(json_object_get(item, "pieces"));
    for (size_t c = 0; c < json_array_size(continuations); c++) {
        bool right = json_is_integer(gold) && (size_t)json_integer_value(gold) == c;
        pl_print(stdout, "%s '%s': ", right ? "=>" : "->", json_string_value(json_array_get(continuations, c)));
        print_pieces(json_array_get(json_object_get(item, "continuation_pieces"), c));
    }
    if (json_is_true(json_object_get(item, "merged"))) puts("(a token spans the border of prompt and answer)");
    puts("");
}

typedef struct gathered {
    json_t *list;
    bool lost; /* for want of memory */
} gathered;

static void gather(void *listener, const json_t *item)
{
    gathered *g = listener;
    if (json_array_append(g->list, (json_t *)(uintptr_t)item) != 0) g->lost = true;
}

static void name_cell(const pl_plan *plan, size_t u)
{
    char name[PL_UNIT_NAME];
    const pl_plan_unit *unit = &plan->units[u];
    pl_plan_unit_name(name, unit);
    pl_print(stdout, "%zu: %s, %s, %s, %s%s\n", u, plan->models[unit->model].spec->name,
             plan->tasks[unit->task].task->name, name, pl_readout_name(unit->readout),
             unit->learns ? " (learns: no prompts)" : "");
}

static pl_status read_cell(size_t *out, const pl_plan *plan, const char *text)
{
    char *end;
    *out = strtoul(text, &end, 10);
    if (*text >= '0' && *text <= '9' && !*end && *out < plan->n_units) return PL_OK;
    return pl_fail(PL_E_USAGE,
                   "--cell: expected a number from 0 to %zu, found '%s'; without --cell the cells are listed",
                   plan->n_units - 1, text);
}

static pl_status render(const pl_plan *plan, const char *text, bool json)
{
    size_t cell;
    PL_TRY(read_cell(&cell, plan, text));
    const pl_plan_unit *unit = &plan->units[cell];
    if (!json) {
        name_cell(plan, cell);
        return pl_render_unit(plan, unit, SHOWN, print_item, NULL);
    }
    gathered g = {.list = json_array()};
    json_t *object = NULL;
    pl_status status = pl_render_unit(plan, unit, SIZE_MAX, gather, &g);
    if (status == PL_OK && (!g.list || g.lost)) status = pl_fail(PL_E_MEMORY, "out of memory while rendering");
    if (status == PL_OK)
        object = json_pack("{s:I, s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:O}", "cell", (json_int_t)cell, "unit", unit->id,
                           "task", plan->tasks[unit->task].task->name, "template", unit->template->name, "readout",
                           pl_readout_name(unit->readout), "k", (json_int_t)unit->k, "draw", (json_int_t)unit->draw,
                           "model", plan->models[unit->model].spec->name, "prompts", g.list);
    if (status == PL_OK && unit->chat && json_object_set_new(object, "chat", json_string(unit->chat->label)) != 0)
        status = pl_fail(PL_E_MEMORY, "out of memory while rendering");
    if (status == PL_OK) status = pl_print_json(object, true);
    json_decref(g.list);
    return status;
}

pl_status pl_verb_render(const pl_arguments *arguments)
{
    pl_spec *spec = NULL;
    pl_plan *plan = NULL;
    const char *cell = arguments->values[PL_OPTION_CELL];
    bool json = pl_argument_flag(arguments, PL_OPTION_JSON);
    pl_status status;
    if (json && !cell) return pl_fail(PL_E_USAGE, "--json needs --cell N");
    PL_GOTO(status, done, pl_spec_read(&spec, arguments->words[0], arguments->words + 1, arguments->n_words - 1));
    PL_GOTO(status, done, pl_plan_create(&plan, spec));
    for (size_t u = 0; !cell && u < plan->n_units; u++) name_cell(plan, u);
    if (cell) status = render(plan, cell, json);
done:
    pl_plan_free(plan);
    pl_spec_free(spec);
    return status;
}
