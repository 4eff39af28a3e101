import { rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { packDistribution } from "#host/distribution.ts";
import { isRecord, isText, parseJson } from "#model/shape.ts";
import { PartPort } from "./part-port.ts";

// Gives the parts of a Drover away, packed anew from its own folder: a program of its own, so that what packing takes is given back when it ends. It ends when nobody
// has wanted anything for a while, or its agent has. usage: giver.ts ROOT FOLDER; each line in is an offer, the line out says what there is and where.

/** When nobody wants anything for so long, the port is closed and all offers are forgotten: the program ends. */
const idleMs = 60_000;

const [root = "", folder = ""] = process.argv.slice(2);
const ending = new AbortController();

const empty = () => rmSync(folder, { recursive: true, force: true });

// What one that was killed has left.
empty();
process.once("exit", empty);
const { parts } = await packDistribution(root, folder, ending.signal);
const port = new PartPort({ files: new Map(parts.map(({ digest, file }) => [digest, file])), onUse: () => idle.refresh() });
// A large part over a slow line goes on as long as it is taken.
const idle = setTimeout(() => (port.isInUse ? idle.refresh() : process.exit()), idleMs);

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const offer = parseJson(line);
  if (!isRecord(offer) || !isText(offer["token"]) || !Array.isArray(offer["parts"])) throw new Error("a line is no offer");
  port.offer({ token: offer["token"], parts: offer["parts"] });
  idle.refresh();
});
lines.on("close", () => process.exit());
port.server.listen(0, () => {
  const address = port.server.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ port: address.port, parts: parts.map(({ digest }) => digest) })}\n`);
});
