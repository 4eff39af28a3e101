import type { Pause } from "#model/ladder.ts";
import type { AppName, MachineId, PoolName } from "#model/names.ts";
import type { Target, Topology } from "#model/target.ts";
import { classic, type level, lines, playScene, type Scene, t0 } from "./ladder-world.ts";

/** A sentence about the ladder, the scene that shows it, and what happens in it: of the kinds that are named, or starts, ends, kills and tells. */
export type Row = readonly [sentence: string, scene: Scene, happens: readonly string[], kinds?: readonly string[]];

export const happened = ([, scene, , kinds]: Row): readonly string[] => lines(playScene(scene).played, kinds);

/** A pause from one second of a scene to another. */
export const pause = (target: Target, from: number, until: number): Pause => ({
  target,
  by: "ann",
  sinceMs: t0 + from * 1_000,
  untilMs: t0 + until * 1_000,
});

/** The levels of the classic ladder, one of them changed. */
export const levelsWith = (name: string, more: Parameters<typeof level>[2]) =>
  classic.levels.map((one) => (one.name === name ? { ...one, ...more } : one));

export const guards = (more: Partial<typeof classic.guards>) => ({ guards: { ...classic.guards, ...more } });

/** One pool `web` of machines m1, m2 and so on, which all run shop. */
export const pools = (minHealthy: number, count = 4): Topology => ({
  pools: [{ name: "web" as PoolName, minHealthy }],
  machines: Array.from({ length: count }, (_, i) => ({
    name: `m${i + 1}` as MachineId,
    pool: "web" as PoolName,
    apps: ["shop" as AppName],
  })),
  apps: ["shop" as AppName],
});

export const m1Down = { "ping@machine/m1": [0] } as const;
export const smoke = { "smoke@app/shop": [0] } as const;

/** A whole run of a machine, and of the app on it. */
export const run4to6 = (at: number, name = "m1") => [
  `start ${at} machine machine/${name}`,
  `start ${at + 70} converge machine/${name}`,
  `start ${at + 140} app app/shop`,
  `end ${at + 210} machine/${name} done`,
];
