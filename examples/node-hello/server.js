// A page without any package: Node.js alone.
const http = require("node:http");

const page = `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Hello</title>
<h1>Hello from Node.js ${process.version}</h1></html>`;

http
  .createServer((request, response) => {
    response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" });
    response.end(page);
  })
  .listen(Number(process.env.PORT), process.env.HOST || "127.0.0.1");
