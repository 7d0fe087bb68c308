/* Tokenizer files that are wrong, or more than is supported: each gives one clear line that names what and where. */
#include "tests.h"

#include "tokenizer/open.h"

/* The smallest whole file; cases replace one of its parts. */
#define ADDED "[{\"id\": 3, \"content\": \"<s>\", \"special\": true}]"
#define MODEL "{\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 1, \"ab\": 2}, \"merges\": [\"a b\"]}"
#define FILE_OF(added, normalizer, pre, post, decoder, model)                                                          \
    "{\"version\": \"1.0\", \"added_tokens\": " added ", \"normalizer\": " normalizer ", \"pre_tokenizer\": " pre      \
    ", \"post_processor\": " post ", \"decoder\": " decoder ", \"model\": " model "}"
#define WITH_ADDED(x)      FILE_OF(x, "null", "null", "null", "null", MODEL)
#define WITH_NORMALIZER(x) FILE_OF(ADDED, x, "null", "null", "null", MODEL)
#define WITH_PRE(x)        FILE_OF(ADDED, "null", x, "null", "null", MODEL)
#define WITH_POST(x)       FILE_OF(ADDED, "null", "null", x, "null", MODEL)
#define WITH_DECODER(x)    FILE_OF(ADDED, "null", "null", "null", x, MODEL)
#define WITH_MODEL(x)      FILE_OF(ADDED, "null", "null", "null", "null", x)
#define WITH_REGEX(x)      WITH_PRE("{\"type\": \"Split\", \"pattern\": {\"Regex\": \"" x "\"}, \"behavior\": \"Isolated\"}")
#define TEMPLATE(single, special)                                                                                      \
    "{\"type\": \"TemplateProcessing\", \"single\": " single ", \"special_tokens\": " special "}"
#define BOS  "{\"SpecialToken\": {\"id\": \"<s>\", \"type_id\": 0}}"
#define TEXT "{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}"

static pl_status parse(const char *json, pl_tokenizer **t)
{
    pl__sources sources = {.tokenizer = {"dir/tokenizer.json", json, strlen(json)}};
    return pl__tokenizer_parse(t, &sources);
}

struct wrong {
    const char *json;
    pl_status status;
    const char *message; /* a part of it */
};

static void check(const struct wrong *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        pl_tokenizer *t = NULL;
        pl_status status = parse(cases[i].json, &t);
        if (status != cases[i].status || !strstr(pl_error_text(), cases[i].message))
            fail_msg("case %zu: status %d, '%s'; expected %d, '%s'", i, (int)status, pl_error_text(),
                     (int)cases[i].status, cases[i].message);
        assert_null(t);
        assert_non_null(strstr(pl_error_text(), "dir/tokenizer.json"));
        assert_null(strchr(pl_error_text(), '\n'));
    }
}
#define CHECK(cases) check(cases, sizeof cases / sizeof *cases)

static void test_whole(void **state)
{
    (void)state;
    pl_tokenizer *t;
    if (parse(WITH_ADDED(ADDED), &t) != PL_OK) fail_msg("%s", pl_error_text());
    pl_ids ids = {0};
    assert_int_equal(pl_tokenizer_encode(t, "ab<s>xb", 7, true, &ids), PL_OK);
    /* x is dropped: no unknown token is declared, as in Hugging Face. */
    assert_int_equal(ids.n, 3);
    assert_int_equal(ids.data[0], 2);
    assert_int_equal(ids.data[1], 3);
    assert_int_equal(ids.data[2], 1);
    pl_ids_free(&ids);
    pl_tokenizer_free(t);
}

