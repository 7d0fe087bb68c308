#include "report/screen.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/visible.h"
#include "report/block.h"
#include "report/report.h"
#include "report/text.h"

/* What one screen is about: the model and task of `first`, under one readout at a time. */
typedef struct subject {
    pl_bytes *out;
    const pl_report_tables *of;
    pl_stability_table table; /* the subject's own rows: they stand together */
    const pl_stability_row *first;
    const char *readout;
    const char *reference; /* the arm that the others are compared with; NULL: there is none */
    long long reference_k;
    const pl_verdict_row *verdict; /* NULL: no arms side by side */
    bool has_side[2];              /* the verdict's prompted and tuned arm have a row */
} subject;

/* ---- lines ---- */

static pl_status put_cell(pl_bytes *out, const char *text)
{
    PL_TRY(pl_bytes_text(out, "\t"));
    return pl_visible_append(out, text, strlen(text));
}

static pl_status put_line(pl_bytes *out, char kind, const char *text)
{
    const char head[] = {kind, '\0'};
    PL_TRY(pl_bytes_text(out, head));
    PL_TRY(put_cell(out, text));
    return pl_bytes_text(out, "\n");
}

/* ---- what is compared ---- */

static bool is_of(const subject *s, const char *model, const char *task, const char *readout)
{
    return !strcmp(model, s->first->model) && !strcmp(task, s->first->task) && !strcmp(readout, s->readout);
}

static const pl_stability_row *accuracy_row(const pl__block *b, pl_metric_id metric)
{
    const pl_stability_row *row = pl__block_find(b, metric, "ood", "");
    if (!row) row = pl__block_find(b, metric, "templates", "");
    for (size_t i = 0; i < b->n && !row; i++)
        if (b->rows[i].metric == metric && *b->rows[i].template_name) row = &b->rows[i];
    return row;
}

static const pl_arm_row *find_arm(const subject *s, const char *arm, long long k, const char *role)
{
    const pl_arms_table *arms = s->of->arms;
    for (size_t i = 0; i < arms->n; i++) {
        const pl_arm_row *r = &arms->rows[i];
        if (is_of(s, r->model, r->task, r->readout) && r->k == k && !strcmp(r->arm, arm) && !strcmp(r->role, role))
            return r;
    }
    return NULL;
}

/* Arm minus reference under templates of the role; NaN where it was not made. */
static pl_crossed difference_of(const subject *s, const char *arm, long long k, const char *role)
{
    const pl_contrasts_table *c = s->of->contrasts;
    pl_crossed none = {.value = NAN, .lo = NAN, .hi = NAN};
    const pl_arm_row *row = find_arm(s, arm, k, role);
    if (row) return row->difference;
    for (size_t i = 0; s->reference && i < c->n; i++) {
        const pl_contrast_row *r = &c->rows[i];
        if (strcmp(r->kind, "arm") != 0 || !is_of(s, r->model, r->task, r->readout) || strcmp(r->role, role) != 0)
            continue;
        bool forth =
            !strcmp(r->arm, arm) && r->k == k && !strcmp(r->minus_arm, s->reference) && r->minus_k == s->reference_k;
        bool back =
            !strcmp(r->minus_arm, arm) && r->minus_k == k && !strcmp(r->arm, s->reference) && r->k == s->reference_k;
        if (!forth && !back) continue;
        pl_crossed d = r->difference;
        if (back) d.value = -r->difference.value, d.lo = -r->difference.hi, d.hi = -r->difference.lo;
        return d;
    }
    return none;
}

/* The best prompting arm where arms stand side by side, else the readout's first. */
static void find_reference(subject *s, const pl__block *first)
{
    const pl_arms_table *arms = s->of->arms;
    s->reference = first->rows->arm;
    s->reference_k = first->rows->k;
    s->verdict = NULL;
    s->has_side[0] = s->has_side[1] = false;
    for (size_t i = 0; i < arms->n; i++) {
        const pl_arm_row *r = &arms->rows[i];
        if (!r->best || !is_of(s, r->model, r->task, r->readout)) continue;
        s->reference = r->arm;
        s->reference_k = r->k;
    }
    for (size_t i = 0; i < arms->n_verdicts; i++) {
        const pl_verdict_row *v = &arms->verdicts[i];
        if (is_of(s, v->model, v->task, v->readout)) s->verdict = v;
    }
}

