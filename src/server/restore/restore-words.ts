import { listMembers } from "../members/members.ts";
import { objects } from "../objects/objects.ts";
import type { StoreReader } from "../store/store.ts";
import { type Remembered, revokedSince } from "./remembered.ts";
import type { AppSide, RestoredApp, RestoredKind, RestorePlan } from "./restore-plan.ts";

/** Apps that change are listed up to this many: a person reads no more of them, and the sums below count all. */
const mostListed = 200;

/** A plan for people, a line a change; the last line sums up. */
export function describeRestore(plan: RestorePlan): string[] {
  const changing = plan.apps.filter(({ change }) => change !== "stays");
  const lines = changing.slice(0, mostListed).map(describeApp);
  if (changing.length > mostListed) lines.push(`  and ${changing.length - mostListed} more apps change`);
  const staying = plan.apps.length - changing.length;
  if (staying > 0) lines.push(`= ${count(staying, "app")} ${staying === 1 ? "stays" : "stay"} as ${staying === 1 ? "it is" : "they are"}`);
  lines.push(...plan.others.map(describeKind));
  lines.push(describeInstances(plan.instances));
  return lines;
}

/** Who may what again once a backup is restored. @param remembered what counted last; null: nobody knows */
export function describeAccess(backup: StoreReader, remembered: Remembered | null): string[] {
  const list = (names: readonly string[]) => (names.length === 0 ? "none" : names.join(", "));
  if (remembered === null) {
    const [tokens, machines] = [objects.tokens(backup).map(({ value }) => value.name), listMembers(backup).map(({ name }) => name)];
    if (tokens.length + machines.length === 0) return [];
    return [
      "What was revoked after the backup was made counts again, as nothing here knows of that:",
      `  tokens: ${list(tokens)}`,
      `  machines: ${list(machines)}`,
      '  Look at each, and revoke what should not be: "drover token revoke NAME", "drover machine remove NAME".',
    ];
  }
  const { tokens, machines } = revokedSince(backup, remembered);
  const revoked = [...tokens.map(({ value }) => `the token "${value.name}"`), ...machines.map(({ name }) => `machine ${name}`)];
  return revoked.length === 0 ? [] : [`revoked after the backup was made, and stays so: ${revoked.join(", ")}`];
}

function describeApp({ name, change, from, to, forgotten, settings }: RestoredApp): string {
  if (change === "goes") return `- ${name}  is destroyed: it is not in the backup; ${side(from)} now`;
  if (change === "comes back") return `+ ${name}  comes back: ${side(to)}`;
  const words: string[] = [];
  if (from?.release !== to?.release) words.push(`release ${release(from)} → ${release(to)}`);
  const [before, after] = [total(from), total(to)];
  if (before !== after) words.push(`instances ${before} → ${after}`);
  if (forgotten.length > 0)
    words.push(
      `${forgotten.length === 1 ? "release" : "releases"} ${forgotten.join(", ")} ${forgotten.length === 1 ? "is" : "are"} forgotten`,
    );
  if (settings.length > 0) words.push(`as it was before: ${settings.join(", ")}`);
  return `~ ${name}  ${words.length === 0 ? "other counts of its processes" : words.join("; ")}`;
}

function describeKind({ what, go, comeBack, change }: RestoredKind): string {
  const parts = [
    go > 0 ? `${go} ${go === 1 ? "goes" : "go"}` : "",
    comeBack > 0 ? `${comeBack} ${comeBack === 1 ? "comes" : "come"} back` : "",
    change > 0 ? `${change} ${change === 1 ? "becomes" : "become"} what ${change === 1 ? "it was" : "they were"}` : "",
  ];
  const name = { space: "spaces", secret: "secrets", key: "keys of key-value stores", certificate: "certificates", setting: "settings" }[
    what
  ];
  return `~ ${name}: ${parts.filter((part) => part !== "").join(", ")}`;
}

function describeInstances({ present, stopped, replaced, started }: RestorePlan["instances"]): string {
  const parts = [`${stopped} of ${count(present, "instance")} would be stopped`];
  if (replaced > 0) parts.push(`${replaced} replaced by those of another release`);
  if (started > 0) parts.push(`${started} started`);
  return parts.join(", ");
}

function side(one: AppSide | null): string {
  return `release ${release(one)} with ${count(total(one), "instance")}`;
}

function release(one: AppSide | null): string {
  return one?.release === null || one?.release === undefined ? "none" : String(one.release);
}

function total(one: AppSide | null): number {
  return Object.values(one?.instances ?? {}).reduce((sum, number) => sum + number, 0);
}

function count(number: number, one: string): string {
  return `${number} ${number === 1 ? one : `${one}s`}`;
}
