import type { MachineView } from "#model/api-machines.ts";
import { bytes, count } from "../../parts/format.ts";
import type { MachineUse } from "../../state/machines.ts";

/** What of a machine is promised to instances that state what they need, 0 to 1; null while that is not known. */
export function reservedShares({ free, cores, memoryBytes }: MachineView): { readonly cpu: number | null; readonly memory: number | null } {
  if (free === null || cores === 0 || memoryBytes === 0) return { cpu: null, memory: null };
  return { cpu: 1 - free.cores / cores, memory: 1 - free.memoryBytes / memoryBytes };
}

export function cpuText({ cores }: MachineView, use: MachineUse | null): string {
  if (cores === 0) return "–";
  return use === null || use.busy === null ? count(cores, "core") : `${Math.round(use.busy * 100)} % of ${count(cores, "core")}`;
}

export function memoryText({ memoryBytes }: MachineView, use: MachineUse | null): string {
  if (memoryBytes === 0) return "–";
  return use === null
    ? bytes(memoryBytes)
    : `${bytes(use.memory.totalBytes - use.memory.availableBytes)} of ${bytes(use.memory.totalBytes)}`;
}

/** Whether what comes from outside is taken there. */
export function edgeText({ public: isPublic }: Pick<MachineView, "public">): string {
  return isPublic === null ? "–" : isPublic ? "open" : "closed";
}

export function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(" ");
}

/** What changes one set of labels into the one that is written as `KEY=VALUE` words; null if a word is none. */
export function labelChange(
  before: Readonly<Record<string, string>>,
  text: string,
): { readonly labels: Readonly<Record<string, string | null>>; readonly words: readonly string[] } | null {
  const words = text.split(/\s+/).filter((word) => word !== "");
  const next = new Map<string, string>();
  for (const word of words) {
    const at = word.indexOf("=");
    if (at < 1 || at === word.length - 1) return null;
    next.set(word.slice(0, at), word.slice(at + 1));
  }
  const set = [...next].filter(([key, value]) => !Object.hasOwn(before, key) || before[key] !== value);
  const gone = Object.keys(before).filter((key) => !next.has(key));
  return {
    labels: Object.fromEntries([...set, ...gone.map((key) => [key, null] as const)]),
    words: [...set.map(([key, value]) => `${key}=${value}`), ...gone.map((key) => `${key}-`)],
  };
}
