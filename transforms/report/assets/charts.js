// Bars and histograms as inline SVG. Each stands beside its numbers or has a table of them for who cannot see it.

/** Return a bar of parts, [class, value] each, of a whole. */
function bar(parts, whole) {
  let start = 0;
  const rects = parts.map(([kind, value]) => {
    const width = whole ? (100 * value) / whole : 0;
    const rect = s("rect", { class: kind, x: start, y: 0, width: value ? Math.max(width, 0.6) : 0, height: 10 });
    start += width;
    return rect;
  });
  return s("svg", { class: "bar", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" }, rects);
}

function swatch(kind) {
  return s(
    "svg",
    { class: "swatch", viewBox: "0 0 10 10", "aria-hidden": "true" },
    s("rect", { class: kind, width: 10, height: 10 }),
  );
}

function key(entries) {
  return h(
    "p",
    { class: "key" },
    entries.map(([kind, name]) => h("span", {}, swatch(kind), name)),
  );
}

/** Return a table of names with a bar for each run: `series` has [[name, n], ...] of each, `totals` their sums. */
function barTable(caption, series, totals) {
  const names = [...new Set(series.flatMap((entries) => entries.map(([name]) => name)))];
  const of = series.map((entries) => new Map(entries));
  const share = (run, name) => (totals[run] ? (of[run].get(name) || 0) / totals[run] : 0);
  const most = Math.max(...names.flatMap((name) => series.map((_, run) => share(run, name))), 0);
  const rows = names.map((name) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, String(name)),
      h(
        "td",
        { class: "bar-cell" },
        series.map((_, run) => bar([[`fill-${run}`, share(run, name)]], most)),
      ),
      series.map((_, run) => {
        const n = of[run].get(name) || 0;
        return h("td", { class: "number" }, series.length > 1 ? percent(n, totals[run]) : count(n));
      }),
      series.length > 1 ? null : h("td", { class: "number soft" }, percent(of[0].get(name) || 0, totals[0])),
    ),
  );
  return h("table", { class: "bars" }, h("caption", {}, caption), h("tbody", {}, rows));
}

/** Return a histogram of shares; `edge` names the left end of a bar, `series` has the numbers of each run. */
function histogram(title, series, edge, runs) {
  const width = 340,
    height = 120,
    bars = series[0].length,
    step = (width - 20) / bars;
  const totals = series.map((numbers) => numbers.reduce((sum, n) => sum + n, 0));
  const most = Math.max(...series.flatMap((numbers, run) => numbers.map((n) => n / (totals[run] || 1))), 1e-9);
  const rects = series.flatMap((numbers, run) =>
    numbers.map((n, place) => {
      const tall = (100 * n) / (totals[run] || 1) / most;
      const thick = (step - 3) / series.length;
      return s("rect", {
        class: `fill-${run}`,
        x: 10 + place * step + run * thick,
        y: height - tall,
        width: thick,
        height: tall,
      });
    }),
  );
  const marks = [0, Math.round(bars / 2), bars - 1].map((place) =>
    s(
      "text",
      place === bars - 1
        ? { x: width - 10, y: height + 14, "text-anchor": "end" }
        : { x: 10 + place * step, y: height + 14, "text-anchor": "start" },
      edge(place) + (place === bars - 1 ? "+" : ""),
    ),
  );
  const line = s("line", { x1: 10, x2: width - 10, y1: height + 0.5, y2: height + 0.5 });
  const drawing = s("svg", { viewBox: `0 8 ${width} ${height + 12}`, "aria-hidden": "true" }, rects, line, marks);
  const table = h(
    "table",
    { class: "hidden" },
    h("caption", {}, title),
    series[0].map((_, place) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, `from ${edge(place)}`),
        series.map((numbers) => h("td", {}, count(numbers[place]))),
      ),
    ),
  );
  return h("figure", { class: "histogram card" }, h("h3", {}, title), drawing, table);
}
