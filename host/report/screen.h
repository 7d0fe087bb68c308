/* The screen that `run` and `analyze` end with: one a model and task, whatever their number of templates and layers.
 *
 * It is made once, as lines of cells with tabs between them (screen.txt in the run folder; all cells are visible text,
 * base/visible.h), and laid out for the width of the terminal each time that it is shown. A line's first cell is its
 * kind: T title of a screen, V verdict and what it says, N note, H head of the arms' columns, K and R a row of them (K:
 * is always shown), W warning. Shared inside the folder. */
#ifndef PLUMB_REPORT_SCREEN_H
#define PLUMB_REPORT_SCREEN_H

/* Of an arm and shot count, in the order of the cells. */
typedef enum pl__screen_column {
    PL__SCREEN_ARM,
    PL__SCREEN_ACCURACY,   /* under held-out templates, with its interval */
    PL__SCREEN_DIFFERENCE, /* to the reference arm, paired, with its interval */
    PL__SCREEN_WORDINGS,   /* worst to best template */
    PL__SCREEN_FLIPS,      /* and their null */
    PL__SCREEN_ONE_ANSWER, /* templates under which all items get one answer */
    PL__SCREEN_COLUMNS
} pl__screen_column;

enum { PL__SCREEN_LINES = 24 }; /* of a screen, at most, with the empty one behind it */

#endif
