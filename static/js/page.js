// What every page needs: a question before what cannot be undone, and times that stay true.
document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !window.confirm(question)) {
    event.preventDefault();
  }
});

// Addresses of lists hold what is asked for, not every filter that is empty.
document.addEventListener("formdata", ({ target, formData }) => {
  if (target.classList.contains("filters")) {
    for (const [name, value] of [...formData]) {
      if (value === "") {
        formData.delete(name);
      }
    }
  }
});

const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const format = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });

const refresh = () => {
  for (const element of document.querySelectorAll("time[datetime]")) {
    const seconds = (new Date(element.dateTime) - Date.now()) / 1000;
    const [unit, size] = units.find(([, length]) => Math.abs(seconds) >= length) || units.at(-1);
    element.textContent = format.format(Math.round(seconds / size), unit);
  }
};

refresh();
setInterval(refresh, 10000);
document.addEventListener("htmx:afterSwap", refresh);
