/* Loops: the turns of a for, a recursive one that calls itself, and what `loop` knows. */
#include <string.h>

#include "jinja/tree.h"

/* The elements for which the condition of a for holds. A new reference. */
static pl_status chosen_elements(const pl_jinja *j, const pl__jinja_piece *piece, const json_t *item,
                                 const json_t *elements, json_t **out)
{
    PL_TRY(pl__jinja_new_array(j, out, PL__J_MARKS));
    pl_status status = PL_OK;
    for (size_t i = 0; i < json_array_size(elements) && status == PL_OK; i++) {
        json_t *element = json_array_get(elements, i), *condition = NULL;
        size_t outer = pl__jinja_enter(j);
        status = pl__jinja_bind(j, piece->at, &piece->targets, element);
        if (status == PL_OK) status = pl__jinja_eval(j, piece->condition, item, &condition);
        if (status == PL_OK && pl__jinja_true(j, condition))
            status = pl__jinja_add(j, piece->at, *out, json_incref(element));
        json_decref(condition);
        pl__jinja_leave(j, outer);
    }
    return pl__jinja_kept(out, status);
}

/* *whole: some turn came to its end. */
static pl_status render_turns(const pl_jinja *j, const pl__jinja_piece *piece, const json_t *item, bool *whole,
                              pl_bytes *out)
{
    pl__jinja_loop *loop = j->run->loop;
    pl_status status = PL_OK;
    for (; loop->index < json_array_size(loop->elements) && status == PL_OK; loop->index++) {
        size_t outer = pl__jinja_enter(j);
        status = pl__jinja_step(j, piece->at);
        if (status == PL_OK)
            status = pl__jinja_bind(j, piece->at, &piece->targets, json_array_get(loop->elements, loop->index));
        if (status == PL_OK) status = pl__jinja_render_pieces(j, piece->body, item, out);
        pl__jinja_leave(j, outer);
        bool ends = j->run->control == PL__J_END_LOOP;
        *whole = *whole || j->run->control == PL__J_GO_ON;
        j->run->control = PL__J_GO_ON;
        if (ends) break;
    }
    return status;
}

/* The for over `of`, called `depth` times by itself. */
static pl_status render_over(const pl_jinja *j, const pl__jinja_piece *piece, const json_t *item, const json_t *of,
                             const pl__jinja_closure *self, size_t depth, pl_bytes *out)
{
    pl__jinja_loop *outer_loop = j->run->loop;
    json_t *elements = NULL, *chosen = NULL;
    pl_status status;
    PL_GOTO(status, done, pl__jinja_elements(j, piece->at, of, &elements));
    if (piece->condition) {
        PL_GOTO(status, done, chosen_elements(j, piece, item, elements, &chosen));
        json_decref(elements);
        elements = json_incref(chosen);
    }
    bool whole = false; /* jinja2 takes the else also where a break or continue cut every turn short */
    pl__jinja_loop loop = {.elements = elements, .depth = depth, .self = *self};
    j->run->loop = &loop;
    status = render_turns(j, piece, item, &whole, out);
    j->run->loop = outer_loop;
    json_decref(loop.changed);
    if (status == PL_OK && !whole && piece->or_else) {
        size_t outer = pl__jinja_enter(j);
        status = pl__jinja_render_pieces(j, piece->or_else, item, out);
        pl__jinja_leave(j, outer);
    }
done:
    json_decref(elements);
    json_decref(chosen);
    return status;
}

pl_status pl__jinja_render_for(const pl_jinja *j, const pl__jinja_piece *piece, const json_t *item, pl_bytes *out)
{
    json_t *of;
    const pl__jinja_closure self =
        piece->recursive ? pl__jinja_close_over(j, piece) : (pl__jinja_closure){.piece = NULL};
    PL_TRY(pl__jinja_eval_kept(j, piece->expression, item, &of));
    pl_status status = render_over(j, piece, item, of, &self, 0, out);
    json_decref(of);
    return status;
}

pl_status pl__jinja_loop_again(const pl_jinja *j, const pl__jinja_node *call, const json_t *item, json_t **out)
{
    const pl__jinja_loop *loop = j->run->loop;
    const pl__jinja_closure self = loop->self;
    size_t depth = loop->depth + 1;
    pl__jinja_elsewhere state;
    pl_bytes text = {0};
    json_t *of;
    if (!self.piece) return pl_jinja_fail(j, call->at, "loop(...) belongs to a for that is recursive");
    if (call->n != 1 || call->keys[0])
        return pl_jinja_fail(j, call->at, "loop(...): expected the elements, and no more");
    PL_TRY(pl__jinja_eval_kept(j, call->items[0], item, &of));
    pl__jinja_go_there(j, &self, &state);
    pl_status status = render_over(j, self.piece, item, of, &self, depth, &text);
    pl__jinja_come_back(j, &state);
    if (status == PL_OK) status = pl__jinja_new_text(j, call->at, out, text.data, text.size);
    json_decref(of);
    pl_bytes_free(&text);
    return status;
}

/* ---- what `loop` knows ---- */

pl_status pl__jinja_loop_field(const pl_jinja *j, size_t at, const char *name, bool *found, json_t **out)
{
    const pl__jinja_loop *loop = j->run->loop;
    size_t length = json_array_size(loop->elements);
    const struct {
        const char *name;
        size_t value;
    } numbers[] = {{"index", loop->index + 1},
                   {"index0", loop->index},
                   {"length", length},
                   {"revindex", length - loop->index},
                   {"revindex0", length - loop->index - 1},
                   {"depth", loop->depth + 1},
                   {"depth0", loop->depth}};
    *found = true;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (pl__jinja_same_name(name, numbers[i].name))
            return pl__jinja_made(out, json_integer((json_int_t)numbers[i].value));
    if (pl__jinja_same_name(name, "first")) return pl__jinja_made(out, json_boolean(loop->index == 0));
    if (pl__jinja_same_name(name, "last")) return pl__jinja_made(out, json_boolean(loop->index + 1 == length));
    bool previous = strcmp(name, "previtem") == 0;
    if (!previous && strcmp(name, "nextitem") != 0)
        return pl_jinja_fail(
            j, at,
            "loop has no field '%s'; expected index, index0, revindex, revindex0, first, last, length, "
            "depth, depth0, previtem, nextitem, cycle(...) or changed(...)",
            name);
    *found = previous ? loop->index > 0 : loop->index + 1 < length;
    *out = *found ? json_incref(json_array_get(loop->elements, previous ? loop->index - 1 : loop->index + 1)) : NULL;
    return PL_OK;
}

pl_status pl__jinja_loop_changed(const pl_jinja *j, size_t at, json_t *values, bool *out)
{
    pl__jinja_loop *loop = j->run->loop;
    bool same = false;
    pl_status status = loop->changed ? pl__jinja_same(j, at, loop->changed, values, &same) : PL_OK;
    *out = !same;
    json_decref(loop->changed);
    loop->changed = values;
    return status;
}
