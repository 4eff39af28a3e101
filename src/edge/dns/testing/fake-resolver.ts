import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import net from "node:net";
import type { TestContext } from "node:test";
import { uint16 } from "./packets.ts";

export interface FakeResolver {
  readonly host: string;
  readonly port: number;
  /** Every query that came, as it came. */
  readonly queries: readonly { readonly packet: Buffer; readonly transport: "udp" | "tcp" }[];
}

/** What a resolver says: one packet, several, or nothing. */
export type Behaviour = (query: Buffer, transport: "udp" | "tcp") => Buffer | readonly Buffer[] | null;

/** A real resolver on loopback, over UDP and TCP, that says what it is told to. */
export async function fakeResolver(t: TestContext, behave: Behaviour): Promise<FakeResolver> {
  const queries: { readonly packet: Buffer; readonly transport: "udp" | "tcp" }[] = [];
  const answersTo = (packet: Buffer, transport: "udp" | "tcp") => {
    queries.push({ packet, transport });
    const said = behave(packet, transport);
    return said === null ? [] : Buffer.isBuffer(said) ? [said] : said;
  };
  const tcp = net.createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk) => {
      for (const answer of answersTo(chunk.subarray(2), "tcp")) socket.write(Buffer.concat([uint16(answer.length), answer]));
    });
  });
  const { udp, port } = await openBoth(tcp);
  udp.on("message", (packet, { address, port: from }) => {
    for (const answer of answersTo(packet, "udp")) udp.send(answer, from, address);
  });
  t.after(() => {
    udp.close();
    tcp.close();
  });
  return { host: "127.0.0.1", port, queries };
}

/** A free port of TCP, the scarcer ones, is most likely free for UDP too; if it is not, another is taken. */
async function openBoth(tcp: net.Server): Promise<{ readonly udp: Socket; readonly port: number }> {
  for (;;) {
    tcp.listen(0, "127.0.0.1");
    await once(tcp, "listening");
    const { port } = tcp.address() as net.AddressInfo;
    const udp = createSocket("udp4");
    udp.bind(port, "127.0.0.1");
    const isOpen = await once(udp, "listening").then(
      () => true,
      () => false,
    );
    if (isOpen) return { udp, port };
    udp.close();
    tcp.close();
    await once(tcp, "close");
  }
}

export interface SaidOptions {
  readonly flags?: number;
  readonly rcode?: number;
  /** Records, each whole, with the question's name as `0xc00c`. */
  readonly answers?: readonly Buffer[];
  readonly authorities?: readonly Buffer[];
  readonly additional?: readonly Buffer[];
}

/** An answer that repeats the query's id and question. */
export function said(query: Buffer, { flags = 0x8180, rcode = 0, answers = [], authorities = [], additional = [] }: SaidOptions): Buffer {
  let end = 12;
  while ((query[end] ?? 0) !== 0) end += 1 + (query[end] ?? 0);
  const head = Buffer.from(query.subarray(0, 12));
  head.writeUInt16BE(flags | rcode, 2);
  for (const [i, list] of [answers, authorities, additional].entries()) head.writeUInt16BE(list.length, 6 + 2 * i);
  return Buffer.concat([head, query.subarray(12, end + 5), ...answers, ...authorities, ...additional]);
}

/** One record of the question's name. */
export function record(type: number, ttlS: number, data: Buffer): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc00c);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(ttlS, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}
