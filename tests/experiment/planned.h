/* Experiments that a test writes into a folder of its own, and their plans. */
#ifndef PLUMB_TESTS_EXPERIMENT_PLANNED_H
#define PLUMB_TESTS_EXPERIMENT_PLANNED_H

#include "tests.h"

#include "base/file.h"
#include "experiment/plan.h"

static char root[PL_PATH_MAX];

static inline void write_file(const char *name, const char *text)
{
    char path[PL_PATH_MAX];
    OK(pl_path(path, "%s/%s", root, name));
    OK(pl_file_replace(path, text, strlen(text)));
}

/* A checkpoint under another name, with a tokenizer of single letters. */
static inline void put_model(const char *name)
{
    static const char *const files[] = {"config.json", "model.safetensors"};
    char path[PL_PATH_MAX], from[PL_PATH_MAX];
    OK(pl_path(path, "%s/%s", root, name));
    OK(pl_folder_make(path));
    for (size_t i = 0; i < 2; i++) {
        pl_bytes bytes;
        OK(pl_path(from, PLUMB_SOURCE_DIR "/tests/golden/models/gpt2/%s", files[i]));
        OK(pl_path(path, "%s/%s/%s", root, name, files[i]));
        OK(pl_file_read(&bytes, from, 100000000));
        OK(pl_file_replace(path, bytes.data, bytes.size));
        pl_bytes_free(&bytes);
    }
    char file[64];
    snprintf(file, sizeof file, "%s/vocab.json", name);
    write_file(file, "{\"a\":0,\"b\":1,\"c\":2,\"Ġ\":3,\"Ċ\":4,\"y\":5,\"n\":6}");
    snprintf(file, sizeof file, "%s/merges.txt", name);
    write_file(file, "#version: 0.2\n");
}

static inline void set_up(void)
{
    make_folder(root);
    put_model("m");
    put_model("renamed");
    write_file("test.jsonl", "{\"t\":\"a\",\"u\":\"x\",\"v\":1,\"l\":0}\n{\"t\":\"b\",\"u\":\"x\",\"v\":1,\"l\":1}\n{"
                             "\"t\":\"c\",\"u\":\"y\",\"v\":1,\"l\":0}\n");
    write_file("pool.jsonl", "{\"t\":\"ab\",\"l\":0}\n{\"t\":\"ba\",\"l\":1}\n");
    pl_bytes rows = {0};
    for (int i = 0; i < 40; i++)
        OK(pl_bytes_format(&rows, "{\"t\":\"a%d\",\"u\":\"g%d\",\"v\":2,\"l\":%d}\n", i, i / 4, i % 2));
    write_file("long.jsonl", rows.data);
    pl_bytes_free(&rows);
    write_file("long.yaml", "include: task.yaml\ntask: long\ntraining_split: long.jsonl\n");
    write_file("other.yaml", "include: task.yaml\ntask: x_letters\n");
    write_file("task.yaml", "include: base.yaml\ntask: letters\ntest_split: test.jsonl\ntraining_split: pool.jsonl\n");
    write_file("base.yaml", "output_type: multiple_choice\ndoc_to_text: \"{{ t }}\"\ndoc_to_target: l\n"
                            "doc_to_choice: [\"y\", \"n\"]\n"
                            "plumb: {templates: [{name: plain, role: id}, {name: odd, role: ood, "
                            "doc_to_text: \"{{ t }} a\"}]}\n");
}

static inline pl_plan *plan_of(pl_spec **spec, const char *text)
{
    char path[PL_PATH_MAX];
    pl_plan *plan;
    OK(pl_path(path, "%s/e.yaml", root));
    OK(pl_spec_parse(spec, text, strlen(text), path, NULL, 0));
    OK(pl_plan_create(&plan, *spec));
    return plan;
}

static inline void drop(pl_plan *plan, pl_spec *spec)
{
    pl_plan_free(plan);
    pl_spec_free(spec);
}

/* The first unit's id once `from` in config.json is `to`, of the same length. */
static inline void id_with(char id[PL_HASH_TEXT], const char *from, const char *to, const char *arm)
{
    char path[PL_PATH_MAX], text[200];
    pl_bytes config;
    pl_spec *spec;
    snprintf(text, sizeof text, "name: e\nmodels: [renamed]\ntasks: [long.yaml]\narms: [{%s}]\n", arm);
    OK(pl_path(path, "%s/renamed/config.json", root));
    OK(pl_file_read(&config, path, 100000));
    char *at = strstr(config.data, from);
    assert_non_null(at);
    memcpy(at, to, strlen(to));
    OK(pl_file_replace(path, config.data, config.size));
    pl_plan *plan = plan_of(&spec, text);
    memcpy(id, plan->units[0].id, PL_HASH_TEXT);
    drop(plan, spec);
    memcpy(at, from, strlen(from));
    OK(pl_file_replace(path, config.data, config.size));
    pl_bytes_free(&config);
}

#endif
