"""The checks of `make check`: each prints one line, and what is wrong when something is.

Usage: check.py BUILD_DIR [CHECK...]
"""

import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from run import write_result  # noqa: E402

MAX_LINES = 500
# Each version of clang-format lays some lines out in its own way, so one has to be the judge: Debian 12's.
CLANG_FORMAT = 14
WORKERS = os.cpu_count() or 1

# Who may include whom, by folder under vmm/; a folder may always include itself.
LAYERS = {
    "lib": [],
    "boot": ["lib"],
    "dev": ["lib"],
    "emu": ["lib"],
    "term": ["lib"],
    "hw": ["lib", "term"],
    "drv": ["lib", "hw"],
    "virt": ["lib", "emu"],
    "virt/vmx": ["lib", "hw", "virt"],
    "virt/svm": ["lib", "hw", "virt"],
    "pc": ["lib", "dev", "virt"],
    "debug": ["lib", "emu", "dev", "virt", "pc"],
    "stage2": ["lib"],
}
FREESTANDING = ["stdarg.h", "stdbool.h", "stddef.h", "stdint.h"]
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')

BARE = ["-std=gnu11", "-ffreestanding", "-mgeneral-regs-only", "-Wall", "-Wextra", "-Werror",
        "-fsyntax-only", "-Ivmm", "-I.", "-x", "c", "-"]


class Skipped(Exception):
    """Why a check can't be made here."""


def files(folders, *suffixes):
    """All files below the folders with one of the suffixes, sorted."""
    found = []
    for folder in folders:
        for place, _, names in os.walk(folder):
            found += [os.path.join(place, name) for name in names if name.endswith(suffixes)]
    return sorted(found)


def layer_of(path):
    """The layer of a path relative to vmm/ (or of stage2/); None for main.c."""
    if path.startswith("stage2/"):
        return "stage2"
    parts = os.path.dirname(path).split("/")
    for depth in (2, 1):
        if "/".join(parts[:depth]) in LAYERS:
            return "/".join(parts[:depth])
    return None


def judge_include(path, quote, target):
    """Why the file must not include this, or None."""
    if quote == "<":
        return None if target in FREESTANDING else f"<{target}> is not freestanding"
    if os.path.exists(os.path.join(os.path.dirname(path), target)) and "/" not in target:
        target = os.path.relpath(os.path.join(os.path.dirname(path), target), "vmm")
    source = layer_of(path.removeprefix("vmm/"))
    target = target.removeprefix("vmm/").removeprefix("../")
    if source is None:
        return None
    layer = layer_of(target)
    if layer == source or layer in LAYERS[source]:
        return None
    return f'{source} must not include "{target}"'


def check_layers(_):
    wrong = []
    for path in files(["vmm", "stage2"], ".c", ".h"):
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                match = INCLUDE.match(line)
                reason = match and judge_include(path, *match.groups())
                if reason:
                    wrong.append(f"{path}:{number}: {reason}")
    return wrong


def check_headers(_):
    """Every header compiles alone, under both compilers."""
    def compile_alone(job):
        compiler, header = job
        flags = BARE + (["-m32"] if os.path.dirname(header) == "stage2" else [])
        name = header.removeprefix("vmm/")
        done = subprocess.run([compiler, *flags], input=f'#include "{name}"\n',
                              capture_output=True, text=True)
        return f"{compiler}: {header}\n{done.stderr}" if done.returncode else None

    jobs = [(compiler, header) for header in files(["vmm", "stage2"], ".h")
            for compiler in ("gcc", "clang")]
    with ThreadPoolExecutor(WORKERS) as pool:
        return [wrong for wrong in pool.map(compile_alone, jobs) if wrong]


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return [done.stdout] if done.returncode else []


def check_clang(build):
    """The VMM under the second compiler, warnings as errors."""
    return run(["make", "--no-print-directory", "-k", "clang-vmm", f"BUILD={build}"])


def check_format(_):
    said = subprocess.run(["clang-format", "--version"], capture_output=True, text=True, check=True).stdout
    if f"version {CLANG_FORMAT}." not in said:
        raise Skipped(f"it takes clang-format {CLANG_FORMAT}, this is {said.strip()}")
    sources = files(["vmm", "stage2", "guest", "tests"], ".c", ".h")
    return run(["clang-format", "--dry-run", "-Werror", *sources])


def check_cppcheck(build):
    cache = os.path.join(build, "cppcheck")
    os.makedirs(cache, exist_ok=True)
    return run(["cppcheck", "-q", f"-j{WORKERS}", f"--cppcheck-build-dir={cache}", "--std=c11",
                "--platform=unix64", "--enable=warning,performance,portability", "--inline-suppr",
                "--error-exitcode=1", "--suppressions-list=tests/check/cppcheck.txt", "-Ivmm",
                '-DPXHV_VERSION="0"', "vmm", "stage2"])


def check_length(_):
    """No file is longer than a person reads in one go."""
    wrong = []
    sources = files(["boot", "stage2", "vmm", "guest", "tests"],
                    ".c", ".h", ".asm", ".inc", ".asl", ".py", ".sh")
    for path in sources + ["Makefile", "build.sh"]:
        with open(path, encoding="utf-8") as file:
            lines = sum(1 for _ in file)
        if lines > MAX_LINES:
            wrong.append(f"{path}: {lines} lines, at most {MAX_LINES}")
    return wrong


def check_leftovers(_):
    """Notes to oneself belong into an issue."""
    wrong = []
    for path in files(["boot", "stage2", "vmm", "guest"], ".c", ".h", ".asm", ".inc", ".sh"):
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if re.search(r"\b(TODO|FIXME|XXX)\b", line):
                    wrong.append(f"{path}:{number}: {line.strip()}")
    return wrong


CHECKS = {
    "layers": check_layers,
    "headers": check_headers,
    "format": check_format,
    "length": check_length,
    "leftovers": check_leftovers,
    "cppcheck": check_cppcheck,
    "clang": check_clang,
}


def main(build, names):
    passed = failed = 0
    for name in names or CHECKS:
        start = time.monotonic()
        try:
            wrong = CHECKS[name](build)
        except Skipped as why:
            print(f"  skip {name}: {why}", flush=True)
            continue
        took = time.monotonic() - start
        print(f"  {'FAIL' if wrong else 'ok':4} {name} ({took:.1f} s)", flush=True)
        for line in wrong:
            print(line.rstrip())
        passed += not wrong
        failed += bool(wrong)
    write_result(os.path.join(build, "results"), "check", passed, failed)
    print(f"check: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