/* Vocabulary and merges are read apart from the rest: their escapes, and the lines of errors behind them. */
static void test_escapes(void **state)
{
    (void)state;
    static const char model[] = "{\"model\": {\n\"type\": \"BPE\", \"vocab\" : {\n\"\\u0061\": 0,\n "
                                "\"\\ud83d\\uDE00\": 1, \"a\\ud83d\\ude00\": 2,"
                                "\"\\n\\\"\\\\\\/\": 3}\n,\"merges\":[ [ \"\\u0061\" ,\"\\ud83d\\ude00\" ] ]}\n%s}";
    char json[512];
    pl_tokenizer *t;
    pl_ids ids = {0};
    snprintf(json, sizeof json, model, "");
    if (parse(json, &t) != PL_OK) fail_msg("%s", pl_error_text());
    assert_int_equal(pl_tokenizer_encode(t, "a\xF0\x9F\x98\x80", 5, false, &ids), PL_OK);
    assert_int_equal(ids.n, 1);
    assert_int_equal(ids.data[0], 2);
    assert_string_equal(pl_tokenizer_piece(t, 3), "\n\"\\/");
    pl_ids_free(&ids);
    pl_tokenizer_free(t);
    snprintf(json, sizeof json, model, "x");
    const struct wrong one = {json, PL_E_INPUT, "dir/tokenizer.json:6:"};
    check(&one, 1);
}

/* Every beginning of a file is refused, and nothing leaks (the sanitizer build looks). */
static void test_truncated(void **state)
{
    (void)state;
    static const char whole[] = WITH_POST(TEMPLATE("[" BOS "," TEXT "]", "{\"<s>\": {\"id\": \"<s>\", \"ids\": [3]}}"));
    pl_tokenizer *t;
    for (size_t size = 0; size + 1 < sizeof whole - 1; size++) {
        pl__sources sources = {.tokenizer = {"dir/tokenizer.json", whole, size}};
        assert_int_equal(pl__tokenizer_parse(&t, &sources), PL_E_INPUT);
        assert_null(t);
    }
    assert_int_equal(parse(whole, &t), PL_OK);
    pl_tokenizer_free(t);
}

