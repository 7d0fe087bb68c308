#include "task/task_keys.h"

const pl_yaml_key pl_task_root_keys[] = {
    {"task", "required", "the task's name"},
    {"include", "none", "another task file whose keys hold where this one has none"},
    {"dataset_path", "this file's folder",
     "folder of the data files, relative to this file; or the name of a converted set, "
     "`$PLUMB_DATASETS/<dataset_path>/<dataset_name>/<split>.jsonl`; or `json`, `csv`, `text` with `data_files`. "
     "`${VAR}` is resolved"},
    {"dataset_name", "none", "the configuration of a set: a folder in `dataset_path`"},
    {"dataset_kwargs", "none", "arguments of the data set's builder: which files, and how they are read"},
    {"test_split", "the validation split", "what is evaluated"},
    {"validation_split", "none", "what is evaluated when there is no test split"},
    {"training_split", "none", "where shots come from when there is no few-shot split"},
    {"fewshot_split", "the training split", "where shots come from"},
    {"output_type", "`generate_until`",
     "`multiple_choice`, `loglikelihood` (of the target behind the text), `loglikelihood_rolling` (of every token of "
     "the "
     "target, by itself) or `generate_until`"},
    {"description", "empty", "text in front of everything"},
    {"doc_to_text", "required",
     "what the model reads of an item: the name of a field, a template, or a fixed text; an index where the choices "
     "are "
     "contexts: that of the right one"},
    {"doc_to_target", "required",
     "the answer: a template, a field, or an index among the choices; a list where several are right; behind contexts "
     "the text that follows each of them"},
    {"doc_to_choice", "none", "the choices: a list of texts, or a template or field that gives one"},
    {"gen_prefix", "none",
     "what every answer begins with: a field or a template; it stands behind the text of an item"},
    {"target_delimiter", "one blank", "between an item's text and its answer"},
    {"fewshot_delimiter", "two line ends", "between shots, and behind the last"},
    {"fewshot_config", "none", "how shots are chosen"},
    {"num_fewshot", "0", "shots where an arm of the experiment does not say `shots`"},
    {"generation_kwargs", "`until` is `[fewshot_delimiter]`", "where generation ends"},
    {"metric_list", "all that the readout allows", "metrics, checked; flags of `exact_match`"},
    {"filter_list", "none",
     "what is done to a generated answer before it is compared: the first filter, or the one that `plumb` names"},
    {"metadata", "none", "of any shape; its `version` is the task's"},
    {"tag", "none", "accepted; changes nothing here"},
    {"group", "none", "accepted; changes nothing here"},
    {"task_alias", "none", "accepted; changes nothing here"},
    {"should_decontaminate", "false", "accepted; changes nothing here"},
    {"doc_to_decontamination_query", "none", "accepted; changes nothing here"},
    {"repeats", "1", "1 only: generation is greedy"},
    {"unsafe_code", "false", "accepted; no code of a task is run"},
    {"plumb", "none", "what plumb adds"},
    {0},
};

const pl_yaml_key pl_task_split_keys[] = {
    {"path", "required",
     "a `.jsonl`, `.json`, `.csv`, `.tsv` or `.txt` file under `dataset_path`, each also with `.gz` behind it, or a "
     "list of them"},
    {"sha256", "not checked", "the file's digest, or a list of them; another one is an error"},
    {"format", "by the ending", "`json`, `csv` or `text`: read as the builder of this name reads it"},
    {"dataset_kwargs", "the task's", "as above"},
    {0},
};

const pl_yaml_key pl_task_dataset_keys[] = {
    {"data_files", "required with `dataset_path: json`, `csv` or `text`",
     "a file, a list of files, or a map of either a split; `*`, `?` and `[...]` stand for names"},
    {"field", "none", "of JSON: the member of the object in the file that is the list of rows"},
    {"sep", "`,`, in `.tsv` a tab", "of CSV: what stands between fields, one letter"},
    {"delimiter", "none", "of CSV: `sep`"},
    {"quotechar", "`\"`, in `.tsv` none", "of CSV: the letter around a field"},
    {"quoting", "0", "of CSV: 3 for no quotes"},
    {"skiprows", "0", "of CSV: lines left out at the beginning"},
    {"header", "`infer`",
     "of CSV: which row has the columns' names, from 0; null: none has, and they are called `0`, `1`, ..."},
    {"names", "the header's", "of CSV: a list of the columns' names; with it no row has them, unless `header` says so"},
    {"column_names", "none", "of CSV: `names`"},
    {0},
};

const pl_yaml_key pl_task_generation_keys[] = {
    {"until", "`[fewshot_delimiter]`", "texts that end an answer; they are cut off"},
    {"max_gen_toks", "256",
     "the largest number of generated tokens; also called `max_new_tokens`, `max_tokens`, `max_completion_tokens`"},
    {"max_new_tokens", "none", "`max_gen_toks`"},
    {"max_tokens", "none", "`max_gen_toks`"},
    {"max_completion_tokens", "none", "`max_gen_toks`"},
    {"do_sample", "false", "false only: generation is greedy"},
    {"temperature", "0", "0, or anything beside `do_sample: false`: generation is greedy"},
    {"num_beams", "1", "1 only: generation is greedy"},
    {"top_p", "none", "changes nothing: generation is greedy"},
    {"top_k", "none", "changes nothing: generation is greedy"},
    {0},
};

