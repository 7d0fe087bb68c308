#include "analysis/unit_pair.h"

#include <stdlib.h>
#include <string.h>

/* ---- pairs ---- */

static pl_status add_pair(pl__unit_pairs *p, const pl_run_unit *a, const pl_run_unit *b)
{
    PL_TRY(pl_grow(&p->list, &p->capacity, p->n + 1));
    p->list[p->n++] = (pl__unit_pair){a, b};
    return PL_OK;
}

static bool same_prompt(const pl_run_unit *a, const pl_run_unit *b)
{
    return !strcmp(a->task, b->task) && !strcmp(a->readout, b->readout) && !strcmp(a->template_name, b->template_name);
}

static bool same_place(const pl_run_unit *a, const pl_run_unit *b)
{
    return !strcmp(a->model, b->model) && same_prompt(a, b);
}

static bool is_base(const pl_run_unit *u)
{
    return !strcmp(u->kind, "prompt") && u->k == 0;
}

pl_status pl__pairs_with_base(pl__unit_pairs *p)
{
    size_t n = pl_run_view_n_units(p->view);
    p->n = 0;
    for (size_t i = p->first; i < n; i++) {
        const pl_run_unit *u = pl_run_view_unit(p->view, i);
        if (u->group != p->first || !u->done) continue;
        for (size_t j = 0; j < n; j++) {
            const pl_run_unit *base = pl_run_view_unit(p->view, j);
            if (base->done && is_base(base) && same_place(base, u)) PL_TRY(add_pair(p, base, u));
        }
    }
    return PL_OK;
}

pl_status pl__pairs_of_draws(pl__unit_pairs *p)
{
    size_t n = pl_run_view_n_units(p->view);
    p->n = 0;
    for (size_t i = p->first; i < n; i++)
        for (size_t j = i + 1; j < n; j++) {
            const pl_run_unit *a = pl_run_view_unit(p->view, i), *b = pl_run_view_unit(p->view, j);
            if (a->group == p->first && b->group == p->first && a->done && b->done && a->draw != b->draw &&
                same_place(a, b))
                PL_TRY(add_pair(p, a, b));
        }
    return PL_OK;
}

pl_status pl__pairs_of_templates(pl__unit_pairs *p)
{
    size_t n = pl_run_view_n_units(p->view);
    p->n = 0;
    for (size_t i = p->first; i < n; i++) {
        const pl_run_unit *a = pl_run_view_unit(p->view, i),
                          *b = a->next < n ? pl_run_view_unit(p->view, a->next) : NULL;
        if (a->group == p->first && b && a->done && b->done) PL_TRY(add_pair(p, a, b));
    }
    return PL_OK;
}

pl_status pl__pairs_with_itself(pl__unit_pairs *p)
{
    size_t n = pl_run_view_n_units(p->view);
    p->n = 0;
    for (size_t i = p->first; i < n; i++) {
        const pl_run_unit *u = pl_run_view_unit(p->view, i);
        if (u->group == p->first && u->done) PL_TRY(add_pair(p, u, u));
    }
    return PL_OK;
}

pl_status pl__pairs_with_model(pl__unit_pairs *p, const char *model)
{
    size_t n = pl_run_view_n_units(p->view);
    p->n = 0;
    for (size_t i = p->first; i < n; i++) {
        const pl_run_unit *u = pl_run_view_unit(p->view, i);
        if (u->group != p->first || !u->done) continue;
        for (size_t j = 0; j < n; j++) {
            const pl_run_unit *other = pl_run_view_unit(p->view, j);
            if (other->done && !strcmp(other->model, model) && same_prompt(other, u) && !strcmp(other->arm, u->arm) &&
                other->k == u->k && other->draw == u->draw && other->order == u->order && other->seed == u->seed)
                PL_TRY(add_pair(p, other, u));
        }
    }
    return PL_OK;
}

/* ---- the items that both units of a pair have ---- */

/* Rows stand in one order where the units have the same items, which is looked at first. */
static size_t find_row(const int64_t *ids, size_t n, int64_t id, size_t guess)
{
    if (guess < n && ids[guess] == id) return guess;
    for (size_t r = 0; r < n; r++)
        if (ids[r] == id) return r;
    return n;
}

static pl_status match_items(pl__compared *c)
{
    const pl_run_unit *a = c->cells[0].unit, *b = c->cells[1].unit;
    size_t n = a->obs->n_rows, n_b = b->obs->n_rows;
    const int64_t *ids_a, *ids_b;
    PL_TRY(pl_run_unit_integers(&ids_a, a, "doc_id"));
    PL_TRY(pl_run_unit_integers(&ids_b, b, "doc_id"));
    PL_TRY(pl_arena_new(c->group.arena, &c->group.doc_id, n));
    for (size_t k = 0; k < 2; k++) PL_TRY(pl_arena_new(c->group.arena, &c->cells[k].row, n));
    for (size_t r = 0; r < n; r++) {
        size_t other = find_row(ids_b, n_b, ids_a[r], r);
        if (other == n_b) continue;
        c->group.doc_id[c->group.n] = ids_a[r];
        c->cells[0].row[c->group.n] = r;
        c->cells[1].row[c->group.n++] = other;
    }
    return PL_OK;
}

/* Which of the compared items are clusters. */
static pl_status group_items(pl__compared *c, pl_run_view *view)
{
    PL_TRY(pl_arena_new(c->group.arena, &c->group.group_of, c->group.n));
    if (!pl_run_view_groups(view, c->group.unit, c->group.doc_id, c->group.n, c->group.group_of))
        c->group.group_of = NULL;
    return PL_OK;
}

void pl__compared_close(pl__compared *c)
{
    for (size_t k = 0; k < c->n_taken; k++) pl_run_view_release(c->group.view, c->cells[k].unit);
    for (size_t k = 0; k < 2; k++) pl_unit_close(c->readers[k]);
    pl_arena_free(c->group.arena);
}

pl_status pl__compared_open(pl__compared *c, pl_run_view *view, const pl__unit_pair *p)
{
    *c = (pl__compared){.group = {.view = view, .unit = p->a}, .cells = {{.unit = p->a}, {.unit = p->b}}};
    c->member = (pl__member){.t = 2, .cells = c->cells};
    pl_status status;
    PL_GOTO(status, failed, pl_arena_create(&c->group.arena));
    for (size_t k = 0; k < 2; k++) {
        PL_GOTO(status, failed, pl_run_view_take(view, c->cells[k].unit));
        c->n_taken++;
        PL_GOTO(status, failed, pl_unit_open(&c->readers[k], c->cells[k].unit->path));
    }
    PL_GOTO(status, failed, match_items(c));
    PL_GOTO(status, failed, group_items(c, view));
    return PL_OK;
failed:
    pl__compared_close(c);
    return status;
}