/* ---- verdict ---- */

static pl_status put_sides(pl_bytes *line, const pl_verdict_row *v)
{
    char arm[PL__ARM_TEXT], text[PL__SHARE_TEXT];
    const pl_crossed *d = &v->difference, *t = &v->tuned.accuracy, *p = &v->prompt.accuracy;
    if (!*v->tuned.arm || !*v->prompt.arm) return PL_OK;
    pl__interval_text(text, t->value, t->lo, t->hi, false);
    pl__arm_text(arm, v->tuned.arm, v->tuned.k);
    PL_TRY(pl_bytes_format(line, "%s reaches %s", arm, text));
    pl__interval_text(text, p->value, p->lo, p->hi, false);
    pl__arm_text(arm, v->prompt.arm, v->prompt.k);
    PL_TRY(pl_bytes_format(line, ", %s %s", arm, text));
    pl__interval_text(text, d->value, d->lo, d->hi, true);
    PL_TRY(pl_bytes_format(line, "; difference %s", text));
    return isnan(v->p) ? PL_OK : pl_bytes_format(line, ", p %.2g", v->p_adjusted);
}

/* What stopped a staged run. */
static pl_status put_look(pl_bytes *line, const pl_verdict_row *v)
{
    char least[PL__SHARE_TEXT], required[PL__SHARE_TEXT], sd[PL__SHARE_TEXT], allowed[PL__SHARE_TEXT];
    const pl_verdict_look *l = &v->look;
    pl__share_text(least, l->accuracy_lo, false);
    pl__share_text(required, v->require, false);
    pl__share_text(sd, l->template_sd_hi, false);
    pl__share_text(allowed, l->template_sd_max, false);
    return pl_bytes_format(line, "after %s: accuracy at least %s, %s required; template SD at most %s, %s allowed",
                           l->stage, least, required, sd, allowed);
}

static pl_status put_cost(pl_bytes *line, const pl_verdict_row *v)
{
    char required[PL__SHARE_TEXT], baseline[PL__SHARE_TEXT], margin[PL__SHARE_TEXT], count[PL__SHARE_TEXT];
    pl__share_text(required, v->require, false);
    pl__share_text(baseline, v->baseline, false);
    pl__share_text(margin, v->margin, false);
    if (!isnan(v->require)) {
        PL_TRY(pl_bytes_format(line, "required %s", required));
        if (*v->baseline_of) PL_TRY(pl_bytes_format(line, " (%s %s)", v->baseline_of, baseline));
        PL_TRY(pl_bytes_format(line, ", margin %s", margin));
    }
    if (isnan(v->tuned.learn_tokens)) return PL_OK;
    pl__count_text(count, v->tuned.learn_tokens);
    PL_TRY(pl_bytes_format(line, "%stuning took %s tokens", line->size ? "; " : "", count));
    if (!isnan(v->tuned.learn_seconds)) PL_TRY(pl_bytes_format(line, ", %.3g s", v->tuned.learn_seconds));
    PL_TRY(pl_bytes_text(line, " a draw"));
    if (isnan(v->tuned.item_tokens) || isnan(v->prompt.item_tokens)) return PL_OK;
    if (isnan(v->break_even)) return pl_bytes_text(line, " and never pays back by tokens");
    pl__count_text(count, v->break_even);
    return pl_bytes_format(line, " and pays back from %s items on", count);
}

/* What would decide; items stand for their clusters. */
static pl_status put_missing(pl_bytes *line, const pl_verdict_row *v)
{
    static const char *const components[] = {"items", "wordings", "draws"};
    const pl__outlook *o = &v->outlook;
    const size_t have[] = {v->n_items, v->n_templates, v->tuned.n_draws};
    if (o->towards == PL_UNDECIDED)
        return pl_bytes_text(line, "undecided: no study 1,000 times as large would decide, all else equal");
    PL_TRY(pl_bytes_format(line, "nearest is %s, %.0f %% of the variance by %s; would decide, all else equal: ",
                           pl_verdict_name(o->towards), 100.0 * o->share, components[o->component]));
    if (!isnan(o->alone))
        PL_TRY(pl_bytes_format(line, "%.0f %s in place of %zu, or ", ceil(o->alone * (double)have[o->component] - 1e-9),
                               components[o->component], have[o->component]));
    return pl_bytes_format(line, "%.1f times as much of everything", o->together);
}

