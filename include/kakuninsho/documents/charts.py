"""Charts as SVG: drawn from counts, self-contained, and drawn again only when their figures change."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

FONT = "Noto Sans CJK JP, Noto Sans JP, Hiragino Sans, Yu Gothic, sans-serif"
COLOURS = ("#1f5a96", "#9db8d2", "#d98b2b")
EARLIER, LATER = "#9db8d2", "#1f5a96"


def stacked_months(path: Path, *, title: str, series: Mapping[str, Mapping[str, int]], unit: str) -> Path:
    """Two or more series side by side for each month (YYYY-MM)."""
    rows = [
        {"月": month, "区分": name, "数": count}
        for name, counts in series.items()
        for month, count in sorted(counts.items())
    ]

    def draw() -> Any:
        import altair as alt

        inline: Any = alt.Data  # untyped in the library
        return (
            alt.Chart(inline(values=rows), title=title, width=640, height=260)
            .mark_bar()
            .encode(
                x=alt.X("月:O", title=None, axis=alt.Axis(labelAngle=-45)),
                xOffset=alt.XOffset("区分:N", sort=list(series)),
                y=alt.Y("数:Q", title=unit, axis=alt.Axis(format=",d", tickMinStep=1)),
                color=alt.Color(
                    "区分:N",
                    sort=list(series),
                    scale=alt.Scale(domain=list(series), range=list(COLOURS[: len(series)])),
                    legend=alt.Legend(title=None, orient="bottom"),
                ),
            )
        )

    return _write(path, draw, {"title": title, "rows": rows, "unit": unit})


def paired_bars(path: Path, *, title: str, names: Sequence[str], months: Mapping[str, Mapping[str, float]]) -> Path:
    """Rates in percent of the same places in an earlier and a later month, a place a line; what is unknown has no bar.

    `names` gives the places in order, `months` the rates by month and place, the earlier month first.
    """
    rows = [
        {"支部": name, "月": month, "利用率": round(rates[name] * 100, 2)}
        for month, rates in months.items()
        for name in names
        if name in rates
    ]

    def draw() -> Any:
        import altair as alt

        inline: Any = alt.Data  # untyped in the library
        base = alt.Chart(inline(values=rows), title=title, width=520).encode(
            y=alt.Y("支部:N", sort=list(names), title=None, scale=alt.Scale(domain=list(names))),
            yOffset=alt.YOffset("月:N", sort=list(months)),
            x=alt.X("利用率:Q", title="利用率 (%)", scale=alt.Scale(zero=True)),
        )
        colour = alt.Color(
            "月:N",
            sort=list(months),
            scale=alt.Scale(domain=list(months), range=[EARLIER, LATER][-len(months) :]),
            legend=alt.Legend(title=None, orient="bottom"),
        )
        text = alt.Text("利用率:Q", format=".2f")
        return base.mark_bar().encode(color=colour) + base.mark_text(align="left", dx=3, fontSize=9).encode(text=text)

    return _write(path, draw, {"title": title, "rows": rows, "names": list(names)})


def _write(path: Path, draw: Any, figures: Mapping[str, Any]) -> Path:
    """Draw to `path`; the figures lie beside it as JSON, for who cannot see a chart and to know what it shows."""
    beside = path.with_suffix(".json")
    text = json.dumps(figures, ensure_ascii=False, indent=1) + "\n"
    if path.is_file() and beside.is_file() and beside.read_text(encoding="utf-8") == text:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = path.with_name(f"{path.stem}.new.svg")
    draw().configure(font=FONT).configure_view(stroke=None).save(str(drawn))
    drawn.replace(path)
    beside.write_text(text, encoding="utf-8")
    return path
