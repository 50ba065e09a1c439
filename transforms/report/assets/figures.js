// The figures of a run, or of two: summary, funnel, distributions, cost.

const DOORS = ["kept", "rejected", "errors", "pending"];

function summarySection(data) {
  const title = h("h1", {}, data.title);
  if (data.runs.length > 1) return h("section", { id: "summary" }, title, compared(data.runs));
  const run = data.runs[0];
  const facts = tiles(run).map(([name, value, more]) =>
    h("div", { class: "tile" }, h("dt", {}, name), h("dd", {}, value, more && h("small", {}, more))),
  );
  return h(
    "section",
    { id: "summary" },
    title,
    h("p", { class: "soft" }, ...state(run)),
    h("dl", { class: "tiles" }, facts),
  );
}

function state(run) {
  const words = run.until
    ? h("span", { class: "state" }, `Stopped after ${run.until}, as it was told`)
    : h("span", { class: `state ${run.complete ? "yes" : "no"}` }, run.complete ? "Complete" : "Not complete");
  const why = (run.unfinished || []).join("; ");
  return [words, why && `: ${why}`, ` · run ${run.run_id} · started ${moment(run.started)}`];
}

/** Return [name, value, more] of what a run comes to. */
function tiles(run) {
  const read = run.stages.length ? run.stages[0].in : 0;
  const rows = run.rows[run.kind];
  const kept = run.kind === "documents" ? "Documents kept" : "Pairs kept";
  const facts = [
    ["Documents read", count(read), null],
    [kept, count(rows), read ? `${(rows / read).toFixed(2)} per document read` : null],
    ["Rejected", count(run.rows.rejected), null],
    ["Errors", count(run.rows.errors), run.rows.pending ? `${count(run.rows.pending)} pending` : null],
    [
      "Paid",
      dollars(run.cost.usd),
      run.cost.usd_per_kept_pair ? `${dollars(run.cost.usd_per_kept_pair)} per pair` : null,
    ],
    ["Time", duration(run.wall_seconds || 0), null],
  ];
  if (run.distributions && run.distributions.pairs < rows)
    facts[1][2] += `; distributions are of ${count(run.distributions.pairs)} of them, a fair sample`;
  return facts;
}

function compared(runs) {
  const facts = runs.map(tiles);
  const names = [...new Set(facts.flat().map(([name]) => name))];
  const cell = (run, name) => {
    const fact = facts[run].find(([other]) => other === name);
    return h(
      "td",
      {},
      fact ? fact[1] : "–",
      fact && fact[2] ? h("span", { class: "soft small" }, ` ${fact[2]}`) : null,
    );
  };
  const head = h(
    "tr",
    {},
    h("th", { scope: "col" }, ""),
    runs.map((run, i) => h("th", { scope: "col" }, swatch(`fill-${i}`), run.name)),
  );
  const states = h(
    "tr",
    {},
    h("th", { scope: "row" }, "State"),
    runs.map((run) => h("td", {}, ...state(run))),
  );
  const rows = names.map((name) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, name),
      runs.map((_, i) => cell(i, name)),
    ),
  );
  return h("div", { class: "card scroll" }, h("table", {}, h("thead", {}, head), h("tbody", {}, states, rows)));
}

function funnelSection(runs) {
  const stages = [...new Set(runs.flatMap((run) => run.stages.map((line) => line.stage)))];
  const widest = (run, unit) => Math.max(...run.stages.filter((line) => line.unit === unit).map((line) => line.in), 1);
  const rows = stages.flatMap((stage) =>
    runs.flatMap((run, i) => {
      const line = run.stages.find((other) => other.stage === stage);
      return line ? [funnelRow(line, widest(run, line.unit), runs.length > 1 ? run.name : null, i)] : [];
    }),
  );
  const heads = ["Stage", "In", "", "Kept", "Share", "Rejected", "Errors", "Pending", "Reasons"];
  const classes = ["", "number", "", "number", "number", "number", "number", "number", ""];
  const head = h(
    "tr",
    {},
    heads.map((name, i) => h("th", { scope: "col", class: classes[i] }, name)),
  );
  const table = h(
    "table",
    { class: "funnel" },
    h("caption", { class: "hidden" }, "Stages"),
    h("thead", {}, head),
    h("tbody", {}, rows),
  );
  return section(
    "funnel",
    "Funnel",
    "Every document and every pair leaves a stage by one door. A bar is a share of the most that came to such a stage.",
    h("div", { class: "card" }, key(DOORS.map((door) => [door, door])), table),
  );
}