/* The primary contrasts of the subject: what the experiment was run for. */
static pl_status put_primary(const subject *s)
{
    const pl_contrasts_table *c = s->of->contrasts;
    for (size_t i = 0; i < c->n; i++) {
        const pl_contrast_row *r = &c->rows[i];
        char line[1024], arm[PL__ARM_TEXT], minus[PL__ARM_TEXT], text[PL__SHARE_TEXT];
        if (strcmp(r->kind, "primary") != 0 || !is_of(s, r->model, r->task, r->readout)) continue;
        pl__arm_text(arm, r->arm, r->k);
        pl__arm_text(minus, r->minus_arm, r->minus_k);
        pl__interval_text(text, r->difference.value, r->difference.lo, r->difference.hi, true);
        if (isnan(r->difference.value))
            snprintf(line, sizeof line, "primary contrast: %s minus %s: %s", arm, minus, r->why_empty);
        else
            snprintf(line, sizeof line, "primary contrast: %s minus %s, %s wordings: %s, p %.2g", arm, minus, r->role,
                     text, r->p_adjusted);
        PL_TRY(put_line(s->out, 'N', line));
    }
    return PL_OK;
}

static pl_status put_verdict(const subject *s)
{
    const pl_verdict_row *v = s->verdict;
    pl_bytes line = {0};
    pl_status status;
    if (!v) return put_line(s->out, 'N', "no verdict: no arm was tuned beside a prompting one");
    PL_GOTO(status, done, pl_bytes_format(&line, "%s%s", pl_verdict_name(v->verdict), v->clearly ? ", clearly" : ""));
    if (*v->look.stage && v->verdict == PL_PROMPT)
        PL_GOTO(status, done, pl_bytes_text(&line, ": enough; tuning was not tried"));
    PL_GOTO(status, done, pl_bytes_text(&line, *v->why ? ": " : ""));
    PL_GOTO(status, done, pl_bytes_text(&line, v->why));
    PL_GOTO(status, done, put_line(s->out, 'V', line.data));
    pl_bytes_clear(&line);
    if (*v->look.stage)
        PL_GOTO(status, done, put_look(&line, v));
    else if (!*v->why)
        PL_GOTO(status, done, put_sides(&line, v));
    if (line.size) PL_GOTO(status, done, put_line(s->out, 'N', line.data));
    pl_bytes_clear(&line);
    if (!*v->why && !*v->look.stage && v->verdict == PL_UNDECIDED) {
        PL_GOTO(status, done, put_missing(&line, v));
        PL_GOTO(status, done, put_line(s->out, 'N', line.data));
        pl_bytes_clear(&line);
    }
    PL_GOTO(status, done, put_cost(&line, v));
    if (line.size) PL_GOTO(status, done, put_line(s->out, 'N', line.data));
done:
    pl_bytes_free(&line);
    return status;
}

/* ---- arms ---- */

/* The reference, and the verdict's arms. */
static bool is_kept(subject *s, const char *arm, long long k)
{
    bool kept = !strcmp(arm, s->reference) && k == s->reference_k;
    for (size_t i = 0; s->verdict && i < 2; i++) {
        const pl_verdict_side *side = i == 0 ? &s->verdict->prompt : &s->verdict->tuned;
        if (strcmp(arm, side->arm) != 0 || k != side->k) continue;
        kept = s->has_side[i] = true;
    }
    return kept;
}

static void put_wordings(char out[PL__SHARE_TEXT], const pl__block *b, pl_metric_id metric)
{
    double worst = INFINITY, best = -INFINITY;
    char low[PL__SHARE_TEXT], high[PL__SHARE_TEXT];
    for (size_t i = 0; i < b->n; i++) {
        const pl_stability_row *r = &b->rows[i];
        if (r->metric != metric || !*r->template_name || isnan(r->value)) continue;
        worst = fmin(worst, r->value);
        best = fmax(best, r->value);
    }
    if (worst > best) worst = best = NAN;
    pl__share_text(low, worst, false);
    pl__share_text(high, best, false);
    snprintf(out, PL__SHARE_TEXT, "%.20s to %.20s", low, high);
    if (isnan(best)) snprintf(out, PL__SHARE_TEXT, "-");
}

