// How a checkout goes, for Tillwatch: no cookie, nothing typed.
((script) => {
  try {
    const { site, step = "begin_checkout", order, session, pay = "[data-pay]", method = "[name=payment_method]" } = script.dataset;
    const url = new URL("/collect/" + site, script.src);
    const page = Math.random().toString(36);
    let visit = session || page, queue = [], left = 60, shown = Date.now(), spent = 0, chosen, auto;
    if (!session) try { visit = sessionStorage.tillwatch = sessionStorage.tillwatch || page; } catch {}
    const flush = () => {
      try {
        const body = JSON.stringify({ session: visit, events: queue });
        queue[0] && (navigator.sendBeacon && navigator.sendBeacon(url, body) || fetch(url, { method: "POST", body, keepalive: true, mode: "no-cors" }).catch(() => {}));
        queue = [];
      } catch {}
    };
    const add = (event) => {
      if (left-- > 0) queue.push({ id: page + left, time: Date.now(), step, order, ...event });
      if (!queue[1]) setTimeout(flush, 99);
    };
    const on = (type, handle) => document.addEventListener(type, (event) => { try { handle(event.target, event); } catch {} }, true);
    const dwell = () => spent + (shown && Date.now() - shown);
    const wrong = (field) => add({ error: field.name || field.id });
    on("invalid", wrong);
    new MutationObserver((list) => list.map(({ target }) => target.ariaInvalid == "true" && wrong(target))).observe(document, { subtree: true, attributeFilter: ["aria-invalid"] });
    on("change", (field) => {
      if (/radio|select/.test(field.type) && field.matches(method)) add({ step: "add_payment_info", method: chosen = field.value });
      auto = auto || field.matches(":autofill");
    });
    on("click", (button) => {
      if (button.closest(pay)) add({ step: "payment_attempt", method: chosen, auto, dwell: dwell() }), flush();
    });
    on("tillwatch", (_, event) => add(event.detail));
    on("visibilitychange", () => {
      spent = dwell();
      shown = !document.hidden && Date.now();
      if (!shown) add({ auto, dwell: spent }), flush();
    });
    add();
  } catch {}
})(document.currentScript);