static void test_models(void **state)
{
    (void)state;
    static const struct wrong cases[] = {
        {"", PL_E_INPUT, "not valid JSON"},
        {"[]", PL_E_INPUT, "expected an object"},
        {"{}", PL_E_INPUT, "model: expected an object"},
        {WITH_MODEL("{\"type\": \"WordLevel\", \"vocab\": {}, \"unk_token\": \"u\"}"), PL_E_UNSUPPORTED,
         "model: the model 'WordLevel' is not supported, only BPE, Unigram and WordPiece"},
        {WITH_MODEL("{\"vocab\": {\"a\": 0}, \"unk_token\": \"u\"}"), PL_E_UNSUPPORTED,
         "model: the type is not said and there are no merges"},
        {WITH_MODEL("{\"type\": \"Unigram\", \"vocab\": [], \"unk_id\": 0}"), PL_E_INPUT,
         "model.unk_id: expected the id of one of the 0 pieces"},
        {WITH_MODEL("{\"type\": \"Unigram\", \"vocab\": [[\"a\", 0]], \"unk_id\": -1}"), PL_E_INPUT, "model.unk_id"},
        {WITH_MODEL("{\"type\": \"Unigram\", \"vocab\": [[\"a\", 0]], \"unk_id\": 0.5}"), PL_E_INPUT, "model.unk_id"},
        {WITH_MODEL("{\"type\": \"Unigram\", \"vocab\": {\"a\": 0}}"), PL_E_INPUT,
         "model.vocab: expected a list of pieces and scores"},
        {WITH_MODEL("{\"type\": \"Unigram\", \"vocab\": [[\"a\", \"0\"]]}"), PL_E_INPUT, "expected a number"},
        {WITH_MODEL("{\"type\": \"Unigram\", \"vocab\": [[\"a\", 1e999]]}"), PL_E_INPUT, "expected a finite score"},
        {WITH_MODEL("{\"type\": \"Unigram\", \"vocab\": [[\"a\", 0, 1]]}"), PL_E_INPUT, "']' behind piece and score"},
        {WITH_MODEL("{\"type\": \"Unigram\", \"vocab\": [[\"\", 0]]}"), PL_E_INPUT, "piece 0: expected a text"},
        {WITH_MODEL("{\"type\": \"WordPiece\", \"vocab\": [[\"a\", 0]]}"), PL_E_INPUT,
         "model.vocab: expected an object of tokens and ids"},
        {WITH_MODEL("{\"type\": \"WordPiece\"}"), PL_E_INPUT, "model.vocab: expected an object"},
        {WITH_MODEL("{\"type\": \"BPE\", \"dropout\": 0.1, \"vocab\": {}, \"merges\": []}"), PL_E_UNSUPPORTED,
         "model.dropout: 0.1"},
        {WITH_MODEL("{\"type\": \"BPE\", \"continuing_subword_prefix\": \"##\", \"vocab\": {\"a\": 0, \"b\": 1}, "
                    "\"merges\": [[\"a\", \"b\"]]}"),
         PL_E_INPUT, "merge 0 names 'b', which is not in the vocabulary"},
        {WITH_MODEL("{\"type\": \"BPE\", \"vocab\": [\"a\"], \"merges\": []}"), PL_E_INPUT,
         "model.vocab: expected an object"},
        {WITH_MODEL("{\"type\": \"BPE\", \"vocab\": {\"a\": \"0\"}, \"merges\": []}"), PL_E_INPUT,
         "token 'a': expected an integer id"},
        {WITH_MODEL("{\"type\": \"BPE\", \"vocab\": {\"a\": -1}, \"merges\": []}"), PL_E_INPUT, "id -1, expected 0 to"},
        {WITH_MODEL("{\"type\": \"BPE\", \"vocab\": {\"a\": 4194304}, \"merges\": []}"), PL_E_INPUT,
         "id 4194304, expected 0 to 4194303"},
        {WITH_MODEL("{\"type\": \"BPE\", \"vocab\": {\"a\": 9007199254740993}, \"merges\": []}"), PL_E_INPUT,
         "id 9007199254740993"},
        {WITH_MODEL("{\"type\": \"BPE\", \"vocab\": {\"a\": 7, \"b\": 7}, \"merges\": []}"), PL_E_INPUT,
         "id 7 is given to two tokens, 'a' and 'b'"},
        {WITH_MODEL("{\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"a\": 1}, \"merges\": []}"), PL_E_INPUT,
         "token 'a' is there twice"},
        {WITH_MODEL("{\"type\": \"BPE\", \"vocab\": {\"a\": 0}}"), PL_E_INPUT, "model.merges: expected a list"},
        {WITH_MODEL("{\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 1}, \"merges\": [\"a c\"]}"), PL_E_INPUT,
         "merge 0 names 'c', which is not in the vocabulary"},
        {WITH_MODEL("{\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 1}, \"merges\": [[\"a\", \"b\"]]}"), PL_E_INPUT,
         "merge 0 names 'ab', which"},
        {WITH_MODEL("{\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [\"a\"]}"), PL_E_INPUT,
         "two tokens and one space"},
        {WITH_MODEL("{\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [\"a  a\"]}"), PL_E_INPUT, "found 'a  a'"},
        {WITH_MODEL("{\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [[\"a\"]]}"), PL_E_INPUT,
         "model.merges: not valid JSON: expected the second token of a merge at byte 5"},
        {WITH_MODEL("{\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [3]}"), PL_E_INPUT,
         "model.merges: not valid JSON: expected a text at byte 1"},
        {WITH_MODEL("{\"type\": \"BPE\", \"vocab\": {}, \"vocab\": {}, \"merges\": []}"), PL_E_INPUT,
         "duplicate object key"},
#define VOCAB(x) WITH_MODEL("{\"type\": \"BPE\", \"vocab\": {" x "}, \"merges\": []}")
        {VOCAB("\"a\": 1.0"), PL_E_INPUT, "token 'a': expected an integer id"},
        {VOCAB("\"a\": 1e0"), PL_E_INPUT, "token 'a': expected an integer id"},
        {VOCAB("\"a\": 01"), PL_E_INPUT, "token 'a': expected an integer id"},
        {VOCAB("\"a\": 1234567890123456789"), PL_E_INPUT, "token 'a': expected an integer id"},
        {VOCAB("\"a\": 0 \"b\": 1"), PL_E_INPUT, "model.vocab: not valid JSON: expected ',' or '}' at byte 8"},
        {VOCAB("\"a\": 0,"), PL_E_INPUT, "model.vocab: not valid JSON: expected a text"},
        {VOCAB("\"a\" 0"), PL_E_INPUT, "model.vocab: not valid JSON: expected ':'"},
        {VOCAB("a: 0"), PL_E_INPUT, "model.vocab: not valid JSON: expected a text at byte 1"},
        {VOCAB("\"a\n\": 0"), PL_E_INPUT, "model.vocab: not valid JSON: expected '\"'"},
        {VOCAB("\"\\x\": 0"), PL_E_INPUT, "model.vocab: not valid JSON: expected \\uXXXX at byte 2"},
        {VOCAB("\"\\u12g4\": 0"), PL_E_INPUT, "expected four hexadecimal digits"},
        {VOCAB("\"\\ud800x\": 0"), PL_E_INPUT, "expected \\uXXXX"},
        {VOCAB("\"\\udc00\\ud800\": 0"), PL_E_INPUT, "expected a pair of surrogates"},
        {VOCAB("\"\xFF\": 0"), PL_E_INPUT, "model.vocab: not UTF-8 at byte 2"},
    };
    CHECK(cases);
}

