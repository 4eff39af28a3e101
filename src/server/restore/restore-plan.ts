import { type App, isBeingDestroyed, type Release } from "#model/app.ts";
import { parseWorkloadId, type WorkloadId } from "#model/names.ts";
import { keys, objects } from "../objects/objects.ts";
import { differences } from "../operations/differences.ts";
import { isEqualJson } from "../operations/release-spec.ts";
import type { StoreReader } from "../store/store.ts";

/** What putting a backup in a store's place does to what is declared. */
export interface RestorePlan {
  /** By space and name. */
  readonly apps: readonly RestoredApp[];
  /** Everything else, counted by kind. */
  readonly others: readonly RestoredKind[];
  readonly instances: {
    readonly present: number;
    /** Those that end, and nothing takes their place. */
    readonly stopped: number;
    /** Those that give way to instances of another release. */
    readonly replaced: number;
    readonly started: number;
  };
}

/** One side of an app: the release that is wanted, and its instances by process. */
export interface AppSide {
  readonly release: number | null;
  readonly instances: Readonly<Record<string, number>>;
}

export interface RestoredApp {
  readonly name: string;
  readonly change: "goes" | "comes back" | "changes" | "stays";
  readonly from: AppSide | null;
  readonly to: AppSide | null;
  /** Releases that there are only now. */
  readonly forgotten: readonly number[];
  /** Keys of the app besides its release and its instances that become others. */
  readonly settings: readonly string[];
}

export interface RestoredKind {
  readonly what: "space" | "secret" | "key" | "certificate" | "setting";
  readonly go: number;
  readonly comeBack: number;
  readonly change: number;
}

/** An app as either a store or an agent's orders tell it. */
interface KnownApp {
  readonly side: AppSide;
  /** Null where only orders are known. */
  readonly app: App | null;
  readonly releases: readonly Release[];
}

/** What the first part of a key stands for, besides apps, and besides what the server makes for itself and makes anew. */
const kinds: Readonly<Record<string, RestoredKind["what"] | null>> = {
  apps: null,
  releases: null,
  rollouts: null,
  artifacts: null,
  idempotency: null,
  rebalance: null,
  spaces: "space",
  secrets: "secret",
  kv: "key",
  certificates: "certificate",
};

/**
 * @param present what is declared now; or, where that cannot be read, the services that agents were last told to run. Of those only releases
 * and instances can be compared.
 */
export function planRestore(present: StoreReader | ReadonlyMap<WorkloadId, number> | null, backup: StoreReader): RestorePlan {
  const isStore = present !== null && !(present instanceof Map);
  const now = isStore ? appsOf(present as StoreReader) : appsOfOrders((present ?? new Map()) as ReadonlyMap<WorkloadId, number>);
  const then = appsOf(backup);
  const names = [...new Set([...now.keys(), ...then.keys()])].sort();
  const apps = names.map((name) => compareApp(name, now.get(name) ?? null, then.get(name) ?? null));
  const others = isStore ? compareOthers(present as StoreReader, backup) : [];
  const instances = { present: 0, stopped: 0, replaced: 0, started: 0 };
  for (const { from, to } of apps) {
    for (const process of new Set([...Object.keys(from?.instances ?? {}), ...Object.keys(to?.instances ?? {})])) {
      const [before, after] = [from?.instances[process] ?? 0, to?.instances[process] ?? 0];
      const isSame = from?.release === to?.release;
      instances.present += before;
      instances.stopped += Math.max(0, before - after);
      instances.replaced += isSame ? 0 : Math.min(before, after);
      instances.started += Math.max(0, after - before);
    }
  }
  return { apps, others, instances };
}

/** Whether something that is declared now is lost or becomes something else. */
export function isLossy({ apps, others }: RestorePlan): boolean {
  return apps.some(({ change }) => change === "goes" || change === "changes") || others.some(({ go, change }) => go + change > 0);
}

function appsOf(store: StoreReader): Map<string, KnownApp> {
  const known = new Map<string, KnownApp>();
  for (const { value: app } of objects.apps(store)) {
    if (isBeingDestroyed(app)) continue;
    const releases = objects.releases(store, app.space, app.name).map(({ value }) => value);
    const target = releases.find(({ number }) => number === app.target);
    const processes = app.stopped || target === undefined ? [] : Object.keys(target.spec.processes);
    const counts = app.instances as Readonly<Record<string, number>>;
    const instances = Object.fromEntries(processes.map((process) => [process, counts[process] ?? 1]));
    known.set(`${app.space}/${app.name}`, { side: { release: app.target, instances }, app, releases });
  }
  return known;
}

/** During a deploy an agent has orders of two releases: the newer one is what is wanted. */
function appsOfOrders(orders: ReadonlyMap<WorkloadId, number>): Map<string, KnownApp> {
  const known = new Map<string, KnownApp>();
  for (const [id, count] of orders) {
    const { space, app, process, release } = parseWorkloadId(id);
    const name = `${space}/${app}`;
    const other = known.get(name)?.side;
    if (other !== undefined && (other.release ?? 0) > release) continue;
    const instances = other?.release === release ? other.instances : {};
    known.set(name, { side: { release, instances: { ...instances, [process]: count } }, app: null, releases: [] });
  }
  return known;
}

function compareApp(name: string, now: KnownApp | null, then: KnownApp | null): RestoredApp {
  const kept = new Set(then?.releases.map(({ number }) => number));
  const forgotten = (now?.releases ?? []).map(({ number }) => number).filter((number) => !kept.has(number));
  const sides = { name, from: now?.side ?? null, to: then?.side ?? null, forgotten };
  if (then === null) return { ...sides, change: "goes", settings: [] };
  if (now === null) return { ...sides, change: "comes back", settings: [] };
  const settings = now.app === null || then.app === null ? [] : changedSettings(now.app, then.app);
  const isSame = isEqualJson(now.side, then.side) && forgotten.length === 0 && settings.length === 0;
  return { ...sides, change: isSame ? "stays" : "changes", settings };
}

/** Of what people set; the rest follows from it. */
function changedSettings(now: App, then: App): string[] {
  const shown = ({ routes, deploy, stopped, maintenance, manifest }: App) => ({ routes, deploy, stopped, maintenance, manifest });
  const paths = differences(shown(now), shown(then)).map(({ path }) =>
    path
      .split(".")
      .slice(0, path.startsWith("manifest.") ? 2 : 1)
      .at(-1),
  );
  return [...new Set(paths.filter((path) => path !== undefined))].filter((path) => path !== "instances");
}

function compareOthers(present: StoreReader, backup: StoreReader): RestoredKind[] {
  const found = new Map<RestoredKind["what"], { go: number; comeBack: number; change: number }>();
  const add = (key: string, change: "go" | "comeBack" | "change") => {
    const what = kindOf(key);
    if (what === null) return;
    const counts = found.get(what) ?? { go: 0, comeBack: 0, change: 0 };
    counts[change]++;
    found.set(what, counts);
  };
  for (const { key, value } of present.list("")) {
    const then = backup.get(key);
    if (then === null) add(key, "go");
    else if (Buffer.compare(value, then.value) !== 0) add(key, "change");
  }
  for (const { key } of backup.list("")) if (present.get(key) === null) add(key, "comeBack");
  return [...found].map(([what, counts]) => ({ what, ...counts })).sort((a, b) => (a.what < b.what ? -1 : 1));
}

function kindOf(key: string): RestoredKind["what"] | null {
  if (key === keys.ticketKeys) return null;
  const first = key.split("/")[1] ?? "";
  return Object.hasOwn(kinds, first) ? (kinds[first] ?? null) : "setting";
}
