// Rows to look at: unpacked piece by piece once somebody comes near, filtered in memory, ten at a time in the page.

const PAGE = 10;
const KINDS = {
  kept: {
    title: "Kept pairs",
    filters: [
      ["domain", "Domain"],
      ["answer_type", "Answer type"],
    ],
  },
  rejected: {
    title: "Rejected",
    filters: [
      ["stage", "Stage"],
      ["reason", "Reason"],
    ],
  },
};

/** Return the rows of one piece: JSON, deflated, in base64, in a script element that no browser runs. */
async function unpacked(id) {
  const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

/** The list of rows, with its search and filters. */
class Browser {
  constructor(totals, excerpts) {
    this.totals = totals;
    this.rows = { kept: [], rejected: [] };
    this.loading = { kept: null, rejected: null };
    this.kind = totals.kept.shown || !totals.rejected.shown ? "kept" : "rejected";
    this.page = 0;
    this.tabs = Object.entries(KINDS).map(([kind, { title }]) =>
      h(
        "button",
        { type: "button", id: `tab-${kind}`, click: () => this.turnTo(kind) },
        `${title} `,
        count(totals[kind].total),
      ),
    );
    this.search = h("input", { type: "search", id: "search", autocomplete: "off", input: () => this.soon() });
    this.filters = h("div", { class: "filters", role: "search" });
    this.said = h("p", { class: "soft small", role: "status", id: "found" });
    this.list = h("ol", { class: "rows" });
    this.pager = h("nav", { class: "pager", "aria-label": "Pages of rows" });
    const notes = excerpts.map((words) => h("p", { class: "note small" }, words));
    this.element = section(
      "rows",
      "Pairs to look at",
      sampled(totals),
      notes,
      h("div", { class: "tabs", role: "group", "aria-label": "Which rows" }, this.tabs),
      this.filters,
      this.said,
      this.list,
      this.pager,
    );
    this.turnTo(this.kind, false);
    const near = new IntersectionObserver(
      (entries) => entries.some((entry) => entry.isIntersecting) && this.load(this.kind),
      { rootMargin: "600px" },
    );
    near.observe(this.element);
    this.element.addEventListener("focusin", () => this.load(this.kind));
  }

  /** Show the kept or the rejected rows. */
  turnTo(kind, load = true) {
    this.kind = kind;
    this.tabs.forEach((tab, i) => tab.setAttribute("aria-pressed", String(Object.keys(KINDS)[i] === kind)));
    this.selects = KINDS[kind].filters.map(([name]) =>
      h("select", { id: `filter-${name}`, change: () => this.show(0) }),
    );
    const labels = KINDS[kind].filters.map(([, title], i) => h("label", {}, title, this.selects[i]));
    this.filters.replaceChildren(h("label", { class: "wide" }, "Search for words", this.search), ...labels);
    this.fillSelects();
    this.show(0);
    if (load) this.load(kind);
  }

  /** Find a question among the kept pairs. */
  async open(question) {
    this.search.value = question;
    this.turnTo("kept");
    this.element.scrollIntoView();
    await this.load("kept");
    this.search.focus({ preventScroll: true });
  }

  load(kind) {
    this.loading[kind] ??= this.unpack(kind);
    return this.loading[kind];
  }

  async unpack(kind) {
    try {
      if (document.readyState === "loading")
        await new Promise((resolve) => document.addEventListener("DOMContentLoaded", resolve));
      for (let piece = 0; piece < this.totals[kind].chunks; piece++) {
        for (const row of await unpacked(`${kind}-${piece}`)) this.rows[kind].push(row);
        if (kind === this.kind && piece === 0) this.show(0);
        await new Promise((resolve) => setTimeout(resolve));
      }
    } catch (error) {
      this.failed = `The rows cannot be unpacked (${error.message}): open the page in a browser of 2023 or later.`;
    }
    if (kind !== this.kind) return;
    this.fillSelects();
    this.show(this.page);
  }

  fillSelects() {
    KINDS[this.kind].filters.forEach(([name], i) => {
      const select = this.selects[i],
        chosen = select.value,
        numbers = new Map();
      for (const row of this.rows[this.kind]) numbers.set(row[name] ?? "", (numbers.get(row[name] ?? "") || 0) + 1);
      const options = [...numbers]
        .sort((a, b) => b[1] - a[1])
        .map(([value, n]) => h("option", { value: `=${value}` }, `${value || "none"} (${count(n)})`));
      select.replaceChildren(h("option", { value: "" }, "all"), ...options);
      select.value = chosen;
      if (select.selectedIndex < 0) select.value = "";
    });
  }

  soon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.show(0), 120);
  }

  found() {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = KINDS[this.kind].filters
      .map(([name], i) => [name, this.selects[i].value])
      .filter(([, value]) => value);
    return this.rows[this.kind].filter(
      (row) =>
        wanted.every(([name, value]) => `=${row[name] ?? ""}` === value) &&
        (!words.length || words.every((word) => searched(row).includes(word))),
    );
  }

  show(page) {
    const found = this.found(),
      pages = Math.max(1, Math.ceil(found.length / PAGE)),
      { shown } = this.totals[this.kind];
    this.page = Math.min(page, pages - 1);
    const waits =
      this.rows[this.kind].length < shown
        ? ` ${count(this.rows[this.kind].length)} of ${count(shown)} rows are unpacked so far.`
        : "";
    this.said.textContent = this.failed || `${count(found.length)} found.${waits}`;
    const start = this.page * PAGE;
    this.list.replaceChildren(...found.slice(start, start + PAGE).map((row) => h("li", {}, rowCard(row))));
    const go = (by, name) =>
      h(
        "button",
        { type: "button", disabled: this.page + by < 0 || this.page + by >= pages, click: () => this.leaf(by) },
        name,
      );
    this.pager.replaceChildren(
      go(-1, "Previous"),
      h("span", {}, `${count(this.page + 1)} of ${count(pages)}`),
      go(1, "Next"),
    );
    this.pager.hidden = pages < 2;
  }

  leaf(by) {
    this.show(this.page + by);
    this.said.scrollIntoView({ block: "nearest" });
  }
}

