"""What `make profile` does: the profile of a booted guest over COM2, its sums, and its page in a
browser."""

import os
import re
import subprocess
import sys

import pytest

import machine

FOLDER = os.path.join(machine.ROOT, "guest", "profile")
sys.path.insert(0, FOLDER)
import fileformat  # noqa: E402
import report  # noqa: E402
from symbols import Symbols  # noqa: E402

ELF = os.path.join(machine.BUILD, "pxhv-debug.elf")


class Made:
    """What one `make profile` has left: the profile, and the page as the browser has it."""

    def __init__(self, folder, platform):
        image = machine.make_image(str(folder / "profile.img"), TRACE=1, CMDLINE="console=ttyS0")
        self.path = folder / "profile.html"
        done = subprocess.run([sys.executable, os.path.join(FOLDER, "run.py"), platform, image, ELF,
                               self.path], capture_output=True, text=True, timeout=900, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        self.data = (folder / "profile.bin").read_bytes()
        self.profile = fileformat.Profile(self.data)
        browser = subprocess.run(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
             f"--user-data-dir={folder / 'browser'}", "--dump-dom", f"file://{self.path}"],
            capture_output=True, text=True, timeout=600, check=True)
        self.dom, self.browser_log = browser.stdout, browser.stderr


@pytest.fixture(scope="module", params=("vtx", "amdv"))
def made(request, tmp_path_factory):
    return Made(tmp_path_factory.mktemp(request.param), request.param)


def test_all_sums_are_equal_to_the_tick(made):
    wrong = [check for check in made.profile.checks() if check[1] != check[2]]
    assert not wrong
    info = made.profile.info
    assert info["guest_ticks"] and info["vmm_ticks"] and info["stopped_ticks"]
    # Each part of its own: none is what is left of the others.
    assert info["wall_ticks"] == info["now_tsc"] - info["first_tsc"]


def test_what_a_linux_boot_does_is_there(made):
    profile = made.profile
    counts = {kind["name"]: kind["count"] for kind in profile.kinds}
    assert counts["CPUID"] > 100 and counts["port I/O"] > 10_000
    ports = {detail["value"]: detail for detail in profile.details
             if profile.kinds[detail["kind"]]["name"] == "port I/O"}
    assert ports[0x3f8]["device"] == "uart16550" and ports[0x3f8]["count"] > 5_000
    assert ports[0x20]["device"] == "pic8259"
    others = next(kind["others"] for kind in profile.kinds if kind["name"] == "port I/O")
    assert others < counts["port I/O"] / 100
    # The hottest place is the loop that prints a character.
    assert sum(rip["samples"] for rip in profile.rips) >= profile.info["rip_samples"] / 2
    stamps = [profile.info[name] for name in ("stage2_tsc", "loaded_tsc", "enabled_tsc", "launch_tsc",
                                              "first_tsc", "now_tsc")]
    assert stamps == sorted(stamps)


def test_the_trace_is_whole_and_in_order(made):
    exits = made.profile.exits
    assert made.profile.info["tracing"] == 1 and len(exits) == 4092
    for before, after in zip(exits, exits[1:]):
        assert before["entered"] <= before["exited"] <= after["entered"]
    rows = made.profile.rows
    assert len(rows) > 50
    assert [row["tsc"] for row in rows] == sorted(row["tsc"] for row in rows)
    assert sum(rows[-1]["count"]) == made.profile.info["exits"]


def test_a_browser_shows_the_numbers(made):
    dom, info = made.dom, made.profile.info
    assert "CONSOLE" not in made.browser_log
    for shown in (f"{info['exits']:,}", f"{info['wall_ticks']:,}", info["backend"], "Kernel", "Shell",
                  "port 3f8", "uart16550"):
        assert shown in dom, shown
    assert dom.count(">equal<") == len(made.profile.checks())
    assert "NaN" not in dom and "inf ms" not in dom
    assert dom.count("<svg") == dom.count("aria-label=") >= 4


