// Editing records: rows that can be added, removed and reordered by keyboard, previews of Markdown,
// and a draft kept in this browser until it is saved. Everything works without this, less smoothly.
const form = document.querySelector("form.record-form");
const say = (text) => {
  document.getElementById("announce").textContent = text;
};

// --- rows ---
let counter = 1000;
const renumber = (row) => {
  counter += 1;
  for (const element of row.querySelectorAll("[name], [id], [for], [data-preview-of]")) {
    for (const name of ["name", "id", "for", "data-preview-of"]) {
      const value = element.getAttribute(name);
      if (value) {
        element.setAttribute(name, value.replace("INDEX", counter));
      }
    }
  }
};

const prepare = (root) => {
  for (const tools of root.querySelectorAll("[data-row-tools]")) {
    tools.hidden = false;
  }
  for (const area of root.querySelectorAll("textarea[data-markdown]")) {
    if (!area.dataset.ready) {
      area.dataset.ready = "yes";
      addPreview(area);
    }
  }
};

const move = (row, other, place) => {
  if (other) {
    other[place](row);
    row.querySelector("[data-up]").focus();
    say(`${[...row.parentElement.children].indexOf(row) + 1}`);
    changed();
  }
};

form.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  const row = button && button.closest("[data-row]");
  if (!button) {
    return;
  }
  if (button.matches("[data-up]")) {
    const before = row.previousElementSibling;
    move(row, before, "before");
    button.focus();
  } else if (button.matches("[data-down]")) {
    const after = row.nextElementSibling;
    move(row, after, "after");
    button.focus();
  } else if (button.matches("[data-remove]")) {
    const next = row.nextElementSibling || row.previousElementSibling;
    const rows = row.closest("[data-rows]");
    row.remove();
    (next ? next.querySelector("input, textarea, select") : rows.querySelector("[data-add]")).focus();
    changed();
  } else if (button.matches("[data-add]")) {
    const rows = button.closest("[data-rows]");
    const copy = rows.querySelector("template").content.cloneNode(true);
    const added = copy.firstElementChild;
    renumber(added);
    rows.querySelector("ol").append(added);
    prepare(added);
    added.querySelector("input, textarea, select").focus();
    changed();
  }
});

// Alt and an arrow key move the row that is being edited.
form.addEventListener("keydown", (event) => {
  const row = event.target.closest("[data-row]");
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    form.requestSubmit();
  } else if (row && event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
    event.preventDefault();
    const up = event.key === "ArrowUp";
    const focused = document.activeElement;
    move(row, up ? row.previousElementSibling : row.nextElementSibling, up ? "before" : "after");
    focused.focus();
  }
});

// --- previews ---
const addPreview = (area) => {
  const preview = area.parentElement.querySelector("[data-preview-of]");
  let timer = 0;
  const show = async () => {
    const body = new FormData();
    body.append("text", area.value);
    body.append("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
    const answer = await fetch(form.dataset.preview, { method: "POST", body });
    if (answer.ok) {
      // The server made it of Markdown and cleaned it.
      preview.innerHTML = await answer.text();
      preview.hidden = !area.value.trim();
    }
  };
  area.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(show, 600);
  });
};

// --- drafts ---
const key = `draft:${form.dataset.draft}`;
const note = form.querySelector("[data-draft-note]");
const isKept = (element) =>
  element.name && !["csrfmiddlewaretoken", "base_version"].includes(element.name);
const values = () =>
  [...form.elements]
    .filter(isKept)
    .map((element) => [element.name, element.type === "checkbox" ? element.checked : element.value]);
const began = JSON.stringify(values());
let saving = 0;

function changed() {
  clearTimeout(saving);
  saving = setTimeout(() => {
    const now = JSON.stringify(values());
    if (now === began) {
      localStorage.removeItem(key);
    } else {
      localStorage.setItem(key, now);
    }
  }, 400);
}

const restore = (kept) => {
  for (const [name, value] of kept) {
    let element = form.elements.namedItem(name);
    const row = name.match(/^(\w+)-\d+-/);
    if (!element && row) {
      const rows = document.getElementById(`id-${row[1]}`);
      const copy = rows.querySelector("template").content.cloneNode(true).firstElementChild;
      const number = name.slice(row[1].length + 1).match(/^\d+/)[0];
      for (const each of copy.querySelectorAll("[name], [id], [for]")) {
        for (const attribute of ["name", "id", "for"]) {
          const text = each.getAttribute(attribute);
          if (text) {
            each.setAttribute(attribute, text.replace("INDEX", number));
          }
        }
      }
      rows.querySelector("ol").append(copy);
      prepare(copy);
      element = form.elements.namedItem(name);
    }
    if (element && element.type === "checkbox") {
      element.checked = value;
    } else if (element) {
      element.value = value;
    }
  }
};

const kept = localStorage.getItem(key);
if (kept && kept !== began) {
  note.hidden = false;
  note.querySelector("[data-draft-restore]").addEventListener("click", () => {
    restore(JSON.parse(kept));
    note.hidden = true;
  });
  note.querySelector("[data-draft-drop]").addEventListener("click", () => {
    localStorage.removeItem(key);
    note.hidden = true;
  });
}
form.addEventListener("input", changed);
form.addEventListener("submit", () => {
  clearTimeout(saving);
  localStorage.removeItem(key);
});

for (const button of form.querySelectorAll("[data-add]")) {
  button.hidden = false;
}
prepare(form);
