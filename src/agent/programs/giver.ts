import { createHash, timingSafeEqual } from "node:crypto";
import { createReadStream, rmSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { pipeline } from "node:stream/promises";
import { packDistribution } from "#host/distribution.ts";
import { isRecord, isText, parseJson } from "#model/shape.ts";

// Gives the parts of a Drover away, packed anew from its own folder: a program of its own, so that what packing takes is given back when it ends. It ends when nobody
// has wanted anything for a while, or its agent has. usage: giver.ts ROOT FOLDER; each line in is an offer, the line out says what there is and where.

/** When nobody wants anything for so long, the port is closed and all offers are forgotten: the program ends. */
const idleMs = 60_000;
const sayWithinMs = 10_000;
/** A socket that takes nothing for so long is of a host that is gone. */
const stallMs = 20_000;
/** As many hosts as are added at once. */
const mostSockets = 100;
const longestRequest = 200;

const [root = "", folder = ""] = process.argv.slice(2);
const ending = new AbortController();
const offers: { readonly token: Buffer; readonly left: Set<string> }[] = [];
const sockets = new Set<Socket>();

const empty = () => rmSync(folder, { recursive: true, force: true });

// What one that was killed has left.
empty();
process.once("exit", empty);
const { parts } = await packDistribution(root, folder, ending.signal);
const files = new Map(parts.map(({ digest, file }) => [digest, file]));
const server = createServer(serve);
server.maxConnections = mostSockets;
// A large part over a slow line goes on as long as it is taken.
const idle = setTimeout(() => (sockets.size > 0 ? idle.refresh() : process.exit()), idleMs);

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const offer = parseJson(line);
  if (!isRecord(offer) || !isText(offer["token"]) || !Array.isArray(offer["parts"])) throw new Error("a line is no offer");
  offers.push({ token: digestOf(offer["token"]), left: new Set(offer["parts"]) });
  idle.refresh();
});
lines.on("close", () => process.exit());
server.listen(0, () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ port, parts: [...files.keys()] })}\n`);
});

function serve(socket: Socket): void {
  sockets.add(socket);
  socket.setTimeout(sayWithinMs, () => socket.destroy());
  // Whoever fetches says itself what went wrong.
  socket.on("error", () => undefined);
  socket.on("close", () => {
    sockets.delete(socket);
    idle.refresh();
  });
  let said = "";
  const hear = (chunk: Buffer) => {
    said += chunk;
    if (!said.includes("\n") && said.length < longestRequest) return;
    socket.off("data", hear);
    const file = wanted(said);
    if (file === null) socket.destroy();
    else give(file, socket);
  };
  socket.on("data", hear);
}

function give(file: string, socket: Socket): void {
  socket.setTimeout(stallMs);
  pipeline(createReadStream(file, { highWaterMark: 2 ** 18 }), socket).catch(() => socket.destroy());
}

/** Each part of an offer is given once. */
function wanted(said: string): string | null {
  const [, token, digest] = /^drover-part (\S+) ([0-9a-f]{64})\n/.exec(said) ?? [];
  if (token === undefined || digest === undefined) return null;
  const shown = digestOf(token);
  const offer = offers.find((one) => timingSafeEqual(one.token, shown));
  return offer?.left.delete(digest) === true ? (files.get(digest) ?? null) : null;
}

function digestOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
