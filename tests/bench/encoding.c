/* Speed of encoding: bench-encoding FOLDER TEXT.txt [SECONDS]: the whole file as one text, in one thread, again and
 * again.
 *
 * Prints processor seconds of the first round and of the best one, and a digest of the ids; tests/bench/encoding.py
 * compares them with PyPI `tokenizers`. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/digest.h"
#include "base/file.h"
#include "tokenizer/tokenizer.h"

/* Of this thread: other programs of the machine do not count. */
static double processor_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static pl_status measure(const pl_tokenizer *t, const pl_bytes *text, double seconds)
{
    pl_ids ids = {0};
    double first = 0, best = 0, spent = 0;
    char hash[PL_SHA256_TEXT];
    pl_status status = PL_OK;
    for (size_t round = 0; round < 3 || spent < seconds; round++) {
        ids.n = 0;
        double start = processor_s();
        PL_GOTO(status, done, pl_tokenizer_encode(t, text->data, text->size, false, &ids));
        double took = processor_s() - start;
        if (round == 0) first = took;
        if (round == 0 || took < best) best = took;
        spent += took;
    }
    pl_sha256(hash, ids.data, ids.n * sizeof *ids.data);
    printf("{\"bytes\": %zu, \"ids\": %zu, \"first\": %.6f, \"best\": %.6f, \"digest\": \"%s\"}\n", text->size, ids.n,
           first, best, hash);
done:
    pl_ids_free(&ids);
    return status;
}

int main(int argc, char **argv)
{
    enum { TEXT_BYTES_MAX = 1 << 28 };
    pl_tokenizer *t = NULL;
    pl_bytes text = {0};
    pl_status status;
    if (argc < 3) {
        fprintf(stderr, "usage: bench-encoding FOLDER TEXT.txt [SECONDS]\n");
        return 2;
    }
    PL_GOTO(status, done, pl_tokenizer_open(&t, argv[1]));
    PL_GOTO(status, done, pl_file_read(&text, argv[2], TEXT_BYTES_MAX));
    status = measure(t, &text, argc > 3 ? atof(argv[3]) : 3);
done:
    pl_tokenizer_free(t);
    pl_bytes_free(&text);
    if (status != PL_OK) fprintf(stderr, "bench-encoding: %s\n", pl_error_text());
    return status == PL_OK ? 0 : 1;
}
