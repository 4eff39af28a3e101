import { type AppId, type AppName, appId, type MachineId, type ProcessName, type SpaceName } from "#model/names.ts";

/** By process, how many of it each machine is to have at the most; all of them together are as many as are wanted. */
export type Most = ReadonlyMap<ProcessName, ReadonlyMap<MachineId, number>>;

/** What is to be done of one app, as it is stored. */
export interface AppWork {
  readonly app: AppId;
  /** Instances of it that were to move when it was asked for. */
  readonly moves: number;
  /** Of processes that move. */
  readonly most: Readonly<Record<ProcessName, Readonly<Record<MachineId, number>>>>;
}

interface MoveOf {
  readonly space: SpaceName;
  readonly app: AppName;
  readonly process: ProcessName;
}

/** @param after by app and process, where its instances are once all has moved */
export function workOf(moves: readonly MoveOf[], after: ReadonlyMap<string, ReadonlyMap<MachineId, number>>): readonly AppWork[] {
  const apps = Map.groupBy(moves, ({ space, app }) => appId(space, app));
  return [...apps].map(([app, own]) => ({
    app,
    moves: own.length,
    most: Object.fromEntries(own.map(({ process }) => [process, Object.fromEntries(after.get(`${app}/${process}`) ?? [])])),
  }));
}

export function mostFrom({ most }: AppWork): Most {
  const processes = Object.entries(most) as [ProcessName, Record<MachineId, number>][];
  return new Map(processes.map(([process, on]) => [process, new Map(Object.entries(on) as [MachineId, number][])]));
}

/** How many there are to be of all its processes that move. */
export function meantInAll(most: Most): number {
  return [...most.values()].reduce((sum, on) => sum + meantOf(on), 0);
}

export function meantOf(on: ReadonlyMap<MachineId, number>): number {
  return [...on.values()].reduce((sum, count) => sum + count, 0);
}
