// Everything here only adds to pages that work without it: values under the pointer, filters that apply
// themselves, keys. No markup is ever made from text.
(() => {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg";
  const root = document.documentElement;
  root.classList.add("has-js");

  // Charts: a figure's table holds its values; the pointer or the arrow keys choose the row that is read out.
  for (const plot of document.querySelectorAll("svg[data-plot]")) {
    const figure = plot.closest("figure");
    const rows = [...figure.querySelectorAll("tbody tr")];
    const tip = figure.querySelector(".tip");
    if (!tip || !rows.length) continue;
    const heads = [...figure.querySelectorAll("thead th")].map((th) => th.textContent);
    const bars = plot.dataset.plot === "bars";
    const line = document.createElementNS(SVG, "line");
    for (const [name, value] of [["class", "cursor"], ["y1", "10"], ["y2", "170"]]) line.setAttribute(name, value);
    line.toggleAttribute("hidden", true);
    plot.append(line);
    plot.setAttribute("tabindex", "0");
    const last = rows.length - 1;
    let at = -1;
    const show = (index) => {
      at = Math.max(0, Math.min(last, index));
      const share = bars ? (at + 0.5) / rows.length : last ? at / last : 0;
      line.setAttribute("x1", share * 100 + "%");
      line.setAttribute("x2", share * 100 + "%");
      line.removeAttribute("hidden");
      tip.textContent = [...rows[at].cells].map((cell, i) => (i ? heads[i] + " " : "") + cell.textContent).join(" · ");
    };
    const hide = () => {
      line.toggleAttribute("hidden", true);
      tip.textContent = "\u00a0";
    };
    plot.addEventListener("pointermove", (event) => {
      const box = plot.getBoundingClientRect();
      const share = (event.clientX - box.left) / box.width;
      show(bars ? Math.floor(share * rows.length) : Math.round(share * last));
    });
    plot.addEventListener("pointerleave", hide);
    plot.addEventListener("blur", hide);
    plot.addEventListener("keydown", (event) => {
      const to = { ArrowLeft: at < 0 ? last : at - 1, ArrowRight: at + 1, Home: 0, End: last }[event.key];
      if (to !== undefined) {
        event.preventDefault();
        show(to);
      } else if (event.key === "Escape") hide();
    });
  }

  // Filters apply themselves, except while two dates are being typed.
  for (const form of document.querySelectorAll("form[data-auto]")) {
    form.addEventListener("change", (event) => {
      const dates = form.querySelector("[data-dates]");
      if (event.target.name === "period" && dates) dates.toggleAttribute("data-hide", event.target.value !== "custom");
      if (event.target.tagName === "SELECT" && event.target.value !== "custom") form.requestSubmit();
    });
    // Empty fields would only make the address longer.
    form.addEventListener("formdata", (event) => {
      for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
    });
  }

  // Progress as it happens; without a stream the page is loaded again after a while.
  for (const box of document.querySelectorAll("[data-events]")) {
    const source = new EventSource(box.dataset.events);
    const bar = box.querySelector("progress");
    const said = box.querySelector("[data-said]");
    source.addEventListener("progress", (event) => {
      const told = JSON.parse(event.data);
      if (bar) bar.value = told.ppm;
      if (said) said.textContent = told.said;
    });
    source.addEventListener("end", () => {
      source.close();
      location.reload();
    });
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 3000);
    });
  }

  // Menus close when one looks elsewhere.
  addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
    const print = event.target.closest("[data-print]");
    if (print) window.print();
  });

  // Keys; they can be switched off, and the choice is kept.
  const keys = document.getElementById("keys");
  const off = document.getElementById("keys-off");
  const silent = () => localStorage.getItem("keys") === "off";
  const label = () => (off.textContent = silent() ? off.dataset.on : off.dataset.off);
  if (off) {
    label();
    off.addEventListener("click", () => {
      localStorage.setItem("keys", silent() ? "on" : "off");
      label();
    });
  }
  const places = { o: "overview", d: "daily-close", t: "transactions", f: "fees", r: "reconciliation", c: "conversion", k: "categories", u: "customers", a: "alerts", i: "imports" };
  let going = 0;
  addEventListener("keydown", (event) => {
    if (event.metaKey || event.ctrlKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    if (event.key === "?" && keys) return keys.showModal();
    if (silent() || (keys && keys.open)) return;
    const go = (selector) => {
      const link = document.querySelector(selector);
      if (link) location.assign(link.href);
    };
    if (event.key === "g") going = event.timeStamp;
    else if (going && event.timeStamp - going < 1000 && places[event.key]) go(`nav a[href$="/${places[event.key]}"]`);
    else if (event.key === "[") go("a[rel=prev]");
    else if (event.key === "]") go("a[rel=next]");
    else if (event.key === "p") window.print();
    else if (event.key === "t") for (const twin of document.querySelectorAll("figure details")) twin.open = !twin.open;
    else if (event.key === "/") {
      const field = document.querySelector("input[type=search], form[data-auto] select");
      if (field) {
        event.preventDefault();
        field.focus();
      }
    }
    if (event.key !== "g") going = 0;
  });
})();
