/* The parts of the page, in their order. Shared inside the folder. */
#ifndef PLUMB_PAGE_SECTION_H
#define PLUMB_PAGE_SECTION_H

#include "page/build.h"

/* The first screen: a line a subject with its verdict, and what all of them come to in one figure. */
void pl__section_overview(pl__build *b);
/* Metrics against the size of models, where runs hold several sizes for a task. */
void pl__section_scale(pl__build *b);
/* Of a subject, from "what is the answer" to "why". */
void pl__section_verdict(pl__build *b, const pl__subject *s);
void pl__section_accuracy(pl__build *b, const pl__subject *s);
void pl__section_arms(pl__build *b, const pl__subject *s);
void pl__section_behaviour(pl__build *b, const pl__subject *s);
void pl__section_states(pl__build *b, const pl__subject *s);
void pl__section_maps(pl__build *b, const pl__subject *s);
void pl__section_training(pl__build *b, const pl__subject *s);
/* What every cell's items were asked and answered, as far as the page stays below report_max with `behind` bytes that
 * follow. */
void pl__section_cells(pl__build *b, size_t report_max, size_t behind);
/* What is not there, and why. */
void pl__section_missing(pl__build *b);
/* What the metrics of the page are. */
void pl__section_definitions(pl__build *b);

/* The conditions that a closer look is taken at: those that the verdict holds against each other, else the first and
 * the last. At most 2; their number comes back. */
size_t pl__chosen_conditions(const pl__subject *s, const pl__condition *out[2]);

#endif
