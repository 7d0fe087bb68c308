#include "base/real_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The digits come from %.*e with the fewest places that read back exactly; Python then writes them without an
 * exponent when 1e-4 <= |value| < 1e16. */
void pl_real_text(char out[PL_REAL_TEXT], double value)
{
    char scientific[PL_REAL_TEXT];
    int places = 0;
    do snprintf(scientific, sizeof scientific, "%.*e", places, value);
    while (strtod(scientific, NULL) != value && ++places < 17);
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
