"""The drawings of the report: SVG with text, readable without a script and by a screen reader."""

from html import escape

WIDTH = 1000
LEFT = 8


class Axis:
    """Milliseconds since power-on to a place between LEFT and the right edge."""

    def __init__(self, begin, end):
        self.begin, self.end = begin, max(end, begin + 1e-6)

    def x(self, ms):
        return LEFT + (ms - self.begin) / (self.end - self.begin) * (WIDTH - 2 * LEFT)

    def ticks(self):
        step = 10 ** 9
        for base in (1, 2, 5):
            for power in range(-2, 8):
                size = base * 10 ** power
                if (self.end - self.begin) / size <= 10:
                    step = min(step, size)
        first = -(-self.begin // step)
        while first * step <= self.end:
            yield first * step
            first += 1


def seconds(ms):
    return f"{ms / 1000:g} s"


def grid(axis, top, bottom):
    return "".join(
        f'<line class="grid" x1="{axis.x(ms):.1f}" x2="{axis.x(ms):.1f}" y1="{top}" y2="{bottom}"/>'
        f'<text class="tick" x="{axis.x(ms):.1f}" y="{bottom + 14}" text-anchor="middle">{seconds(ms)}</text>'
        for ms in axis.ticks())


def svg(height, title, body):
    return (f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">'
            f"<title>{escape(title)}</title>{body}</svg>")


def box(x0, x1, y, height, fill, title, extra=""):
    return (f'<rect x="{x0:.2f}" y="{y:.2f}" width="{max(x1 - x0, .6):.2f}" height="{height:.2f}" '
            f'fill="var(--{fill})"{extra}><title>{escape(title)}</title></rect>')


def phases(found, end):
    """The boot as one band; a phase too short for its name has it below, on a line of its own."""
    axis = Axis(0, end)
    body, late, level = grid(axis, 8, 128), [], 0
    for number, (name, begin, until, _) in enumerate(found):
        x0, x1 = axis.x(begin), axis.x(until)
        length = f"{until - begin:,.0f} ms"
        body += box(x0, x1, 14, 44, f"p{number}", f"{name}: {length}", ' rx="3"')
        if x1 - x0 > 8.2 * max(len(name), len(length)):
            body += (f'<text class="name" x="{x0 + 7:.1f}" y="33">{escape(name)}</text>'
                     f'<text x="{x0 + 7:.1f}" y="50">{length}</text>')
        else:
            late.append((x0, x1, name, length))
    for x0, x1, name, length in late:
        middle, y = (x0 + x1) / 2, 80 + 20 * (level % 3)
        level += 1
        anchor = "start" if middle < WIDTH * .75 else "end"
        shift = 4 if anchor == "start" else -4
        body += (f'<line x1="{middle:.1f}" x2="{middle:.1f}" y1="58" y2="{y - 3}" stroke="var(--soft)"/>'
                 f'<text x="{middle + shift:.1f}" y="{y}" text-anchor="{anchor}"><tspan class="name">'
                 f"{escape(name)}</tspan> {length}</text>")
    return svg(146, "The boot in phases: " + ", ".join(
        f"{name} {until - begin:.0f} ms" for name, begin, until, _ in found), body)


def shares(intervals, axis, parts):
    """Who had the CPU: intervals are (begin, end, {part: share})."""
    body = grid(axis, 8, 168)
    for begin, end, share in intervals:
        y = 168.0
        for part, name in parts:
            height = 160 * share.get(part, 0)
            y -= height
            if height > .05:
                body += box(axis.x(begin), axis.x(end), y, height, part,
                            f"{name}: {share[part]:.0%} from {begin:,.0f} to {end:,.0f} ms")
    return svg(186, "Who had the CPU, over time", body)


def stacks(intervals, axis, names):
    """Exits per millisecond by kind: intervals are (begin, end, [rate of names[0], ...])."""
    top = max((sum(rates) for _, _, rates in intervals), default=0) or 1
    body = grid(axis, 8, 208)
    for line in (.25, .5, .75, 1):
        y = 208 - 195 * line
        body += (f'<line class="grid" x1="{LEFT}" x2="{WIDTH - LEFT}" y1="{y:.1f}" y2="{y:.1f}"/>'
                 f'<text class="tick" x="{LEFT + 2}" y="{y - 3:.1f}">{top * line:,.1f} per ms</text>')
    for begin, end, rates in intervals:
        y = 208.0
        for number, rate in enumerate(rates):
            height = 195 * rate / top
            y -= height
            if height > .3:
                body += box(axis.x(begin), axis.x(end), y, height, f"k{number}",
                            f"{names[number]}: {rate:,.1f} per ms from {begin:,.0f} to {end:,.0f} ms")
    return svg(226, "Exits per millisecond by reason, over time", body)


def histogram(values, unit):
    """How many of the traced exits took how long, in powers of two."""
    buckets = {}
    for value in values:
        power = max(0, int(value * 8)).bit_length()
        buckets[power] = buckets.get(power, 0) + 1
    first, last = min(buckets), max(buckets)
    top, wide = max(buckets.values()), (WIDTH - 2 * LEFT) / (last - first + 1)
    body = ""
    for power in range(first, last + 1):
        count = buckets.get(power, 0)
        x, height = LEFT + (power - first) * wide, 120 * count / top
        until = f"{2 ** power / 8:g}"
        body += (box(x + 3, x + wide - 3, 150 - height, height, "vmm", f"{count} exits under {until} {unit}",
                     ' rx="2"') if count else "")
        body += (f'<text x="{x + wide / 2:.1f}" y="{144 - height:.1f}" text-anchor="middle">'
                 f"{f'{count:,}' if count else ''}</text>"
                 f'<text class="tick" x="{x + wide / 2:.1f}" y="166" text-anchor="middle">'
                 f"under {until}</text>")
    return svg(174, "How long the traced exits took", body)


def pipeline(stages, total, number):
    """The way of one exit, from left to right, in boxes of equal width; the bar below each is its share."""
    wide = (WIDTH - 2 * LEFT - 120) / len(stages)
    body = (f'<defs><marker id="tip-{number}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            'orient="auto"><path d="M0 0 8 4 0 8z" fill="var(--soft)"/></marker></defs>')

    def arrow(x0, x1):
        return (f'<line x1="{x0:.1f}" x2="{x1:.1f}" y1="52" y2="52" stroke="var(--soft)" stroke-width="2" '
                f'marker-end="url(#tip-{number})"/>')

    def guest(x, text):
        return (f'<rect x="{x:.1f}" y="30" width="52" height="44" rx="8" fill="none" stroke="var(--guest)" '
                f'stroke-width="2"/><text x="{x + 26:.1f}" y="56" text-anchor="middle">{text}</text>')

    body += guest(LEFT, "guest") + guest(WIDTH - LEFT - 52, "guest")
    for place, stage in enumerate(stages):
        x = LEFT + 60 + place * wide
        share = stage["instructions"] / total
        body += (arrow(x - 8, x + 8) +
                 f'<rect x="{x + 9:.1f}" y="22" width="{wide - 18:.1f}" height="60" rx="8" '
                 f'fill="var(--track)" stroke="var(--k{place})" stroke-width="2"/>'
                 f'<text class="name" x="{x + wide / 2:.1f}" y="46" text-anchor="middle">{stage["name"]}</text>'
                 f'<text x="{x + wide / 2:.1f}" y="66" text-anchor="middle">{stage["instructions"]}</text>'
                 f'<rect x="{x + 9:.1f}" y="92" width="{wide - 18:.1f}" height="8" rx="4" fill="var(--track)"/>'
                 f'<rect x="{x + 9:.1f}" y="92" width="{(wide - 18) * share:.1f}" height="8" rx="4" '
                 f'fill="var(--k{place})"/>')
    body += arrow(WIDTH - LEFT - 68, WIDTH - LEFT - 54)
    names = ", ".join(f"{stage['name']} {stage['instructions']}" for stage in stages)
    return svg(110, f"The way of one exit, in instructions: {names}", body)
