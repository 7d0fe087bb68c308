#include "report/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void pl__arm_text(char out[PL__ARM_TEXT], const char *arm, long long k)
{
    static const char prompt[] = "prompt";
    if (!strncmp(arm, prompt, sizeof prompt - 1))
        snprintf(out, PL__ARM_TEXT, "%s k=%lld", arm, k);
    else
        snprintf(out, PL__ARM_TEXT, "%s", arm);
}

void pl__share_text(char out[PL__SHARE_TEXT], double value, bool sign)
{
    char digits[48];
    if (isnan(value)) {
        snprintf(out, PL__SHARE_TEXT, "-");
        return;
    }
    snprintf(digits, sizeof digits, "%.3f", fabs(value));
    bool minus = value < 0.0 && strcmp(digits, "0.000") != 0;
    snprintf(out, PL__SHARE_TEXT, "%s%s", minus ? "-" : sign ? "+" : "", digits[0] == '0' ? digits + 1 : digits);
}

void pl__interval_text(char out[PL__SHARE_TEXT], double value, double lo, double hi, bool sign)
{
    char v[PL__SHARE_TEXT], l[PL__SHARE_TEXT], h[PL__SHARE_TEXT];
    pl__share_text(v, value, sign);
    pl__share_text(l, lo, false);
    pl__share_text(h, hi, false);
    if (isnan(value) || isnan(lo))
        snprintf(out, PL__SHARE_TEXT, "%s", v);
    else
        snprintf(out, PL__SHARE_TEXT, "%.15s [%.15s, %.15s]", v, l, h);
}

void pl__count_text(char out[PL__SHARE_TEXT], double count)
{
    static const char *const units[] = {"", " k", " M", " G", " T"};
    size_t unit = 0;
    if (count < 9999.5) {
        snprintf(out, PL__SHARE_TEXT, "%.0f", count);
        return;
    }
    for (; count >= 999.5 && unit + 1 < sizeof units / sizeof *units; unit++) count /= 1000.0;
    snprintf(out, PL__SHARE_TEXT, "%.3g%s", count, units[unit]);
}
