// Actions of the live page. Each one that costs money is confirmed with its price and sent with a key of its own.
"use strict";

{
  const PAUSE = 400; // milliseconds before a request is repeated

  // A request that got no answer is repeated: the server acts on the same key once.
  const send = async (path, body, attempts = 3) => {
    const options = body === undefined ? {} : {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
    };
    let answer;
    try {
      answer = await fetch(path, options);
    } catch {
      if (attempts > 1) {
        await new Promise((resolve) => { setTimeout(resolve, PAUSE); });
        return send(path, body, attempts - 1);
      }
      throw new Error("mj gallery does not answer; it may have been stopped. Look at the history before you try again.");
    }
    const document = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(document.message || `The request failed (HTTP ${answer.status}).`);
    return document;
  };

  const QUESTIONS = {
    reroll: "Make a new grid from the same prompt?",
    upscale: (place) => `Upscale the ${place} picture?`,
    variation: (place) => `Make variations of the ${place} picture?`,
  };

  const question = (action) => {
    const name = action.replace(/^upsample/, "upscale");
    const quadrant = name.match(/^(upscale|variation)([1-4])$/);
    if (quadrant) return QUESTIONS[quadrant[1]](mj.places[quadrant[2]]);
    return name === "reroll" ? QUESTIONS.reroll : `${mj.actionName(name)}?`;
  };

  mj.Actions = class {
    constructor() {
      this.dialog = mj.byId("confirm");
      this.asked = null; // the action that the dialog is about
      mj.byId("yes").addEventListener("click", () => this.start());
      this.dialog.addEventListener("close", () => { this.asked = null; });
    }

    async ask(entry, action) {
      // The key is made once for each click, so that the action is sent once however often the request is repeated.
      const asked = { job: entry.id, action, key: `gallery-${crypto.randomUUID()}`, price: null };
      this.asked = asked;
      mj.byId("question").textContent = mj.visible(question(action));
      mj.byId("price").textContent = "Looking up the price …";
      mj.byId("budget").textContent = "";
      const yes = mj.byId("yes");
      yes.disabled = true;
      yes.textContent = "Start";
      this.dialog.showModal();
      mj.byId("no").focus();
      try {
        const found = await send(`price?job=${encodeURIComponent(entry.id)}&action=${encodeURIComponent(action)}`);
        if (this.asked !== asked) return;
        asked.price = found.price;
        mj.byId("price").textContent = mj.visible(found.text);
        mj.byId("budget").textContent = mj.visible(found.budget);
        yes.textContent = found.short ? mj.visible(`Start for ${found.short}`) : "Start";
        yes.disabled = !found.allowed;
      } catch (error) {
        if (this.asked === asked) mj.byId("price").textContent = mj.visible(error.message);
      }
    }

    async start() {
      const { asked } = this;
      if (!asked || mj.byId("yes").disabled) return;
      mj.byId("yes").disabled = true;
      this.dialog.close();
      try {
        await send("act", asked);
        mj.toast(`Started: ${mj.actionName(asked.action)}`);
      } catch (error) {
        mj.toast(error.message, true);
      }
    }

    async star(entry, on) {
      try {
        await send("star", { job: entry.id, on });
      } catch (error) {
        mj.toast(error.message, true);
      }
    }

    // The buttons for what a picture offers; `point` shows a quarter of a grid.
    buttons(entry, point) {
      const offered = entry.actions.map((action) => [action, action.replace(/^upsample/, "upscale")])
        .filter(([, name]) => name !== "variation_region"); // needs a mask
      const press = (action, text, label) => mj.el("button", {
        type: "button", text, "aria-label": label, title: label, on: { click: () => this.ask(entry, action) },
      });
      const groups = [];
      for (const [verb, title] of [["upscale", "Upscale"], ["variation", "Vary"]]) {
        const four = offered.filter(([, name]) => new RegExp(`^${verb}[1-4]$`).test(name));
        if (!four.length) continue;
        const pad = four.map(([action, name]) => {
          const button = press(action, name.at(-1), `${title} the ${mj.places[name.at(-1)]} picture`);
          for (const event of ["pointerenter", "focus"]) button.addEventListener(event, () => point(name.at(-1)));
          for (const event of ["pointerleave", "blur"]) button.addEventListener(event, () => point(null));
          return button;
        });
        groups.push(mj.el("div", { class: "pad", role: "group", "aria-label": title },
          mj.el("span", { class: "label", text: title }), mj.el("div", { class: "four" }, ...pad)));
      }
      const others = offered.filter(([, name]) => !/^(upscale|variation)[1-4]$/.test(name))
        .map(([action, name]) => press(action, mj.actionName(name)));
      return [groups.length ? mj.el("div", { class: "pads" }, ...groups) : null,
        others.length ? mj.el("div", { class: "pills" }, ...others) : null];
    }
  };
}
