"""The report: one HTML file that needs nothing else, from a profile and what was measured beside it."""

import datetime
import os
from collections import Counter, defaultdict
from html import escape

import charts
from words import DEVICES, KINDS, MSRS

HERE = os.path.dirname(os.path.abspath(__file__))
PARTS = (("guest", "the guest"), ("vmm", "pxHV"), ("asleep", "asleep in HLT"),
         ("stopped", "stopped by a debugger"))
SHOWN_KINDS = 6  # as page.css has colours; the rest is one
TRACE_ROWS = 60


def plural(number, what):
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def table(caption, head, rows, left=1):
    """rows: lists of cells, which are HTML; the first cell of a row is its name."""
    words = [rows and n > 0 and rows[0][n].startswith('<td class="why"') for n in range(len(head))]
    cells = "".join(f"<th scope=\"col\"{' class=left' if n < left or words[n] else ''}>{cell}</th>"
                    for n, cell in enumerate(head))
    lines = "".join('<tr><th scope="row">' + row[0] + "</th>" + "".join(
        cell if cell.startswith("<td") else f"<td{' class=left' if n + 1 < left else ''}>{cell}</td>"
        for n, cell in enumerate(row[1:])) + "</tr>" for row in rows)
    return (f'<div class="scroll"><table><caption>{caption}</caption><thead><tr>{cells}</tr></thead>'
            f"<tbody>{lines}</tbody></table></div>")


def bar(share, extra=""):
    return f'<td class="bars"><span class="bar{extra}" style="width:{max(share, 0) * 100:.1f}%"></span></td>'


def legend(entries):
    return '<ul class="legend">' + "".join(
        f'<li><i style="background:var(--{colour})"></i>{escape(name)}</li>' for colour, name in entries) + "</ul>"


