
"use strict";
(() => {
  const LEFT = 58, RIGHT = 606, BOTTOM = 312, TOP = 28;
  const figure = document.getElementById("front");
  if (!figure) return;
  const svg = figure.querySelector("svg"), form = figure.querySelector("form");
  const detail = figure.querySelector(".detail");
  const marks = [...svg.querySelectorAll("circle")];
  const rows = marks.map((mark) => mark.dataset.v.split(" ").map((text) => (text === "-" ? NaN : Number(text))));
  const UNITS = {
    share: [[0.01, "%"]], plain: [[1, ""]],
    bytes: [[1048576, "MiB"], [4096, "KiB"], [1, "B"]],
    seconds: [[1, "s"], [1e-3, "ms"], [1e-6, "µs"]],
    joules: [[1, "J"], [1e-3, "mJ"], [1e-6, "µJ"]],
    count: [[1e6, "million"], [1e4, "thousand"], [1, ""]],
  };
  const scale = (kind, values, from, to) => {
    const finite = values.filter((value) => Number.isFinite(value));
    let low = finite.length ? Math.min(...finite) : 0, high = finite.length ? Math.max(...finite) : 1;
    const most = Math.max(Math.abs(low), Math.abs(high)), units = UNITS[kind];
    let [divisor, unit] = units.find(([least]) => most >= least) || units[units.length - 1];
    if (unit === "KiB") divisor = 1024;
    if (unit === "thousand") divisor = 1e3;
    const room = (high > low ? high - low : Math.max(Math.abs(high), divisor)) * 0.07;
    low -= room;
    high += room;
    return { low, high, divisor, unit, place: (value) => from + (value - low) / (high - low) * (to - from) };
  };
  const ticks = ({ low, high, divisor, place }) => {
    const rough = (high - low) / divisor / 8, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) || 10 * power;
    const decimals = Math.min(12, Math.max(0, Math.ceil(-Math.log10(step) - 1e-9)));
    const found = [];
    for (let at = 0, tick = Math.ceil(low / divisor / step) * step; at < 9 && tick <= high / divisor; at++, tick += step) {
      const value = Math.abs(tick) < step / 2 ? 0 : tick;
      found.push([place(value * divisor), value.toFixed(decimals)]);
    }
    return found;
  };
  const add = (parent, name, attributes, text) => {
    const element = document.createElementNS(svg.namespaceURI, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text) element.textContent = text;
    parent.append(element);
  };
  const draw = () => {
    const [x, y] = ["x", "y"].map((name) => form.elements[name]);
    const [across, up] = [x, y].map((choice) => Number(choice.value));
    const kind = (choice) => choice.selectedOptions[0].dataset.kind;
    const sx = scale(kind(x), rows.map((row) => row[across]), LEFT, RIGHT);
    const sy = scale(kind(y), rows.map((row) => row[up]), BOTTOM, TOP);
    const frame = svg.querySelector(".frame");
    frame.replaceChildren();
    ticks(sy).forEach(([place, text], at) => {
      add(frame, "line", { x1: LEFT, y1: place, x2: RIGHT, y2: place });
      add(frame, "text", { class: at % 2 ? "end minor" : "end", x: LEFT - 7, y: place + 4 }, text);
    });
    ticks(sx).forEach(([place, text], at) => {
      add(frame, "line", { x1: place, y1: TOP, x2: place, y2: BOTTOM });
      add(frame, "text", { class: at % 2 ? "middle minor" : "middle", x: place, y: BOTTOM + 18 }, text);
    });
    const title = (choice, { unit }) => choice.selectedOptions[0].text + (unit ? ", " + unit : "");
    add(frame, "text", { class: "title across", x: RIGHT, y: BOTTOM + 44 }, title(x, sx));
    add(frame, "text", { class: "title up", x: LEFT, y: TOP - 10 }, title(y, sy));
    svg.setAttribute("aria-label", "Trials by " + x.selectedOptions[0].text + " and " + y.selectedOptions[0].text);
    marks.forEach((mark, at) => {
      const [a, b] = [rows[at][across], rows[at][up]], known = Number.isFinite(a) && Number.isFinite(b);
      mark.setAttribute("visibility", known ? "visible" : "hidden");
      if (known) {
        mark.setAttribute("cx", sx.place(a));
        mark.setAttribute("cy", sy.place(b));
      }
    });
  };
  const show = (event) => {
    if (event.target.tagName === "circle") detail.textContent = event.target.getAttribute("aria-label").replaceAll("\n", " · ");
  };
  form.addEventListener("change", draw);
  form.addEventListener("submit", (event) => event.preventDefault());
  svg.addEventListener("focusin", show);
  svg.addEventListener("pointerover", show);
  form.hidden = false;
  figure.classList.add("alive");
})();