static void put_one_answer(char out[PL__SHARE_TEXT], const pl__block *b)
{
    size_t n = 0, of = 0;
    for (size_t i = 0; i < b->n; i++) {
        const pl_stability_row *r = &b->rows[i];
        if (r->metric != PL_METRIC_PREDICTION_ENTROPY || !*r->template_name || isnan(r->value)) continue;
        of++;
        n += r->value == 0.0;
    }
    snprintf(out, PL__SHARE_TEXT, "-");
    if (of) snprintf(out, PL__SHARE_TEXT, "%zu of %zu", n, of);
}

/* A row: of the group as it answers, or with contextual calibration (metric PL_METRIC_ACC_CC). */
static pl_status put_row(subject *s, const pl__block *b, pl_metric_id metric, bool several_readouts)
{
    const pl_stability_row *acc = accuracy_row(b, metric),
                           *flips = pl__block_find(b, PL_METRIC_FLIP_RATE, "templates", "");
    char name[PL__ARM_TEXT], shown[PL__ARM_TEXT], cells[PL__SCREEN_COLUMNS][PL__SHARE_TEXT], null[PL__SHARE_TEXT];
    if (!acc) return PL_OK;
    const bool calibrated = metric == PL_METRIC_ACC_CC;
    const char *role = !strcmp(acc->contrast, "ood") ? "ood" : "id";
    snprintf(name, sizeof name, "%s%s", b->rows->arm, calibrated ? " calibrated" : "");
    pl__arm_text(shown, name, b->rows->k);
    const pl_arm_row *arm = find_arm(s, name, b->rows->k, role);
    const pl_crossed d = difference_of(s, name, b->rows->k, role);
    if (arm)
        pl__interval_text(cells[PL__SCREEN_ACCURACY], arm->accuracy.value, arm->accuracy.lo, arm->accuracy.hi, false);
    else
        pl__interval_text(cells[PL__SCREEN_ACCURACY], acc->value, acc->lo, acc->hi, false);
    pl__interval_text(cells[PL__SCREEN_DIFFERENCE], d.value, d.lo, d.hi, true);
    if (!strcmp(name, s->reference) && b->rows->k == s->reference_k)
        snprintf(cells[PL__SCREEN_DIFFERENCE], PL__SHARE_TEXT, "reference");
    put_wordings(cells[PL__SCREEN_WORDINGS], b, metric);
    pl__share_text(cells[PL__SCREEN_FLIPS], flips && !calibrated ? flips->value : NAN, false);
    pl__share_text(null, flips ? flips->null_mean : NAN, false);
    if (flips && !calibrated && !isnan(flips->null_mean))
        snprintf(cells[PL__SCREEN_FLIPS] + strlen(cells[PL__SCREEN_FLIPS]), 24, " (%.12s)", null);
    put_one_answer(cells[PL__SCREEN_ONE_ANSWER], b);
    if (calibrated) snprintf(cells[PL__SCREEN_ONE_ANSWER], PL__SHARE_TEXT, "-");
    PL_TRY(pl_bytes_text(s->out, is_kept(s, name, b->rows->k) ? "K" : "R"));
    if (several_readouts) snprintf(shown + strlen(shown), sizeof shown - strlen(shown), ", %s", s->readout);
    PL_TRY(put_cell(s->out, shown));
    for (size_t c = PL__SCREEN_ACCURACY; c < PL__SCREEN_COLUMNS; c++) PL_TRY(put_cell(s->out, cells[c]));
    return pl_bytes_text(s->out, "\n");
}

/* An arm of the verdict that is no condition of its own: an ensemble of wordings. */
static pl_status put_side(const subject *s, const pl_verdict_side *side)
{
    char name[PL__ARM_TEXT], accuracy[PL__SHARE_TEXT];
    const pl_crossed *a = &side->accuracy;
    if (!*side->arm) return PL_OK;
    pl__arm_text(name, side->arm, side->k);
    pl__interval_text(accuracy, a->value, a->lo, a->hi, false);
    PL_TRY(pl_bytes_text(s->out, "K"));
    PL_TRY(put_cell(s->out, name));
    PL_TRY(put_cell(s->out, accuracy));
    for (size_t c = PL__SCREEN_DIFFERENCE; c < PL__SCREEN_COLUMNS; c++) PL_TRY(put_cell(s->out, "-"));
    return pl_bytes_text(s->out, "\n");
}

