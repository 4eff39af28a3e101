import { createSocket } from "node:dgram";
import { once } from "node:events";
import net, { isIPv6 } from "node:net";
import { flags, headerBytes } from "../codes.ts";
import type { DnsAddress } from "./resolvers.ts";

/** What came back over UDP. `again`: something that cannot be trusted or is not whole, so the same is asked over TCP. */
type UdpReply = { readonly kind: "answer"; readonly packet: Buffer } | { readonly kind: "again" };

/** Wrong answers on the socket of one question before somebody is taken to be guessing its id. */
const mostWrongAnswers = 8;

/**
 * Asks one resolver and gives its answer: over UDP from a port of its own, so that a forger has to guess that too, and over TCP where the answer
 * is too long or looks forged. Rejects when the resolver cannot be reached, breaks off, or the signal aborts.
 * @param query id, flags, one question, perhaps an OPT record. The answer has to repeat id and question to the letter.
 */
export async function askUpstream(upstream: DnsAddress, query: Buffer, questionEnd: number, signal: AbortSignal): Promise<Buffer> {
  const reply = await askOverUdp(upstream, query, questionEnd, signal);
  return reply.kind === "answer" ? reply.packet : askOverTcp(upstream, query, questionEnd, signal);
}

async function askOverUdp({ host, port }: DnsAddress, query: Buffer, questionEnd: number, signal: AbortSignal): Promise<UdpReply> {
  const socket = createSocket(isIPv6(host.replace(/%.*$/, "")) ? "udp6" : "udp4");
  const { promise, resolve, reject } = Promise.withResolvers<UdpReply>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  let wrong = 0;
  socket.on("error", reject);
  socket.on("message", (packet) => {
    const match = compare(packet, query, questionEnd);
    if (match === "wrong") {
      if (++wrong === mostWrongAnswers) resolve({ kind: "again" });
    } else if (match === "spelling" || (packet.readUInt16BE(2) & flags.truncated) !== 0) resolve({ kind: "again" });
    else resolve({ kind: "answer", packet });
  });
  try {
    signal.throwIfAborted();
    // Connected: the kernel lets nobody else answer, and says when there is nobody.
    socket.connect(port, host, () => socket.send(query, (error) => error && reject(error)));
    return await promise;
  } finally {
    signal.removeEventListener("abort", onAbort);
    socket.removeAllListeners("message");
    socket.close();
  }
}

async function askOverTcp({ host, port }: DnsAddress, query: Buffer, questionEnd: number, signal: AbortSignal): Promise<Buffer> {
  signal.throwIfAborted();
  const socket = net.connect({ host, port, signal });
  try {
    await once(socket, "connect", { signal });
    const length = Buffer.alloc(2);
    length.writeUInt16BE(query.length);
    socket.write(Buffer.concat([length, query]));
    let read: Buffer = Buffer.alloc(0);
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      read = read.length === 0 ? chunk : Buffer.concat([read, chunk]);
      if (read.length < 2 || read.length < 2 + read.readUInt16BE(0)) continue;
      const packet = read.subarray(2, 2 + read.readUInt16BE(0));
      if (compare(packet, query, questionEnd) !== "same") throw new Error("the resolver answered something else over TCP");
      return packet;
    }
    throw new Error("the resolver closed the connection before its answer was whole");
  } finally {
    socket.destroy();
  }
}

/** `spelling`: everything is right but the letters' case, in which a true answer repeats ours (draft-vixie-dnsext-dns0x20). */
function compare(packet: Buffer, query: Buffer, questionEnd: number): "same" | "spelling" | "wrong" {
  if (packet.length < questionEnd || packet.readUInt16BE(0) !== query.readUInt16BE(0)) return "wrong";
  const head = packet.readUInt16BE(2);
  if ((head & flags.response) === 0 || (head & flags.opcode) !== 0 || packet.readUInt16BE(4) !== 1) return "wrong";
  const asked = query.subarray(headerBytes, questionEnd);
  const answered = packet.subarray(headerBytes, questionEnd);
  if (asked.equals(answered)) return "same";
  return asked.toString("latin1").toLowerCase() === answered.toString("latin1").toLowerCase() ? "spelling" : "wrong";
}
