// The lineage of a picture: what it was made from, and what was made from it, as a tree that the arrow keys navigate.
"use strict";

{
  mj.Lineage = class {
    constructor(entries) {
      this.entries = entries; // a Map by number
      this.children = new Map();
      for (const entry of entries.values()) {
        const [parent] = entry.parents;
        if (entries.has(parent)) this.children.set(parent, [...(this.children.get(parent) || []), entry]);
      }
      for (const list of this.children.values()) list.sort((a, b) => a.created - b.created || a.n - b.n);
    }

    childrenOf(entry) { return this.children.get(entry.n) || []; }

    // What was made from a picture, also where it was the second one of several.
    madeFrom(entry) {
      return [...this.entries.values()].filter((each) => each.parents.includes(entry.n))
        .sort((a, b) => a.created - b.created);
    }

    root(entry) {
      const seen = new Set();
      while (!seen.has(entry.n) && this.entries.has(entry.parents[0])) {
        seen.add(entry.n);
        entry = this.entries.get(entry.parents[0]);
      }
      return entry;
    }

    size(entry, seen = new Set()) {
      if (seen.has(entry.n)) return 0;
      seen.add(entry.n);
      return 1 + this.childrenOf(entry).reduce((sum, each) => sum + this.size(each, seen), 0);
    }
  };

  const label = (entry, current) => [mj.actionName(entry.action), mj.title(entry),
    entry.state === "done" ? "" : mj.STATES[entry.state], current ? "shown now" : ""].filter(Boolean).join(", ");

  const node = (lineage, entry, current, level, place, count, seen, entryOf) => {
    seen.add(entry.n);
    const children = lineage.childrenOf(entry).filter((each) => !seen.has(each.n));
    const face = mj.el("span", { class: "face" },
      mj.thumbnail(entry, entryOf) || mj.el("span", { class: "blank", text: mj.STATES[entry.state] }));
    const item = mj.el("li", {
      role: "treeitem", "data-n": entry.n, "aria-level": level, "aria-posinset": place, "aria-setsize": count,
      "aria-label": mj.visible(label(entry, entry.n === current)), "aria-selected": String(entry.n === current),
      tabindex: entry.n === current ? 0 : -1, class: mj.kind(entry),
    }, mj.el("span", { class: "node" }, face, mj.el("span", { class: "name", text: mj.actionName(entry.action) })));
    if (children.length) {
      item.setAttribute("aria-expanded", "true");
      item.append(mj.el("ul", { role: "group" }, ...children.map((each, index) =>
        node(lineage, each, current, level + 1, index + 1, children.length, seen, entryOf))));
    }
    return item;
  };

  // Draw the tree around an entry into `place`; `open` is called with the number of the chosen one.
  mj.drawTree = (place, lineage, entry, open, entryOf) => {
    const root = lineage.root(entry);
    const top = node(lineage, root, entry.n, 1, 1, 1, new Set(), entryOf);
    const list = mj.el("ul", { role: "tree", "aria-label": "Lineage" }, top);
    const items = () => [...list.querySelectorAll("[role=treeitem]")];
    const focus = (item) => {
      if (!item) return;
      for (const each of items()) each.tabIndex = each === item ? 0 : -1;
      item.focus({ preventScroll: true });
      item.querySelector(".node").scrollIntoView({ block: "nearest", inline: "nearest" });
    };
    list.addEventListener("click", (event) => {
      const item = event.target.closest(".node") && event.target.closest("[role=treeitem]");
      if (item) open(Number(item.dataset.n));
    });
    list.addEventListener("keydown", (event) => {
      const item = event.target.closest("[role=treeitem]"), all = items(), at = all.indexOf(item);
      if (!item) return;
      const moves = {
        ArrowDown: () => focus(all[at + 1]), ArrowUp: () => focus(all[at - 1]), Home: () => focus(all[0]),
        End: () => focus(all.at(-1)), ArrowRight: () => focus(item.querySelector("[role=treeitem]")),
        ArrowLeft: () => focus(item.parentNode.closest("[role=treeitem]")),
        Enter: () => open(Number(item.dataset.n)), " ": () => open(Number(item.dataset.n)),
      };
      if (!moves[event.key]) return;
      event.preventDefault();
      event.stopPropagation();
      moves[event.key]();
    });
    place.replaceChildren(list);
    const shown = list.querySelector("[aria-selected=true] > .node");
    if (shown) requestAnimationFrame(() => shown.scrollIntoView({ block: "center", inline: "center" }));
    return () => focus(list.querySelector("[tabindex='0']"));
  };
}
