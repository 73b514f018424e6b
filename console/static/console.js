// What pages do besides htmx: ticks, the dialog of a pause, and whether the page is live.
(() => {
  const live = () => document.getElementById("live");
  const setLive = (text, tone) => {
    const mark = live();
    if (!mark) return;
    mark.hidden = false;
    mark.textContent = text;
    mark.dataset.tone = tone;
  };
  document.addEventListener("htmx:sseOpen", () => setLive("live", "good"));
  document.addEventListener("htmx:sseError", () => setLive("connecting again", "wait"));

  const ticks = () => [...document.querySelectorAll("#bulk input[name=id]")];
  const count = () => {
    const ticked = ticks().filter((one) => one.checked).length;
    const told = document.getElementById("ticked");
    if (!told) return;
    told.textContent = ticked ? `${ticked} ticked` : "None ticked";
    document.querySelectorAll("[data-ticked]").forEach((one) => { one.disabled = !ticked; });
    const all = document.getElementById("all");
    if (all) {
      all.checked = ticked > 0 && ticked === ticks().length;
      all.indeterminate = ticked > 0 && ticked < ticks().length;
    }
  };
  document.addEventListener("change", (event) => {
    if (event.target.id === "all") ticks().forEach((one) => { one.checked = event.target.checked; });
    if (event.target.closest("#bulk")) count();
  });
  document.addEventListener("DOMContentLoaded", () => {
    count();
    // On a phone the pages stand in a row that scrolls: the present one is brought into sight.
    const row = document.querySelector(".top nav");
    const here = row?.querySelector("[aria-current]");
    if (here) row.scrollLeft = here.offsetLeft - (row.clientWidth - here.offsetWidth) / 2;
  });
  window.addEventListener("pageshow", count);

  document.addEventListener("click", (event) => {
    const pause = event.target.closest("[data-pause]");
    const dialog = document.getElementById("pause");
    if (pause && dialog) {
      dialog.querySelector("[data-lane]").textContent = pause.dataset.pause;
      dialog.querySelector("form").action = `/lanes/${encodeURIComponent(pause.dataset.pause)}/pause`;
      dialog.showModal();
      dialog.querySelector("#pause-reason").focus();
    }
    if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
  });

  // Filters without a value make long addresses; they are left out.
  document.addEventListener("submit", (event) => {
    if (event.target.method !== "get") return;
    event.target.querySelectorAll("input, select").forEach((one) => {
      if (one.type !== "checkbox" && one.name && !one.value) one.disabled = true;
    });
    setTimeout(() => event.target.querySelectorAll("input, select").forEach((one) => { one.disabled = false; }), 0);
  });

  // Somebody who has logged out elsewhere is led to the login, not left with a page that stands still.
  document.addEventListener("htmx:responseError", (event) => {
    if (event.detail.xhr.status === 401) window.location.href = "/login";
    else document.getElementById("said").textContent = `It did not work: ${event.detail.xhr.status}`;
  });
})();
