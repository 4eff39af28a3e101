// Says hello while a machine of the data centre answers. Broken for good by BREAK=yes in its environment, and by a GET of /break until it starts anew.
import http from "node:http";
import net from "node:net";

const { NET, BREAK, PORT } = process.env;
const machines = [1, 2].flatMap((pool) => [1, 2].map((machine) => `127.${NET}.${pool}.${machine}`));
let isBroken = BREAK === "yes";

function answers(host) {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port: 7007, timeout: 500 });
    const end = (isUp) => {
      socket.destroy();
      resolve(isUp);
    };
    socket.once("connect", () => end(true));
    for (const event of ["error", "timeout"]) socket.once(event, () => end(false));
  });
}

http
  .createServer(async (request, response) => {
    if (request.url === "/break") isBroken = true;
    const isUp = (await Promise.all(machines.map(answers))).includes(true);
    if (isBroken) response.writeHead(500).end("I am broken\n");
    else if (!isUp) response.writeHead(503).end("no machine answers\n");
    else response.writeHead(200).end("hello\n");
  })
  .listen(Number(PORT), "127.0.0.1");
