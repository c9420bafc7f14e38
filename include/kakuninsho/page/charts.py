"""Charts as plain SVG: no script, no font and no file from elsewhere. Colours are classes or come from one palette."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from markupsafe import Markup, escape

from kakuninsho.page.figures import Branch, FlowStep, Step, Week
from kakuninsho.page.words import FLOW, STATES, STEP_UNITS, STEPS, short_branch, word

STATE_COLOURS = {"done": "#1b7f5c", "running": "#1f6feb", "late": "#c62828", "waiting": "#94a3b8"}
FLOW_COLOURS = {
    "total": "#33475b",
    "out": "#a9b4c2",
    "in": "#6b7fd7",
    "delivered": "#1b7f5c",
    "in_transit": "#3b82c4",
    "at_employer": "#5f9ea0",
    "waiting": "#94a3b8",
    "returned": "#d98a1f",
    "at_branch_desk": "#d98a1f",
    "held": "#c2571a",
    "ended": "#b8b8b8",
}
# Column and row of each prefecture, so that neighbours stay neighbours.
TILES = {
    "01": (12, 0), "02": (12, 1), "05": (11, 2), "03": (12, 2), "06": (11, 3), "04": (12, 3),
    "17": (9, 4), "16": (10, 4), "15": (11, 4), "07": (12, 4),
    "18": (8, 5), "21": (9, 5), "20": (10, 5), "10": (11, 5), "09": (12, 5),
    "35": (3, 6), "32": (4, 6), "31": (5, 6), "28": (6, 6), "26": (7, 6), "25": (8, 6), "23": (9, 6),
    "19": (10, 6), "11": (11, 6), "08": (12, 6),
    "41": (0, 7), "40": (1, 7), "44": (2, 7), "34": (4, 7), "33": (5, 7), "27": (6, 7), "29": (7, 7), "24": (8, 7),
    "22": (10, 7), "13": (11, 7), "12": (12, 7),
    "42": (0, 8), "43": (1, 8), "45": (2, 8), "38": (4, 8), "37": (5, 8), "30": (7, 8), "14": (11, 8),
    "46": (1, 9), "39": (4, 9), "36": (5, 9), "47": (0, 10),
}  # fmt: skip
TILE = 62


@dataclass(frozen=True)
class Scale:
    """A measure of the tile map: its words, its colours from pale to full, and the value that is full."""

    key: str
    title: str
    hue: tuple[tuple[int, int, int], tuple[int, int, int]]
    value: Callable[[Branch], float | None]
    least: float
    most: float
    note: str = ""

    def colour(self, value: float | None) -> str:
        """The colour of a value; the pattern of what is unknown for None."""
        if value is None:
            return f"url(#unknown-{self.key})"
        share = min(max((value - self.least) / ((self.most - self.least) or 1), 0), 1)
        pale, full = self.hue
        return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in zip(pale, full, strict=True))

    def is_dark(self, value: float | None) -> bool:
        """Whether only pale text can be read on its colour."""
        if value is None:
            return False
        colour = self.colour(value)
        red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
        return red * 0.299 + green * 0.587 + blue * 0.114 < 140


def season(steps: Sequence[Step], today: date) -> Markup:
    """The leaflet's chart, April to December, with what is done of it and today's line."""
    first = min(step.starts_on for step in steps).replace(day=1)
    last = _next_month(max(step.ends_on for step in steps))
    left, right, top, row = 210, 24, 54, 58
    width, numbers = 1200, sorted({step.step_no for step in steps})
    height = top + row * len(numbers) + 12

    def across(day: date) -> float:
        return left + (width - left - right) * (day - first).days / (last - first).days

    parts = []
    month = first
    while month < last:
        after = _next_month(month)
        parts.append(
            f'<rect x="{across(month):.1f}" y="26" width="{across(after) - across(month):.1f}" height="{height - 32}"'
            f' class="{"month" if month.month % 2 else "month odd"}"/>'
            f'<text x="{(across(month) + across(after)) / 2:.1f}" y="44" class="head">{month.month}月</text>'
        )
        month = after
    for place, number in enumerate(numbers):
        middle = top + row * place + row / 2
        mine = [step for step in steps if step.step_no == number]
        parts.append(
            f'<line x1="0" x2="{width}" y1="{middle + row / 2:.1f}" y2="{middle + row / 2:.1f}" class="rule"/>'
            f'<text x="0" y="{middle + 6:.1f}" class="label">{escape(word(STEPS, mine[0].step_code))}</text>'
        )
        parts += [_mark(step, across, middle) for step in mine]
    if first <= today < last:
        # The label turns to the left where it would leave the chart.
        turned = across(today) > width - 160
        parts.append(
            f'<line x1="{across(today):.1f}" x2="{across(today):.1f}" y1="20" y2="{height - 6}" class="today"/>'
            f'<text x="{across(today) + (-6 if turned else 6):.1f}" y="17" class="today"'
            f' text-anchor="{"end" if turned else "start"}">基準日 {today.month}月{today.day}日</text>'
        )
    return _svg("season", width, height, "年間予定と今日の状態", parts)


def _mark(step: Step, across: Callable[[date], float], middle: float) -> str:
    colour, done = STATE_COLOURS[step.state], f"{step.done_count:,} / {step.total_count:,}"
    label = f"{done} {STEP_UNITS[step.step_code]}" if step.total_count else STATES[step.state]
    tip = escape(f"{word(STEPS, step.step_code)} {_span(step)}: {STATES[step.state]} ({label})")
    if step.step_code == "home_mail":
        start, end = across(step.starts_on), across(step.ends_on + timedelta(days=1))
        start, end = (start, end) if end - start > 14 else (end - 14, end)
        share = min(step.done_count / step.total_count, 1) if step.total_count else 0
        # The whole and the share of it that is done; the exact counts are in the tip and in the table of months.
        return (
            f"<g><title>{tip}</title>"
            f'<rect x="{start:.1f}" y="{middle - 20:.1f}" width="{end - start:.1f}" height="20" rx="3" fill="#fff"'
            f' stroke="{colour}" stroke-width="1.5"/>'
            f'<rect x="{start:.1f}" y="{middle - 20:.1f}" width="{(end - start) * share:.1f}" height="20" rx="3"'
            f' fill="{colour}"/>'
            + (
                f'<text x="{(start + end) / 2:.1f}" y="{middle - 5:.1f}" class="percent">{share:.0%}</text>'
                if (end - start) * share > 44
                else ""
            )
            + f'<text x="{(start + end) / 2:.1f}" y="{middle + 17:.1f}" class="small" text-anchor="middle">'
            f"{escape(_short(step.total_count) + ' 通' if step.total_count else STATES[step.state])}</text></g>"
        )
    centre = across(step.starts_on) + 2
    before = step.step_code == "served"
    text = "" if step.step_code == "employer_follow_up" else label
    return (
        f'<g><title>{tip}</title><path d="M {centre - 9:.1f} {middle - 12:.1f} h 18 l -9 17 z" fill="{colour}"/>'
        f'<text x="{centre + (-14 if before else 14):.1f}" y="{middle + 5:.1f}" class="small"'
        f' text-anchor="{"end" if before else "start"}">{escape(text)}</text>'
        + (
            f'<text x="{centre:.1f}" y="{middle + 22:.1f}" class="small" text-anchor="middle">'
            f"{step.starts_on.month}/{step.starts_on.day}</text>"
            if not text
            else ""
        )
        + "</g>"
    )


def _short(count: int) -> str:
    """A count that fits below a month: from a hundred thousand in 万."""
    return f"{count / 10_000:,.1f}万" if count >= 100_000 else f"{count:,}"


def _span(step: Step) -> str:
    if step.starts_on == step.ends_on:
        return step.starts_on.isoformat()
    return f"{step.starts_on.isoformat()} ～ {step.ends_on.isoformat()}"


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def waterfall(flow: Sequence[FlowStep]) -> Markup:
    """From the rows of the register down to where everyone's certificate is today.

    The two parts have scales of their own, because what happens to a hundredth of the people must still be seen.
    """
    left, bar, row, width = 170, 308, 30, 660
    parts: list[str] = []
    level = 0
    whole = max((step.people_count for step in flow if step.step_code == "register"), default=0)
    served = max((step.people_count for step in flow if step.step_code == "to_be_served"), default=0)
    top = 8
    for step in flow:
        if step.step_kind == "today" and step.step_code == "delivered":
            top += 34
            level = 0
            parts.append(
                f'<text x="0" y="{top - 12}" class="part">今日どこにあるか (交付すべき人を 100 % として)</text>'
            )
        scale = served if step.step_kind == "today" else whole
        start, end, level = _bar(step, level)
        x = left + bar * start / scale if scale else left
        size = bar * (end - start) / scale if scale else 0
        colour = FLOW_COLOURS.get(step.step_code, FLOW_COLOURS.get(step.step_kind, "#888"))
        strong = " strong" if step.step_kind == "total" else ""
        sign = {"out": "－", "in": "＋"}.get(step.step_kind, "")
        share = f" ({step.people_count / scale:.1%})" if scale and step.step_code != "register" else ""
        parts.append(
            f'<g><text x="0" y="{top + 17}" class="label{strong}">{escape(word(FLOW, step.step_code))}</text>'
            f'<rect x="{left}" y="{top + 3}" width="{bar}" height="{row - 10}" class="track"/>'
            f'<rect x="{x:.1f}" y="{top + 3}" width="{max(size, 1.5 if step.people_count else 0):.1f}"'
            f' height="{row - 10}" fill="{colour}"/>'
            f'<text x="{width}" y="{top + 17}" class="figure{strong}">{sign}{step.people_count:,}{share}</text></g>'
        )
        top += row
    return _svg("waterfall", width, top + 4, "加入者データから交付までの人数", parts)


def _bar(step: FlowStep, level: int) -> tuple[int, int, int]:
    """Where a bar begins and ends, and the level after it."""
    count = step.people_count
    if step.step_kind == "total":
        return 0, count, count
    if step.step_kind == "out":
        return level - count, level, level - count
    return level, level + count, level + count


def tile_map(branches: Sequence[Branch], scale: Scale) -> Markup:
    """The 47 branches as tiles, coloured by one measure."""
    width = TILE * 13
    parts = [
        f'<defs><pattern id="unknown-{scale.key}" width="8" height="8" patternUnits="userSpaceOnUse"'
        ' patternTransform="rotate(45)">'
        '<rect width="8" height="8" fill="#f4f5f7"/><line x1="0" x2="0" y1="0" y2="8" stroke="#d5dae1"'
        ' stroke-width="4"/></pattern></defs>',
        *_legend(scale),
    ]
    for branch in branches:
        column, row = TILES[branch.prefecture_code]
        value = scale.value(branch)
        x, y = column * TILE + 1, row * TILE + 1
        text = "—" if value is None else f"{value:.1%}" if value < 0.9995 else "100%"
        name = short_branch(branch.branch_name)
        tip = escape(f"{branch.branch_name} {scale.title}: {'なし・少数' if value is None else text}")
        pale = " pale" if scale.is_dark(value) else ""
        stop = (
            f'<rect x="{x + 1.5}" y="{y + 1.5}" width="{TILE - 5}" height="{TILE - 5}" rx="5" fill="none"'
            ' stroke="#c62828" stroke-width="3"/>'
            if branch.is_stopped
            else ""
        )
        parts.append(
            f'<g><title>{tip}</title><rect x="{x}" y="{y}" width="{TILE - 2}" height="{TILE - 2}" rx="6"'
            f' fill="{scale.colour(value)}" stroke="#d5dae1"/>{stop}'
            f'<text x="{x + TILE / 2 - 1:.1f}" y="{y + 26}" class="tile{pale}">{escape(name)}</text>'
            f'<text x="{x + TILE / 2 - 1:.1f}" y="{y + 46}" class="value{pale}">{text}</text></g>'
        )
    return _svg(f"map map-{scale.key}", width, TILE * 11, f"都道府県別 {scale.title}", parts)


def _legend(scale: Scale) -> list[str]:
    steps = 6
    parts = [f'<text x="0" y="24" class="part">{escape(scale.title)}</text>']
    for step in range(steps):
        value = scale.least + (scale.most - scale.least) * step / (steps - 1)
        parts.append(
            f'<rect x="{step * 56}" y="36" width="56" height="18" fill="{scale.colour(value)}"/>'
            f'<text x="{step * 56 + 28}" y="72" class="small" text-anchor="middle">{value:.0%}</text>'
        )
    parts.append(
        f'<rect x="0" y="86" width="56" height="18" fill="{scale.colour(None)}" stroke="#d5dae1"/>'
        '<text x="64" y="100" class="small">不明、または少数のため表示しない</text>'
        '<rect x="1" y="115" width="54" height="16" rx="3" fill="none" stroke="#c62828" stroke-width="3"/>'
        '<text x="64" y="128" class="small">返戻率により差出し停止中</text>'
    )
    if scale.note:
        parts.append(f'<text x="0" y="156" class="small">{escape(scale.note)}</text>')
    return parts


def forecast(weeks: Sequence[Week]) -> Markup:
    """Envelopes to be posted a week against the capacity of printer and post."""
    left, right, top, height, width = 84, 16, 34, 250, 1200
    base = height - 34
    most = max([1, *(max(week.to_post, week.posted, week.backlog_after) for week in weeks)])
    capacity = max((min(week.printer_capacity, week.post_capacity) for week in weeks), default=0)
    # A capacity far above all need would press the bars flat: it is then said in words only.
    shown = capacity if capacity <= most * 3 else 0
    ceiling = max(most, shown) * 1.1
    step = (width - left - right) / max(len(weeks), 1)
    parts = [
        f'<line x1="{left}" x2="{width - right}" y1="{base}" y2="{base}" class="rule"/>',
        f'<text x="{left - 8}" y="{base + 5}" class="small" text-anchor="end">0</text>',
        f'<text x="{left - 8}" y="{top + (base - top) * (1 - most / ceiling) + 5:.1f}" class="small"'
        f' text-anchor="end">{most:,}</text>',
    ]
    for place, week in enumerate(weeks):
        x = left + step * place
        size = min(step * 0.62, 60)
        for value, colour, shift in ((week.to_post, "#3b82c4", 0.0), (week.backlog_after, "#c62828", size / 2)):
            tall = (base - top) * value / ceiling
            parts.append(
                f'<rect x="{x + step / 2 - size / 2 + shift:.1f}" y="{base - tall:.1f}" width="{size / 2:.1f}"'
                f' height="{tall:.1f}" fill="{colour}"><title>{week.week_start}: {value:,} 通</title></rect>'
            )
        limit = min(week.printer_capacity, week.post_capacity)
        if shown:
            y = base - (base - top) * limit / ceiling
            parts.append(f'<line x1="{x + 2:.1f}" x2="{x + step - 2:.1f}" y1="{y:.1f}" y2="{y:.1f}" class="limit"/>')
        parts.append(
            f'<text x="{x + step / 2:.1f}" y="{base + 20}" class="small" text-anchor="middle">'
            f"{week.week_start.month}/{week.week_start.day}</text>"
        )
    words = [("#3b82c4", "その週に差し出す封筒"), ("#c62828", "週末に残る封筒")]
    for place, (colour, text) in enumerate(words):
        parts.append(
            f'<rect x="{left + place * 210}" y="6" width="14" height="14" fill="{colour}"/>'
            f'<text x="{left + place * 210 + 20}" y="18" class="small">{text}</text>'
        )
    limit_words = "週の能力 (破線)" if shown else f"週の能力は最大 {capacity:,} 通 (図の外)"
    parts.append(f'<text x="{left + 430}" y="18" class="small">{limit_words}</text>')
    return _svg("forecast", width, height, "期限の見込み", parts)


def share_bar(parts: Sequence[tuple[int, str, str]]) -> Markup:
    """A thin bar of counts beside each other: (count, colour, words)."""
    whole = sum(count for count, _, _ in parts)
    x, drawn = 0.0, []
    for count, colour, text in parts:
        size = 160 * count / whole if whole else 0
        drawn.append(
            f'<rect x="{x:.1f}" y="0" width="{size:.1f}" height="14" fill="{colour}">'
            f"<title>{escape(text)} {count:,}</title></rect>"
        )
        x += size
    return _svg("share", 160, 14, "内訳", drawn)


def _svg(name: str, width: int, height: float, title: str, parts: Sequence[str]) -> Markup:
    return Markup(  # noqa: S704 (numbers, our own words, and what was escaped on its way here)
        f'<svg class="chart {name}" viewBox="0 0 {width} {height:.0f}" role="img" aria-label="{escape(title)}"'
        f' xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )
