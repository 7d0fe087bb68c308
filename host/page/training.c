/* What training came to, step by step, from the files of the units that tune. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "page/section.h"
#include "page/unit_part.h"

enum { DRAWN = 50 }; /* points of a line */

typedef struct curves {
    pl__draft loss, score;
} curves;

/* One line a trial: its learning rate is the highest of its steps. */
static void put_trials(pl__build *b, curves *c, const pl__training_part *t, long long draw)
{
    size_t step = 0, evaluation = 0;
    for (size_t i = 0; i < t->n_trials; i++) {
        size_t steps = (size_t)fmax(0, t->trial_steps[i]), evaluations = (size_t)fmax(0, t->trial_evaluations[i]);
        if (steps > t->n_steps - step || evaluations > t->n_evaluations - evaluation) return;
        double rate = 0;
        for (size_t s = 0; s < steps; s++) rate = fmax(rate, t->learning_rate[step + s]);
        const char *name = pl__say(b, "draw %lld, rate %.3g", draw, rate);
        size_t every = (steps + DRAWN - 1) / DRAWN;
        for (size_t s = 0; s < steps; s++)
            if (s % every == 0 || s + 1 == steps)
                pl__draft_point(&c->loss, name, (double)(s + 1), t->loss[step + s], NAN, NAN, NAN);
        for (size_t e = 0; e < evaluations; e++)
            pl__draft_point(&c->score, name, t->evaluation_step[evaluation + e], t->evaluation_score[evaluation + e],
                            NAN, NAN, NAN);
        step += steps;
        evaluation += evaluations;
    }
}

/* The units that tuned what a condition evaluates, each once. */
static void put_units(pl__build *b, curves *c, const pl__subject *s, const pl__condition *at, pl_helper *reader)
{
    const pl_run_view *view = s->run->view;
    const char *last = "";
    for (size_t u = 0; u < pl_run_view_n_units(view) && b->status == PL_OK; u++) {
        const pl_run_unit *unit = pl_run_view_unit(view, u);
        char path[PL_PATH_MAX];
        pl__training_part training;
        bool there;
        if (!unit->learned_by || strcmp(unit->model, s->model) || strcmp(unit->task, s->task) ||
            strcmp(unit->readout, s->readout) || strcmp(unit->arm, at->arm) || !strcmp(unit->learned_by, last))
            continue;
        bool seen = false;
        for (size_t before = 0; before < u && !seen; before++) {
            const pl_run_unit *other = pl_run_view_unit(view, before);
            seen = other->learned_by && !strcmp(other->learned_by, unit->learned_by) &&
                   !strcmp(other->readout, unit->readout);
        }
        last = unit->learned_by;
        if (seen) continue;
        b->status = pl_run_folder_unit(path, s->run->folder, unit->learned_by);
        if (b->status == PL_OK) b->status = pl__unit_training(reader, path, &training, &there);
        if (b->status != PL_OK) return;
        if (there) put_trials(b, c, &training, unit->draw);
        pl__training_part_free(&training);
    }
}

void pl__section_training(pl__build *b, const pl__subject *s)
{
    pl_helper reader = pl__unit_reader();
    pl__part part = pl__open(b, "<details class=more><summary>Training</summary><div class=grid>\n");
    for (size_t i = 0; i < s->n && b->status == PL_OK; i++) {
        const pl__condition *at = &s->conditions[i];
        const char *stem = "";
        curves c;
        if (strncmp(at->arm, "finetune", 8)) continue;
        b->status = pl__stem(b->tables->arena, &stem, at->label);
        const char *title = pl__say(b, "%s, %s", at->label, s->label);
        pl__draft_begin(&c.loss, b, PL_FIGURE_CURVE, pl__say(b, "Loss: %s", title), "trial", "step", "loss (nat)");
        pl__draft_begin(&c.score, b, PL_FIGURE_CURVE, pl__say(b, "On dev items: %s", title), "trial", "step", "score");
        put_units(b, &c, s, at, &reader);
        pl__draft_put(&c.loss, pl__say(b, "loss-%s-%s", s->stem, stem),
                      "Training loss of every draw and learning rate; of long trials every so many steps.");
        pl__draft_put(
            &c.score, pl__say(b, "dev-%s-%s", s->stem, stem),
            "Score on dev items under dev wordings, by which rate and step are chosen: (right answers + mean "
            "probability of the right label) / items; without labels the mean log-probability of the answer.");
    }
    pl__close(b, part, "</div></details>\n");
    pl_helper_stop(&reader);
}
