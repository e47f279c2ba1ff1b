// Light or dark, before the first paint: what was chosen, else what the system prefers.
(() => {
  const system = matchMedia("(prefers-color-scheme: light)");
  const kept = () => {
    try {
      return localStorage.getItem("mlmetrics-theme");
    } catch {
      return null; // storage may be forbidden
    }
  };
  const apply = () => {
    document.documentElement.dataset.theme = kept() ?? (system.matches ? "light" : "dark");
    dispatchEvent(new Event("theme"));
  };
  apply();
  system.addEventListener("change", apply);
})();
