// The map of questions: found by pointer and by arrow keys, told in a line below, opened in the list by click or Enter.

const TALL = 620;

function mapSection(data, open) {
  const map = data.map;
  if (!map) return section("map", "Question map", "There are no questions to draw.");
  const two = data.runs.length > 1;
  const groups = two
    ? data.runs.map((run) => run.name)
    : [...new Set(map.points.map((point) => point.domain || "none"))].sort();
  const group = (point) => (two ? point.run : groups.indexOf(point.domain || "none"));
  const colour = (place) => (two ? `r${place}` : domainClass(groups[place]));
  const circles = map.points.map((point) =>
    s("circle", { class: colour(group(point)), cx: point.x, cy: (point.y * TALL) / 1000 }),
  );
  const plane = s(
    "svg",
    {
      viewBox: `-25 -25 1050 ${TALL + 50}`,
      tabindex: 0,
      role: "application",
      "aria-label": `Map of ${map.points.length} questions: arrow keys go from one to the next, Enter opens it below`,
    },
    circles,
    map.points.length < 100 ? [] : clusterLabels(map),
  );
  const says = h(
    "p",
    { id: "map-says", "aria-live": "polite" },
    h("span", { class: "soft" }, "Point at a question, or use the arrow keys. What is near has similar words."),
  );
  let chosen = null;
  const choose = (place) => {
    if (place === null || place === chosen) return;
    if (chosen !== null) circles[chosen].classList.remove("chosen");
    chosen = place;
    circles[place].classList.add("chosen");
    const point = map.points[place];
    const where = [two ? data.runs[point.run].name : null, point.domain, map.clusters[point.cluster]]
      .filter(Boolean)
      .join(" · ");
    says.replaceChildren(
      h("strong", {}, point.question),
      h("br"),
      point.answer,
      h("br"),
      h("span", { class: "soft small" }, where),
    );
  };
  plane.addEventListener("pointermove", (event) => choose(nearest(plane, map.points, event)));
  plane.addEventListener("click", (event) => {
    choose(nearest(plane, map.points, event));
    if (chosen !== null && open) open(map.points[chosen].question);
  });
  plane.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (way) {
      event.preventDefault();
      choose(chosen === null ? 0 : neighbour(map.points, chosen, way));
    } else if (event.key === "Enter" && chosen !== null && open) open(map.points[chosen].question);
  });
  fitted(plane, map.points.length);
  const box = h(
    "div",
    { class: "card" },
    legend(groups, group, colour, map.points, circles),
    h("div", { id: "map-plane" }, plane),
    says,
  );
  const placed = `${count(map.points.length)} questions, placed by UMAP's layout from ${map.method}.`;
  const without = lacking(data.runs, (run) => run.diversity, "questions");
  const lead = `${placed} Distances between far groups mean little.`;
  return section(
    "map",
    "Question map",
    lead,
    without && h("p", { class: "note" }, without),
    map.note && h("p", { class: "note" }, map.note),
    box,
    h("div", { class: "grid spaced" }, diversityCards(data)),
  );
}

/** Keep points and labels of one size on the screen, however wide the map is. */
function fitted(plane, points) {
  const radius = points > 800 ? 3 : points > 200 ? 4 : 5.5;
  new ResizeObserver(([entry]) => {
    const unit = 1050 / entry.contentRect.width;
    plane.style.setProperty("--r", `${radius * Math.max(0.75 * unit, 0.7)}px`);
    plane.style.setProperty("--label", `${12 * unit}px`);
    for (const label of plane.querySelectorAll("text"))
      label.setAttribute("visibility", unit > 1.8 ? "hidden" : "visible");
  }).observe(plane);
}

/** Return the place of the question nearest to a pointer, null where none is within 24 pixels. */
function nearest(plane, points, event) {
  const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(plane.getScreenCTM().inverse());
  const reach = 24 / plane.getScreenCTM().a;
  let best = null,
    least = reach * reach;
  points.forEach((point, place) => {
    const apart = (point.x - at.x) ** 2 + ((point.y * TALL) / 1000 - at.y) ** 2;
    if (apart < least) [best, least] = [place, apart];
  });
  return best;
}

