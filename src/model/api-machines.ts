import { z } from "zod";
import { machineName } from "./name-schemas.ts";
import { machineLabel, machineLabels } from "./schema-parts.ts";

const labelsMeaning = "What the machine is, such as { zone: a }: for spreading over, and for choosing by.";
export const newMachineToken = z.strictObject({
  machine: machineName,
  labels: machineLabels.default({}).meta({ description: labelsMeaning }),
});
export const machineChange = z
  .strictObject({
    cordoned: z.boolean(),
    draining: z.boolean(),
    forced: z.boolean().meta({ description: "While it drains, what can go nowhere else because its volumes are there is stopped." }),
    labels: z.record(machineLabel, machineLabel.nullable()).meta({ description: `${labelsMeaning} Others stay; null takes one away.` }),
  })
  .partial();
/** What people have said of a machine. */
export const machineStanding = z.object({
  machine: z.string(),
  cordoned: z.boolean(),
  draining: z.boolean(),
  forced: z.boolean(),
  labels: z.record(z.string(), z.string()),
  bound: z.array(z.string()).meta({ description: "Apps that go nowhere else, because their volumes are there, as `space/app`." }),
});
export const machineToken = z
  .object({
    machine: z.string(),
    token: z.string().meta({ description: "Good for one machine of this name, once." }),
    expiresAtMs: z.number(),
    address: z.string().meta({ description: "Where the machine is to join." }),
  })
  .meta({ id: "MachineToken" });
const stayingInstance = z.object({
  instance: z.string(),
  app: z.string().meta({ description: "As `space/app`." }),
  process: z.string(),
  canMove: z.boolean().meta({ description: "Whether it will have gone by itself: it moves, or ends." }),
  why: z.string().meta({ description: "Why it is there, in words; where it cannot move, those of placement." }),
});

export const machine = z
  .object({
    id: z.string(),
    hostName: z.string(),
    cores: z.number(),
    memoryBytes: z.number(),
    instances: z.int(),
    pending: z.int().meta({ description: "Instances that it was told to start and has not told of yet." }),
    known: z.boolean().meta({
      description:
        "Whether it has told all that it runs since the server's start, or is lost, so that nothing of it counts. Until then it may run more than is said here.",
    }),
    linked: z.boolean(),
    joined: z.boolean().meta({ description: "It has joined over the network; false for the server's own." }),
    labels: z.record(z.string(), z.string()),
    cordoned: z.boolean().meta({ description: "It takes nothing new." }),
    draining: z.boolean().meta({ description: "What it runs goes elsewhere." }),
    forced: z.boolean().meta({ description: "What can go nowhere else is stopped meanwhile." }),
    bound: z.int().meta({ description: "Of its instances, those whose volumes are there, so that they go nowhere else." }),
    volumesOf: z.array(z.string()).meta({ description: "Apps that have volumes there, as `space/app`." }),
    staying: z
      .array(stayingInstance)
      .meta({ description: "What is still there while it is drained, the first hundred: those that cannot move come first." }),
    pool: z
      .object({
        space: z.string(),
        name: z.string(),
        intent: z
          .string()
          .nullable()
          .meta({ description: "What its rules intend with the machine, in words that go on after its name; null: it has none." }),
      })
      .nullable()
      .meta({ description: "The pool that it is of; null: none." }),
    version: z.string().nullable().meta({ description: "Of its agent; null: it has not linked since the server's start." }),
    address: z.string().nullable().meta({ description: "Where other machines reach its instances; null where there are no others." }),
    entry: z.object({ name: z.string(), port: z.int() }).nullable().meta({
      description:
        "Where it takes what other machines send to its instances, over mutual TLS under this name; null where that is not encrypted.",
    }),
    public: z.boolean().nullable().meta({
      description: "Whether its edge takes what comes from outside; null while no edge there has said so.",
    }),
    isolation: z.record(z.string(), z.object({ holds: z.boolean(), how: z.string() })),
    free: z
      .object({ cores: z.number(), memoryBytes: z.number() })
      .nullable()
      .meta({ description: "What is left of it for instances that state what they need; null while it is not linked." }),
  })
  .meta({ id: "Machine" });

export const machineList = z.object({
  machines: z.array(machine),
  join: z.string().nullable().meta({ description: "Where other machines join (HOST:PORT); null where none can." }),
});

export type StayingInstance = z.output<typeof stayingInstance>;
export type MachineToken = z.output<typeof machineToken>;
export type MachineView = z.output<typeof machine>;
export type MachineList = z.output<typeof machineList>;
