#include "analysis/maps.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/scope.h"
#include "base/progress.h"

pl_status pl__maps_open(pl_run_maps *out, const pl_plan_file *plan, const pl_processor *on)
{
    *out = (pl_run_maps){.settings.processor = on};
    if (!plan->maps) return PL_OK;
    out->layers = json_object_get(plan->maps, "layers");
    out->settings.perplexity = (double)json_integer_value(json_object_get(plan->maps, "perplexity"));
    out->settings.dims = (size_t)json_integer_value(json_object_get(plan->maps, "dims"));
    out->settings.seeds = (size_t)json_integer_value(json_object_get(plan->maps, "seeds"));
    return PL_OK;
}

void pl__maps_free(pl_run_maps *maps)
{
    for (size_t i = 0; i < maps->n; i++) pl_state_map_free(&maps->maps[i].map);
    free(maps->maps);
    *maps = (pl_run_maps){0};
}

/* ---- which layers ---- */

long pl__layer_number(const char *name)
{
    static const char last[] = "last.";
    if (strncmp(name, last, sizeof last - 1)) return -1;
    char *end;
    long number = strtol(name + sizeof last - 1, &end, 10);
    return *end || end == name + sizeof last - 1 ? -1 : number;
}

static bool is_word(const char *word, const char *name, long deepest, long middle)
{
    const long number = pl__layer_number(name);
    if (!strcmp(word, "final_norm")) return !strcmp(name, "last.final_norm");
    if (!strcmp(word, "all")) return number >= 0 || !strcmp(name, "last.final_norm");
    if (number < 0) return false;
    return number == (!strcmp(word, "half") ? middle : !strcmp(word, "last") ? deepest : strtol(word, NULL, 10));
}

void pl__maps_choose(bool *wanted, const pl_run_maps *maps, const char *const *names, size_t n)
{
    long deepest = -1, middle = -1;
    const json_t *word;
    size_t w;
    for (size_t i = 0; i < n; i++)
        if (pl__layer_number(names[i]) > deepest) deepest = pl__layer_number(names[i]);
    for (size_t i = 0; i < n; i++) {
        const long number = pl__layer_number(names[i]);
        if (number >= 0 && (middle < 0 || labs(2 * number - deepest) <= labs(2 * middle - deepest))) middle = number;
    }
    for (size_t i = 0; i < n; i++) {
        wanted[i] = false;
        json_array_foreach(maps->layers, w, word) if (is_word(json_string_value(word), names[i], deepest, middle))
            wanted[i] = true;
    }
}

/* ---- what a map starts from ---- */

static bool same_points(const pl_run_map *a, const pl_run_map *b)
{
    if (a->n != b->n || a->t != b->t || memcmp(a->doc_id, b->doc_id, a->n * sizeof *a->doc_id) != 0) return false;
    for (size_t k = 0; k < a->t; k++)
        if (strcmp(a->templates[k], b->templates[k])) return false;
    return true;
}

/* The map of the same layer of the model that was tuned, prompted; or the one before it; NULL: neither. */
static const pl_run_map *find_start(const pl_run_maps *maps, const pl_run_map *m)
{
    const bool tuned = !strcmp(m->unit->kind, "finetune");
    for (size_t i = 0; tuned && i < maps->n; i++) {
        const pl_run_map *other = &maps->maps[i];
        if (!strcmp(other->unit->kind, "prompt") && !strcmp(other->unit->model, m->unit->model) &&
            !strcmp(other->unit->task, m->unit->task) && !strcmp(other->layer, m->layer) && other->map.has_map &&
            same_points(other, m))
            return other;
    }
    if (maps->n == 0) return NULL;
    const pl_run_map *before = &maps->maps[maps->n - 1];
    return before->unit == m->unit && before->map.has_map && same_points(before, m) ? before : NULL;
}

static pl_status name_start(pl_run_map *m, const pl_run_map *start, pl_arena *arena)
{
    m->start = "components";
    if (!start) return PL_OK;
    if (start->unit == m->unit) return pl_arena_format(arena, (char **)&m->start, "layer %s", start->layer);
    return pl_arena_format(arena, (char **)&m->start, "%s k=%lld", start->unit->arm, start->unit->k);
}

/* ---- a map ---- */

static bool all_the_same(const float *x, size_t rows, size_t width)
{
    for (size_t i = 1; i < rows; i++)
        for (size_t d = 0; d < width; d++)
            if (x[i * width + d] != x[d]) return false;
    return true;
}

static void count_step(void *context)
{
    pl_progress *p = context;
    pl_progress_set(p, p->done + 1);
}

static const char FEW[] = "fewer than 100 points";