const pl_yaml_key pl_task_metric_keys[] = {
    {"metric", "required",
     "`acc`, `acc_norm`, `acc_bytes`, `acc_token`, `acc_mutual_info` (which asks each choice behind an empty context "
     "too), "
     "`exact_match` (of choices: the right one is what greedy text is); of all items together, in results.json: `f1` "
     "(of "
     "two labels), `mcc`, `brier_score`; of `loglikelihood`: `perplexity`; of `loglikelihood_rolling`: "
     "`word_perplexity`, "
     "`byte_perplexity`, `bits_per_byte`"},
    {"aggregation", "the metric's own",
     "its name in lm-evaluation-harness: `mean`, `f1`, `matthews_corrcoef`, `brier_score`, `perplexity`, "
     "`weighted_perplexity`, `bits_per_byte`"},
    {"higher_is_better", "the metric's own", "true; of `brier_score`, perplexities and `bits_per_byte` false"},
    {"ignore_case", "false", "of `exact_match`: both texts in small letters"},
    {"ignore_punctuation", "false", "of `exact_match`: without ASCII's punctuation"},
    {"ignore_numbers", "false", "of `exact_match`: without the digits 0 to 9"},
    {"regexes_to_ignore", "none", "of `exact_match`: a list; what matches is taken out first (Python's `re`)"},
    {0},
};

const pl_yaml_key pl_task_filter_keys[] = {
    {"name", "required", "the filter's name, behind the metric in results.json"},
    {"filter", "required", "its steps, one behind the other"},
    {0},
};

const pl_yaml_key pl_task_filter_step_keys[] = {
    {"function", "required", "`take_first`, `remove_whitespace`, `lowercase`, `uppercase`, `regex`, `map`"},
    {"regex_pattern", "`#### (\\-?[0-9\\.\\,]+)`",
     "of `regex`: what is looked for (Python's `re`); its group when it has one"},
    {"group_select", "0", "of `regex`: which match; -1 is the last"},
    {"fallback", "`[invalid]`", "of `regex`: the answer when nothing matches"},
    {"mapping_dict", "none", "of `map`: a map of answers to what they become"},
    {"default_value", "`None`", "of `map`: what any other answer becomes"},
    {0},
};

const pl_yaml_key pl_task_fewshot_keys[] = {
    {"sampler", "`default`",
     "`default`: the experiment's draws and seed choose the shots; `first_n`: the first rows of the pool, in order, "
     "whatever the draw, and one draw only"},
    {"split", "`fewshot_split`", "where shots come from"},
    {"samples", "none", "a list of items to take shots from, where no few-shot split is named"},
    {0},
};

const pl_yaml_key pl_task_metadata_keys[] = {
    {"version", "none", "stands in results.json"},
    {0},
};

const pl_yaml_key pl_task_plumb_keys[] = {
    {"templates", "one, `default`, role `id`", "the wordings of the task"},
    {"filter", "the first", "the name of the filter in `filter_list` that reads the answers"},
    {"group", "none", "a field: a shot never has the item's own value of it"},
    {"max_length", "the model's positions",
     "of `loglikelihood_rolling`: tokens of a window, at most the model's positions"},
    {"words", "those of the text, between white space",
     "of `loglikelihood_rolling`: a field with the number of words that `word_perplexity` is over"},
    {"bytes", "those of the text, as UTF-8",
     "of `loglikelihood_rolling`: a field with the number of bytes that `byte_perplexity` and `bits_per_byte` are "
     "over"},
    {"balance", "true", "true only: `balance` is an arm's key"},
    {"calibration", "`[N/A, \"[MASK]\", \"\"]`",
     "content-free inputs, each put in the place of an item's fields; the mean of the labels' probabilities there is "
     "what `acc_cc` divides by. Costs one prompt an input for each unit that prompts, scored with the labels; where "
     "items "
     "have choices of their own, with each different choice of all items (`plan` counts it). `[]`: no calibration"},
    {0},
};

const pl_yaml_key pl_task_template_keys[] = {
    {"name", "required", "names the template in tables and files"},
    {"role", "required",
     "`id`: in distribution; `dev`: may be used for choices; `ood`: out of distribution, never used for any choice"},
    {"doc_to_text", "the task's", "as above"},
    {"doc_to_target", "the task's", "as above"},
    {"doc_to_choice", "the task's", "as above"},
    {"gen_prefix", "the task's", "as above"},
    {"target_delimiter", "the task's", "as above"},
    {0},
};

const pl_yaml_section pl_task_sections[] = {
    {"task", pl_task_root_keys},
    {"dataset_kwargs", pl_task_dataset_keys},
    {"..._split", pl_task_split_keys},
    {"generation_kwargs", pl_task_generation_keys},
    {"metric_list[]", pl_task_metric_keys},
    {"filter_list[]", pl_task_filter_keys},
    {"filter_list[].filter[]", pl_task_filter_step_keys},
    {"fewshot_config", pl_task_fewshot_keys},
    {"metadata", pl_task_metadata_keys},
    {"plumb", pl_task_plumb_keys},
    {"plumb.templates[]", pl_task_template_keys},
    {0},
};
