import { z } from "zod";
import { mostParts, type Neighbour, type NeighbourQuestion, type ProgramsOrder, type ProgramsState, partPattern } from "./programs.ts";

const version = z.object({ id: z.string().nullable().meta({ description: "null: it was installed by hand." }) });

export const programsOrder = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{16}$/),
  parts: z.array(z.string().regex(partPattern)).min(1).max(mostParts),
}) satisfies z.ZodType<ProgramsOrder>;

export const programsState = z
  .object({
    id: version.shape.id,
    release: z.string(),
    architecture: z.string().meta({ description: "Such as x86_64." }),
    before: version.nullable().meta({ description: "What it can go back to." }),
    isOnTrial: z.boolean(),
    refused: version
      .extend({ why: z.string() })
      .nullable()
      .meta({ description: "The last version that it left by itself; null: none since it went over to what runs." }),
    parts: z.array(z.string()),
  })
  .meta({ id: "MachinePrograms" }) satisfies z.ZodType<ProgramsState>;

export const programsProgress = z
  .object({ kind: z.enum(["copying", "starting", "started", "failed"]) })
  .loose()
  .meta({
    id: "ProgramsProgress",
    description: "`copying` with `part` and `of`, and `starting`, on the way; the last is `started`, or `failed` with an error.",
  });

/** Whom to find a neighbour for. */
export const neighbourQuestion = z.strictObject({
  address: z.string().max(300).nullable().meta({ description: "Where it stands; null: not known." }),
  labels: z.record(z.string().max(300), z.string().max(300)),
  parts: z.array(z.string().regex(partPattern)).max(mostParts),
  except: z.array(z.string().max(300)).max(1_000).meta({ description: "Machines that are not to be asked." }),
}) satisfies z.ZodType<NeighbourQuestion>;

export const neighbour = z
  .object({
    machine: z.string(),
    host: z.string(),
    port: z.int(),
    token: z.string().meta({ description: "Each part is given once for it." }),
    parts: z.array(z.string()).meta({ description: "Those that it has." }),
  })
  .meta({ id: "ProgramsNeighbour" }) satisfies z.ZodType<Neighbour>;
