/* Maps of hidden states: a figure for each model state that has some, with all its layers. Their points are drawn by
 * map.js from a compressed block; the static picture of each layer stands in figures/. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "figure/markup.h"
#include "page/map_part.h"
#include "page/section.h"
#include "page/unit_part.h"

enum {
    PANELS = 3,
    TEXT_BYTES = 160,
    LABELS_MOST = 40, /* that have colours */
    STEPS = 10000     /* places of a panel, each way */
};

static const char CAUTION[] = "Distances between clusters and sizes of clusters in a t-SNE map mean nothing, and "
                              "neighbours mean something only as far as the numbers beside it say.";

/* Items under all templates, and what they were asked and answered: the same in all layers of a state. */
typedef struct points {
    size_t n, t;
    int64_t *item;               /* [n] */
    const char **templates;      /* [t] */
    const char **texts;          /* [n]: how a prompt ends, "" where there is none */
    const char **gold, **answer; /* [t n]; NULL: none */
    pl__texts labels;            /* the first template's, by name: colours; none where they are too many */
    size_t *label;               /* [n]; labels.n: none */
    bool *faint;                 /* [t n] of the layer at hand */
} points;

typedef struct state_maps {
    pl__build *b;
    const pl__subject *s;
    const char *label;  /* of the condition */
    const json_t *head; /* of its first map */
    points points;
    json_t *whole;  /* the first map that has points; NULL: none so far */
    json_t *layers; /* what map.js draws */
} state_maps;

static const char *text_of(const json_t *map, const char *key)
{
    const char *text = json_string_value(json_object_get(map, key));
    return text ? text : "";
}

