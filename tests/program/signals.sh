#!/usr/bin/env bash
# SIGTERM, SIGUSR1 and Ctrl-C outside the units of a run: planning, analysis (of a run, and of `analyze`) and every other
# moment end at once, 75 or by the signal, with a line that says so; the same command goes on to the same files. What
# they do between units: drain.sh.
source "$(dirname "$0")/lib.sh"
tiny_model "$tmp/gpt2" gpt2
cd "$tmp" || exit 1
parity_task . 1
seq 1000 | awk '{ printf "{\"text\": \"item %d of many: %d %d\", \"label\": %d}\n", $1, $1 * 7919 % 1000, $1 * 31337 % 997, $1 % 2 }' >rows.jsonl
cat >plan.yaml <<'Y'
name: plan
models: [{path: gpt2}]
tasks: [task.yaml]
arms: [{kind: prompt, shots: [2, 3, 4], draws: 2000, orders: 20}]
items: 1
seed: 1
Y
cat >states.yaml <<'Y'
name: states
models: [{path: gpt2}]
tasks: [task.yaml]
arms: [{kind: prompt, shots: [0]}]
capture: {layers: all, positions: [last, mean]}
seed: 1
Y
check "undisturbed run" "$PLUMB" run states.yaml --quiet --device cpu --threads 2 --results r
run=$(run_of r)
check "undisturbed analysis" "$PLUMB" analyze "$run"
cp -r "$run" calm
$python - "$PLUMB" "$run" <<'P' || fail "signals"
import glob, os, signal, subprocess, sys, time
plumb, run = sys.argv[1:]
names = {signal.SIGTERM: "SIGTERM", signal.SIGUSR1: "SIGUSR1", signal.SIGINT: "Ctrl-C (SIGINT)"}

def handles(process, number):
    """Whether it has set its handler: on a busy machine a program takes its time to come as far as that."""
    with open(f"/proc/{process.pid}/status") as status:
        return any(int(line.split()[1], 16) >> (number - 1) & 1 for line in status if line.startswith("SigCgt:"))

def send(number, delay, command):
    """How the command ended that was sent the signal so late, and what it said; in the background SIGINT is ignored."""
    for file in glob.glob(run + "/*.csv") + glob.glob(run + "/results*") + glob.glob(run + "/samples*") + glob.glob(run + "/DONE"):
        os.remove(file)
    process = subprocess.Popen([plumb, *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                               preexec_fn=lambda: [signal.signal(n, signal.SIG_DFL) for n in names])
    while process.poll() is None and not handles(process, number):
        time.sleep(0.001)
    time.sleep(delay)
    process.send_signal(number)
    sent = time.monotonic()
    error = process.communicate()[1]
    return process.returncode, error, time.monotonic() - sent

def expect(what, number, command):
    """Sooner and sooner, until the signal comes before the end."""
    delay, code = 0.4, 0
    while code == 0 and delay > 0.01:
        code, error, took = send(number, delay, command)
        delay /= 2
    wanted = -signal.SIGINT if number == signal.SIGINT else 75
    line = f"plumb: ended by {names[number]}; what is finished is kept, and the same command goes on\n"
    good = code == wanted and error.endswith(line) and took < 20  # a second, and what a busy machine may add
    print("PASS" if good else f"FAIL (exit {code}, {took:.1f} s, {error!r})", f"{what}: {names[number]}")
    return good

good = True
for number in names:
    good &= expect("planning", number, ["plan", "plan.yaml", "--results", "p"])
    good &= expect("planning of a run", number, ["run", "plan.yaml", "--quiet", "--device", "cpu", "--threads", "2", "--results", "p"])
    good &= expect("analysis", number, ["analyze", run])
units = glob.glob("p/*/units/*.h5")
print("FAIL a unit was computed" if units else "PASS no unit was computed")
# Any moment of a run that has nothing to compute.
codes = [send(signal.SIGTERM, delay, ["run", "states.yaml", "--quiet", "--device", "cpu", "--threads", "2", "--results", "r"])
         for delay in [0.02 * 1.5 ** i for i in range(9)]]
bad = [c for c in codes if c[0] not in (0, 75) or (c[0] == 75 and " by SIGTERM; " not in c[1] and "drained" not in c[1])]
print(f"FAIL {bad}" if bad else f"PASS any moment of a finished run: {[c[0] for c in codes]}")
sys.exit(not good or bool(bad) or bool(units))
P
check "the same command ends with the same files" bash -c "'$PLUMB' run states.yaml --quiet --device cpu --threads 1 --results r && cmp $run/stability.csv calm/stability.csv && cmp $run/results.json calm/results.json && diff <(ls '$run') <(ls calm)"
check "unit files are untouched" same_units calm "$run"
exit $((failures > 0))