static void test_added_tokens(void **state)
{
    (void)state;
    static const struct wrong cases[] = {
        {WITH_ADDED("{}"), PL_E_INPUT, "added_tokens: expected a list"},
        {WITH_ADDED("[3]"), PL_E_INPUT, "added_tokens[0].id: expected an integer"},
        {WITH_ADDED("[{\"id\": -1, \"content\": \"x\"}]"), PL_E_INPUT, "added_tokens[0].id: expected 0 or more"},
        {WITH_ADDED("[{\"id\": 3}]"), PL_E_INPUT, "expected a text in 'content'"},
        {WITH_ADDED("[{\"id\": 3, \"content\": \"x\", \"lstrip\": 1}]"), PL_E_INPUT, "lstrip: expected true or false"},
        {WITH_ADDED("[{\"id\": 9, \"content\": \"x\"}]"), PL_E_INPUT, "'x' has id 9, but the next free id is 3"},
        {WITH_ADDED("[{\"id\": 1, \"content\": \"a\"}]"), PL_E_INPUT, "'a' has id 1, but the vocabulary says 0"},
        {FILE_OF("[{\"id\": 1, \"content\": \"x\"}]", "null", "null", "null", "null",
                 "{\"type\": \"BPE\", \"vocab\": {\"b\": 1}, \"merges\": []}"),
         PL_E_INPUT, "'x' would take id 1 of 'b'"},
        {FILE_OF("[{\"id\": 3, \"content\": \"X\"}, {\"id\": 4, \"content\": \"x\"}]", "{\"type\": \"Lowercase\"}",
                 "null", "null", "null", MODEL),
         PL_E_UNSUPPORTED, "two added tokens are 'x' after normalization"},
    };
    CHECK(cases);
}

