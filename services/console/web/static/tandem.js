// Shows what has changed without a reload; every page works without it.
"use strict";
(() => {
  const from = document.body.dataset.live;
  if (!from || !window.EventSource) return;
  let busy = false;
  const isUsed = () => {
    const at = document.activeElement;
    return at && at !== document.body && document.getElementById("main").contains(at) && at.id !== "main";
  };
  const show = async () => {
    if (busy || document.hidden || isUsed()) return;
    busy = true;
    try {
      const answer = await fetch(location.href, { credentials: "same-origin" });
      if (answer.ok && !answer.redirected) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        if (!page.body.dataset.live) source.close();
        for (const part of ["main", "header"]) {
          const [now, then] = [document.querySelector(part), page.querySelector(part)];
          if (now && then && now.innerHTML !== then.innerHTML) now.replaceChildren(...then.childNodes);
        }
      }
    } finally {
      busy = false;
    }
  };
  const source = new EventSource(from);
  source.addEventListener("changed", show);
})();
