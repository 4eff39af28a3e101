import type { RequestConditions } from "#model/routing-table.ts";

/** What conditions look at. */
export interface AskedRequest {
  readonly method: string;
  /** The header lines that go to the app, each with its CRLF. */
  readonly kept: string;
}

/** Made once for a route: whether a request has the method and the headers that it asks for. */
export function matcher({ headers = {}, methods }: RequestConditions): (request: AskedRequest) => boolean {
  const wanted = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const);
  const allowed = methods === undefined ? null : new Set(methods);
  return ({ method, kept }) =>
    (allowed === null || allowed.has(method)) &&
    wanted.every(([name, value]) => (value === null ? hasHeader(kept, name) : headerValues(kept, name).includes(value)));
}

export function hasHeader(lines: string, name: string): boolean {
  return headerValues(lines, name).length > 0;
}

/** The values of all lines with this name (lower case), without the blanks around them, in their order. */
export function headerValues(lines: string, name: string): readonly string[] {
  const values: string[] = [];
  for (let at = 0; at < lines.length; ) {
    const end = lines.indexOf("\r\n", at);
    const next = end === -1 ? lines.length : end;
    const colon = at + name.length;
    if (lines.charCodeAt(colon) === 58 && lines.slice(at, colon).toLowerCase() === name) values.push(lines.slice(colon + 1, next).trim());
    at = next + 2;
  }
  return values;
}