static pl_status put_head(const subject *s, const pl__block *b)
{
    const pl_stability_row *acc = accuracy_row(b, PL_METRIC_ACC);
    char accuracy[PL__SHARE_TEXT];
    const bool ood = acc && !strcmp(acc->contrast, "ood");
    const pl_arm_row *arm = find_arm(s, b->rows->arm, b->rows->k, ood ? "ood" : "id"); /* counts wordings */
    const size_t templates = arm ? arm->n_templates : acc ? acc->n_templates : 0;
    snprintf(accuracy, sizeof accuracy, "accuracy, %zu %s", templates,
             acc && !strcmp(acc->contrast, "ood") ? "ood"
             : templates == 1                     ? "wording"
                                                  : "wordings");
    const char *const heads[PL__SCREEN_COLUMNS] = {"arm",           accuracy,       "minus reference",
                                                   "worst to best", "flips (null)", "one answer"};
    PL_TRY(pl_bytes_text(s->out, "H"));
    for (size_t c = 0; c < PL__SCREEN_COLUMNS; c++) PL_TRY(put_cell(s->out, heads[c]));
    return pl_bytes_text(s->out, "\n");
}

/* ---- states and warnings ---- */

/* Where the states are steadiest, and least, over arms and layers; layer 0 is a control. */
static pl_status put_states(const subject *s)
{
    const pl_stability_row *least = NULL, *most = NULL;
    char arm[2][PL__ARM_TEXT], value[2][PL__SHARE_TEXT], line[1024];
    for (pl__block b = {.table = &s->table}; pl__block_next(&b);) {
        for (size_t i = 0; i < b.n; i++) {
            const pl_stability_row *r = &b.rows[i];
            if (r->metric != PL_METRIC_WOBBLE || *r->preproc != 'c' || strcmp(r->contrast, "templates") != 0 ||
                !strcmp(r->layer, "00") || isnan(r->value))
                continue;
            if (!most || r->value < most->value) most = r;
            if (!least || r->value > least->value) least = r;
        }
    }
    if (!most) return PL_OK;
    const pl_stability_row *const ends[] = {most, least};
    for (size_t e = 0; e < 2; e++) {
        pl__arm_text(arm[e], ends[e]->arm, ends[e]->k);
        pl__interval_text(value[e], ends[e]->value, ends[e]->lo, ends[e]->hi, false);
    }
    if (most == least)
        snprintf(line, sizeof line,
                 "states: wobble %s at %s.%s of %s (0: identical templates, 1: nothing of the item stays)", value[0],
                 most->position, most->layer, arm[0]);
    else
        snprintf(
            line, sizeof line,
            "states: steadiest at %s.%s of %s, wobble %s; least at %s.%s of %s, %s (0: identical templates, 1: nothing "
            "of the item stays)",
            most->position, most->layer, arm[0], value[0], least->position, least->layer, arm[1], value[1]);
    return put_line(s->out, 'N', line);
}

/* Whether wording matters, by how many scorers. */
static pl_status put_claims(const subject *s)
{
    const pl_scorers_table *t = s->of->scorers;
    size_t known = 0, sensitive = 0, artefact = 0;
    char line[256];
    for (size_t i = 0; i < t->n_claims; i++) {
        const pl_scorer_claim *c = &t->claims[i];
        if (strcmp(c->model, s->first->model) != 0 || strcmp(c->task, s->first->task) != 0) continue;
        if (pl_scorer_claim_known(c) < 2) continue;
        known++;
        sensitive += pl_scorer_claim_sensitive(c) >= 2;
        artefact += pl_scorer_claim_sensitive(c) == 1;
    }
    if (!known) return PL_OK;
    snprintf(line, sizeof line, "wording: by two scorers or more %zu of %zu prompting conditions are sensitive to it",
             sensitive, known);
    if (artefact)
        snprintf(line + strlen(line), sizeof line - strlen(line), ", %zu by one alone (scorer artefact)", artefact);
    return put_line(s->out, 'N', line);
}

/* ---- screens ---- */

