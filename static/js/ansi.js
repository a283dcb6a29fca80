// Colours of a terminal as elements. Text goes in by textContent only: a log is not to be trusted.
const names = { 1: "sgr-bold", 2: "sgr-dim", 3: "sgr-italic", 4: "sgr-underline" };
const ends = { 22: ["sgr-bold", "sgr-dim"], 23: ["sgr-italic"], 24: ["sgr-underline"] };

const drop = (classes, prefix) => {
  for (const name of [...classes]) {
    if (prefix.test(name)) classes.delete(name);
  }
};

const colour = (classes, code) => {
  if (code >= 90) code -= 60;
  const isBackground = code >= 40 && code <= 47;
  drop(classes, isBackground ? /^sgr-b4/ : /^sgr-3/);
  if (code % 10 < 8) classes.add(isBackground ? `sgr-b${code}` : `sgr-${code}`);
};

// Follow the codes of one escape sequence; 256 and true colours are left out.
const apply = (classes, sequence) => {
  const codes = sequence.split(";").map(Number);
  for (let i = 0; i < codes.length; i += 1) {
    const code = codes[i];
    if (code === 0) classes.clear();
    else if (names[code]) classes.add(names[code]);
    else if (ends[code]) ends[code].forEach((name) => classes.delete(name));
    else if (code === 38 || code === 48) i += codes[i + 1] === 5 ? 2 : 4;
    else if (code === 39) drop(classes, /^sgr-3/);
    else if (code === 49) drop(classes, /^sgr-b4/);
    else if ((code >= 30 && code <= 47) || (code >= 90 && code <= 107)) colour(classes, code);
  }
};

// The nodes that show a line.
export const render = (line) => {
  const fragment = document.createDocumentFragment();
  const classes = new Set();
  line.split(/\x1b\[([0-9;]*)m/).forEach((part, index) => {
    if (index % 2) apply(classes, part);
    else if (part) {
      if (!classes.size) fragment.append(part);
      else {
        const span = document.createElement("span");
        span.className = [...classes].join(" ");
        span.textContent = part;
        fragment.append(span);
      }
    }
  });
  return fragment;
};
