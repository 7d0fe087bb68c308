/* The token ids of a data file's row that is a text or a list of ids. Shared inside the folder. */
#ifndef PLUMB_CLI_ROW_IDS_H
#define PLUMB_CLI_ROW_IDS_H

#include "task/data.h"
#include "tokenizer/tokenizer.h"

/* Appends the ids of {"text": ...}, with special tokens around it when asked for, or of {"ids": [...]}, each below V.
 * The caller has seen that the row has one of them, as a text or a list. `tokenizer` may be NULL where it has ids.
 * PL_E_INPUT names file, line and place. */
pl_status pl__row_ids(pl_ids *out, const pl_row *row, const pl_tokenizer *tokenizer, bool special, size_t V);

#endif
