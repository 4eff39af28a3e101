import net from "node:net";
import { host } from "../embedded/testing/edge.ts";

/* Bytes of HTTP/2 that no library would send: what they are made of, and the rows of hostile input that concern it. */

export const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
export const type = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
export const endStream = 1;
const endHeaders = 4;
/** Answers that say no: the edge's own heads are short, and their status is not compressed away. */
export const answered = "headers";

export function frame(kind: number, flags: number, stream: number, payload: Buffer | string = ""): Buffer {
  const bytes = typeof payload === "string" ? Buffer.from(payload, "latin1") : payload;
  const head = Buffer.alloc(9);
  head.writeUIntBE(bytes.length, 0, 3);
  head[3] = kind;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, bytes]);
}

export type Field = readonly [name: string, value: string];

/** Fields as they stand (RFC 7541, section 6.2.2). */
export const fields = (...all: readonly Field[]) =>
  Buffer.concat(
    all.map(([name, value]) =>
      Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value)]),
    ),
  );
const pseudo = (method: string, path = "/", authority = host): readonly Field[] => [
  [":method", method],
  [":scheme", "http"],
  [":authority", authority],
  [":path", path],
];
const uint32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const setting = (id: number, value: number) => Buffer.concat([Buffer.from([0, id]), uint32(value)]);
const get = (...more: readonly Field[]) => frame(type.headers, endStream | endHeaders, 1, fields(...pseudo("GET"), ...more));
export const post = (...more: readonly Field[]) => frame(type.headers, endHeaders, 1, fields(...pseudo("POST"), ...more));
const only = (...all: readonly Field[]) => [frame(type.headers, endStream | endHeaders, 1, fields(...all))];

/** Sends frames on a connection of its own. Resolves with what comes back up to the first word about the request, or the end of the connection. */
export async function exchangeFrames(port: number, sent: readonly Buffer[], settings: Buffer | string = ""): Promise<string> {
  const socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
  socket.on("error", () => {});
  socket.write(Buffer.concat([preface, frame(type.settings, 0, 0, settings), ...sent]));
  let input = Buffer.alloc(0);
  const words: string[] = [];
  await new Promise<void>((resolve) => {
    socket.on("data", (bytes: Buffer) => {
      input = Buffer.concat([input, bytes]);
      while (input.length >= 9 && input.length >= 9 + input.readUIntBE(0, 3)) {
        const payload = input.subarray(9, 9 + input.readUIntBE(0, 3));
        if (input[3] === type.reset) words.push(`reset ${payload.readUInt32BE(0)}`);
        else if (input[3] === type.goaway) words.push(`goaway ${payload.readUInt32BE(4)}`);
        else if (input[3] === type.headers) words.push(answered);
        input = input.subarray(9 + payload.length);
      }
      if (words.length > 0) resolve();
    });
    socket.on("close", () => resolve());
  });
  const { closed } = socket;
  socket.destroy();
  return [...words, ...(closed ? ["closed"] : [])].join();
}

const name = "x".repeat(30);
/** A field of 4,000 bytes that goes into the table, then itself again, one byte each: 16 MB out of 8 kB. */
const bomb = Buffer.concat([
  fields(...pseudo("GET")),
  Buffer.from([0x40, name.length]),
  Buffer.from(name),
  Buffer.from([0x7f, 0xa1, 0x1e]),
  Buffer.alloc(4_000, "y"),
  Buffer.alloc(4_000, 0xbe),
]);

/** What is no request, as the frames that it is sent in. */
export const hostileFrames: Readonly<Record<string, readonly Buffer[]>> = {
  "an empty path": only(...pseudo("GET", "")),
  "a path without a slash": only(...pseudo("GET", "a")),
  "a path of another scheme": only(...pseudo("GET", "http://other.test/")),
  "an asterisk": only(...pseudo("OPTIONS", "*")),
  CONNECT: only([":method", "CONNECT"], [":authority", "other.test:443"]),
  TRACE: only(...pseudo("TRACE")),
  "a method in lower case": only(...pseudo("get")),
  "no authority and no host": only([":method", "GET"], [":scheme", "http"], [":path", "/"]),
  "user info in the authority": only(...pseudo("GET", "/", "user@app.test")),
  "two hosts in the authority": only(...pseudo("GET", "/", "app.test, other.test")),
  "a pseudo field that is none": [get([":other", "x"])],
  "a pseudo field of an answer": only(...pseudo("GET"), [":status", "200"]),
  "a pseudo field twice": only(...pseudo("GET"), [":path", "/other"]),
  "a pseudo field behind the others": only([":method", "GET"], ["x", "y"], [":scheme", "http"], [":authority", host], [":path", "/"]),
  "te that is not trailers": [get(["te", "gzip"])],
  "transfer-encoding": [post(["transfer-encoding", "chunked"]), frame(type.data, endStream, 1, "0\r\n\r\n")],
  "keep-alive": [get(["keep-alive", "timeout=5"])],
  "proxy-connection": [get(["proxy-connection", "keep-alive"])],
  "an upgrade": [get(["connection", "upgrade"], ["upgrade", "websocket"])],
  "a disguised content_length": [get(["content_length", "5"])],
  "two lengths": [post(["content-length", "5"], ["content-length", "6"]), frame(type.data, endStream, 1, "hello")],
  "a length with a sign": [post(["content-length", "+5"]), frame(type.data, endStream, 1, "hello")],
  "less than the length": [post(["content-length", "5"]), frame(type.data, endStream, 1, "hi")],
  "more than the length": [post(["content-length", "5"]), frame(type.data, endStream, 1, "hello, hello")],
  "a length and no body": [get(["content-length", "5"])],
  "a pseudo field in trailers": [
    post(),
    frame(type.data, 0, 1, "x"),
    frame(type.headers, endStream | endHeaders, 1, fields([":path", "/late"])),
  ],
  "trailers that end nothing": [post(), frame(type.data, 0, 1, "x"), frame(type.headers, endHeaders, 1, fields(["x", "y"]))],
  "a field that unpacks to megabytes": [frame(type.headers, endStream | endHeaders, 1, bomb)],
  "fields that cannot be unpacked": [frame(type.headers, endStream | endHeaders, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]))],
  "a frame that is longer than agreed": [post(), frame(type.data, endStream, 1, Buffer.alloc(20_000))],
  "a continuation of nothing": [frame(type.continuation, endHeaders, 1, fields(...pseudo("GET")))],
  "another frame between a head's": [frame(type.headers, endStream, 1, fields(...pseudo("GET"))), frame(type.ping, 0, 0, Buffer.alloc(8))],
  "a promise of a client": [frame(type.pushPromise, endHeaders, 1, Buffer.concat([uint32(2), fields(...pseudo("GET"))]))],
  "a stream of the edge's own number": [frame(type.headers, endStream | endHeaders, 2, fields(...pseudo("GET")))],
  "data on a stream that was never opened": [frame(type.data, endStream, 1, "GET / HTTP/1.1\r\n\r\n")],
  "a window that opens by nothing": [frame(type.windowUpdate, 0, 0, uint32(0))],
  "a window beyond its end": [frame(type.windowUpdate, 0, 0, uint32(0x7fff_ffff)), frame(type.windowUpdate, 0, 0, uint32(0x7fff_ffff))],
  "a setting of a window beyond its end": [frame(type.settings, 0, 0, setting(4, 0x8000_0000))],
  "a setting of frames beyond their bounds": [frame(type.settings, 0, 0, setting(5, 1))],
  "HTTP/1.1 in place of frames": [Buffer.from(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)],
};

