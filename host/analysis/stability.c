/* From a run to the stability table: groups, their members, then means over members (stability.h). */
#include "analysis/stability.h"

#include <stdlib.h>
#include <string.h>

#include "analysis/drift.h"
#include "analysis/family.h"
#include "analysis/layer_pairs.h"
#include "analysis/remarks.h"
#include "analysis/rows.h"

typedef struct making {
    pl__rows rows;
    pl__remarks remarks;
    pl_stability_table *table;
} making;

/* ---- one member ---- */

/* Why there is nothing to measure; NULL when there is. What is left out is still counted. */
static const char *nothing_to_measure(const pl__subject *s, pl_metric_id id)
{
    if (id == PL_METRIC_NOT_FINITE || id == PL_METRIC_STATES_NOT_FINITE) return NULL;
    if (s->layer) return s->n < 2 ? "fewer than two items with finite states" : NULL;
    return s->n == 0 ? "no item is finite in all units" : NULL;
}

/* A row without a value, so that what could not be measured does not look like what was not asked for. */
static void leave_empty(pl__measured *m, pl_metric_id id, const pl__scope *scope, const char *why)
{
    bool shown = pl_metric_of(id)->screen != PL_SCREEN_NONE && scope->over & (PL_OVER_TEMPLATE | PL_OVER_TEMPLATES);
    if (!shown) return;
    m->kind = PL__FIXED;
    m->estimate = pl__only_value(NAN);
    m->why_empty = why;
}

/* The number once more without each template of the scope: into subject->templates. Items stay as they are. */
static pl_status leave_templates_out(pl__measured *m, pl_metric_id id, const pl__scope *scope)
{
    pl__subject *s = scope->subject;
    double *items = NULL;
    size_t *rest = NULL;
    pl_status status;
    if (scope->t < PL_JACKKNIFE_MIN) return PL_OK;
    PL_GOTO(status, done, pl_new(&items, s->n));
    PL_GOTO(status, done, pl_new(&rest, scope->t));
    if (s->n) memcpy(items, s->items, s->n * sizeof *items);
    for (size_t k = 0; k < scope->t && status == PL_OK; k++) {
        pl__scope part = {.subject = s,
                          .over = scope->over,
                          .contrast = scope->contrast,
                          .template_name = "",
                          .t = scope->t - 1,
                          .templates = rest,
                          .preprocessing = scope->preprocessing,
                          .is_part = true};
        pl__measured without = pl__measured_none(&part, pl_metric_of(id)->high);
        for (size_t j = 0, at = 0; j < scope->t; j++)
            if (j != k) rest[at++] = scope->templates[j];
        status = pl_metric_of(id)->measure(&without, &part);
        s->templates[k] = without.kind == PL__LEFT_OUT                             ? without.value
                          : without.kind == PL__ITEMS || without.kind == PL__SHARE ? pl_mean(s->items, s->n)
                                                                                   : NAN;
        pl_agreement_free(&part.agreement);
    }
    if (s->n) memcpy(s->items, items, s->n * sizeof *items);
    m->templates = PL__TEMPLATES_LEFT_OUT;
done:
    free(rest);
    free(items);
    return status;
}

static pl_status measure_scope(pl__rows *rows, pl_metric_id id, pl__scope *scope)
{
    pl__measured m = pl__measured_none(scope, pl_metric_of(id)->high);
    const char *nothing = nothing_to_measure(scope->subject, id);
    if (nothing)
        leave_empty(&m, id, scope, nothing);
    else
        PL_TRY(pl_metric_of(id)->measure(&m, scope));
    if (m.leave_out && scope->over != PL_OVER_PAIR) PL_TRY(leave_templates_out(&m, id, scope));
    return pl__rows_add(rows, id, scope, &m);
}

/* Every metric of behaviour, or of states, over every scope that it has rows for; whole_only: those with
 * PL_OVER_WHOLE. */
static pl_status measure(pl__rows *rows, pl__subject *subject, bool whole_only)
{
    pl__scopes scopes = {0};
    pl_status status;
    PL_TRY(pl__subject_open(subject));
    PL_GOTO(status, done, pl__scopes_make(&scopes, subject));
    for (pl_metric_id id = 0; id < PL_METRICS; id++) {
        const pl_metric *metric = pl_metric_of(id);
        if ((*metric->preprocessing != '\0') != (subject->layer != NULL)) continue;
        if (whole_only && !(metric->over & PL_OVER_WHOLE)) continue;
        if (subject->group->unit->rolls && !pl__is_of_texts(id)) continue;
        for (size_t i = 0; i < scopes.n; i++) {
            pl__scope *scope = &scopes.scopes[i];
            if (!(metric->over & scope->over)) continue;
            for (const char *p = subject->layer ? metric->preprocessing : " "; *p; p++) {
                if (subject->layer && !pl__preprocessing_asked(subject, *p)) continue;
                scope->preprocessing = *p;
                PL_GOTO(status, done, measure_scope(rows, id, scope));
            }
        }
    }
done:
    pl__scopes_free(&scopes);
    pl__subject_close(subject);
    return status;
}