def test_the_way_of_an_exit_has_every_stage(made):
    for stage in ("stub", "decode", "account", "decide", "device", "inject", "resume"):
        assert re.search(f'<details id="exit-0-{stage}">', made.dom), stage
    # What is counted for the stages is the whole way, in hundreds of instructions.
    total = int(re.search(r"pxHV needs <strong>([\d,]+) instructions", made.dom)[1].replace(",", ""))
    way = made.dom[made.dom.index('<ol class="pipe">'):]
    numbers = [int(number) for number in re.findall(r'<span class="n">(\d+)</span>', way)[:7]]
    assert sum(numbers) == total and 200 < total < 1000
    assert all(numbers[:5]) and numbers[6]


def test_the_page_needs_nothing_else(made):
    page = made.path.read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=[\"'](?!#)|url\((?!#)|@import|<script", page)


def make_elf(folder, functions, end):
    """A program with functions at these addresses, the first of which is a multiple of 16, and nothing from
    `end` on."""
    base = min(functions.values())
    source, elf = folder / "names.asm", folder / "names"
    places = sorted((address, name) for name, address in functions.items())
    lines = ["bits 64", "section .text"]
    for (address, name), (behind, _) in zip(places, [*places[1:], (end, "")]):
        lines += [f"{name}:", f"times {behind - address} nop"]
    source.write_text("\n".join(lines) + "\n", encoding="ascii")
    subprocess.run(["nasm", "-f", "elf64", "-o", f"{elf}.o", source], check=True)
    subprocess.run(["ld", f"-Ttext={base:#x}", "-e", "0", "-o", elf, f"{elf}.o"], check=True, capture_output=True)
    return elf


def test_names_come_from_the_kernels_symbols(made, tmp_path):
    """The hottest instruction of the guest's, as one of a program that was made around it."""
    hot = made.profile.rips[0]["rip"]
    elf = make_elf(tmp_path, {"before": hot - 32 & ~15, "hottest": hot - 5, "behind": hot + 1}, hot + 64)
    page = report.Report(made.profile, "a test", symbols=Symbols(elf)).page()
    assert "hottest+0x5<" in page and f"{hot:x}" in page
    plain = report.Report(made.profile, "a test").page()
    assert "hottest" not in plain and "VMLINUX=" in plain and "VMLINUX=" not in page


def test_symbols_name_what_lies_in_a_function(tmp_path):
    elf = make_elf(tmp_path, {"first": 0x1000000, "second": 0x1000010, "last": 0x1000020}, 0x1000030)
    listing = tmp_path / "System.map"
    listing.write_text(subprocess.run(["nm", elf], check=True, capture_output=True, text=True).stdout)
    for path in (elf, listing):
        symbols = Symbols(path)
        assert symbols.name(0xffffff) is None
        assert symbols.name(0x1000000) == "first" and symbols.name(0x100000f) == "first+0xf"
        assert symbols.name(0x1000010) == "second"
        assert symbols.name(0x9000000) is None  # behind the last one, whose end isn't known


def test_symbols_that_are_none_are_refused(tmp_path):
    elf = make_elf(tmp_path, {"first": 0x1000000}, 0x1000010)
    subprocess.run(["strip", elf], check=True)
    # What Debian puts into /boot.
    stub = tmp_path / "System.map"
    stub.write_text("ffffffffffffffff B The real System.map is in the linux-image-dbg package\n")
    for path, words in ((elf, "names no function"), (stub, "names no function"),
                        (tmp_path / "nothing", "can't be read"), (tmp_path, "can't be read")):
        with pytest.raises(SystemExit, match=words):
            Symbols(path)
    done = subprocess.run([sys.executable, os.path.join(FOLDER, "run.py"), "amdv", "no-image", ELF,
                           tmp_path / "page.html", elf], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done


def test_a_damaged_profile_is_refused(made):
    for data in (b"", made.data[:100], made.data[:-1], b"X" + made.data[1:],
                 made.data[:8] + b"\x02" + made.data[9:]):
        with pytest.raises(fileformat.BadProfile):
            fileformat.Profile(data)
