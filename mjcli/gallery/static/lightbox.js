// The light box: one job with its picture, its history, its lineage, and the commands to copy.
"use strict";

{
  const section = (title, ...children) => mj.el("section", {}, mj.el("h3", { text: title }), ...children);

  const folded = (title, name, ...children) => {
    const details = mj.el("details", { class: name }, mj.el("summary", { text: title }), ...children);
    details.open = mj.Box.unfolded.has(name);
    details.addEventListener("toggle", () => mj.Box.unfolded[details.open ? "add" : "delete"](name));
    return details;
  };

  const copyButton = (text, what) => mj.el("button", { type: "button", class: "copy", "aria-label": `Copy: ${what}`, title: "Copy",
    on: { click: () => mj.copy(text, what) } }, mj.svg("M7.5 7.5h8v8h-8z", "M12.5 7.5v-3h-8v8h3"));

  mj.Box = class {
    static unfolded = new Set();

    constructor(gallery) {
      this.gallery = gallery;
      this.dialog = mj.byId("box");
      this.n = null;
      this.index = 0; // which file of the job
      this.treeShown = false;
      mj.byId("close").addEventListener("click", () => this.dialog.close());
      mj.byId("before").addEventListener("click", () => this.step(-1));
      mj.byId("after").addEventListener("click", () => this.step(1));
      this.dialog.addEventListener("close", () => this.closed());
      this.dialog.addEventListener("keydown", (event) => this.key(event));
    }

    open(n) {
      const entry = this.gallery.entries.get(n);
      if (!entry) return;
      this.index = this.n === n ? this.index : 0;
      this.n = n;
      this.draw(entry);
      if (!this.dialog.open) {
        this.dialog.showModal();
        mj.byId("panel").focus({ preventScroll: true });
        document.documentElement.classList.add("boxed");
      }
    }

    closed() {
      document.documentElement.classList.remove("boxed");
      mj.byId("picture").replaceChildren(); // stops a video
      const { n } = this;
      this.n = null;
      this.treeShown = false;
      if (mj.byId("toast").parentNode === this.dialog) document.body.append(mj.byId("toast"));
      this.gallery.wentBack(n);
    }

    // Draw again if what is shown has changed.
    update(changed) {
      const entry = this.gallery.entries.get(this.n);
      if (this.n === null) return;
      if (!entry) { this.dialog.close(); return; }
      const focused = document.activeElement && document.activeElement.closest("#panel *");
      const place = focused ? [...mj.byId("panel").querySelectorAll("button, summary")].indexOf(focused) : -1;
      this.draw(entry, !changed.has(this.n));
      const again = mj.byId("panel").querySelectorAll("button, summary")[place];
      if (again) again.focus();
    }

    step(by) {
      const { shown } = this.gallery.wall;
      const at = shown.findIndex((entry) => entry.n === this.n);
      const next = shown[at + by];
      if (next) this.gallery.open(next.n, true);
    }

    key(event) {
      if (event.target.closest("video, [role=tree], input, select") || event.altKey || event.ctrlKey || event.metaKey) return;
      const moves = { ArrowLeft: () => this.step(-1), ArrowRight: () => this.step(1), t: () => this.toggleTree() };
      if (!moves[event.key]) return;
      event.preventDefault();
      moves[event.key]();
    }

    // -- drawing ---------------------------------------------------------------------------------

    draw(entry, samePicture = false) {
      const { shown } = this.gallery.wall;
      const at = shown.findIndex((each) => each.n === entry.n);
      mj.byId("before").disabled = at <= 0;
      mj.byId("after").disabled = at < 0 || at >= shown.length - 1;
      this.dialog.setAttribute("aria-label", mj.visible(mj.title(entry)));
      this.lineage = new mj.Lineage(this.gallery.entries);
      if (!samePicture) this.drawPicture(entry);
      this.drawStrip(entry);
      this.drawPanel(entry);
      if (this.lineage.size(this.lineage.root(entry)) < 2) this.treeShown = false;
      this.drawTree(entry);
      const next = shown[at + 1];
      if (next && next.media.length && !next.media[0].video) new Image().src = next.media[0].src;
    }

    drawPicture(entry) {
      const media = entry.media[Math.min(this.index, entry.media.length - 1)];
      const place = mj.byId("picture");
      if (!media || media.broken || (!media.video && !media.thumb)) { place.replaceChildren(this.placeholder(entry)); return; }
      if (media.video) {
        const cover = entry.media.find((each) => each.thumb) || (this.gallery.entries.get(entry.parents[0])?.media || [])[0];
        place.replaceChildren(mj.el("video", { controls: true, loop: true, playsinline: true, src: media.src, preload: "metadata",
          poster: cover && cover.thumb, style: { "--ratio": cover ? cover.w / cover.h : 16 / 9 } }));
        return;
      }
      const frame = mj.el("div", { class: "frame", style: { "--ratio": media.w / media.h, "--wide": `${media.w}px` } });
      if (media.thumb) frame.append(mj.el("img", { class: "soft", alt: "", src: media.thumb }));
      const image = mj.el("img", { class: "sharp", alt: mj.visible(mj.title(entry)), decoding: "async", width: media.w, height: media.h });
      image.addEventListener("load", () => image.classList.add("loaded"), { once: true });
      image.addEventListener("error", () => image.remove(), { once: true });
      image.src = media.src;
      frame.append(image, mj.el("span", { class: "quarter", "aria-hidden": "true" }));
      place.replaceChildren(frame);
    }

    placeholder(entry) {
      const kind = mj.kind(entry);
      if (kind === "text") {
        return mj.el("ol", { class: "texts" }, ...entry.texts.map((each) => mj.el("li", { text: each })));
      }
      const resume = entry.commands.find(([label]) => label === "Resume");
      const lines = {
        pending: `The picture appears here when it is done.${resume ? ` If nothing waits for it any more, this does: ${resume[1]}` : ""}`,
        missing: "The file is not on this machine. The commands show how to save it again.",
        unknown: entry.error || "The response was lost; the job may have been accepted.",
        failed: entry.error || "The job failed.",
        picture: "The picture could not be decoded.",
      };
      return mj.el("div", { class: `nothing ${kind}` }, mj.thumbnail(entry, (n) => this.gallery.entries.get(n)),
        mj.el("p", { class: "label", text: mj.STATES[entry.state] }), mj.el("p", { text: lines[kind] || "" }));
    }

    drawStrip(entry) {
      const strip = mj.byId("strip");
      strip.hidden = entry.media.length < 2 || this.treeShown;
      strip.replaceChildren(...(entry.media.length < 2 ? [] : entry.media.map((media, index) => mj.el("button", {
        type: "button", "aria-label": `File ${index + 1} of ${entry.media.length}`, "aria-pressed": String(index === this.index),
        on: { click: () => { this.index = index; this.drawPicture(entry); this.drawStrip(entry); } },
      }, media.thumb ? mj.el("img", { src: media.thumb, alt: "" }) : mj.el("span", { text: index + 1 })))));
    }

    drawTree(entry) {
      const tree = mj.byId("tree");
      tree.hidden = !this.treeShown;
      mj.byId("picture").hidden = this.treeShown;
      mj.byId("strip").hidden = this.treeShown || entry.media.length < 2;
      mj.byId("stage").classList.toggle("treed", this.treeShown);
      if (!this.treeShown) { tree.replaceChildren(); return; }
      const focused = tree.contains(document.activeElement);
      const focus = mj.drawTree(tree, this.lineage, entry, (n) => this.gallery.open(n, true), (n) => this.gallery.entries.get(n));
      if (focused) focus();
      this.focusTree = focus;
    }

    toggleTree() {
      const entry = this.gallery.entries.get(this.n);
      if (this.lineage.size(this.lineage.root(entry)) < 2) return;
      this.treeShown = !this.treeShown;
      this.drawTree(entry);
      this.drawPanel(entry);
      if (this.treeShown) this.focusTree();
      else mj.byId("panel").focus({ preventScroll: true });
    }

    // -- the panel -------------------------------------------------------------------------------

    drawPanel(entry) {
      const { words, parameters, links } = mj.parts(entry.words);
      const frame = mj.byId("picture").querySelector(".frame");
      if (frame) frame.dataset.quarter = ""; // the button that pointed at it is replaced
      const about = [mj.actionName(entry.action), mj.moment(entry.created), entry.state === "done" ? this.size(entry) : mj.STATES[entry.state]];
      const head = mj.el("div", { class: "about", text: about.filter(Boolean).join(" · ") });
      const prompt = mj.el("div", { class: "prompt" },
        mj.el("h2", { dir: "auto", text: words || mj.actionName(entry.action) }),
        parameters ? mj.el("p", { class: "parameters", text: parameters }) : null,
        links ? mj.el("p", { class: "parameters", text: links }) : null);
      if (entry.words) prompt.append(copyButton(entry.words, "Prompt"));
      mj.byId("panel").replaceChildren(...[
        head, prompt, this.marks(entry),
        entry.media.length && entry.texts.length ? section("Text", ...entry.texts.map((text) => mj.el("p", { text }))) : null,
        this.actions(entry), this.relatives(entry), this.commands(entry), this.history(entry),
      ].filter(Boolean));
    }

    size(entry) {
      const media = entry.media[this.index];
      return media && !media.video ? `${media.w}\u00a0×\u00a0${media.h}` : "";
    }

    marks(entry) {
      const tags = entry.tags.map((tag) => mj.el("li", {}, mj.el("button", { type: "button", text: tag,
        title: "Show everything with this tag", on: { click: () => this.gallery.showTag(tag) } })));
      const star = this.gallery.live ? mj.el("li", {}, mj.el("button", { type: "button", class: "mark", "aria-pressed": String(entry.star),
        text: entry.star ? "★ Starred" : "☆ Star", on: { click: () => this.gallery.actions.star(entry, !entry.star) } })) : null;
      const still = !this.gallery.live && entry.star ? mj.el("li", { class: "mark", text: "★ Starred" }) : null;
      const all = [star, still, ...tags].filter(Boolean);
      return all.length ? mj.el("ul", { class: "tags", "aria-label": "Tags" }, ...all) : null;
    }

    actions(entry) {
      if (!this.gallery.live || !entry.actions.length) return null;
      const point = (place) => {
        const frame = mj.byId("picture").querySelector(".frame");
        if (frame && this.index === 0) frame.dataset.quarter = place || "";
      };
      const found = this.gallery.actions.buttons(entry, point).filter(Boolean);
      return found.length ? section("Continue with this picture", ...found) : null;
    }

    relatives(entry) {
      const { entries } = this.gallery;
      const size = this.lineage.size(this.lineage.root(entry));
      const row = (title, list) => list.length ? mj.el("div", { class: "relatives" },
        mj.el("span", { class: "label", text: title }), mj.el("ul", {}, ...list.map((each) => mj.el("li", {}, mj.el("button", {
          type: "button", class: mj.kind(each), title: mj.visible(`${mj.actionName(each.action)}: ${mj.title(each)}`),
          "aria-label": mj.visible(`${mj.actionName(each.action)}: ${mj.title(each)}`),
          on: { click: () => this.gallery.open(each.n, true) },
        }, mj.thumbnail(each, (n) => entries.get(n)) || mj.el("span", { class: "blank" })))))) : null;
      const rows = [row("From", entry.parents.map((n) => entries.get(n)).filter(Boolean)),
        row("Led to", this.lineage.madeFrom(entry))].filter(Boolean);
      if (!rows.length && size < 2) return null;
      return section("Lineage", ...rows, mj.el("button", { type: "button", class: "plain tree-toggle", "aria-pressed": String(this.treeShown),
        text: this.treeShown ? "Show the picture" : `Show the tree of ${size}`, on: { click: () => this.toggleTree() } }));
    }

    commands(entry) {
      if (!entry.commands.length) return null;
      return folded("Commands", "commands", mj.el("ul", {}, ...entry.commands.map(([label, line]) => mj.el("li", {},
        mj.el("span", { class: "label", text: label }), mj.el("code", { text: line }), copyButton(line, label)))));
    }

    history(entry) {
      const times = ["created", "sent", "accepted", "ended"];
      const rows = entry.facts.flatMap(([name, value]) => [mj.el("dt", { text: name }),
        mj.el("dd", { text: times.includes(name) && typeof value === "number" ? mj.moment(value) : value })]);
      return folded("History", "history", mj.el("dl", {}, ...rows));
    }
  };
}