static void test_components(void **state)
{
    (void)state;
    static const struct wrong cases[] = {
        {WITH_NORMALIZER("{\"type\": \"Precompiled\"}"), PL_E_INPUT,
         "normalizer.precompiled_charsmap: expected a text in base64"},
        {WITH_NORMALIZER("{\"type\": \"Precompiled\", \"precompiled_charsmap\": \"AA!A\"}"), PL_E_INPUT,
         "normalizer.precompiled_charsmap: not base64: byte 2 of 4"},
        {WITH_NORMALIZER("{\"type\": \"Precompiled\", \"precompiled_charsmap\": \"AAAA\"}"), PL_E_INPUT,
         "normalizer.precompiled_charsmap: a map of 3 bytes"},
        {WITH_NORMALIZER("{\"type\": \"Precompiled\", \"precompiled_charsmap\": \"/wAAAAAAAAA=\"}"), PL_E_INPUT,
         "a map of 8 bytes with a trie of 255"},
        {WITH_NORMALIZER("{\"type\": \"BertNormalizer\", \"lowercase\": 1}"), PL_E_INPUT,
         "normalizer: lowercase: expected true or false"},
        {WITH_NORMALIZER("{\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFC\"}, {\"type\": \"Nfc\"}]}"),
         PL_E_UNSUPPORTED, "normalizer.normalizers[1]: the normalizer 'Nfc' is not supported"},
        {WITH_NORMALIZER("3"), PL_E_INPUT, "normalizer: expected an object"},
        {WITH_NORMALIZER("{\"type\": \"Sequence\"}"), PL_E_INPUT, "normalizers: expected a list"},
        {WITH_NORMALIZER("{\"type\": \"Prepend\"}"), PL_E_INPUT, "prepend: expected a text"},
        {WITH_NORMALIZER("{\"type\": \"Replace\", \"pattern\": \" \", \"content\": \"x\"}"), PL_E_INPUT,
         "normalizer.pattern"},
        {WITH_NORMALIZER("{\"type\": \"Replace\", \"pattern\": {\"String\": \"\"}, \"content\": \"x\"}"),
         PL_E_UNSUPPORTED, "an empty pattern"},
        {WITH_PRE("{\"type\": \"Words\"}"), PL_E_UNSUPPORTED,
         "pre_tokenizer: the pre-tokenizer 'Words' is not supported"},
        {WITH_PRE("{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"UnicodeScripts\"}]}"), PL_E_UNSUPPORTED,
         "pre_tokenizer.pretokenizers[0]: the pre-tokenizer 'UnicodeScripts'"},
        {WITH_PRE("{\"type\": \"Split\", \"pattern\": {\"String\": \"x\"}, \"behavior\": \"Sideways\"}"),
         PL_E_UNSUPPORTED, "behavior: 'Sideways'"},
        {WITH_PRE("{\"type\": \"Metaspace\", \"replacement\": \"__\"}"), PL_E_INPUT,
         "expected one character, found '__'"},
        {WITH_PRE("{\"type\": \"Metaspace\", \"replacement\": \"_\", \"prepend_scheme\": \"last\"}"), PL_E_UNSUPPORTED,
         "prepend_scheme: 'last'"},
        {WITH_POST("{\"type\": \"Other\"}"), PL_E_UNSUPPORTED,
         "post_processor: the post-processor 'Other' is not supported"},
        {WITH_POST(TEMPLATE("[" BOS "," TEXT "]", "{}")), PL_E_INPUT, "special token '<s>' has no ids"},
        {WITH_POST(TEMPLATE("[" BOS "," TEXT "]", "{\"<s>\": {\"ids\": [4]}}")), PL_E_INPUT,
         "post_processor: id 4 is not in the vocabulary of 4 ids"},
        {WITH_POST(TEMPLATE("[" BOS "]", "{\"<s>\": {\"ids\": [3]}}")), PL_E_UNSUPPORTED, "the text stands 0 times"},
        {WITH_POST(TEMPLATE("[" TEXT "," TEXT "]", "{}")), PL_E_UNSUPPORTED, "the text stands 2 times"},
        {WITH_POST("{\"type\": \"RobertaProcessing\", \"cls\": [\"<s>\", 3]}"), PL_E_INPUT, "a special token's id"},
        {WITH_DECODER("{\"type\": \"CTC\"}"), PL_E_UNSUPPORTED, "decoder: the decoder 'CTC' is not supported"},
        {WITH_DECODER("{\"type\": \"Strip\", \"content\": \"\", \"start\": 1, \"stop\": 0}"), PL_E_INPUT,
         "decoder.content: expected one character"},
        {WITH_DECODER("{\"type\": \"Strip\", \"content\": \" \", \"start\": -1, \"stop\": 0}"), PL_E_INPUT, "start"},
        {WITH_REGEX("a&&b[c&&d]"), PL_E_UNSUPPORTED, "an intersection of sets at byte 6"},
        {WITH_REGEX("[a[^b]]"), PL_E_UNSUPPORTED, "this set inside a set"},
        {WITH_REGEX("[[:alpha:]]"), PL_E_UNSUPPORTED, "this set inside a set"},
        {WITH_REGEX("\\\\bword"), PL_E_UNSUPPORTED, "this escape at byte 0"},
        {WITH_REGEX("(a)\\\\1"), PL_E_UNSUPPORTED, "this escape at byte 3"},
        {WITH_REGEX("a(?i)b"), PL_E_UNSUPPORTED, "this kind of group at byte 1"},
        {WITH_REGEX("a{2}+"), PL_E_UNSUPPORTED, "'}+'"},
        {WITH_REGEX("(a"), PL_E_UNSUPPORTED, "cannot compile the pattern '(a'"},
        {WITH_REGEX("[a"), PL_E_UNSUPPORTED, "a set that does not end"},
        {WITH_REGEX("\\\\p{NoSuchThing}"), PL_E_UNSUPPORTED, "cannot compile"},
        {WITH_REGEX(""), PL_E_UNSUPPORTED, "a pattern of 0 bytes"},
    };
    CHECK(cases);
}

