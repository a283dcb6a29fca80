// Runs before the page is drawn, so that the wrong colours never flash up.
(() => {
  const link = document.getElementById("dark-theme");
  const media = { auto: "(prefers-color-scheme: dark)", light: "not all", dark: "all" };
  const stored = () => {
    try {
      return localStorage.getItem("theme") || "auto";
    } catch {
      return "auto";
    }
  };

  const apply = (theme) => {
    link.media = media[theme] || media.auto;
    document.documentElement.style.colorScheme = theme === "auto" ? "" : theme;
    for (const button of document.querySelectorAll("[data-theme-switch] button")) {
      button.setAttribute("aria-pressed", String(button.value === theme));
    }
  };

  apply(stored());
  document.addEventListener("DOMContentLoaded", () => {
    const place = document.querySelector("[data-theme-switch]");
    place.hidden = false;
    place.addEventListener("click", (event) => {
      if (event.target.value) {
        localStorage.setItem("theme", event.target.value);
        apply(event.target.value);
      }
    });
    apply(stored());
  });
})();