static pl_status put_title(const subject *s)
{
    char line[1024], items[64];
    const pl_stability_row *r = s->first;
    snprintf(items, sizeof items, "%zu items", r->n);
    if (r->n_clusters && r->n_clusters < r->n)
        snprintf(items, sizeof items, "%zu items in %zu clusters", r->n, r->n_clusters);
    snprintf(line, sizeof line, "%s, %s: %s, %s", r->model, r->task, items, r->readout);
    PL_TRY(put_line(s->out, 'T', line));
    for (size_t m = 0; m < s->of->table->n_random_models; m++)
        if (!strcmp(s->of->table->random_models[m], r->model))
            return put_line(s->out, 'N', "random weights: no skill expected");
    return PL_OK;
}

/* The readouts of the screen's model and task, in the order of the table. */
static size_t readouts_of(const char *out[4], const subject *s)
{
    size_t n = 0;
    for (pl__block b = {.table = &s->table}; pl__block_next(&b);) {
        bool known = false;
        for (size_t i = 0; i < n; i++) known = known || !strcmp(out[i], b.rows->readout);
        if (!known && n < 4) out[n++] = b.rows->readout;
    }
    return n;
}

static pl_status put_arms(subject *s, bool first_readout, bool several)
{
    bool head = false;
    for (pl__block b = {.table = &s->table}; pl__block_next(&b);) {
        if (!is_of(s, b.rows->model, b.rows->task, b.rows->readout)) continue;
        if (!head && first_readout) PL_TRY(put_head(s, &b));
        head = true;
        PL_TRY(put_row(s, &b, PL_METRIC_ACC, several));
        if (accuracy_row(&b, PL_METRIC_ACC_CC)) PL_TRY(put_row(s, &b, PL_METRIC_ACC_CC, several));
    }
    if (s->verdict && !s->has_side[0]) PL_TRY(put_side(s, &s->verdict->prompt));
    if (s->verdict && !s->has_side[1]) PL_TRY(put_side(s, &s->verdict->tuned));
    return PL_OK;
}

/* Texts that are scored by themselves: a line a block and template; there are no arms to compare. */
static pl_status put_texts(const subject *s)
{
    char text[PL__TEXTS_LINE], line[PL__TEXTS_LINE + PL__ARM_TEXT];
    for (pl__block b = {.table = &s->table}; pl__block_next(&b);)
        for (size_t i = 0; i < b.n; i++) {
            const pl_stability_row *r = &b.rows[i];
            if (r->metric != PL_METRIC_WORD_PERPLEXITY || !*r->template_name) continue;
            pl__block_texts(text, &b, r->template_name);
            snprintf(line, sizeof line, "%.60s: %s", r->template_name, text);
            PL_TRY(put_line(s->out, 'N', line));
        }
    return PL_OK;
}

static pl_status put_screen(subject *s)
{
    const char *readouts[4];
    const size_t n = readouts_of(readouts, s);
    const pl__block whole = {.table = &s->table, .rows = s->table.rows, .n = s->table.n};
    PL_TRY(put_title(s));
    if (pl__block_of_texts(&whole)) return put_texts(s);
    for (size_t pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < n; i++) {
            pl__block first = {.table = &s->table};
            s->readout = readouts[i];
            while (pl__block_next(&first))
                if (is_of(s, first.rows->model, first.rows->task, first.rows->readout)) break;
            find_reference(s, &first);
            if (pass == 0) PL_TRY(put_primary(s));
            if (pass == 0 && (s->verdict || i + 1 == n)) PL_TRY(put_verdict(s));
            if (pass == 1) PL_TRY(put_arms(s, i == 0, n > 1));
        }
    PL_TRY(put_states(s));
    return put_claims(s);
}

pl_status pl_report_screen(pl_bytes *out, const pl_report_tables *of)
{
    const pl_stability_table *t = of->table;
    if (t->n == 0) return put_line(out, 'W', "no finished units: nothing to report");
    for (size_t i = 0, next; i < t->n; i = next) {
        subject s = {.out = out, .of = of, .table = *t, .first = &t->rows[i]};
        for (next = i + 1; next < t->n; next++)
            if (strcmp(t->rows[next].model, s.first->model) != 0 || strcmp(t->rows[next].task, s.first->task) != 0)
                break;
        s.table.rows = &t->rows[i];
        s.table.n = next - i;
        PL_TRY(put_screen(&s));
    }
    for (size_t i = 0; i < t->n_remarks; i++) PL_TRY(put_line(out, 'W', t->remarks[i]));
    return PL_OK;
}