static pl_status behaviour_rows(making *m, const pl__group *g, const pl__member *member)
{
    pl__subject subject = {.group = g,
                           .member = member,
                           .n = g->n,
                           .t = member->t,
                           .arena = m->rows.arena,
                           .members = &member,
                           .n_members = 1};
    return measure(&m->rows, &subject, false);
}

/* What is measured on all whole members at once. */
static pl_status whole_rows(making *m, const pl__group *g)
{
    const pl__member **members;
    pl__subject subject = {.group = g, .n = g->n, .t = g->n_planned, .arena = m->rows.arena};
    PL_TRY(pl_new(&members, g->n_members));
    for (size_t s = 0; s < g->n_members; s++)
        if (g->members[s].whole) members[subject.n_members++] = &g->members[s];
    subject.member = members[0];
    subject.members = members;
    pl_status status = measure(&m->rows, &subject, true);
    free(members);
    return status;
}

static pl_status layer_rows(making *m, const pl__group *g, const pl__member *member, pl_unit_reader *const *readers,
                            pl__prompts *prompts, const char *name, bool probed, bool mapped)
{
    pl__layer layer;
    const char *note = m->rows.base.note;
    pl_status status;
    size_t n_beyond = pl__member_beyond(member);
    PL_TRY(pl__layer_read(&layer, g, member, readers, name, m->rows.arena));
    layer.probed = probed;
    layer.prompts = prompts;
    if (pl_planned_analysis(pl_run_view_plan(g->view), "length"))
        PL_GOTO(status, done, pl__layer_read_tokens(&layer, member, readers));
    pl__subject subject = {.group = g,
                           .member = member,
                           .layer = &layer,
                           .n = layer.n,
                           .t = layer.t,
                           .on = m->rows.on,
                           .arena = m->rows.arena};
    if (layer.n_not_finite > 0)
        PL_GOTO(status, done,
                pl__row_note(&m->rows, &m->rows.base, "%zu of %zu items left out: their states are not finite",
                             layer.n_not_finite, layer.n_captured));
    if (layer.n_absent > 0)
        PL_GOTO(status, done,
                pl__row_note(&m->rows, &m->rows.base, "%zu of %zu items have no state here", layer.n_absent,
                             layer.n_absent + layer.n_captured));
    if (n_beyond > 0)
        PL_GOTO(status, done,
                pl__row_note(&m->rows, &m->rows.base,
                             "%zu values of the units' states, in all layers, did not fit their stored type",
                             n_beyond));
    PL_GOTO(status, done, pl__remarks_layer(&m->remarks, m->rows.arena, g, &layer));
    if (mapped) {
        pl_run_maps *maps = &m->table->maps;
        PL_GOTO(status, done, pl__maps_add(maps, g, member, &layer, m->rows.arena));
        subject.map = &maps->maps[maps->n - 1];
    }
    status = member->t < 2 ? PL_OK : measure(&m->rows, &subject, false);
done:
    m->rows.base.note = note;
    pl__layer_free(&layer);
    return status;
}

/* Where probes are made, at the last token: at the readout (final_norm; the last block where that is not kept) and at
 * the layer that is nearest to half way, the deeper of two. */
static void choose_probed(bool *probed, const char *const *names, size_t n)
{
    long deepest = 0;
    size_t readout = n, middle = n;
    for (size_t i = 0; i < n; i++)
        if (pl__layer_number(names[i]) > deepest) deepest = pl__layer_number(names[i]);
    for (size_t i = 0; i < n; i++) {
        long number = pl__layer_number(names[i]);
        probed[i] = false;
        if (!strcmp(names[i], "last.final_norm") || (readout == n && number >= 0 && number == deepest)) readout = i;
        if (number >= 0 &&
            (middle == n || labs(2 * number - deepest) <= labs(2 * pl__layer_number(names[middle]) - deepest)))
            middle = i;
    }
    if (readout < n) probed[readout] = true;
    if (middle < n) probed[middle] = true;
}

