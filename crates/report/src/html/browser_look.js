// Used by the tests only: measures the page as it is laid out, and tells it to itself or to the frame around it.
"use strict";
addEventListener("load", () => setTimeout(() => {
  const width = document.documentElement.clientWidth;
  const style = getComputedStyle(document.body);
  const scrolled = (node) => node.closest(".scroll, pre");
  const visible = [...document.querySelectorAll("body *:not(script)")].filter((n) => n.getClientRects().length);
  const out = visible.filter((n) => !scrolled(n) && !n.closest("svg") && n.getBoundingClientRect().right > width + 0.5);
  const written = visible.filter((n) => [...n.childNodes].some((c) => c.nodeType === 3 && c.textContent.trim()));
  const buttons = visible.filter((n) => n.tagName === "BUTTON").map((n) => n.getBoundingClientRect());
  const seen = {
    width,
    overflow: document.documentElement.scrollWidth - width,
    sticking_out: out.map((n) => n.tagName + "." + n.className),
    smallest_text: Math.min(...written.map((n) => parseFloat(getComputedStyle(n).fontSize))),
    smallest_button: Math.min(...buttons.map((b) => Math.min(b.width, b.height))),
    charts: document.querySelectorAll("svg.live path.measured").length,
    paper: style.backgroundColor,
    ink: style.color,
  };
  if (parent !== window) return parent.postMessage(JSON.stringify(seen), "*");
  const told = document.createElement("pre");
  told.id = "probe";
  told.textContent = JSON.stringify(seen);
  document.body.append(told);
}, 50));
