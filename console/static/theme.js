// Sets the colours before anything is drawn: those of the system, unless somebody chose.
(() => {
  const root = document.documentElement;
  const choices = { auto: "dark", dark: "light", light: "auto" };
  const names = { auto: "as the system has them", dark: "dark", light: "light" };
  const kept = () => {
    try { return localStorage.getItem("trawler-theme") || "auto"; } catch { return "auto"; }
  };
  const show = (theme) => {
    if (theme === "auto") root.removeAttribute("data-theme");
    else root.setAttribute("data-theme", theme);
    const button = document.getElementById("theme");
    if (button) button.setAttribute("aria-label", `Colours: ${names[theme]}`), button.title = button.getAttribute("aria-label");
  };
  show(kept());
  document.addEventListener("DOMContentLoaded", () => {
    show(kept());
    document.getElementById("theme").addEventListener("click", () => {
      const next = choices[kept()];
      try { localStorage.setItem("trawler-theme", next); } catch { /* it holds for this page */ }
      show(next);
      document.dispatchEvent(new CustomEvent("themechange"));
    });
  });
})();
