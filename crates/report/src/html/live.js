// Keeps a served report up to date: asks the server it came from whether there is more, and then reads it again.
"use strict";
(() => {
  const shown = document.currentScript.dataset.state;
  const EVERY = 2000; // milliseconds; a sample a second makes a new state about as often
  const lead = document.querySelector("p.lead");
  const words = lead.textContent;
  // Not while somebody looks closer: a chart that is zoomed, text that is selected.
  const busy = () => document.hidden || document.querySelector(".reset:not(:disabled)") || String(getSelection()) !== "";
  async function look() {
    try {
      const answer = await fetch("state", { cache: "no-store" });
      if (answer.ok && (await answer.text()) !== shown && !busy()) return location.reload();
      lead.textContent = words;
    } catch {
      lead.textContent = words + " (The server has ended: this page stays as it is.)";
    }
    setTimeout(look, EVERY);
  }
  setTimeout(look, EVERY);
})();