const plain = pseudo("GET");
const without = (left: string) => plain.filter(([one]) => one !== left);

/** Fields that would be lines of their own, or other lines, if they were written down as they are. Those with "evil" are to be seen by no app. */
export const foulFields: readonly (readonly Field[])[] = [
  [...plain, ["x", "a\r\nx-evil: 1"]],
  [...plain, ["x", "a\nx-evil: 1"]],
  [...plain, ["x", "a\0b"]],
  [...plain, ["x\r\nx-evil", "1"]],
  [...plain, ["x evil", "1"]],
  [...plain, ["x:evil", "1"]],
  [...plain, ["X-Evil", "1"]],
  [...plain, ["", "1"]],
  [...plain, ["transfer-encoding", "chunked"]],
  [...plain, ["connection", "x-forwarded-for"]],
  [...plain, ["upgrade", "h2c"]],
  [...plain, ["host", "evil.test"]],
  [...plain, ["content-length", "5"]],
  [...plain, [":path", "/late"]],
  [...plain, [":protocol", "websocket"]],
  without(":path"),
  without(":method"),
  [...without(":path"), [":path", "/ HTTP/1.1\r\nx-evil: 1\r\n\r\n"]],
  [...without(":path"), [":path", "/a b"]],
  [...without(":method"), [":method", "GET / HTTP/1.1\r\nx-evil: 1\r\n\r\nGET"]],
  [...without(":authority"), [":authority", "app.test\r\nx-evil: 1"]],
  [...plain, [":authority", "app.test"]],
];

/** A head of these fields alone, that ends its request. */
export const headOf = (sent: readonly Field[]): Buffer => frame(type.headers, endStream | endHeaders, 1, fields(...sent));

const many = <T>(count: number, make: (i: number) => T) => Array.from({ length: count }, (_, i) => make(i));

/** What costs its sender next to nothing, a thousand times. */
export const floods: Readonly<Record<string, readonly Buffer[]>> = {
  pings: many(1_000, () => frame(type.ping, 0, 0, Buffer.alloc(8))),
  settings: many(1_000, () => frame(type.settings, 0, 0)),
  priorities: many(1_000, (i) => frame(type.priority, 0, 2 * i + 3, Buffer.from([0, 0, 0, 1, 5]))),
  "empty data": [post(), ...many(1_000, () => frame(type.data, 0, 1))],
  continuations: [
    frame(type.headers, endStream, 1, fields(...plain)),
    ...many(1_000, () => frame(type.continuation, 0, 1, fields(["x", "y"]))),
  ],
  "requests taken back": many(1_000, (i) =>
    Buffer.concat([
      frame(type.headers, endStream | endHeaders, 2 * i + 1, fields(...plain)),
      frame(type.reset, 0, 2 * i + 1, Buffer.from([0, 0, 0, 8])),
    ]),
  ),
};

/** Heads beyond every limit, in as many frames as they take. */
export const overlongHeads: readonly (readonly Buffer[])[] = [
  many(300, (i) => ["x", `${i}${"y".repeat(120)}`] as const),
  many(2_000, () => ["x", "y"] as const),
].map((more) => {
  const bytes = fields(...plain, ...more);
  const parts = many(Math.ceil(bytes.length / 16_000), (i) => bytes.subarray(i * 16_000, (i + 1) * 16_000));
  return parts.map((part, i) =>
    frame(i === 0 ? type.headers : type.continuation, (i === 0 ? endStream : 0) | (i === parts.length - 1 ? endHeaders : 0), 1, part),
  );
});