function sampled(totals) {
  return Object.entries(KINDS)
    .map(([kind, { title }]) => {
      const { shown, total, too_large: left } = totals[kind];
      const size = left ? ` Of those drawn ${count(left)} were left out, for their size.` : "";
      return shown < total
        ? `${title}: ${count(shown)} of ${count(total)} are here, drawn evenly but for rare domains and reasons.${size}`
        : `${title}: all ${count(total)} are here.`;
    })
    .join(" ");
}

/** Return what of a row is searched, in lower case. */
function searched(row) {
  row.searched ??= [
    row.id,
    row.pair_id,
    row.doc_id,
    row.question,
    row.answer,
    row.persona,
    row.evidence,
    row.value,
    row.reason,
    row.source.doc_id,
    row.source.url,
    ...(row.aliases || []),
    ...(row.excerpt || []),
  ]
    .filter(Boolean)
    .join(" ")
    .toLowerCase();
  return row.searched;
}

function rowCard(row) {
  const tags = [
    row.reason && h("span", { class: "reason" }, row.reason),
    row.stage && h("span", {}, row.stage),
    row.domain && h("span", { class: `domain ${domainClass(row.domain)}` }, row.domain),
    row.answer_type && h("span", {}, row.answer_type),
    row.persona && h("span", {}, `for ${row.persona}`),
    row.difficulty && h("span", {}, `${row.difficulty.passes} of ${row.difficulty.samples} right without the document`),
    ...(row.contamination || []).map((found) => h("span", { class: "reason" }, `${found.benchmark}: ${found.rule}`)),
  ];
  const also = row.aliases ? h("span", { class: "soft" }, ` also ${row.aliases.join(", ")}`) : null;
  const left = h(
    "div",
    {},
    h("p", { class: "tags" }, tags),
    h("h3", { dir: "auto" }, row.question || row.doc_id || row.source.doc_id || "a row without an id"),
    row.answer && h("p", { dir: "auto" }, h("span", { class: "answer" }, row.answer), also),
    row.value && h("p", { class: "small", dir: "auto" }, h("span", { class: "soft" }, "because of "), row.value),
    row.duplicate_of &&
      h(
        "p",
        { class: "small" },
        h("span", { class: "soft" }, "duplicate of "),
        row.duplicate_of,
        row.similarity ? `, similarity ${row.similarity.toFixed(2)}` : "",
      ),
    row.thought && row.thought !== row.value && h("p", { class: "small soft", dir: "auto" }, row.thought),
  );
  return h("article", { class: "card row" }, left, sourceOf(row), provenance(row));
}

function sourceOf(row) {
  const parts = row.excerpt
    ? [
        h("h4", {}, row.excerpt[1] ? "Evidence in its source" : "Source"),
        h(
          "p",
          { class: "text", dir: "auto" },
          row.excerpt[0],
          row.excerpt[1] ? h("mark", {}, row.excerpt[1]) : null,
          row.excerpt[2],
        ),
      ]
    : [
        h("h4", {}, row.evidence ? "Evidence" : "Source"),
        h(
          "p",
          { class: "text", dir: "auto" },
          row.evidence ? h("mark", {}, row.evidence) : null,
          h("span", { class: "soft" }, row.evidence ? " The source was not read again." : "was not read again."),
        ),
      ];
  return h("div", {}, parts);
}

function provenance(row) {
  const { source } = row;
  const place =
    source.row === undefined ? source.path : `${source.path}, row group ${source.row_group}, row ${source.row}`;
  const facts = [
    ["Pair", row.id || row.pair_id],
    ["Document", source.doc_id],
    ["Page", source.url && link(source.url)],
    ["Dataset", source.dataset],
    ["License", source.license],
    ["Place", place],
    [
      "Models",
      row.models &&
        Object.entries(row.models)
          .map(([stage, model]) => `${stage}: ${model}`)
          .join(", "),
    ],
  ];
  const list = facts.filter(([, value]) => value).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]);
  return h("details", {}, h("summary", {}, "Where it comes from"), h("dl", { class: "facts" }, list));
}
