// Says hello from the machine that it runs on. Broken for good by BREAK=yes in its environment, and by a GET of /break until it starts anew.
import http from "node:http";
import { hostname } from "node:os";

const { BREAK, DROVER_INSTANCE, PORT } = process.env;
let isBroken = BREAK === "yes";

http
  .createServer((request, response) => {
    if (request.url === "/break") isBroken = true;
    response.setHeader("x-instance", DROVER_INSTANCE);
    response.writeHead(isBroken ? 500 : 200).end(isBroken ? "I am broken\n" : `hello from ${hostname()}\n`);
  })
  .listen(Number(PORT));