function funnelRow(line, widest, name, run) {
  const doors = DOORS.map((door) => [door, line[door]]);
  const number = (label, n) => h("td", { class: n ? "number" : "number zero", "data-label": label }, count(n));
  return h(
    "tr",
    {},
    h(
      "th",
      { scope: "row" },
      line.stage,
      " ",
      h("span", { class: "soft small" }, `${line.unit}s`),
      name && h("div", { class: "small" }, swatch(`fill-${run}`), name),
    ),
    number("In", line.in),
    h("td", { class: "bar-cell" }, bar(doors, widest)),
    h("td", { class: "number", "data-label": "Kept" }, count(line.kept)),
    h("td", { class: "number soft", "data-label": "Share" }, percent(line.kept, line.in)),
    number("Rejected", line.rejected),
    number("Errors", line.errors),
    number("Pending", line.pending),
    h("td", { class: "reasons-cell" }, reasons({ ...line.reasons, ...line.failures, ...(line.waiting || {}) })),
  );
}

function reasons(named) {
  const items = Object.entries(named).map(([name, n]) => h("li", {}, name, " ", h("span", {}, count(n))));
  const first = h("ul", { class: "reasons" }, items.slice(0, 4));
  if (items.length <= 4) return first;
  const rest = h("ul", { class: "reasons" }, items.slice(4));
  return [first, h("details", { class: "small" }, h("summary", {}, `${items.length - 4} more`), rest)];
}

function hasPairs(run) {
  return Boolean(run.distributions && run.distributions.pairs);
}

/** Return distributions of no pairs, with the bars of others. */
function noneLike({ lengths }) {
  const bare = Object.entries(lengths).map(([name, of]) => [name, { ...of, bars: of.bars.map(() => 0) }]);
  return {
    pairs: 0,
    domains: [],
    answer_types: [],
    personas: [],
    distinct_personas: 0,
    difficulty: [],
    lengths: Object.fromEntries(bare),
  };
}

/** Return a sentence that names the run of two that has not what a figure shows, null where none is. */
function lacking(runs, has, what) {
  const without = runs.find((run) => !has(run));
  return without ? `${without.name} has no ${what}.` : null;
}

function distributionsSection(runs) {
  const some = runs.find(hasPairs);
  if (!some) return section("distributions", "Distributions", "There are no pairs to count.");
  const told = runs.map((run) => run.distributions || noneLike(some.distributions));
  const totals = told.map((each) => each.pairs);
  const table = (title, name) =>
    h(
      "div",
      { class: "card" },
      barTable(
        title,
        told.map((each) => each[name]),
        totals,
      ),
    );
  const lengths = Object.keys(told[0].lengths).map((name) => {
    const of = told.map((each) => each.lengths[name]);
    return histogram(
      `${name[0].toUpperCase()}${name.slice(1)}, characters`,
      of.map((each) => each.bars),
      (place) => place * of[0].width,
      runs,
    );
  });
  const measured = told.map((each) => new Map(each.difficulty));
  const rates = [...new Set(measured.flatMap((of) => [...of.keys()]))].sort((a, b) => a - b);
  const difficulty = rates.length
    ? h(
        "div",
        { class: "card" },
        barTable(
          "Share of closed-book samples that were right",
          measured.map((of) => rates.map((rate) => [percent(rate, 1), of.get(rate) || 0])),
          told.map((each) => each.difficulty.reduce((sum, entry) => sum + entry[1], 0)),
        ),
      )
    : null;
  const many = told.map((each) => count(each.distinct_personas)).join(" and ");
  const frequent = told.map((each) => each.personas.slice(0, told.length > 1 ? 8 : undefined));
  const shown = new Set(frequent.flat().map(([name]) => name));
  const named = told.map((each) => each.personas.filter(([name]) => shown.has(name)));
  const personas = h("div", { class: "card" }, barTable(`Persona, the most frequent of ${many}`, named, totals));
  return section(
    "distributions",
    "Distributions",
    lacking(runs, hasPairs, "pairs"),
    runs.length > 1 ? key(runs.map((run, i) => [`fill-${i}`, run.name])) : null,
    h(
      "div",
      { class: "halves" },
      h(
        "div",
        { class: "stack" },
        table("Domain", "domains"),
        table("Answer type", "answer_types"),
        difficulty,
        contaminationCard(runs),
      ),
      h("div", { class: "stack" }, personas),
    ),
    h("div", { class: "grid spaced" }, lengths),
  );
}

