"""Runs test programs, adds up the counts that they print themselves, and keeps the sum for the
summary at the end of `make test`.

Usage: run.py unit|fuzz-replay RESULTS_DIR PROGRAM...
       run.py pytest RESULTS_DIR PART COMMAND...
       run.py pytest-halves RESULTS_DIR PART COMMAND...   (two at once: see tests/boot/conftest.py)
       run.py summary RESULTS_DIR PART...
"""

import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

TIMEOUT_S = 300


def write_result(results, part, passed, failed, skipped=0):
    os.makedirs(results, exist_ok=True)
    with open(os.path.join(results, part), "w") as file:
        file.write(f"{passed} {failed} {skipped}\n")


def run(command):
    """Exit code and whole output of a program; a hang counts as a failure."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, timeout=TIMEOUT_S)
        return done.returncode, done.stdout.decode("utf-8", "replace")
    except subprocess.TimeoutExpired as late:
        output = (late.stdout or b"").decode("utf-8", "replace")
        return 124, output + f"\nstopped after {TIMEOUT_S} s\n"


def counts_of_cmocka(code, output):
    """cmocka prints one PASSED and one FAILED line per group."""
    passed = sum(int(n) for n in re.findall(r"^\[  PASSED  \] (\d+) test", output, re.M))
    failed = sum(int(n) for n in re.findall(r"^\[  FAILED  \] (?:\w+: )?(\d+) test", output, re.M))
    if code != 0 and failed == 0:
        failed = 1
    if code == 0 and passed == 0:
        failed = 1
    return passed, failed


def counts_of_replay(code, output):
    passed = sum(int(n) for n in re.findall(r"^replayed (\d+) inputs", output, re.M))
    return passed, 1 if code != 0 or passed == 0 else 0


def run_part(part, results, programs):
    passed = failed = 0
    for program in programs:
        command = [program]
        if part == "fuzz-replay":
            name = os.path.basename(program).removeprefix("fuzz_")
            command.append(os.path.join("tests/fuzz/corpus", name))
            counts = counts_of_replay
        else:
            counts = counts_of_cmocka
        start = time.monotonic()
        code, output = run(command)
        good, bad = counts(code, output)
        passed += good
        failed += bad
        took = time.monotonic() - start
        print(f"  {'ok' if bad == 0 else 'FAIL':4} {program}: {good} passed"
              + (f", {bad} failed" if bad else "") + f" ({took:.1f} s)", flush=True)
        if bad:
            print(f"{output}\n{program}: exit code {code}", flush=True)
    write_result(results, part, passed, failed)
    print(f"{part}: {passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


NO_TESTS = 5  # pytest's exit code


def run_one_pytest(command, half):
    """Shows the output as it comes and reads the counts from pytest's closing line: passed, failed,
    and skipped, for which pytest says why."""
    closing = ""
    environment = dict(os.environ, HALF=half) if half else None
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, text=True, env=environment) as child:
        for line in child.stdout:
            print(line, end="", flush=True)
            if re.search(r"\b(passed|failed|error|errors|skipped)\b.* in [0-9.]+s", line):
                closing = line
    counts = {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|error|skipped)", closing)}
    failed = counts.get("failed", 0) + counts.get("error", 0)
    if child.returncode not in (0, NO_TESTS) and failed == 0:
        failed = 1
    return counts.get("passed", 0), failed, counts.get("skipped", 0)


def run_pytest(results, part, command, halves=(None,)):
    with ThreadPoolExecutor(len(halves)) as pool:
        counts = list(pool.map(lambda half: run_one_pytest(command, half), halves))
    passed, failed, skipped = (sum(numbers) for numbers in zip(*counts))
    if passed == 0 and failed == 0:
        failed = 1
    write_result(results, part, passed, failed, skipped)
    return 1 if failed else 0


def summary(results, parts):
    """A part that left no result, because it did not even build, counts as one failure."""
    total_passed = total_failed = total_skipped = 0
    print("\nsummary")
    for part in parts:
        try:
            with open(os.path.join(results, part)) as file:
                passed, failed, skipped = (int(n) for n in file.read().split())
            note = f" {skipped:3} skipped: its output says why" if skipped else ""
        except (OSError, ValueError):
            passed, failed, skipped, note = 0, 1, 0, "  (did not run to its end)"
        print(f"  {part:10} {passed:5} passed {failed:3} failed{note}")
        total_passed += passed
        total_failed += failed
        total_skipped += skipped
    skipped = f", {total_skipped} skipped" if total_skipped else ""
    print(f"{total_passed} passed, {total_failed} failed{skipped}", flush=True)
    return 1 if total_failed else 0


def main(arguments):
    if arguments[0] == "summary":
        return summary(arguments[1], arguments[2:])
    if arguments[0] == "pytest":
        return run_pytest(arguments[1], arguments[2], arguments[3:])
    if arguments[0] == "pytest-halves":
        return run_pytest(arguments[1], arguments[2], arguments[3:], ("vtx", "rest"))
    return run_part(arguments[0], arguments[1], arguments[2:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