/* The states of a member with one template are held against nothing. */
static pl_status note_one_template(making *m, const pl__group *g, const pl__member *member)
{
    pl_unit_reader *reader;
    const char **names;
    size_t n = 0;
    if (m->remarks.one_template || member->t == 0 || g->n < 2) return PL_OK;
    PL_TRY(pl_unit_open(&reader, member->cells[0].unit->path));
    pl_status status = pl__layer_names(&names, &n, &reader, 1, g->arena);
    pl_unit_close(reader);
    m->remarks.one_template = n > 0;
    return status;
}

/* Every position and layer that all units of the member have; of one with a single template maps alone. */
static pl_status representation_rows(making *m, const pl__group *g, const pl__member *member)
{
    pl_unit_reader **readers = NULL;
    const char **names;
    pl__prompts *prompts;
    bool *probed = NULL, *mapped = NULL;
    const bool maps = m->table->maps.layers && member == g->members;
    size_t n_names;
    pl_status status;
    if (member->t < 2 || g->n < 2) PL_TRY(note_one_template(m, g, member));
    if ((member->t < 2 && !maps) || g->n < 2) return PL_OK;
    PL_TRY(pl_new(&readers, member->t));
    for (size_t k = 0; k < member->t; k++)
        PL_GOTO(status, done, pl_unit_open(&readers[k], member->cells[k].unit->path));
    PL_GOTO(status, done, pl__layer_names(&names, &n_names, readers, member->t, g->arena));
    PL_GOTO(status, done, pl_new(&probed, n_names));
    choose_probed(probed, names, n_names);
    PL_GOTO(status, done, pl_new(&mapped, n_names));
    PL_GOTO(status, done, pl__prompts_read(&prompts, member, readers, g->arena));
    if (maps) pl__maps_choose(mapped, &m->table->maps, names, n_names);
    for (size_t i = 0; i < n_names; i++)
        if (member->t > 1 || mapped[i])
            PL_GOTO(status, done, layer_rows(m, g, member, readers, prompts, names[i], probed[i], mapped[i]));
done:
    for (size_t k = 0; k < member->t; k++) pl_unit_close(readers[k]);
    free(readers);
    free(mapped);
    free(probed);
    return status;
}

/* ---- one group ---- */

static void group_base(pl_stability_row *base, const pl_run_unit *unit)
{
    *base = (pl_stability_row){.model = unit->model,
                               .task = unit->task,
                               .arm = unit->arm,
                               .readout = unit->readout,
                               .k = unit->k,
                               .template_name = "",
                               .layer = "",
                               .position = "",
                               .preproc = "",
                               .ci_method = "none",
                               .n_seeds = 1,
                               .generalises = "",
                               .p = NAN,
                               .p_adjusted = NAN,
                               .null_mean = NAN,
                               .null_sd = NAN,
                               .null_q95 = NAN,
                               .null_name = "",
                               .unit = "",
                               .why_empty = "",
                               .null_why = "",
                               .note = ""};
}

static pl_status group_note(pl__rows *rows, const pl__group *g)
{
    if (g->n_shared < g->n_largest)
        PL_TRY(pl__row_note(rows, &rows->base, "%zu of %zu items are in all units", g->n_shared, g->n_largest));
    if (g->n_not_finite > 0)
        PL_TRY(pl__row_note(rows, &rows->base, "%zu of %zu items left out: not finite in some unit", g->n_not_finite,
                            g->n_shared));
    return PL_OK;
}

static pl_status member_base(pl__rows *rows, const pl__group *g, const pl__member *member, const char *group_note)
{
    rows->base.draw = member->draw;
    rows->base.order = member->order;
    rows->base.seed = member->seed;
    rows->base.note = group_note;
    if (member->t == g->n_planned) return PL_OK;
    return pl__row_note(rows, &rows->base, "%zu of %zu templates are there", member->t, g->n_planned);
}

/* -1 where members differ. */
static void pooled_base(pl__rows *rows, const pl__group *g, const char *group_note)
{
    rows->base.draw = g->members[0].draw;
    rows->base.order = g->members[0].order;
    rows->base.seed = g->members[0].seed;
    rows->base.note = group_note;
    for (size_t s = 1; s < g->n_members; s++) {
        if (g->members[s].draw != g->members[0].draw) rows->base.draw = -1;
        if (g->members[s].order != g->members[0].order) rows->base.order = -1;
        if (g->members[s].seed != g->members[0].seed) rows->base.seed = -1;
    }
}

