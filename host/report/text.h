/* Names and numbers as the screen shows them. Shared inside the folder. */
#ifndef PLUMB_REPORT_TEXT_H
#define PLUMB_REPORT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

enum { PL__ARM_TEXT = 200, PL__SHARE_TEXT = 64 };

/* "prompt k=4", "finetune lm standard n=64": shots belong to what prompts. */
void pl__arm_text(char out[PL__ARM_TEXT], const char *arm, long long k);
/* ".819", "-.030", "1.000"; with a sign where asked for: "+.170"; "-" for NaN. */
void pl__share_text(char out[PL__SHARE_TEXT], double value, bool sign);
/* ".819 [.727, .906]"; without an interval ".819"; "-" for NaN. */
void pl__interval_text(char out[PL__SHARE_TEXT], double value, double lo, double hi, bool sign);
/* "2730", "287 k", "1.24 M": of tokens or items. */
void pl__count_text(char out[PL__SHARE_TEXT], double count);

#endif
