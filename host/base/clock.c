#include "base/clock.h"

#include <math.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

double pl_clock_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void pl_duration_text(char out[32], double seconds)
{
    if (!(seconds >= 0) || seconds > 1e9)
        snprintf(out, 32, "-");
    else if (seconds < 60)
        snprintf(out, 32, "%.0f s", seconds);
    else if (seconds < 3600)
        snprintf(out, 32, "%dm %02ds", (int)seconds / 60, (int)seconds % 60);
    else
        snprintf(out, 32, "%dh %02dm", (int)(seconds / 3600), (int)fmod(seconds, 3600) / 60);
}

void pl_time_text(char out[PL_TIME_TEXT])
{
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(out, PL_TIME_TEXT, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

double pl_time_seconds(const char *text)
{
    struct tm utc = {0};
    const char *end = text ? strptime(text, "%Y-%m-%dT%H:%M:%SZ", &utc) : NULL;
    return end && !*end ? (double)timegm(&utc) : -1;
}

double pl_time_age_s(const char *text)
{
    double seconds = pl_time_seconds(text);
    if (seconds < 0) return -1;
    double age = (double)time(NULL) - seconds;
    return age > 0 ? age : 0;
}

void pl_host_name(char out[PL_HOST_NAME_MAX])
{
    if (gethostname(out, PL_HOST_NAME_MAX - 1) != 0) out[0] = 0;
    out[PL_HOST_NAME_MAX - 1] = 0;
}
