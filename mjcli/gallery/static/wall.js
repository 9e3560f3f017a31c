// The wall of pictures: justified rows whose sizes are known before a picture is loaded.
"use strict";

{
  const AHEAD = 1500; // pixels below the window for which tiles are made

  const shape = (entry) => {
    const media = entry.media.find((each) => !each.video) || entry.media[0]; // of a video, its cover
    let ratio = media ? media.w / media.h : 1;
    const typed = String(entry.words).match(/--(?:ar|aspect)\s+(\d{1,4}):(\d{1,4})/i);
    if (!media && entry.size.length === 2) ratio = entry.size[0] / entry.size[1];
    else if (!media && typed) ratio = Number(typed[1]) / Number(typed[2]);
    if (!Number.isFinite(ratio)) ratio = 1;
    return Math.min(Math.max(ratio, 0.45), 3);
  };

  const measures = (width) => {
    if (width < 600) return { gap: 6, height: 168 };
    if (width < 1000) return { gap: 10, height: 220 };
    return width < 1900 ? { gap: 14, height: 272 } : { gap: 18, height: 350 };
  };

  // Rows of boxes that fill the width; the last one may be shorter.
  mj.rows = (ratios, width, { gap, height }) => {
    const boxes = [];
    let start = 0, sum = 0, top = 0, row = 0;
    const close = (end, tall) => {
      let left = 0;
      for (let i = start; i < end; i += 1) {
        const last = i === end - 1 && tall !== height;
        const wide = last ? width - left : Math.round(ratios[i] * tall);
        boxes.push({ left, top, width: wide, height: Math.round(tall), row });
        left += wide + gap;
      }
      top += Math.round(tall) + gap;
      row += 1;
      start = end;
      sum = 0;
    };
    ratios.forEach((ratio, i) => {
      sum += ratio;
      const count = i - start + 1;
      const tall = (width - gap * (count - 1)) / sum;
      if (tall > height) return;
      const without = count > 1 ? (width - gap * (count - 2)) / (sum - ratio) : Infinity;
      if (without - height < height - tall && without < height * 1.4) {
        close(i, without);
        sum = ratio;
        if (width / ratio <= height) close(i + 1, width / ratio);
      } else close(i + 1, tall);
    });
    if (start < ratios.length) close(ratios.length, height);
    return { boxes, height: Math.max(top - gap, 0) };
  };

  mj.Wall = class {
    constructor(open, entryOf) {
      this.list = mj.byId("tiles");
      this.open = open;
      this.entryOf = entryOf;
      this.shown = []; // the entries, in order
      this.boxes = [];
      this.tiles = new Map(); // by number
      this.made = 0; // how many of the first entries have a tile
      this.focused = null; // the number of the tile that Tab reaches
      addEventListener("scroll", () => this.fill(), { passive: true });
      this.width = 0;
      new ResizeObserver(() => {
        // The light box covers the wall, and takes its scroll bar away.
        const covered = document.documentElement.classList.contains("boxed");
        if (!covered && this.list.clientWidth !== this.width) this.arrange();
      }).observe(this.list);
      this.list.addEventListener("keydown", (event) => this.key(event));
      this.list.addEventListener("focusin", (event) => {
        const tile = event.target.closest("li");
        if (tile) this.reach(Number(tile.dataset.n));
      });
      this.list.addEventListener("click", (event) => {
        const tile = event.target.closest("li");
        if (!tile || event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        this.open(Number(tile.dataset.n));
      });
    }

    show(entries) {
      this.shown = entries;
      const present = new Set(entries.map((entry) => entry.n));
      for (const [n, tile] of this.tiles) {
        if (!present.has(n)) { tile.node.remove(); this.tiles.delete(n); }
      }
      if (!present.has(this.focused)) this.focused = entries.length ? entries[0].n : null;
      this.arrange();
    }

    arrange() {
      this.width = this.list.clientWidth;
      const { boxes, height } = mj.rows(this.shown.map(shape), this.width, measures(innerWidth));
      this.boxes = boxes;
      this.list.style.height = `${height}px`;
      this.made = 0;
      this.fill();
    }

    // Make the tiles from the first one to those a little below the window, in order.
    fill() {
      const end = scrollY + innerHeight + AHEAD - this.list.offsetTop;
      while (this.made < this.shown.length && this.boxes[this.made].top < end) this.make(this.made);
    }

    make(index) {
      const entry = this.shown[index], box = this.boxes[index];
      let tile = this.tiles.get(entry.n);
      if (!tile || tile.entry !== entry) {
        const node = this.tile(entry);
        const had = tile && tile.node.contains(document.activeElement);
        if (tile) tile.node.replaceWith(node);
        if (had) node.firstChild.focus({ preventScroll: true });
        tile = { node, entry };
        this.tiles.set(entry.n, tile);
      }
      const { node } = tile;
      const before = index ? this.tiles.get(this.shown[index - 1].n).node : null;
      const place = before ? before.nextSibling : this.list.firstChild;
      if (place !== node && node.previousSibling !== before || !node.parentNode) this.list.insertBefore(node, place);
      Object.assign(node.style, {
        left: `${box.left}px`, top: `${box.top}px`, width: `${box.width}px`, height: `${box.height}px`,
      });
      node.setAttribute("aria-setsize", this.shown.length);
      node.setAttribute("aria-posinset", index + 1);
      node.firstChild.tabIndex = entry.n === this.focused ? 0 : -1;
      this.made = Math.max(this.made, index + 1);
    }

    tile(entry) {
      const kind = mj.kind(entry), title = mj.title(entry);
      const about = [title, mj.actionName(entry.action), kind === "picture" ? "" : mj.STATES[entry.state],
        entry.star ? "starred" : "", mj.moment(entry.created)].filter(Boolean).join(", ");
      const link = mj.el("a", { href: `#n=${entry.n}`, class: `tile ${kind}`, "aria-label": mj.visible(about), tabindex: -1 });
      link.append(...this.face(entry, kind, title).filter(Boolean));
      if (entry.star) link.append(mj.el("span", { class: "star", "aria-hidden": "true", text: "★" }));
      return mj.el("li", { "data-n": entry.n }, link);
    }

    face(entry, kind, title) {
      const image = mj.thumbnail(entry, this.entryOf);
      const caption = mj.el("span", { class: "caption", "aria-hidden": "true" },
        mj.el("span", { class: "title", dir: "auto", text: title }),
        mj.el("span", { class: "about", text: mj.actionName(entry.action) }));
      if (kind === "picture") return image ? [image, caption] : [mj.card("No preview", title)];
      if (kind === "video") return [image, mj.el("span", { class: "play", "aria-hidden": "true" }, mj.svg("M7 4.5v11l9-5.5z")), caption];
      if (kind === "pending") {
        const done = Number.isFinite(entry.progress) ? ` ${entry.progress} %` : "";
        const bar = mj.el("span", { class: "progress" + (done ? "" : " unknown"), "aria-hidden": "true",
          style: { "--done": `${entry.progress || 0}%` } });
        return [image, mj.card(`${mj.STATES[entry.state]}${done}`, title), bar];
      }
      const labels = { failed: "Failed", unknown: "Outcome unknown", missing: "No file on this machine" };
      return [mj.card(labels[kind] || mj.actionName(entry.action), kind === "text" ? entry.texts[0] || title : title)];
    }

    key(event) {
      const at = this.shown.findIndex((entry) => entry.n === this.focused);
      const target = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: this.shown.length - 1,
        ArrowUp: this.above(at, -1), ArrowDown: this.above(at, 1) }[event.key];
      if (target === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      if (target >= 0 && target < this.shown.length) this.focus(this.shown[target].n);
    }

    // The box of the next row (or the one before) that is nearest to the middle of this one.
    above(at, step) {
      const box = this.boxes[at];
      if (!box) return -1;
      const middle = box.left + box.width / 2;
      let best = -1, distance = Infinity;
      for (let i = at + step; i >= 0 && i < this.boxes.length; i += step) {
        const other = this.boxes[i];
        if (Math.abs(other.row - box.row) > 1) break;
        const apart = Math.abs(other.left + other.width / 2 - middle);
        if (other.row !== box.row && apart < distance) { best = i; distance = apart; }
      }
      return best;
    }

    reach(n) {
      const old = this.tiles.get(this.focused);
      if (old) old.node.firstChild.tabIndex = -1;
      this.focused = n;
      this.tiles.get(n).node.firstChild.tabIndex = 0;
    }

    focus(n) {
      const index = this.shown.findIndex((entry) => entry.n === n);
      if (index < 0) return;
      while (this.made <= index) this.make(this.made);
      const link = this.tiles.get(n).node.firstChild;
      link.focus({ preventScroll: true });
      link.scrollIntoView({ block: "nearest", behavior: "instant" });
    }
  };

  mj.card = (label, text) => mj.el("span", { class: "card", "aria-hidden": "true" },
    mj.el("span", { class: "label", text: label }), mj.el("span", { class: "words", text }));

  // The thumbnail of a job, or of the picture that it starts from while it has none.
  mj.thumbnail = (entry, entryOf) => {
    const own = entry.media.find((each) => each.thumb);
    const parent = own ? null : entryOf(entry.parents[0]);
    const from = parent && parent.media.find((each) => each.thumb);
    const media = own || from;
    if (!media) return null;
    if (media.broken) return null;
    const image = mj.el("img", { alt: "", loading: "lazy", decoding: "async", draggable: "false", class: own ? "" : "from",
      width: media.w, height: media.h });
    image.addEventListener("load", () => image.classList.add("loaded"), { once: true });
    image.addEventListener("error", () => {
      media.broken = true;
      if (own) image.replaceWith(mj.card("No preview", mj.title(entry)));
      else image.remove();
    }, { once: true });
    image.src = media.thumb;
    if (image.complete && image.naturalWidth) image.classList.add("loaded");
    return image;
  };
}