/** Return the place of the nearest question in a direction, the same place where there is none. */
function neighbour(points, from, [right, down]) {
  let best = from,
    least = Infinity;
  points.forEach((point, place) => {
    const x = point.x - points[from].x,
      y = point.y - points[from].y;
    const ahead = x * right + y * down,
      aside = Math.abs(x * down) + Math.abs(y * right);
    if (place !== from && ahead > 0 && ahead >= aside && ahead + 2 * aside < least)
      [best, least] = [place, ahead + 2 * aside];
  });
  return best;
}

function legend(groups, group, colour, points, circles) {
  let shown = null;
  const buttons = groups.map((name, place) => {
    const n = points.filter((point) => group(point) === place).length;
    const dot = s(
      "svg",
      { class: colour(place), viewBox: "0 0 10 10", "aria-hidden": "true" },
      s("circle", { cx: 5, cy: 5, r: 5 }),
    );
    return h(
      "button",
      { type: "button", "aria-pressed": "false", click: () => show(place) },
      dot,
      `${name} ${count(n)}`,
    );
  });
  const show = (place) => {
    shown = shown === place ? null : place;
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === shown)));
    points.forEach((point, i) => circles[i].classList.toggle("faint", shown !== null && group(point) !== shown));
  };
  return h("div", { class: "legend", role: "group", "aria-label": "Show one group alone" }, buttons);
}

/** Return the names of the largest clusters, in the middle of their points, where they do not lie on another's. */
function clusterLabels(map) {
  const members = map.clusters.map((_, i) => map.points.filter((point) => point.cluster === i));
  const placed = [];
  const order = members.map((_, i) => i).sort((a, b) => members[b].length - members[a].length);
  for (const i of order.filter((i) => members[i].length > 4 && map.clusters[i]).slice(0, 14)) {
    const middle = (axis) => members[i].map((point) => point[axis]).sort((a, b) => a - b)[members[i].length >> 1];
    const name = map.clusters[i].split(", ").slice(0, 2).join(", ");
    const half = name.length * 4.2;
    const x = Math.min(Math.max(middle("x"), half), 1000 - half),
      y = (middle("y") * TALL) / 1000 - 14;
    if (placed.every((other) => Math.abs(other.x - x) > other.half + half || Math.abs(other.y - y) > 22))
      placed.push({ x, y, half, name });
  }
  return placed.map(({ x, y, name }) => s("text", { x, y, "aria-hidden": "true" }, name));
}

function diversityCards(data) {
  const told = data.runs.filter((run) => run.diversity);
  if (!told.length) return []; // of one question
  const facts = told.map((run) => {
    const { nearest: near, questions, clusters, effective_clusters: even } = run.diversity;
    const rows = [
      ["Questions", count(questions)],
      ["Distance to the nearest", `${near.median.toFixed(3)} (median)`],
      ["of the closest tenth", `below ${near.p10.toFixed(3)}`],
      ["of the farthest tenth", `above ${near.p90.toFixed(3)}`],
      ["Clusters", String(clusters)],
      ["as even as", `${even.toFixed(1)} of one size`],
    ];
    return [
      data.runs.length > 1 ? h("h3", {}, run.name) : null,
      h(
        "dl",
        { class: "facts" },
        rows.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
      ),
    ];
  });
  const how =
    told.length > 1
      ? "As many questions of each run, embedded and clustered together: the figures compare."
      : "Cosine distance; k-means. Both depend on the number of questions: webscale-rl report A B compares runs.";
  const sizes = data.map.clusters.map((name, i) => [
    name || `${i + 1}: no common word`,
    data.map.points.filter((point) => point.cluster === i).length,
  ]);
  const largest = sizes.sort((a, b) => b[1] - a[1]).slice(0, 8);
  const none = told[0].diversity.bars.map(() => 0);
  const bars = data.runs.map((run) => (run.diversity ? run.diversity.bars : none)); // in the order of their colours
  return [
    h("div", { class: "card" }, h("h3", {}, "Diversity"), ...facts, h("p", { class: "soft small" }, how)),
    histogram(
      "Distance to the nearest other question",
      bars,
      (place) => (place / bars[0].length).toFixed(2),
      data.runs,
    ),
    h(
      "div",
      { class: "card" },
      barTable("Largest clusters, by the words they have more of", [largest], [data.map.points.length]),
    ),
  ];
}
