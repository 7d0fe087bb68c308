#include "base/content.h"

#include <string.h>
#include <strings.h>

typedef struct beginning {
    const char *bytes;
    size_t size;
    const char *what, *advice;
} beginning;

static const beginning BINARY[] = {
    {"\x1F\x8B", 2, "compressed (gzip)", "unpack it: gunzip, or zcat IN > OUT"},
    {"PK\x03\x04", 4, "a zip archive", "unpack it: unzip"},
    {"\xFD"
     "7zXZ",
     5, "compressed (xz)", "unpack it: xz -d"},
    {"\x28\xB5\x2F\xFD", 4, "compressed (zstd)", "unpack it: zstd -d"},
    {"BZh", 3, "compressed (bzip2)", "unpack it: bunzip2"},
    {"PAR1", 4, "a Parquet file", "convert it to JSON lines (experiments/data/README.md)"},
    {"ARROW1", 6, "an Arrow file", "convert it to JSON lines (experiments/data/README.md)"},
    {"\x89HDF", 4, "an HDF5 file", "name the text file"},
    {"SQLite format 3", 15, "an SQLite database", "export it as CSV or JSON lines"},
    {"\xFF\xFE", 2, "UTF-16 text", "convert it: iconv -f UTF-16 -t UTF-8 IN > OUT"},
    {"\xFE\xFF", 2, "UTF-16 text", "convert it: iconv -f UTF-16 -t UTF-8 IN > OUT"},
};

static const char *const PAGES[] = {"<!doctype", "<html", "<?xml", "<head"};

pl_status pl_content_check(const void *data, size_t size, const char *where)
{
    const char *text = data;
    for (size_t i = 0; i < sizeof BINARY / sizeof *BINARY; i++)
        if (size >= BINARY[i].size && memcmp(text, BINARY[i].bytes, BINARY[i].size) == 0)
            return pl_fail(PL_E_INPUT, "%s: %s, not plain text in UTF-8; %s", where, BINARY[i].what, BINARY[i].advice);
    size_t at = size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    while (at < size && strchr(" \t\r\n", text[at]) && text[at]) at++;
    for (size_t i = 0; i < sizeof PAGES / sizeof *PAGES; i++)
        if (size - at >= strlen(PAGES[i]) && strncasecmp(text + at, PAGES[i], strlen(PAGES[i])) == 0)
            return pl_fail(
                PL_E_INPUT,
                "%s: a web page (HTML or XML), not the file; the download gave a page instead (of an error or "
                "a login?): fetch the file itself",
                where);
    return PL_OK;
}
