import { isIPv6 } from "node:net";
import { hostLabel } from "./characters.ts";

export interface CanonicalHost {
  /** What routes are compared with: lower case, no trailing dot, no port. */
  readonly name: string;
  /** What the app gets: the name, and the port as the client wrote it. */
  readonly header: string;
}

/** The one form of a Host header or authority; null if it is none: user info, a list, a bad port, a zone, an over-long label. */
export function canonicalHost(value: string): CanonicalHost | null {
  let name = value;
  let port = "";
  const colon = value.startsWith("[") ? value.indexOf(":", value.indexOf("]") + 1) : value.indexOf(":");
  if (colon !== -1) {
    name = value.slice(0, colon);
    port = value.slice(colon);
    if (!/^:[0-9]{1,5}$/.test(port) || Number(port.slice(1)) > 65_535) return null;
  }
  if (name.startsWith("[")) {
    if (!name.endsWith("]") || name.includes("%") || !isIPv6(name.slice(1, -1))) return null;
  } else {
    if (name.endsWith(".")) name = name.slice(0, -1);
    if (name.length === 0 || name.length > 253 || !name.split(".").every(isLabel)) return null;
  }
  name = name.toLowerCase();
  return { name, header: name + port };
}

function isLabel(label: string): boolean {
  if (label.length === 0 || label.length > 63) return false;
  for (let at = 0; at < label.length; at++) if (hostLabel[label.charCodeAt(at)] !== 1) return false;
  return true;
}