static double number_of(const json_t *map, const char *key)
{
    const json_t *value = json_object_get(map, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* Takes the value. */
static void add(pl__build *b, json_t *list, json_t *value)
{
    if (json_array_append_new(list, value) != 0 && b->status == PL_OK)
        b->status = pl_fail(PL_E_INPUT, "a map of the report has a name that is no text");
}

/* ---- whose points ---- */

static bool is_same_state(const json_t *a, const json_t *b)
{
    static const char *const keys[] = {"model", "task", "arm", "readout", "k", "draw", "order", "seed", "position"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!json_equal(json_object_get(a, keys[i]), json_object_get(b, keys[i]))) return false;
    return true;
}

static bool is_of(const pl__subject *s, const json_t *head)
{
    return !strcmp(text_of(head, "model"), s->model) && !strcmp(text_of(head, "task"), s->task) &&
           !strcmp(text_of(head, "readout"), s->readout);
}

static const pl_run_unit *find_unit(const pl__run *run, const json_t *head, const char *template)
{
    for (size_t u = 0; u < pl_run_view_n_units(run->view); u++) {
        const pl_run_unit *unit = pl_run_view_unit(run->view, u);
        if (unit->done && !strcmp(unit->model, text_of(head, "model")) && !strcmp(unit->task, text_of(head, "task")) &&
            !strcmp(unit->arm, text_of(head, "arm")) && !strcmp(unit->readout, text_of(head, "readout")) &&
            !strcmp(unit->template_name, template) && (double)unit->k == number_of(head, "k") &&
            (double)unit->draw == number_of(head, "draw") && (double)unit->order == number_of(head, "order") &&
            (double)unit->seed == number_of(head, "seed"))
            return unit;
    }
    return NULL;
}

/* The last bytes of a prompt, where what is asked stands; the first ones of an answer. */
static const char *end_of(pl__build *b, const char *text)
{
    const size_t size = strlen(text);
    if (size <= TEXT_BYTES) return pl__say(b, "%s", text);
    for (text += size - TEXT_BYTES; (*text & 0xC0) == 0x80;) text++;
    return pl__say(b, "\xE2\x80\xA6%s", text);
}

static const char *start_of(pl__build *b, const char *text)
{
    size_t size = strnlen(text, TEXT_BYTES + 1);
    if (size <= TEXT_BYTES) return pl__say(b, "%s", text);
    while (size && (text[size - 1] & 0xC0) == 0x80) size--;
    return pl__say(b, "%.*s\xE2\x80\xA6", (int)size - 1, text);
}

static const char *prompt_of(pl__build *b, const char *sample)
{
    json_t *json = json_loads(sample, 0, NULL);
    const char *prompt = json_string_value(json_array_get(json_array_get(json_object_get(json, "arguments"), 0), 0));
    const char *end = prompt ? end_of(b, prompt) : "";
    json_decref(json);
    return end;
}

/* Of the unit's rows those of the items: labels, answers, and of the first template texts. */
static pl_status take_rows(state_maps *m, size_t k, const pl_run_unit *unit, const pl_run_samples *samples)
{
    points *p = &m->points;
    const int64_t *id;
    const char *const *gold = NULL, *const *answer = NULL;
    PL_TRY(pl_run_unit_integers(&id, unit, "doc_id"));
    if (pl_frame_column(unit->obs, "label")) PL_TRY(pl_run_unit_texts(&gold, unit, "label"));
    if (pl_frame_column(unit->obs, "prediction")) PL_TRY(pl_run_unit_texts(&answer, unit, "prediction"));
    const size_t rows = unit->obs->n_rows;
    for (size_t i = 0, at = 0; i < p->n; i++) {
        size_t tried = 0;
        for (; tried < rows && id[at] != p->item[i]; tried++) at = (at + 1) % rows; /* most often the next one */
        if (tried == rows) continue;
        if (gold && gold[at]) p->gold[k * p->n + i] = start_of(m->b, gold[at]);
        if (answer && answer[at]) p->answer[k * p->n + i] = start_of(m->b, answer[at]);
        if (samples && samples->json[at]) p->texts[i] = prompt_of(m->b, samples->json[at]);
    }
    return m->b->status;
}

static pl_status take_unit(state_maps *m, size_t k, const pl_run_unit *unit)
{
    pl_run_view *view = m->s->run->view;
    pl_run_samples samples = {0};
    bool there = true;
    pl_status status =
        k == 0 ? pl_run_view_take_samples(view, &unit, 1, 0, &samples, &there) : pl_run_view_take(view, unit);
    if (status == PL_E_INPUT || !there) return PL_OK; /* a damaged file: its points have no label */
    PL_TRY(status);
    status = take_rows(m, k, unit, k == 0 ? &samples : NULL);
    pl_run_samples_free(&samples);
    pl_run_view_release(view, unit);
    return status;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void name_labels(state_maps *m)
{
    points *p = &m->points;
    for (size_t i = 0; i < p->n; i++)
        if (p->gold[i]) pl__texts_add(m->b, &p->labels, p->gold[i]);
    if (p->labels.n > LABELS_MOST) p->labels.n = 0;
    if (p->labels.n) qsort(p->labels.at, p->labels.n, sizeof *p->labels.at, by_text);
    for (size_t i = 0; i < p->n; i++)
        for (p->label[i] = 0; p->label[i] < p->labels.n; p->label[i]++)
            if (p->gold[i] && !strcmp(p->labels.at[p->label[i]], p->gold[i])) break;
}

static pl_status read_points(state_maps *m, const json_t *map)
{
    points *p = &m->points;
    pl_arena *arena = m->b->tables->arena;
    const json_t *ids = json_object_get(map, "doc_id"), *templates = json_object_get(map, "template");
    p->n = json_array_size(ids);
    p->t = json_array_size(templates);
    PL_TRY(pl_arena_new(arena, &p->item, p->n));
    PL_TRY(pl_arena_new(arena, &p->label, p->n));
    PL_TRY(pl_arena_new(arena, &p->texts, p->n));
    PL_TRY(pl_arena_new(arena, &p->templates, p->t));
    PL_TRY(pl_arena_new(arena, &p->gold, p->t * p->n));
    PL_TRY(pl_arena_new(arena, &p->answer, p->t * p->n));
    PL_TRY(pl_arena_new(arena, &p->faint, p->t * p->n));
    for (size_t i = 0; i < p->n; i++) {
        p->item[i] = json_integer_value(json_array_get(ids, i));
        p->texts[i] = "";
    }
    for (size_t k = 0; k < p->t; k++) {
        const char *name = json_string_value(json_array_get(templates, k));
        p->templates[k] = pl__say(m->b, "%s", name ? name : "");
        const pl_run_unit *unit = find_unit(m->s->run, m->head, p->templates[k]);
        if (unit) PL_TRY(take_unit(m, k, unit));
    }
    name_labels(m);
    return m->b->status;
}

/* ---- a layer ---- */

static const struct {
    const char *array, *numbers, *name;
} panels[PANELS] = {{"pca", "", "components 1 and 2"},
                    {"tsne", "tsne", "t-SNE, exaggeration 1"},
                    {"exaggeration_4", "tsne_4", "t-SNE, exaggeration 4"}};

/* False where the array does not have as many numbers. */
static bool read_places(double *out, const json_t *list, size_t n)
{
    if (json_array_size(list) != n) return false;
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_array_get(list, i);
        out[i] = json_is_number(value) ? json_number_value(value) : NAN;
    }
    return true;
}

/* Places in whole steps, the same step both ways; -1: none. */
static json_t *steps_of(pl__build *b, const double *at, size_t n)
{
    double middle[2], range = 0;
    json_t *list = json_array();
    for (size_t d = 0; d < 2; d++) {
        double low = INFINITY, high = -INFINITY;
        for (size_t i = 0; i < n; i++) {
            low = fmin(low, at[2 * i + d]);
            high = fmax(high, at[2 * i + d]);
        }
        middle[d] = low / 2 + high / 2;
        range = fmax(range, high - low);
    }
    for (size_t i = 0; i < 2 * n; i++) {
        const double share = range > 0 ? (at[i] - middle[i % 2]) / range : 0;
        add(b, list, json_integer(isfinite(share) ? lround((share + 0.5) * STEPS) : -1));
    }
    return list;
}

static void put_number(pl__build *b, const json_t *map, const char *prefix, const char *key)
{
    char number[PL_MARKUP_NUMBER];
    pl_markup_number(number, number_of(map, pl__say(b, "%s_%s", prefix, key)));
    pl__put(b, "<td>");
    pl__put_text(b, number);
    pl__put(b, "</td>");
}

static void put_row(pl__build *b, const json_t *map, size_t panel, const char *file)
{
    static const char *const keys[] = {"kl", "knn", "trustworthiness", "continuity", "spearman"};
    pl__put(b, "<tr><td>");
    pl__put_text(b, text_of(map, "layer"));
    pl__put(b, "</td><td>");
    pl__put_text(b, panels[panel].name);
    pl__put(b, "</td>");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) put_number(b, map, panels[panel].numbers, keys[i]);
    pl__put(b, "<td>");
    pl__put_format(b, "figures/%s.svg, .csv", file);
    pl__put(b, "</td></tr>\n");
}

static const char *quality_of(pl__build *b, const json_t *map)
{
    static const char *const keys[] = {"tsne_kl", "tsne_knn", "tsne_trustworthiness", "tsne_continuity"};
    char numbers[4][PL_MARKUP_NUMBER];
    for (size_t i = 0; i < 4; i++) pl_markup_number(numbers[i], number_of(map, keys[i]));
    if (!*numbers[0]) return "";
    return pl__say(b, " Exaggeration 1: KL divergence %s, 10 nearest kept %s, trustworthiness %s, continuity %s.",
                   numbers[0], numbers[1], numbers[2], numbers[3]);
}

/* Those that are not to be trusted, by their places; `faint` of the points too. */
static json_t *read_faint(pl__build *b, points *p, const json_t *map)
{
    const json_t *distrusted = json_object_get(map, "distrusted");
    json_t *list = json_array();
    for (size_t i = 0; i < p->t * p->n; i++) {
        p->faint[i] = json_integer_value(json_array_get(distrusted, i)) != 0;
        if (p->faint[i]) add(b, list, json_integer((json_int_t)i));
    }
    return list;
}

/* The picture of a layer and its numbers, as files: their name. */
static const char *put_picture(state_maps *m, const json_t *map, const pl_figure_panel *made, size_t n_panels,
                               const char *caption)
{
    pl__build *b = m->b;
    const points *p = &m->points;
    const char *layer = text_of(map, "layer"), *stem = "";
    const pl_figure_map points = {.n_items = p->n,
                                  .n_templates = p->t,
                                  .n_panels = n_panels,
                                  .n_labels = p->labels.n,
                                  .item = p->item,
                                  .templates = p->templates,
                                  .panels = made,
                                  .labels = p->labels.at,
                                  .label = p->label,
                                  .faint = p->faint};
    const pl_figure figure = {.kind = PL_FIGURE_MAP,
                              .title = pl__say(b, "Map of layer %s, position %s: %s, %s", layer,
                                               text_of(map, "position"), m->label, m->s->label),
                              .description = pl__say(b, "%s %s", caption, CAUTION),
                              .map = &points};
    if (b->status == PL_OK) b->status = pl__stem(b->tables->arena, &stem, pl__say(b, "%s-%s", m->label, layer));
    return pl__put_files(b, &figure, pl__say(b, "map-%s-%s", m->s->stem, stem));
}

/* Its files, its lines of the table, and what is drawn of it. */
static pl_status put_layer(state_maps *m, const json_t *map)
{
    pl__build *b = m->b;
    points *p = &m->points;
    const size_t n = p->t * p->n;
    double *at;
    pl_figure_panel made[PANELS];
    bool has[PANELS] = {false};
    size_t n_panels = 0;
    json_t *drawn = json_array(), *faint = read_faint(b, p, map);
    pl_status status = pl_new(&at, PANELS * 2 * n);
    for (size_t i = 0; i < PANELS && n > 0 && status == PL_OK; i++) {
        double *places = at + 2 * n * n_panels;
        has[i] = read_places(places, json_object_get(map, panels[i].array), 2 * n);
        if (!has[i]) continue;
        made[n_panels++] = (pl_figure_panel){panels[i].name, places};
        add(b, drawn, json_pack("[s, o]", panels[i].name, steps_of(b, places, n)));
    }
    if (n_panels) {
        const char *why = text_of(map, "why_empty");
        const char *trust = *why ? pl__say(b, "Principal components alone: %s.", why)
                                 : pl__say(b,
                                           "Faint: %zu of %zu points, which cannot be trusted in the map at "
                                           "exaggeration 1.%s",
                                           json_array_size(faint), n, quality_of(b, map));
        const char *caption =
            pl__say(b, "Layer %s: %zu items under %zu wordings, placed together. Colour: label%s; marker: wording. %s",
                    text_of(map, "layer"), p->n, p->t, p->labels.n ? "" : " (none, or too many)", trust);
        const char *file = put_picture(m, map, made, n_panels, caption);
        for (size_t i = 0; i < PANELS; i++)
            if (has[i] && *panels[i].numbers) put_row(b, map, i, file);
        add(b, m->layers,
            json_pack("{s:s, s:s, s:s, s:O, s:O}", "layer", text_of(map, "layer"), "caption", caption, "file", file,
                      "panels", drawn, "faint", faint));
    }
    free(at);
    json_decref(drawn);
    json_decref(faint);
    return status;
}

/* ---- a state with its layers ---- */

static json_t *names_of(pl__build *b, const char *const *names, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) add(b, list, names[i] ? json_string(names[i]) : json_null());
    return list;
}

