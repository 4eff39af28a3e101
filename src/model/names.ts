/** A DNS label (RFC 1123): what every name that a person gives must be, because names become host names and folder names. */
export const namePattern = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/;

declare const brand: unique symbol;
type Id<Name extends string> = string & { readonly [brand]: Name };

export type SpaceName = Id<"SpaceName">;
export type AppName = Id<"AppName">;
export type ProcessName = Id<"ProcessName">;

/** `space/app`. */
export type AppId = Id<"AppId">;
/** `space/app/process/release`: what an engine is asked to run. */
export type WorkloadId = Id<"WorkloadId">;
/** `space/app/process.release.suffix`, as in `shop/api/web.7.k3f9b`. */
export type InstanceId = Id<"InstanceId">;
export type RouteId = Id<"RouteId">;
export type MachineId = Id<"MachineId">;
export type PoolName = Id<"PoolName">;
/** `services@machine/m1`: one check at one target. */
export type CheckId = Id<"CheckId">;
export type EscalationId = Id<"EscalationId">;
/** `<escalation>/<level>/<target>/<attempt>`: the same for every try to carry that attempt out, before and after a crash. */
export type StepId = Id<"StepId">;
/** `sha256:` and 64 hex digits. */
export type Digest = Id<"Digest">;

export const digestPattern = /^sha256:[0-9a-f]{64}$/;

export function isDigest(text: string): text is Digest {
  return digestPattern.test(text);
}

/** Drover's own programs are kept as if they were apps of this space; people cannot make one of that name. */
export const reservedSpace = "drover";

/** Process under which a release's `before` command runs. No person can give a process this name, because it is no DNS label. */
export const beforeProcess = "_before" as ProcessName;
/** Under these two, neither of which is a DNS label either, the log has what builds of an app print, and commands of `drover run`. */
export const buildProcess = "_build" as ProcessName;
export const runProcess = "_run" as ProcessName;

export interface WorkloadName {
  readonly space: SpaceName;
  readonly app: AppName;
  readonly process: ProcessName;
  readonly release: number;
}

export function appId(space: SpaceName, app: AppName): AppId {
  return `${space}/${app}` as AppId;
}

export function workloadId(name: WorkloadName): WorkloadId {
  return `${name.space}/${name.app}/${name.process}/${name.release}` as WorkloadId;
}

/** The parts of a workload id that we made ourselves. @throws {RangeError} if it is not one. */
export function parseWorkloadId(id: WorkloadId): WorkloadName {
  const parts = id.split("/");
  const [space, app, process, release] = parts;
  if (parts.length !== 4 || !space || !app || !process || !/^\d+$/.test(release ?? ""))
    throw new RangeError(`not a workload id: ${JSON.stringify(id)}`);
  return { space: space as SpaceName, app: app as AppName, process: process as ProcessName, release: Number(release) };
}

/** The letters of instance suffixes: no vowels and nothing that looks like something else, so that no words and no confusion arise. */
const suffixLetters = "bcdfghjkmnpqrstvwxz2456789";

/** @param random numbers from 0 to 1, as `Math.random` gives; passed in so that simulations can be replayed. */
export function newInstanceId(workload: WorkloadId, random: () => number): InstanceId {
  const { process, release } = parseWorkloadId(workload);
  let suffix = "";
  for (let i = 0; i < 5; i++) suffix += suffixLetters[Math.floor(random() * suffixLetters.length)];
  return `${workload.split("/").slice(0, 2).join("/")}/${process}.${release}.${suffix}` as InstanceId;
}

export function appOfInstance(id: InstanceId): AppId {
  return id.slice(0, id.lastIndexOf("/")) as AppId;
}

/** `web.7.k3f9b` of `shop/api/web.7.k3f9b`: the form that people see where the app is clear. */
export function shortInstanceId(id: string): string {
  return id.slice(id.lastIndexOf("/") + 1);
}
