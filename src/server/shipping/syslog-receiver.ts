import { once } from "node:events";
import net, { isIP } from "node:net";
import tls from "node:tls";
import type { ResolveOutgoing } from "#host/outgoing.ts";
import type { EventLevel } from "#model/log-level.ts";
import { untilAborted } from "#model/until-aborted.ts";
import { failed, type Receiver, taken } from "./receiver.ts";
import type { ShippedEvent } from "./shipped-event.ts";

/** Connecting, sending a batch, and the receiver's reading it to its end. */
const deadlineMs = 30_000;

/** RFC 5424, table 1: user-level messages. */
const facility = 1;
/** RFC 5424, table 2. A line that says no level is informational. */
const severities: Readonly<Record<EventLevel, number>> = { trace: 7, debug: 7, info: 6, warn: 4, error: 3, fatal: 2 };
/** Of names of structured data that nobody registered; 32473 is the number that RFC 5612 keeps for those who have none. */
const ownData = "drover@32473";

export interface SyslogOptions {
  readonly host: string;
  readonly port: number;
  /** Off: the text goes over plain TCP. */
  readonly isTls: boolean;
  /** PEM; null: the machine's authorities. */
  readonly ca: string | null;
  readonly resolve: ResolveOutgoing;
}

/**
 * A receiver of RFC 5424 messages over TLS (RFC 5425), each with its length before it, so that an event may have several lines.
 *
 * The protocol has no word for "taken". So each batch has a connection of its own, which we end first: a receiver ends its side when it has read
 * all there was, and one that dies before resets the connection. Only then does the batch count as sent.
 */
export function syslogReceiver(options: SyslogOptions): Receiver {
  let session: Buffer | undefined;
  return {
    send: async (events, parent) => {
      const signal = AbortSignal.any([parent, AbortSignal.timeout(deadlineMs)]);
      try {
        const { address, family } = await untilAborted(options.resolve(options.host), signal);
        const socket = connect(options, address, family, session);
        // Of TLS 1.3 a session comes after the handshake, and saves most of the next one.
        socket.on("session", (ticket: Buffer) => (session = ticket));
        await sendAll(socket, Buffer.concat(events.map(octetCounted)), options.isTls ? "secureConnect" : "connect", signal);
        return taken;
      } catch (error) {
        parent.throwIfAborted();
        // One that is not accepted any more must not keep the next attempt from being made.
        session = undefined;
        if (signal.aborted) return failed(`did not take a batch and end the connection within ${deadlineMs / 1_000} s`);
        throw error;
      }
    },
    close: () => undefined,
  };
}

function connect({ port, isTls, host, ca }: SyslogOptions, address: string, family: 4 | 6, session: Buffer | undefined): net.Socket {
  if (!isTls) return net.connect({ host: address, port, family });
  const name = host.replace(/^\[(.*)\]$/, "$1");
  return tls.connect({
    host: address,
    port,
    ...(isIP(name) === 0 ? { servername: name } : {}),
    ...(ca === null ? {} : { ca }),
    ...(session === undefined ? {} : { session }),
  });
}

async function sendAll(socket: net.Socket, bytes: Buffer, opened: "connect" | "secureConnect", signal: AbortSignal): Promise<void> {
  const onAbort = () => socket.destroy(signal.reason instanceof Error ? signal.reason : new Error("aborted"));
  signal.addEventListener("abort", onAbort, { once: true });
  // Whoever waits below hears no more of it once the signal aborts, and an error that nobody hears ends the server.
  socket.on("error", () => undefined);
  try {
    signal.throwIfAborted();
    await once(socket, opened);
    // Receivers say nothing; what they would say is read, so that their end of the connection is seen.
    socket.resume();
    const ended = once(socket, "end", { signal });
    socket.end(bytes);
    await ended;
  } finally {
    signal.removeEventListener("abort", onAbort);
    socket.destroy();
  }
}

function octetCounted(event: ShippedEvent): Buffer {
  const message = Buffer.from(syslogMessage(event));
  return Buffer.concat([Buffer.from(`${message.length} `), message]);
}

/** One event as RFC 5424, 6 has it. */
export function syslogMessage(event: ShippedEvent): string {
  const { level, atMs, machine, app, instance, space, process, release, id, sequence, source } = event;
  const priority = facility * 8 + (source === "drover" ? severities.warn : level === null ? severities.info : severities[level]);
  const parameters = Object.entries({ space, app, process, release, instance, machine, id, level }).flatMap(([name, value]) =>
    value === null ? [] : [` ${name}="${value.replaceAll(/["\\\]]/g, "\\$&")}"`],
  );
  // Numbers of `meta` end at 2^31 and begin anew at 1 (RFC 5424, 7.3.1).
  const meta = `[meta sequenceId="${((sequence - 1) % 2_147_483_647) + 1}"]`;
  const header = `<${priority}>1 ${new Date(atMs).toISOString()} ${printable(machine, 255)} ${printable(app, 48)} ${printable(instance, 128)} -`;
  return `${header} ${meta}[${ownData}${parameters.join("")}] ${event.text}`;
}

/** What a header may hold (RFC 5424, 6: PRINTUSASCII); a dash stands for nothing. */
function printable(text: string, longest: number): string {
  const shown = text.replaceAll(/[^\x21-\x7e]/g, "?").slice(0, longest);
  return shown === "" ? "-" : shown;
}