/* Each name as its place among all of them; -1: none. */
static json_t *places_of(pl__build *b, pl__texts *all, const char *const *names, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        json_int_t at = -1;
        if (names[i]) pl__texts_add(b, all, names[i]);
        for (size_t a = 0; names[i] && a < all->n && at < 0; a++)
            if (!strcmp(all->at[a], names[i])) at = (json_int_t)a;
        add(b, list, json_integer(at));
    }
    return list;
}

static json_t *block_of(state_maps *m)
{
    const points *p = &m->points;
    pl__texts names = {0};
    json_t *items = json_array(), *colour = json_array();
    for (size_t i = 0; i < p->n; i++) {
        add(m->b, items, json_integer(p->item[i]));
        add(m->b, colour, json_integer(p->label[i] < p->labels.n ? (json_int_t)p->label[i] : -1));
    }
    json_t *gold = places_of(m->b, &names, p->gold, p->t * p->n),
           *answer = places_of(m->b, &names, p->answer, p->t * p->n);
    json_t *block = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:O}", "items", items, "colour", colour, "gold",
                              gold, "answer", answer, "texts", names_of(m->b, p->texts, p->n), "templates",
                              names_of(m->b, p->templates, p->t), "labels", names_of(m->b, p->labels.at, p->labels.n),
                              "names", names_of(m->b, names.at, names.n), "layers", m->layers);
    pl__texts_free(&names);
    return block;
}

