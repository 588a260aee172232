// Used by the tests only: uses the page as a person would, and writes down what it saw.
"use strict";
addEventListener("load", () => setTimeout(() => {
  const seen = {};
  const chart = document.querySelector("[data-figure='0']");
  const svg = chart.querySelector("svg.live");
  const readout = chart.querySelector(".readout");
  const box = svg.getBoundingClientRect();
  const pointer = (type, share) => svg.dispatchEvent(new PointerEvent(type, {
    clientX: box.left + box.width * share, clientY: box.top + box.height / 2, button: 0, pointerId: 1, bubbles: true,
  }));
  const key = (name) => svg.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true }));
  const ticks = () => [...svg.querySelectorAll(".grid text[text-anchor='middle']")].map((t) => t.textContent).join(" ");
  seen.charts = document.querySelectorAll("svg.live path.measured").length;
  seen.pictures_left = document.querySelectorAll(".plot > svg:not(.live)").length;
  seen.idle = readout.textContent;
  pointer("pointermove", 0.5);
  seen.hover = readout.textContent;
  seen.cursors = document.querySelectorAll(".cursor line").length;
  key("ArrowRight");
  seen.right = readout.textContent;
  key("End");
  seen.end = readout.textContent;
  seen.ticks = ticks();
  pointer("pointerdown", 0.4);
  pointer("pointermove", 0.6);
  pointer("pointerup", 0.6);
  seen.zoomed = ticks();
  const reset = chart.querySelector(".reset");
  seen.can_reset = !reset.disabled;
  reset.click();
  seen.unzoomed = ticks();
  const toggle = chart.querySelector(".toggle.limits");
  seen.limits = svg.querySelectorAll("path.limit").length;
  toggle.click();
  seen.limits_off = svg.querySelectorAll("path.limit").length;
  seen.pressed = toggle.getAttribute("aria-pressed");
  toggle.click();
  seen.limits_on = svg.querySelectorAll("path.limit").length;
  seen.overflow = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  const out = document.createElement("pre");
  out.id = "probe";
  out.textContent = JSON.stringify(seen);
  document.body.append(out);
}, 50));
