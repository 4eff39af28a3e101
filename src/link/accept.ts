import type { Server, Socket } from "node:net";
import { DroverError, toErrorBody } from "#model/errors.ts";
import { type Fence, type LinkHello, type LinkIdentity, linkVersion } from "#model/link.ts";
import type { Log } from "#model/log.ts";
import type { MachineId } from "#model/names.ts";
import { Link } from "./caller.ts";
import { parseHello } from "./greetings.ts";
import { readGreeting, writeGreeting } from "./handshake.ts";

export interface GreetOptions {
  readonly installation: string;
  readonly fence: Fence;
  readonly log: Log;
  /** Called with each greeted peer. A later link of the same identity replaces an earlier one, which is for the callee to close. */
  readonly onLink: (link: Link) => void;
}

export interface AcceptOptions extends GreetOptions {
  readonly listener: Server;
}

/** Greets whoever dials `listener` and hands over links. Stops when the signal aborts; links that exist live on. */
export function acceptLinks({ listener, ...options }: AcceptOptions, signal: AbortSignal): void {
  const greet = async (socket: Socket) => {
    try {
      await welcome(socket, await readGreeting(socket, signal), { ...options, isRemote: false });
    } catch (error) {
      refuse(socket, error, options.log);
    }
  };
  const onConnection = (socket: Socket) => {
    socket.on("error", (error) => options.log.debug("link connection failed", { error: error.message }));
    void greet(socket);
  };
  listener.on("connection", onConnection);
  signal.addEventListener("abort", () => listener.off("connection", onConnection), { once: true });
}

export interface WelcomeOptions extends GreetOptions {
  readonly isRemote: boolean;
  /** Whether the peer is who it says. @throws {DroverError} */
  readonly vouch?: (hello: LinkHello) => void;
}

/** Answers a hello and hands over the link. @throws {DroverError} for the peer to hear, if it cannot be linked */
export async function welcome(
  socket: Socket,
  greeting: unknown,
  { installation, fence, onLink, isRemote, vouch }: WelcomeOptions,
): Promise<void> {
  const hello = readHello(greeting);
  requireVersion(hello.role, hello.version);
  vouch?.(hello);
  checkInstallation(hello, installation);
  await writeGreeting(socket, { drover: "welcome", version: linkVersion, installation, fence });
  const { role, machine, isLeaving = false } = hello;
  const identity: LinkIdentity = { role, machine: machine as MachineId, isLeaving, isRemote };
  onLink(new Link(socket, identity));
}

/** Says why and ends the connection. */
export function refuse(socket: Socket, error: unknown, log: Log): void {
  log.warn("link refused", { error: error instanceof Error ? error.message : String(error) });
  const { code, message, hint } = toErrorBody(error);
  socket.end(`${JSON.stringify({ drover: "refused", code, message, hint })}\n`);
}

function readHello(value: unknown): LinkHello {
  const hello = parseHello(value);
  if (hello !== null) return hello;
  throw new DroverError("REQUEST_INVALID", "the greeting of an agent or edge does not fit", {
    hint: "Only Drover's agents and edges may dial this address.",
  });
}

/** Peers one apart understand each other. @throws {DroverError} VERSION_MISMATCH beyond that */
export function requireVersion(who: string, version: number): void {
  if (Math.abs(version - linkVersion) <= 1) return;
  throw new DroverError("VERSION_MISMATCH", `the ${who} speaks link version ${version}, this server ${linkVersion}`, {
    hint: "Upgrade the older of the two; versions one apart understand each other.",
  });
}

function checkInstallation(hello: LinkHello, installation: string): void {
  if (hello.installation === null || hello.installation === installation) return;
  throw new DroverError(
    "INSTALLATION_MISMATCH",
    `the ${hello.role} of machine "${hello.machine}" belongs to installation ${hello.installation}, this is ${installation}`,
    {
      hint: "The server's store is not the one that this machine was run from. Restore its backup, or give Drover a new home directory.",
    },
  );
}