static pl_status put_block(state_maps *m)
{
    pl__build *b = m->b;
    pl_bytes packed = {0};
    json_t *block = block_of(m);
    char *text = block ? json_dumps(block, JSON_COMPACT) : NULL;
    json_decref(block);
    pl_status status =
        text ? pl__deflate(&packed, text, strlen(text)) : pl_fail(PL_E_INPUT, "a map whose names are no text");
    free(text);
    const size_t bytes = packed.size / 3 * 4;
    if (status == PL_OK && bytes <= b->maps_left) {
        b->maps_left -= bytes;
        pl__put(b,
                "<noscript><p>Drawing them here needs JavaScript.</p></noscript>\n<script type=\"application/zlib\">");
        if (b->status == PL_OK) status = pl_base64(&b->html, packed.data, packed.size);
        pl__put(b, "</script>\n");
    } else if (status == PL_OK) {
        pl__put(b, "<p class=notice>Not drawn here: the page would be larger than it may be (--report-max). The "
                   "pictures stand in "
                   "figures/.</p>\n");
    }
    pl_bytes_free(&packed);
    return status;
}

static const char *label_of(pl__build *b, const pl__subject *s, const json_t *head)
{
    for (size_t c = 0; c < s->n; c++)
        if (!strcmp(s->conditions[c].arm, text_of(head, "arm")) && (double)s->conditions[c].k == number_of(head, "k"))
            return s->conditions[c].label;
    return pl__say(b, "%s", text_of(head, "arm"));
}

