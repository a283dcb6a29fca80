// The log viewer: lines come as Server-Sent Events whose id is the byte offset after them, so a
// connection that was lost goes on where it ended, and nothing is shown twice or missed.
import { render } from "./ansi.js";

const CHUNK = 200; // lines in one block that the browser may skip while it is out of sight
const MOST_CHUNKS = 1000; // blocks that are kept; earlier lines are in the plain text
const RETRY = 2000; // milliseconds

class Log {
  constructor(section) {
    this.section = section;
    this.lines = section.querySelector("[data-log-lines]");
    this.note = section.querySelector("[data-log-note]");
    this.waiting = [];
    this.count = 0;
    this.offset = null;
    this.follows = true;
    this.paused = false;
    this.connect();
    this.listen();
  }

  connect() {
    const address = new URL(this.section.dataset.events, location.href);
    if (this.offset !== null) address.searchParams.set("offset", this.offset);
    this.source = new EventSource(address);
    this.source.addEventListener("lines", (event) => this.take(event));
    this.source.addEventListener("state", (event) => this.announce(JSON.parse(event.data)));
    this.source.addEventListener("end", () => this.end());
    this.source.addEventListener("open", () => this.say(""));
    this.source.addEventListener("error", () => this.lost());
  }

  lost() {
    this.say(this.section.dataset.lost);
    if (this.source.readyState === EventSource.CLOSED) setTimeout(() => this.connect(), RETRY);
  }

  end() {
    this.source.close();
    this.section.dataset.complete = "true";
    document.body.dispatchEvent(new CustomEvent("portal:state"));
  }

  announce(state) {
    const place = document.getElementById("announce");
    if (place && state.label !== this.label) place.textContent = state.label;
    this.label = state.label;
    document.body.dispatchEvent(new CustomEvent("portal:state", { detail: state }));
  }

  take(event) {
    const offset = Number(event.lastEventId);
    if (this.offset !== null && offset <= this.offset) return;
    this.offset = offset;
    for (const line of JSON.parse(event.data)) this.waiting.push(line);
    this.schedule();
  }

  schedule() {
    if (this.paused) this.say(`${this.waiting.length} ${this.section.dataset.more}`);
    else if (!this.frame) this.frame = requestAnimationFrame(() => this.draw());
  }

  // A few thousand lines a frame, so that a flood does not freeze the page.
  draw() {
    this.frame = null;
    for (const line of this.waiting.splice(0, 2000)) this.append(line);
    while (this.lines.childElementCount > MOST_CHUNKS) {
      this.lines.firstElementChild.remove();
      this.say(this.section.dataset.cut);
    }
    if (this.follows) this.toEnd();
    if (this.search) this.countFound();
    if (this.waiting.length) this.schedule();
  }

  append(text) {
    this.count += 1;
    if (this.count % CHUNK === 1) {
      this.chunk?.classList.add("log-chunk--full");
      this.chunk = document.createElement("div");
      this.chunk.className = "log-chunk";
      this.lines.append(this.chunk);
    }
    const line = document.createElement("div");
    line.className = "log-line";
    line.id = `L${this.count}`;
    const number = document.createElement("a");
    number.href = `#${line.id}`;
    number.textContent = this.count;
    number.tabIndex = -1;
    const content = document.createElement("span");
    content.append(render(text));
    line.append(number, content);
    this.chunk.append(line);
    if (this.search) this.mark(content);
  }

  toEnd() {
    this.lines.scrollTop = this.lines.scrollHeight;
    this.drawn = this.lines.scrollTop;
  }

  listen() {
    const find = (name) => this.section.querySelector(`[data-log-${name}]`);
    this.followButton = find("follow");
    this.followButton.addEventListener("click", () => this.setFollow(!this.follows));
    this.lines.addEventListener("scroll", () => {
      const rest = this.lines.scrollHeight - this.lines.scrollTop - this.lines.clientHeight;
      if (rest < 20) this.setFollow(true);
      else if (this.lines.scrollTop < this.drawn - 5) this.setFollow(false);
    });
    const pause = find("pause");
    pause.addEventListener("click", () => {
      this.paused = !this.paused;
      pause.setAttribute("aria-pressed", String(this.paused));
      this.say("");
      this.schedule();
    });
    this.found = find("found");
    find("search").addEventListener("input", (event) => this.find(event.target.value));
    find("next").addEventListener("click", () => this.step(1));
    find("previous").addEventListener("click", () => this.step(-1));
  }

  setFollow(follows) {
    if (follows === this.follows) return;
    this.follows = follows;
    this.followButton.setAttribute("aria-pressed", String(follows));
    if (follows) this.toEnd();
  }

  say(text) {
    this.note.textContent = text;
    this.note.hidden = !text;
  }

  find(text) {
    for (const mark of this.lines.querySelectorAll("mark")) mark.replaceWith(mark.textContent);
    this.search = text.toLowerCase();
    this.current = -1;
    if (this.search) {
      for (const content of this.lines.querySelectorAll(".log-line > span")) {
        content.normalize();
        this.mark(content);
      }
    }
    this.countFound();
  }

  mark(content) {
    const walker = document.createTreeWalker(content, NodeFilter.SHOW_TEXT);
    const nodes = [];
    while (walker.nextNode()) nodes.push(walker.currentNode);
    for (let node of nodes) {
      let at = node.data.toLowerCase().indexOf(this.search);
      while (at >= 0) {
        const hit = node.splitText(at);
        node = hit.splitText(this.search.length);
        const mark = document.createElement("mark");
        hit.replaceWith(mark);
        mark.append(hit);
        at = node.data.toLowerCase().indexOf(this.search);
      }
    }
  }

  countFound() {
    const marks = this.lines.querySelectorAll("mark");
    const place = this.current >= 0 ? `${this.current + 1} / ` : "";
    this.found.textContent = this.search ? `${place}${marks.length}` : "";
    return marks;
  }

  step(by) {
    const marks = this.countFound();
    if (!marks.length) return;
    marks[this.current]?.classList.remove("current");
    this.current = (this.current + by + marks.length) % marks.length;
    this.setFollow(false);
    marks[this.current].classList.add("current");
    marks[this.current].scrollIntoView({ block: "center" });
    this.countFound();
  }
}

for (const section of document.querySelectorAll("[data-log]")) {
  if (section.dataset.events) new Log(section);
}
