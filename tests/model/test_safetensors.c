/* Safetensors files: what is read, and the one line that each kind of lie gets. */
#include "tests.h"

#include "base/file.h"
#include "model/safetensors.h"

/* A file of this header and n zero bytes (length 0: the header's own). */
static pl_bytes file_of(const char *header, uint64_t length, size_t n)
{
    pl_bytes b = {0};
    uint8_t size[8];
    if (length == 0) length = strlen(header);
    for (size_t i = 0; i < 8; i++) size[i] = (uint8_t)(length >> (8 * i));
    assert_int_equal(pl_bytes_append(&b, size, 8), PL_OK);
    assert_int_equal(pl_bytes_text(&b, header), PL_OK);
    for (size_t i = 0; i < n; i++) assert_int_equal(pl_bytes_append(&b, "", 1), PL_OK);
    return b;
}

static void test_reads(void **state)
{
    (void)state;
    pl_bytes b = file_of("{\"__metadata__\":{\"format\":\"pt\"},"
                         "\"b.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[3,27]},"
                         "\"mask\":{\"dtype\":\"BOOL\",\"shape\":[3],\"data_offsets\":[0,3]},"
                         "\"a\":{\"dtype\":\"BF16\",\"shape\":[],\"data_offsets\":[27,29]},"
                         "\"empty\":{\"dtype\":\"F16\",\"shape\":[0,5],\"data_offsets\":[29,29]}}",
                         0, 29);
    pl_safetensors *files;
    assert_int_equal(pl_safetensors_parse(&files, (const uint8_t *)b.data, b.size, "x"), PL_OK);
    assert_int_equal(pl_safetensors_count(files), 4);
    assert_string_equal(pl_safetensors_at(files, 0)->name, "a");
    assert_null(pl_safetensors_at(files, 4));
    const pl_tensor *t = pl_safetensors_find(files, "b.weight");
    assert_non_null(t);
    assert_true(t->readable);
    assert_int_equal(t->dtype, PL_F32);
    assert_int_equal(t->n_dims, 2);
    assert_int_equal(t->dims[1], 3);
    assert_int_equal(t->bytes, 24);
    assert_ptr_equal(t->data, (const uint8_t *)b.data + b.size - 26);
    assert_false(pl_safetensors_find(files, "mask")->readable);
    assert_int_equal(pl_safetensors_find(files, "a")->n_dims, 0);
    assert_null(pl_safetensors_find(files, "c"));
    pl_safetensors_close(files);
    pl_bytes_free(&b);
}

#define ONE(dtype, shape, offsets) "{\"t\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
#define TWO(first, second)                                                                                             \
    "{\"t\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" first "},"                                              \
    "\"u\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" second "}}"

