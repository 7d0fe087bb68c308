/* Compiled tables: the same ids with and without, and files that must not be trusted: broken, cut, of another
 * tokenizer, with indices that lead out of it under a right checksum. */
#include "golden_tokenizer.h"

#include <dirent.h>
#include <math.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tokenizer/open.h"

/* The first bytes of a table, as table.c has them. */
enum { VERSION_AT = 16, SIZE_AT = 24, CHECKSUM_AT = 32, CHECKED_AT = 48, FACTS_AT = 88, SECTIONS_AT = 152 };
enum { KIND, N_IDS, N_TOKENS, LONGEST, N_MERGES, N_EDGES, N_MORE_EDGES, LEAST }; /* facts of 8 bytes */
/* Starts and sizes of 8 bytes; a tree is its edges and nodes. */
enum { TEXT, TOKENS, SLOTS, MERGES, JOINTS, SCORES, TREES, ADDED = TREES + 4, ADDED_TEXT, REST, N_SECTIONS };

static size_t count_files(const char *folder, const char *ending)
{
    size_t n = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && (e = readdir(dir));)
        n += e->d_name[0] != '.' && (!ending || strstr(e->d_name, ending));
    if (dir) closedir(dir);
    return n;
}

static void check_added(const pl_tokenizer *t, const pl_tokenizer *expected)
{
    assert_int_equal(t->added.n, expected->added.n);
    for (size_t i = 0; i < t->added.n; i++) {
        const pl__added *a = &t->added.items[i], *b = &expected->added.items[i];
        assert_string_equal(a->text, b->text);
        assert_int_equal(a->size, b->size);
        assert_int_equal(a->id, b->id);
        assert_int_equal(a->single_word, b->single_word);
        assert_int_equal(a->lstrip, b->lstrip);
        assert_int_equal(a->rstrip, b->rstrip);
        assert_int_equal(a->normalized, b->normalized);
        assert_int_equal(a->special, b->special);
    }
}

/* Twice: the second time from the table that the first one left. */
static void test_styles(void **state)
{
    (void)state;
    char cache[PL_PATH_MAX];
    size_t n = 0, n_of[PL__SENTENCEPIECE] = {0};
    make_folder(cache);
    DIR *folder = opendir(GOLDEN);
    assert_non_null(folder);
    for (struct dirent *e; (e = readdir(folder));) {
        char style[PL_PATH_MAX], expected[PL_PATH_MAX];
        OK(pl_path(style, "%s/%s", GOLDEN, e->d_name));
        OK(pl_path(expected, "%s/expected.json", style));
        if (e->d_name[0] == '.' || !pl_file_exists(expected)) continue;
        pl_tokenizer *without, *first, *again;
        OK(pl__tokenizer_open(&without, style, NULL));
        OK(pl__tokenizer_open(&first, style, cache));
        OK(pl__tokenizer_open(&again, style, cache));
        assert_null(without->model.table.data);
        assert_int_equal(again->model.kind, without->model.kind);
        assert_int_not_equal(again->model.kind, PL__SENTENCEPIECE);
        assert_non_null(again->model.table.data);
        n_of[again->model.kind]++;
        golden_check_open(again, expected, e->d_name);
        assert_string_equal(pl_tokenizer_digest(again), pl_tokenizer_digest(without));
        assert_string_equal(pl_tokenizer_kind(again), pl_tokenizer_kind(without));
        assert_int_equal(pl_tokenizer_size(again), pl_tokenizer_size(without));
        assert_int_equal(pl_tokenizer_bos(again), pl_tokenizer_bos(without));
        assert_int_equal(pl_tokenizer_eos(again), pl_tokenizer_eos(without));
        check_added(again, without);
        for (int32_t id = 0; id < (int32_t)pl_tokenizer_size(without); id++) {
            const char *piece = pl_tokenizer_piece(without, id), *other = pl_tokenizer_piece(again, id);
            assert_true(!piece == !other && (!piece || strcmp(piece, other) == 0));
        }
        pl_tokenizer_free(without);
        pl_tokenizer_free(first);
        pl_tokenizer_free(again);
        n++;
    }
    closedir(folder);
    assert_true(n >= 44 && n_of[PL__BPE] >= 35 && n_of[PL__UNIGRAM] >= 6 && n_of[PL__WORDPIECE] >= 3);
    assert_true(count_files(cache, NULL) >= 30);
    assert_int_equal(count_files(cache, ".tmp"), 0);
    remove_folder(cache);
}

/* ---- files that are not to be trusted ---- */

struct table {
    char folder[PL_PATH_MAX], path[PL_PATH_MAX], key[PL_HASH_TEXT];
    pl_bytes file;
};