/* Whether it has as many places as it says points: nothing else of a map decides how much memory is taken. */
static bool has_places(const json_t *map)
{
    const size_t n = json_array_size(json_object_get(map, "doc_id")),
                 t = json_array_size(json_object_get(map, "template"));
    for (size_t i = 0; i < PANELS && n && t; i++)
        if (json_array_size(json_object_get(map, panels[i].array)) == 2 * n * t) return true;
    return false;
}

static pl_status put_whole(state_maps *m, json_t *map)
{
    pl__build *b = m->b;
    const char *why = text_of(map, "why_empty");
    if (*why) {
        pl__put(b, "<tr><td>");
        pl__put_text(b, text_of(map, "layer"));
        pl__put(b, "</td><td colspan=7>");
        pl__put_format(b, "no map: %s", why);
        pl__put(b, "</td></tr>\n");
    }
    if (!has_places(map)) return PL_OK;
    if (!m->whole) {
        m->whole = json_incref(map);
        PL_TRY(read_points(m, map));
    }
    /* Layers of a state have the same points; what has others is no map of ours. */
    if (!json_equal(json_object_get(map, "doc_id"), json_object_get(m->whole, "doc_id")) ||
        !json_equal(json_object_get(map, "template"), json_object_get(m->whole, "template")))
        return PL_OK;
    return put_layer(m, map);
}

/* The maps from..to-1 of the run's file. */
static pl_status put_state(pl__build *b, const pl__subject *s, pl_helper *reader, size_t from, size_t to)
{
    state_maps m = {.b = b, .s = s, .head = json_array_get(s->run->maps, from), .layers = json_array()};
    char path[PL_PATH_MAX];
    pl_status status = pl_path(path, "%s/analysis.h5", s->run->folder->path);
    m.label = label_of(b, s, m.head);
    pl__put(b, "<figure class=map>\n<figcaption>");
    pl__put_format(b, "Maps of %s, position %s.", m.label, text_of(m.head, "position"));
    pl__put(b,
            "</figcaption>\n<details><summary>Table</summary><table><thead><tr><th scope=col>layer</th>"
            "<th scope=col>map</th><th scope=col>divergence (KL)</th><th scope=col>10 nearest kept</th><th scope=col>"
            "trustworthiness</th><th scope=col>continuity</th><th scope=col>rank correlation of distances</th><th "
            "scope=col>"
            "files</th></tr></thead>"
            "<tbody>\n");
    for (size_t i = from; i < to && status == PL_OK; i++) {
        json_t *map;
        status = pl__map_whole(&map, reader, path, i);
        if (status == PL_OK && map) status = put_whole(&m, map);
        json_decref(map);
    }
    pl__put(b, "</tbody></table></details>\n");
    if (status == PL_OK && json_array_size(m.layers)) status = put_block(&m);
    pl__put(b, "</figure>\n");
    pl__texts_free(&m.points.labels);
    json_decref(m.whole);
    json_decref(m.layers);
    return status;
}

void pl__section_maps(pl__build *b, const pl__subject *s)
{
    static const char *const metrics[] = {"tsne_kl", "tsne_knn", "tsne_trustworthiness", "tsne_continuity"};
    const json_t *maps = s->run->maps;
    const size_t n = json_array_size(maps);
    pl_helper reader = pl__map_reader();
    bool any = false;
    pl__part part = pl__open(b, pl__say(b, "<h3>Maps of hidden states</h3>\n<p>%s</p>\n", CAUTION));
    for (size_t from = 0, to; from < n && b->status == PL_OK; from = to) {
        const json_t *head = json_array_get(maps, from);
        for (to = from + 1; to < n && is_same_state(head, json_array_get(maps, to)); to++) continue;
        if (!is_of(s, head)) continue;
        any = true;
        const pl_status status = put_state(b, s, &reader, from, to);
        if (b->status == PL_OK) b->status = status;
    }
    pl__close(b, part, "");
    pl_helper_stop(&reader);
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics && any; i++) pl__put_metric(b, metrics[i]);
}
