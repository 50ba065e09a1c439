// Puts the page together. The rows stand behind this script in the file, so the figures are drawn before they are read.

const DOMAINS = [
  "Math",
  "Technology & Engineering",
  "Coding",
  "Social Science",
  "Natural Science",
  "Travel & Lifestyle",
  "Commerce & Economics",
  "Medicine & Health",
  "Education",
];

function domainClass(name) {
  const place = DOMAINS.indexOf(name);
  return `d${place < 0 ? DOMAINS.length : place}`;
}

/** Follow the system's light or dark, or the reader's choice, which the browser remembers where it may. */
function theme(button) {
  const names = ["auto", "light", "dark"];
  let now = "auto";
  const set = (name) => {
    now = names.includes(name) ? name : "auto";
    if (now === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = now;
    button.textContent = `Colours: ${now}`;
  };
  try {
    set(localStorage.getItem("webscale-rl-theme"));
  } catch {
    set("auto");
  }
  button.addEventListener("click", () => {
    set(names[(names.indexOf(now) + 1) % names.length]);
    try {
      localStorage.setItem("webscale-rl-theme", now);
    } catch {
      /* it lasts as long as the page */
    }
  });
}

function start() {
  theme(document.getElementById("theme"));
  const data = JSON.parse(document.getElementById("data").textContent);
  const browser = data.rows.kept ? new Browser(data.rows, data.excerpts) : null;
  const sections = [
    summarySection(data),
    funnelSection(data.runs),
    distributionsSection(data.runs),
    costSection(data.runs),
    mapSection(data, browser && ((question) => browser.open(question))),
    browser && browser.element,
  ].filter(Boolean);
  document.getElementById("main").append(...sections);
  const names = { funnel: "Funnel", distributions: "Distributions", cost: "Cost", map: "Map", rows: "Pairs" };
  const links = Object.entries(names).filter(([id]) => document.getElementById(id));
  document.getElementById("nav").append(...links.map(([id, name]) => h("a", { href: `#${id}` }, name)));
}

start();
