// Which jobs are shown: words, state, action, date, profile, tag, star. The filters are kept in the address.
"use strict";

{
  const DAY = 86400;
  const STATES = [
    ["", "Pictures"], ["pending", "Running"], ["unknown", "Outcome unknown"], ["failed", "Failed"],
    ["text", "Texts"], ["missing", "Without files"], ["all", "Everything"],
  ];
  const DATES = [["", "Any date"], ["1", "Last 24 hours"], ["7", "Last 7 days"], ["30", "Last 30 days"],
    ["365", "Last 12 months"], ["between", "Between …"]];
  const NAMES = ["words", "state", "action", "date", "since", "until", "profile", "tag"];

  const folded = (text) => String(text).normalize("NFKC").toLowerCase();

  const searched = (entry) => folded([
    entry.words, entry.action, mj.actionName(entry.action), entry.error, entry.image, entry.task, entry.id,
    ...entry.tags, ...entry.texts,
  ].join("\n"));

  const inState = (entry, state) => {
    const kind = mj.kind(entry);
    if (state === "all") return true;
    return state === "" ? ["picture", "video", "pending"].includes(kind) : kind === state;
  };

  const dayOf = (text, after) => {
    const [year, month, date] = text.split("-").map(Number);
    return new Date(year, month - 1, date + after).getTime() / 1000;
  };

  const bounds = (chosen, now) => {
    if (chosen.date === "between") {
      return [chosen.since ? dayOf(chosen.since, 0) : -Infinity, chosen.until ? dayOf(chosen.until, 1) : Infinity];
    }
    return chosen.date ? [now - Number(chosen.date) * DAY, Infinity] : [-Infinity, Infinity];
  };

  // Group the actions of a kind, so that the list stays short.
  mj.actionGroup = (action) => {
    const name = String(action).replace(/^upsample/, "upscale");
    for (const [start, group] of [["upscale", "Upscale"], ["redo_up", "Upscale"], ["variation", "Vary"],
      ["zoom", "Zoom out"], ["pan", "Pan"]]) {
      if (name.startsWith(start)) return group;
    }
    return mj.actionName(name);
  };

  const fill = (select, options, value) => {
    select.replaceChildren(...options.map(([name, label]) =>
      mj.el("option", { value: name, text: label })));
    select.value = options.some(([name]) => name === value) ? value : "";
    select.closest("label").hidden = options.length < 2;
  };

  const distinct = (values) => [...new Set(values)].filter(Boolean).sort((a, b) => a.localeCompare(b));

  mj.Filters = class {
    constructor(changed) {
      this.form = mj.byId("filters");
      this.starred = mj.byId("starred");
      this.texts = new WeakMap(); // what is searched, by entry
      this.form.addEventListener("input", () => { this.show(); changed(); });
      this.form.addEventListener("submit", (event) => event.preventDefault());
      this.starred.addEventListener("click", () => { this.star(!this.chosen.star); this.show(); changed(); });
      mj.byId("clear").addEventListener("click", () => { this.set({}); changed(); mj.byId("words").focus(); });
    }

    get chosen() {
      const chosen = { star: this.starred.getAttribute("aria-pressed") === "true" };
      for (const name of NAMES) chosen[name] = mj.byId(name).value;
      return chosen;
    }

    star(on) { this.starred.setAttribute("aria-pressed", String(on)); }

    set(values) {
      for (const name of NAMES) mj.byId(name).value = values[name] || "";
      for (const select of this.form.querySelectorAll("select")) if (select.selectedIndex < 0) select.value = "";
      this.star(Boolean(values.star));
      this.show();
    }

    // Offer what the entries have.
    offer(entries) {
      const before = this.chosen;
      const count = (state) => entries.filter((entry) => inState(entry, state)).length;
      const states = STATES.map(([name, label]) => [name, label, count(name)])
        .filter(([name, , found]) => name === "" || name === before.state || (found && name !== "all"));
      const rest = entries.length > count("") ? [["all", "Everything", entries.length]] : [];
      const all = [...states.filter(([name]) => name !== "all"), ...rest];
      fill(mj.byId("state"), all.map(([name, label, found]) => [name, name ? `${label} (${mj.number(found)})` : label]),
        before.state);
      fill(mj.byId("action"), [["", "Any action"],
        ...distinct(entries.map((entry) => mj.actionGroup(entry.action))).map((each) => [each, each])], before.action);
      fill(mj.byId("date"), DATES, before.date);
      const profiles = distinct(entries.map((entry) => entry.profile));
      fill(mj.byId("profile"), profiles.length > 1 ? [["", "Any profile"], ...profiles.map((each) => [each, each])] : [["", ""]],
        before.profile);
      const tags = distinct(entries.flatMap((entry) => entry.tags));
      fill(mj.byId("tag"), [["", "Any tag"], ...tags.map((each) => [each, each])], before.tag);
      this.starred.hidden = !entries.some((entry) => entry.star) && !before.star;
      this.show();
    }

    // Show what belongs to the choice: the two dates, the button that clears.
    show() {
      const chosen = this.chosen;
      for (const field of this.form.querySelectorAll(".dates")) field.hidden = chosen.date !== "between";
      for (const select of this.form.querySelectorAll("select")) {
        select.closest("label").classList.toggle("set", select.value !== "");
      }
      mj.byId("clear").hidden = !this.active;
    }

    get active() {
      const chosen = this.chosen;
      return chosen.star || NAMES.some((name) => chosen[name]);
    }

    select(entries) {
      const chosen = this.chosen;
      const words = folded(chosen.words).split(/\s+/).filter(Boolean);
      const [since, until] = bounds(chosen, Date.now() / 1000);
      return entries.filter((entry) => {
        if (!inState(entry, chosen.state)) return false;
        if (chosen.action && mj.actionGroup(entry.action) !== chosen.action) return false;
        if (chosen.profile && entry.profile !== chosen.profile) return false;
        if (chosen.tag && !entry.tags.includes(chosen.tag)) return false;
        if (chosen.star && !entry.star) return false;
        if (entry.created < since || entry.created >= until) return false;
        if (!words.length) return true;
        if (!this.texts.has(entry)) this.texts.set(entry, searched(entry));
        const text = this.texts.get(entry);
        return words.every((word) => text.includes(word));
      });
    }
  };
}
