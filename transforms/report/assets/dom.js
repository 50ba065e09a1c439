"use strict";
// Whatever comes from a document, a model or a configuration enters the page here: as text, or as an attribute's value.

const SVG = "http://www.w3.org/2000/svg";

/** Return an HTML element; children are elements, strings or null, which is left out. */
function h(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** Return an SVG element. */
function s(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

/** Return a link to a page of the web, or mere text where an address is of another kind. */
function link(address) {
  if (!/^https?:\/\//i.test(address)) return address;
  return h("a", { href: address, rel: "noopener noreferrer nofollow", target: "_blank" }, address);
}

function count(n) {
  return n.toLocaleString("en");
}

/** Return a share in percent: "7.4 %", and "<0.1 %" rather than a zero that is none. */
function percent(part, whole) {
  if (!whole) return "–";
  const share = (100 * part) / whole;
  if (part && share < 0.1) return "<0.1 %";
  return `${share.toFixed(share < 10 && share !== Math.round(share) ? 1 : 0)} %`;
}

function dollars(amount) {
  if (amount === null || amount === undefined) return "–";
  return "$" + (amount && amount < 0.1 ? amount.toPrecision(2) : amount.toFixed(2));
}

function duration(seconds) {
  if (seconds < 90) return `${seconds.toFixed(1)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}

/** Return a time of the manifest as a person writes it; they are all in UTC. */
function moment(time) {
  return time ? `${time.slice(0, 16).replace("T", " ")} UTC` : "at an unknown time";
}

function section(id, title, lead, ...children) {
  const heading = h("h2", { id: `${id}-title` }, title);
  return h(
    "section",
    { id, "aria-labelledby": `${id}-title` },
    heading,
    lead && h("p", { class: "lead" }, lead),
    children,
  );
}