static void make_table(struct table *t, const char *style)
{
    char source[PL_PATH_MAX];
    pl_bytes text = {0};
    pl_tokenizer *tokenizer;
    *t = (struct table){0};
    make_folder(t->folder);
    OK(pl_path(source, "%s/%s", GOLDEN, style));
    OK(pl__tokenizer_open(&tokenizer, source, t->folder));
    pl_tokenizer_free(tokenizer);
    OK(pl_path(source, "%s/%s/tokenizer.json", GOLDEN, style));
    OK(pl_file_read(&text, source, 1 << 24));
    char hash[PL_HASH_TEXT];
    pl_hash128(hash, text.data, text.size);
    OK(pl__table_path(t->path, t->key, t->folder, hash, "-"));
    OK(pl_file_read(&t->file, t->path, 1 << 24));
    pl_bytes_free(&text);
}

static void free_table(struct table *t)
{
    pl_bytes_free(&t->file);
    remove_folder(t->folder);
}

static uint64_t get(const struct table *t, size_t at)
{
    uint64_t value;
    memcpy(&value, t->file.data + at, sizeof value);
    return value;
}

static size_t section(const struct table *t, size_t i)
{
    return get(t, SECTIONS_AT + 16 * i);
}

static bool is_trusted(const struct table *t, const char *data, size_t size)
{
    pl__table table;
    OK(pl_file_replace(t->path, data, size));
    assert_int_equal(chmod(t->path, 0600), 0);
    bool trusted = pl__table_open(&table, t->path, t->key);
    if (!trusted) assert_null(table.map.data);
    pl__table_close(&table);
    return trusted;
}

static void test_broken(void **state)
{
    (void)state;
    struct table t, other;
    pl__table table;
    make_table(&t, "gpt2");
    make_table(&other, "llama2");
    assert_true(is_trusted(&t, t.file.data, t.file.size));
    assert_false(pl__table_open(&table, t.path, other.key));
    for (size_t at = 0; at < t.file.size; at += at < 256 ? 1 : 97) {
        t.file.data[at] ^= 0x10;
        if (is_trusted(&t, t.file.data, t.file.size)) fail_msg("byte %zu is not looked at", at);
        t.file.data[at] ^= 0x10;
    }
    for (size_t size = 0; size < t.file.size; size += size < 256 ? 1 : 97)
        assert_false(is_trusted(&t, t.file.data, size));
    assert_false(is_trusted(&t, other.file.data, other.file.size));
    /* What is not trusted is made again. */
    char style[PL_PATH_MAX];
    pl_tokenizer *tokenizer;
    pl_bytes again = {0};
    OK(pl_path(style, "%s/gpt2", GOLDEN));
    OK(pl__tokenizer_open(&tokenizer, style, t.folder));
    assert_null(tokenizer->model.table.data);
    pl_tokenizer_free(tokenizer);
    OK(pl_file_read(&again, t.path, 1 << 24));
    assert_int_equal(again.size, t.file.size);
    assert_memory_equal(again.data, t.file.data, again.size);
    pl_bytes_free(&again);
    free_table(&t);
    free_table(&other);
}

/* One change under a right checksum. */
static bool is_trusted_with(struct table *t, size_t at, const void *value, size_t size)
{
    char old[8];
    uint64_t sum[2];
    memcpy(old, t->file.data + at, size);
    memcpy(t->file.data + at, value, size);
    pl_hash128_words(sum, t->file.data + CHECKED_AT, t->file.size - CHECKED_AT);
    memcpy(t->file.data + CHECKSUM_AT, sum, sizeof sum);
    bool trusted = is_trusted(t, t->file.data, t->file.size);
    memcpy(t->file.data + at, old, size);
    return trusted;
}

static void refuse(struct table *t, size_t at, uint64_t value)
{
    if (is_trusted_with(t, at, &value, 8)) fail_msg("%llu at %zu is trusted", (unsigned long long)value, at);
}

static void refuse_int(struct table *t, size_t at, int32_t value)
{
    if (is_trusted_with(t, at, &value, 4)) fail_msg("%d at %zu is trusted", (int)value, at);
}

/* The first element of a section that is used, of elements with an int at `offset` that is -1 in free ones. */
static size_t first_used(const struct table *t, size_t i, size_t element, size_t offset)
{
    for (size_t at = section(t, i);; at += element) {
        int32_t value;
        memcpy(&value, t->file.data + at + offset, sizeof value);
        if (value >= 0) return at;
    }
}

