import { createSocket } from "node:dgram";
import { once } from "node:events";
import net from "node:net";
import { queryFor } from "../../src/edge/dns/testing/packets.ts";
import { type Load, startAsking } from "./load.ts";

/** What is not answered by then is lost: nothing that is asked here takes a tenth of it. */
const lostAfterMs = 5_000;

/** One datagram and its answer, as a client of its own. @throws {Error} if there is none */
async function askByUdp(port: number, question: Buffer): Promise<Buffer> {
  const socket = createSocket("udp4");
  try {
    socket.connect(port, "127.0.0.1");
    await once(socket, "connect");
    const answer = once(socket, "message", { signal: AbortSignal.timeout(lostAfterMs) });
    socket.send(question);
    return (await answer)[0] as Buffer;
  } finally {
    socket.close();
  }
}

/** One question of DNS on a connection of its own, without the length. @throws {Error} if there is no answer */
async function askByTcp(port: number, question: Buffer): Promise<Buffer> {
  const socket = net.connect(port, "127.0.0.1");
  try {
    const signal = AbortSignal.timeout(lostAfterMs);
    await once(socket, "connect", { signal });
    const answer = once(socket, "data", { signal });
    socket.write(Buffer.concat([Buffer.of(0, question.length), question]));
    return ((await answer)[0] as Buffer).subarray(2);
  } finally {
    socket.destroy();
  }
}

/** Steady questions of DNS for a name that there is, every fifth over TCP. */
export function startQuestions(port: number, name: string, perSecond: number): Load {
  return startAsking(perSecond, async (number) => {
    const question = queryFor(name, { id: number & 0xffff });
    const answer = await (number % 5 === 0 ? askByTcp : askByUdp)(port, question);
    const records = answer.readUInt16BE(6);
    return answer.readUInt16BE(0) === (number & 0xffff) && records > 0 ? null : `it has ${records} records`;
  });
}

/** Steady datagrams to an app that sends them back. */
export function startDatagrams(port: number, perSecond: number): Load {
  return startAsking(perSecond, async (number) => {
    const answer = await askByUdp(port, Buffer.from(String(number)));
    return answer.toString() === String(number) ? null : `it is "${answer}"`;
  });
}
