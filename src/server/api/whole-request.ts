import type { IncomingHttpHeaders } from "node:http";

/** A request that came in one piece. */
export interface WholeRequest {
  readonly method: string;
  readonly url: string;
  readonly fields: Fields;
  readonly body: Buffer;
}

/** The header fields of a request, and the text that they were read from: most clients send the same ones with each request of a connection. */
export interface Fields {
  readonly text: string;
  readonly headers: IncomingHttpHeaders;
}

const headEnd = Buffer.from("\r\n\r\n");
const requestLine = /^(GET|PUT|POST|PATCH|DELETE) (\/v1\/[!$-~]*) HTTP\/1\.1$/;
/** Of what RFC 9110, 5.1 and 5.5, allow as names and values, what everybody uses. */
const field = /^([A-Za-z][0-9A-Za-z-]*):[ \t]*((?:[!-~](?:[\t -~]*[!-~])?)?)[ \t]*$/;
const length = /^(?:0|[1-9][0-9]{0,6})$/;
/** What changes how a request or what follows it is read, or has another form in Node's headers. */
const special = ["transfer-encoding", "expect", "upgrade", "connection", "te", "trailer", "set-cookie"] as const;

/**
 * Reads what came from a connection, if it is one plain request to the API with nothing missing and nothing after it. Null for all else, be it refused,
 * unfinished or merely unusual: Node's own reader judges that.
 * @param before the fields of the connection's last request, which are taken again where the bytes are the same
 */
export function readWholeRequest(bytes: Buffer, before: Fields | null, maxHeadBytes: number): WholeRequest | null {
  const end = bytes.indexOf(headEnd);
  if (end === -1 || end + headEnd.length > maxHeadBytes) return null;
  const head = bytes.toString("latin1", 0, end);
  const firstEnd = head.indexOf("\r\n");
  const line = firstEnd === -1 ? null : requestLine.exec(head.slice(0, firstEnd));
  if (line === null) return null;
  const text = head.slice(firstEnd + 2);
  const fields = before?.text === text ? before : readFields(text);
  const body = bytes.subarray(end + headEnd.length);
  if (fields === null || body.length !== Number(fields.headers["content-length"] ?? 0)) return null;
  return { method: line[1] ?? "", url: line[2] ?? "", fields, body };
}

/** Null if they are not plain, or may be read in two ways. */
function readFields(text: string): Fields | null {
  const headers: Record<string, string> = Object.create(null);
  for (const line of text.split("\r\n")) {
    const found = field.exec(line);
    if (found === null) return null;
    const name = (found[1] ?? "").toLowerCase();
    if (name in headers) return null;
    headers[name] = found[2] ?? "";
  }
  const isPlain = special.every((name) => headers[name] === undefined || (name === "connection" && /^keep-alive$/i.test(headers[name])));
  const hasLength = headers["content-length"] === undefined || length.test(headers["content-length"]);
  return isPlain && hasLength && headers["host"] !== undefined ? { text, headers } : null;
}
