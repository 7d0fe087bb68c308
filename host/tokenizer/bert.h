/* Characters as BERT's normalizer tells them apart. Its tables are those of Unicode 8, whatever Unicode the machine's
 * libraries know: a mark or a control that came later is an ordinary character. Listed by asking PyPI `tokenizers` for
 * every character. */
#ifndef PLUMB_TOKENIZER_BERT_H
#define PLUMB_TOKENIZER_BERT_H

#include <stdbool.h>
#include <stdint.h>

/* What clean_text makes of a character: itself, a space, or 0: it is dropped. */
uint32_t pl__bert_clean(uint32_t character);
/* handle_chinese_chars puts a space on either side. */
bool pl__bert_is_chinese(uint32_t character);
/* strip_accents drops it, from decomposed text. */
bool pl__bert_is_accent(uint32_t character);

#endif
