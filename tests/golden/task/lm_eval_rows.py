"""Synthetic rows for the data sets of 44 task files of lm-evaluation-harness, in each set's own fields.

The sets themselves cannot be had everywhere; prompts can be compared on any rows of their shape. Words are drawn from a list with
blanks at the ends, quotes, other scripts and line ends among them.
Run: python lm_eval_rows.py FOLDER    writes FOLDER/<dataset_path>/<dataset_name>/<split>.jsonl, 12 rows each.
"""
import json
import os
import random
import sys

WORDS = ("the cat sat on a mat while seven old men walked to town and it rained for days 東京 naïve café über don't \"quoted\" 3.14 1,000 "
         "U.S. well-known $5 50% A/B (see) [x] What? Yes. no! été 😀 and/or e.g. half-past").split()
R = random.Random(44)


def text(least=3, most=12, end=""):
    return " ".join(R.choice(WORDS) for _ in range(R.randint(least, most))) + end


def loose(*a):
    """A text with white space at an end, now and then."""
    return R.choice(["", "", " ", "\n"]) + text(*a) + R.choice(["", "", " ", "  ", "\n"])


def pick(*values):
    return R.choice(values)


def letters(n):
    return list("ABCDE"[:n])


def several(make, n):
    """n different texts."""
    out = []
    while len(out) < n:
        t = make()
        if t not in out:
            out.append(t)
    return out


def choices(n):
    return {"text": several(lambda: text(1, 5), n), "label": letters(n)}


def wic():
    words = [R.choice(WORDS) for _ in range(6)]
    at = R.randrange(6)
    start = len(" ".join(words[:at])) + (at > 0)
    return {"word": words[at], "sentence1": " ".join(words), "sentence2": text(), "start1": start, "end1": start + len(words[at]),
            "start2": 0, "end2": 2, "label": pick(0, 1)}


def wsc():
    words = [R.choice("the boy threw a ball and it went far away from them".split()) for _ in range(10)]
    at = R.randrange(2, 9)
    return {"text": " ".join(words), "span1_index": 0, "span2_index": at, "span1_text": words[0], "span2_text": words[at], "label": pick(0, 1)}


def race():
    problems = [{"question": text(4, 8, pick("?", "  _  .")), "answer": pick("A", "B", "C", "D"), "options": several(lambda: text(1, 6), 4)}
                for _ in range(3)]
    return {"article": text(20, 40), "problems": str(problems)}


def mathqa():
    return {"Problem": text(8, 15), "options": "a ) %s , b ) %s , c ) %s , d ) %s , e ) none of these" % tuple(R.sample(range(10, 999), 4)),
            "correct": pick(*"abcde")}


def coqa():
    n = R.randint(1, 3)
    answers = [text(1, 4) for _ in range(n)]
    return {"story": text(20, 40), "questions": {"input_text": [text(3, 6, "?") for _ in range(n)]}, "answers": {"input_text": answers},
            "additional_answers": {k: {"input_text": [text(1, 4) for _ in range(n)]} for k in ("0", "1")}}


def truthfulqa():
    n = R.randint(3, 5)
    labels = [1, pick(0, 1)] + [0] * (n - 2)
    return {"question": text(5, 9, "?"), "mc1_targets": {"choices": several(lambda: text(2, 6), n), "labels": [1] + [0] * (n - 1)},
            "mc2_targets": {"choices": several(lambda: text(2, 6), n), "labels": labels}}


def label(fields, n):
    return lambda: {**{f: text() for f in fields}, "label": R.randrange(n)}