static void test_nesting(void **state)
{
    (void)state;
    char json[4096] = "", *at = json;
    at += sprintf(at, "{\"model\": " MODEL ", \"pre_tokenizer\": ");
    for (int i = 0; i < 20; i++) at += sprintf(at, "{\"type\": \"Sequence\", \"pretokenizers\": [");
    for (int i = 0; i < 20; i++) at += sprintf(at, "]}");
    sprintf(at, "}");
    const struct wrong one = {json, PL_E_INPUT, "more than 8 nested sequences"};
    check(&one, 1);
}

/* A dialect difference that would split differently, and one that does not. */
static void test_translation(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"\\s+(?!\\S)", "\\p{White_Space}+(?!\\P{White_Space})"},
        {"[^\\s\\w]", "[^\\p{White_Space}\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}]"},
        {" ?[^(\\s|[.,!?])]+", " ?[^(\\p{White_Space}|.,!?)]+"},
        {"\\h{,3}\\u3042", "[0-9a-fA-F]{0,3}\\x{3042}"},
        {"(?i:'s)|a{2}b{x", "(?i:'s)|a{2}b{x"},
        {"[\\]\\[-]", "[\\]\\[-]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pl_bytes out = {0};
        if (pl__regex_translate(&out, cases[i].from, strlen(cases[i].from), "here") != PL_OK)
            fail_msg("%s", pl_error_text());
        assert_string_equal(out.data, cases[i].to);
        pl_bytes_free(&out);
    }
}

/* ---- folders ---- */

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[PL_PATH_MAX];
    assert_int_equal(pl_path(path, "%s/%s", folder, name), PL_OK);
    assert_int_equal(pl_file_replace(path, text, strlen(text)), PL_OK);
}

static void expect(const char *folder, pl_status status, const char *message)
{
    pl_tokenizer *t;
    assert_int_equal(pl_tokenizer_open(&t, folder), status);
    if (!strstr(pl_error_text(), message)) fail_msg("'%s', expected '%s'", pl_error_text(), message);
    assert_null(t);
}

static void test_folders(void **state)
{
    (void)state;
    char folder[PL_PATH_MAX];
    make_folder(folder);
    expect(folder, PL_E_INPUT, "no tokenizer: expected tokenizer.json, or vocab.json and merges.txt");
    write_file(folder, "tokenizer.model", "x");
    expect(folder, PL_E_INPUT, "tokenizer.model: not a protocol buffer: byte 1: a number that does not end");
    /* Half of the other way to hold a vocabulary is none. */
    write_file(folder, "vocab.json", "{\"a\": 0, \"b\": 1, \"ab\": 2, \"<|endoftext|>\": 3}");
    expect(folder, PL_E_INPUT, "tokenizer.model: not a protocol buffer");
    write_file(folder, "merges.txt", "#version: 0.2\na b\r\n\nb a\n");
    expect(folder, PL_E_INPUT, "merges.txt: merge 1: expected two tokens and one space, found ''");
    write_file(folder, "merges.txt", "#version: 0.2\na b\nb b\n");
    expect(folder, PL_E_INPUT, "merges.txt: merge 1 names 'bb', which is not in the vocabulary");
    write_file(folder, "merges.txt", "#version: 0.2\r\na b\r\n");
    write_file(folder, "added_tokens.json", "{\"<x>\": 9}");
    expect(folder, PL_E_INPUT, "'<x>' has id 9, but the next free id is 4");
    write_file(folder, "added_tokens.json", "{\"<x>\": 4}");
    write_file(folder, "tokenizer_config.json", "{\"add_bos_token\": \"yes\"}");
    expect(folder, PL_E_INPUT, "tokenizer_config.json: add_bos_token: expected true or false");
    write_file(folder, "tokenizer_config.json", "{\"add_bos_token\": true, \"bos_token\": \"<|endoftext|>\"}");
    pl_tokenizer *t;
    pl_ids ids = {0};
    if (pl_tokenizer_open(&t, folder) != PL_OK) fail_msg("%s", pl_error_text());
    assert_int_equal(pl_tokenizer_encode(t, "ab<x>", 5, true, &ids), PL_OK);
    assert_int_equal(ids.n, 3);
    assert_int_equal(ids.data[0], 3);
    assert_int_equal(ids.data[1], 2);
    assert_int_equal(ids.data[2], 4);
    pl_ids_free(&ids);
    pl_tokenizer_free(t);
    remove_folder(folder);
}

