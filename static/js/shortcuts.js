// Single keys on pages of records. Never while something is being typed, never with Ctrl or Alt, and
// whoever does not want them turns them off, in this browser, for good.
const box = document.querySelector("[data-shortcuts]");
const dialog = box.querySelector("dialog");
const toggle = box.querySelector("[data-shortcuts-on]");
const opener = box.querySelector("[data-shortcuts-open]");

const isOn = () => {
  try {
    return localStorage.getItem("shortcuts") !== "off";
  } catch {
    return true;
  }
};

// What a key leads to: the first element of the page that its row names, if there is one.
const rows = new Map(
  [...box.querySelectorAll("[data-key]")].map((row) => [row.dataset.key, row]),
);
const targetOf = (row) => document.querySelector(row.dataset.target);

const open = () => {
  for (const row of rows.values()) {
    row.hidden = !targetOf(row);
  }
  toggle.checked = isOn();
  dialog.showModal();
};

const isTyping = (element) => element.closest("input, textarea, select, [contenteditable], dialog");

document.addEventListener("keydown", (event) => {
  const row = rows.get(event.key);
  const withOthers = event.ctrlKey || event.altKey || event.metaKey || event.isComposing;
  if (!row || withOthers || event.repeat || isTyping(event.target) || !isOn()) {
    return;
  }
  const target = targetOf(row);
  if (target) {
    event.preventDefault();
    if (target.matches("input")) {
      target.focus();
      target.select();
    } else {
      target.click();
    }
  }
});

opener.addEventListener("click", open);
toggle.addEventListener("change", () => {
  localStorage.setItem("shortcuts", toggle.checked ? "on" : "off");
});
box.hidden = false;
