import { createHash } from "node:crypto";

/** The name of what parts of Drover make together, in this order: 16 hexadecimal digits. */
export function programsId(parts: readonly string[]): string {
  return createHash("sha256").update(parts.join("\n")).digest("hex").slice(0, 16);
}
