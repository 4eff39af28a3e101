/** Which bytes may stand where, as tables: one look-up a byte is what keeps a strict reader as fast as a lax one. */
function table(isIn: (code: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, code) => (isIn(code) ? 1 : 0));
}

const among = (characters: string) => (code: number) => characters.includes(String.fromCharCode(code));
const isAlphanumeric = (code: number) => (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122);

/** `tchar` of RFC 9110: methods and header names. */
export const token = table((code) => isAlphanumeric(code) || among("!#$%&'*+-.^_`|~")(code));
/** Field values: visible ASCII, space, tab and bytes above ASCII; never CR, LF, NUL or another control. */
export const fieldValue = table((code) => code === 9 || (code >= 32 && code !== 127));
/** What a path may hold as it stands; `%` and `;` are looked at more closely. */
export const plainPath = table((code) => isAlphanumeric(code) || among("-._~!$&'()*+,=:@/\"<>^`{|}[]")(code));
/** Unreserved characters of RFC 3986: the same with and without percent-encoding, so they travel without. */
export const unreserved = table((code) => isAlphanumeric(code) || among("-._~")(code));
/** Queries are the app's own; only what could end the line or the target is refused. */
export const query = table((code) => code > 32 && code < 127 && code !== 35);
/** Host names as they are asked for; letters of either case. */
export const hostLabel = table((code) => isAlphanumeric(code) || among("-_")(code));

/** Header names compare without case, and with `_` as `-`: CGI, WSGI and their kin cannot tell these apart, so neither may an attacker. */
const folded = Uint8Array.from({ length: 256 }, (_, code) => (code >= 65 && code <= 90 ? code + 32 : code === 95 ? 45 : code));

/** Whether `text` has `name` (lower case, with `-`) at `start`, folded. */
export function hasFolded(text: string, start: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) if (folded[text.charCodeAt(start + i)] !== name.charCodeAt(i)) return false;
  return true;
}
