// The page: its data, its address, its theme, and the changes that a server sends.
"use strict";

{
  const THEMES = ["auto", "light", "dark"];

  const stored = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
  const store = (name, value) => { try { localStorage.setItem(name, value); } catch { /* private window */ } };

  const setTheme = (theme) => {
    document.documentElement.dataset.theme = theme;
    const button = mj.byId("theme");
    button.setAttribute("aria-label", `Theme: ${theme}`);
    button.title = `Theme: ${theme}`;
  };

  class Gallery {
    constructor(data) {
      this.live = data.live;
      this.version = data.version;
      this.entries = new Map(data.entries.map((entry) => [entry.n, entry]));
      this.filters = new mj.Filters(() => { this.show(); this.write(false); });
      this.wall = new mj.Wall((n) => this.open(n), (n) => this.entries.get(n));
      this.actions = this.live ? new mj.Actions() : null;
      this.box = new mj.Box(this);
      this.more = data.more;
      addEventListener("popstate", () => this.read());
      document.addEventListener("keydown", (event) => this.key(event));
      this.filters.offer(this.all);
      this.read();
      if (this.live) {
        // A browser allows few connections, so a tab that is not seen has none.
        document.addEventListener("visibilitychange", () => this.listen());
        this.listen();
      }
    }

    get all() { return [...this.entries.values()].sort((a, b) => b.created - a.created || b.n - a.n); }

    show() {
      const found = this.filters.select(this.all);
      this.wall.show(found);
      const { active } = this.filters;
      mj.byId("count").textContent = mj.plural(found.length, active ? "result" : found.every((each) => each.media.length) ? "picture" : "job");
      const empty = mj.byId("empty");
      empty.hidden = found.length > 0;
      empty.textContent = active ? "Nothing matches these filters." : "No pictures yet.";
      mj.byId("more").hidden = !this.more;
      mj.byId("more").textContent = `${mj.plural(this.more, "older job")} not shown.`;
    }

    // -- the address -----------------------------------------------------------------------------

    read() {
      const values = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
      this.filters.set(values);
      this.show();
      const n = Number(values.n);
      if (values.n && this.entries.has(n)) this.box.open(n);
      else if (this.box.dialog.open) this.box.dialog.close();
    }

    write(push, n = this.box.n) {
      const values = Object.entries(this.filters.chosen).filter(([, value]) => value);
      const hash = new URLSearchParams([...values, ...(n ? [["n", n]] : [])]).toString();
      if (hash === location.hash.slice(1)) return;
      const address = hash ? `#${hash}` : location.pathname + location.search;
      history[push ? "pushState" : "replaceState"]({ box: push }, "", address);
    }

    open(n, inBox = false) {
      if (!this.entries.has(n)) return;
      this.box.open(n);
      this.write(!inBox, n);
    }

    wentBack(n) {
      if (new URLSearchParams(location.hash.slice(1)).has("n")) {
        if (history.state && history.state.box) history.back();
        else this.write(false, null);
      }
      this.wall.focus(n);
    }

    showTag(tag) {
      this.box.dialog.close();
      this.write(false, null);
      this.filters.set({ tag });
      this.show();
      this.write(false, null);
    }

    key(event) {
      const typing = event.target.closest("input, select, textarea, dialog");
      if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
        event.preventDefault();
        mj.byId("words").focus();
      } else if (event.key === "Escape" && event.target === mj.byId("words")) {
        event.target.value = "";
        event.target.dispatchEvent(new Event("input", { bubbles: true }));
      }
    }

    // -- changes ---------------------------------------------------------------------------------

    listen() {
      if (this.source) this.source.close();
      this.source = null;
      if (document.hidden || this.ended) return;
      const source = this.source = new EventSource(`events?since=${this.version}`);
      source.addEventListener("changes", (event) => this.merge(JSON.parse(event.data)));
      source.addEventListener("bye", () => { this.ended = true; source.close(); });
      source.onerror = () => {
        // By itself, the browser would ask again for what it has.
        source.close();
        setTimeout(() => { if (this.source === source) this.listen(); }, 2000);
      };
    }

    merge({ version, entries }) {
      this.version = Math.max(this.version, version);
      const changed = new Set();
      for (const entry of entries) {
        if (entry.run) this.told(entry);
        else if (entry.gone) this.entries.delete(entry.n);
        else this.entries.set(entry.n, entry);
        changed.add(entry.n);
      }
      this.filters.offer(this.all);
      this.show();
      this.box.update(changed);
    }

    told(run) {
      if (run.failed) mj.toast(`${mj.actionName(run.action)}: ${run.message}`, true);
      else if (run.done) mj.toast(`Done: ${mj.actionName(run.action)}`);
    }
  }

  setTheme(THEMES.includes(stored("mj-theme")) ? stored("mj-theme") : "auto");
  mj.byId("theme").addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length];
    setTheme(next);
    store("mj-theme", next);
  });
  mj.gallery = new Gallery(JSON.parse(mj.byId("data").textContent));
  document.documentElement.classList.add("ready");
}