# dataset_path, dataset_name, splits, a row
SETS = [
    ("nyu-mll/glue", "sst2", ["train", "validation"], label(["sentence"], 2)),
    ("nyu-mll/glue", "rte", ["train", "validation"], label(["sentence1", "sentence2"], 2)),
    ("nyu-mll/glue", "mnli", ["train", "validation_matched"], lambda: {"premise": text(), "hypothesis": loose() + pick("", "."), "label": R.randrange(3)}),
    ("nyu-mll/glue", "qnli", ["train", "validation"], label(["question", "sentence"], 2)),
    ("nyu-mll/glue", "cola", ["train", "validation"], label(["sentence"], 2)),
    ("nyu-mll/glue", "mrpc", ["train", "validation"], label(["sentence1", "sentence2"], 2)),
    ("aps/super_glue", "boolq", ["train", "validation"], label(["passage", "question"], 2)),
    ("aps/super_glue", "rte", ["train", "validation"], label(["premise", "hypothesis"], 2)),
    ("aps/super_glue", "cb", ["train", "validation"], label(["premise", "hypothesis"], 3)),
    ("aps/super_glue", "copa", ["train", "validation"],
     lambda: {"premise": text(3, 8, "."), "choice1": "One " + text(2, 5), "choice2": "Two " + text(2, 5), "question": pick("cause", "effect"), "label": R.randrange(2)}),
    ("aps/super_glue", "wic", ["train", "validation"], wic),
    ("aps/super_glue", "wsc.fixed", ["train", "validation"], wsc),
    ("allenai/ai2_arc", "ARC-Easy", ["train", "validation", "test"], lambda: {"id": text(1, 1), "question": text(), "choices": choices(4), "answerKey": pick("A", "B", "C", "D")}),
    ("allenai/ai2_arc", "ARC-Challenge", ["train", "validation", "test"],
     lambda: {"id": text(1, 1), "question": text(), "choices": {"text": several(lambda: text(1, 5), 4), "label": ["1", "2", "3", "4"]}, "answerKey": pick("1", "2", "3", "4")}),
    ("Rowan/hellaswag", None, ["train", "validation"],
     lambda: {"activity_label": text(1, 3), "ctx_a": text(), "ctx_b": pick("", text()), "endings": several(lambda: text(3, 8) + pick("", " [title] x", " [substeps]"), 4),
              "label": str(R.randrange(4))}),
    ("baber/piqa", None, ["train", "validation"], lambda: {"goal": text(), "sol1": "a " + text(), "sol2": "b " + text(), "label": R.randrange(2)}),
    ("allenai/openbookqa", "main", ["train", "validation", "test"], lambda: {"question_stem": text(), "choices": choices(4), "answerKey": pick("A", " B", "C", "D")}),
    ("allenai/sciq", None, ["train", "validation", "test"],
     lambda: dict(zip(["question", "distractor1", "distractor2", "distractor3", "correct_answer"], [text()] + several(lambda: text(1, 4), 4)), support=loose(5, 15))),
    ("allenai/winogrande", "winogrande_xl", ["train", "validation"],
     lambda: {"sentence": text(3, 6) + " _ " + text(3, 6, "."), "option1": "Ann", "option2": "Bob", "answer": pick("1", "2")}),
    ("cais/mmlu", "abstract_algebra", ["dev", "validation", "test"], lambda: {"question": loose(), "subject": "x", "choices": several(lambda: text(1, 4), 4), "answer": R.randrange(4)}),
    ("openai/gsm8k", "main", ["train", "test"], lambda: {"question": text(), "answer": text(5, 9) + "\n#### " + str(R.randrange(9999))}),
    ("EleutherAI/lambada_openai", "default", ["test"], lambda: {"text": text(12, 30)}),
    ("mandarjoshi/trivia_qa", "rc.nocontext", ["train", "validation"], lambda: {"question": text(), "answer": {"aliases": several(lambda: text(1, 3), R.randint(1, 4)), "value": "x"}}),
    ("truthfulqa/truthful_qa", "multiple_choice", ["validation"], truthfulqa),
    ("nyu-mll/blimp", "adjunct_island", ["train"], lambda: {"sentence_good": "Good " + text(), "sentence_bad": "Bad " + text()}),
    ("facebook/anli", None, ["train_r1", "dev_r1", "test_r1"], label(["premise", "hypothesis"], 3)),
    ("EleutherAI/race", "high", ["test"], race),
    ("EleutherAI/logiqa", "logiqa", ["train", "validation", "test"],
     lambda: {"label": pick("a", "b ", "c", "d"), "context": text(), "question": text(), "options": several(lambda: text(2, 6), 4)}),
    ("EleutherAI/headqa", "en", ["train", "validation", "test"],
     lambda: {"qtext": text(), "ra": R.randint(1, 4), "answers": [{"aid": i + 1, "atext": t} for i, t in enumerate(several(lambda: text(2, 6), 4))]}),
    ("GBaker/MedQA-USMLE-4-options-hf", None, ["train", "validation", "test"],
     lambda: {**{f"ending{i}": text(1, 5) for i in range(4)}, "sent1": text(), "sent2": "", "label": R.randrange(4)}),
    ("facebook/xnli", "en", ["train", "validation"], label(["premise", "hypothesis"], 3)),
    ("tau/commonsense_qa", None, ["train", "validation"], lambda: {"question": loose(), "choices": choices(5), "answerKey": pick(*"ABCDE")}),
    ("LSDSem/story_cloze", "2016", ["validation", "test"],
     lambda: {**{f"input_sentence_{i}": text(3, 6, ".") for i in range(1, 5)}, "sentence_quiz1": "One " + text(), "sentence_quiz2": "Two " + text(), "answer_right_ending": R.randint(1, 2)}),
    ("allenai/swag", "regular", ["train", "validation"], lambda: {"startphrase": text(), **dict(zip([f"ending{i}" for i in range(4)], several(text, 4))), "label": R.randrange(4)}),
    ("google-research-datasets/nq_open", None, ["train", "validation"], lambda: {"question": text(), "answer": several(lambda: text(1, 3), R.randint(1, 3))}),
    ("regisss/math_qa", None, ["train", "validation", "test"], mathqa),
    ("bigbio/pubmed_qa", "pubmed_qa_labeled_fold0_source", ["train", "validation", "test"],
     lambda: {"QUESTION": text(), "CONTEXTS": [text(8, 15) for _ in range(3)], "final_decision": pick("yes", "no", "maybe")}),
    ("skg/toxigen-data", "annotated", ["train", "test"], lambda: {"text": text(), "toxicity_ai": R.randint(1, 5) / 1.0, "toxicity_human": R.randint(1, 5) / 1.0}),
    ("stanfordnlp/web_questions", None, ["train", "test"], lambda: {"question": text(4, 8, "?"), "answers": several(lambda: text(1, 3), R.randint(2, 4))}),
    ("EleutherAI/asdiv", None, ["validation"], lambda: {"body": text(), "question": text(4, 8, "?"), "answer": f"{R.randrange(99)} (apples)"}),
    ("corypaik/prost", "data", ["default"], lambda: {"context": text(), "ex_question": text(4, 8, "?"), **dict(zip("ABCD", several(lambda: text(1, 2), 4))), "label": R.randrange(4)}),
    ("EleutherAI/wikitext_document_level", "wikitext-2-raw-v1", ["train", "validation", "test"],
     lambda: {"page": " = Title = \n " + "\n ".join(text(10, 30, " .") + " @-@ ( x ) \" y \" 's " for _ in range(3))}),
    ("EleutherAI/coqa", None, ["train", "validation"], coqa),
]


def main(folder):
    for path, name, splits, row in SETS:
        where = os.path.join(folder, path, name or "")
        os.makedirs(where, exist_ok=True)
        for split in splits:
            with open(os.path.join(where, split + ".jsonl"), "w", encoding="utf-8") as f:
                for _ in range(12):
                    f.write(json.dumps(row(), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
