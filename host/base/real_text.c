#include "base/real_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The digits come from %.*e with the fewest places that read back exactly; Python then writes them without an
 * exponent when 1e-4 <= |value| < 1e16. */
static int shortest(char scientific[PL_REAL_TEXT], double value)
{
    int places = 0;
    /* Different numbers of up to 15 digits are different doubles (but near 0, where doubles have fewer digits): where
     * 15 digits read back, the fewest are these without the zeros at their end. */
    if (fabs(value) > 1e-290 && isfinite(value)) {
        snprintf(scientific, PL_REAL_TEXT, "%.14e", value);
        if (strtod(scientific, NULL) == value) {
            char *e = strchr(scientific, 'e'), *end = e;
            while (end[-1] == '0') end--;
            places = (int)(end - strchr(scientific, '.')) - 1;
            if (places == 0) end--; /* nothing behind the point */
            memmove(end, e, strlen(e) + 1);
            return places;
        }
        places = 15;
    }
    do snprintf(scientific, PL_REAL_TEXT, "%.*e", places, value);
    while (strtod(scientific, NULL) != value && ++places < 17);
    return places;
}

void pl_real_text(char out[PL_REAL_TEXT], double value)
{
    char scientific[PL_REAL_TEXT];
    int places = shortest(scientific, value);
    const char *e = strchr(scientific, 'e');
    if (!e) { /* not finite: JSON has no such number */
        snprintf(out, PL_REAL_TEXT, "%s", scientific);
        return;
    }
    int exponent = atoi(e + 1);
    if (exponent < -4 || exponent >= 16)
        snprintf(out, PL_REAL_TEXT, "%.*se%+03d", (int)(e - scientific), scientific, exponent);
    else {
        int behind_point = places - exponent;
        snprintf(out, PL_REAL_TEXT, "%.*f", behind_point > 1 ? behind_point : 1, value);
    }
}
