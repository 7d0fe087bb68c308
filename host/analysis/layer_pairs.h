/* Similarity of layers with layers, calibrated by permutations (measure/calibrated.h): rows of the stability table that
 * an experiment asks for (`analysis: {layer_pairs: true}`).
 *
 * Every layer of a group's units is held against every layer of others' that have the same items and templates.
 * Contrast "self:05": with an earlier layer of the same unit; "templates:05": with the template before in the plan;
 * "base:05": of a tuned model, with the checkpoint as it is (arm prompt without shots); "NAME:05": with an earlier
 * model of the run in the same arm. Layer "all", contrast "base:mean" and "base:largest": the mean over pairs of
 * layers, and the largest of them, calibrated as such. A value is the mean over templates, of the group's first draw;
 * the same permutations in all layers and templates. */
#ifndef PLUMB_ANALYSIS_LAYER_PAIRS_H
#define PLUMB_ANALYSIS_LAYER_PAIRS_H

#include "analysis/rows.h"

/* The rows of the group of the view's unit `first`; none where its units have no states. In memory at a time: tables
 * (similarity.h) of both sides of a pair, of all layers, 512 MiB at most, and the states of one layer of one unit, from
 * its file. */
pl_status pl__layer_pair_rows(pl__rows *rows, pl_run_view *view, size_t first);

#endif