static const struct lie {
    const char *header;
    uint64_t length;
    size_t n;
    const char *text; /* must stand in the message */
} lies[] = {
    {"{}", 1u << 30, 0, "expected at most 100000000"},
    {"{}", 3, 0, "but the file ends after 2"},
    {"{}", UINT64_MAX, 0, "at byte 0"},
    {"[]", 0, 0, "expected a JSON object"},
    {"{", 0, 0, "not valid JSON"},
    {"{\"t\":{},\"t\":{}}", 0, 0, "duplicate object key"},
    {"{\"t\":1}", 0, 0, "tensor 't': expected an object"},
    {ONE("F31", "[2]", "[0,8]"), 0, 8, "'F31' is no type"},
    {"{\"t\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 0, 8, "(absent)"},
    {ONE("F32", "2", "[0,8]"), 0, 8, "shape: expected a list"},
    {ONE("F32", "[1,1,1,1,1,1,1,1,2]", "[0,8]"), 0, 8, "at most 8 sizes"},
    {ONE("F32", "[-2]", "[0,8]"), 0, 8, "entry 0 is not a size"},
    {ONE("F32", "[2.0]", "[0,8]"), 0, 8, "entry 0 is not a size"},
    {ONE("F32", "[4294967296,4294967296,4294967296]", "[0,8]"), 0, 8, "does not fit in memory"},
    {ONE("F32", "[1000000000000000000]", "[0,8]"), 0, 8, "does not fit in memory"},
    {ONE("F32", "[2]", "[0]"), 0, 8, "expected [begin, end]"},
    {ONE("F32", "[2]", "[0,-8]"), 0, 8, "expected [begin, end]"},
    {ONE("F32", "[2]", "[8,0]"), 0, 8, "expected within 0..8"},
    {ONE("F32", "[2]", "[0,8]"), 0, 7, "is the file truncated?"},
    {ONE("F32", "[2]", "[0,8]"), 0, 9, "1 bytes that belong to no tensor"},
    {ONE("F32", "[3]", "[0,8]"), 0, 8, "3 elements of F32 take 12 bytes, but data_offsets hold 8"},
    {ONE("F4", "[3]", "[0,1]"), 0, 1, "3 elements of F4"},
    {ONE("F32", "[2]", "[4,12]"), 0, 12, "leaves a hole"},
    {TWO("[0,4]", "[2,6]"), 0, 6, "overlaps another one"},
    {TWO("[0,4]", "[0,4]"), 0, 4, "overlaps another one"},
    {TWO("[0,4]", "[5,9]"), 0, 9, "leaves a hole"},
};

static void test_lies(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        pl_bytes b = file_of(lies[i].header, lies[i].length, lies[i].n);
        pl_safetensors *files;
        assert_int_equal(pl_safetensors_parse(&files, (const uint8_t *)b.data, b.size, "some.safetensors"), PL_E_INPUT);
        assert_null(files);
        if (!strstr(pl_error_text(), lies[i].text) || strncmp(pl_error_text(), "some.safetensors:", 17) != 0)
            fail_msg("lie %zu: expected '%s' in: %s", i, lies[i].text, pl_error_text());
        pl_bytes_free(&b);
    }
    pl_safetensors *files;
    assert_int_equal(pl_safetensors_parse(&files, (const uint8_t *)"\2", 1, "x"), PL_E_INPUT);
}

/* ---- Folders ---------------------------------------------------------------------------------------------------- */

static char folder[PL_PATH_MAX];