function contaminationCard(runs) {
  const known = runs.filter((run) => run.contamination);
  if (!known.length) return null;
  const rows = known.flatMap((run) =>
    run.contamination.map((row) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, row.benchmark, known.length > 1 ? ` (${run.name})` : ""),
        h("td", { class: "number" }, count(row.items)),
        h("td", { class: "number" }, count(row.pairs)),
        h("td", {}, reasons(row.rules)),
      ),
    ),
  );
  const head = ["Evaluation set", "Items", "Pairs", "Rules"].map((name, i) =>
    h("th", { scope: "col", class: i === 1 || i === 2 ? "number" : "" }, name),
  );
  return h(
    "div",
    { class: "card" },
    h(
      "div",
      { class: "scroll" },
      h("table", {}, h("caption", {}, "Contamination"), h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows)),
    ),
  );
}

const SPENT = [
  ["Requests", (row) => count(row.requests)],
  ["Calls", (row) => count(row.calls)],
  ["Seconds a call", (row) => (row.calls ? (row.latency_ms / row.calls / 1000).toFixed(2) : "–")],
  ["From cache", (row) => count(row.cache_hits)],
  ["Prompt tokens", (row) => count(row.prompt_tokens)],
  ["Answer tokens", (row) => count(row.completion_tokens)],
  ["Paid", (row) => dollars(row.cost_usd)],
  ["Paid before", (row) => dollars(row.replayed_cost_usd)],
];

const ADDED_UP = [
  "requests", "calls", "latency_ms", "cache_hits", "prompt_tokens", "completion_tokens", "cost_usd", "replayed_cost_usd",
];

// The usage of all stages and models in one row.
function total(usage) {
  return Object.fromEntries(ADDED_UP.map((name) => [name, usage.reduce((sum, row) => sum + row[name], 0)]));
}

function costSection(runs) {
  const usage = runs.flatMap((run) => run.usage.map((row) => [run, row]));
  if (!usage.length) return section("cost", "Cost", "No stage asked a model.");
  const body = usage.map(([run, row]) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, row.stage, runs.length > 1 ? h("div", { class: "soft small" }, run.name) : null),
      h("td", {}, row.model),
      SPENT.map(([, words]) => h("td", { class: "number" }, words(row))),
      h(
        "td",
        {},
        Object.keys(row.failed_calls).length ? reasons(row.failed_calls) : h("span", { class: "soft" }, "none"),
      ),
    ),
  );
  const totals = runs.map((run) =>
    h(
      "tr",
      {},
      h("th", { scope: "row", colspan: 2 }, runs.length > 1 ? `All of ${run.name}` : "All"),
      SPENT.map(([, words]) => h("td", { class: "number" }, words(total(run.usage)))),
      h("td", {}, ""),
    ),
  );
  const head = ["Stage", "Model", ...SPENT.map(([name]) => name), "Failed calls"].map((name, i) =>
    h("th", { scope: "col", class: i > 1 && i < 10 ? "number" : "" }, name),
  );
  const table = h(
    "table",
    {},
    h("caption", { class: "hidden" }, "Model usage"),
    h("thead", {}, h("tr", {}, head)),
    h("tbody", {}, body),
    h("tfoot", {}, totals),
  );
  return section(
    "cost",
    "Cost",
    "By stage and model. “Paid before” is what answers from the cache had cost when they were made.",
    h("div", { class: "card scroll", tabindex: 0, role: "region", "aria-label": "Cost by stage and model" }, table),
  );
}
