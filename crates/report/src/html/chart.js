// Replaces each static chart of a report by an interactive one with cursor, zoom and switchable series.
// No library, no network. All charts share one time range and one cursor.
"use strict";
(() => {
  // Collapsed sections are opened for printing.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const section of opened) section.open = true;
  });
  addEventListener("afterprint", () => { for (const section of opened) section.open = false; });

  const source = document.getElementById("run-data");
  if (!source) return;
  const run = JSON.parse(source.textContent);
  if (!run.figures) return;
  const SVG = "http://www.w3.org/2000/svg";
  const MIN_TIME_RANGE = 5; // seconds
  const SERIES = [
    ["measured", "measured"], ["checkpoints", "checkpoints"], ["growth", "growth"], ["limits", "limits"],
    ["phases", "phases"], ["faults", "faults"], ["rotations", "rotations"],
  ];

  // --- number format, as in leakcheck_model::format ---
  const grouped = (text) => text.replace(/\B(?=(\d{3})+$)/g, ",");
  function number(value) {
    const size = Math.abs(value);
    if (size < 5e-5) return "0";
    const whole = Number.isInteger(value) || size >= 1000;
    let text = value.toFixed(whole ? 0 : size >= 100 ? 1 : size >= 0.1 ? 2 : size >= 0.01 ? 3 : 4).replace(/\.0+$/, "");
    return size < 10000 ? text : grouped(text);
  }
  const BINARY_MULTIPLES = [["TiB", 2 ** 40], ["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]];
  function scale(unit, largest) {
    if (unit !== "B") return ["", 1];
    return BINARY_MULTIPLES.find(([, size]) => Math.abs(largest) >= size * 1023.5 / 1024) || ["B", 1];
  }
  function format(value, unit) {
    const [symbol, size] = scale(unit, value);
    return number(value / size) + (symbol ? " " + symbol : "");
  }
  const signed = (value, unit) => (value > 0 && /[1-9]/.test(format(value, unit)) ? "+" : "") + format(value, unit);
  function clock(seconds) {
    const all = Math.round(Math.abs(seconds));
    const two = (n) => String(n).padStart(2, "0");
    const [h, m, s] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60];
    return (seconds <= -0.5 ? "-" : "") + (h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`);
  }

  // --- axes (chart/axis.rs) ---
  const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800];
  function multiplesOf(step, from, to) {
    const ticks = [];
    for (let i = Math.ceil(from / step - 1e-9); i <= Math.floor(to / step + 1e-9) && ticks.length < 100; i++) ticks.push(i * step);
    return ticks;
  }
  function timeLabel(at) {
    if (at === 0) return "0";
    if (Math.abs(at) < 60) return `${at} s`;
    if (at % 3600 === 0) return `${at / 3600} h`;
    if (Math.abs(at) < 3600 && at % 60 === 0) return `${at / 60} min`;
    return Math.abs(at) >= 3600 && at % 60 === 0 ? clock(at).replace(/:00$/, " h") : clock(at);
  }
  function timeTicks(from, to, most) {
    const step = TIME_STEPS.find((s) => (to - from) / s <= most - 1) || to - from;
    return multiplesOf(step, from, to);
  }
  function valueStep(span, about, halves) {
    const rough = span / about;
    const power = 10 ** Math.floor(Math.log10(rough));
    const factors = halves ? [1, 2, 2.5, 5, 10] : [1, 2, 5, 10];
    return (factors.find((f) => f * power >= rough * 0.999) || 10) * power;
  }

  // --- helpers ---
  function make(name, attributes, parent, text) {
    const node = document.createElementNS(SVG, name);
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    if (text !== undefined) node.textContent = text;
    if (parent) parent.appendChild(node);
    return node;
  }
  function html(name, attributes, parent, text) {
    const node = document.createElement(name);
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    if (text !== undefined) node.textContent = text;
    if (parent) parent.appendChild(node);
    return node;
  }
  // Returns the first index whose time is not before `t`.
  function lowerBound(times, t) {
    let [low, high] = [0, times.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (times[middle] < t) low = middle + 1; else high = middle;
    }
    return low;
  }
  function nearest(times, t) {
    const at = lowerBound(times, t);
    if (at === 0) return 0;
    return at === times.length || t - times[at - 1] <= times[at] - t ? at - 1 : at;
  }

  // Hidden series are kept over the reloads of a live report, if the browser allows it.
  function loadHidden(metric) {
    try { return JSON.parse(sessionStorage.getItem(`hidden of ${metric}`)); } catch { return null; }
  }
  function storeHidden(metric, hidden) {
    try { sessionStorage.setItem(`hidden of ${metric}`, JSON.stringify(hidden)); } catch { /* not stored */ }
  }

  // --- state shared by all charts ---
  const charts = [];
  const shared = { from: run.span[0], to: Math.max(run.span[1], run.span[0] + 1), cursor: null };
  const whole = [shared.from, shared.to];
  function zoom(from, to) {
    const length = Math.max(to - from, Math.min(MIN_TIME_RANGE, whole[1] - whole[0]));
    shared.from = Math.max(whole[0], Math.min(from, whole[1] - length));
    shared.to = Math.min(whole[1], shared.from + length);
    for (const chart of charts) chart.draw();
  }
  function pointAt(t) {
    shared.cursor = t;
    for (const chart of charts) chart.drawCursor();
  }

  class Chart {
    constructor(section, figure) {
      this.figure = figure;
      this.breaks = new Set(figure.breaks);
      this.hidden = new Set(loadHidden(figure.metric) || ["rotations"]);
      const plot = section.querySelector(".plot");
      plot.textContent = "";
      this.toolbar(plot);
      this.readout = html("output", { class: "readout" }, plot);
      const label = `${figure.metric}: arrow keys move the cursor, plus and minus zoom, 0 shows all`;
      this.svg = make("svg", { class: "live", tabindex: 0, role: "group", "aria-roledescription": "chart", "aria-label": label }, plot);
      this.listen();
      new ResizeObserver(() => this.draw()).observe(plot);
    }

    has(series) {
      const f = this.figure;
      return {
        measured: f.t.length > 0, checkpoints: f.checkpoints.length > 0, growth: !!f.growth,
        limits: f.limits.some((l) => l.line), phases: run.phases.length > 1, faults: run.faults.length > 0,
        rotations: run.rotations.length > 0,
      }[series];
    }

    toolbar(plot) {
      const bar = html("div", { class: "toolbar", role: "toolbar", "aria-label": `series of ${this.figure.metric}` }, plot);
      for (const [series, label] of SERIES) {
        if (!this.has(series)) continue;
        const pressed = !this.hidden.has(series);
        const button = html("button", { type: "button", class: `toggle ${series}`, "aria-pressed": pressed }, bar, label);
        button.addEventListener("click", () => {
          if (!this.hidden.delete(series)) this.hidden.add(series);
          button.setAttribute("aria-pressed", !this.hidden.has(series));
          storeHidden(this.figure.metric, [...this.hidden]);
          this.draw();
        });
      }
      const reset = html("button", { type: "button", class: "reset" }, bar, "show all");
      reset.addEventListener("click", () => zoom(...whole));
      this.reset = reset;
    }

    x(t) { return this.left + (t - shared.from) / (shared.to - shared.from) * (this.right - this.left); }
    y(v) { return this.bottom - (v - this.low) / (this.high - this.low) * (this.bottom - this.top); }
    timeAt(x) { return shared.from + (x - this.left) / (this.right - this.left) * (shared.to - shared.from); }

    // Sets the value range: the visible values, extended to the limits unless the values would become flat (plot_area.rs).
    range() {
      const f = this.figure;
      const [a, b] = [Math.max(0, lowerBound(f.t, shared.from) - 1), Math.min(f.t.length, lowerBound(f.t, shared.to) + 1)];
      let [lowest, highest] = [Infinity, -Infinity];
      for (let i = a; i < b; i++) {
        if (f.v[i] < lowest) lowest = f.v[i];
        if (f.v[i] > highest) highest = f.v[i];
      }
      if (lowest > highest) [lowest, highest] = [0, 1];
      const minSpan = f.unit === "B" ? 256 * 1024 : 4;
      const span = Math.max(highest - lowest, minSpan, Math.abs(highest) * 0.02);
      let [low, high] = [lowest, highest];
      for (const limit of this.hidden.has("limits") ? [] : f.limits) {
        if (!limit.line) continue;
        const [[t0, v0], [t1, v1]] = limit.line;
        if (t1 < shared.from || t0 > shared.to) continue;
        const slopes = v0 !== v1;
        const extension = span * (slopes ? 8 : 6);
        const slope = slopes ? (v1 - v0) / (t1 - t0) : 0;
        for (const t of [Math.max(t0, shared.from), Math.min(t1, shared.to)]) {
          const value = v0 + slope * (t - t0);
          if (value <= highest + extension && value >= lowest - extension) {
            low = Math.min(low, value);
            high = Math.max(high, value);
          } else if (slopes) {
            low = Math.min(low, Math.max(value, lowest - extension));
            high = Math.max(high, Math.min(value, highest + extension));
          }
        }
      }
      const missing = Math.max(0, span - (high - low));
      low -= missing / 2;
      high += missing / 2;
      const margin = (high - low) * 0.07;
      this.low = Math.max(low - margin, lowest >= 0 ? -margin / 2 : -Infinity);
      this.high = high + (high - low) * 0.11;
    }

    draw() {
      const width = Math.max(260, this.svg.parentNode.clientWidth);
      const height = Math.round(Math.min(360, Math.max(220, width * 0.38)));
      this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
      this.svg.setAttribute("height", height);
      this.svg.textContent = "";
      this.range();
      const f = this.figure;
      const [symbol, size] = scale(f.unit, Math.max(Math.abs(this.low), Math.abs(this.high)));
      const count = f.unit !== "B" && f.v.every(Number.isInteger);
      let step = valueStep((this.high - this.low) / size, Math.max(3, height / 70), !count || (this.high - this.low) > 12);
      if (count) step = Math.max(1, step);
      const decimals = [0, 1, 2, 3, 4, 5].find((d) => Math.abs(step * 10 ** d - Math.round(step * 10 ** d)) < 1e-6) || 0;
      const ticks = multiplesOf(step, this.low / size, this.high / size)
        .map((at) => [at * size, Math.abs(at) >= 10000 ? grouped(at.toFixed(0)) : at.toFixed(decimals)]);
      const unit = symbol || (f.counter ? "increase" : "count");
      this.left = 14 + 7.2 * Math.max(unit.length * 0.9, ...ticks.map(([, label]) => label.length));
      [this.right, this.top, this.bottom] = [width - 14, 26, height - 26];
      this.frame(ticks, unit);
      const clip = `clip-${charts.indexOf(this)}`;
      const box = { x: this.left, y: this.top, width: this.right - this.left, height: this.bottom - this.top };
      make("rect", box, make("clipPath", { id: clip }, make("defs", {}, this.svg)));
      const inside = make("g", { "clip-path": `url(#${clip})` }, this.svg);
      const layers = { phases: this.svg, limits: this.svg };
      this.placed = [];
      // Few values are drawn over the wide line of growth; many would hide it.
      const middle = f.t.length < 500 ? ["growth", "measured"] : ["measured", "growth"];
      for (const series of ["phases", "faults", "rotations", ...middle, "limits", "checkpoints"]) {
        if (this.has(series) && !this.hidden.has(series)) this[series](inside, layers[series] || inside);
      }
      this.gaps(inside);
      this.cursor = make("g", { class: "cursor", "aria-hidden": "true" }, this.svg);
      this.selection = make("rect", { class: "selection", y: this.top, height: this.bottom - this.top, width: 0 }, this.svg);
      this.reset.disabled = shared.from === whole[0] && shared.to === whole[1];
      this.drawCursor();
    }

    frame(ticks, unit) {
      const grid = make("g", { class: "grid" }, this.svg);
      for (const [value, label] of ticks) {
        const y = this.y(value);
        make("line", { x1: this.left, x2: this.right, y1: y, y2: y }, grid);
        if (y > this.top + 4) make("text", { x: this.left - 6, y: y + 4, "text-anchor": "end" }, grid, label);
      }
      for (const t of timeTicks(shared.from, shared.to, Math.max(3, (this.right - this.left) / 75))) {
        const x = this.x(t);
        make("line", { x1: x, x2: x, y1: this.bottom, y2: this.bottom + 4 }, grid);
        const label = make("text", { x, y: this.bottom + 17, "text-anchor": "middle" }, grid, timeLabel(t));
        // Keeps the last label inside the chart.
        const half = timeLabel(t).length * 3.4;
        if (x + half > this.right + 12) { label.setAttribute("text-anchor", "end"); label.setAttribute("x", this.right + 12); }
      }
      make("text", { x: this.left - 6, y: 17, "text-anchor": "end", class: "unit" }, grid, unit);
      make("path", { class: "axis", d: `M${this.left},${this.top}V${this.bottom}H${this.right}` }, grid);
    }

    phases(inside, outside) {
      for (const { name, judged, from, to } of run.phases) {
        const [a, b] = [Math.max(this.x(from), this.left), Math.min(this.x(to), this.right)];
        if (b <= a) continue;
        if (!judged) make("rect", { class: "unjudged", x: a, y: this.top, width: b - a, height: this.bottom - this.top }, inside);
        const strip = make("rect", { class: judged ? "strip" : "strip unjudged", x: a, y: this.top - 19, width: b - a, height: 18 }, outside);
        make("title", {}, strip, name);
        if (a > this.left) make("line", { class: "phase-edge", x1: a, x2: a, y1: this.top - 19, y2: this.bottom }, outside);
        if (b - a > name.length * 7 + 4) {
          make("text", { class: "phase", x: (a + b) / 2, y: this.top - 6, "text-anchor": "middle" }, outside, name);
        }
      }
    }

    faults(inside) {
      let used = -Infinity;
      for (const { label, what, from, to } of run.faults) {
        const [a, b] = [this.x(from), Math.max(this.x(to), this.x(from) + 2)];
        const band = make("rect", { class: "fault", x: a, y: this.top, width: b - a, height: this.bottom - this.top }, inside);
        make("title", {}, band, `${label}: ${what}`);
        const half = label.length * 4 + 2;
        if ((a + b) / 2 - half > used) {
          make("text", { class: "fault-name", x: (a + b) / 2, y: this.top + 14, "text-anchor": "middle" }, inside, label);
          used = (a + b) / 2 + half;
          this.placed.push({ left: used - 2 * half, right: used, top: this.top, bottom: this.top + 18 });
        }
      }
    }

    rotations(inside) {
      let path = "";
      let last = -Infinity;
      for (const t of run.rotations) {
        const x = Math.round(this.x(t));
        if (x > last) path += `M${x},${this.bottom}v-7`;
        last = Math.max(last, x);
      }
      make("path", { class: "rotation", d: path }, inside);
    }

    growth(inside) {
      const { from_s: t0, to_s: t1, from, estimate, low, high } = this.figure.growth;
      const end = (rate) => this.y(from + rate * (t1 - t0) / 60);
      const [x0, x1, y0] = [this.x(t0), this.x(t1), this.y(from)];
      make("path", { class: "wedge", d: `M${x0},${y0}L${x1},${end(low)}L${x1},${end(high)}Z` }, inside);
      make("path", { class: "growth", d: `M${x0},${y0}L${x1},${end(estimate)}` }, inside);
    }

    limits(inside, outside) {
      for (const { rule, line } of this.figure.limits) {
        if (!line) continue;
        const [[t0, v0], [t1, v1]] = line;
        make("path", { class: "limit", d: `M${this.x(t0)},${this.y(v0)}L${this.x(t1)},${this.y(v1)}` }, inside);
        if (t1 < shared.from || t0 > shared.to) continue;
        const t = Math.min(t1, shared.to);
        const value = t1 > t0 ? v0 + (v1 - v0) * (t - t0) / (t1 - t0) : v1;
        const raw = this.y(value);
        const off = raw < this.top - 1 ? " (above)" : raw > this.bottom + 1 ? " (below)" : "";
        const place = this.freePlace(rule + off, this.x(t) - 4, raw);
        make("text", { class: "limit-name", ...place, "text-anchor": "end" }, outside, rule + off);
      }
    }

    // Returns the place near (`right`, `y`) where a text covers the fewest values and no other label.
    freePlace(text, right, y) {
      const width = text.length * 6.6;
      const { t, v } = this.figure;
      let best = null;
      for (const shift of [0, 60, 120, 200]) {
        const x = Math.min(Math.max(right - shift, this.left + width + 4), this.right - 4);
        for (const away of [-6, 16, -22, 32]) {
          const base = Math.min(Math.max(y + away, this.top + 14), this.bottom - 6);
          const box = { left: x - width, right: x, top: base - 12, bottom: base + 4 };
          const overlaps = this.placed.filter((o) => o.left < box.right && box.left < o.right && o.top < box.bottom && box.top < o.bottom);
          let covered = 1000 * overlaps.length + Math.abs(away) / 100 + shift / 1000;
          const [from, to] = [lowerBound(t, this.timeAt(box.left)), lowerBound(t, this.timeAt(box.right))];
          const stride = Math.max(1, Math.floor((to - from) / 60));
          for (let i = Math.max(0, from - 1); i <= to && i < t.length; i += stride) {
            const at = this.y(v[i]);
            if (at > box.top && at < box.bottom) covered += 1;
          }
          if (!best || covered < best.covered) best = { covered, box, x, y: base };
        }
      }
      this.placed.push(best.box);
      return { x: best.x, y: best.y };
    }

    // Draws the values; a dense series is reduced to first, lowest, highest and last value per column of pixels.
    measured(inside) {
      const { t, v } = this.figure;
      const [a, b] = [Math.max(0, lowerBound(t, shared.from) - 1), Math.min(t.length, lowerBound(t, shared.to) + 1)];
      const thin = b - a > 2 * (this.right - this.left);
      let [path, alone] = ["", ""];
      const at = (i) => `${this.x(t[i]).toFixed(1)},${this.y(v[i]).toFixed(1)}`;
      let [column, first, low, high, last] = [null, a, a, a, a];
      const flush = () => {
        for (const i of [...new Set([first, low, high, last])].sort((p, q) => p - q)) path += (path && !this.cut(i, first) ? "L" : "M") + at(i);
      };
      for (let i = a; i < b; i++) {
        const starts = i === a || this.breaks.has(i);
        if (starts && (i + 1 >= b || this.breaks.has(i + 1))) alone += `M${at(i)}h0`;
        if (!thin) { path += (starts ? "M" : "L") + at(i); continue; }
        const here = Math.round(this.x(t[i]));
        if (here === column && !starts) {
          if (v[i] < v[low]) low = i;
          if (v[i] > v[high]) high = i;
          last = i;
        } else {
          if (column !== null) flush();
          column = here;
          first = low = high = last = i;
        }
      }
      if (thin && column !== null) flush();
      make("path", { class: "measured", d: path }, inside);
      if (alone) make("path", { class: "measured alone", d: alone }, inside);
    }

    cut(i, first) { return i === first && this.breaks.has(i); }

    checkpoints(inside) {
      let last = -Infinity;
      for (const [t, v] of this.figure.checkpoints) {
        const x = this.x(t);
        if (x - last < 28) continue;
        last = x;
        make("circle", { class: "checkpoint", cx: x, cy: this.y(v), r: 3.5 }, inside);
      }
    }

    gaps(inside) {
      for (const [from, to] of this.figure.gaps) {
        const [a, b] = [this.x(from), this.x(to)];
        const bar = make("rect", { class: "gap", x: a, y: this.bottom - 5, width: Math.max(2, b - a), height: 5 }, inside);
        make("title", {}, bar, "no value");
      }
    }

    drawCursor() {
      const f = this.figure;
      this.cursor.textContent = "";
      if (shared.cursor === null || !f.t.length) {
        this.readout.textContent = "hover or use the arrow keys to read values; drag to zoom";
        return;
      }
      const i = nearest(f.t, shared.cursor);
      const gap = f.gaps.find(([from, to]) => shared.cursor > from && shared.cursor < to);
      const t = gap ? shared.cursor : f.t[i];
      const phase = run.phases.find(({ from, to }) => t >= from && t < to) || run.phases[run.phases.length - 1];
      const faults = run.faults.filter(({ from, to }) => t >= from && t <= to).map(({ label, what }) => `${label} ${what}`);
      const grown = !f.counter && f.baseline !== null && t >= f.baseline[0] ? ` (${signed(f.v[i] - f.baseline[1], f.unit)} since the baseline)` : "";
      const value = gap ? "no value" : format(f.v[i], f.unit) + grown;
      this.readout.textContent = [clock(t), phase && phase.name, value, ...faults].filter(Boolean).join(" · ");
      const x = this.x(t);
      if (x < this.left - 1 || x > this.right + 1) return;
      make("line", { x1: x, x2: x, y1: this.top, y2: this.bottom }, this.cursor);
      if (!gap) make("circle", { cx: x, cy: this.y(f.v[i]), r: 4 }, this.cursor);
    }

    listen() {
      const at = (event) => {
        const box = this.svg.getBoundingClientRect();
        const x = (event.clientX - box.left) * this.svg.viewBox.baseVal.width / box.width;
        return Math.min(this.right, Math.max(this.left, x));
      };
      let begun = null;
      this.svg.addEventListener("pointerdown", (event) => {
        if (event.button !== 0) return;
        begun = at(event);
        if (event.isTrusted) this.svg.setPointerCapture(event.pointerId);
      });
      this.svg.addEventListener("pointermove", (event) => {
        const x = at(event);
        pointAt(this.timeAt(x));
        if (begun === null) return;
        this.selection.setAttribute("x", Math.min(begun, x));
        this.selection.setAttribute("width", Math.abs(x - begun));
      });
      const end = (event) => {
        if (begun === null) return;
        const [a, b] = [begun, at(event)].sort((p, q) => p - q);
        begun = null;
        this.selection.setAttribute("width", 0);
        if (event.type === "pointerup" && b - a > 6) zoom(this.timeAt(a), this.timeAt(b));
      };
      this.svg.addEventListener("pointerup", end);
      this.svg.addEventListener("pointercancel", end);
      this.svg.addEventListener("pointerleave", () => { if (begun === null && document.activeElement !== this.svg) pointAt(null); });
      this.svg.addEventListener("dblclick", () => zoom(...whole));
      this.svg.addEventListener("keydown", (event) => this.key(event));
      this.svg.addEventListener("blur", () => { this.readout.removeAttribute("aria-live"); pointAt(null); });
    }

    key(event) {
      const times = this.figure.t;
      if (!times.length || event.ctrlKey || event.metaKey || event.altKey) return;
      const middle = (shared.from + shared.to) / 2;
      const here = nearest(times, shared.cursor === null ? middle : shared.cursor);
      const go = (i) => {
        const t = times[Math.min(times.length - 1, Math.max(0, i))];
        const length = shared.to - shared.from;
        if (t < shared.from || t > shared.to) zoom(t - length / 2, t + length / 2);
        pointAt(t);
      };
      const zoomBy = (factor) => {
        const center = shared.cursor === null ? middle : shared.cursor;
        zoom(center - (center - shared.from) * factor, center + (shared.to - center) * factor);
      };
      const stride = event.shiftKey ? 10 : 1;
      const keys = {
        ArrowLeft: () => go(here - stride), ArrowRight: () => go(here + stride),
        Home: () => go(0), End: () => go(times.length - 1),
        "+": () => zoomBy(0.5), "=": () => zoomBy(0.5), "-": () => zoomBy(2),
        0: () => zoom(...whole), Escape: () => zoom(...whole),
      };
      if (!keys[event.key]) return;
      event.preventDefault();
      this.readout.setAttribute("aria-live", "polite");
      keys[event.key]();
    }
  }

  for (const section of document.querySelectorAll("[data-figure]")) {
    const chart = new Chart(section, run.figures[Number(section.dataset.figure)]);
    charts.push(chart);
    chart.draw();
  }
  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.hidden = !navigator.clipboard;
    button.addEventListener("click", () => navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent)
      .then(() => { button.textContent = "copied"; }, () => { button.textContent = "not copied"; }));
  }
})();
