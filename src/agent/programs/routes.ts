import type { LinkCall, LinkRoutes } from "#link/serve.ts";
import { DroverError } from "#model/errors.ts";
import { mostParts, type ProgramsOrder, partPattern } from "#model/programs.ts";
import { isCount, isRecord, isText } from "#model/shape.ts";
import type { PartSource } from "./fetch-part.ts";
import type { Programs } from "./programs.ts";

/**
 * What an agent serves of Drover's own programs; the table is in `model/link.ts`.
 * @param become has the agent go on from another folder
 */
export function programsRoutes(programs: Programs, become: (root: string) => void): LinkRoutes {
  /** Once the answer has arrived, which an answer to a ping behind it shows, or nobody waits for it any more: the connection ends then. */
  const afterwards = ({ stream }: LinkCall, root: string) => {
    const { session } = stream;
    const go = () => become(root);
    if (session === undefined || session.destroyed) go();
    else stream.once("close", () => (session.destroyed || !session.ping(go) ? go() : undefined));
  };
  return {
    "GET /programs": () => programs.state(),
    "PUT /programs/parts/:digest": async (call) => {
      try {
        await programs.receive(partOf(call), call.stream, call.signal);
      } finally {
        // What was not read still has to arrive somewhere, or the sender never hears the answer.
        call.stream.resume();
      }
      return null;
    },
    "POST /programs/give": async (call) => {
      const body = await call.body();
      return programs.give(readParts(isRecord(body) ? body["parts"] : null), call.signal);
    },
    "POST /programs/parts/:digest/fetch": async (call) => {
      await programs.fetch(partOf(call), readSource(await call.body()), call.signal);
      return null;
    },
    "POST /programs": async (call) => {
      const root = await programs.start(readOrder(await call.body()));
      if (root !== null) afterwards(call, root);
      return null;
    },
    "POST /programs/keep": async () => {
      await programs.keep();
      return null;
    },
    "POST /programs/back": async (call) => {
      afterwards(call, await programs.back());
      return null;
    },
  };
}

function partOf(call: LinkCall): string {
  const { digest = "" } = call.params;
  if (!partPattern.test(digest)) throw new DroverError("REQUEST_INVALID", `${JSON.stringify(digest)} is no digest of a part`);
  return digest;
}

function readOrder(body: unknown): ProgramsOrder {
  const { id, parts } = isRecord(body) ? body : {};
  if (!isText(id) || !/^[0-9a-f]{16}$/.test(id)) throw new DroverError("REQUEST_INVALID", "the order names no version");
  return { id, parts: readParts(parts) };
}

function readParts(parts: unknown): readonly string[] {
  if (Array.isArray(parts) && parts.length <= mostParts && parts.every((part) => isText(part) && partPattern.test(part))) return parts;
  throw new DroverError("REQUEST_INVALID", "the order names no parts");
}

function readSource(body: unknown): PartSource {
  const { host, port, token } = isRecord(body) ? body : {};
  if (isText(host) && isCount(port) && port <= 65_535 && isText(token)) return { host, port, token };
  throw new DroverError("REQUEST_INVALID", "the order names no neighbour");
}
