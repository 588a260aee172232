// Reloads a served report when its server has more data.
"use strict";
(() => {
  const shown = document.currentScript.dataset.version;
  const POLL_INTERVAL = 2000; // milliseconds
  const lead = document.querySelector("p.lead");
  const text = lead.textContent;
  // A zoomed chart or a text selection would be lost.
  const busy = () => document.hidden || document.querySelector(".reset:not(:disabled)") || String(getSelection()) !== "";
  async function poll() {
    try {
      const answer = await fetch("state", { cache: "no-store" });
      if (answer.ok && (await answer.text()) !== shown && !busy()) return location.reload();
      lead.textContent = text;
    } catch {
      lead.textContent = text + " (The server has ended; this page is not updated any more.)";
    }
    setTimeout(poll, POLL_INTERVAL);
  }
  setTimeout(poll, POLL_INTERVAL);
})();