class Report:
    """`marks`: TSCs of what was seen on the console: "init", "shell". `stages`: see stages.choose().
    `machine`: what it ran on, in words."""

    def __init__(self, profile, machine, marks=(), stages=(), symbols=None, command=""):
        self.profile, self.machine, self.marks, self.stages = profile, machine, dict(marks), stages
        self.symbols, self.command = symbols, command
        self.info = profile.info
        self.kinds = sorted((kind for kind in profile.kinds if kind["count"]),
                            key=lambda kind: -kind["ticks"])
        self.end = profile.ms(self.info["now_tsc"])

    # --- parts of the page ---

    def head(self):
        info, ms = self.info, self.profile.ms
        wall = max(info["wall_ticks"], 1)
        tiles = [("", f"{ms(wall) / 1000:,.2f} s", "from the guest's first instruction on")]
        for part, name in PARTS[:3]:
            share = info[f"{part}_ticks"] / wall
            tiles.append((part, f"{share:.1%}", f"{name}: {ms(info[f'{part}_ticks']):,.0f} ms"))
        mean = self.profile.us(info["vmm_ticks"]) / max(info["exits"], 1)
        tiles.append(("", f"{info['exits']:,}", "exits: times that pxHV took over"))
        tiles.append(("", f"{mean:,.1f} µs", "pxHV's time for one of them, on average"))
        dot = '<i style="background:var(--{})"></i>'
        items = "".join(f"<li><b>{value}</b><span>{dot.format(colour) if colour else ''}{escape(text)}</span></li>"
                        for colour, value, text in tiles)
        return f"""<header><h1>Where the time of a guest went</h1>
<p class="soft">“{escape(info['guest'])}” with {info['memory_bytes'] >> 20} MiB under pxHV {escape(info['version'])},
{escape(info['backend'])}; {escape(self.machine)}</p>
<p class="lead">A guest runs on the CPU by itself, at the CPU's own speed. When it does something that it may not do alone,
such as talking to a device, the CPU leaves it and pxHV takes over: that is an <strong>exit</strong>. pxHV finds out what the
guest wanted, does it in the way of a PC, and lets the guest go on. Every exit is counted and timed; this page shows all of them.</p>
<ul class="tiles">{items}</ul></header>"""

    def phases(self):
        info, ms = self.info, self.profile.ms
        begin = ms(info["first_tsc"])
        found = [("BIOS", 0, ms(info["stage2_tsc"]), "the machine's firmware, and 512 bytes of boot sector"),
                 ("Loader", ms(info["stage2_tsc"]), ms(info["loaded_tsc"]),
                  "stage 2 reads pxHV, the kernel and its files from the stick"),
                 ("pxHV", ms(info["loaded_tsc"]), begin,
                  "pxHV takes the machine over, builds a PC and loads the kernel into it")]
        init, shell = (ms(self.marks[name]) if name in self.marks else None for name in ("init", "shell"))
        kernel_end = init or shell or self.end
        found.append(("Kernel", begin, kernel_end, "the guest's kernel, from its first instruction to its first program"))
        if init:
            found.append(("Init", init, shell or self.end, "the guest's first program starts what it is told to"))
        if shell:
            found.append(("Shell", shell, self.end, "the prompt was on the console; the profile was taken"))
        return found

    def boot(self):
        found = self.phases()
        rows = [[escape(name), f"{until - begin:,.1f} ms", f'<td class="why">{escape(what)}</td>']
                for name, begin, until, what in found]
        return f"""<section><h2>The boot, from power-on</h2>
<figure>{charts.phases(found, self.end)}<figcaption>Time since power-on, by the CPU's time stamp counter.</figcaption></figure>
{table("", ["phase", "took", "what happens"], rows)}</section>"""

    def intervals(self):
        """Neighbouring rows of the timeline: begin, end, differences."""
        first = {"tsc": self.info["first_tsc"], "guest_ticks": 0, "asleep_ticks": 0, "stopped_ticks": 0,
                 "count": [0] * len(self.profile.kinds)}
        before = first
        for row in self.profile.rows:
            ticks = row["tsc"] - before["tsc"]
            if ticks <= 0:
                continue
            delta = {part: row[f"{part}_ticks"] - before[f"{part}_ticks"]
                     for part in ("guest", "asleep", "stopped")}
            delta["vmm"] = max(ticks - sum(delta.values()), 0)
            counts = [(new - old) % 2 ** 32 for new, old in zip(row["count"], before["count"])]
            yield self.profile.ms(before["tsc"]), self.profile.ms(row["tsc"]), ticks, delta, counts
            before = row

    def over_time(self):
        top = sorted(self.kinds, key=lambda kind: -kind["count"])[:SHOWN_KINDS]
        numbers = [kind["kind"] for kind in top]
        names = [kind["name"] for kind in top] + ["all others"]
        shares, rates = [], []
        for begin, end, ticks, delta, counts in self.intervals():
            shares.append((begin, end, {part: value / ticks for part, value in delta.items()}))
            shown = [counts[number] for number in numbers]
            rates.append((begin, end, [value / (end - begin)
                                       for value in shown + [sum(counts) - sum(shown)]]))
        axis = charts.Axis(self.profile.ms(self.info["first_tsc"]), self.end)
        colours = [(f"k{number}", name) for number, name in enumerate(names)]
        return f"""<section><h2>Who had the CPU</h2>
<figure>{charts.shares(shares, axis, PARTS)}{legend([(part, name) for part, name in PARTS if self.info[f"{part}_ticks"]])}
<figcaption>Each moment of the guest's life, from the bottom to the top: what part of it the guest had, and what part pxHV.
Time since power-on.</figcaption></figure>
<h2>Exits over time, by reason</h2>
<figure>{charts.stacks(rates, axis, names)}{legend(colours)}
<figcaption>How many exits there were in a millisecond. A wall of port I/O is the kernel printing: each character on the
serial port is two exits.</figcaption></figure></section>"""

    def reasons(self):
        us, ms = self.profile.us, self.profile.ms
        total = max(self.info["vmm_ticks"], 1)
        most = max((kind["ticks"] for kind in self.kinds), default=1) or 1
        rows = [[escape(kind["name"]), bar(kind["ticks"] / most), f"{kind['ticks'] / total:.1%}",
                 f"{kind['count']:,}", f"{ms(kind['ticks']):,.2f}", f"{us(kind['ticks']) / kind['count']:,.2f}",
                 f"{us(kind['max']):,.1f}", f"<td class=\"why\">{escape(KINDS.get(kind['name'], ''))}</td>"]
                for kind in self.kinds]
        rows.append(["all", bar(0), "100.0%", f"{self.info['exits']:,}", f"{ms(total):,.2f}",
                     f"{us(total) / max(self.info['exits'], 1):,.2f}", "", '<td class="why"></td>'])
        return "<section><h2>Why the guest was left</h2>" + table(
            "Reasons by the time that pxHV took for them.",
            ["reason", "", "of pxHV's time", "exits", "ms in all", "µs each", "longest, µs", "what it means"],
            rows) + "</section>"

    def detail_name(self, detail):
        kind = self.profile.kinds[detail["kind"]]["name"]
        if kind == "port I/O":
            return f"port {detail['value']:03x}", DEVICES.get(detail["device"], "no device answers here")
        if kind == "nested page fault":
            return f"page {detail['value']:x}", DEVICES.get(detail["device"], "no device answers here")
        return (f"{'write' if kind == 'WRMSR' else 'read'} of MSR {detail['value']:x}",
                MSRS.get(detail["value"], ""))

    def places(self):
        us, ms = self.profile.us, self.profile.ms
        most = max((detail["ticks"] for detail in self.profile.details), default=1) or 1
        rows = []
        for detail in self.profile.details[:14]:
            name, what = self.detail_name(detail)
            rows.append([f'<code>{name}</code>', f"<td class=\"left\">{escape(detail['device'])}</td>",
                         bar(detail["ticks"] / most), f"{detail['count']:,}", f"{ms(detail['ticks']):,.2f}",
                         f"{us(detail['ticks']) / max(detail['count'], 1):,.2f}",
                         f'<td class="why">{escape(what)}</td>'])
        left = len(self.profile.details) - len(rows)
        return "<section><h2>What the guest talked to</h2>" + table(
            f"Ports, pages of device memory and CPU registers that took most of pxHV's time; {left} more took less.",
            ["where", "device", "", "exits", "ms in all", "µs each", ""], rows, left=2) + "</section>"

    def what_of_rip(self):
        """What the traced exits of each RIP were about."""
        found = defaultdict(Counter)
        for record in self.profile.exits:
            kind = self.profile.kinds[record["kind"]]["name"]
            about = f"port {record['detail']:03x}" if kind == "port I/O" else kind
            found[record["rip"]][about] += 1
        return found

    def hot_rips(self):
        total = max(self.info["rip_samples"], 1)
        about = self.what_of_rip()
        rows = []
        for rip in self.profile.rips[:12]:
            name = self.symbols.name(rip["rip"]) if self.symbols else None
            what = ", ".join(text for text, _ in about[rip["rip"]].most_common(2)) if rip["rip"] in about else ""
            rows.append([f"<code>{rip['rip']:016x}</code>",
                         f'<td class="left"><code>{escape(name or "")}</code></td>',
                         bar(rip["samples"] / max(self.profile.rips[0]["samples"], 1), " n"),
                         f"{rip['samples'] / total:.1%}", f"{rip['error'] / total:.1%}",
                         f'<td class="why">{escape(what)}</td>'])
        names = "" if self.symbols else (
            " Names need the kernel's symbols: <code>make profile VMLINUX=…</code>.")
        return "<section><h2>Where in the guest exits come from</h2>" + table(
            f"The guest's instructions that cause most exits, from a look at one exit in {self.info['exits_per_sample']} "
            f"({plural(self.info['rip_samples'], 'sample')}); a share may be too high by what the next column says." + names,
            ["instruction at", "function", "", "of all exits", "at most too high", "last seen doing"], rows,
            left=2) + "</section>"

    def one_exit(self, number, shown):
        total = shown["instructions"]
        items = ""
        for place, stage in enumerate(shown["stages"]):
            share = stage["instructions"] / total
            functions = table("", ["function", "in", "instructions"], [
                [f"<code>{escape(part['function'])}</code>", f"<td class=\"left\"><code>{escape(part['file'])}</code></td>",
                 str(part["instructions"])] for part in stage["functions"]], left=2) if stage["functions"] else (
                "<p>Nothing was due: a comparison of one word, counted with “Decide”, has shown it.</p>")
            items += (f'<li style="--c:var(--k{place})"><details id="exit-{number}-{stage["stage"]}"><summary>'
                      f'<strong>{stage["name"]}</strong><span class="n">{stage["instructions"]}</span>'
                      f'<span><span class="bar" style="width:{share * 100:.1f}%"></span></span></summary>'
                      f'<div class="inside"><p>{escape(stage["what"])}: {plural(stage["instructions"], "instruction")} of '
                      f"{total}, {share:.0%}.</p>{functions}</div></details></li>")
        return (f"<h3>{escape(shown['title'])}</h3><p>{escape(shown['text'])} pxHV needs "
                f"<strong>{plural(total, 'instruction')}</strong>.</p>"
                f"<figure>{charts.pipeline(shown['stages'], total, number)}</figure><ol class=\"pipe\">{items}</ol>")

    def way(self):
        if not self.stages:
            return ""
        return """<section><h2>The way of one exit through pxHV</h2>
<p>Counted by stepping through this very build, one instruction at a time, from the guest's exit to its next entry. Open a stage
to see the functions that it is made of.</p>""" + "".join(
            self.one_exit(number, shown) for number, shown in enumerate(self.stages)) + "</section>"

    def traced(self):
        exits = self.profile.exits
        spans = [(record, after["entered"] - record["exited"]) for record, after in zip(exits, exits[1:])]
        if not spans:
            return ""
        us = self.profile.us
        waits = {kind["kind"] for kind in self.profile.kinds if kind["name"] == "HLT"}
        rows = []
        for record, span in spans[-TRACE_ROWS:]:
            kind = self.profile.kinds[record["kind"]]["name"]
            detail = f"{record['detail']:x}" if record["detail"] else ""
            rows.append([f"{self.profile.ms(record['exited']):,.3f}", f"<td class=\"left\">{escape(kind)}</td>",
                         f"<code>{detail}</code>", f"<code>{record['rip']:x}</code>",
                         f"{us(record['exited'] - record['entered']):,.2f}", f"{us(span):,.2f}"])
        lengths = [us(span) for record, span in spans if record["kind"] not in waits]
        drawn = charts.histogram(lengths, "µs") if lengths else ""
        return f"""<section><h2>The newest exits, one by one</h2>
<p>The trace holds the last {plural(len(exits), "exit")}, each with the moment of the exit and of the next entry.</p>
<figure>{drawn}<figcaption>How long pxHV took for each of them, in µs, HLT left out: its exits last as long as the guest sleeps.
</figcaption></figure>
<details><summary>The last {len(rows)} of them as a table</summary><div class="inside">{table(
            "", ["ms since power-on", "reason", "detail", "guest's instruction", "µs in the guest before", "µs in pxHV"],
            rows, left=2)}</div></details></section>"""

    def sums(self):
        rows = [[escape(what), f"{one:,}", f"{other:,}",
                 '<td><span class="ok">equal</span></td>' if one == other else
                 f'<td><span class="bad">{one - other:+,}</span></td>']
                for what, one, other in self.profile.checks()]
        return """<section><h2>Does it add up?</h2>
<p>pxHV measures each part by itself, so these sums could fail.</p>""" + table(
            "", ["claim", "one side", "the other", ""], rows) + "</section>"

    def page(self):
        with open(os.path.join(HERE, "page.css"), encoding="utf-8") as file:
            style = file.read()
        made = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
        parts = (self.head(), self.boot(), self.over_time(), self.reasons(), self.places(), self.hot_rips(),
                 self.way(), self.traced(), self.sums())
        command = f" by <code>{escape(self.command)}</code>" if self.command else ""
        return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>pxHV: where the time of a guest went</title>
<style>{style}</style></head><body><main>{"".join(parts)}
<footer><p class="soft">Made {made}{command}. The format of the numbers behind it: docs/PROFILE.md.</p></footer>
</main></body></html>
"""
