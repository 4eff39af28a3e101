import type { Server, Socket } from "node:net";
import { DroverError, toErrorBody } from "#model/errors.ts";
import { type Fence, type LinkHello, type LinkIdentity, linkVersion } from "#model/link.ts";
import type { Log } from "#model/log.ts";
import type { MachineId } from "#model/names.ts";
import { Link } from "./caller.ts";
import { parseHello } from "./greetings.ts";
import { readGreeting } from "./handshake.ts";

export interface AcceptOptions {
  readonly listener: Server;
  readonly installation: string;
  readonly fence: Fence;
  readonly log: Log;
  /** Called with each greeted peer. A later link of the same identity replaces an earlier one, which is for the callee to close. */
  readonly onLink: (link: Link) => void;
}

/** Greets whoever dials `listener` and hands over links. Stops when the signal aborts; links that exist live on. */
export function acceptLinks({ listener, installation, fence, log, onLink }: AcceptOptions, signal: AbortSignal): void {
  const greet = async (socket: Socket) => {
    try {
      const hello = readHello(await readGreeting(socket, signal));
      checkHello(hello, installation);
      socket.write(`${JSON.stringify({ drover: "welcome", version: linkVersion, installation, fence })}\n`);
      const identity: LinkIdentity = { role: hello.role, machine: hello.machine as MachineId, isLeaving: hello.isLeaving ?? false };
      onLink(new Link(socket, identity));
    } catch (error) {
      log.warn("link refused", { error: error instanceof Error ? error.message : String(error) });
      const { code, message, hint } = toErrorBody(error);
      socket.end(`${JSON.stringify({ drover: "refused", code, message, hint })}\n`);
    }
  };
  const onConnection = (socket: Socket) => {
    socket.on("error", (error) => log.debug("link connection failed", { error: error.message }));
    void greet(socket);
  };
  listener.on("connection", onConnection);
  signal.addEventListener("abort", () => listener.off("connection", onConnection), { once: true });
}

function readHello(value: unknown): LinkHello {
  const hello = parseHello(value);
  if (hello !== null) return hello;
  throw new DroverError("REQUEST_INVALID", "the greeting of an agent or edge does not fit", {
    hint: "Only Drover's agents and edges may dial this address.",
  });
}

function checkHello(hello: LinkHello, installation: string): void {
  if (Math.abs(hello.version - linkVersion) > 1) {
    throw new DroverError("VERSION_MISMATCH", `the ${hello.role} speaks link version ${hello.version}, this server ${linkVersion}`, {
      hint: "Upgrade the older of the two; versions one apart understand each other.",
    });
  }
  if (hello.installation !== null && hello.installation !== installation) {
    throw new DroverError(
      "INSTALLATION_MISMATCH",
      `the ${hello.role} of machine "${hello.machine}" belongs to installation ${hello.installation}, this is ${installation}`,
      {
        hint: "The server's store is not the one that this machine was run from. Restore its backup, or give Drover a new home directory.",
      },
    );
  }
}
