/* Inside of the data reader: what JSON lines and CSV share. */
#ifndef PLUMB_TASK_DATA_ROWS_H
#define PLUMB_TASK_DATA_ROWS_H

#include "task/data.h"

enum { PL__DATA_MAX_LINE = 16 * 1024 * 1024, PL__DATA_MAX_COLUMNS = 4096 };

/* Appends an item, which is taken over (also on failure). `wide`: a text that begins with U+0000 is an integer beyond
 * 64 bits (base/json.h), and no other text holds that character. */
pl_status pl__data_add(pl_data *data, size_t *capacity, json_t *item, bool wide, const char *where, size_t line);

/* separator ',': RFC 4180, with quotes; '\t': no quoting, a quote is a letter like any other. */
pl_status pl__data_parse_csv(pl_data *data, const char *text, size_t size, char separator, const char *where);

#endif