/* Members that lack templates have rows of their own but no part in the means. */
static pl_status group_rows(making *m, const pl__group *g)
{
    pl__rows *rows = &m->rows;
    size_t n_whole = 0;
    rows->sampled = g->unit->k > 0 || g->unit->n_train > 0;
    PL_TRY(group_note(rows, g));
    const char *note = rows->base.note;
    for (size_t s = 0; s < g->n_members; s++) n_whole += g->members[s].whole;
    for (size_t s = 0; s < g->n_members; s++) {
        rows->pooling = n_whole > 1 && g->members[s].whole ? n_whole : 0;
        PL_TRY(member_base(rows, g, &g->members[s], note));
        PL_TRY(behaviour_rows(m, g, &g->members[s]));
        PL_TRY(representation_rows(m, g, &g->members[s]));
    }
    if (n_whole < 2) return pl__curve_rows(rows);
    pooled_base(rows, g, note);
    if (n_whole < g->n_members)
        PL_TRY(pl__row_note(rows, &rows->base, "%zu of %zu draws are whole", n_whole, g->n_members));
    rows->pooling = n_whole;
    PL_TRY(pl__rows_pooled(rows));
    rows->base.n_seeds = n_whole;
    PL_TRY(whole_rows(m, g));
    rows->base.n_seeds = 1;
    return pl__curve_rows(rows);
}

/* ---- the run ---- */

static void note_random(pl_stability_table *table, const pl_run_unit *unit)
{
    if (!unit->model_facts->random_weights) return;
    for (size_t i = 0; i < table->n_random_models; i++)
        if (!strcmp(table->random_models[i], unit->model)) return;
    table->random_models[table->n_random_models++] = unit->model;
}

const char *pl_random_control(const pl_planned_model *models, size_t n, const char *model)
{
    size_t of = 0;
    while (of < n && strcmp(models[of].name, model)) of++;
    if (of == n || models[of].random_weights) return NULL;
    for (size_t i = 0; i < n; i++)
        if (models[i].random_weights && models[i].parameters == models[of].parameters &&
            !strcmp(models[i].model_type, models[of].model_type))
            return models[i].name;
    return NULL;
}

static pl_status all_rows(making *m, pl_run_view *view)
{
    size_t n = pl_run_view_n_units(view);
    m->table->models = pl_run_view_plan(view)->models;
    m->table->n_models = pl_run_view_plan(view)->n_models;
    PL_TRY(pl_arena_new(m->table->arena, &m->table->random_models, m->table->n_models));
    for (size_t i = 0; i < n; i++) {
        pl__group group;
        if (pl_run_view_unit(view, i)->group != i) continue;
        group_base(&m->rows.base, pl_run_view_unit(view, i));
        PL_TRY(pl__group_read(&group, view, i));
        pl_status status = PL_OK;
        if (group.n_members > 0) {
            note_random(m->table, group.unit);
            status = pl__remarks_group(&m->remarks, m->table->arena, &group);
            if (status == PL_OK) status = group_rows(m, &group);
            if (status == PL_OK) status = pl__drift_rows(&m->rows, view, i);
            if (status == PL_OK && pl_planned_analysis(pl_run_view_plan(view), "layer_pairs"))
                status = pl__layer_pair_rows(&m->rows, view, i);
        }
        pl__group_free(&group);
        PL_TRY(status);
    }
    return PL_OK;
}

pl_status pl_stability_of_run(pl_stability_table **out, pl_run_view *view, const char *device)
{
    making m = {0};
    pl_processor processor = {0};
    pl_status status;
    *out = NULL;
    PL_TRY(pl_new(&m.table, 1));
    PL_GOTO(status, done, pl_processor_open(&processor, device ? device : "cpu", 0));
    m.rows.on = &processor;
    PL_GOTO(status, done, pl_arena_create(&m.table->arena));
    m.rows.arena = m.table->arena;
    if (pl_run_view_is_whole(view))
        PL_GOTO(status, done, pl__maps_open(&m.table->maps, pl_run_view_plan(view), &processor));
    PL_GOTO(status, done, all_rows(&m, view));
    PL_GOTO(status, done, pl__families_adjust(m.rows.rows, m.rows.n));
    PL_GOTO(status, done, pl__remarks_finish(&m.remarks, m.table));
    m.table->rows = m.rows.rows;
    m.table->n = m.rows.n;
    m.rows.rows = NULL;
    *out = m.table;
    m.table = NULL;
done:
    pl__rows_free(&m.rows);
    pl__remarks_free(&m.remarks);
    pl_stability_free(m.table);
    pl_processor_close(&processor);
    return status;
}

void pl_stability_free(pl_stability_table *table)
{
    if (!table) return;
    pl__maps_free(&table->maps);
    free(table->rows);
    pl_arena_free(table->arena);
    free(table);
}
