// Stands for a bundler: writes the page that the service shows.
const fs = require("node:fs");

fs.mkdirSync("built", { recursive: true });
fs.writeFileSync(
  "built/index.html",
  `<!doctype html><html lang="en"><title>Front end</title><h1>Built by Node.js ${process.version}</h1></html>\n`,
);
