"""Makes labels.json: f1_score and matthews_corrcoef of scikit-learn for random labels, as lm-evaluation-harness' metrics f1 and mcc call
them (lm_eval/api/metrics.py). Run: python make_labels.py > labels.json   (scikit-learn 1.9.1)
"""
import json
import random
import warnings

from sklearn.metrics import f1_score, matthews_corrcoef

warnings.filterwarnings("ignore")
R = random.Random(3)
cases = [([0, 0, 0], [0, 0, 0]), ([1, 1], [1, 1]), ([0, 1], [1, 0]), ([1, 0, 1], [0, 0, 0]), ([2, 2], [2, 2]), ([0], [1])]
for n_labels in (2, 2, 2, 3, 5):
    for n in (1, 7, 40, 300):
        gold = [R.randrange(n_labels) for _ in range(n)]
        cases.append((gold, [g if R.random() < 0.6 else R.randrange(n_labels) for g in gold]))
out = []
for gold, predicted in cases:
    two = set(gold + predicted) <= {0, 1}
    out.append({"gold": gold, "predicted": predicted, "mcc": float(matthews_corrcoef(gold, predicted)),
                "f1": float(f1_score(gold, predicted)) if two else None})
print("[\n" + ",\n".join(json.dumps(c) for c in out) + "\n]")
