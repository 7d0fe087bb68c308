/* Where and when: the clock, durations and dates as text, the name of this host. */
#ifndef PLUMB_BASE_CLOCK_H
#define PLUMB_BASE_CLOCK_H

/* Seconds of a clock that never jumps. */
double pl_clock_s(void);

/* "1h 02m", "3m 20s", "12 s"; "-" when not finite or negative. */
void pl_duration_text(char out[32], double seconds);

/* Now, in UTC: "2026-11-28T15:07:00Z". */
enum { PL_TIME_TEXT = 32 };
void pl_time_text(char out[PL_TIME_TEXT]);
/* Seconds since 1970 of such a text; -1 when it is no such text. */
double pl_time_seconds(const char *text);
/* Seconds from such a text to now, not below 0; -1 when it is no such text. */
double pl_time_age_s(const char *text);

enum { PL_HOST_NAME_MAX = 65 }; /* Linux: 64 bytes and a NUL */
void pl_host_name(char out[PL_HOST_NAME_MAX]);

#endif