/* What is wrong of any table: its facts up to the last that its kind has, its sections. */
static void facts_lie(struct table *t, size_t last_fact)
{
    uint64_t n_ids = get(t, FACTS_AT + 8 * N_IDS), size = t->file.size;
    refuse_int(t, VERSION_AT, 0);
    refuse_int(t, VERSION_AT + 4, 0x04030201);
    refuse(t, SIZE_AT, size + 8);
    refuse(t, FACTS_AT + 8 * N_IDS, n_ids + 1);
    refuse(t, FACTS_AT + 8 * N_IDS, UINT64_MAX);
    for (size_t fact = N_TOKENS; fact <= last_fact; fact++) {
        refuse(t, FACTS_AT + 8 * fact, get(t, FACTS_AT + 8 * fact) - 1);
        refuse(t, FACTS_AT + 8 * fact, UINT64_MAX);
    }
    for (size_t i = 0; i < N_SECTIONS; i++) {
        refuse(t, SECTIONS_AT + 16 * i, 0);
        refuse(t, SECTIONS_AT + 16 * i, section(t, i) + 1);
        refuse(t, SECTIONS_AT + 16 * i, (size + 15) / 8 * 8);
        refuse(t, SECTIONS_AT + 16 * i + 8, size);
        refuse(t, SECTIONS_AT + 16 * i + 8, UINT64_MAX - 7);
        if (i != REST) refuse(t, SECTIONS_AT + 16 * i + 8, get(t, SECTIONS_AT + 16 * i + 8) / 2 - 1);
    }
}

static void test_lies(void **state)
{
    (void)state;
    struct table t;
    make_table(&t, "gpt2");
    uint64_t n_ids = get(&t, FACTS_AT + 8 * N_IDS);
    assert_true(is_trusted_with(&t, FACTS_AT + 8 * N_IDS, &n_ids, 8));
    facts_lie(&t, N_MERGES);
    size_t token = section(&t, TOKENS), slot = first_used(&t, SLOTS, 8, 4), merge = first_used(&t, MERGES, 16, 0);
    refuse_int(&t, token, INT32_MAX);
    refuse_int(&t, token, -1);
    refuse_int(&t, token + 4, INT32_MAX);
    refuse_int(&t, token + 4, 0);
    refuse_int(&t, slot + 4, (int32_t)n_ids);
    refuse_int(&t, slot + 4, -1);
    refuse_int(&t, slot + 4, -2);
    refuse_int(&t, merge, (int32_t)n_ids);
    refuse_int(&t, merge, -1);
    refuse_int(&t, merge, -2);
    refuse_int(&t, merge + 4, -1);
    refuse_int(&t, merge + 4, (int32_t)n_ids);
    refuse_int(&t, merge + 12, -1);
    refuse_int(&t, merge + 12, (int32_t)n_ids);
    /* Texts that are no UTF-8, or begin inside a character. */
    char other = '\xFF';
    if (is_trusted_with(&t, section(&t, TEXT), &other, 1)) fail_msg("a text that is not UTF-8 is trusted");
    for (;; token += 8) {
        uint32_t span[2];
        memcpy(span, t.file.data + token, sizeof span);
        if ((uint8_t)t.file.data[section(&t, TEXT) + span[0]] < 0x80 || span[1] < 2) continue;
        const uint32_t inside[2] = {span[0] + 1, span[1] - 1};
        if (span[1] == get(&t, FACTS_AT + 8 * LONGEST)) continue;
        if (is_trusted_with(&t, token, inside, 8)) fail_msg("a text that begins inside a character is trusted");
        break;
    }
    free_table(&t);
}

static void tree_lies(struct table *t, size_t k)
{
    uint64_t n_ids = get(t, FACTS_AT + 8 * N_IDS), n_edges = get(t, FACTS_AT + 8 * (N_EDGES + k));
    size_t edges = TREES + 2 * k, nodes = edges + 1, node = first_used(t, nodes, 4, 0);
    uint64_t n_nodes = get(t, SECTIONS_AT + 16 * nodes + 8) / 4;
    size_t edge = first_used(t, edges, 8, 0); /* keys of a small tree have no sign bit, free slots have */
    assert_true(n_edges > 0 && n_nodes == n_edges + 1);
    refuse(t, FACTS_AT + 8 * (N_EDGES + k), n_edges - 1);
    refuse(t, FACTS_AT + 8 * (N_EDGES + k), 0);
    refuse_int(t, edge, (int32_t)(n_nodes << 8));
    refuse_int(t, edge, -1);
    refuse_int(t, edge + 4, (int32_t)n_nodes);
    refuse_int(t, edge + 4, 0);
    refuse_int(t, edge + 4, -1);
    refuse_int(t, node, (int32_t)n_ids);
    refuse_int(t, node, -2);
}