/* What an unknown token does when it is not in the vocabulary: an error at the text that needs it. */
static void test_missing_unknown(void **state)
{
    (void)state;
    pl_tokenizer *t;
    pl_ids ids = {0};
    assert_int_equal(parse(WITH_MODEL("{\"type\": \"BPE\", \"unk_token\": \"<u>\", \"vocab\": {\"a\": 0, \"b\": 1, "
                                      "\"c\": 2}, \"merges\": []}"),
                           &t),
                     PL_OK);
    assert_int_equal(pl_tokenizer_encode(t, "abc", 3, false, &ids), PL_OK);
    assert_int_equal(pl_tokenizer_encode(t, "abx", 3, false, &ids), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "unk_token '<u>'"));
    pl_ids_free(&ids);
    pl_tokenizer_free(t);
}

/* The ids of so many letters 'a' after so many equal normalizers. */
static pl_status encode_after(const char *step, size_t steps, size_t letters)
{
    pl_tokenizer *t;
    pl_ids ids = {0};
    pl_bytes json = {0}, text = {0};
    OK(pl_bytes_text(&json, "{\"model\": " MODEL ", \"normalizer\": {\"type\": \"Sequence\", \"normalizers\": ["));
    for (size_t i = 0; i < steps; i++) {
        if (i) OK(pl_bytes_text(&json, ", "));
        OK(pl_bytes_text(&json, step));
    }
    OK(pl_bytes_text(&json, "]}}"));
    for (size_t i = 0; i < letters; i++) OK(pl_bytes_text(&text, "a"));
    OK(parse(json.data, &t));
    pl_status status = pl_tokenizer_encode(t, text.data, text.size, false, &ids);
    pl_tokenizer_free(t);
    pl_ids_free(&ids);
    pl_bytes_free(&json);
    pl_bytes_free(&text);
    return status;
}

/* What the steps make together is limited; a long text that none of them lengthens passes, however many they are. */
static void test_growth(void **state)
{
    (void)state;
    pl_bytes step = {0};
    OK(pl_bytes_text(&step, "{\"type\": \"Prepend\", \"prepend\": \""));
    for (int i = 0; i < 600000; i++) OK(pl_bytes_text(&step, "a"));
    OK(pl_bytes_text(&step, "\"}"));
    REFUSED(encode_after(step.data, 10, 1), PL_E_INPUT,
            "normalizer: step 7 of 10 (Prepend): one text grew by more than 16777216 bytes");
    pl_bytes_free(&step);
    OK(encode_after("{\"type\": \"Lowercase\"}", 60, 300000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),           cmocka_unit_test(test_escapes),      cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_models),          cmocka_unit_test(test_added_tokens), cmocka_unit_test(test_components),
        cmocka_unit_test(test_nesting),         cmocka_unit_test(test_translation),  cmocka_unit_test(test_folders),
        cmocka_unit_test(test_missing_unknown), cmocka_unit_test(test_growth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