static pl_status place_points(pl_run_map *m, const float *x, size_t width, pl_run_maps *maps, pl_arena *arena)
{
    const size_t rows = m->n * m->t;
    pl_map_settings settings = maps->settings;
    char label[64];
    pl_progress progress;
    if (rows < 2 || all_the_same(x, rows, width))
        m->why = "no variance";
    else if (rows < PL_MAP_LEAST)
        m->why = FEW;
    else if (3 * (size_t)settings.perplexity > rows - 1)
        m->why = "perplexity is more than a third of the points";
    if (*m->why && strcmp(m->why, FEW)) return PL_OK;
    if (*m->why) return pl_state_map_of(&m->map, x, rows, width, &settings); /* principal components alone */
    const pl_run_map *start = find_start(maps, m);
    PL_TRY(name_start(m, start, arena));
    if (start) settings.start = start->map.plain.at;
    settings.step = count_step;
    settings.context = &progress;
    snprintf(label, sizeof label, "map of %.40s", m->layer);
    pl_progress_start(&progress, label, "iterations", pl_map_iterations(settings.seeds), !isatty(STDERR_FILENO));
    PL_TRY(pl_state_map_of(&m->map, x, rows, width, &settings));
    pl_progress_end(&progress);
    return PL_OK;
}

static pl_status name_points(pl_run_map *m, const pl__group *group, const pl__member *member, const pl__layer *layer,
                             pl_arena *arena)
{
    int64_t *ids;
    const char **names;
    PL_TRY(pl_arena_new(arena, &ids, m->n));
    PL_TRY(pl_arena_new(arena, &names, m->t));
    for (size_t i = 0; i < m->n; i++) ids[i] = group->doc_id[layer->item[i]];
    for (size_t k = 0; k < m->t; k++) names[k] = member->cells[k].unit->template_name;
    m->doc_id = ids;
    m->templates = names;
    return PL_OK;
}

pl_status pl__maps_add(pl_run_maps *maps, const pl__group *group, const pl__member *member, const pl__layer *layer,
                       pl_arena *arena)
{
    const size_t most = PL_MAP_POINTS / layer->t > 0 ? PL_MAP_POINTS / layer->t : 1;
    pl_run_map m = {.unit = member->cells[0].unit,
                    .position = layer->position,
                    .layer = layer->name,
                    .n = layer->n < most ? layer->n : most,
                    .t = layer->t,
                    .start = "",
                    .why = ""};
    float *x;
    size_t size = 0;
    PL_TRY(pl_grow(&maps->maps, &maps->capacity, maps->n + 1));
    PL_TRY(name_points(&m, group, member, layer, arena));
    PL_TRY(pl_mul_size(&size, m.n * m.t, layer->width, "states of a map"));
    PL_TRY(pl_new(&x, size));
    for (size_t k = 0; k < m.t; k++)
        if (m.n > 0) memcpy(x + k * m.n * layer->width, layer->states[k], m.n * layer->width * sizeof *x);
    pl_status status = place_points(&m, x, layer->width, maps, arena);
    free(x);
    if (status == PL_OK) maps->maps[maps->n++] = m;
    return status;
}

/* ---- rows of the table ---- */

static pl_status say(pl__measured *out, const pl__scope *scope, double value, double null)
{
    const pl_run_map *m = scope->subject->map;
    out->kind = PL__FIXED;
    out->estimate = pl__only_value(*m->why ? NAN : value);
    out->unpooled = true;
    out->n = m->n;
    out->why_empty = *m->why ? m->why : "of a picture: how it varies over seeds stands in analysis.h5";
    if (!*m->why) out->null_mean = null;
    return m->n < scope->subject->n
               ? pl__measured_note(out, scope, "%zu of %zu items, by chance", m->n, scope->subject->n)
               : PL_OK;
}

pl_status pl__metric_tsne_kl(pl__measured *out, pl__scope *scope)
{
    const pl_run_map *m = scope->subject->map;
    return m ? say(out, scope, m->map.plain.kl, NAN) : PL_OK;
}

pl_status pl__metric_tsne_knn(pl__measured *out, pl__scope *scope)
{
    const pl_run_map *m = scope->subject->map;
    return m ? say(out, scope, m->map.plain.quality.knn_recall, PL_QUALITY_RECALL / (double)(m->n * m->t - 1)) : PL_OK;
}

pl_status pl__metric_tsne_trustworthiness(pl__measured *out, pl__scope *scope)
{
    const pl_run_map *m = scope->subject->map;
    return m ? say(out, scope, m->map.plain.quality.trustworthiness, NAN) : PL_OK;
}

pl_status pl__metric_tsne_continuity(pl__measured *out, pl__scope *scope)
{
    const pl_run_map *m = scope->subject->map;
    return m ? say(out, scope, m->map.plain.quality.continuity, NAN) : PL_OK;
}