static void test_tree_lies(void **state)
{
    (void)state;
    struct table t;
    make_table(&t, "bert");
    facts_lie(&t, LONGEST);
    for (uint64_t kind = 0; kind < 5; kind++)
        if (kind != PL__WORDPIECE) refuse(&t, FACTS_AT + 8 * KIND, kind);
    tree_lies(&t, 0);
    tree_lies(&t, 1);
    free_table(&t);
    make_table(&t, "unigram-twice");
    facts_lie(&t, LONGEST);
    for (uint64_t kind = 0; kind < 5; kind++)
        if (kind != PL__UNIGRAM) refuse(&t, FACTS_AT + 8 * KIND, kind);
    tree_lies(&t, 0);
    const double least[] = {NAN, -INFINITY, -1}, scores[] = {NAN, INFINITY, -1e30};
    for (size_t i = 0; i < 3; i++) {
        if (is_trusted_with(&t, FACTS_AT + 8 * LEAST, &least[i], 8)) fail_msg("%g is trusted as the least", least[i]);
        if (is_trusted_with(&t, section(&t, SCORES), &scores[i], 8)) fail_msg("%g is trusted as a score", scores[i]);
    }
    refuse_int(&t, first_used(&t, SLOTS, 8, 4) + 4, (int32_t)get(&t, FACTS_AT + 8 * N_IDS));
    free_table(&t);
}

static void test_added_lies(void **state)
{
    (void)state;
    struct table t;
    make_table(&t, "bert");
    size_t token = section(&t, ADDED), text = section(&t, ADDED_TEXT);
    int32_t size;
    memcpy(&size, t.file.data + token, sizeof size);
    assert_true(size > 2);
    const char *rest = t.file.data + section(&t, REST), *list = "added_tokens";
    assert_null(memmem(rest, get(&t, SECTIONS_AT + 16 * REST + 8), list, strlen(list))); /* nor is it read twice */
    const int32_t sizes[] = {-1, 0, size - 1, size + 1, (int32_t)get(&t, SECTIONS_AT + 16 * ADDED_TEXT + 8)};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) refuse_int(&t, token, sizes[i]);
    refuse_int(&t, token + 4, -1);
    refuse_int(&t, token + 4, PL__ID_MAX + 1);
    refuse_int(&t, token + 8, 32);
    refuse(&t, SECTIONS_AT + 16 * ADDED + 8, get(&t, SECTIONS_AT + 16 * ADDED + 8) - 12); /* text behind the last */
    const char other = '\xFF';
    if (is_trusted_with(&t, text, &other, 1)) fail_msg("an added token that is not UTF-8 is trusted");
    if (is_trusted_with(&t, text + (size_t)size, "x", 1)) fail_msg("an added token without a NUL is trusted");
    /* The first is empty, the second has the rest of it. */
    int32_t next;
    memcpy(&next, t.file.data + token + 12, sizeof next);
    next += size;
    memcpy(t.file.data + token + 12, &next, sizeof next);
    t.file.data[text] = 0;
    refuse_int(&t, token, 0);
    free_table(&t);
}

/* A table of another kind of model than its tokenizer.json says is an error, not another tokenizer. */
static void test_other_kind(void **state)
{
    (void)state;
    struct table t;
    pl_tokenizer *tokenizer;
    const uint64_t kind = PL__WORDPIECE;
    make_table(&t, "xlm-roberta");
    assert_true(is_trusted_with(&t, FACTS_AT + 8 * KIND, &kind, 8)); /* and lies there now */
    assert_int_equal(pl__tokenizer_open(&tokenizer, GOLDEN "/t5", t.folder), PL_OK);
    pl_tokenizer_free(tokenizer);
    assert_int_equal(pl__tokenizer_open(&tokenizer, GOLDEN "/xlm-roberta", t.folder), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "of another kind of model: remove it"));
    free_table(&t);
}

/* ---- others ---- */

static mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 0777;
}

static bool opens(const struct table *t)
{
    pl__table table;
    bool opened = pl__table_open(&table, t->path, t->key);
    pl__table_close(&table);
    return opened;
}

