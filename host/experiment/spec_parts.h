/* What reads an experiment file in parts: lists, names and numbers of its YAML. Shared inside the folder. */
#ifndef PLUMB_EXPERIMENT_SPEC_PARTS_H
#define PLUMB_EXPERIMENT_SPEC_PARTS_H

#include "experiment/spec.h"

/* A scalar stands for a list of one, as everywhere in an experiment file. */
typedef struct pl__list {
    size_t n;
    pl_yaml_node *const *items;
    pl_yaml_node *single;
} pl__list;

pl_status pl__list_of(pl__list *out, const pl_yaml_node *node); /* an empty list is an error */
const pl_yaml_node *pl__list_item(const pl__list *list, size_t i);

/* The index of a scalar among names. */
pl_status pl__one_of(size_t *out, const pl_yaml_node *node, const char *const *names, size_t n);
/* A map's number of 1 or more; an absent key leaves *out alone. */
pl_status pl__read_positive(size_t *out, const pl_yaml_node *map, const char *key);
/* A name that folders and tables show: 1 to `most` letters, digits, '-', '_' and '.', no '.' first. */
pl_status pl__read_name(const char **out, const pl_yaml_node *node, size_t most);
/* A list of texts. */
pl_status pl__read_texts(const pl_spec *spec, const char ***out, size_t *n, const pl_yaml_node *node);
/* spec->primary. */
pl_status pl__read_primary(pl_spec *spec, const pl_yaml_node *root);
/* spec->verdict and spec->staged. */
pl_status pl__read_verdict(pl_spec *spec, const pl_yaml_node *root);
/* spec->analysis. */
pl_status pl__read_analysis(pl_spec *spec, const pl_yaml_node *root);
/* spec->maps of analysis: tsne, or NULL; the capture is read. */
pl_status pl__read_maps(pl_spec *spec, const pl_yaml_node *map);
/* spec->chats and chat_date. */
pl_status pl__read_chat(pl_spec *spec, const pl_yaml_node *root);
/* spec->arms. */
pl_status pl__read_arms(pl_spec *spec, const pl_yaml_node *root);

#endif
