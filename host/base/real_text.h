/* Reals as Python writes them: what lm-evaluation-harness hashes and logs, and what jinja2 prints, is spelled by
 * Python. */
#ifndef PLUMB_BASE_REAL_TEXT_H
#define PLUMB_BASE_REAL_TEXT_H

/* repr(float): the shortest digits that read back as the same number ("0.1", "1e+16", "1e-05", "2.0", "nan"). */
enum { PL_REAL_TEXT = 32 };
void pl_real_text(char out[PL_REAL_TEXT], double value);

#endif