/* What others can write, or own, is not trusted, whatever it holds. */
static void test_others(void **state)
{
    (void)state;
    static const mode_t open_modes[] = {0620, 0602, 0666};
    struct table t;
    make_table(&t, "gpt2");
    assert_true(opens(&t));
    for (size_t i = 0; i < sizeof open_modes / sizeof *open_modes; i++) {
        assert_int_equal(chmod(t.path, open_modes[i]), 0);
        assert_false(opens(&t));
        assert_int_equal(chmod(t.path, 0644), 0);
        assert_int_equal(chmod(t.folder, open_modes[i] | 0700), 0);
        assert_false(opens(&t));
        assert_int_equal(chmod(t.folder, 0755), 0);
        assert_true(opens(&t));
    }
    if (geteuid() == 0) { /* nobody else can give files away */
        assert_int_equal(chown(t.path, 1, (gid_t)-1), 0);
        assert_false(opens(&t));
        assert_int_equal(chown(t.path, 0, (gid_t)-1), 0);
        assert_int_equal(chown(t.folder, 1, (gid_t)-1), 0);
        assert_false(opens(&t));
        assert_int_equal(chown(t.folder, 0, (gid_t)-1), 0);
        assert_true(opens(&t));
    }
    free_table(&t);
}

/* Under a umask that closes nothing; a folder of one's own that others could write is closed, and used again. */
static void test_modes(void **state)
{
    (void)state;
    char folder[PL_PATH_MAX], cache[PL_PATH_MAX];
    mode_t old = umask(0);
    make_folder(folder);
    OK(pl_path(cache, "%s/plumb/tokenizers", folder));
    for (size_t round = 0; round < 2; round++) {
        pl_tokenizer *t;
        OK(pl__tokenizer_open(&t, GOLDEN "/gpt2", cache));
        assert_null(t->model.table.data);
        pl_tokenizer_free(t);
        OK(pl__tokenizer_open(&t, GOLDEN "/gpt2", cache));
        assert_non_null(t->model.table.data);
        pl_tokenizer_free(t);
        assert_int_equal(mode_of(cache), 0700);
        assert_int_equal(count_files(cache, NULL), 1);
        DIR *dir = opendir(cache);
        for (struct dirent *e; (e = readdir(dir));) {
            char path[PL_PATH_MAX];
            OK(pl_path(path, "%s/%s", cache, e->d_name));
            if (e->d_name[0] != '.') assert_int_equal(mode_of(path), 0600);
        }
        closedir(dir);
        assert_int_equal(chmod(cache, 0777), 0);
    }
    umask(old);
    remove_folder(folder);
}

/* ---- places ---- */

static void open_well(const char *cache)
{
    pl_tokenizer *t;
    pl_ids ids = {0};
    OK(pl__tokenizer_open(&t, GOLDEN "/gpt2", cache));
    OK(pl_tokenizer_encode(t, "the night", 9, false, &ids));
    assert_true(ids.n > 0);
    pl_ids_free(&ids);
    pl_tokenizer_free(t);
}

/* A folder that cannot be made, a file in its place, a folder in the table's place: no cache, and no error. */
static void test_no_place(void **state)
{
    (void)state;
    struct table t;
    char inside[PL_PATH_MAX];
    open_well("/proc/none/tokenizers");
    make_table(&t, "gpt2");
    OK(pl_path(inside, "%s/deeper", t.path));
    open_well(t.path);
    open_well(inside);
    assert_int_equal(remove(t.path), 0);
    OK(pl_folder_make(inside));
    open_well(t.folder);
    assert_int_equal(count_files(t.folder, ".tmp"), 0);
    free_table(&t);
}

/* Several processes that find nothing write at once: each opens, and one whole table is left. */
static void test_at_once(void **state)
{
    (void)state;
    enum { PROCESSES = 6, ROUNDS = 8 };
    struct table t;
    make_table(&t, "gpt2");
    for (size_t round = 0; round < ROUNDS; round++) {
        pid_t children[PROCESSES];
        assert_int_equal(remove(t.path), 0);
        for (size_t i = 0; i < PROCESSES; i++) {
            children[i] = fork();
            if (children[i] == 0) {
                pl_tokenizer *tokenizer;
                _exit(pl__tokenizer_open(&tokenizer, GOLDEN "/gpt2", t.folder) != PL_OK);
            }
        }
        for (size_t i = 0; i < PROCESSES; i++) {
            int status = 1;
            assert_int_equal(waitpid(children[i], &status, 0), children[i]);
            assert_int_equal(status, 0);
        }
        pl__table table;
        assert_true(pl__table_open(&table, t.path, t.key));
        pl__table_close(&table);
        assert_int_equal(count_files(t.folder, NULL), 1);
    }
    free_table(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_styles),    cmocka_unit_test(test_broken),     cmocka_unit_test(test_lies),
        cmocka_unit_test(test_tree_lies), cmocka_unit_test(test_added_lies), cmocka_unit_test(test_other_kind),
        cmocka_unit_test(test_others),    cmocka_unit_test(test_modes),      cmocka_unit_test(test_no_place),
        cmocka_unit_test(test_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
