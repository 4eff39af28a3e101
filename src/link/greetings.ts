import type { Fence, LinkHello, LinkWelcome } from "#model/link.ts";
import { isCount, isRecord, isText } from "#model/shape.ts";

/** What a dialler said, or null if that is no hello. */
export function parseHello(value: unknown): LinkHello | null {
  if (!isRecord(value) || value["drover"] !== "link") return null;
  const { version, role, machine, installation, isLeaving } = value;
  if (!isCount(version) || (role !== "agent" && role !== "edge") || !isText(machine, 64)) return null;
  if (installation !== null && !isText(installation, 64)) return null;
  if (isLeaving !== undefined && typeof isLeaving !== "boolean") return null;
  return { drover: "link", version, role, machine, installation, ...(isLeaving === undefined ? {} : { isLeaving }) };
}

/** What the server said, or null if that is no welcome and no refusal. */
export function parseWelcome(value: unknown): LinkWelcome | null {
  if (!isRecord(value)) return null;
  const { drover, version, installation, fence, code, message, hint } = value;
  if (drover === "welcome" && isCount(version) && isText(installation, 64) && isFence(fence)) {
    return { drover, version, installation, fence: { epoch: fence.epoch, term: fence.term } };
  }
  if (drover === "refused" && isText(code, 64) && isText(message) && isText(hint)) return { drover, code, message, hint };
  return null;
}

function isFence(value: unknown): value is Fence {
  return isRecord(value) && isCount(value["epoch"]) && isCount(value["term"]);
}