static int set_up(void **state)
{
    (void)state;
    make_folder(folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remove_folder(folder);
    return 0;
}

static void put(const char *name, const void *data, size_t size)
{
    char path[PL_PATH_MAX];
    assert_int_equal(pl_path(path, "%s/%s", folder, name), PL_OK);
    assert_int_equal(pl_file_replace(path, data, size), PL_OK);
}

static void put_tensor(const char *file, const char *name, char fill)
{
    char header[256];
    snprintf(header, sizeof header, "{\"%s\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", name);
    pl_bytes b = file_of(header, 0, 4);
    memset(b.data + b.size - 4, fill, 4);
    put(file, b.data, b.size);
    pl_bytes_free(&b);
}

static void expect_failure(pl_status status, const char *text)
{
    pl_safetensors *files;
    assert_int_equal(pl_safetensors_open(&files, folder), status);
    assert_null(files);
    if (!strstr(pl_error_text(), text)) fail_msg("expected '%s' in: %s", text, pl_error_text());
}

static void put_index(const char *map)
{
    char text[512];
    snprintf(text, sizeof text, "{\"metadata\":{},\"weight_map\":%s}", map);
    put("model.safetensors.index.json", text, strlen(text));
}

static void test_folders(void **state)
{
    (void)state;
    expect_failure(PL_E_INPUT, "found neither");
    put("pytorch_model.bin", "x", 1);
    expect_failure(PL_E_UNSUPPORTED, "save_pretrained");

    put_tensor("one.safetensors", "a", 1);
    put_tensor("two.safetensors", "b", 2);
    put_index("{\"a\":\"one.safetensors\",\"b\":\"two.safetensors\"}");
    pl_safetensors *files;
    assert_int_equal(pl_safetensors_open(&files, folder), PL_OK);
    assert_int_equal(pl_safetensors_count(files), 2);
    assert_int_equal(pl_safetensors_find(files, "b")->data[0], 2);
    pl_safetensors_close(files);

    put_index("[]");
    expect_failure(PL_E_INPUT, "weight_map: expected an object");
    put_index("{\"a\":\"../one.safetensors\"}");
    expect_failure(PL_E_INPUT, "not a plain file name");
    put_index("{\"a\":\"..\"}");
    expect_failure(PL_E_INPUT, "not a plain file name");
    put_index("{\"a\":\"/etc/passwd\"}");
    expect_failure(PL_E_INPUT, "not a plain file name");
    put_index("{\"a\":7}");
    expect_failure(PL_E_INPUT, "expected a file name");
    put_index("{\"a\":\"one.safetensors\\u0000x\"}");
    expect_failure(PL_E_INPUT, "expected a file name");
    put_index("{\"a\":\"three.safetensors\"}");
    expect_failure(PL_E_INPUT, "three.safetensors: the file is missing");
    put_index("{\"a\":\"one.safetensors\",\"c\":\"one.safetensors\"}");
    expect_failure(PL_E_INPUT, "tensor 'c' is missing");
    put_index("{\"c\":\"one.safetensors\"}");
    expect_failure(PL_E_INPUT, "tensor 'a' is not listed");
    put_index("{\"a\":\"two.safetensors\",\"b\":\"two.safetensors\",\"c\":\"one.safetensors\"}");
    expect_failure(PL_E_INPUT, "says 'two.safetensors'");
    put_tensor("two.safetensors", "a", 2);
    put_index("{\"a\":\"one.safetensors\",\"b\":\"two.safetensors\"}");
    expect_failure(PL_E_INPUT, "stands in");
}

/* ---- Digests ---------------------------------------------------------------------------------------------------- */

static void digest_of_folder(char out[33])
{
    pl_safetensors *files;
    assert_int_equal(pl_safetensors_open(&files, folder), PL_OK);
    assert_int_equal(pl_safetensors_digest(files, out), PL_OK);
    pl_safetensors_close(files);
}

static void test_digest(void **state)
{
    (void)state;
    char cache[PL_PATH_MAX], sharded[33], single[33], changed[33];
    assert_int_equal(pl_path(cache, "%s/cache", folder), PL_OK);
    setenv("XDG_CACHE_HOME", cache, 1);
    put_tensor("one.safetensors", "a", 1);
    put_tensor("two.safetensors", "b", 2);
    put_index("{\"a\":\"one.safetensors\",\"b\":\"two.safetensors\"}");
    digest_of_folder(sharded);
    assert_int_equal(strlen(sharded), 32);

    /* One file with the other order of data: the same tensors, the same digest. */
    pl_bytes b = file_of("{\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
                         "\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4,8]}}",
                         0, 8);
    memcpy(b.data + b.size - 8, "\2\2\2\2\1\1\1\1", 8);
    put("model.safetensors", b.data, b.size);
    digest_of_folder(single);
    assert_string_equal(single, sharded);

    b.data[b.size - 1] = 9;
    put("model.safetensors", b.data, b.size);
    digest_of_folder(changed);
    assert_string_not_equal(changed, sharded);
    pl_bytes_free(&b);
}

static void age(const char *name, const char *when)
{
    char command[PL_PATH_MAX + 64];
    snprintf(command, sizeof command, "touch -d '%s' %s/%s", when, folder, name);
    assert_int_equal(system(command), 0);
}

static size_t n_cached(void)
{
    char command[PL_PATH_MAX + 128], text[32] = "";
    snprintf(command, sizeof command, "ls %s/cache/plumb/digests 2>/dev/null | wc -l", folder);
    FILE *p = popen(command, "r");
    assert_non_null(p);
    assert_non_null(fgets(text, sizeof text, p));
    pclose(p);
    return strtoul(text, NULL, 10);
}

/* Overwrites the only file of the cache, so that its answers are told from computed ones. */
static void mark_cache(const char digest[33])
{
    char command[PL_PATH_MAX + 128];
    snprintf(command, sizeof command, "printf %%s %s | tee %s/cache/plumb/digests/* >/dev/null", digest, folder);
    assert_int_equal(system(command), 0);
}

/* Of the cached files and of their folder. */
static void set_modes(const char *file, const char *of_folder)
{
    char command[2 * PL_PATH_MAX + 128];
    snprintf(command, sizeof command, "chmod %s %s/cache/plumb/digests/* && chmod %s %s/cache/plumb/digests", file,
             folder, of_folder, folder);
    assert_int_equal(system(command), 0);
}

static void test_digest_cache(void **state)
{
    (void)state;
    static const char marked[33] = "0123456789abcdef0123456789abcdef";
    char cache[PL_PATH_MAX], first[33], again[33];
    assert_int_equal(pl_path(cache, "%s/cache", folder), PL_OK);
    setenv("XDG_CACHE_HOME", cache, 1);
    put_tensor("model.safetensors", "a", 1);
    age("model.safetensors", "2020-01-01");
    digest_of_folder(first);
    assert_int_equal(n_cached(), 0); /* just changed, whatever it says: its time may not move on the next change */

    sleep(3); /* nobody can set the time of change back */
    digest_of_folder(again);
    assert_string_equal(first, again);
    assert_int_equal(n_cached(), 1);
    mark_cache(marked);
    digest_of_folder(again);
    assert_string_equal(again, marked); /* it is the cache that answers */

    /* One that others can write, or whose folder they can, does not. */
    set_modes("go+w", "go-w");
    digest_of_folder(again);
    assert_string_equal(again, first);
    mark_cache(marked);
    set_modes("go-w", "go+w");
    digest_of_folder(again);
    assert_string_equal(again, first);
    assert_int_equal(n_cached(), 1);
    mark_cache(marked);
    digest_of_folder(again);
    assert_string_equal(again, marked); /* closed again when it was written */

    /* Other bytes under the same path, size and time, as a new file and in place: they are seen. */
    put_tensor("model.safetensors", "a", 3);
    age("model.safetensors", "2020-01-01");
    digest_of_folder(again);
    assert_string_not_equal(again, marked);
    assert_string_not_equal(again, first);

    /* No place for a cache is no error. */
    setenv("XDG_CACHE_HOME", "/proc/no-such-place", 1);
    digest_of_folder(again);
    assert_string_not_equal(first, again);
}

/* Another byte in the middle of the data, in place, with the old time of modification. */
static void change_in_place(const char *name, int byte)
{
    char path[PL_PATH_MAX];
    assert_int_equal(pl_path(path, "%s/%s", folder, name), PL_OK);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, -1, SEEK_END), 0);
    fputc(byte, file);
    fclose(file);
    age(name, "2020-01-01");
}

