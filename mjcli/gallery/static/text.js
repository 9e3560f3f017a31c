// Words, dates and elements. All data becomes text nodes and attributes that cannot run; no markup is ever parsed.
"use strict";

const mj = {};

// An element. `props` are attributes; `on` has listeners; `data` and `style` are objects.
mj.el = (tag, props = {}, ...children) => {
  const { on = {}, style = {}, text, ...attributes } = props;
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, String(value));
  }
  for (const [name, listener] of Object.entries(on)) node.addEventListener(name, listener);
  for (const [name, value] of Object.entries(style)) node.style.setProperty(name, value);
  if (text !== undefined) node.textContent = mj.visible(text);
  node.append(...children.filter((each) => each !== null && each !== undefined));
  return node;
};

mj.svg = (...paths) => {
  const space = "http://www.w3.org/2000/svg";
  const icon = document.createElementNS(space, "svg");
  icon.setAttribute("viewBox", "0 0 20 20");
  icon.setAttribute("aria-hidden", "true");
  for (const d of paths) {
    const path = document.createElementNS(space, "path");
    path.setAttribute("d", d);
    icon.append(path);
  }
  return icon;
};

mj.byId = (id) => document.getElementById(id);

// Control characters and those that turn the direction of text are shown, not obeyed.
mj.visible = (text) =>
  String(text).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`);

mj.number = (value) => new Intl.NumberFormat("en").format(value);
mj.plural = (count, word) => `${mj.number(count)} ${word}${count === 1 ? "" : "s"}`;

const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const minute = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
mj.day = (seconds) => day.format(seconds * 1000);
mj.moment = (seconds) => minute.format(seconds * 1000);

// The words of a prompt, its parameters, and the links in front.
mj.parts = (prompt) => {
  const text = String(prompt).trim();
  const at = text.search(/(^|\s)(--|—|–)[a-z]/i);
  const words = at < 0 ? text : text.slice(0, at).trim();
  const parameters = at < 0 ? "" : text.slice(at).trim();
  const links = words.match(/^(<?https?:\/\/\S+>?\s*)+/i);
  return { words: links ? words.slice(links[0].length) : words, parameters, links: links ? links[0].trim() : "" };
};

const PLACES = { 1: "top left", 2: "top right", 3: "bottom left", 4: "bottom right" };
mj.places = PLACES;

const NAMES = {
  generate: "Imagine", imagine: "Imagine", blend: "Blend", edit: "Edit", video: "Video", reroll: "Reroll",
  "extend-video": "Extended video", describe: "Describe", shorten: "Shorten", translate: "Translate", seed: "Seed",
  variation_region: "Vary region", square: "Make square",
};

// An action as people call it: "upscale_2x" is "Upscale 2×".
mj.actionName = (action) => {
  const name = String(action).replace(/^upsample/, "upscale");
  if (Object.hasOwn(NAMES, name)) return NAMES[name];
  const quadrant = name.match(/^(upscale|variation)([1-4])$/);
  if (quadrant) return `${quadrant[1] === "upscale" ? "Upscale" : "Vary"} ${quadrant[2]}`;
  const words = mj.visible(name).replace(/_/g, " ").replace(/^variation /, "vary ").replace(/^zoom out 1 5x$/, "zoom out 1.5x");
  return (words.charAt(0).toUpperCase() + words.slice(1)).replace(/(\d)x$/, "$1×");
};

// The title of a job: its words, else what it did.
mj.title = (entry) => mj.parts(entry.words).words || entry.words || mj.actionName(entry.action);

mj.STATES = {
  submitting: "Being sent", running: "Running", unknown: "Outcome unknown", failed: "Failed", done: "Done",
};

mj.isPending = (entry) => entry.state === "submitting" || entry.state === "running";

// What a job shows: "picture", "video", "pending", "unknown", "failed", "text" or "missing".
mj.kind = (entry) => {
  if (mj.isPending(entry)) return "pending";
  if (entry.state !== "done") return entry.state;
  if (entry.media.length) return entry.media[0].video ? "video" : "picture";
  return entry.makes === "text" || entry.texts.length ? "text" : "missing";
};

mj.toast = (text, bad = false) => {
  const place = mj.byId("toast");
  const open = document.querySelector("dialog[open]:not(#confirm)") || document.body;
  if (place.parentNode !== open) open.append(place); // above a modal dialog
  place.textContent = mj.visible(text);
  place.classList.toggle("bad", bad);
  place.hidden = false;
  clearTimeout(mj.toast.timer);
  mj.toast.timer = setTimeout(() => { place.hidden = true; }, bad ? 12000 : 4000);
};

mj.copy = async (text, what) => {
  try {
    await navigator.clipboard.writeText(text);
    mj.toast(`${what} copied`);
  } catch {
    mj.toast("The browser did not allow copying; select the text instead.", true);
  }
};
