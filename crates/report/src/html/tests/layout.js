// For tests only: measures the layout of the page and reports it to the page itself or to its parent frame.
"use strict";
addEventListener("load", () => setTimeout(() => {
  const width = document.documentElement.clientWidth;
  const style = getComputedStyle(document.body);
  const isScrolled = (node) => node.closest(".scroll, pre");
  const visible = [...document.querySelectorAll("body *:not(script)")].filter((n) => n.getClientRects().length);
  const out = visible.filter((n) => !isScrolled(n) && !n.closest("svg") && n.getBoundingClientRect().right > width + 0.5);
  const withText = visible.filter((n) => [...n.childNodes].some((c) => c.nodeType === 3 && c.textContent.trim()));
  const buttons = visible.filter((n) => n.tagName === "BUTTON").map((n) => n.getBoundingClientRect());
  const seen = {
    width,
    overflow: document.documentElement.scrollWidth - width,
    overflowing: out.map((n) => n.tagName + "." + n.className),
    smallest_text: Math.min(...withText.map((n) => parseFloat(getComputedStyle(n).fontSize))),
    smallest_button: Math.min(...buttons.map((b) => Math.min(b.width, b.height))),
    charts: document.querySelectorAll("svg.live path.measured").length,
    background: style.backgroundColor,
    color: style.color,
  };
  if (parent !== window) return parent.postMessage(JSON.stringify(seen), "*");
  const report = document.createElement("pre");
  report.id = "probe";
  report.textContent = JSON.stringify(seen);
  document.body.append(report);
}, 50));
