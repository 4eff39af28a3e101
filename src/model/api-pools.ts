import { z } from "zod";

/** The part of the HTTP API that is about pools of machines. */

const problem = z.object({ code: z.string(), message: z.string(), hint: z.string() });

const poolMachine = z.object({
  name: z.string(),
  power: z
    .enum(["on", "off", "changing", "absent", "unknown"])
    .meta({ description: "As its provider says. absent: it does not know it; unknown: it has not answered yet." }),
  address: z.string().nullable(),
  isReady: z.boolean().meta({ description: "On, and no check fails there." }),
  failing: z.array(z.string()).meta({ description: "Checks that fail there." }),
  intent: z.string().nullable().meta({
    description: "What the pool's rules intend with it, in words that go on after its name: `would leave in 4 min`. null: it has none.",
  }),
  problem: problem.nullable().meta({
    description: "Why nobody can say how this one is, such as that its controller does not answer; `power` is then what was known.",
  }),
});

export const poolView = z
  .object({
    name: z.string(),
    space: z.string(),
    provider: z.string(),
    can: z.object({ converge: z.boolean(), power: z.boolean() }),
    wanted: z.int().meta({ description: "How many machines there should be." }),
    leastHealthy: z.int().meta({ description: "How many have to stay well while Drover acts on another one." }),
    ready: z.int(),
    atMs: z.number().nullable().meta({ description: "When its provider answered last; null: not yet." }),
    problem: problem.nullable().meta({ description: "Why nothing newer is known; null while its provider answers." }),
    machines: z.array(poolMachine).meta({ description: "Those that it should have, be they there or not." }),
    rules: z
      .object({
        min: z.int(),
        max: z.int(),
        why: z.string().meta({ description: "Why it grows, shrinks or stays as it is." }),
        need: z.string().nullable().meta({ description: "What a person has to do, since its rules may or can not; null: nothing." }),
        coming: z.array(z.string()).meta({ description: "Machines that are being made or switched on." }),
        leaving: z.array(z.string()).meta({ description: "Machines that are drained, to be taken away or switched off." }),
        waiting: z.string().nullable().meta({ description: "What the rule sees that grows by what waits for room; null: not looked yet." }),
        busy: z
          .string()
          .nullable()
          .meta({ description: "What the rule sees that grows by how full its machines are; null: not looked yet." }),
        moving: z
          .array(z.object({ name: z.string(), intent: z.string() }))
          .meta({ description: "How it is with those that come and leave, in words that go on after the name." }),
      })
      .nullable()
      .meta({ description: "Of a pool that follows its work; null: its number is fixed." }),
    publicKey: z
      .string()
      .nullable()
      .meta({ description: "Of the server's own key, which hosts of a list have to let in; null: none is needed, or not by this pool." }),
    spare: z.array(z.string()).meta({ description: "Hosts of its list that are no machine." }),
    surplus: z.array(z.string()).meta({ description: "Machines of this pool's names that it should not have. Nothing acts on them." }),
  })
  .meta({ id: "Pool" });

export type PoolView = z.output<typeof poolView>;