static void test_changes_are_noticed(void **state)
{
    (void)state;
    char digest[33], now[33];
    pl_safetensors *files;
    setenv("XDG_CACHE_HOME", "/proc/no-such-place", 1);
    put_tensor("model.safetensors", "a", 1);
    age("model.safetensors", "2020-01-01");
    OK(pl_safetensors_open(&files, folder));
    OK(pl_safetensors_digest(files, digest));
    OK(pl_safetensors_verify(files, digest));
    usleep(20000);                          /* the clock of files has ticked */
    age("model.safetensors", "2020-01-02"); /* the same bytes */
    OK(pl_safetensors_verify(files, digest));
    change_in_place("model.safetensors", 7);
    REFUSED(pl_safetensors_verify(files, digest), PL_E_IO, "changed since this program began");
    REFUSED(pl_safetensors_digest(files, now), PL_E_IO, "changed while it was read");
    change_in_place("model.safetensors", 1);
    OK(pl_safetensors_verify(files, digest));
    /* Replaced by another file: what is mapped is still the first. */
    put_tensor("other", "a", 9);
    char from[PL_PATH_MAX], to[PL_PATH_MAX];
    OK(pl_path(from, "%s/other", folder));
    OK(pl_path(to, "%s/model.safetensors", folder));
    assert_int_equal(rename(from, to), 0);
    OK(pl_safetensors_verify(files, digest));
    OK(pl_safetensors_digest(files, now));
    assert_string_equal(now, digest);
    pl_safetensors_close(files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),
        cmocka_unit_test(test_lies),
        cmocka_unit_test_setup_teardown(test_folders, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_digest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_digest_cache, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_changes_are_noticed, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
